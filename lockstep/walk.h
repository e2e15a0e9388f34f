/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking through what is at hand of a run, instruction by instruction. */
#ifndef TCGRR_LOCKSTEP_WALK_H
#define TCGRR_LOCKSTEP_WALK_H

#include "lockstep/align/reel.h"

/* All that runs, whichever vCPU runs it. */
#define TCGRR_ANY_VCPU UINT32_MAX

struct tcgrr_walk {
    const struct tcgrr_reel *reel;
    tcgrr_vcpu only; /* executions of other vCPUs are passed over; or TCGRR_ANY_VCPU */
    guint exec;      /* number of the execution */
    uint32_t insn;   /* of the execution */
    uint32_t offset; /* of that instruction's bytes */
    tcgrr_icount icount;
};

/* Puts it on the first instruction that runs at or behind `icount`, on whichever vCPU or on that one. */
void tcgrr_walk_begin(struct tcgrr_walk *walk, const struct tcgrr_reel *reel, tcgrr_icount icount);
void tcgrr_walk_begin_on(struct tcgrr_walk *walk, const struct tcgrr_reel *reel, tcgrr_vcpu only, tcgrr_icount icount);

/* The execution that it is in; NULL at the reel's end. */
static inline const struct tcgrr_exec *tcgrr_walk_exec(const struct tcgrr_walk *walk)
{
    return tcgrr_reel_exec(walk->reel, walk->exec);
}

/* Address of the instruction; not at the end. */
static inline uint64_t tcgrr_walk_pc(const struct tcgrr_walk *walk)
{
    return tcgrr_walk_exec(walk)->block->pc + walk->offset;
}

/* Goes on to the next instruction, or to the first one of the next execution; not at the end. */
void tcgrr_walk_step(struct tcgrr_walk *walk);
void tcgrr_walk_skip(struct tcgrr_walk *walk);

/* Finds the next instruction when the reel has grown behind a walk that was at its end. */
void tcgrr_walk_settle(struct tcgrr_walk *walk);

/* Goes back by one instruction. Returns false, without moving, at the reel's start. */
bool tcgrr_walk_back(struct tcgrr_walk *walk);

/* Whether both are on the same instruction, run by the same vCPU; neither is at its end. */
bool tcgrr_walk_same(const struct tcgrr_walk *a, const struct tcgrr_walk *b);

/*
 * Goes on with both of the two walks as long as they are the same, each at most to its `end`. Returns the number of
 * instructions.
 */
uint64_t tcgrr_walk_together(struct tcgrr_walk *walks, const tcgrr_icount *end);

#endif
