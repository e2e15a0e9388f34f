/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/align/align.h"

#include "lockstep/align/reconverge.h"

#include <string.h>

#define MAX_DEPTH 8
/* Counterparts that an interrupt is compared with, at most: the first that came. */
#define MAX_TRIES 16
/* Number of instructions after the place that are searched if fewer do not show why the runs differ. */
#define FAR_AHEAD (TCGRR_HANDLER_MAX + TCGRR_CHECKPOINT_STEP)

/* ---- what is set aside ---- */

static void free_body(gpointer body)
{
    tcgrr_exec_window_clear(body);
}

static void release(gpointer deferred)
{
    g_rc_box_release_full(((struct tcgrr_deferred_handler *)deferred)->body, free_body);
}

static GArray *aside_new(void)
{
    GArray *aside = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_deferred_handler));
    g_array_set_clear_func(aside, release);
    return aside;
}

static GArray *aside_copy(const GArray *from)
{
    GArray *aside = aside_new();

    g_array_append_vals(aside, from->data, from->len);
    for (guint i = 0; i < aside->len; i++) {
        g_rc_box_acquire(g_array_index(aside, struct tcgrr_deferred_handler, i).body);
    }
    return aside;
}

/* Copies what the cursor's vCPU runs from here to instruction `end`, for a comparison when it is no longer available.
 * */
static struct tcgrr_exec_window *copy_body(const struct tcgrr_insn_cursor *walk, tcgrr_icount end)
{
    struct tcgrr_exec_window *body = g_rc_box_new0(struct tcgrr_exec_window);
    const struct tcgrr_exec *exec;
    const struct tcgrr_event *event;

    *body = (struct tcgrr_exec_window){.from = walk->icount, .to = end};
    tcgrr_stretch_init(&body->stretch);
    for (guint i = walk->exec; (exec = tcgrr_exec_window_exec(walk->window, i)) && exec->icount < end; i++) {
        if (walk->only == TCGRR_ANY_VCPU || exec->vcpu == walk->only) {
            g_array_append_val(body->stretch.execs, *exec);
        }
    }
    for (guint i = tcgrr_exec_window_find_event(walk->window, walk->icount);
         (event = tcgrr_exec_window_event(walk->window, i)) && event->icount <= end; i++) {
        g_array_append_val(body->stretch.events, *event);
    }
    return body;
}

static guint held(const GArray *aside)
{
    guint execs = 0;
    for (guint i = 0; i < aside->len; i++) {
        execs += g_array_index(aside, struct tcgrr_deferred_handler, i).body->stretch.execs->len;
    }
    return execs;
}

void tcgrr_align_init(struct tcgrr_align *align, const struct tcgrr_compare_options *options,
                      struct tcgrr_comparison *comparison, struct tcgrr_exec_window windows[2], tcgrr_vcpu only)
{
    *align = (struct tcgrr_align){.options = options, .comparison = comparison, .windows = windows, .only = only};
    tcgrr_codes_init(&align->codes, options->isa);
    for (int i = 0; i < 2; i++) {
        align->aside[i] = aside_new();
        align->taken[i] = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_skipped_range));
        align->runs.start[i] = comparison->start[i];
    }
}

void tcgrr_align_begin(struct tcgrr_align *align, const tcgrr_icount at[2])
{
    for (int i = 0; i < 2; i++) {
        tcgrr_insn_cursor_begin_on(&align->runs.walks[i], &align->windows[i], align->only, at[i]);
        tcgrr_align_after_cut(align, i, 0);
    }
}

void tcgrr_align_clear(struct tcgrr_align *align)
{
    tcgrr_codes_clear(&align->codes);
    for (int i = 0; i < 2; i++) {
        g_array_unref(align->aside[i]);
        g_array_unref(align->taken[i]);
    }
    g_free(align->note);
    g_clear_error(&align->error);
}

static struct tcgrr_deferred_handler *aside_at(const struct tcgrr_align *align, int which, guint index)
{
    return &g_array_index(align->aside[which], struct tcgrr_deferred_handler, index);
}

bool tcgrr_align_settled(const struct tcgrr_align *align)
{
    return align->aside[0]->len == 0 && align->aside[1]->len == 0;
}

