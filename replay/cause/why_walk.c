/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/why_internal.h"

#include "replay/cause/lookahead.h"
#include "store/error.h"

#define WINDOW                                                                                                         \
    48 /* instructions before a writer that are stepped through with it: others of the slice are often there */

const struct tcgrr_stop *tcgrr_slice_stop_at(const GPtrArray *stops, guint i)
{
    /* The caller has checked that there are any. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    return g_ptr_array_index(stops, i);
}

/* The stops before and after the instruction that retires as number `icount`. */
bool tcgrr_slice_find_stops(const struct tcgrr_slice *slice, tcgrr_icount icount, const struct tcgrr_stop *around[2])
{
    for (guint k = 0; k < slice->stretches->len; k++) {
        const GPtrArray *stops = g_ptr_array_index(slice->stretches, k);
        for (guint i = 0; i + 1 < stops->len; i++) {
            if (tcgrr_slice_stop_at(stops, i)->moment == icount && tcgrr_slice_stop_at(stops, i + 1)->moment > icount) {
                around[0] = tcgrr_slice_stop_at(stops, i);
                around[1] = tcgrr_slice_stop_at(stops, i + 1);
                return true;
            }
        }
    }
    return false;
}

/* The stretches around some instructions, latest first, one after the other. */
static bool plan(struct tcgrr_slice *slice, const GArray *icounts, GArray *segments, GError **error)
{
    for (guint i = icounts->len; i > 0; i--) {
        tcgrr_icount icount = g_array_index(icounts, tcgrr_icount, i - 1);
        struct tcgrr_segment segment = {.to = icount, .more = 1, .watch = {slice->watched, slice->nowhere}};
        if (!tcgrr_replay_pair_quiet(slice->pair, icount - MIN(icount, WINDOW), &segment.from, error)) {
            return false;
        }
        struct tcgrr_segment *last =
            segments->len > 0 ? &g_array_index(segments, struct tcgrr_segment, segments->len - 1) : NULL;
        if (last && segment.from <= last->to + WINDOW) {
            last->to = icount;
        } else {
            g_array_append_val(segments, segment);
        }
    }
    return true;
}

/* Steps through all of these instructions, latest first, in one replay. */
bool tcgrr_slice_walk(struct tcgrr_slice *slice, const GArray *icounts, GError **error)
{
    g_autoptr(GArray) segments = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_segment));

    g_ptr_array_set_size(slice->stretches, 0);
    if (!plan(slice, icounts, segments, error) ||
        !tcgrr_replay_pair_walk_alone(slice->pair, (struct tcgrr_segment *)segments->data, segments->len, error)) {
        return false;
    }
    for (guint i = 0; i < segments->len; i++) {
        g_ptr_array_add(slice->stretches, g_array_index(segments, struct tcgrr_segment, i).stops[0]);
    }
    return true;
}

/* Where the slice will probably go from instruction `icount`, and there first; as far as the same keyframe reaches. */
static GArray *look_ahead(struct tcgrr_slice *slice, tcgrr_icount icount, GError **error)
{
    g_autoptr(GArray) writers = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));
    struct tcgrr_lookahead lookahead = {
        .pair = slice->pair,
        .reader = slice->options->reader,
        .log = slice->log,
        .state = slice->state,
        .from = tcgrr_replay_pair_keyframe(slice->pair, 0, icount).icount,
        .writers = writers,
    };
    unsigned done = slice->why->steps->len;

    g_array_append_val(writers, icount);
    for (guint i = 0; i < slice->open->len; i++) {
        const struct tcgrr_slice_use *use = &g_array_index(slice->open, struct tcgrr_slice_use, i);
        if (use->known && use->writer >= lookahead.from) {
            g_array_append_val(writers, use->writer);
        } else if (!use->known && !use->memory &&
                   !tcgrr_lookahead_add_writer(&lookahead, use->index, use->before, error)) {
            return NULL;
        }
    }
    return tcgrr_lookahead_take(&lookahead, MAX(slice->options->depth, done + 1) - done, error);
}

/* A guess that leads nowhere is no reason to fail. */
static bool walk_ahead(struct tcgrr_slice *slice, GArray *icounts, GError **error)
{
    GError *problem = NULL;

    if (tcgrr_slice_walk(slice, icounts, &problem)) {
        return true;
    }
    if (icounts->len > 1 && problem->code != TCGRR_ERROR_STOPPED) {
        g_clear_error(&problem);
        g_array_set_size(icounts, 1);
        return tcgrr_slice_walk(slice, icounts, error);
    }
    g_propagate_error(error, problem);
    return false;
}

bool tcgrr_slice_step_through(struct tcgrr_slice *slice, tcgrr_icount icount, const struct tcgrr_stop *around[2],
                              GError **error)
{
    if (tcgrr_slice_find_stops(slice, icount, around)) {
        return true;
    }
    tcgrr_slice_say(slice, "stepping", icount);
    g_autoptr(GArray) icounts = look_ahead(slice, icount, error);
    if (!icounts || !walk_ahead(slice, icounts, error)) {
        return false;
    }
    if (!tcgrr_slice_find_stops(slice, icount, around)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "instruction %" G_GUINT64_FORMAT
                    " does not run when it is stepped through: the replay is not exact",
                    icount);
        return false;
    }
    return true;
}
