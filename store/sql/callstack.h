/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that a trace is in at an icount, as store/stacks.h finds them. */
#ifndef TCGRR_STORE_CALLSTACK_H
#define TCGRR_STORE_CALLSTACK_H

#include "store/sql/sql_trace.h"
#include "store/stacks.h"

/*
 * Finds them at many places of one trace: keeps what the stacks were along the way, at some 256 places however long the
 * trace is, so that it does not begin at the trace's beginning each time.
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
 * Comes nearer to the execution that runs instruction `icount`, by a chunk at most. *done: `found` is filled; where the
 * trace has nothing at `icount`, without any frames. False: an error.
 */
bool tcgrr_callstacks_look(struct tcgrr_callstacks *stacks, tcgrr_icount icount, struct tcgrr_callstack *found,
                           bool *done, GError **error);

/* The same for one place, at once. */
bool tcgrr_callstack(struct tcgrr_sql_trace *trace, tcgrr_icount icount, struct tcgrr_callstack *found, GError **error);

#endif
