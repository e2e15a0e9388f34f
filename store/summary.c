/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/summary.h"

#include "store/codec/packed.h"
#include "store/codec/varint.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PLAIN (TCGRR_CHUNK_EXECS * 30ull) /* each of three numbers of a use takes at most 10 bytes */

static int by_block(const void *a, const void *b)
{
    const struct tcgrr_block_use *left = a;
    const struct tcgrr_block_use *right = b;
    return left->block < right->block ? -1 : left->block > right->block;
}

static struct tcgrr_block_use *find(const GArray *uses, uint32_t block)
{
    struct tcgrr_block_use key = {.block = block};
    return bsearch(&key, uses->data, uses->len, sizeof(key), by_block);
}

void tcgrr_summary_collect(const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *table, GArray *counts,
                           GArray *uses)
{
    g_array_set_size(uses, 0);
    if (counts->len < chunk->end_blocks) {
        guint before = counts->len;
        g_array_set_size(counts, chunk->end_blocks);
        memset(&g_array_index(counts, uint32_t, before), 0, (counts->len - before) * sizeof(uint32_t));
    }
    uint32_t *count = (uint32_t *)(void *)counts->data;
    for (uint32_t i = 0; i < chunk->count; i++) {
        if (count[chunk->blocks[i]]++ == 0) {
            struct tcgrr_block_use use = {.block = chunk->blocks[i]};
            g_array_append_val(uses, use);
        }
    }
    if (uses->len > 1) {
        qsort(uses->data, uses->len, sizeof(struct tcgrr_block_use), by_block);
    }
    for (guint i = 0; i < uses->len; i++) {
        struct tcgrr_block_use *use = &g_array_index(uses, struct tcgrr_block_use, i);
        use->execs = count[use->block];
        count[use->block] = 0;
    }
    for (guint i = 0; i < chunk->partials->len; i++) {
        const struct tcgrr_partial *partial = &g_array_index(chunk->partials, struct tcgrr_partial, i);
        uint32_t block = chunk->blocks[partial->index];
        find(uses, block)->lost += tcgrr_blocks_get(table, block)->insns - partial->ran;
    }
}

/* How many; the distances of the numbers; how often each; then, for those that lost any, distance in the list and how
 * many. */
void tcgrr_summary_encode(const GArray *uses, GByteArray *scratch, GByteArray *out)
{
    const struct tcgrr_block_use *use = (const struct tcgrr_block_use *)(const void *)uses->data;
    uint32_t before = 0;

    g_byte_array_set_size(scratch, 0);
    tcgrr_varint_put(scratch, uses->len);
    for (guint i = 0; i < uses->len; before = use[i++].block) {
        tcgrr_varint_put(scratch, use[i].block - before);
    }
    for (guint i = 0; i < uses->len; i++) {
        tcgrr_varint_put(scratch, use[i].execs);
    }
    before = 0;
    for (guint i = 0; i < uses->len; i++) {
        if (use[i].lost) {
            tcgrr_varint_put(scratch, i - before);
            tcgrr_varint_put(scratch, use[i].lost);
            before = i;
        }
    }
    tcgrr_packed_write(scratch, out);
}

static bool take_lost(const uint8_t **at, const uint8_t *end, GArray *uses)
{
    uint64_t index = 0;
    uint64_t distance;
    uint64_t lost;

    while (*at < end) {
        if (!tcgrr_varint_take(at, end, &distance) || !tcgrr_varint_take(at, end, &lost) ||
            distance >= uses->len - index) {
            return false;
        }
        index += distance;
        g_array_index(uses, struct tcgrr_block_use, index).lost = lost;
    }
    return true;
}

bool tcgrr_summary_decode(const void *blob, size_t size, GByteArray *scratch, GArray *uses)
{
    uint64_t count;
    uint64_t value;
    uint64_t block = 0;

    g_array_set_size(uses, 0);
    if (!tcgrr_packed_read(blob, size, MAX_PLAIN, scratch)) {
        return false;
    }
    const uint8_t *at = scratch->data;
    const uint8_t *end = at + scratch->len;
    if (!tcgrr_varint_take(&at, end, &count) || count > TCGRR_CHUNK_EXECS) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!tcgrr_varint_take(&at, end, &value) || value > TCGRR_MAX_BLOCKS || (i > 0 && value == 0)) {
            return false;
        }
        block += value;
        struct tcgrr_block_use use = {.block = (uint32_t)block};
        g_array_append_val(uses, use);
        if (block >= TCGRR_MAX_BLOCKS) {
            return false;
        }
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!tcgrr_varint_take(&at, end, &value) || value == 0 || value > TCGRR_CHUNK_EXECS) {
            return false;
        }
        g_array_index(uses, struct tcgrr_block_use, i).execs = (uint32_t)value;
    }
    return take_lost(&at, end, uses);
}
