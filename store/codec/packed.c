/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/codec/packed.h"

#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#define DIGEST_SIZE 8

void tcgrr_packed_write(const GByteArray *plain, GByteArray *out)
{
    size_t bound = ZSTD_compressBound(plain->len);
    g_byte_array_set_size(out, (guint)bound);
    g_byte_array_set_size(out, (guint)ZSTD_compress(out->data, bound, plain->data, plain->len, 3));
    guint64 digest = GUINT64_TO_LE(XXH3_64bits(out->data, out->len));
    g_byte_array_append(out, (const guint8 *)&digest, DIGEST_SIZE);
}

bool tcgrr_packed_read(const uint8_t *blob, size_t size, uint64_t most, GByteArray *plain)
{
    guint64 digest;
    if (!blob || size <= DIGEST_SIZE) {
        return false;
    }
    size -= DIGEST_SIZE;
    memcpy(&digest, blob + size, DIGEST_SIZE);
    unsigned long long length = ZSTD_getFrameContentSize(blob, size);
    if (XXH3_64bits(blob, size) != GUINT64_FROM_LE(digest) || length > most) { /* zstd's errors are larger, too */
        return false;
    }
    g_byte_array_set_size(plain, (guint)length);
    return ZSTD_decompress(plain->data, length, blob, size) == length;
}
