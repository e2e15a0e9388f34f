/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/compare.h"

#include "lockstep/align.h"
#include "lockstep/report.h"
#include "lockstep/where.h"
#include "store/error.h"

/* Instructions at hand behind the place that is compared, for the history after a divergence. */
#define BEHIND        4096
/* How many instructions QEMU may run on after the guest shut down; fewer than are at hand behind an interval. */
#define SHUTDOWN_MOST 4000

static const char *const names[2] = {"side A", "side B"};

struct comparing {
    struct tcgrr_side *sides[2];
    const struct tcgrr_compare_options *options;
    struct tcgrr_comparison *comparison;
    tcgrr_icount at[2];       /* both are the same up to here */
    tcgrr_icount next[2];     /* the end of the interval behind it */
    tcgrr_icount searched[2]; /* up to here for where comparing ends */
    tcgrr_icount limit[2];    /* that is here; UINT64_MAX: not found yet */
    bool digests_differ;      /* in the interval */
    bool shifted;             /* the digests of all instructions so far are not the same any more */
    bool done;
    struct tcgrr_state_comparing *state;
};

static void set_compared(struct comparing *c, tcgrr_icount icount)
{
    c->comparison->compared = icount - c->comparison->start[0] - c->comparison->differing;
}

/* Looks for where comparing ends up to instruction `to`. */
static bool find_limit(struct comparing *c, int which, tcgrr_icount to, GError **error)
{
    tcgrr_icount from = c->searched[which];

    if (c->limit[which] != UINT64_MAX || to <= from) {
        return true;
    }
    c->searched[which] = to;
    return tcgrr_where_find(c->sides[which], &c->options->until[which], from, to, &c->limit[which], error);
}

/* How many instructions one side ran more than the other after the guest had shut down. */
static tcgrr_icount surplus(struct tcgrr_walk walk)
{
    tcgrr_icount from = walk.icount;
    while (tcgrr_walk_exec(&walk)) {
        tcgrr_walk_skip(&walk);
    }
    return walk.icount - from;
}

/*
 * Where a side's end is no divergence but the end of what can be compared: both end here; or one was stopped on
 * purpose; or the guest shut down, after which QEMU stops the vCPU when it comes round to it, a few instructions sooner
 * or later - or at once, in QEMUs that end inside the device.
 */
static bool tolerated_end(const struct comparing *c, const struct tcgrr_walk walks[2])
{
    bool over[2] = {!tcgrr_walk_exec(&walks[0]), !tcgrr_walk_exec(&walks[1])};
    const enum tcgrr_side_state *ends = c->comparison->ends;

    for (int i = 0; i < 2; i++) {
        if (over[i] && (ends[i] == TCGRR_SIDE_STOPPED ||
                        (ends[i] == TCGRR_SIDE_SHUTDOWN && surplus(walks[!i]) <= SHUTDOWN_MOST))) {
            return true;
        }
    }
    for (int i = 0; i < 2 && !c->options->strict; i++) {
        if (over[i] && ends[i] == TCGRR_SIDE_ENDED && ends[!i] == TCGRR_SIDE_SHUTDOWN &&
            surplus(walks[!i]) <= SHUTDOWN_MOST) {
            return true;
        }
    }
    return (over[0] && over[1] && ends[0] == TCGRR_SIDE_ENDED && ends[1] == TCGRR_SIDE_ENDED) ||
           (c->options->tolerate_cut_a && (over[0] || over[1]));
}

