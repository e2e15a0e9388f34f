/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/side_internal.h"

#include "store/error.h"

/*
 * A stretch reaches back at most two checkpoints before the position, so three intervals must be at hand. An interval
 * has at most as many executions as instructions, save for those that retired nothing; the chunks hold four times that.
 */
#define KEPT_CHUNKS 8
#define KEPT_EXECS  (128u * 1024)
#define PUMP_MS     5
#define PROGRESS_US 200000
#define SETTLE_US   50000 /* without anything new for so long, a QEMU that was stopped has told everything */

struct live_side {
    struct tcgrr_side base; /* must be first */
    struct tcgrr_session *session;
    struct tcgrr_side_live_options options;
    struct tcgrr_chunk *chunks[KEPT_CHUNKS]; /* a ring; `current` is being filled */
    unsigned current;
    enum tcgrr_live_end end;
    bool hung;
    bool stopped;
    gint64 moved; /* when it last made progress */
    gint64 told;
    tcgrr_icount moved_icount;
    GQueue checkpoints; /* struct tcgrr_checkpoint *, those not yet asked for */
};

static void take_checkpoints(struct live_side *live, struct tcgrr_chunk *chunk)
{
    for (guint i = 0; i < chunk->checkpoints->len; i++) {
        g_queue_push_tail(&live->checkpoints, g_memdup2(&g_array_index(chunk->checkpoints, struct tcgrr_checkpoint, i),
                                                        sizeof(struct tcgrr_checkpoint)));
    }
    g_array_set_size(chunk->checkpoints, 0);
    g_array_set_size(chunk->events, 0);
}

static void watch_progress(struct live_side *live, struct tcgrr_chunk *chunk)
{
    gint64 now = g_get_monotonic_time();
    if (chunk->end_icount != live->moved_icount) {
        live->moved_icount = chunk->end_icount;
        live->moved = now;
    }
    live->hung = now - live->moved > (gint64)live->options.hang_ms * 1000;
    live->stopped = now - live->moved > SETTLE_US && live->options.paused && live->options.paused(live->session);
    if (live->stopped) {
        tcgrr_live_stand_at(tcgrr_session_live(live->session), chunk, live->options.stop_at);
    }
    if (live->options.progress && now - live->told > PROGRESS_US) {
        live->told = now;
        live->options.progress(chunk->end_icount, live->options.data);
    }
}

/* Reads a little more of the run. */
static bool pump(struct live_side *live, GError **error)
{
    struct tcgrr_chunk *chunk = live->chunks[live->current];

    if (live->options.stop && *live->options.stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted at icount %" G_GUINT64_FORMAT,
                    chunk->end_icount);
        return false;
    }
    if (chunk->count == chunk->capacity) {
        live->current = (live->current + 1) % KEPT_CHUNKS;
        tcgrr_chunk_follow(live->chunks[live->current], chunk);
        chunk = live->chunks[live->current];
    }
    if (!tcgrr_session_next(live->session, chunk, PUMP_MS, &live->end, error)) {
        return false;
    }
    watch_progress(live, chunk);
    take_checkpoints(live, chunk);
    return true;
}

static bool over(const struct live_side *live)
{
    return live->end != TCGRR_LIVE_RUNS || live->hung || live->stopped;
}

static enum tcgrr_side_state end_state(const struct live_side *live)
{
    if (live->stopped) {
        return TCGRR_SIDE_STOPPED;
    }
    if (live->hung || live->end != TCGRR_LIVE_FINISHED) {
        return live->hung ? TCGRR_SIDE_HUNG : TCGRR_SIDE_CUT;
    }
    return tcgrr_session_guest_shutdown(live->session) ? TCGRR_SIDE_SHUTDOWN : TCGRR_SIDE_ENDED;
}

static bool advance(struct tcgrr_side *side, tcgrr_icount icount, struct tcgrr_side_position *position, GError **error)
{
    struct live_side *live = (struct live_side *)side;

    for (;;) {
        struct tcgrr_checkpoint *next = g_queue_peek_head(&live->checkpoints);
        if (next && next->icount >= icount) {
            *position = (struct tcgrr_side_position){TCGRR_SIDE_REACHED, next->icount, next->flow};
            return true;
        }
        if (next) {
            g_free(g_queue_pop_head(&live->checkpoints));
        } else if (over(live)) {
            const struct tcgrr_chunk *chunk = live->chunks[live->current];
            *position = (struct tcgrr_side_position){end_state(live), chunk->end_icount, chunk->end_flow};
            return true;
        } else if (!pump(live, error)) {
            return false;
        }
    }
}

void tcgrr_side_append_execs(const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, tcgrr_icount from,
                             tcgrr_icount to, GArray *execs)
{
    struct tcgrr_cursor cursor;
    for (bool more = tcgrr_cursor_begin(&cursor, chunk, blocks); more && cursor.icount < to;
         more = tcgrr_cursor_next(&cursor)) {
        if (cursor.icount + cursor.counted > from || (cursor.counted == 0 && cursor.icount >= from)) {
            struct tcgrr_exec exec = {cursor.block, cursor.ran, cursor.counted, cursor.vcpu, cursor.icount};
            g_array_append_val(execs, exec);
        }
    }
}

static bool stretch(struct tcgrr_side *side, tcgrr_icount from, tcgrr_icount to, GArray *execs, GError **error)
{
    struct live_side *live = (struct live_side *)side;
    const struct tcgrr_blocks *blocks = tcgrr_live_blocks(tcgrr_session_live(live->session));

    while (live->chunks[live->current]->end_icount < to && !over(live)) {
        if (!pump(live, error)) {
            return false;
        }
    }
    g_array_set_size(execs, 0);
    for (unsigned i = 1; i <= KEPT_CHUNKS; i++) {
        tcgrr_side_append_execs(live->chunks[(live->current + i) % KEPT_CHUNKS], blocks, from, to, execs);
    }
    return true;
}

static void free_live(struct tcgrr_side *side)
{
    struct live_side *live = (struct live_side *)side;
    for (int i = 0; i < KEPT_CHUNKS; i++) {
        tcgrr_chunk_free(live->chunks[i]);
    }
    g_queue_clear_full(&live->checkpoints, g_free);
    g_free(live);
}

static const struct tcgrr_side_ops live_ops = {advance, stretch, free_live};

struct tcgrr_side *tcgrr_side_live(struct tcgrr_session *session, const struct tcgrr_side_live_options *options)
{
    struct live_side *live = g_new0(struct live_side, 1);
    live->base.ops = &live_ops;
    live->session = session;
    live->options = *options;
    live->moved = g_get_monotonic_time();
    g_queue_init(&live->checkpoints);
    for (int i = 0; i < KEPT_CHUNKS; i++) {
        live->chunks[i] = tcgrr_chunk_new(KEPT_EXECS);
        tcgrr_chunk_follow(live->chunks[i], NULL);
    }
    return &live->base;
}