/* ---- what is tolerated ---- */

void tcgrr_align_tolerate(struct tcgrr_align *align, const struct tcgrr_tolerated *place)
{
    struct tcgrr_comparison *comparison = align->comparison;

    if (comparison->places->len < TCGRR_TOLERATED_LISTED) {
        g_array_append_val(comparison->places, *place);
    }
    comparison->tolerated[place->kind]++;
    if (place->kind != TCGRR_TOLERATED_EVENT) {
        comparison->differing += place->insns[0];
    }
}

void tcgrr_align_save(const struct tcgrr_align *align, struct tcgrr_align_state *state)
{
    const struct tcgrr_comparison *comparison = align->comparison;

    *state = (struct tcgrr_align_state){.places = comparison->places->len, .differing = comparison->differing};
    memcpy(state->tolerated, comparison->tolerated, sizeof(state->tolerated));
    for (int i = 0; i < 2; i++) {
        state->taken[i] = align->taken[i]->len;
        state->aside[i] = aside_copy(align->aside[i]);
    }
}

void tcgrr_align_restore(struct tcgrr_align *align, struct tcgrr_align_state *state, bool keep)
{
    struct tcgrr_comparison *comparison = align->comparison;

    if (!keep) {
        g_array_set_size(comparison->places, state->places);
        memcpy(comparison->tolerated, state->tolerated, sizeof(state->tolerated));
        comparison->differing = state->differing;
    }
    for (int i = 0; i < 2; i++) {
        if (!keep) {
            g_array_set_size(align->taken[i], state->taken[i]);
            GArray *now = align->aside[i];
            align->aside[i] = state->aside[i];
            state->aside[i] = now;
        }
        g_array_unref(state->aside[i]);
    }
}

static void say(struct tcgrr_align *align, char *note)
{
    g_free(align->note);
    align->note = note;
}

/* ---- interrupts ---- */

static bool follow(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair);

/* Instructions of handlers do not count for those that are set aside. */
static void rewind_walked(struct tcgrr_align *align, uint64_t walked)
{
    align->walked = walked;
    for (int i = 0; i < 2; i++) {
        for (guint k = 0; k < align->aside[i]->len; k++) {
            aside_at(align, i, k)->walked = MIN(aside_at(align, i, k)->walked, walked);
        }
    }
}

/* Compares two handlers. If they differ, `a` remembers where. */
static bool same_handlers(struct tcgrr_align *align, int which, struct tcgrr_deferred_handler *a,
                          const struct tcgrr_deferred_handler *b, unsigned depth)
{
    const struct tcgrr_deferred_handler *handlers[2] = {which == 0 ? a : b, which == 0 ? b : a};
    struct tcgrr_cursor_pair pair = {.depth = depth};

    for (int i = 0; i < 2; i++) {
        tcgrr_insn_cursor_begin_on(&pair.walks[i], handlers[i]->body, align->only, handlers[i]->start);
        pair.start[i] = handlers[i]->start;
        pair.end[i] = handlers[i]->end;
        pair.number[i] = handlers[i]->interrupt.number;
    }
    uint64_t walked = align->walked;
    bool same = follow(align, &pair);
    rewind_walked(align, walked);
    if (!same && !a->differs) {
        a->differs = true;
        a->differs_at[0] = pair.walks[0].icount;
        a->differs_at[1] = pair.walks[1].icount;
    }
    return same;
}

static void tolerate_event(struct tcgrr_align *align, int which, const struct tcgrr_deferred_handler *late,
                           const struct tcgrr_deferred_handler *early)
{
    struct tcgrr_tolerated place = {
        .kind = TCGRR_TOLERATED_EVENT, .reasons = late->reasons | early->reasons, .pc = late->interrupt.to_pc};

    place.icount[which] = late->start;
    place.icount[!which] = early->start;
    place.from_pc[which] = late->interrupt.from_pc;
    place.from_pc[!which] = early->interrupt.from_pc;
    place.insns[which] = late->walked - early->walked;
    align->furthest = MAX(align->furthest, place.insns[which]);
    /* Interrupts that came at one place on both sides are set aside where something else came there, too. */
    if (early->other != late->start || place.insns[which] > 0 || place.reasons) {
        tcgrr_align_tolerate(align, &place);
    }
}

