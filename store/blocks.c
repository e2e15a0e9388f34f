/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/blocks.h"

#include "store/digest.h"
#include "store/error.h"

#include <string.h>
#include <xxhash.h>

/* Blocks live in segments that never move; their bytes in larger pieces of a string chunk. */
#define SEGMENT_BITS   12
#define SEGMENT_BLOCKS (1u << SEGMENT_BITS)
#define SEGMENTS       (TCGRR_MAX_BLOCKS >> SEGMENT_BITS)
#define BYTES_PIECE    (256 * 1024)

struct tcgrr_blocks {
    struct tcgrr_block *segments[SEGMENTS];
    uint32_t count;
    GHashTable *by_hash; /* &block.hash → number + 1 */
    GPtrArray *pieces;   /* of bytes */
    size_t piece_used;
};

struct tcgrr_blocks *tcgrr_blocks_new(void)
{
    struct tcgrr_blocks *blocks = g_new0(struct tcgrr_blocks, 1);
    blocks->by_hash = g_hash_table_new(g_int64_hash, g_int64_equal);
    blocks->pieces = g_ptr_array_new_with_free_func(g_free);
    blocks->piece_used = BYTES_PIECE;
    return blocks;
}

void tcgrr_blocks_free(struct tcgrr_blocks *blocks)
{
    if (!blocks) {
        return;
    }
    for (uint32_t i = 0; i < SEGMENTS && i << SEGMENT_BITS < blocks->count; i++) {
        g_free(blocks->segments[i]);
    }
    g_hash_table_destroy(blocks->by_hash);
    g_ptr_array_unref(blocks->pieces);
    g_free(blocks);
}

uint32_t tcgrr_blocks_count(const struct tcgrr_blocks *blocks)
{
    return blocks->count;
}

const struct tcgrr_block *tcgrr_blocks_get(const struct tcgrr_blocks *blocks, uint32_t number)
{
    return &blocks->segments[number >> SEGMENT_BITS][number & (SEGMENT_BLOCKS - 1)];
}

static uint8_t *take_bytes(struct tcgrr_blocks *blocks, size_t size)
{
    if (blocks->piece_used + size > BYTES_PIECE) {
        g_ptr_array_add(blocks->pieces, g_malloc(MAX(size, BYTES_PIECE)));
        blocks->piece_used = 0;
    }
    uint8_t *piece = g_ptr_array_index(blocks->pieces, blocks->pieces->len - 1);
    uint8_t *bytes = piece + blocks->piece_used;
    blocks->piece_used += size;
    return bytes;
}

static bool same(const struct tcgrr_block *block, uint64_t pc, uint32_t insns, const uint8_t *lengths, uint32_t size,
                 const uint8_t *bytes)
{
    return block->pc == pc && block->insns == insns && block->size == size &&
           memcmp(block->lengths, lengths, insns) == 0 && memcmp(block->bytes, bytes, size) == 0;
}

static uint64_t content_hash(uint64_t pc, uint32_t insns, const uint8_t *lengths, uint32_t size, const uint8_t *bytes)
{
    uint64_t of_lengths = XXH3_64bits_withSeed(lengths, insns, pc);
    return XXH3_64bits_withSeed(bytes, size, of_lengths);
}

static void fill(struct tcgrr_blocks *blocks, struct tcgrr_block *block, const struct tcgrr_block *content)
{
    uint8_t *copy = take_bytes(blocks, content->insns + content->size);
    memcpy(copy, content->lengths, content->insns);
    memcpy(copy + content->insns, content->bytes, content->size);
    *block = *content;
    block->lengths = copy;
    block->bytes = copy + content->insns;
    block->sum = tcgrr_block_prefix(block, block->insns);
    block->power = tcgrr_digest_power(block->insns);
}

static struct tcgrr_block *place(struct tcgrr_blocks *blocks, uint32_t number)
{
    struct tcgrr_block **segment = &blocks->segments[number >> SEGMENT_BITS];
    if (!*segment) {
        *segment = g_new0(struct tcgrr_block, SEGMENT_BLOCKS);
    }
    return *segment + (number & (SEGMENT_BLOCKS - 1));
}

static uint32_t append(struct tcgrr_blocks *blocks, const struct tcgrr_block *content)
{
    uint32_t number = blocks->count++;
    struct tcgrr_block *block = place(blocks, number);
    fill(blocks, block, content);
    /* Two contents with one hash: the first keeps the entry, the second is never found and gets a new number each time.
     * */
    if (!g_hash_table_contains(blocks->by_hash, &block->hash)) {
        g_hash_table_insert(blocks->by_hash, &block->hash, GUINT_TO_POINTER(number + 1));
    }
    return number;
}

