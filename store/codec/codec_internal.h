/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the codec share: the tables of a workspace, the streams that a method makes out of a run, and the
 * small integer coding. The byte format is described in docs/encoding.md.
 */
#ifndef TCGRR_STORE_CODEC_INTERNAL_H
#define TCGRR_STORE_CODEC_INTERNAL_H

#include "store/codec/codec.h"
#include "store/error.h"

#include <string.h>
#include <zstd.h>

/* The first byte of an encoded run. */
enum tcgrr_codec_method {
    TCGRR_CODEC_PACK = 1, /* fixed-width ids */
    TCGRR_CODEC_LZP = 2,  /* follow the last occurrence of the last four ids */
    TCGRR_CODEC_FIXK = 3, /* a bit for each block with two known successors */
};

#define TCGRR_CODEC_ID_BITS     28 /* ids are below 2 to this */
#define TCGRR_CODEC_MAX_STREAMS 3  /* of one method */
#define TCGRR_CODEC_SLACK       64 /* bytes after a stream's data that may be written or read without a check */
#define TCGRR_CODEC_SLOT_BITS   19
#define TCGRR_CODEC_SLOT_MASK   ((1u << TCGRR_CODEC_SLOT_BITS) - 1)
#define TCGRR_CODEC_PAGE_BITS   9 /* slots are cleared by pages of 2 to this */
#define TCGRR_CODEC_PAGES       (1u << (TCGRR_CODEC_SLOT_BITS - TCGRR_CODEC_PAGE_BITS))
#define TCGRR_CODEC_MATCH_BITS  16

/*
 * The known successors of the blocks whose ids have the same low bits, as id + 1; 0 is none. With one known successor
 * both are the same. Two blocks that share a slot merely spoil each other's predictions, and memory stays bounded for
 * any ids.
 */
struct tcgrr_codec_slot {
    uint32_t next[2];
};

/* The slots of one method. Memory is mapped on first touch, so that a run over few ids costs little of it. */
struct tcgrr_codec_slots {
    struct tcgrr_codec_slot *all;
    uint8_t *dirty; /* for each page of slots: was written since it was cleared */
};

/* A growing buffer whose memory is kept from run to run. */
struct tcgrr_codec_stream {
    uint8_t *data; /* capacity + TCGRR_CODEC_SLACK bytes */
    size_t size;
    size_t capacity;
};

/* LZP between two calls, so that a sample of a run can be continued to the whole. */
struct tcgrr_codec_lzp {
    struct tcgrr_codec_slots slots;
    struct tcgrr_codec_stream streams[TCGRR_CODEC_MAX_STREAMS]; /* lengths, codes */
    uint32_t *match; /* hash of four ids to the position after them; 0 is none */
    unsigned shift;  /* from 64 bits of hash to an index of `match` */
    size_t position; /* ids done */
    size_t misses;
};

struct tcgrr_codec_fixk {
    struct tcgrr_codec_slots slots;
    struct tcgrr_codec_stream streams[TCGRR_CODEC_MAX_STREAMS]; /* bits, gaps, escapes */
};

struct tcgrr_codec {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    struct tcgrr_codec_lzp lzp;
    struct tcgrr_codec_fixk fixk;
    GByteArray *candidates[2]; /* encodings of which the smaller is taken */
};

void tcgrr_codec_stream_reserve(struct tcgrr_codec_stream *stream, size_t capacity);
void tcgrr_codec_slots_clear(struct tcgrr_codec_slots *slots);
bool tcgrr_codec_damaged(GError **error, const char *what);

/* Starts a run of `count` ids. */
void tcgrr_codec_lzp_begin(struct tcgrr_codec_lzp *lzp, size_t count);

/*
 * Continues encoding where the last call stopped, at least until `pause_at`, and then until the first miss; to the end
 * of the run if there is none, or if `pause_at` is `count`.
 */
void tcgrr_codec_lzp_encode(struct tcgrr_codec_lzp *lzp, const uint32_t *ids, size_t count, size_t pause_at);
void tcgrr_codec_fixk_encode(struct tcgrr_codec_fixk *fixk, const uint32_t *ids, size_t count);

/* Rebuild the run from the method's streams, whose bytes are untrusted. */
bool tcgrr_codec_lzp_decode(struct tcgrr_codec_lzp *lzp, uint32_t *ids, size_t count, uint32_t id_limit,
                            GError **error);
bool tcgrr_codec_fixk_decode(struct tcgrr_codec_fixk *fixk, uint32_t *ids, size_t count, uint32_t id_limit,
                             GError **error);

static inline struct tcgrr_codec_slot *tcgrr_codec_slot_of(const struct tcgrr_codec_slots *slots, uint32_t id)
{
    return &slots->all[id & TCGRR_CODEC_SLOT_MASK];
}

/* To be called before a slot is written. */
static inline void tcgrr_codec_slot_touch(struct tcgrr_codec_slots *slots, uint32_t id)
{
    slots->dirty[(id & TCGRR_CODEC_SLOT_MASK) >> TCGRR_CODEC_PAGE_BITS] = 1;
}

/* Little-endian base 128; the caller has made room for 5 bytes. Returns: the byte after. */
static inline uint8_t *tcgrr_codec_put_varint(uint8_t *at, uint32_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* Returns: false where the number does not end before `end` or does not fit 32 bits. */
static inline bool tcgrr_codec_get_varint(const uint8_t **at, const uint8_t *end, uint32_t *value)
{
    const uint8_t *p = *at;
    uint64_t result;
    unsigned shift;

    if (p == end)
        return false;
    result = *p & 0x7f;
    for (shift = 7; *p++ & 0x80; shift += 7) {
        if (p == end || shift > 28)
            return false;
        result |= (uint64_t)(*p & 0x7f) << shift;
    }
    *at = p;
    *value = (uint32_t)result;
    return result <= UINT32_MAX;
}

/* An id as its signed distance from the one that follows `previous` in number, folded to an unsigned number. */
static inline uint32_t tcgrr_codec_delta_code(uint32_t previous, uint32_t id)
{
    int32_t delta = (int32_t)(id - previous - 1);

    return ((uint32_t)delta << 1) ^ (uint32_t)(delta >> 31);
}

/* Wraps around for numbers that no encoder makes, so the caller must check the result against the limit. */
static inline uint32_t tcgrr_codec_delta_id(uint32_t previous, uint32_t code)
{
    return previous + 1 + ((code >> 1) ^ -(code & 1));
}

static inline uint64_t tcgrr_codec_load64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return GUINT64_FROM_LE(value);
}

static inline void tcgrr_codec_store64(uint8_t *at, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    memcpy(at, &value, sizeof(value));
}

#endif
