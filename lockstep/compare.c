/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/compare.h"

#include "store/error.h"

#include <string.h>

const char *tcgrr_divergence_name(enum tcgrr_divergence_kind kind)
{
    static const char *const names[] = {"control flow", "ended", "aborted", "hung"};
    return names[kind];
}

/* Walks a stretch instruction by instruction. */
struct walk {
    const GArray *execs;
    guint exec;
    uint32_t insn;   /* of the execution */
    uint32_t offset; /* of that instruction's bytes */
    tcgrr_icount icount;
};

static const struct tcgrr_exec *walk_exec(const struct walk *walk)
{
    return walk->exec < walk->execs->len ? &g_array_index(walk->execs, struct tcgrr_exec, walk->exec) : NULL;
}

/* Passes executions that have no instruction left. */
static void walk_settle(struct walk *walk)
{
    const struct tcgrr_exec *exec;
    while ((exec = walk_exec(walk)) && walk->insn >= exec->ran) {
        walk->icount = exec->icount + exec->counted;
        walk->exec++;
        walk->insn = 0;
        walk->offset = 0;
    }
}

static void walk_step(struct walk *walk)
{
    walk->offset += walk_exec(walk)->block->lengths[walk->insn];
    walk->insn++;
    walk->icount++;
    walk_settle(walk);
}

static void walk_begin(struct walk *walk, const GArray *execs, tcgrr_icount from)
{
    *walk = (struct walk){.execs = execs};
    if (execs->len > 0) {
        walk->icount = g_array_index(execs, struct tcgrr_exec, 0).icount;
        walk_settle(walk);
        while (walk_exec(walk) && walk->icount < from) {
            walk_step(walk);
        }
    }
}

static bool same_insn(const struct walk *a, const struct walk *b)
{
    const struct tcgrr_exec *left = walk_exec(a);
    const struct tcgrr_exec *right = walk_exec(b);
    uint8_t length = left->block->lengths[a->insn];

    return left->vcpu == right->vcpu && left->block->pc + a->offset == right->block->pc + b->offset &&
           length == right->block->lengths[b->insn] &&
           memcmp(left->block->bytes + a->offset, right->block->bytes + b->offset, length) == 0;
}

/* ---- the report ---- */

static void fill_common(GArray *common, const struct walk *walk, unsigned history)
{
    /* The execution the walk stands in is common as far as it was walked. */
    if (walk_exec(walk) && walk->insn > 0) {
        struct tcgrr_exec begun = *walk_exec(walk);
        begun.ran = walk->insn;
        g_array_append_val(common, begun);
    }
    for (guint i = walk->exec; i > 0 && common->len < history; i--) {
        g_array_append_val(common, g_array_index(walk->execs, struct tcgrr_exec, i - 1));
    }
}

static void fill_side(struct tcgrr_divergence_side *side, const struct walk *walk, unsigned history)
{
    const struct tcgrr_exec *exec = walk_exec(walk);
    side->history = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_exec));
    side->there = exec != NULL;
    if (!exec) {
        return;
    }
    side->exec = *exec;
    side->insn = walk->insn;
    side->pc = exec->block->pc + walk->offset;
    for (guint i = walk->exec; i < walk->execs->len && side->history->len < history; i++) {
        g_array_append_val(side->history, g_array_index(walk->execs, struct tcgrr_exec, i));
    }
}

static enum tcgrr_divergence_kind kind_of(const struct walk walks[2], const enum tcgrr_side_state ends[2])
{
    bool both = !walk_exec(&walks[0]) && !walk_exec(&walks[1]);
    for (int i = 0; i < 2; i++) {
        if (!walk_exec(&walks[i]) && !(both && i == 0 && (ends[1] == TCGRR_SIDE_HUNG || ends[1] == TCGRR_SIDE_CUT))) {
            return ends[i] == TCGRR_SIDE_HUNG  ? TCGRR_DIVERGENCE_HUNG
                   : ends[i] == TCGRR_SIDE_CUT ? TCGRR_DIVERGENCE_CUT
                                               : TCGRR_DIVERGENCE_ENDED;
        }
    }
    return TCGRR_DIVERGENCE_FLOW;
}

