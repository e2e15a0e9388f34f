/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/compare.h"

#include "lockstep/align/align.h"
#include "lockstep/align/vcpu_schedule.h"
#include "lockstep/compare_state.h"
#include "lockstep/position.h"
#include "lockstep/report.h"
#include "store/error.h"

/* Number of instructions that are available after the compared place, for the history after a divergence. */
#define BEHIND       4096
/* How many instructions QEMU may run after the guest's shutdown; fewer than are available after an interval. */
#define SHUTDOWN_MAX 4000
/* Length, in checkpoints, of the intervals that are compared while digests agree after something was shifted. */
#define WIDE_STEPS   4
/* Number of instructions that are walked at a time once something has differed. */
#define CLOSE_STEP   16384
/* Number of executions kept before the compared place, for reports, and how many more there may be before they are
 * dropped. */
#define KEPT_EXECS   4096
#define CUT_EXECS    65536
/* How far a vCPU may lag in one of the runs, in instructions of all vCPUs. */
#define BEHIND_MAX   (32 * TCGRR_CHECKPOINT_STEP)

static const char *const names[2] = {"side A", "side B"};

struct comparing {
    struct tcgrr_run_source *sides[2];
    const struct tcgrr_compare_options *options;
    struct tcgrr_comparison *comparison;
    tcgrr_icount at[2];                  /* both are the same up to here */
    tcgrr_icount next[2];                /* the end of the interval after it */
    tcgrr_icount searched[2];            /* up to here for where comparing ends */
    tcgrr_icount limit[2];               /* that is here; UINT64_MAX: not found yet */
    struct tcgrr_exec_window windows[2]; /* where runs are walked side by side */
    struct tcgrr_align *aligns;          /* there: of all that runs, or of each vCPU; NULL until the first look */
    uint32_t count;                      /* of them */
    uint64_t explained;                  /* differences that had a reason when the runs began to be walked */
    struct tcgrr_vcpu_schedule schedule; /* of vCPUs, if there is more than one */
    bool digests_differ;                 /* in the interval */
    bool shifted;                        /* the digests of all instructions so far no longer agree */
    uint32_t narrow; /* number of intervals of one checkpoint to compare next, because they differ */
    bool done;
    struct tcgrr_state_comparing *state;
};

/* Notes that the two are the same up to A's `icount`. Tolerated places may be after it; the actual number is then
 * larger. */
static void set_compared(struct comparing *c, tcgrr_icount icount)
{
    tcgrr_icount others = c->comparison->start[0] + c->comparison->differing;
    c->comparison->compared = icount > others ? icount - others : 0;
}

/* Searches for the end of the comparison, up to instruction `to`. */
static bool find_limit(struct comparing *c, int which, tcgrr_icount to, GError **error)
{
    const struct tcgrr_position *until = &c->options->until[which];
    tcgrr_icount from = c->searched[which];

    if (c->limit[which] != UINT64_MAX || to <= from) {
        return true;
    }
    c->searched[which] = to;
    if (until->kind == TCGRR_POSITION_PC && from >= c->windows[which].from && to <= c->windows[which].to) {
        tcgrr_exec_window_find_pc(&c->windows[which], until->value, from, to, &c->limit[which]);
        return true;
    }
    return tcgrr_position_find(c->sides[which], until, from, to, &c->limit[which], error);
}

/* How many instructions one side ran more than the other after the guest had shut down. */
static tcgrr_icount surplus(struct tcgrr_insn_cursor walk)
{
    tcgrr_icount from = walk.icount;
    while (tcgrr_insn_cursor_exec(&walk)) {
        tcgrr_insn_cursor_skip(&walk);
    }
    return walk.icount - from;
}

static bool in_order(enum tcgrr_run_source_state end)
{
    return end == TCGRR_SOURCE_ENDED || end == TCGRR_SOURCE_SHUTDOWN;
}

/* Whether side `i`, which has ended, may have been stopped a little sooner than the other. */
static bool stopped_sooner(const struct comparing *c, const struct tcgrr_insn_cursor *walks, int i)
{
    const enum tcgrr_run_source_state *ends = c->comparison->ends;

    if (c->options->strict) {
        tcgrr_icount asked_after = c->options->asked_after ? *c->options->asked_after : 0;
        return in_order(ends[i]) && in_order(ends[!i]) && asked_after > 0 && walks[i].icount >= asked_after;
    }
    /* Or at once, in QEMUs that end inside the device. */
    return (ends[i] == TCGRR_SOURCE_SHUTDOWN || (ends[i] == TCGRR_SOURCE_ENDED && ends[!i] == TCGRR_SOURCE_SHUTDOWN)) &&
           surplus(walks[!i]) <= SHUTDOWN_MAX;
}

