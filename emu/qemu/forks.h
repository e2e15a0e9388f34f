/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: where the forked children of a recorded program ask for a ring of their own (emu/plugin/fork.h). */
#ifndef TCGRR_EMU_QEMU_FORKS_H
#define TCGRR_EMU_QEMU_FORKS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct tcgrr_forks;

/* A child that asks. */
struct tcgrr_fork {
    int connection; /* it waits for the answer here */
    int pid;
    uint32_t parent; /* process number of the session that it was forked from */
    uint32_t number; /* which of its children, from 1 */
};

/* Listens in a private folder. NULL with TCGRR_ERROR_FAILED. */
struct tcgrr_forks *tcgrr_forks_new(GError **error);
void tcgrr_forks_free(struct tcgrr_forks *forks);
/* The socket's path; owned by `forks`. */
const char *tcgrr_forks_path(const struct tcgrr_forks *forks);

/* Waits at most `wait_ms` for a child. Its connection is the caller's, to be given to one of the two below. */
bool tcgrr_forks_accept(struct tcgrr_forks *forks, int wait_ms, struct tcgrr_fork *child);
/* The child is to be recorded: in the ring `fd`, what system calls give it in the file `inputs`. */
void tcgrr_fork_welcome(const struct tcgrr_fork *child, int fd, const char *inputs);
/* It is not. */
void tcgrr_fork_dismiss(const struct tcgrr_fork *child);

#endif
