/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/walk.h"

#include <string.h>

/* Passes executions that have no instruction left. */
static void settle(struct tcgrr_walk *walk)
{
    const struct tcgrr_exec *exec;
    while ((exec = tcgrr_walk_exec(walk)) && walk->insn >= exec->ran) {
        walk->icount = exec->icount + exec->counted;
        walk->exec++;
        walk->insn = 0;
        walk->offset = 0;
    }
}

void tcgrr_walk_step(struct tcgrr_walk *walk)
{
    walk->offset += tcgrr_walk_exec(walk)->block->lengths[walk->insn];
    walk->insn++;
    walk->icount++;
    settle(walk);
}

void tcgrr_walk_begin(struct tcgrr_walk *walk, const GArray *execs, tcgrr_icount from)
{
    *walk = (struct tcgrr_walk){.execs = execs, .icount = from};
    if (execs->len > 0) {
        walk->icount = g_array_index(execs, struct tcgrr_exec, 0).icount;
        settle(walk);
        while (tcgrr_walk_exec(walk) && walk->icount < from) {
            tcgrr_walk_step(walk);
        }
    }
}

bool tcgrr_walk_same(const struct tcgrr_walk *a, const struct tcgrr_walk *b)
{
    const struct tcgrr_exec *left = tcgrr_walk_exec(a);
    const struct tcgrr_exec *right = tcgrr_walk_exec(b);
    uint8_t length = left->block->lengths[a->insn];

    return left->vcpu == right->vcpu && left->block->pc + a->offset == right->block->pc + b->offset &&
           length == right->block->lengths[b->insn] &&
           memcmp(left->block->bytes + a->offset, right->block->bytes + b->offset, length) == 0;
}
