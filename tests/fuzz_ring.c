/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for the reading end of the ring: the first byte chooses the target and what it reports, and whether the
 * rest are the words that a plugin wrote or the ring's raw content. Whatever they are, the chunks that come out must
 * be sound.
 */
#include "emu/live/live.h"
#include "emu/plugin/ring.h"
#include "store/error.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_BYTES (128u << 10)
#define CAPACITY   64 /* small, so that chunks end often */
#define PACKED     0x80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void introduce(struct tcgrr_wire_header *header, uint8_t choice)
{
    static const char *const targets[] = {"aarch64", "arm", "riscv64", "x86_64", "i386", "riscv32", "m68k", ""};
    strcpy(header->target, targets[choice & 7]);
    header->api = 4;
    header->system = 1;
    header->vcpus = 1;
    header->features = (choice & ~PACKED) >> 3;
    atomic_store_explicit(&header->state, TCGRR_WIRE_RUNNING, memory_order_release);
}

/* The chunk's totals are those of its executions, and its parts are in order. */
static void check_chunk(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks)
{
    tcgrr_icount icount = chunk->end_icount;
    uint64_t flow = chunk->end_flow;
    guint checkpoints = chunk->checkpoints->len;

    for (uint32_t i = 0; i < chunk->count; i++) {
        if (chunk->blocks[i] >= tcgrr_blocks_count(blocks)) {
            abort();
        }
    }
    for (guint i = 0; i < chunk->partials->len; i++) {
        const struct tcgrr_partial *partial = &g_array_index(chunk->partials, struct tcgrr_partial, i);
        uint32_t insns = tcgrr_blocks_get(blocks, chunk->blocks[partial->index])->insns;
        if (partial->index >= chunk->count || partial->ran >= insns || partial->counted < partial->ran ||
            partial->counted > insns) {
            abort();
        }
    }
    for (guint i = 0; i < chunk->samples->list->len; i++) {
        const struct tcgrr_sample *sample = &g_array_index(chunk->samples->list, struct tcgrr_sample, i);
        if (sample->exec >= chunk->count || (i > 0 && sample->exec <= sample[-1].exec)) {
            abort();
        }
    }
    if (!tcgrr_chunk_place_samples(chunk, blocks)) {
        abort();
    }
    tcgrr_chunk_compute(chunk, blocks);
    if (chunk->end_icount != icount || chunk->end_flow != flow || chunk->checkpoints->len != checkpoints) {
        abort();
    }
}

static void read_all(struct tcgrr_live *live)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    GError *error = NULL;

    tcgrr_chunk_follow(chunk, NULL);
    tcgrr_live_gone(live);
    while (end == TCGRR_LIVE_RUNS && tcgrr_live_next(live, chunk, 1000, &end, &error)) {
        check_chunk(chunk, tcgrr_live_blocks(live));
        tcgrr_chunk_follow(chunk, chunk);
    }
    if (error && !g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED)) {
        abort();
    }
    g_clear_error(&error);
    tcgrr_chunk_free(chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tcgrr_live *live = size > 0 ? tcgrr_live_new(RING_BYTES, NULL) : NULL;
    struct tcgrr_ring ring;

    if (!live || tcgrr_ring_attach(&ring, dup(tcgrr_live_fd(live)), false)) {
        tcgrr_live_free(live);
        return 0;
    }
    introduce(ring.header, data[0]);
    size_t words = MIN((size - 1) / sizeof(uint32_t), TCGRR_WIRE_RESERVE_WORDS);
    if (data[0] & PACKED) {
        memcpy(ring.words, data + 1, words * sizeof(uint32_t));
        atomic_store_explicit(&ring.header->head, words, memory_order_release);
    } else {
        memcpy(tcgrr_ring_space(&ring), data + 1, words * sizeof(uint32_t));
        tcgrr_ring_publish(&ring, words);
    }
    read_all(live);
    tcgrr_live_free(live);
    tcgrr_ring_close(&ring);
    return 0;
}
