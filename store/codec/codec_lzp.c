/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LZP: the run most probably goes on as it did after the last occurrence of its last four ids, so that only the
 * lengths of correct predictions are written, and at each miss what came instead. Copying whole stretches is why this
 * is faster than any predictor that looks at each id.
 */
#include "store/codec/codec_internal.h"

#define CONTEXT          4 /* ids that select a prediction */
#define INSERT_STEP      4 /* inside a correct prediction, every fourth position is remembered */
#define MIN_TABLE_BITS   8
#define CODE_FIRST       0 /* the newest known successor that was not predicted */
#define CODE_SECOND      1 /* the older known successor */
#define CODE_OTHER       2 /* from here on: distance to the previous block */
#define MAX_VARINT_BYTES 5

static inline uint32_t context_hash(const uint32_t *here, unsigned shift)
{
    uint64_t far = (uint64_t)here[-3] << 32 | here[-4];
    uint64_t near = (uint64_t)here[-1] << 32 | here[-2];

    return (uint32_t)((far * 0x9e3779b97f4a7c15u + near * 0xd6e8feb86659fd93u) >> shift);
}

/* A short run must not pay for clearing the whole table; the decoder derives the same size. */
void tcgrr_codec_lzp_begin(struct tcgrr_codec_lzp *lzp, size_t count)
{
    unsigned bits = g_bit_storage(count);

    bits = CLAMP(bits, MIN_TABLE_BITS, TCGRR_CODEC_MATCH_BITS);
    memset(lzp->match, 0, sizeof(*lzp->match) << bits);
    lzp->shift = 64 - bits;
    lzp->position = 0;
    lzp->misses = 0;
    tcgrr_codec_slots_clear(&lzp->slots);
}

