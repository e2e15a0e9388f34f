/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/align/align.h"

#include "lockstep/align/reconverge.h"

#include <string.h>

#define MAX_DEPTH  8
#define MAX_ASIDE  16
/* Instructions between two looks at what is set aside. */
#define LOOK_EVERY 4096

void tcgrr_align_init(struct tcgrr_align *align, const struct tcgrr_compare_options *options,
                      struct tcgrr_comparison *comparison, struct tcgrr_exec_window windows[2], tcgrr_vcpu only,
                      const tcgrr_icount at[2])
{
    *align = (struct tcgrr_align){.options = options, .comparison = comparison, .windows = windows, .only = only};
    tcgrr_codes_init(&align->codes, options->isa);
    for (int i = 0; i < 2; i++) {
        align->aside[i] = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_deferred_handler));
        align->taken[i] = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_skipped_range));
        tcgrr_insn_cursor_begin_on(&align->runs.walks[i], &windows[i], only, at[i]);
        align->runs.start[i] = comparison->start[i];
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
        state->aside[i] = g_array_copy(align->aside[i]);
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

static bool follow(struct tcgrr_align *align, struct tcgrr_cursor_pair *strands);

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
    struct tcgrr_cursor_pair strands = {.depth = depth};

    for (int i = 0; i < 2; i++) {
        tcgrr_insn_cursor_begin_on(&strands.walks[i], &align->windows[i], align->only, handlers[i]->start);
        strands.start[i] = handlers[i]->start;
        strands.end[i] = handlers[i]->end;
        strands.number[i] = handlers[i]->interrupt.number;
    }
    uint64_t walked = align->walked;
    bool same = follow(align, &strands);
    rewind_walked(align, walked);
    if (!same && !a->differs) {
        a->differs = true;
        a->differs_at[0] = strands.walks[0].icount;
        a->differs_at[1] = strands.walks[1].icount;
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
    /* Interrupts that came at one place on both sides are set aside where something else came there, too. */
    if (early->other != late->start || place.insns[which] > 0 || place.reasons) {
        tcgrr_align_tolerate(align, &place);
    }
}

