/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/report.h"

static void fill_common(GArray *common, const struct tcgrr_insn_cursor *walk, unsigned history)
{
    /* The walk's current execution is common as far as it was walked. */
    if (tcgrr_insn_cursor_exec(walk) && walk->insn > 0) {
        struct tcgrr_exec begun = *tcgrr_insn_cursor_exec(walk);
        begun.ran = walk->insn;
        g_array_append_val(common, begun);
    }
    for (guint i = walk->exec; i > 0 && common->len < history; i--) {
        g_array_append_val(common, *tcgrr_exec_window_exec(walk->window, i - 1));
    }
}

static void fill_events(GArray *events, const struct tcgrr_insn_cursor *walk, unsigned history)
{
    guint at = tcgrr_exec_window_find_event(walk->window, walk->icount);
    const struct tcgrr_event *event;

    for (guint i = at > history ? at - history : 0; i < at + history; i++) {
        event = tcgrr_exec_window_event(walk->window, i);
        if (event) {
            g_array_append_val(events, *event);
        }
    }
}

static void fill_side(struct tcgrr_divergence_side *side, const struct tcgrr_insn_cursor *walk, unsigned history)
{
    const struct tcgrr_exec *exec = tcgrr_insn_cursor_exec(walk);
    side->history = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_exec));
    side->events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    fill_events(side->events, walk, history);
    side->there = exec != NULL;
    side->icount = walk->icount;
    if (!exec) {
        return;
    }
    side->exec = *exec;
    side->insn = walk->insn;
    side->pc = tcgrr_insn_cursor_pc(walk);
    for (guint i = walk->exec; (exec = tcgrr_exec_window_exec(walk->window, i)) && side->history->len < history; i++) {
        g_array_append_val(side->history, *exec);
    }
}

static enum tcgrr_divergence_kind kind_of(const struct tcgrr_insn_cursor *walks,
                                          const enum tcgrr_run_source_state ends[2])
{
    bool over[2] = {!tcgrr_insn_cursor_exec(&walks[0]), !tcgrr_insn_cursor_exec(&walks[1])};
    for (int i = 0; i < 2; i++) {
        bool other_worse = ends[1] == TCGRR_SOURCE_HUNG || ends[1] == TCGRR_SOURCE_CUT;
        if (over[i] && !(over[1] && i == 0 && other_worse)) {
            return ends[i] == TCGRR_SOURCE_HUNG  ? TCGRR_DIVERGENCE_HUNG
                   : ends[i] == TCGRR_SOURCE_CUT ? TCGRR_DIVERGENCE_CUT
                                                 : TCGRR_DIVERGENCE_ENDED;
        }
    }
    return TCGRR_DIVERGENCE_FLOW;
}

void tcgrr_report_divergence(struct tcgrr_comparison *comparison, const struct tcgrr_insn_cursor *walks,
                             unsigned history)
{
    const struct tcgrr_exec *exec =
        tcgrr_insn_cursor_exec(&walks[0]) ? tcgrr_insn_cursor_exec(&walks[0]) : tcgrr_insn_cursor_exec(&walks[1]);

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
