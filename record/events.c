/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/events.h"

/*
 * QEMU logs an interrupt or exception wherever it checks for one, even if nothing comes of it that it would report. So
 * the reported events are a subset of the logged ones, in the same order, and the same if their numbers are equal.
 */
struct kind {
    uint64_t reported;
    uint64_t logged;
    guint next; /* of the log's events */
};

struct work {
    const struct tcgrr_rrlog *log;
    struct kind kinds[TCGRR_RRLOG_EXCEPTION + 1]; /* by enum tcgrr_rrlog_kind */
    uint64_t removed;
    tcgrr_icount last;
    bool ordered;
};

/* The log has a word for interrupts, and one for everything else. */
static enum tcgrr_rrlog_kind logged_as(const struct tcgrr_event *event)
{
    return event->kind == TCGRR_EVENT_INTERRUPT ? TCGRR_RRLOG_INTERRUPT : TCGRR_RRLOG_EXCEPTION;
}

/* Where the next event of this kind came; TCGRR_NO_ICOUNT if that is not certain. */
static tcgrr_icount next_place(struct work *work, enum tcgrr_rrlog_kind kind)
{
    const GArray *events = work->log->events;
    struct kind *of = &work->kinds[kind];

    if (of->reported != of->logged) {
        return TCGRR_NO_ICOUNT;
    }
    while (g_array_index(events, struct tcgrr_rrlog_event, of->next).kind != kind) {
        of->next++;
    }
    return g_array_index(events, struct tcgrr_rrlog_event, of->next++).icount;
}

static enum tcgrr_event_change count(struct tcgrr_event *event, void *data)
{
    struct work *work = data;
    work->kinds[logged_as(event)].reported += event->icount == TCGRR_NO_ICOUNT;
    return TCGRR_EVENT_KEEP;
}

static enum tcgrr_event_change check_order(struct tcgrr_event *event, void *data)
{
    struct work *work = data;
    tcgrr_icount place = event->icount == TCGRR_NO_ICOUNT ? next_place(work, logged_as(event)) : event->icount;
    if (place != TCGRR_NO_ICOUNT) {
        work->ordered = work->ordered && place >= work->last;
        work->last = place;
    }
    return TCGRR_EVENT_KEEP;
}

static enum tcgrr_event_change place(struct tcgrr_event *event, void *data)
{
    struct work *work = data;
    if (event->icount != TCGRR_NO_ICOUNT) {
        return TCGRR_EVENT_KEEP;
    }
    event->icount = work->ordered ? next_place(work, logged_as(event)) : TCGRR_NO_ICOUNT;
    if (event->icount == TCGRR_NO_ICOUNT) {
        work->removed++;
        return TCGRR_EVENT_REMOVE;
    }
    return event->icount > work->log->run_end ? TCGRR_EVENT_REMOVE : TCGRR_EVENT_CHANGE;
}

static bool go_through(struct tcgrr_writer *writer, struct work *work,
                       enum tcgrr_event_change (*change)(struct tcgrr_event *, void *), GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(work->kinds); i++) {
        work->kinds[i].next = 0;
    }
    return tcgrr_writer_change_events(writer, 0, change, work, error);
}

bool tcgrr_place_events(struct tcgrr_writer *writer, const struct tcgrr_rrlog *log, GError **error)
{
    struct work work = {.log = log, .ordered = log->complete};

    for (guint i = 0; i < log->events->len; i++) {
        work.kinds[g_array_index(log->events, struct tcgrr_rrlog_event, i).kind].logged++;
    }
    if (!go_through(writer, &work, count, error) || !go_through(writer, &work, check_order, error) ||
        !go_through(writer, &work, place, error)) {
        return false;
    }
    g_autofree char *text = g_strdup_printf(
        "%" G_GUINT64_FORMAT " events are left out, because QEMU's rr log does not say where they came; tcgrr fill "
        "--level flow has them",
        work.removed);
    return work.removed == 0 || tcgrr_writer_note(writer, text, error);
}