/*
 * Where a side's end is no divergence but the end of what can be compared: both end here; or one was stopped on
 * purpose; or the guest shut down, after which QEMU stops the vCPU when it comes round to it; or A was cut short and B
 * has come as far as its inputs reach.
 */
static bool tolerated_end(const struct comparing *c, const struct tcgrr_insn_cursor *walks)
{
    bool over[2] = {!tcgrr_insn_cursor_exec(&walks[0]), !tcgrr_insn_cursor_exec(&walks[1])};
    const enum tcgrr_run_source_state *ends = c->comparison->ends;

    for (int i = 0; i < 2; i++) {
        if (over[i] && (ends[i] == TCGRR_SOURCE_STOPPED || stopped_sooner(c, walks, i))) {
            return true;
        }
    }
    return (over[0] && over[1] && in_order(ends[0]) && in_order(ends[1])) ||
           (c->options->tolerate_cut_a && (over[0] || (over[1] && walks[1].icount >= c->options->reach)));
}

static bool end_reached(const struct comparing *c, GError **error)
{
    for (int i = 0; i < 2; i++) {
        if (c->options->until[i].kind != TCGRR_POSITION_NONE) {
            g_autofree char *text = tcgrr_position_text(&c->options->until[i]);
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                        "%s never executed %s, where the comparison was to end: no divergence in the %" G_GUINT64_FORMAT
                        " instructions up to its end",
                        names[i], text, c->comparison->compared);
            return false;
        }
    }
    return true;
}

/* The number of vCPUs in the available executions. */
static uint32_t vcpus(const struct comparing *c)
{
    const struct tcgrr_exec *exec;
    tcgrr_vcpu last = 0;

    for (int i = 0; i < 2; i++) {
        for (guint k = 0; (exec = tcgrr_exec_window_exec(&c->windows[i], k)); k++) {
            last = MAX(last, exec->vcpu);
        }
    }
    return MIN(last + 1, TCGRR_SCHEDULE_VCPUS);
}

static uint64_t explained(const struct comparing *c)
{
    uint64_t sum = 0;
    for (uint32_t k = 0; k < c->count; k++) {
        sum += c->aligns[k].explained;
    }
    return sum;
}

/* Whether something came at different instructions on the two sides so far. */
static bool shifted_before(const struct comparing *c)
{
    bool settled = true;
    for (uint32_t k = 0; k < c->count; k++) {
        settled = settled && tcgrr_align_settled(&c->aligns[k]);
    }
    return explained(c) > 0 || !settled || c->comparison->tolerated[TCGRR_TOLERATED_EVENT] > 0;
}

/* Both are on one address and run other code there. */
static bool other_code(const struct tcgrr_insn_cursor *walks)
{
    const struct tcgrr_exec *a = tcgrr_insn_cursor_exec(&walks[0]), *b = tcgrr_insn_cursor_exec(&walks[1]);
    return a && b && a->vcpu == b->vcpu && tcgrr_insn_cursor_pc(&walks[0]) == tcgrr_insn_cursor_pc(&walks[1]) &&
           !tcgrr_insn_cursor_same(&walks[0], &walks[1]);
}

/* Whether the block may read a clock, or, if it was left early, a device. */
static bool reads(const struct tcgrr_block *block, bool early, void *data)
{
    const struct tcgrr_codes *codes = data;
    uint32_t offset = 0;

    for (uint32_t i = 0; i < block->insns && !early; i++) {
        early = tcgrr_isa_depends_on_time(codes->isa, block->bytes + offset, block->lengths[i]);
        offset += block->lengths[i];
    }
    return early;
}

/*
 * Whether side `which` may have run an instruction up to `to` that reads a clock or a device: executions that are no
 * longer available may have. A device access is visible only where QEMU leaves the block for it.
 */
