/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A user-mode program's inputs: what its system calls return and write. One run keeps them in a file and another gets
 * them from there, while it is written or later. Where registers can be written (API 5), only calls that change the
 * process itself are made a second time, and those at the same addresses; all others are answered from the file: the
 * host is asked for the process number instead, then result and memory are put in place. Elsewhere all calls are made,
 * and what the kernel wrote is replaced where the result is the same. Where there are several threads
 * (threads.h), the one that runs uses all this.
 */
#ifndef TCGRR_EMU_PLUGIN_INPUTS_H
#define TCGRR_EMU_PLUGIN_INPUTS_H

#include "emu/plugin/inputs_format.h"
#include "emu/plugin/state.h"

enum tcgrr_inputs_mode {
    TCGRR_INPUTS_RECORDING, /* they go into the file */
    TCGRR_INPUTS_REPLAYING, /* they come from the file, which is complete */
    TCGRR_INPUTS_FOLLOWING, /* they come from the file, which somebody writes meanwhile */
};

/* Prepares that with the file `path`, which stays the caller's, given from byte `at` on. Returns what is wrong, or
 * NULL. */
const char *tcgrr_inputs_init(struct tcgrr_plugin *plugin, const char *target, const char *path,
                              enum tcgrr_inputs_mode mode, uint64_t at);

/* The thread has made a call that may wait, and it is its turn again. The host has not been asked for anything yet. */
void tcgrr_inputs_settle(void);
/* Whether a thread waits for its turn before the host is asked, rather than when it has answered. */
bool tcgrr_inputs_settle_before(void);

/* In a forked child, which runs as `vcpu`: what it is given is kept in the file `path`, its own. */
void tcgrr_inputs_restart(const char *path, unsigned vcpu);

/* Whether the call is execve(), and not one that failed when it was recorded. */
bool tcgrr_inputs_executes(int64_t number);
/* Whether the program is given recorded inputs, rather than its own being kept. */
bool tcgrr_inputs_are_given(void);
/* They are given, and the recorded run ended here. */
bool tcgrr_inputs_end_here(void);

/* A vCPU is there: finds its registers. */
void tcgrr_inputs_find_registers(struct tcgrr_plugin *plugin);

/* Asks QEMU for the callbacks that a translation needs. */
void tcgrr_inputs_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb);

/* QEMU makes a call. Returns its number as the program made it, whose arguments it puts into `arguments`. */
int64_t tcgrr_inputs_enter(int64_t number, uint64_t arguments[8]);
/* It returned `*result`, which becomes what the program is given. Returns the number likewise. */
int64_t tcgrr_inputs_return(int64_t number, int64_t *result);

/* The block that begins ends at the plugin's `signal_at`, or after it: if a recorded signal came there it is sent, so
 * that QEMU takes it after this block. */
void tcgrr_inputs_on_position(void);

/* The calling thread goes on; the first time, it begins. */
void tcgrr_inputs_resume_thread(bool begins);
/* Another thread is to run next: what is to be kept of this one's call is. */
void tcgrr_inputs_leave_turn(void);
/* Whether thread `number` is the one that goes on now. */
bool tcgrr_inputs_next_thread_is(unsigned number);
/* Whether the order of threads may become another one than the recorded one, because calls are made again. */
bool tcgrr_inputs_may_leave_order(void);
/* It has. */
void tcgrr_inputs_leave_order(void);
/* Whether other threads may run until the call returns. */
bool tcgrr_inputs_waits(int64_t number);
/* Whether the call, which returned `result`, made a thread. */
bool tcgrr_inputs_makes_thread(int64_t number, int64_t result);

/* The program is about to be over. */
void tcgrr_inputs_finish(void);

#endif
