/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/insn_cursor.h"

#include <string.h>

static bool passed_over(const struct tcgrr_insn_cursor *walk, const struct tcgrr_exec *exec)
{
    return exec->ran == 0 || (walk->only != TCGRR_ANY_VCPU && exec->vcpu != walk->only);
}

/* Passes executions that have no instruction left. */
void tcgrr_insn_cursor_settle(struct tcgrr_insn_cursor *walk)
{
    const struct tcgrr_exec *exec = tcgrr_insn_cursor_exec(walk);

    if (!exec || (walk->insn < exec->ran && !passed_over(walk, exec))) {
        return;
    }
    tcgrr_icount end = walk->icount;
    for (; exec && (walk->insn >= exec->ran || passed_over(walk, exec)); exec = tcgrr_insn_cursor_exec(walk)) {
        end = exec->icount + exec->counted;
        walk->exec++;
        walk->insn = 0;
        walk->offset = 0;
    }
    walk->icount = exec ? exec->icount : end;
}

void tcgrr_insn_cursor_step(struct tcgrr_insn_cursor *walk)
{
    walk->offset += tcgrr_insn_cursor_exec(walk)->block->lengths[walk->insn];
    walk->insn++;
    walk->icount++;
    tcgrr_insn_cursor_settle(walk);
}

void tcgrr_insn_cursor_skip(struct tcgrr_insn_cursor *walk)
{
    walk->insn = UINT32_MAX;
    tcgrr_insn_cursor_settle(walk);
}

bool tcgrr_insn_cursor_back(struct tcgrr_insn_cursor *walk)
{
    guint exec = walk->exec;

    if (walk->insn == 0) {
        while (exec > 0 && passed_over(walk, tcgrr_exec_window_exec(walk->window, exec - 1))) {
            exec--;
        }
        if (exec == 0) {
            return false;
        }
        const struct tcgrr_exec *before = tcgrr_exec_window_exec(walk->window, --exec);
        walk->exec = exec;
        walk->insn = before->ran;
        walk->offset = (uint32_t)(tcgrr_block_pc(before->block, before->ran) - before->block->pc);
        walk->icount = before->icount + before->ran;
    }
    walk->insn--;
    walk->offset -= tcgrr_insn_cursor_exec(walk)->block->lengths[walk->insn];
    walk->icount--;
    return true;
}

void tcgrr_insn_cursor_begin(struct tcgrr_insn_cursor *walk, const struct tcgrr_exec_window *window,
                             tcgrr_icount icount)
{
    tcgrr_insn_cursor_begin_on(walk, window, TCGRR_ANY_VCPU, icount);
}

void tcgrr_insn_cursor_begin_on(struct tcgrr_insn_cursor *walk, const struct tcgrr_exec_window *window, tcgrr_vcpu only,
                                tcgrr_icount icount)
{
    *walk = (struct tcgrr_insn_cursor){
        .window = window, .only = only, .exec = tcgrr_exec_window_find_exec(window, icount), .icount = icount};
    const struct tcgrr_exec *exec = tcgrr_insn_cursor_exec(walk);
    if (exec && icount > exec->icount) {
        walk->insn = (uint32_t)MIN(icount - exec->icount, exec->ran);
        walk->offset = (uint32_t)(tcgrr_block_pc(exec->block, walk->insn) - exec->block->pc);
    }
    if (exec) {
        walk->icount = exec->icount + walk->insn;
        tcgrr_insn_cursor_settle(walk);
    } else if (window->stretch.execs->len > 0) {
        const struct tcgrr_exec *last = tcgrr_exec_window_exec(window, window->stretch.execs->len - 1);
        walk->icount = last->icount + last->counted;
    }
}

bool tcgrr_insn_cursor_same(const struct tcgrr_insn_cursor *a, const struct tcgrr_insn_cursor *b)
{
    const struct tcgrr_exec *left = tcgrr_insn_cursor_exec(a);
    const struct tcgrr_exec *right = tcgrr_insn_cursor_exec(b);
    uint8_t length = left->block->lengths[a->insn];

    return left->vcpu == right->vcpu && left->block->pc + a->offset == right->block->pc + b->offset &&
           length == right->block->lengths[b->insn] &&
           memcmp(left->block->bytes + a->offset, right->block->bytes + b->offset, length) == 0;
}

/* Both are at the head of executions that ran the same, and end before `end`. */
static bool same_exec(const struct tcgrr_insn_cursor *walks, const tcgrr_icount *end)
{
    const struct tcgrr_exec *a = tcgrr_insn_cursor_exec(&walks[0]), *b = tcgrr_insn_cursor_exec(&walks[1]);
    return walks[0].insn == 0 && walks[1].insn == 0 && a->block->hash == b->block->hash && a->ran == b->ran &&
           a->vcpu == b->vcpu && a->icount + a->counted <= end[0] && b->icount + b->counted <= end[1];
}

uint64_t tcgrr_insn_cursor_together(struct tcgrr_insn_cursor *walks, const tcgrr_icount *end)
{
    uint64_t insns = 0;

    while (tcgrr_insn_cursor_exec(&walks[0]) && tcgrr_insn_cursor_exec(&walks[1]) && walks[0].icount < end[0] &&
           walks[1].icount < end[1]) {
        if (same_exec(walks, end)) {
            insns += tcgrr_insn_cursor_exec(&walks[0])->ran;
            tcgrr_insn_cursor_skip(&walks[0]);
            tcgrr_insn_cursor_skip(&walks[1]);
        } else if (tcgrr_insn_cursor_same(&walks[0], &walks[1])) {
            insns++;
            tcgrr_insn_cursor_step(&walks[0]);
            tcgrr_insn_cursor_step(&walks[1]);
        } else {
            break;
        }
    }
    return insns;
}
