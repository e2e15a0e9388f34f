/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window that was derived from a keyframe is as reliable as that keyframe. The replay of the window before it passed
 * the same place without the keyframe, and ran on into the window: there both must hold the same and have done the
 * same. So each window is as reliable as the one before it, and the first one was derived from the start.
 */
#include "replay/fill_internal.h"

#include "emu/qemu/machine_digest.h"
#include "lockstep/run_source.h"
#include "store/error.h"

/* Where the earlier window's replay is stopped, it does not see everything that happens. */
#define EVENTS (TCGRR_FILL_OVERLAP / 2)

static bool contradict(const struct tcgrr_fill_source *a, const struct tcgrr_fill_source *b, const char *what,
                       tcgrr_icount icount, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                "%s and %s contradict each other in %s at icount %" G_GUINT64_FORMAT
                ": a keyframe is wrong; drop the keyframes (tcgrr keyframes --drop) and derive both again",
                tcgrr_reader_path(a->reader), tcgrr_reader_path(b->reader), what, icount);
    return false;
}

/* Whether two that were at the same place held the same there. */
static bool check_place(const struct tcgrr_fill_source *a, const struct tcgrr_fill_source *b,
                        const struct tcgrr_fill_place *there, GError **error)
{
    const struct tcgrr_fill_place *began = &b->what.began;

    if (there->icount == 0 || there->icount != began->icount || tcgrr_machine_digest_same(there->state, began->state)) {
        return true;
    }
    return contradict(a, b, "registers or memory", began->icount, error);
}

static void keep_event(const struct tcgrr_event *event, void *data)
{
    if (event->kind == TCGRR_EVENT_INTERRUPT || event->kind == TCGRR_EVENT_EXCEPTION) {
        g_array_append_val((GArray *)data, *event);
    }
}

static bool same_event(const struct tcgrr_event *a, const struct tcgrr_event *b)
{
    return a->kind == b->kind && a->icount == b->icount && a->vcpu == b->vcpu && a->to_pc == b->to_pc;
}

static bool check_events(const struct tcgrr_fill_source *a, const struct tcgrr_fill_source *b, tcgrr_icount from,
                         tcgrr_icount to, GError **error)
{
    g_autoptr(GArray) theirs = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    g_autoptr(GArray) ours = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));

    if (!tcgrr_reader_events(a->reader, from, to, keep_event, ours, error) ||
        !tcgrr_reader_events(b->reader, from, to, keep_event, theirs, error)) {
        return false;
    }
    bool same = ours->len == theirs->len;
    for (guint i = 0; same && i < ours->len; i++) {
        same = same_event(&g_array_index(ours, struct tcgrr_event, i), &g_array_index(theirs, struct tcgrr_event, i));
    }
    return same || contradict(a, b, "events", from, error);
}

/* `from` is not 0. *flow: of its instructions from there up to `to`. */
static bool find_flow(const struct tcgrr_fill_source *source, tcgrr_icount from, tcgrr_icount to, uint64_t *flow,
                      GError **error)
{
    struct tcgrr_run_source *side = tcgrr_run_source_stored(source->reader, error);
    struct tcgrr_run_source_position position = {0};
    bool good = side && side->ops->advance(side, from, to, &position, error);

    *flow = position.flow;
    if (side) {
        side->ops->free(side);
    }
    return good;
}

/* Whether `a`, which ran on into the window `b`, did what that did. */
static bool check_overlap(const struct tcgrr_fill_source *a, const struct tcgrr_fill_source *b, GError **error)
{
    tcgrr_icount from = b->what.span.first;
    tcgrr_icount to = MIN(from + TCGRR_FILL_OVERLAP, b->what.span.end);
    uint64_t flows[2];

    to = MIN(to, MIN(tcgrr_reader_run(a->reader)->icount, tcgrr_reader_run(b->reader)->icount));
    if (from == 0 || a->what.span.end != from || to <= from) {
        return true;
    }
    if (!find_flow(a, from, to, &flows[0], error) || !find_flow(b, from, to, &flows[1], error)) {
        return false;
    }
    if (flows[0] != flows[1]) {
        return contradict(a, b, "what ran", from, error);
    }
    return check_events(a, b, from, MIN(to, from + EVENTS) - 1, error);
}

bool tcgrr_fill_check(const GArray *sources, GError **error)
{
    for (guint i = 0; i < sources->len; i++) {
        const struct tcgrr_fill_source *a = &g_array_index(sources, struct tcgrr_fill_source, i);
        for (guint k = 0; k < sources->len; k++) {
            const struct tcgrr_fill_source *b = &g_array_index(sources, struct tcgrr_fill_source, k);
            if (a != b && (!check_place(a, b, &a->what.passed, error) || !check_place(a, b, &a->what.began, error) ||
                           !check_overlap(a, b, error))) {
                return false;
            }
        }
    }
    return true;
}
