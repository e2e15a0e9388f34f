/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who called whom, told from the executions alone: a call is a block that ends with a call instruction and is not
 * followed by the instruction behind it; a return is a jump to where a call or an interrupt on the stack left off. The
 * trace has no stack pointer, so that the stacks of a guest's several tasks are one here: what a task switch leaves
 * open stays on it until something returns to below it.
 */
#ifndef TCGRR_STORE_CALLSTACK_H
#define TCGRR_STORE_CALLSTACK_H

#include "store/sql/sql_trace.h"

enum tcgrr_frame_kind { TCGRR_FRAME_START, TCGRR_FRAME_CALL, TCGRR_FRAME_INTERRUPT, TCGRR_FRAME_EXCEPTION };

/* A function that has not returned. */
struct tcgrr_frame {
    enum tcgrr_frame_kind kind; /* how it was entered */
    uint64_t entry;             /* its first pc */
    uint64_t from;              /* pc of the call, or of the instruction that was interrupted */
    uint64_t back;              /* where it returns to */
    tcgrr_icount icount;        /* when it was entered */
};

/* Frames on one vCPU's stack, at most; older ones are forgotten. */
#define TCGRR_MOST_FRAMES 1024u

/*
 * Walks from the trace's beginning to the execution that runs instruction `icount`, or to the end. Sets *pc to that
 * instruction, *vcpu to its vCPU, and `frames` (struct tcgrr_frame) to the functions it is in, the outermost, which has
 * the kind START, first. Where the trace has nothing at `icount`, `frames` is empty. False: an error.
 */
bool tcgrr_callstack(struct tcgrr_sql_trace *trace, int64_t icount, GArray *frames, uint64_t *pc, tcgrr_vcpu *vcpu,
                     GError **error);

#endif
