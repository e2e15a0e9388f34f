/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A place at which a recording ends even if the guest would continue. */
#ifndef TCGRR_RECORD_UNTIL_H
#define TCGRR_RECORD_UNTIL_H

#include "store/trace.h"

/* The caller sets the first four; all 0: the run ends when the guest does. */
struct tcgrr_until {
    bool wanted;
    bool has_pc; /* end before the first execution of the instruction at `pc`; else after `icount` instructions */
    uint64_t pc;
    tcgrr_icount icount;
    bool reached;
    tcgrr_seq seq;   /* if reached: in this execution, */
    uint32_t insn;   /* before this instruction of it */
    uint32_t looked; /* number of executions of the chunk that were checked */
    GArray *
        where; /* uint16_t, for each block that was checked: 1 + the index of its instruction at `pc`; 0: it has none */
};

/* Checks the executions that were added to the chunk since the last call. Returns whether the place has been reached.
 * */
bool tcgrr_until_look(struct tcgrr_until *until, const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks);
/* Call it when the next check is of another chunk. */
void tcgrr_until_next(struct tcgrr_until *until);

/*
 * The icount of the place in the trace, whose counts may have been corrected since the place was reached. False with an
 * error if the trace cannot be read.
 */
bool tcgrr_until_place(const struct tcgrr_until *until, struct tcgrr_reader *reader, tcgrr_icount *place,
                       GError **error);

void tcgrr_until_clear(struct tcgrr_until *until);

#endif
