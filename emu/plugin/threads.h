/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: the program's threads. They run one at a time, each from the return of a system call that may block to its
 * next such call, so there is a single order of execution and one ring suffices. Which thread runs next is an input
 * like the results of calls: it is recorded and given with them. A thread that computes is not interrupted. If others
 * wait for it too long, it may be waiting for them, so recording ends.
 *
 * A thread never waits while it translates or executes code, because QEMU expects it to leave that soon.
 */
#ifndef TCGRR_EMU_PLUGIN_THREADS_H
#define TCGRR_EMU_PLUGIN_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/* Call it in the first thread, which is number 0. */
void tcgrr_threads_init(void);
/* Call it in a forked child, whose only thread is number 0. Unless the child is recorded, its threads run freely. */
void tcgrr_threads_restart(bool recorded);
/* Whether there was ever a second one. */
bool tcgrr_threads_several(void);
/* The calling thread's number, in order of creation. */
unsigned tcgrr_threads_current(void);

/* Whether the calling thread is one that has not started yet. */
bool tcgrr_threads_is_new(void);
/* Call it in a new thread, which is QEMU's vCPU `vcpu` (UINT_MAX if not known yet). Returns when it is the thread's
 * turn: at once if its creator is waiting for it. */
void tcgrr_threads_start(unsigned vcpu);
/* The calling thread has created another one, whose host thread is `tid`. The new one runs first, because not every
 * QEMU lets a new thread wait before it translates code. Returns when it is the calling thread's turn again. */
void tcgrr_threads_on_create(int32_t tid, unsigned vcpu);
/* Whether it is the calling thread's turn. */
bool tcgrr_threads_runs(void);
/* tcgrr_threads_leave(): the calling thread is about to make a call that may block, and gives up its turn.
 * tcgrr_threads_enter(): the call has returned; waits for the thread's next turn. */
void tcgrr_threads_leave(void);
void tcgrr_threads_enter(unsigned vcpu);
/* Recording has ended: all threads may run. */
void tcgrr_threads_release_all(void);

#endif
