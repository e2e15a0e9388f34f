/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: a forked child has a copy of everything, the plugin included. Where children are to be recorded, it gets a
 * ring of its own from tcgrr, over a socket, and its run begins with the return of fork(). QEMU's translations are
 * thrown away there, so that the new ring gets them described again.
 */
#ifndef TCGRR_EMU_PLUGIN_FORK_H
#define TCGRR_EMU_PLUGIN_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* What a child says after it has connected. The kernel says who it is. */
struct tcgrr_fork_request {
    uint32_t parent; /* struct tcgrr_wire_header: process */
    uint32_t number; /* which of the parent's children, from 1 */
};

/* What it gets, with the ring's descriptor (SCM_RIGHTS). Without one it is not recorded. */
struct tcgrr_fork_answer {
    char inputs[4096]; /* the file for what system calls give it */
};

/* `socket`: where to ask for a ring, which stays the caller's; NULL: children are not recorded. */
void tcgrr_fork_init(const char *socket);

/* A call has returned `result` in the process that made it: if it was to fork, whether that worked. */
void tcgrr_fork_made(int64_t result);

/* In a child, when fork() returns there: recording goes on if it can; whether it does. In the thread that forked, which
 * is vCPU `vcpu` of QEMU's. */
bool tcgrr_fork_returned(unsigned vcpu);

#endif