static bool end_reached(const struct comparing *c, GError **error)
{
    for (int i = 0; i < 2; i++) {
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

static void report(struct comparing *c, struct tcgrr_align *align)
{
    set_compared(c, align->runs.walks[0].icount);
    tcgrr_report_divergence(c->comparison, align->runs.walks, c->options->history);
    c->comparison->note = g_steal_pointer(&align->note);
    c->done = true;
}

/* The runs end here, in whatever way, or comparing does. */
static bool conclude(struct comparing *c, struct tcgrr_align *align, bool at_limit, GError **error)
{
    const struct tcgrr_walk *walks = align->runs.walks;

    c->done = true;
    /* Where one ends, the other may have an interrupt left. */
    for (int i = 0; i < 2 && !at_limit && !c->options->strict; i++) {
        if (!tcgrr_walk_exec(&walks[i])) {
            tcgrr_align_set_aside(align, &align->runs, !i, false);
        }
    }
    set_compared(c, walks[0].icount);
    if ((!at_limit && !tolerated_end(c, walks)) || !tcgrr_align_finish(align)) {
        report(c, align);
        return true;
    }
    for (int i = 0; i < 2 && !at_limit; i++) {
        c->comparison->surplus[i] = c->comparison->ends[!i] == TCGRR_SIDE_STOPPED ? 0 : surplus(walks[i]);
    }
    return at_limit || end_reached(c, error);
}

static bool check_digests(const struct comparing *c, const struct tcgrr_align *align, GError **error)
{
    const struct tcgrr_walk *walks = align->runs.walks;

    if (!c->digests_differ || align->explained > 0 || walks[0].icount < c->next[0] || walks[1].icount < c->next[1] ||
        walks[0].icount - c->at[0] != walks[1].icount - c->at[1]) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                "the digests before icount %" G_GUINT64_FORMAT " differ though the instructions are the same; "
                "check the trace with tcgrr verify",
                walks[0].icount);
    return false;
}

static tcgrr_icount ahead(const struct comparing *c)
{
    return c->options->strict ? BEHIND : TCGRR_ALIGN_AHEAD;
}

static bool begin(struct comparing *c, struct tcgrr_align *align, GError **error)
{
    for (int i = 0; i < 2; i++) {
        tcgrr_icount before = MIN(c->at[i] - c->comparison->start[i], TCGRR_CHECKPOINT_STEP);
        if (!tcgrr_reel_begin(&align->reels[i], c->sides[i], c->at[i] - before, c->next[i] + ahead(c), error)) {
            return false;
        }
        tcgrr_walk_begin(&align->runs.walks[i], &align->reels[i], c->at[i]);
        align->runs.start[i] = c->comparison->start[i];
    }
    return true;
}

/* Goes on by what is at hand. */
static bool go_on(struct comparing *c, struct tcgrr_align *align, GError **error)
{
    struct tcgrr_strands *runs = &align->runs;

    for (int i = 0; i < 2; i++) {
        struct tcgrr_reel *reel = &align->reels[i];
        if (!tcgrr_reel_extend(reel, MAX(runs->walks[i].icount, c->at[i]) + TCGRR_CHECKPOINT_STEP + ahead(c), error) ||
            !find_limit(c, i, reel->to, error)) {
            return false;
        }
        c->comparison->ends[i] = reel->state;
        runs->end[i] = c->digests_differ                   ? c->next[i]
                       : reel->state == TCGRR_SIDE_REACHED ? reel->to - ahead(c)
                                                           : UINT64_MAX;
        runs->end[i] = MIN(runs->end[i], c->limit[i]);
    }
    if (!tcgrr_align_run(align)) {
        report(c, align);
        return true;
    }
    bool at_limit = runs->walks[0].icount >= c->limit[0] || runs->walks[1].icount >= c->limit[1];
    if (at_limit || !tcgrr_walk_exec(&runs->walks[0]) || !tcgrr_walk_exec(&runs->walks[1])) {
        return conclude(c, align, at_limit, error);
    }
    tcgrr_align_trim(align);
    return true;
}

/* The samples behind `at`, unless something differed there and was explained. */
static bool compare_state(struct comparing *c, const struct tcgrr_align *align, GError **error)
{
    /* The state where they part is the last that can be compared. */
    tcgrr_icount to[2] = {align->runs.walks[0].icount + c->done, align->runs.walks[1].icount + c->done};

    if (align->explained > 0) {
        tcgrr_state_shifted(c->state);
        return true;
    }
    return to[0] - c->at[0] > TCGRR_SIDE_WINDOW / 2 || tcgrr_state_compare(c->state, c->at, to, error);
}

/*
 * The sides are the same up to `at`, and not, or not both there, at `next`; or comparing ends in between. Goes on
 * instruction by instruction until that is over, or for some time nothing differed.
 */
static bool compare_closely(struct comparing *c, GError **error)
{
    struct tcgrr_align align;
    uint64_t before;

    tcgrr_align_init(&align, c->options, c->comparison);
    bool good = begin(c, &align, error);
    do {
        before = align.explained;
        good = good && go_on(c, &align, error);
        if (good && !c->done && before == align.explained) {
            good = check_digests(c, &align, error);
        }
        c->digests_differ = false;
    } while (good && !c->done && (before != align.explained || !tcgrr_align_settled(&align)));
    c->shifted = c->shifted || align.explained > 0 || align.runs.walks[0].icount != align.runs.walks[1].icount;
    good = good && compare_state(c, &align, error);
    for (int i = 0; i < 2; i++) {
        c->at[i] = align.runs.walks[i].icount;
        if (align.explained > 0) {
            c->comparison->aligned[i] = c->at[i];
        }
    }
    tcgrr_align_clear(&align);
    return good;
}

/* Both sides' digests of the interval behind `at`. */
static bool compare_interval(struct comparing *c, GError **error)
{
    struct tcgrr_side_position position[2];
    bool close = false;

    for (int i = 0; i < 2; i++) {
        c->next[i] = c->at[i] + TCGRR_CHECKPOINT_STEP;
        /* From 0 on both have the digests of checkpoints ready. */
        if (!c->sides[i]->ops->advance(c->sides[i], c->shifted ? c->at[i] : 0, c->next[i], &position[i], error) ||
            !find_limit(c, i, position[i].icount, error)) {
            return false;
        }
        c->comparison->ends[i] = position[i].state;
        close = close || position[i].state != TCGRR_SIDE_REACHED || c->limit[i] <= c->next[i];
    }
    c->digests_differ = position[0].flow != position[1].flow;
    if (close || c->digests_differ) {
        return compare_closely(c, error);
    }
    if (!tcgrr_state_compare(c->state, c->at, c->next, error)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        c->at[i] = c->next[i];
    }
    set_compared(c, c->at[0]);
    return true;
}

bool tcgrr_compare(struct tcgrr_side *a, struct tcgrr_side *b, const struct tcgrr_compare_options *options,
                   struct tcgrr_comparison *comparison, GError **error)
{
    struct comparing c = {.sides = {a, b}, .options = options, .comparison = comparison};
    bool good = true;

    *comparison = (struct tcgrr_comparison){.places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_tolerated))};
    for (int i = 0; i < 2 && good; i++) {
        good = tcgrr_where_reach(c.sides[i], &options->from[i], names[i], &comparison->start[i], error);
        c.at[i] = comparison->aligned[i] = comparison->start[i];
        c.searched[i] = c.at[i] + (options->until[i].kind == TCGRR_WHERE_PC);
        c.limit[i] = UINT64_MAX;
        c.shifted = c.shifted || c.at[i] > 0;
    }
    c.state = tcgrr_state_comparing_new(c.sides, comparison->start, options, &comparison->data);
    while (good && !c.done) {
        good = compare_interval(&c, error);
    }
    tcgrr_state_comparing_free(c.state);
    tcgrr_state_conclude(comparison);
    return good;
}
