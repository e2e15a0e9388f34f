/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A user-mode program's inputs: what its system calls return and write. One run records them in a file, and another run
 * is given them from that file, later or while it is being written. If registers can be written (API 5), only calls
 * that change the process itself are made again, at the same addresses; all others are answered from the file: the host
 * is asked for the process number instead, and then the result and memory are replaced. Otherwise all calls are made,
 * and what the kernel wrote is replaced if the result is the same. If there are several threads (threads.h), only the
 * one whose turn it is uses these functions.
 */
#ifndef TCGRR_EMU_PLUGIN_INPUTS_H
#define TCGRR_EMU_PLUGIN_INPUTS_H

#include "emu/plugin/inputs_format.h"
#include "emu/plugin/state.h"

enum tcgrr_inputs_mode {
    TCGRR_INPUTS_RECORDING, /* they go into the file */
    TCGRR_INPUTS_REPLAYING, /* they come from the file, which is complete */
    TCGRR_INPUTS_FOLLOWING, /* they come from the file, which another run is still writing */
};

/* Prepares recording to, or giving from, the file `path`, from byte `at` on. The caller keeps `path`. Returns an error
 * message, or NULL. */
const char *tcgrr_inputs_init(struct tcgrr_plugin *plugin, const char *target, const char *path,
                              enum tcgrr_inputs_mode mode, uint64_t at);

/* The calling thread has made a call that may block, and it is its turn again. Finds the record of the call before the
 * host does anything. */
void tcgrr_inputs_settle(void);
/* Whether the thread has to wait for its turn before the host makes the call, rather than after the call has returned.
 * */
bool tcgrr_inputs_must_settle_before(void);

/* Call it in a forked child, which runs as `vcpu`: its inputs are recorded in its own file, `path`. */
void tcgrr_inputs_restart(const char *path, unsigned vcpu);

/* Whether the call is execve(), unless it failed when it was recorded. */
bool tcgrr_inputs_executes(int64_t number);
/* Whether the program is given recorded inputs, rather than its inputs being recorded. */
bool tcgrr_inputs_are_given(void);
/* Whether inputs are given and the recorded run ended here. */
bool tcgrr_inputs_end_here(void);

/* Finds the registers of a new vCPU. */
void tcgrr_inputs_find_registers(struct tcgrr_plugin *plugin);

/* Asks QEMU for the callbacks that a translation needs. */
void tcgrr_inputs_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb);

/* QEMU enters a call. Returns the number that the program passed, and sets `arguments` to those of the program. */
int64_t tcgrr_inputs_enter(int64_t number, uint64_t arguments[8]);
/* The call returned `*result`, which is replaced by what the program is given. Returns the program's number likewise.
 * */
int64_t tcgrr_inputs_return(int64_t number, int64_t *result);

/* The block that begins ends at or after the plugin's `signal_at`: sends the signal that was recorded there, if any, so
 * that QEMU delivers it after this block. */
void tcgrr_inputs_on_position(void);

/* The calling thread continues; `begins`: it runs for the first time. */
void tcgrr_inputs_resume_thread(bool begins);
/* Another thread runs next: stores what has to be kept of the calling thread's call. */
void tcgrr_inputs_leave_turn(void);
/* Whether thread `number` is the next to run. */
bool tcgrr_inputs_next_thread_is(unsigned number);
/* Whether the order of threads may deviate from the recorded one, because calls are made again. */
bool tcgrr_inputs_may_leave_order(void);
/* The order has deviated. */
void tcgrr_inputs_leave_order(void);
/* Whether other threads may run until the call returns, because it may block. */
bool tcgrr_inputs_may_block(int64_t number);
/* Whether the call, which returned `result`, created a thread. */
bool tcgrr_inputs_makes_thread(int64_t number, int64_t result);

/* The program is about to end. */
void tcgrr_inputs_finish(void);

#endif
