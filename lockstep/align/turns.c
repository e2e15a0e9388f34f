/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/align/turns.h"

struct turn_end {
    tcgrr_icount icount;
    uint64_t pc;  /* with which the other vCPU goes on */
    uint64_t ran; /* what the vCPU whose turn ended ran until then */
    tcgrr_vcpu vcpu;
};

void tcgrr_turns_init(struct tcgrr_turns *turns, const struct tcgrr_reel reels[2], const tcgrr_icount at[2])
{
    *turns = (struct tcgrr_turns){0};
    for (int i = 0; i < 2; i++) {
        turns->looked[i] = tcgrr_reel_find_exec(&reels[i], at[i]);
        const struct tcgrr_exec *first = tcgrr_reel_exec(&reels[i], turns->looked[i]);
        turns->vcpu[i] = first ? first->vcpu : 0;
        if (first && at[i] > first->icount) {
            /* What of it ran before is not counted: below 0 for now. */
            turns->ran[i][first->vcpu % TCGRR_TURNS_VCPUS] -= at[i] - first->icount;
        }
        turns->ends[i] = g_array_new(FALSE, FALSE, sizeof(struct turn_end));
    }
}

void tcgrr_turns_clear(struct tcgrr_turns *turns)
{
    for (int i = 0; i < 2; i++) {
        g_clear_pointer(&turns->ends[i], g_array_unref);
    }
}

static void look_at(struct tcgrr_turns *turns, const struct tcgrr_reel *reel, int which)
{
    const struct tcgrr_exec *exec;

    for (; (exec = tcgrr_reel_exec(reel, turns->looked[which])); turns->looked[which]++) {
        tcgrr_vcpu before = turns->vcpu[which];
        if (exec->vcpu != before && exec->ran > 0) {
            struct turn_end end = {exec->icount, exec->block->pc, turns->ran[which][before % TCGRR_TURNS_VCPUS],
                                   before};
            g_array_append_val(turns->ends[which], end);
            turns->vcpu[which] = exec->vcpu;
        }
        turns->ran[which][exec->vcpu % TCGRR_TURNS_VCPUS] += exec->ran;
    }
}

void tcgrr_turns_look(struct tcgrr_turns *turns, const struct tcgrr_reel reels[2], struct tcgrr_align *align)
{
    look_at(turns, &reels[0], 0);
    look_at(turns, &reels[1], 1);
    guint both = MIN(turns->ends[0]->len, turns->ends[1]->len);
    for (guint i = 0; i < both; i++) {
        const struct turn_end *a = &g_array_index(turns->ends[0], struct turn_end, i);
        const struct turn_end *b = &g_array_index(turns->ends[1], struct turn_end, i);
        if (a->vcpu != b->vcpu || a->ran != b->ran) {
            struct tcgrr_tolerated place = {.kind = TCGRR_TOLERATED_EVENT,
                                            .reasons = TCGRR_REASON_VCPU,
                                            .icount = {a->icount, b->icount},
                                            .pc = a->pc,
                                            .from_pc = {TCGRR_NO_PC, TCGRR_NO_PC}};
            tcgrr_align_tolerate(align, &place);
        }
    }
    g_array_remove_range(turns->ends[0], 0, both);
    g_array_remove_range(turns->ends[1], 0, both);
}

void tcgrr_turns_cut(struct tcgrr_turns *turns, int which, guint execs)
{
    turns->looked[which] -= execs;
}
