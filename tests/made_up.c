/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/made_up.h"

#include "lockstep/run_source_internal.h"

struct tcgrr_cursor made_up_start(const struct made_up *run)
{
    struct tcgrr_cursor cursor;
    tcgrr_cursor_begin(&cursor, run->chunk, run->blocks);
    return cursor;
}

static bool advance(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                    struct tcgrr_run_source_position *position, GError **error)
{
    const struct made_up *run = (struct made_up *)side;
    tcgrr_icount end = run->chunk->end_icount;

    *position = (struct tcgrr_run_source_position){to <= end ? TCGRR_SOURCE_REACHED : run->end, MIN(to, end), 0};
    position->flow = tcgrr_run_source_digest(made_up_start(run), from, position->icount, 0) ^ (to >= run->damaged);
    return true;
}

static bool stretch(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_stretch *stretch,
                    GError **error)
{
    const struct made_up *run = (struct made_up *)side;
    const GArray *events = run->chunk->events;

    g_array_set_size(stretch->execs, 0);
    g_array_set_size(stretch->events, 0);
    tcgrr_run_source_append_execs(made_up_start(run), from, to, stretch->execs);
    for (guint i = 0; i < events->len; i++) {
        const struct tcgrr_event *event = &g_array_index(events, struct tcgrr_event, i);
        if (event->icount >= from && event->icount <= to) {
            g_array_append_val(stretch->events, *event);
        }
    }
    return true;
}

static bool find(struct tcgrr_run_source *side, uint64_t pc, tcgrr_icount from, tcgrr_icount to, tcgrr_icount *icount,
                 bool *found, GError **error)
{
    *found = tcgrr_run_source_find(made_up_start((struct made_up *)side), pc, from, to, icount);
    return true;
}

static void free_run(struct tcgrr_run_source *side)
{
    struct made_up *run = (struct made_up *)side;
    g_clear_pointer(&run->script, g_array_unref);
    tcgrr_blocks_free(run->blocks);
    tcgrr_chunk_free(run->chunk);
    g_free(run);
}

static const struct tcgrr_run_source_ops ops = {.advance = advance, .stretch = stretch, .find = find, .free = free_run};

void made_up_reset(struct made_up *run)
{
    tcgrr_chunk_follow(run->chunk, NULL);
    tcgrr_blocks_free(run->blocks);
    run->blocks = tcgrr_blocks_new();
}

struct made_up *made_up_new(uint32_t capacity, enum tcgrr_run_source_state end)
{
    struct made_up *run = g_new0(struct made_up, 1);
    run->base.ops = &ops;
    run->end = end;
    run->damaged = UINT64_MAX;
    run->blocks = tcgrr_blocks_new();
    run->chunk = tcgrr_chunk_new(capacity);
    tcgrr_chunk_follow(run->chunk, NULL);
    return run;
}