/* Makes `content` of its parts if they fit together; they are not copied. */
static bool check(struct tcgrr_block *content, uint64_t pc, uint32_t insns, const uint8_t *lengths, uint32_t size,
                  const uint8_t *bytes, GError **error)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < insns; i++) {
        total += lengths[i];
    }
    if (insns == 0 || insns > TCGRR_MAX_INSNS || total != size) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                    "block at 0x%" G_GINT64_MODIFIER "x is malformed: %u instructions, %u bytes", pc, insns, size);
        return false;
    }
    *content = (struct tcgrr_block){.pc = pc, .insns = insns, .size = size, .lengths = lengths, .bytes = bytes};
    content->hash = content_hash(pc, insns, lengths, size, bytes);
    return true;
}

uint32_t tcgrr_blocks_add(struct tcgrr_blocks *blocks, uint64_t pc, uint32_t insns, const uint8_t *lengths,
                          uint32_t size, const uint8_t *bytes, GError **error)
{
    struct tcgrr_block content;
    if (!check(&content, pc, insns, lengths, size, bytes, error)) {
        return UINT32_MAX;
    }
    uint32_t known = GPOINTER_TO_UINT(g_hash_table_lookup(blocks->by_hash, &content.hash));
    if (known && same(tcgrr_blocks_get(blocks, known - 1), pc, insns, lengths, size, bytes)) {
        return known - 1;
    }
    if (blocks->count == TCGRR_MAX_BLOCKS) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "there are more than %u different blocks",
                    TCGRR_MAX_BLOCKS);
        return UINT32_MAX;
    }
    return append(blocks, &content);
}

void tcgrr_blocks_reserve(struct tcgrr_blocks *blocks, uint32_t count)
{
    blocks->count = MAX(blocks->count, MIN(count, TCGRR_MAX_BLOCKS));
}

bool tcgrr_blocks_is_set(const struct tcgrr_blocks *blocks, uint32_t number)
{
    const struct tcgrr_block *segment = blocks->segments[number >> SEGMENT_BITS];
    return segment && segment[number & (SEGMENT_BLOCKS - 1)].insns > 0;
}

bool tcgrr_blocks_set(struct tcgrr_blocks *blocks, uint32_t number, uint64_t pc, uint32_t insns, const uint8_t *lengths,
                      uint32_t size, const uint8_t *bytes, GError **error)
{
    struct tcgrr_block content;
    if (!check(&content, pc, insns, lengths, size, bytes, error)) {
        return false;
    }
    fill(blocks, place(blocks, number), &content);
    return true;
}

bool tcgrr_blocks_set_text(struct tcgrr_blocks *blocks, uint32_t number, const char *text)
{
    struct tcgrr_block *block = place(blocks, number);
    size_t size = strlen(text) + 1;
    char *copy = (char *)take_bytes(blocks, size);
    uint32_t lines = 1;
    uint32_t column = 0;
    char *to = copy;

    for (; *text; text++) {
        column = *text == '\n' ? 0 : column + 1;
        lines += *text == '\n';
        if (column <= TCGRR_MAX_INSN_TEXT) {
            *to++ = (char)(*text == '\n' || g_ascii_isprint(*text) ? *text : '?');
        }
    }
    *to = '\0';
    if (lines == block->insns) {
        block->text = copy;
    }
    return lines == block->insns;
}

uint64_t tcgrr_block_prefix(const struct tcgrr_block *block, uint32_t insns)
{
    const uint8_t *bytes = block->bytes;
    uint64_t pc = block->pc;
    uint64_t digest = 0;

    for (uint32_t i = 0; i < insns; i++) {
        digest = tcgrr_digest_append(digest, TCGRR_DIGEST_BASE, tcgrr_digest_insn(pc, bytes, block->lengths[i]));
        pc += block->lengths[i];
        bytes += block->lengths[i];
    }
    return digest;
}

uint64_t tcgrr_block_append(uint64_t flow, const struct tcgrr_block *block, uint32_t insns)
{
    if (insns == block->insns) {
        return tcgrr_digest_append(flow, block->power, block->sum);
    }
    return tcgrr_digest_append(flow, tcgrr_digest_power(insns), tcgrr_block_prefix(block, insns));
}

uint64_t tcgrr_block_pc(const struct tcgrr_block *block, uint32_t index)
{
    uint64_t pc = block->pc;
    for (uint32_t i = 0; i < index; i++) {
        pc += block->lengths[i];
    }
    return pc;
}
