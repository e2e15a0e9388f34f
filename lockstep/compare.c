/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/compare.h"

#include "lockstep/report.h"
#include "lockstep/walk.h"
#include "lockstep/where.h"
#include "store/error.h"

/* Instructions to look at behind an interval, for the history after a divergence at its end. */
#define BEHIND 4096

static const char *const names[2] = {"side A", "side B"};

struct comparing {
    struct tcgrr_side *sides[2];
    const struct tcgrr_compare_options *options;
    struct tcgrr_comparison *comparison;
    tcgrr_icount at[2];    /* both are the same up to here */
    tcgrr_icount next[2];  /* the end of the interval that is being looked at */
    tcgrr_icount limit[2]; /* where in it comparing ends; UINT64_MAX: not in it */
    bool done;
};

/*
 * Where a side's end is no divergence but the end of what can be compared: both end here; or one was stopped on
 * purpose; or the guest shut down, after which QEMU stops the vCPU when it comes round to it, a few instructions sooner
 * or later.
 */
static bool tolerated_end(const struct comparing *c, const struct tcgrr_walk walks[2])
{
    bool over[2] = {!tcgrr_walk_exec(&walks[0]), !tcgrr_walk_exec(&walks[1])};
    const enum tcgrr_side_state *ends = c->comparison->ends;

    for (int i = 0; i < 2; i++) {
        if (over[i] && (ends[i] == TCGRR_SIDE_STOPPED || ends[i] == TCGRR_SIDE_SHUTDOWN)) {
            return true;
        }
    }
    return (over[0] && over[1] && ends[0] == TCGRR_SIDE_ENDED && ends[1] == TCGRR_SIDE_ENDED) ||
           (c->options->tolerate_cut_a && (over[0] || over[1]));
}

/* How many instructions one side ran more than the other after the guest had shut down. */
static tcgrr_icount surplus(struct tcgrr_walk *walk)
{
    tcgrr_icount from = walk->icount;
    while (tcgrr_walk_exec(walk)) {
        tcgrr_walk_step(walk);
    }
    return walk->icount - from;
}

static bool at_limit(const struct comparing *c, const struct tcgrr_walk walks[2])
{
    return walks[0].icount >= c->limit[0] || walks[1].icount >= c->limit[1];
}

/* The runs end here, or part. */
static bool conclude(struct comparing *c, struct tcgrr_walk walks[2], GError **error)
{
    c->done = true;
    if (!tolerated_end(c, walks)) {
        tcgrr_report_divergence(c->comparison, walks, c->options->history);
        return true;
    }
    for (int i = 0; i < 2; i++) {
        c->comparison->surplus[i] = c->comparison->ends[!i] == TCGRR_SIDE_STOPPED ? 0 : surplus(&walks[i]);
        if (c->options->until[i].kind != TCGRR_WHERE_NONE) {
            g_autofree char *text = tcgrr_where_text(&c->options->until[i]);
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                        "%s never comes to %s, where comparing was to end: no divergence in the %" G_GUINT64_FORMAT
                        " instructions up to its end",
                        names[i], text, c->comparison->compared);
            return false;
        }
    }
    return true;
}

/* Walks through the stretches, which go on behind the interval. */
static bool walk_interval(struct comparing *c, struct tcgrr_walk walks[2], GError **error)
{
    while (tcgrr_walk_exec(&walks[0]) && tcgrr_walk_exec(&walks[1]) && !at_limit(c, walks) &&
           tcgrr_walk_same(&walks[0], &walks[1])) {
        tcgrr_walk_step(&walks[0]);
        tcgrr_walk_step(&walks[1]);
    }
    c->comparison->compared = walks[0].icount - c->comparison->start[0];
    if (at_limit(c, walks)) {
        c->done = true;
        return true;
    }
    bool reached = c->comparison->ends[0] == TCGRR_SIDE_REACHED && c->comparison->ends[1] == TCGRR_SIDE_REACHED;
    if (reached && walks[0].icount >= c->next[0] && walks[1].icount >= c->next[1]) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                    "the digests before icount %" G_GUINT64_FORMAT " differ though the instructions are the same; "
                    "check the trace with tcgrr verify",
                    walks[0].icount);
        return false;
    }
    return conclude(c, walks, error);
}

/* The sides are the same up to `at`, and not, or not both there, at `next`; or comparing ends in between. */
static bool compare_closely(struct comparing *c, GError **error)
{
    struct tcgrr_stretch stretches[2];
    struct tcgrr_walk walks[2];
    bool good = true;

    for (int i = 0; i < 2; i++) {
        tcgrr_stretch_init(&stretches[i]);
    }
    for (int i = 0; i < 2 && good; i++) {
        tcgrr_icount before = MIN(c->at[i] - c->comparison->start[i], TCGRR_CHECKPOINT_STEP);
        good = c->sides[i]->ops->stretch(c->sides[i], c->at[i] - before, c->next[i] + BEHIND, &stretches[i], error);
        tcgrr_walk_begin(&walks[i], stretches[i].execs, c->at[i]);
    }
    good = good && walk_interval(c, walks, error);
    for (int i = 0; i < 2; i++) {
        tcgrr_stretch_clear(&stretches[i]);
    }
    return good;
}

/* Both sides' digests of the interval behind `at`. */
static bool compare_interval(struct comparing *c, GError **error)
{
    struct tcgrr_side_position position[2];
    bool close = false;

    for (int i = 0; i < 2; i++) {
        const struct tcgrr_where *until = &c->options->until[i];
        bool first = until->kind == TCGRR_WHERE_PC && c->at[i] == c->comparison->start[i];
        c->next[i] = c->at[i] + TCGRR_CHECKPOINT_STEP;
        /* From 0 on both have the digests of checkpoints ready. */
        tcgrr_icount from = c->comparison->start[0] == 0 && c->comparison->start[1] == 0 ? 0 : c->at[i];
        if (!c->sides[i]->ops->advance(c->sides[i], from, c->next[i], &position[i], error) ||
            !tcgrr_where_find(c->sides[i], until, c->at[i] + first, position[i].icount, &c->limit[i], error)) {
            return false;
        }
        c->comparison->ends[i] = position[i].state;
        close = close || position[i].state != TCGRR_SIDE_REACHED || c->limit[i] != UINT64_MAX;
    }
    if (close || position[0].flow != position[1].flow) {
        return compare_closely(c, error);
    }
    for (int i = 0; i < 2; i++) {
        c->at[i] = c->next[i];
    }
    c->comparison->compared = c->at[0] - c->comparison->start[0];
    return true;
}

bool tcgrr_compare(struct tcgrr_side *a, struct tcgrr_side *b, const struct tcgrr_compare_options *options,
                   struct tcgrr_comparison *comparison, GError **error)
{
    struct comparing c = {.sides = {a, b}, .options = options, .comparison = comparison};
    bool good = true;

    *comparison = (struct tcgrr_comparison){0};
    for (int i = 0; i < 2 && good; i++) {
        good = tcgrr_where_reach(c.sides[i], &options->from[i], names[i], &comparison->start[i], error);
        c.at[i] = comparison->start[i];
    }
    while (good && !c.done) {
        good = compare_interval(&c, error);
    }
    return good;
}
