/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: the server that gives forked children of a recorded program rings of their own (emu/plugin/fork.h). */
#ifndef TCGRR_EMU_QEMU_FORKS_H
#define TCGRR_EMU_QEMU_FORKS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct tcgrr_forks;

/* A child that asks for a ring. */
struct tcgrr_fork {
    int connection; /* the child waits for the answer on it */
    int pid;
    uint32_t parent; /* process number of the session that it was forked from */
    uint32_t number; /* which of the parent's children it is, from 1 */
};

/* Listens in a private folder. NULL with TCGRR_ERROR_FAILED. */
struct tcgrr_forks *tcgrr_forks_new(GError **error);
void tcgrr_forks_free(struct tcgrr_forks *forks);
/* The socket's path; owned by `forks`. */
const char *tcgrr_forks_path(const struct tcgrr_forks *forks);

/* Waits at most `wait_ms` for a child. The caller owns its connection, and has to pass it to one of the two functions
 * below. */
bool tcgrr_forks_accept(struct tcgrr_forks *forks, int wait_ms, struct tcgrr_fork *child);
/* Accepts the child: it is recorded through the ring `fd`, and the results of its system calls in the file `inputs`. */
void tcgrr_fork_welcome(const struct tcgrr_fork *child, int fd, const char *inputs);
/* Tells the child that it is not recorded. */
void tcgrr_fork_dismiss(const struct tcgrr_fork *child);

#endif
