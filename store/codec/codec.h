/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lossless coding of a run of executed block ids. Each encoded run can be decoded on its own: no state is carried
 * from one to the next. The format and the reasons for it are described in docs/encoding.md.
 */
#ifndef TCGRR_STORE_CODEC_H
#define TCGRR_STORE_CODEC_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ids in one encoded run, at most. Bounds every allocation that decoding makes. */
#define TCGRR_CODEC_MAX_IDS (1u << 20)

/* Tables reused from run to run, for encoding and decoding. One per thread; not thread-safe. */
struct tcgrr_codec;

/* Returns: a new workspace, never NULL; owned by the caller, who gives it to tcgrr_codec_free(). */
struct tcgrr_codec *tcgrr_codec_new(void);
void tcgrr_codec_free(struct tcgrr_codec *codec);

/*
 * Appends the encoding of `ids[0..count)` to `out`. `count` is 0..TCGRR_CODEC_MAX_IDS, and every id is below 2^28.
 * Memory is bounded whatever the ids are. Ids that agree in their low 19 bits share one place in the tables, so
 * consecutive ids encode best. Cannot fail.
 */
void tcgrr_codec_encode(struct tcgrr_codec *codec, const uint32_t *ids, size_t count, GByteArray *out);

/*
 * Decodes exactly `count` ids into `ids`. `data` is untrusted: anything that is not an encoding of exactly `count` ids,
 * all below `id_limit`, and of exactly `size` bytes, gives false and TCGRR_ERROR_DAMAGED; `ids` then holds anything.
 * There is no checksum, so damage may also yield other ids than those that were encoded.
 */
bool tcgrr_codec_decode(struct tcgrr_codec *codec, const uint8_t *data, size_t size, uint32_t *ids, size_t count,
                        uint32_t id_limit, GError **error);

#endif
