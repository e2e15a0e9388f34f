/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: a forked child has a copy of everything, the plugin included. If children are recorded, it gets a ring of
 * its own from tcgrr, over a socket, and its run begins with the return of fork(). QEMU's translations are discarded
 * there, so that they are described again in the new ring.
 */
#ifndef TCGRR_EMU_PLUGIN_FORK_H
#define TCGRR_EMU_PLUGIN_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* What a child sends after it has connected. The kernel reports its process number. */
struct tcgrr_fork_request {
    uint32_t parent; /* struct tcgrr_wire_header: process */
    uint32_t number; /* which of the parent's children, from 1 */
};

/* The answer, with the ring's descriptor (SCM_RIGHTS). Without a descriptor the child is not recorded. */
struct tcgrr_fork_answer {
    char inputs[4096]; /* the file for the results of its system calls */
};

/* `socket` is where children ask for a ring; the caller keeps the string. NULL: children are not recorded. */
void tcgrr_fork_init(const char *socket);

/* A call has returned `result` in the process that made it. If the call was a fork, notes whether it succeeded. */
void tcgrr_fork_made(int64_t result);

/* Call it in a child, when fork() returns there, in the thread that forked, which is QEMU's vCPU `vcpu`. Starts
 * recording the child if that is possible, and returns whether it did. */
bool tcgrr_fork_returned(unsigned vcpu);

#endif