static bool may_have_read(const struct comparing *c, struct tcgrr_align *align, int which, tcgrr_icount to)
{
    struct tcgrr_run_source *side = c->sides[which];
    struct tcgrr_exec_window window = {0};
    struct tcgrr_insn_cursor walk;
    bool found = false;

    for (tcgrr_icount from = c->comparison->start[which]; from < to && !found; from += TCGRR_CHECKPOINT_STEP) {
        if (side->ops->pass_over && (!side->ops->pass_over(side, &from, reads, &align->codes, NULL) || from >= to)) {
            return from < to;
        }
        tcgrr_icount end = MIN(to, from + TCGRR_CHECKPOINT_STEP);
        /* What comes next shows whether it was a device. */
        if (!tcgrr_exec_window_begin(&window, side, from, end + 64, NULL)) {
            found = true;
        } else {
            tcgrr_insn_cursor_begin(&walk, &window, from);
        }
        while (!found && tcgrr_insn_cursor_exec(&walk) && walk.icount < end) {
            found = tcgrr_codes_clock(&align->codes, &walk) || tcgrr_codes_device(&align->codes, &walk);
            tcgrr_insn_cursor_step(&walk);
        }
        tcgrr_exec_window_clear(&window);
    }
    return found;
}

/* With several vCPUs: why the reason of the difference is not known; NULL: there is only one vCPU. */
static const char *doubt_of_turns(const struct comparing *c)
{
    if (c->count == 1 && vcpus(c) == 1) {
        return NULL;
    }
    return c->options->vcpus_known ? "several vCPUs took turns before"
                                   : "several vCPUs took turns, and QEMU does not report which of them runs what";
}

/* What `align` says about the difference, preceded by the note that several vCPUs took turns; NULL: neither. */
static char *take_note(const struct comparing *c, struct tcgrr_align *align)
{
    g_autofree char *note = g_steal_pointer(&align->note);
    const char *turns = doubt_of_turns(c);

    return turns && note ? g_strconcat(turns, ": ", note, NULL) : note ? g_steal_pointer(&note) : g_strdup(turns);
}

/* What other than a fault can have made the runs differ where `align` is; NULL: nothing. */
static char *find_doubt(struct comparing *c, struct tcgrr_align *align)
{
    const struct tcgrr_insn_cursor *walks = align->runs.walks;
    enum tcgrr_divergence_kind kind = c->comparison->kind;
    struct tcgrr_interrupt interrupt;

    if (!c->options->own_inputs || c->options->strict || kind == TCGRR_DIVERGENCE_CUT ||
        kind == TCGRR_DIVERGENCE_HUNG || other_code(walks)) {
        return NULL;
    }
    char *note = take_note(c, align);
    if (note) {
        return note;
    }
    const char *why = shifted_before(c) ? "interrupts or polling differed before"
                      : tcgrr_interrupt_at(&walks[0], 0, &interrupt) || tcgrr_interrupt_at(&walks[1], 0, &interrupt)
                          ? "an interrupt came there"
                      : may_have_read(c, align, 0, walks[0].icount) || may_have_read(c, align, 1, walks[1].icount)
                          ? "the guest read a clock or a device before"
                          : NULL;
    return g_strdup(why);
}

/* How far all vCPUs were compared, at most up to A's `icount`. */
static tcgrr_icount compared_by_all(const struct comparing *c, tcgrr_icount icount)
{
    for (uint32_t k = 0; k < c->count; k++) {
        icount = MIN(icount, c->aligns[k].runs.walks[0].icount);
    }
    return icount;
}

/* Moves the difference from the cursors' place to that of `align`. Only the icounts are known there. */
static void move_place(struct tcgrr_comparison *comparison, const struct tcgrr_align *align)
{
    g_clear_pointer(&comparison->common, g_array_unref);
    comparison->icount = align->place[0];
    for (int i = 0; i < 2; i++) {
        struct tcgrr_divergence_side *side = &comparison->sides[i];
        g_clear_pointer(&side->history, g_array_unref);
        g_clear_pointer(&side->events, g_array_unref);
        *side = (struct tcgrr_divergence_side){.icount = align->place[i]};
    }
    if (align->only != TCGRR_ANY_VCPU) {
        comparison->vcpu = align->only;
    }
}

/* The runs diverge where `align` is. */
static void report(struct comparing *c, struct tcgrr_align *align)
{
    struct tcgrr_comparison *comparison = c->comparison;
    bool differs = tcgrr_align_differs(align);

    tcgrr_report_divergence(comparison, align->runs.walks, c->options->history);
    comparison->undecided = find_doubt(c, align);
    comparison->diverged = !comparison->undecided;
    if (comparison->undecided && differs) {
        move_place(comparison, align);
    }
    set_compared(c, compared_by_all(c, comparison->icount));
    comparison->note = g_steal_pointer(&align->note);
    c->done = true;
}

