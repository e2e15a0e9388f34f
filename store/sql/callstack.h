/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that a trace is in at an icount, as store/stacks.h finds them. */
#ifndef TCGRR_STORE_CALLSTACK_H
#define TCGRR_STORE_CALLSTACK_H

#include "store/sql/sql_trace.h"
#include "store/stacks.h"

/*
 * Finds call stacks at many places of one trace. It keeps the stacks at about 256 places along the way, however long
 * the trace is, so that it need not start from the trace's beginning each time.
 */
struct tcgrr_callstacks;

/* `trace` is borrowed. */
struct tcgrr_callstacks *tcgrr_callstacks_new(struct tcgrr_sql_trace *trace);
/* NULL is allowed. */
void tcgrr_callstacks_free(struct tcgrr_callstacks *stacks);

struct tcgrr_callstack {
    GArray *frames; /* struct tcgrr_frame: the functions the vCPU is in, the outermost, of kind START, first */
    uint64_t pc;    /* of the instruction */
    tcgrr_vcpu vcpu;
};

/*
 * Advances by at most one chunk towards the execution that runs instruction `icount`. *done: `found` is filled; without
 * frames if the trace has nothing at `icount`. False: an error.
 */
bool tcgrr_callstacks_look(struct tcgrr_callstacks *stacks, tcgrr_icount icount, struct tcgrr_callstack *found,
                           bool *done, GError **error);

/* The same for one place, at once. */
bool tcgrr_callstack(struct tcgrr_sql_trace *trace, tcgrr_icount icount, struct tcgrr_callstack *found, GError **error);

#endif
