/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for the stored texts of blocks. The first byte selects: take the rest as a row as it is, or compress it
 * first, so that the fuzzer gets past zstd.
 */
#include "store/texts.h"

#include <stdlib.h>
#include <zstd.h>

#define BLOCKS 40u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Blocks of one to eight instructions, some of which are not there. */
static struct tcgrr_blocks *make_blocks(void)
{
    static const uint8_t lengths[8] = {4, 4, 4, 4, 4, 4, 4, 4};
    static const uint8_t bytes[32];
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();

    tcgrr_blocks_reserve(blocks, BLOCKS);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (i % 7 != 3 && !tcgrr_blocks_set(blocks, i, 0x1000 * i, 1 + i % 8, lengths, 4 * (1 + i % 8), bytes, NULL)) {
            abort();
        }
    }
    return blocks;
}

static void check(const struct tcgrr_blocks *blocks)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(blocks, i);
        uint32_t lines = 1;
        uint32_t column = 0;
        for (const char *at = block->text; at && *at; at++) {
            column = *at == '\n' ? 0 : column + 1;
            lines += *at == '\n';
            if (column > TCGRR_MAX_INSN_TEXT || (*at != '\n' && !g_ascii_isprint(*at))) {
                abort();
            }
        }
        if (block->text && lines != block->insns) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct tcgrr_blocks *blocks = make_blocks();
    GByteArray *scratch = g_byte_array_new();
    size_t bound = ZSTD_compressBound(size);
    uint8_t *packed = malloc(bound);
    bool plain = data[0] & 1;
    size_t length = plain ? ZSTD_compress(packed, bound, data + 2, size - 2, 1) : size - 2;

    if (packed) {
        tcgrr_texts_decode(plain ? packed : data + 2, length, data[0] >> 1 & 31, data[1], scratch, blocks);
    }
    check(blocks);
    free(packed);
    g_byte_array_unref(scratch);
    tcgrr_blocks_free(blocks);
    return 0;
}