static void report(struct tcgrr_comparison *comparison, const struct walk walks[2], unsigned history)
{
    const struct tcgrr_exec *exec = walk_exec(&walks[0]) ? walk_exec(&walks[0]) : walk_exec(&walks[1]);

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

/* ---- comparing ---- */

/* Instructions to look at behind an interval, for the history after a divergence at its end. */
#define BEHIND 4096

/*
 * Where a side's end is no divergence but the end of what can be compared: both end here; or one was stopped on
 * purpose; or the guest shut down, after which QEMU stops the vCPU when it comes round to it, a few instructions sooner
 * or later.
 */
static bool tolerated_end(const struct tcgrr_compare_options *options, const struct walk walks[2],
                          const struct tcgrr_comparison *comparison)
{
    bool over[2] = {!walk_exec(&walks[0]), !walk_exec(&walks[1])};
    const enum tcgrr_side_state *ends = comparison->ends;

    for (int i = 0; i < 2; i++) {
        if (over[i] && (ends[i] == TCGRR_SIDE_STOPPED || ends[i] == TCGRR_SIDE_SHUTDOWN)) {
            return true;
        }
    }
    return (over[0] && over[1] && ends[0] == TCGRR_SIDE_ENDED && ends[1] == TCGRR_SIDE_ENDED) ||
           (options->tolerate_cut_a && (over[0] || over[1]));
}

/* How many instructions one side ran more than the other after the guest had shut down. */
static tcgrr_icount surplus(struct walk *walk)
{
    tcgrr_icount from = walk->icount;
    while (walk_exec(walk)) {
        walk_step(walk);
    }
    return walk->icount - from;
}

/* Looks at the instructions behind checkpoint `from`, where both sides were still the same; at `next` they were not, or
 * were not both there. */
static bool compare_stretch(struct tcgrr_side *sides[2], tcgrr_icount from, tcgrr_icount next,
                            const struct tcgrr_compare_options *options, struct tcgrr_stretch stretches[2],
                            struct tcgrr_comparison *comparison, GError **error)
{
    tcgrr_icount to = next + BEHIND;
    tcgrr_icount back = from > TCGRR_CHECKPOINT_STEP ? from - TCGRR_CHECKPOINT_STEP : 0;
    struct walk walks[2];

    for (int i = 0; i < 2; i++) {
        if (!sides[i]->ops->stretch(sides[i], back, to, &stretches[i], error)) {
            return false;
        }
        walk_begin(&walks[i], stretches[i].execs, from);
    }
    while (walk_exec(&walks[0]) && walk_exec(&walks[1]) && walks[0].icount < options->until &&
           same_insn(&walks[0], &walks[1])) {
        walk_step(&walks[0]);
        walk_step(&walks[1]);
    }
    comparison->compared = MAX(from, walks[0].icount);
    if (walks[0].icount >= options->until) {
        return true;
    }
    if (tolerated_end(options, walks, comparison)) {
        comparison->surplus[0] = surplus(&walks[0]);
        comparison->surplus[1] = surplus(&walks[1]);
        return true;
    }
    bool reached = comparison->ends[0] == TCGRR_SIDE_REACHED && comparison->ends[1] == TCGRR_SIDE_REACHED;
    if (reached && walks[0].icount >= next) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                    "the digests before icount %" G_GUINT64_FORMAT " differ though the instructions are the same; "
                    "check the trace with tcgrr verify",
                    walks[0].icount);
        return false;
    }
    report(comparison, walks, options->history);
    return true;
}

/* The sides are the same up to checkpoint `from`, and not, or not both there, at `next`. */
static bool compare_closely(struct tcgrr_side *sides[2], tcgrr_icount from, tcgrr_icount next,
                            const struct tcgrr_compare_options *options, struct tcgrr_comparison *comparison,
                            GError **error)
{
    struct tcgrr_stretch stretches[2];

    tcgrr_stretch_init(&stretches[0]);
    tcgrr_stretch_init(&stretches[1]);
    bool good = compare_stretch(sides, from, next, options, stretches, comparison, error);
    tcgrr_stretch_clear(&stretches[0]);
    tcgrr_stretch_clear(&stretches[1]);
    return good;
}

bool tcgrr_compare(struct tcgrr_side *a, struct tcgrr_side *b, const struct tcgrr_compare_options *options,
                   struct tcgrr_comparison *comparison, GError **error)
{
    struct tcgrr_side *sides[2] = {a, b};
    tcgrr_icount same = 0;

    *comparison = (struct tcgrr_comparison){0};
    for (;;) {
        tcgrr_icount next = same + TCGRR_CHECKPOINT_STEP;
        struct tcgrr_side_position at[2];
        for (int i = 0; i < 2; i++) {
            if (!sides[i]->ops->advance(sides[i], 0, next, &at[i], error)) {
                return false;
            }
            comparison->ends[i] = at[i].state;
        }
        bool reached = at[0].state == TCGRR_SIDE_REACHED && at[1].state == TCGRR_SIDE_REACHED;
        if (!reached || at[0].flow != at[1].flow || next > options->until) {
            return compare_closely(sides, same, next, options, comparison, error);
        }
        same = next;
        comparison->compared = same;
    }
}

void tcgrr_comparison_clear(struct tcgrr_comparison *comparison)
{
    g_clear_pointer(&comparison->common, g_array_unref);
    g_clear_pointer(&comparison->sides[0].history, g_array_unref);
    g_clear_pointer(&comparison->sides[1].history, g_array_unref);
}
