/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/texts.h"

#include <assert.h>
#include <string.h>
#include <zstd.h>

/* Plain bytes of a row: another block is added only below the first bound. */
#define ENOUGH_PLAIN (1u << 20)
#define MAX_PLAIN    (2u << 20)
static_assert(ENOUGH_PLAIN + TCGRR_MAX_INSNS * (TCGRR_MAX_INSN_TEXT + 1u) <= MAX_PLAIN, "a last block must fit");

uint32_t tcgrr_texts_encode(const struct tcgrr_blocks *blocks, uint32_t first, uint32_t end, GByteArray *scratch,
                            GByteArray *out)
{
    uint32_t number = first;
    bool any = false;

    g_byte_array_set_size(scratch, 0);
    for (; number < end && number - first < TCGRR_TEXTS_BLOCKS && scratch->len < ENOUGH_PLAIN; number++) {
        const char *text = tcgrr_blocks_get(blocks, number)->text;
        any = any || text;
        g_byte_array_append(scratch, (const guint8 *)(text ? text : ""), (guint)strlen(text ? text : "") + 1);
    }
    size_t bound = any ? ZSTD_compressBound(scratch->len) : 0;
    g_byte_array_set_size(out, (guint)bound);
    if (any) {
        g_byte_array_set_size(out, (guint)ZSTD_compress(out->data, bound, scratch->data, scratch->len, 3));
    }
    return number - first;
}

bool tcgrr_texts_decode(const void *data, size_t size, uint32_t first, uint32_t count, GByteArray *scratch,
                        struct tcgrr_blocks *blocks)
{
    unsigned long long plain = data ? ZSTD_getFrameContentSize(data, size) : 0;
    if (plain == 0 || plain > MAX_PLAIN || count > TCGRR_TEXTS_BLOCKS) { /* zstd's errors are larger, too */
        return false;
    }
    g_byte_array_set_size(scratch, (guint)plain);
    if (ZSTD_decompress(scratch->data, plain, data, size) != plain || scratch->data[plain - 1] != 0) {
        return false;
    }
    const char *at = (const char *)scratch->data;
    const char *end = at + plain;
    for (uint32_t i = 0; i < count; i++) {
        if (at == end) {
            return false;
        }
        size_t length = strlen(at);
        bool wanted = length > 0 && first + i < tcgrr_blocks_count(blocks) && tcgrr_blocks_is_set(blocks, first + i) &&
                      !tcgrr_blocks_get(blocks, first + i)->text;
        if (wanted && !tcgrr_blocks_set_text(blocks, first + i, at)) {
            return false;
        }
        at += length + 1;
    }
    return at == end;
}
