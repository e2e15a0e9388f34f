/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking through a stretch of a run instruction by instruction. */
#ifndef TCGRR_LOCKSTEP_WALK_H
#define TCGRR_LOCKSTEP_WALK_H

#include "lockstep/side.h"

struct tcgrr_walk {
    const GArray *execs; /* struct tcgrr_exec */
    guint exec;
    uint32_t insn;   /* of the execution */
    uint32_t offset; /* of that instruction's bytes */
    tcgrr_icount icount;
};

/* Puts it on the first instruction that runs at or behind `from`. */
void tcgrr_walk_begin(struct tcgrr_walk *walk, const GArray *execs, tcgrr_icount from);

/* The execution that it is in; NULL at the stretch's end. */
static inline const struct tcgrr_exec *tcgrr_walk_exec(const struct tcgrr_walk *walk)
{
    return walk->exec < walk->execs->len ? &g_array_index(walk->execs, struct tcgrr_exec, walk->exec) : NULL;
}

/* Address of the instruction; not at the end. */
static inline uint64_t tcgrr_walk_pc(const struct tcgrr_walk *walk)
{
    return tcgrr_walk_exec(walk)->block->pc + walk->offset;
}

/* Goes on to the next instruction; not at the end. */
void tcgrr_walk_step(struct tcgrr_walk *walk);

/* Whether both are on the same instruction, run by the same vCPU; neither is at its end. */
bool tcgrr_walk_same(const struct tcgrr_walk *a, const struct tcgrr_walk *b);

#endif
