/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/chunk.h"

struct tcgrr_chunk *tcgrr_chunk_new(uint32_t capacity)
{
    struct tcgrr_chunk *chunk = g_new0(struct tcgrr_chunk, 1);
    chunk->capacity = capacity;
    chunk->room = capacity;
    chunk->blocks = g_new(uint32_t, capacity);
    chunk->partials = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_partial));
    chunk->switches = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_switch));
    chunk->events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    chunk->checkpoints = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_checkpoint));
    chunk->samples = tcgrr_samples_new();
    chunk->accesses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_access));
    chunk->devices = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_device));
    return chunk;
}

void tcgrr_chunk_free(struct tcgrr_chunk *chunk)
{
    if (!chunk) {
        return;
    }
    g_free(chunk->blocks);
    g_array_unref(chunk->partials);
    g_array_unref(chunk->switches);
    g_array_unref(chunk->events);
    g_array_unref(chunk->checkpoints);
    tcgrr_samples_free(chunk->samples);
    g_array_unref(chunk->accesses);
    g_array_unref(chunk->devices);
    g_free(chunk);
}

static tcgrr_vcpu last_vcpu(const struct tcgrr_chunk *chunk)
{
    const GArray *switches = chunk->switches;
    return switches->len ? g_array_index(switches, struct tcgrr_switch, switches->len - 1).vcpu : chunk->vcpu;
}

void tcgrr_chunk_follow(struct tcgrr_chunk *chunk, const struct tcgrr_chunk *before)
{
    chunk->vcpu = before ? last_vcpu(before) : 0;
    chunk->first_seq = before ? before->first_seq + before->count : 0;
    chunk->first_icount = before ? before->end_icount : 0;
    chunk->first_flow = before ? before->end_flow : 0;
    chunk->end_blocks = before ? before->end_blocks : 0;
    chunk->end_icount = chunk->first_icount;
    chunk->end_flow = chunk->first_flow;
    chunk->count = 0;
    chunk->capacity = chunk->room;
    g_array_set_size(chunk->partials, 0);
    g_array_set_size(chunk->switches, 0);
    g_array_set_size(chunk->events, 0);
    g_array_set_size(chunk->checkpoints, 0);
    tcgrr_samples_clear(chunk->samples);
    g_array_set_size(chunk->accesses, 0);
    g_array_set_size(chunk->devices, 0);
}

bool tcgrr_chunk_is_empty(const struct tcgrr_chunk *chunk)
{
    return chunk->count == 0 && chunk->events->len == 0 && chunk->checkpoints->len == 0;
}

void tcgrr_chunk_compute(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *table)
{
    struct tcgrr_cursor cursor;
    uint64_t flow = chunk->first_flow;
    tcgrr_icount next = (chunk->first_icount / TCGRR_CHECKPOINT_STEP + 1) * TCGRR_CHECKPOINT_STEP;
    tcgrr_icount icount = chunk->first_icount;

    g_array_set_size(chunk->checkpoints, 0);
    for (bool more = tcgrr_cursor_begin(&cursor, chunk, table); more; more = tcgrr_cursor_next(&cursor)) {
        icount = cursor.icount + cursor.counted;
        while (icount >= next) {
            uint32_t inside = (uint32_t)MIN(next - cursor.icount, cursor.ran);
            struct tcgrr_checkpoint checkpoint = {.icount = next,
                                                  .flow = tcgrr_block_append(flow, cursor.block, inside)};
            g_array_append_val(chunk->checkpoints, checkpoint);
            next += TCGRR_CHECKPOINT_STEP;
        }
        flow = tcgrr_block_append(flow, cursor.block, cursor.ran);
    }
    chunk->end_icount = icount;
    chunk->end_flow = flow;
}

bool tcgrr_chunk_place_samples(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *table)
{
    struct tcgrr_cursor cursor;
    bool placed = true;
    bool more = tcgrr_cursor_begin(&cursor, chunk, table);

    for (guint i = 0; i < chunk->samples->list->len; i++) {
        struct tcgrr_sample *sample = &g_array_index(chunk->samples->list, struct tcgrr_sample, i);
        while (more && cursor.index < sample->exec) {
            more = tcgrr_cursor_next(&cursor);
        }
        placed = placed && more && sample->icount == cursor.icount;
        sample->icount = cursor.icount;
    }
    return placed;
}
