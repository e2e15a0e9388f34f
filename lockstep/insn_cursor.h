/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves through the available part of a run, instruction by instruction. */
#ifndef TCGRR_LOCKSTEP_INSN_CURSOR_H
#define TCGRR_LOCKSTEP_INSN_CURSOR_H

#include "lockstep/align/exec_window.h"

/* Follow all vCPUs. */
#define TCGRR_ANY_VCPU UINT32_MAX

struct tcgrr_insn_cursor {
    const struct tcgrr_exec_window *window;
    tcgrr_vcpu only; /* executions of other vCPUs are skipped; or TCGRR_ANY_VCPU */
    guint exec;      /* number of the execution */
    uint32_t insn;   /* of the execution */
    uint32_t offset; /* of that instruction's bytes */
    tcgrr_icount icount;
};

/* Moves the cursor to the first instruction that runs at or after `icount`, on any vCPU or on vCPU `only`. */
void tcgrr_insn_cursor_begin(struct tcgrr_insn_cursor *walk, const struct tcgrr_exec_window *window,
                             tcgrr_icount icount);
void tcgrr_insn_cursor_begin_on(struct tcgrr_insn_cursor *walk, const struct tcgrr_exec_window *window, tcgrr_vcpu only,
                                tcgrr_icount icount);

/* The current execution; NULL at the window's end. */
static inline const struct tcgrr_exec *tcgrr_insn_cursor_exec(const struct tcgrr_insn_cursor *walk)
{
    return tcgrr_exec_window_exec(walk->window, walk->exec);
}

/* Address of the instruction; not at the end. */
static inline uint64_t tcgrr_insn_cursor_pc(const struct tcgrr_insn_cursor *walk)
{
    return tcgrr_insn_cursor_exec(walk)->block->pc + walk->offset;
}

/* Moves to the next instruction, or to the first one of the next execution; not at the end. */
void tcgrr_insn_cursor_step(struct tcgrr_insn_cursor *walk);
void tcgrr_insn_cursor_skip(struct tcgrr_insn_cursor *walk);

/* If the cursor was at the window's end and the window has grown, moves to the next instruction. */
void tcgrr_insn_cursor_settle(struct tcgrr_insn_cursor *walk);

/* Moves back by one instruction. Returns false, without moving, at the window's start. */
bool tcgrr_insn_cursor_back(struct tcgrr_insn_cursor *walk);

/* Whether both are on the same instruction, run by the same vCPU; neither is at its end. */
bool tcgrr_insn_cursor_same(const struct tcgrr_insn_cursor *a, const struct tcgrr_insn_cursor *b);

/*
 * Moves both cursors as long as their instructions are the same, each at most to its `end`. Returns the number of
 * instructions.
 */
uint64_t tcgrr_insn_cursor_together(struct tcgrr_insn_cursor *walks, const tcgrr_icount *end);

#endif
