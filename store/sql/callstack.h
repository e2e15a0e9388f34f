/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that a trace is in at an icount, as store/stacks.h tells them. */
#ifndef TCGRR_STORE_CALLSTACK_H
#define TCGRR_STORE_CALLSTACK_H

#include "store/sql/sql_trace.h"
#include "store/stacks.h"

/*
 * Walks from the trace's beginning to the execution that runs instruction `icount`, or to the end. Sets *pc to that
 * instruction, *vcpu to its vCPU, and `frames` (struct tcgrr_frame) to the functions it is in, the outermost, which has
 * the kind START, first. Where the trace has nothing at `icount`, `frames` is empty. False: an error.
 */
bool tcgrr_callstack(struct tcgrr_sql_trace *trace, int64_t icount, GArray *frames, uint64_t *pc, tcgrr_vcpu *vcpu,
                     GError **error);

#endif