/* Reports handlers that were set aside and that the end of the comparison does not explain. */
static void report_unsettled(struct comparing *c, struct tcgrr_align *align)
{
    c->comparison->undecided = take_note(c, align);
    move_place(c->comparison, align);
    set_compared(c, compared_by_all(c, c->comparison->icount));
    c->done = true;
}

/* The runs end here, in whatever way, or comparing does. */
static bool conclude(struct comparing *c, struct tcgrr_align *align, bool at_limit, GError **error)
{
    const struct tcgrr_insn_cursor *walks = align->runs.walks;

    c->done = true;
    /* Where one ends, the other may have an interrupt left. */
    for (int i = 0; i < 2 && !at_limit && !c->options->strict; i++) {
        if (!tcgrr_insn_cursor_exec(&walks[i])) {
            tcgrr_align_set_aside(align, &align->runs, !i, false);
        }
    }
    set_compared(c, walks[0].icount);
    if (!at_limit && !tolerated_end(c, walks)) {
        report(c, align);
        return true;
    }
    if (!tcgrr_align_finish(align)) {
        report_unsettled(c, align);
        return true;
    }
    for (int i = 0; i < 2 && !at_limit; i++) {
        bool cut = c->options->tolerate_cut_a || c->comparison->ends[!i] == TCGRR_SOURCE_STOPPED;
        c->comparison->surplus[i] = cut ? 0 : surplus(walks[i]);
    }
    return at_limit || end_reached(c, error);
}