/* Searches the other side for the counterpart of the handler that was set aside last on side `which`. */
static void pair_last(struct tcgrr_align *align, int which, unsigned depth)
{
    guint last = align->aside[which]->len - 1, tries = 0;

    for (guint i = 0; i < align->aside[!which]->len && tries < MAX_TRIES; i++) {
        struct tcgrr_deferred_handler late = *aside_at(align, which, last), early = *aside_at(align, !which, i);
        struct tcgrr_align_state state;
        if (late.interrupt.to_pc != early.interrupt.to_pc || (!late.interrupt.certain && !early.interrupt.certain)) {
            continue;
        }
        tries++;
        /* Comparing may set aside what interrupted the handlers; these two are not for that. */
        tcgrr_align_save(align, &state);
        g_array_remove_index(align->aside[which], last);
        g_array_remove_index(align->aside[!which], i);
        bool same = same_handlers(align, which, &late, &early, depth + 1);
        tcgrr_align_restore(align, &state, same);
        if (same) {
            tolerate_event(align, which, &late, &early);
            return;
        }
        *aside_at(align, which, last) = late;
        early = *aside_at(align, !which, i);
        early.differs = true;
        memcpy(early.differs_at, late.differs_at, sizeof(late.differs_at));
        *aside_at(align, !which, i) = early;
    }
}

static bool find_interrupt(struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair, int which, bool beside,
                           struct tcgrr_interrupt *interrupt)
{
    const struct tcgrr_insn_cursor *walk = &pair->walks[which];
    const struct tcgrr_insn_cursor *other = &pair->walks[!which];

    /* The interrupt that led to a handler is not handled again. */
    bool entered = pair->depth > 0 && walk->icount == pair->start[which];
    if (!tcgrr_cursor_pair_interrupt(pair, which, interrupt) &&
        (entered || !tcgrr_interrupt_unnoticed(&align->codes, walk, align->windows, interrupt))) {
        return false;
    }
    /* On a machine whose returns are not known, the handler is taken to go back to where the other side is. */
    if (interrupt->from_pc == TCGRR_NO_PC && align->codes.isa == TCGRR_ISA_UNKNOWN && beside &&
        !tcgrr_cursor_pair_over(pair, !which)) {
        struct tcgrr_interrupt there;
        interrupt->from_pc =
            tcgrr_cursor_pair_interrupt(pair, !which, &there) ? there.from_pc : tcgrr_insn_cursor_pc(other);
    }
    return true;
}

/*
 * What may be an exception has to go back to where it came from. QEMUs that do not report interrupts leave it open
 * whether an instruction had run that makes no access to memory, because of its condition, and then was interrupted. If
 * it was not run again it had: then the other side is one ahead.
 */
static bool settle_uncertain(struct tcgrr_cursor_pair *pair, int which, bool beside,
                             struct tcgrr_deferred_handler *aside, const struct tcgrr_insn_cursor *back)
{
    struct tcgrr_insn_cursor *other = &pair->walks[!which];
    uint64_t from = aside->interrupt.from_pc;

    if (aside->interrupt.certain || !tcgrr_insn_cursor_exec(back) || tcgrr_insn_cursor_pc(back) == from) {
        return aside->interrupt.certain || tcgrr_insn_cursor_exec(back);
    }
    if (!beside || tcgrr_cursor_pair_over(pair, !which) || tcgrr_insn_cursor_pc(other) != from) {
        return false;
    }
    uint8_t length = tcgrr_insn_cursor_exec(other)->block->lengths[other->insn];
    if (tcgrr_insn_cursor_pc(back) != from + length) {
        return false;
    }
    tcgrr_insn_cursor_step(other);
    aside->reasons |= TCGRR_REASON_COUNT;
    return true;
}

