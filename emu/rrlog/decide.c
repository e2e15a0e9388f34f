/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks up in the log whether an instruction retired that the plugin could not decide about. */
#include "emu/rrlog/rrlog.h"

static enum tcgrr_rrlog_kind kind_at(const struct tcgrr_rrlog *log, guint index)
{
    return (enum tcgrr_rrlog_kind)g_array_index(log->events, struct tcgrr_rrlog_event, index).kind;
}

static guint next_exception(const struct tcgrr_rrlog *log, guint from, guint end)
{
    while (from < end && kind_at(log, from) != TCGRR_RRLOG_EXCEPTION) {
        from++;
    }
    return from;
}

/*
 * The block has one instruction, and the events from `from` up to `end` at its place are not known to have led to it.
 * What keeps an instruction from retiring is an exception, so interrupts among them led to it. Returns the index of the
 * exception that it raised, `end` if it retired.
 */
static guint own_exception(const struct tcgrr_rrlog *log, const struct tcgrr_uncertain_retire *doubt, guint from,
                           guint end, bool next_has_events)
{
    guint first = next_exception(log, from, end);
    guint second = first < end ? next_exception(log, first + 1, end) : end;

    if (first < end && doubt->follows && doubt->branch) {
        return second; /* the first was a host call (ppc's sc 1): a branch hardly ever raises an exception itself */
    }
    if (first == end || !doubt->hidden) {
        return first;
    }
    /* One exception may belong to the previous instruction, which went to its handler: the block is then the start of
     * that. */
    if (second < end) {
        return second;
    }
    if (doubt->left) {
        return next_has_events ? end : first;
    }
    if (doubt->entered != doubt->to_entry) {
        return doubt->entered ? end : first;
    }
    return next_has_events || doubt->branch ? end : first;
}

bool tcgrr_rrlog_decide(const struct tcgrr_rrlog *log, struct tcgrr_rrlog_asked *asked,
                        const struct tcgrr_uncertain_retire *doubt, tcgrr_icount place, bool *retired)
{
    guint here = tcgrr_rrlog_find(log, place);
    guint end = tcgrr_rrlog_find(log, place + 1);
    bool known = log->complete || MAX(log->total, log->reached) > place + 1;
    guint from = here;
    guint raised = here; /* any event inside a block left the block there */

    if (!doubt->inside) {
        guint before = doubt->events + (asked->icount == place ? asked->events : 0);
        from = MIN(here + before, end);
        raised = own_exception(log, doubt, from, end, tcgrr_rrlog_find(log, place + 2) > end);
    }
    bool passed = known ? raised == end : doubt->retired;
    asked->icount = place + passed;
    /* The next doubt shows whether this one's event was seen. */
    asked->events = passed ? 0 : known ? raised - here + !doubt->left : from - here;
    if (known) {
        *retired = passed;
    }
    return known;
}