static bool check_digests(const struct comparing *c, const struct tcgrr_align *align, GError **error)
{
    const struct tcgrr_insn_cursor *walks = align->runs.walks;

    if (!c->digests_differ || align->explained > c->explained || walks[0].icount < c->next[0] ||
        walks[1].icount < c->next[1] || walks[0].icount - c->at[0] != walks[1].icount - c->at[1]) {
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

static bool begin(struct comparing *c, GError **error)
{
    for (int i = 0; i < 2; i++) {
        tcgrr_icount most = MAX(CLOSE_STEP, MIN(64 * c->options->history, TCGRR_CHECKPOINT_STEP));
        tcgrr_icount before = MIN(c->at[i] - c->comparison->start[i], most);
        if (!tcgrr_exec_window_begin(&c->windows[i], c->sides[i], c->at[i] - before, c->next[i] + ahead(c), error)) {
            return false;
        }
    }
    if (!c->aligns) {
        c->count = c->options->vcpus_known && !c->options->strict ? vcpus(c) : 1;
        c->aligns = g_new0(struct tcgrr_align, c->count);
        for (uint32_t k = 0; k < c->count; k++) {
            tcgrr_align_init(&c->aligns[k], c->options, c->comparison, c->windows, c->count > 1 ? k : TCGRR_ANY_VCPU);
        }
    }
    for (uint32_t k = 0; k < c->count; k++) {
        tcgrr_align_begin(&c->aligns[k], c->at);
    }
    c->explained = explained(c);
    if (c->count > 1) {
        tcgrr_vcpu_schedule_init(&c->schedule, c->windows, c->at);
    }
    return true;
}

static void forget_windows(struct comparing *c)
{
    tcgrr_vcpu_schedule_clear(&c->schedule);
    for (int i = 0; i < 2; i++) {
        c->windows[i].from = c->windows[i].to = 0;
    }
}

static void clear(struct comparing *c)
{
    for (int i = 0; i < 2; i++) {
        tcgrr_exec_window_clear(&c->windows[i]);
    }
    tcgrr_state_comparing_free(c->state);
    for (uint32_t k = 0; k < c->count; k++) {
        tcgrr_align_clear(&c->aligns[k]);
    }
    g_free(c->aligns);
}

/* How far side `which` was walked. */
static tcgrr_icount furthest(const struct comparing *c, int which)
{
    tcgrr_icount icount = c->at[which];
    for (uint32_t k = 0; k < c->count; k++) {
        icount = MAX(icount, c->aligns[k].runs.walks[which].icount);
    }
    return icount;
}

/* Drops executions that are no longer needed. */
static void trim(struct comparing *c)
{
    for (int i = 0; i < 2; i++) {
        guint needed = c->windows[i].stretch.execs->len;
        for (uint32_t k = 0; k < c->count; k++) {
            needed = MIN(needed, tcgrr_align_first_needed(&c->aligns[k], i));
        }
        if (needed < CUT_EXECS) {
            continue;
        }
        tcgrr_exec_window_cut(&c->windows[i], needed - KEPT_EXECS);
        for (uint32_t k = 0; k < c->count; k++) {
            tcgrr_align_after_cut(&c->aligns[k], i, needed - KEPT_EXECS);
        }
        tcgrr_vcpu_schedule_cut(&c->schedule, i, needed - KEPT_EXECS);
    }
}

/* Whether the vCPU has nothing more to run on a side that has ended. */
static bool stopped(const struct comparing *c, const struct tcgrr_align *align, int which)
{
    return c->windows[which].state != TCGRR_SOURCE_REACHED && !tcgrr_insn_cursor_exec(&align->runs.walks[which]);
}

/* The place where `align` cannot continue, by A's count. */
static tcgrr_icount first_difference(struct tcgrr_align *align)
{
    tcgrr_icount icount = align->runs.walks[0].icount;
    return tcgrr_align_differs(align) ? MIN(icount, align->place[0]) : icount;
}

/* The one of two (or NULL) whose difference comes first. */
static struct tcgrr_align *earlier(struct tcgrr_align *a, struct tcgrr_align *b)
{
    return a && (!b || first_difference(a) <= first_difference(b)) ? a : b;
}

/* The comparison ends, and each vCPU was the same except for handlers that were set aside. Returns whether these leave
 * a doubt. */
static bool conclude_same(struct comparing *c)
{
    struct tcgrr_align *first = NULL;

    for (uint32_t k = 0; k < c->count; k++) {
        first = earlier(first, tcgrr_align_differs(&c->aligns[k]) ? &c->aligns[k] : NULL);
    }
    c->done = true;
    if (first) {
        report_unsettled(c, first);
    } else {
        set_compared(c, furthest(c, 0));
    }
    return first != NULL;
}

/*
 * Each vCPU has ended on one side. One of them ended the run, on both sides; the others were stopped wherever they
 * were, so interrupts may be missing on one side, but what was compared has to be the same.
 */
static bool conclude_each(struct comparing *c, GError **error)
{
    struct tcgrr_align *longest = &c->aligns[0];
    tcgrr_icount most = 0;
    bool ended = false;

    for (uint32_t k = 0; k < c->count; k++) {
        const struct tcgrr_insn_cursor *walks = c->aligns[k].runs.walks;
        tcgrr_icount left = surplus(walks[0]) + surplus(walks[1]);
        ended = ended || (tolerated_end(c, walks) && left <= SHUTDOWN_MAX && tcgrr_align_finish(&c->aligns[k]));
        if (left > most) {
            longest = &c->aligns[k];
            most = left;
        }
    }
    if (!ended) {
        report(c, longest);
        return true;
    }
    return conclude_same(c) || end_reached(c, error);
}

/* Continues to the end of the available executions. False if the comparison is over: the runs differ, or with `error`.
 * */
static bool run_align(struct comparing *c, struct tcgrr_align *align, GError **error)
{
    bool good = tcgrr_align_run(align);
    if (align->error) {
        g_propagate_error(error, g_steal_pointer(&align->error));
        return false;
    }
    if (!good) {
        report(c, align);
    }
    return good;
}

/* Whether one side has that many more executions than the vCPU has been compared in. */
static bool left_behind(const struct comparing *c, const struct tcgrr_align *align)
{
    for (int i = 0; i < 2; i++) {
        tcgrr_icount icount = align->runs.walks[i].icount;
        if (c->windows[i].to > icount && c->windows[i].to - icount > BEHIND_MAX) {
            return true;
        }
    }
    return false;
}

/* The same as go_on(), vCPU by vCPU. The first difference among theirs is the one that counts. */
static bool go_on_each(struct comparing *c, GError **error)
{
    struct tcgrr_align *first = NULL;
    bool over = true, at_limit = false;

    for (uint32_t k = 0; k < c->count; k++) {
        struct tcgrr_align *align = &c->aligns[k];
        const struct tcgrr_insn_cursor *walks = align->runs.walks;
        bool good = tcgrr_align_run(align);
        if (align->error) {
            g_propagate_error(error, g_steal_pointer(&align->error));
            return false;
        }
        over = over && (stopped(c, align, 0) || stopped(c, align, 1));
        at_limit = at_limit || walks[0].icount >= c->limit[0] || walks[1].icount >= c->limit[1];
        if (!good || left_behind(c, align)) {
            first = earlier(first, align);
        }
    }
    if (first) {
        report(c, first);
    } else if (at_limit) {
        conclude_same(c);
    } else if (over) {
        return conclude_each(c, error);
    }
    return true;
}

/* Brings more of both runs to hand, and says how far that can be walked. */
static bool bring_more(struct comparing *c, GError **error)
{
    for (int i = 0; i < 2; i++) {
        struct tcgrr_exec_window *window = &c->windows[i];
        if (!tcgrr_exec_window_extend(window, furthest(c, i) + CLOSE_STEP + ahead(c), error) ||
            !find_limit(c, i, window->to, error)) {
            return false;
        }
        c->comparison->ends[i] = window->state;
        tcgrr_icount stop = c->digests_differ && c->count == 1      ? c->next[i]
                            : window->state == TCGRR_SOURCE_REACHED ? window->to - ahead(c)
                                                                    : UINT64_MAX;
        for (uint32_t k = 0; k < c->count; k++) {
            c->aligns[k].runs.end[i] = MIN(stop, c->limit[i]);
            tcgrr_insn_cursor_settle(&c->aligns[k].runs.walks[i]);
        }
    }
    if (c->count > 1) {
        tcgrr_vcpu_schedule_look(&c->schedule, c->windows, &c->aligns[0]);
    }
    return true;
}

/* Walks both runs as far as they are available. */
static bool go_on(struct comparing *c, GError **error)
{
    struct tcgrr_align *align = &c->aligns[0];
    const struct tcgrr_insn_cursor *walks = align->runs.walks;

    if (c->count > 1) {
        return go_on_each(c, error);
    }
    if (!run_align(c, align, error)) {
        return c->done;
    }
    bool at_limit = walks[0].icount >= c->limit[0] || walks[1].icount >= c->limit[1];
    if (at_limit || !tcgrr_insn_cursor_exec(&walks[0]) || !tcgrr_insn_cursor_exec(&walks[1])) {
        return conclude(c, align, at_limit, error);
    }
    return true;
}

/* The samples after `at`, unless something differed there and was explained. */
static bool compare_state(struct comparing *c, GError **error)
{
    const struct tcgrr_align *align = &c->aligns[0];
    /* The state where they diverge is the last that can be compared. */
    tcgrr_icount to[2] = {align->runs.walks[0].icount + c->done, align->runs.walks[1].icount + c->done};

    if (explained(c) > c->explained || c->count > 1) {
        tcgrr_state_shifted(c->state);
        return true;
    }
    return to[0] - c->at[0] > TCGRR_SOURCE_WINDOW / 2 || tcgrr_state_compare(c->state, c->at, to, error);
}

/*
 * The sides are the same up to `at`, and differ at `next` (or one ends before it, or the comparison does). Compares
 * instruction by instruction until the end, or until nothing has differed for some time.
 */
static bool compare_closely(struct comparing *c, GError **error)
{
    bool good = begin(c, error);
    uint64_t before = 0;
    bool again = good;

    while (again) {
        before = explained(c);
        good = bring_more(c, error) && go_on(c, error) && find_limit(c, 0, c->windows[0].to, error) &&
               find_limit(c, 1, c->windows[1].to, error);
        if (good && !c->done && before == explained(c) && c->count == 1) {
            good = check_digests(c, &c->aligns[0], error);
        }
        c->digests_differ = false;
        again = good && !c->done && (c->count > 1 || before != explained(c));
        if (again) {
            trim(c);
        }
    }
    c->shifted = c->shifted || explained(c) > c->explained || furthest(c, 0) != furthest(c, 1);
    good = good && compare_state(c, error);
    for (int i = 0; i < 2 && good; i++) {
        c->at[i] = furthest(c, i);
        if (explained(c) > c->explained) {
            c->comparison->aligned[i] = c->at[i];
        }
    }
    forget_windows(c);
    return good;
}

/* Chooses the interval after `at`: where digests are made for it, they are made fastest up to a checkpoint of A's. */
static void choose_interval(struct comparing *c)
{
    tcgrr_icount steps = c->narrow > 0 ? 1 : WIDE_STEPS;
    tcgrr_icount insns = TCGRR_CHECKPOINT_STEP;

    if (c->shifted) {
        insns = (c->at[0] / TCGRR_CHECKPOINT_STEP + steps) * TCGRR_CHECKPOINT_STEP - c->at[0];
    }
    for (int i = 0; i < 2; i++) {
        c->next[i] = c->at[i] + insns;
    }
}

/* Both sides are the same in the interval. */
static bool pass_interval(struct comparing *c, GError **error)
{
    if (!tcgrr_state_compare(c->state, c->at, c->next, error)) {
        return false;
    }
    if (c->aligns) {
        c->aligns[0].walked += c->next[0] - c->at[0];
    }
    for (int i = 0; i < 2; i++) {
        c->at[i] = c->next[i];
    }
    c->narrow -= c->narrow > 0;
    set_compared(c, c->at[0]);
    return true;
}

/* Both sides' digests of the interval after `at`. */
static bool compare_interval(struct comparing *c, GError **error)
{
    struct tcgrr_run_source_position position[2];
    bool close = false;

    choose_interval(c);
    for (int i = 0; i < 2; i++) {
        /* From 0 on both have the digests of checkpoints ready. */
        if (!c->sides[i]->ops->advance(c->sides[i], c->shifted ? c->at[i] : 0, c->next[i], &position[i], error) ||
            !find_limit(c, i, position[i].icount, error)) {
            return false;
        }
        c->comparison->ends[i] = position[i].state;
        close = close || position[i].state != TCGRR_SOURCE_REACHED || c->limit[i] <= c->next[i];
    }
    c->digests_differ = position[0].flow != position[1].flow;
    if (!close && !c->digests_differ) {
        return pass_interval(c, error);
    }
    if (c->shifted && c->narrow == 0) {
        c->narrow = WIDE_STEPS;
        return true;
    }
    return compare_closely(c, error);
}

bool tcgrr_compare_reports_vcpus(int api_version)
{
    return api_version == 1;
}

static void relieve(struct comparing *c)
{
    if (c->options->relief && c->comparison->data.found && c->sides[0] != c->options->relief) {
        c->sides[0] = c->options->relief;
        c->options->relieved(c->options->data);
    }
}

static bool is_enough(const struct comparing *c)
{
    return c->done || (c->options->data_ends && c->comparison->data.found);
}

static bool interrupted(const struct tcgrr_compare_options *options)
{
    return options->stop && *options->stop;
}

/* Whether what came of the comparison is a verdict. */
static bool check_verdict(const struct comparing *c, bool good, GError **error)
{
    const struct tcgrr_comparison *comparison = c->comparison;

    if (interrupted(c->options)) {
        g_clear_error(error);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED,
                    "interrupted: the same for the first %" G_GUINT64_FORMAT " instructions", comparison->compared);
        return false;
    }
    if (good && comparison->undecided) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "no verdict: the runs had inputs of their own, and differ at icount %" G_GUINT64_FORMAT
                    " (A) and %" G_GUINT64_FORMAT " (B), which may be why: %s",
                    comparison->sides[0].icount, comparison->sides[1].icount, comparison->undecided);
        return false;
    }
    if (good && !comparison->diverged && comparison->compared == 0 && !c->options->may_be_empty) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "there was no instruction to compare");
        return false;
    }
    return good;
}

bool tcgrr_compare(struct tcgrr_run_source *a, struct tcgrr_run_source *b, const struct tcgrr_compare_options *options,
                   struct tcgrr_comparison *comparison, GError **error)
{
    struct comparing c = {.sides = {a, b}, .options = options, .comparison = comparison};
    bool good = true;

    *comparison = (struct tcgrr_comparison){.places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_tolerated))};
    for (int i = 0; i < 2 && good; i++) {
        comparison->start[i] = options->start;
        good = options->start > 0 ||
               tcgrr_position_reach(c.sides[i], &options->from[i], names[i], &comparison->start[i], error);
        c.at[i] = comparison->aligned[i] = comparison->start[i];
        c.searched[i] = c.at[i] + (options->until[i].kind > TCGRR_POSITION_ICOUNT);
        c.limit[i] = UINT64_MAX;
        c.shifted = c.shifted || c.at[i] > 0;
    }
    c.state = tcgrr_state_comparing_new(c.sides, comparison->start, options, &comparison->data);
    while (good && !is_enough(&c) && !interrupted(options)) {
        good = compare_interval(&c, error);
        relieve(&c);
    }
    clear(&c);
    tcgrr_state_conclude(comparison);
    return check_verdict(&c, good, error);
}