/* Looks for the counterpart, on the other side, of the one that was set aside last on side `which`. */
static void pair_last(struct tcgrr_align *align, int which, unsigned depth)
{
    guint last = align->aside[which]->len - 1;

    for (guint i = 0; i < align->aside[!which]->len; i++) {
        struct tcgrr_deferred_handler late = *aside_at(align, which, last), early = *aside_at(align, !which, i);
        struct tcgrr_align_state state;
        if (late.interrupt.to_pc != early.interrupt.to_pc || (!late.interrupt.certain && !early.interrupt.certain)) {
            continue;
        }
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

static bool find_interrupt(struct tcgrr_align *align, const struct tcgrr_cursor_pair *strands, int which, bool beside,
                           struct tcgrr_interrupt *interrupt)
{
    const struct tcgrr_insn_cursor *walk = &strands->walks[which];
    const struct tcgrr_insn_cursor *other = &strands->walks[!which];

    /* What led to a handler is not looked at again. */
    bool entered = strands->depth > 0 && walk->icount == strands->start[which];
    if (!tcgrr_cursor_pair_interrupt(strands, which, interrupt) &&
        (entered || !tcgrr_interrupt_unnoticed(&align->codes, walk, align->windows, interrupt))) {
        return false;
    }
    /* On a machine whose returns are not known, the handler is taken to go back to where the other side is. */
    if (interrupt->from_pc == TCGRR_NO_PC && align->codes.isa == TCGRR_ISA_UNKNOWN && beside &&
        !tcgrr_cursor_pair_over(strands, !which)) {
        struct tcgrr_interrupt there;
        interrupt->from_pc =
            tcgrr_cursor_pair_interrupt(strands, !which, &there) ? there.from_pc : tcgrr_insn_cursor_pc(other);
    }
    return true;
}

/*
 * What may be an exception has to go back to where it came from. QEMUs that do not report interrupts leave it open
 * whether an instruction had run that makes no access to memory, because of its condition, and then was interrupted. If
 * it was not run again it had: then the other side is one ahead.
 */
static bool settle_uncertain(struct tcgrr_cursor_pair *strands, int which, bool beside,
                             struct tcgrr_deferred_handler *aside, const struct tcgrr_insn_cursor *back)
{
    struct tcgrr_insn_cursor *other = &strands->walks[!which];
    uint64_t from = aside->interrupt.from_pc;

    if (aside->interrupt.certain || !tcgrr_insn_cursor_exec(back) || tcgrr_insn_cursor_pc(back) == from) {
        return aside->interrupt.certain || tcgrr_insn_cursor_exec(back);
    }
    if (!beside || tcgrr_cursor_pair_over(strands, !which) || tcgrr_insn_cursor_pc(other) != from) {
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

bool tcgrr_align_set_aside(struct tcgrr_align *align, struct tcgrr_cursor_pair *strands, int which, bool beside)
{
    struct tcgrr_insn_cursor *walk = &strands->walks[which];
    struct tcgrr_deferred_handler aside = {.start = walk->icount, .walked = align->walked};
    struct tcgrr_insn_cursor back = *walk;

    if (strands->depth >= MAX_DEPTH || align->aside[which]->len >= MAX_ASIDE ||
        tcgrr_cursor_pair_over(strands, which) || !find_interrupt(align, strands, which, beside, &aside.interrupt)) {
        return false;
    }
    if (!tcgrr_handler_leave(&align->codes, &aside.interrupt, &back) ||
        (strands->depth > 0 && back.icount > strands->end[which])) {
        say(align, g_strdup_printf("the interrupt to 0x%" G_GINT64_MODIFIER "x on side %c at icount %" G_GUINT64_FORMAT
                                   " does not return to the interrupted code within %d instructions",
                                   aside.interrupt.to_pc, 'A' + which, aside.start, (int)TCGRR_HANDLER_MOST));
        return false;
    }
    aside.other = strands->walks[!which].icount;
    if (!settle_uncertain(strands, which, beside, &aside, &back)) {
        return false;
    }
    aside.end = back.icount;
    if (aside.interrupt.from_pc == TCGRR_NO_PC) {
        aside.interrupt.from_pc = tcgrr_insn_cursor_pc(&back);
    }
    struct tcgrr_skipped_range taken = {aside.start, aside.end};
    *walk = back;
    g_array_append_val(align->taken[which], taken);
    g_array_append_val(align->aside[which], aside);
    pair_last(align, which, strands->depth);
    return true;
}

/* ---- going on ---- */

/* The two are not on the same instruction, or one is over. Returns whether they can go on all the same. */
static bool explain(struct tcgrr_align *align, struct tcgrr_cursor_pair *strands)
{
    tcgrr_icount end[2] = {strands->end[0], strands->end[1]};
    bool good = false;

    /* The runs can be looked through as far as they are at hand. */
    if (strands->depth == 0) {
        strands->end[0] = strands->end[1] = UINT64_MAX;
    }
    bool a = tcgrr_align_set_aside(align, strands, 0, true);
    bool b = tcgrr_align_set_aside(align, strands, 1, true);
    good = a || b ||
           (!tcgrr_cursor_pair_over(strands, 0) && !tcgrr_cursor_pair_over(strands, 1) &&
            tcgrr_insn_cursor_pc(&strands->walks[0]) != tcgrr_insn_cursor_pc(&strands->walks[1]) &&
            tcgrr_reconverge(align, strands));
    memcpy(strands->end, end, sizeof(end));
    return good;
}

/* Handlers: true if they are the same up to the end of both. */
static bool follow(struct tcgrr_align *align, struct tcgrr_cursor_pair *strands)
{
    for (;;) {
        align->walked += tcgrr_insn_cursor_together(strands->walks, strands->end);
        if (tcgrr_cursor_pair_over(strands, 0) && tcgrr_cursor_pair_over(strands, 1)) {
            return true;
        }
        if (!explain(align, strands)) {
            return false;
        }
    }
}

/* The one set aside first; NULL: none. */
static const struct tcgrr_deferred_handler *oldest(const struct tcgrr_align *align, int *which)
{
    const struct tcgrr_deferred_handler *first = NULL;
    for (int i = 0; i < 2; i++) {
        if (align->aside[i]->len > 0 && (!first || aside_at(align, i, 0)->walked < first->walked)) {
            first = aside_at(align, i, 0);
            *which = i;
        }
    }
    return first;
}

/* Puts the walks where the runs part because of what was set aside. */
static void part_at(struct tcgrr_align *align, const struct tcgrr_deferred_handler *aside, int which)
{
    tcgrr_icount at[2];

    if (aside->differs) {
        memcpy(at, aside->differs_at, sizeof(at));
        say(align, g_strdup_printf("the handlers of the interrupt to 0x%" G_GINT64_MODIFIER "x differ",
                                   aside->interrupt.to_pc));
    } else {
        at[which] = aside->start;
        at[!which] = aside->other;
        say(align, g_strdup_printf("the interrupt to 0x%" G_GINT64_MODIFIER
                                   "x on side %c does not come on the other side within %d instructions",
                                   aside->interrupt.to_pc, 'A' + which, TCGRR_ALIGN_SHIFT));
    }
    for (int i = 0; i < 2; i++) {
        tcgrr_insn_cursor_begin_on(&align->runs.walks[i], &align->windows[i], align->only, at[i]);
    }
}

/* An interrupt that should have come on the other side by now. */
static bool missing(struct tcgrr_align *align)
{
    int which;
    const struct tcgrr_deferred_handler *first = oldest(align, &which);

    if (!first || align->walked - first->walked <= TCGRR_ALIGN_SHIFT) {
        return false;
    }
    part_at(align, first, which);
    return true;
}

/* The runs part here, unless handlers differed before. */
static void part(struct tcgrr_align *align)
{
    for (int i = 0; i < 2; i++) {
        for (guint k = 0; k < align->aside[i]->len; k++) {
            if (aside_at(align, i, k)->differs) {
                part_at(align, aside_at(align, i, k), i);
                return;
            }
        }
    }
}

bool tcgrr_align_run(struct tcgrr_align *align)
{
    struct tcgrr_cursor_pair *runs = &align->runs;

    while (!tcgrr_cursor_pair_over(runs, 0) && !tcgrr_cursor_pair_over(runs, 1)) {
        tcgrr_icount end[2] = {runs->end[0], runs->end[1]};
        if (!tcgrr_align_settled(align)) {
            end[0] = MIN(end[0], runs->walks[0].icount + LOOK_EVERY);
        }
        align->walked += tcgrr_insn_cursor_together(runs->walks, end);
        if (missing(align)) {
            return false;
        }
        bool there =
            tcgrr_cursor_pair_over(runs, 0) || tcgrr_cursor_pair_over(runs, 1) || runs->walks[0].icount >= end[0];
        g_clear_pointer(&align->note, g_free);
        if (there) {
            continue;
        }
        if (align->options->strict || !explain(align, runs)) {
            part(align);
            return false;
        }
        align->explained++;
    }
    return true;
}

bool tcgrr_align_finish(struct tcgrr_align *align)
{
    for (int i = 0; i < 2; i++) {
        for (guint k = 0; k < align->aside[i]->len; k++) {
            const struct tcgrr_deferred_handler *aside = aside_at(align, i, k);
            if (aside->differs || !aside->interrupt.certain) {
                part_at(align, aside, i);
                return false;
            }
            struct tcgrr_tolerated place = {.kind = TCGRR_TOLERATED_EVENT,
                                            .reasons = aside->reasons | TCGRR_REASON_END,
                                            .pc = aside->interrupt.to_pc};
            place.icount[i] = aside->start;
            place.icount[!i] = align->runs.walks[!i].icount;
            place.from_pc[i] = aside->interrupt.from_pc;
            place.from_pc[!i] = TCGRR_NO_PC;
            place.insns[!i] = align->walked - aside->walked;
            tcgrr_align_tolerate(align, &place);
        }
    }
    return true;
}

guint tcgrr_align_needs(const struct tcgrr_align *align, int which)
{
    tcgrr_icount needed = align->runs.walks[which].icount;

    for (guint k = 0; k < align->aside[which]->len; k++) {
        needed = MIN(needed, aside_at(align, which, k)->start);
    }
    for (guint k = 0; k < align->aside[!which]->len; k++) {
        needed = MIN(needed, aside_at(align, !which, k)->other);
    }
    return tcgrr_exec_window_find_exec(&align->windows[which], needed);
}

void tcgrr_align_cut(struct tcgrr_align *align, int which, guint execs)
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