bool tcgrr_align_set_aside(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair, int which, bool beside)
{
    struct tcgrr_insn_cursor *walk = &pair->walks[which];
    struct tcgrr_deferred_handler aside = {.start = walk->icount, .walked = align->walked};
    struct tcgrr_insn_cursor back = *walk;

    if (pair->depth >= MAX_DEPTH || tcgrr_cursor_pair_over(pair, which) ||
        !find_interrupt(align, pair, which, beside, &aside.interrupt)) {
        return false;
    }
    if (align->aside[which]->len >= TCGRR_ALIGN_ASIDE_MAX || held(align->aside[which]) >= TCGRR_ALIGN_HELD_MAX) {
        say(align, g_strdup_printf("%u interrupts of side %c have not come on the other side", align->aside[which]->len,
                                   'A' + which));
        return false;
    }
    if (!tcgrr_handler_leave(&align->codes, &aside.interrupt, &back) ||
        (pair->depth > 0 && back.icount > pair->end[which])) {
        say(align, g_strdup_printf("the interrupt to 0x%" G_GINT64_MODIFIER "x on side %c at icount %" G_GUINT64_FORMAT
                                   " does not return to the interrupted code within %d instructions",
                                   aside.interrupt.to_pc, 'A' + which, aside.start, (int)TCGRR_HANDLER_MAX));
        return false;
    }
    aside.other = pair->walks[!which].icount;
    if (!settle_uncertain(pair, which, beside, &aside, &back)) {
        return false;
    }
    aside.end = back.icount;
    if (aside.interrupt.from_pc == TCGRR_NO_PC) {
        aside.interrupt.from_pc = tcgrr_insn_cursor_pc(&back);
    }
    struct tcgrr_skipped_range taken = {aside.start, aside.end};
    aside.body = copy_body(walk, aside.end);
    *walk = back;
    g_array_append_val(align->taken[which], taken);
    g_array_append_val(align->aside[which], aside);
    pair_last(align, which, pair->depth);
    return true;
}

/* ---- going on ---- */

bool tcgrr_align_read_on(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair, int which)
{
    struct tcgrr_insn_cursor *walk = &pair->walks[which];
    struct tcgrr_exec_window *window = &align->windows[which];

    if (pair->depth > 0 || walk->icount + TCGRR_ALIGN_AHEAD / 2 <= window->to) {
        return true;
    }
    if (!tcgrr_exec_window_extend(window, walk->icount + TCGRR_CHECKPOINT_STEP, &align->error)) {
        return false;
    }
    tcgrr_insn_cursor_settle(walk);
    return true;
}

/* Called when the two are not at the same instruction, or one has ended. Returns whether they can continue all the
 * same. */
static bool explain(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair)
{
    tcgrr_icount end[2] = {pair->end[0], pair->end[1]};
    bool good = false;

    /* The whole available part of the runs can be searched. */
    if (pair->depth == 0) {
        pair->end[0] = pair->end[1] = UINT64_MAX;
    }
    bool a = tcgrr_align_set_aside(align, pair, 0, true);
    bool b = tcgrr_align_set_aside(align, pair, 1, true);
    good = a || b ||
           (!tcgrr_cursor_pair_over(pair, 0) && !tcgrr_cursor_pair_over(pair, 1) &&
            tcgrr_insn_cursor_pc(&pair->walks[0]) != tcgrr_insn_cursor_pc(&pair->walks[1]) &&
            tcgrr_reconverge(align, pair));
    memcpy(pair->end, end, sizeof(end));
    return good;
}

/* Handlers: true if they are the same up to the end of both. */
static bool follow(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair)
{
    for (;;) {
        align->walked += tcgrr_insn_cursor_together(pair->walks, pair->end);
        if (tcgrr_cursor_pair_over(pair, 0) && tcgrr_cursor_pair_over(pair, 1)) {
            return true;
        }
        if (!explain(align, pair)) {
            return false;
        }
    }
}

/* Repeats explain() with more instructions available. */
static bool explain_with_more(struct tcgrr_align *align, struct tcgrr_cursor_pair *runs)
{
    bool more = false;

    for (int i = 0; i < 2 && !align->error; i++) {
        struct tcgrr_exec_window *window = &align->windows[i];
        tcgrr_icount to = runs->walks[i].icount + FAR_AHEAD;
        more = more || (to > window->to && window->state == TCGRR_SOURCE_REACHED);
        tcgrr_exec_window_extend(window, to, &align->error);
    }
    return more && !align->error && explain(align, runs);
}