/* Returns: how many of the ids before `end` equal those at `from`, which lies before `here` and may overlap. */
static inline size_t common_length(const uint32_t *from, const uint32_t *here, const uint32_t *end)
{
    const uint32_t *start = here;
    uint64_t a[4], b[4];

    while (end - here >= 8) {
        memcpy(a, from, sizeof(a));
        memcpy(b, here, sizeof(b));
        if (((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) != 0)
            break;
        from += 8;
        here += 8;
    }
    while (here < end && *from == *here) {
        from++;
        here++;
    }
    return (size_t)(here - start);
}

/* Remembers the positions inside a run of correct predictions; the run's start is remembered by who looked it up. */
static inline void remember(uint32_t *match, unsigned shift, const uint32_t *ids, size_t start, size_t end)
{
    size_t at;

    for (at = start + INSERT_STEP; at < end; at += INSERT_STEP)
        match[context_hash(ids + at, shift)] = (uint32_t)at;
}

static inline void learn(struct tcgrr_codec_slots *slots, struct tcgrr_codec_slot *slot, uint32_t previous,
                         uint32_t next)
{
    if (slot->next[0] == next)
        return;
    tcgrr_codec_slot_touch(slots, previous);
    slot->next[1] = slot->next[0];
    slot->next[0] = next;
}

static inline uint32_t miss_code(const struct tcgrr_codec_slot *slot, uint32_t predicted, uint32_t previous,
                                 uint32_t next)
{
    uint32_t first = slot->next[slot->next[0] == predicted];

    if (next == first)
        return CODE_FIRST;
    if (next == slot->next[1])
        return CODE_SECOND;
    return tcgrr_codec_delta_code(previous, next - 1) + CODE_OTHER;
}

void tcgrr_codec_lzp_encode(struct tcgrr_codec_lzp *lzp, const uint32_t *ids, size_t count, size_t pause_at)
{
    struct tcgrr_codec_slots *slots = &lzp->slots;
    uint32_t *match = lzp->match;
    unsigned shift = lzp->shift;
    size_t i = lzp->position;
    uint8_t *lengths, *codes;

    if (i == 0) {
        tcgrr_codec_stream_reserve(&lzp->streams[0], count);
        tcgrr_codec_stream_reserve(&lzp->streams[1], count * MAX_VARINT_BYTES);
    }
    lengths = lzp->streams[0].data + lzp->streams[0].size;
    codes = lzp->streams[1].data + lzp->streams[1].size;
    for (; i < pause_at; i++, lzp->misses++) {
        uint32_t predicted = 0, previous;
        struct tcgrr_codec_slot *slot;

        if (i >= CONTEXT) {
            uint32_t *entry = &match[context_hash(ids + i, shift)];
            uint32_t from = *entry;

            *entry = (uint32_t)i;
            if (from != 0) {
                size_t length = common_length(ids + from, ids + i, ids + count);

                lengths = tcgrr_codec_put_varint(lengths, (uint32_t)length);
                remember(match, shift, ids, i, i + length);
                i += length;
                if (i == count)
                    break;
                predicted = ids[from + length] + 1;
            }
        }
        /* What comes first follows no block. */
        previous = i > 0 ? ids[i - 1] : 0;
        slot = tcgrr_codec_slot_of(slots, previous);
        codes = tcgrr_codec_put_varint(codes, miss_code(slot, predicted, previous, ids[i] + 1));
        if (i > 0)
            learn(slots, slot, previous, ids[i] + 1);
    }
    lzp->streams[0].size = (size_t)(lengths - lzp->streams[0].data);
    lzp->streams[1].size = (size_t)(codes - lzp->streams[1].data);
    lzp->position = i;
}

/* Copies ids forward, so that a source that reaches into the destination repeats itself. */
static inline void copy_match(uint32_t *to, size_t distance, size_t length)
{
    const uint32_t *from = to - distance;

    while (length > distance) {
        memcpy(to, from, distance * sizeof(*to));
        to += distance;
        length -= distance;
        distance *= 2;
    }
    memcpy(to, from, length * sizeof(*to));
}

static bool read_miss(const uint8_t **codes, const uint8_t *end, const struct tcgrr_codec_slot *slot,
                      uint32_t predicted, uint32_t previous, uint32_t *id)
{
    uint32_t code;

    if (!tcgrr_codec_get_varint(codes, end, &code))
        return false;
    /* A successor that is not known is 0 and becomes an id above every limit. */
    if (code == CODE_FIRST)
        *id = slot->next[slot->next[0] == predicted] - 1;
    else if (code == CODE_SECOND)
        *id = slot->next[1] - 1;
    else
        *id = tcgrr_codec_delta_id(previous, code - CODE_OTHER);
    return true;
}

bool tcgrr_codec_lzp_decode(struct tcgrr_codec_lzp *lzp, uint32_t *ids, size_t count, uint32_t id_limit, GError **error)
{
    const uint8_t *lengths = lzp->streams[0].data, *lengths_end = lengths + lzp->streams[0].size;
    const uint8_t *codes = lzp->streams[1].data, *codes_end = codes + lzp->streams[1].size;
    struct tcgrr_codec_slots *slots = &lzp->slots;
    uint32_t *match = lzp->match;
    unsigned shift;
    size_t i;

    tcgrr_codec_lzp_begin(lzp, count);
    shift = lzp->shift;
    for (i = 0; i < count; i++) {
        struct tcgrr_codec_slot *slot;
        uint32_t predicted = 0, previous, id, length;

        if (i >= CONTEXT) {
            uint32_t *entry = &match[context_hash(ids + i, shift)];
            uint32_t from = *entry;

            *entry = (uint32_t)i;
            if (from != 0) {
                if (!tcgrr_codec_get_varint(&lengths, lengths_end, &length) || length > count - i)
                    return tcgrr_codec_damaged(error, "a prediction runs over its end");
                copy_match(ids + i, i - from, length);
                remember(match, shift, ids, i, i + length);
                i += length;
                if (i == count)
                    break;
                predicted = ids[from + length] + 1;
            }
        }
        previous = i > 0 ? ids[i - 1] : 0;
        slot = tcgrr_codec_slot_of(slots, previous);
        if (!read_miss(&codes, codes_end, slot, predicted, previous, &id))
            return tcgrr_codec_damaged(error, "ids are missing");
        if (id >= id_limit)
            return tcgrr_codec_damaged(error, "an id is out of range");
        ids[i] = id;
        if (i > 0)
            learn(slots, slot, previous, id + 1);
    }
    if (lengths != lengths_end || codes != codes_end)
        return tcgrr_codec_damaged(error, "bytes are left over");
    return true;
}
