/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/report.h"

const char *tcgrr_divergence_name(enum tcgrr_divergence_kind kind)
{
    static const char *const names[] = {"control flow", "ended", "aborted", "hung"};
    return names[kind];
}

static void fill_common(GArray *common, const struct tcgrr_walk *walk, unsigned history)
{
    /* The execution the walk stands in is common as far as it was walked. */
    if (tcgrr_walk_exec(walk) && walk->insn > 0) {
        struct tcgrr_exec begun = *tcgrr_walk_exec(walk);
        begun.ran = walk->insn;
        g_array_append_val(common, begun);
    }
    for (guint i = walk->exec; i > 0 && common->len < history; i--) {
        g_array_append_val(common, g_array_index(walk->execs, struct tcgrr_exec, i - 1));
    }
}

static void fill_side(struct tcgrr_divergence_side *side, const struct tcgrr_walk *walk, unsigned history)
{
    const struct tcgrr_exec *exec = tcgrr_walk_exec(walk);
    side->history = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_exec));
    side->there = exec != NULL;
    side->icount = walk->icount;
    if (!exec) {
        return;
    }
    side->exec = *exec;
    side->insn = walk->insn;
    side->pc = tcgrr_walk_pc(walk);
    for (guint i = walk->exec; i < walk->execs->len && side->history->len < history; i++) {
        g_array_append_val(side->history, g_array_index(walk->execs, struct tcgrr_exec, i));
    }
}

static enum tcgrr_divergence_kind kind_of(const struct tcgrr_walk walks[2], const enum tcgrr_side_state ends[2])
{
    bool over[2] = {!tcgrr_walk_exec(&walks[0]), !tcgrr_walk_exec(&walks[1])};
    for (int i = 0; i < 2; i++) {
        bool other_worse = ends[1] == TCGRR_SIDE_HUNG || ends[1] == TCGRR_SIDE_CUT;
        if (over[i] && !(over[1] && i == 0 && other_worse)) {
            return ends[i] == TCGRR_SIDE_HUNG  ? TCGRR_DIVERGENCE_HUNG
                   : ends[i] == TCGRR_SIDE_CUT ? TCGRR_DIVERGENCE_CUT
                                               : TCGRR_DIVERGENCE_ENDED;
        }
    }
    return TCGRR_DIVERGENCE_FLOW;
}

void tcgrr_report_divergence(struct tcgrr_comparison *comparison, const struct tcgrr_walk walks[2], unsigned history)
{
    const struct tcgrr_exec *exec =
        tcgrr_walk_exec(&walks[0]) ? tcgrr_walk_exec(&walks[0]) : tcgrr_walk_exec(&walks[1]);

    comparison->diverged = true;
    comparison->kind = kind_of(walks, comparison->ends);
    comparison->icount = walks[0].icount;
    comparison->vcpu = exec ? exec->vcpu : 0;
    comparison->common = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_exec));
    fill_common(comparison->common, &walks[0], history);
    for (int i = 0; i < 2; i++) {
        fill_side(&comparison->sides[i], &walks[i], history);
    }
}

void tcgrr_comparison_clear(struct tcgrr_comparison *comparison)
{
    g_clear_pointer(&comparison->common, g_array_unref);
    g_clear_pointer(&comparison->sides[0].history, g_array_unref);
    g_clear_pointer(&comparison->sides[1].history, g_array_unref);
}