bool tcgrr_align_run(struct tcgrr_align *align)
{
    struct tcgrr_cursor_pair *runs = &align->runs;

    while (!tcgrr_cursor_pair_over(runs, 0) && !tcgrr_cursor_pair_over(runs, 1)) {
        align->walked += tcgrr_insn_cursor_together(runs->walks, runs->end);
        g_clear_pointer(&align->note, g_free);
        if (tcgrr_cursor_pair_over(runs, 0) || tcgrr_cursor_pair_over(runs, 1)) {
            continue;
        }
        if (align->options->strict || (!explain(align, runs) && !explain_with_more(align, runs))) {
            return false;
        }
        align->explained++;
    }
    return true;
}

static bool say_differs(struct tcgrr_align *align, const struct tcgrr_deferred_handler *aside)
{
    say(align,
        g_strdup_printf("the handlers of the interrupt to 0x%" G_GINT64_MODIFIER "x differ", aside->interrupt.to_pc));
    memcpy(align->place, aside->differs_at, sizeof(align->place));
    return true;
}

bool tcgrr_align_differs(struct tcgrr_align *align)
{
    for (int i = 0; i < 2; i++) {
        for (guint k = 0; k < align->aside[i]->len; k++) {
            if (aside_at(align, i, k)->differs) {
                return say_differs(align, aside_at(align, i, k));
            }
        }
    }
    return false;
}

/* Whether the other side would have reached the interrupt a little later. */
static bool comes_later(const struct tcgrr_align *align, const struct tcgrr_deferred_handler *aside)
{
    return !aside->differs && aside->interrupt.certain &&
           align->walked - aside->walked <= MAX(TCGRR_ALIGN_END_NEAR, 2 * align->furthest);
}

static void say_missing(struct tcgrr_align *align, const struct tcgrr_deferred_handler *aside, int which)
{
    say(align, g_strdup_printf("the interrupt to 0x%" G_GINT64_MODIFIER "x on side %c does not come on the other side",
                               aside->interrupt.to_pc, 'A' + which));
    align->place[which] = aside->start;
    align->place[!which] = aside->other;
}

static void tolerate_end(struct tcgrr_align *align, const struct tcgrr_deferred_handler *aside, int which)
{
    struct tcgrr_tolerated place = {
        .kind = TCGRR_TOLERATED_EVENT, .reasons = aside->reasons | TCGRR_REASON_END, .pc = aside->interrupt.to_pc};

    place.icount[which] = aside->start;
    place.icount[!which] = align->runs.walks[!which].icount;
    place.from_pc[which] = aside->interrupt.from_pc;
    place.from_pc[!which] = TCGRR_NO_PC;
    place.insns[!which] = align->walked - aside->walked;
    tcgrr_align_tolerate(align, &place);
}

bool tcgrr_align_finish(struct tcgrr_align *align)
{
    const struct tcgrr_deferred_handler *first = NULL;
    int side = 0;

    for (int i = 0; i < 2; i++) {
        for (guint k = 0; k < align->aside[i]->len; k++) {
            const struct tcgrr_deferred_handler *aside = aside_at(align, i, k);
            if (!comes_later(align, aside) && (!first || aside->walked < first->walked)) {
                first = aside;
                side = i;
            }
        }
    }
    if (first) {
        if (!tcgrr_align_differs(align)) {
            say_missing(align, first, side);
        }
        return false;
    }
    for (int i = 0; i < 2; i++) {
        for (guint k = 0; k < align->aside[i]->len; k++) {
            tolerate_end(align, aside_at(align, i, k), i);
        }
    }
    return true;
}

guint tcgrr_align_first_needed(const struct tcgrr_align *align, int which)
{
    return tcgrr_exec_window_find_exec(&align->windows[which], align->runs.walks[which].icount);
}

void tcgrr_align_after_cut(struct tcgrr_align *align, int which, guint execs)
{
    const GArray *taken = align->taken[which];
    guint gone = 0;

    align->runs.walks[which].exec -= execs;
    while (gone < taken->len &&
           g_array_index(taken, struct tcgrr_skipped_range, gone).end <= align->windows[which].from) {
        gone++;
    }
    g_array_remove_range(align->taken[which], 0, gone);
}
