/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lossless coding of a chunk's memory accesses. They are coded against the chunk's executions, which say what ran, and
 * against nothing else: each chunk can be decoded on its own. docs/encoding.md describes the format.
 */
#ifndef TCGRR_STORE_CODEC_ACCESS_H
#define TCGRR_STORE_CODEC_ACCESS_H

#include "store/access_pages.h"
#include "store/chunk.h"

/* Accesses in one encoding, at most. Bounds every allocation that decoding makes. */
#define TCGRR_ACCESS_CODEC_MAX (TCGRR_CHUNK_ACCESSES + TCGRR_EXEC_ACCESSES)

/* Tables reused from chunk to chunk, for encoding and decoding. One per thread; not thread-safe. */
struct tcgrr_access_codec;

/* Returns: a new workspace, never NULL; owned by the caller, who gives it to tcgrr_access_codec_free(). */
struct tcgrr_access_codec *tcgrr_access_codec_new(void);
void tcgrr_access_codec_free(struct tcgrr_access_codec *codec); /* NULL is allowed */

/*
 * Appends the encoding of chunk->accesses to `out`: TCGRR_ACCESS_CODEC_MAX at most, ascending by execution and
 * instruction, as a live stream makes them. Replaces `pages` by those that they go to. Cannot fail.
 */
void tcgrr_access_encode(struct tcgrr_access_codec *codec, const struct tcgrr_chunk *chunk,
                         struct tcgrr_page_set *pages, GByteArray *out);

/*
 * Replaces chunk->accesses by the `count` that `data` encodes, for the executions that the chunk already has. `data` is
 * untrusted: anything that is not an encoding of exactly `count` accesses of these executions, and of exactly `size`
 * bytes, gives false and TCGRR_ERROR_DAMAGED. There is no checksum.
 */
bool tcgrr_access_decode(struct tcgrr_access_codec *codec, const uint8_t *data, size_t size, uint64_t count,
                         struct tcgrr_chunk *chunk, const struct tcgrr_blocks *table, GError **error);

#endif
