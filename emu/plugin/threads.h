/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: the program's threads. One of them runs at a time, from the return of a system call that may wait to the
 * next such call, so that there is one order of execution, and with it one ring and one lane. Which one goes on is an
 * input like what the calls return: it is kept with them, and given. A thread that computes is not interrupted; where
 * others wait for it too long, it may be waiting for them, and recording ends.
 *
 * Nobody waits while it translates or executes code, where QEMU counts on it to come out soon.
 */
#ifndef TCGRR_EMU_PLUGIN_THREADS_H
#define TCGRR_EMU_PLUGIN_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/* In the first thread, which is number 0. */
void tcgrr_threads_init(void);
/* In a forked child, whose only thread is number 0. Unless it is recorded, its threads run as they like. */
void tcgrr_threads_restart(bool recorded);
/* Whether there was ever a second one. */
bool tcgrr_threads_several(void);
/* The calling thread's number, in the order in which they were made. */
unsigned tcgrr_threads_number(void);

/* Whether the calling thread is one that has not started yet. */
bool tcgrr_threads_is_new(void);
/* In a new thread, which is vCPU `vcpu` of QEMU's, UINT_MAX if that is not known yet: returns when it is to run. That
 * is at once, if it began where its maker waits for it. */
void tcgrr_threads_start(unsigned vcpu);
/* The thread that runs has made another one, which the host calls `tid`. That one runs first, because not every QEMU
 * lets a new thread wait before it translates code: returns when the calling one is to run again. */
void tcgrr_threads_made(int32_t tid, unsigned vcpu);
/* Whether the calling thread is the one that runs. */
bool tcgrr_threads_runs(void);
/* The thread that runs is about to make a call that may wait; it has returned: returns when it is to run on. */
void tcgrr_threads_leave(void);
void tcgrr_threads_enter(unsigned vcpu);
/* Recording has ended: all may run. */
void tcgrr_threads_free_all(void);

#endif
