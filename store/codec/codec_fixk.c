/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixk: most blocks have one or two successors. A block with one known successor costs nothing, one with two costs a
 * bit, and what is none of them is an escape: how many ids later than the last one it comes, and the id. Where
 * branches go either way at random, a bit is less than the length of a prediction.
 */
#include "store/codec/codec_internal.h"

#define BATCH            56 /* ids between two looks at the bit buffer, which then holds at least 57 bits */
#define MAX_VARINT_BYTES 5

/* The second slot is the one that gives way, so that the common successor stays. */
static inline void learn(struct tcgrr_codec_slots *slots, uint32_t previous, uint32_t next)
{
    struct tcgrr_codec_slot *slot = tcgrr_codec_slot_of(slots, previous);

    tcgrr_codec_slot_touch(slots, previous);
    slot->next[1] = next;
    if (slot->next[0] == 0)
        slot->next[0] = next;
}

/* Where the encoder writes. `bits` holds `bit_count` bits that are not written yet, the first one lowest. */
struct writer {
    uint8_t *bits_at, *gaps, *escapes;
    uint64_t bits;
    unsigned bit_count;
    size_t past_escape; /* the index after the last one */
};

static inline void flush_bits(struct writer *w)
{
    unsigned bytes = w->bit_count / 8;

    tcgrr_codec_store64(w->bits_at, w->bits);
    w->bits_at += bytes;
    w->bits >>= bytes * 8;
    w->bit_count &= 7;
}

/* Apart, so that the loop keeps its values in registers. */
static __attribute__((noinline)) void escape(struct tcgrr_codec_fixk *fixk, struct writer *w, const uint32_t *ids,
                                             size_t i)
{
    uint32_t previous = i > 0 ? ids[i - 1] : 0;

    w->gaps = tcgrr_codec_put_varint(w->gaps, (uint32_t)(i - w->past_escape));
    w->escapes = tcgrr_codec_put_varint(w->escapes, tcgrr_codec_delta_code(previous, ids[i]));
    if (i > 0)
        learn(&fixk->slots, previous, ids[i] + 1);
    w->past_escape = i + 1;
}

void tcgrr_codec_fixk_encode(struct tcgrr_codec_fixk *fixk, const uint32_t *ids, size_t count)
{
    struct tcgrr_codec_stream *streams = fixk->streams;
    struct writer w = {0};
    uint32_t previous = 0;
    size_t i = 0;

    tcgrr_codec_slots_clear(&fixk->slots);
    const struct tcgrr_codec_slot *slots = fixk->slots.all;
    tcgrr_codec_stream_reserve(&streams[0], count / 8 + 1);
    tcgrr_codec_stream_reserve(&streams[1], count);
    tcgrr_codec_stream_reserve(&streams[2], count * MAX_VARINT_BYTES);
    w.bits_at = streams[0].data;
    w.gaps = streams[1].data;
    w.escapes = streams[2].data;
    while (i < count) {
        size_t end = MIN(i + BATCH, count);
        uint64_t bits = w.bits;
        unsigned bit_count = w.bit_count;

        for (; i < end; i++) {
            const struct tcgrr_codec_slot *slot = &slots[previous & TCGRR_CODEC_SLOT_MASK];
            uint32_t next = ids[i] + 1, one = slot->next[0], two = slot->next[1];

            /* A product, because compilers make two branches of a conjunction, one of which is a coin flip. */
            if (G_UNLIKELY((uint64_t)(next ^ one) * (next ^ two) != 0)) {
                escape(fixk, &w, ids, i);
            } else {
                bits |= (uint64_t)(next != one) << bit_count;
                bit_count += one != two;
            }
            previous = ids[i];
        }
        w.bits = bits;
        w.bit_count = bit_count;
        flush_bits(&w);
    }
    streams[0].size = (size_t)(w.bits_at - streams[0].data) + (w.bit_count > 0);
    streams[1].size = (size_t)(w.gaps - streams[1].data);
    streams[2].size = (size_t)(w.escapes - streams[2].data);
}

/*
 * Decodes `length` ids that are no escapes. There may be fewer bits than are read: the slack after the stream is
 * zero, and the caller compares the number of bits used. Returns: false at a block without a known successor.
 */
static bool follow(const struct tcgrr_codec_fixk *fixk, uint32_t *ids, size_t length, uint32_t previous,
                   uint64_t *bit_at)
{
    const struct tcgrr_codec_slot *slots = fixk->slots.all;
    const uint8_t *data = fixk->streams[0].data;
    uint64_t at = *bit_at, bit_end = (uint64_t)fixk->streams[0].size * 8;
    size_t i = 0;

    while (i < length) {
        size_t end = MIN(i + BATCH, length);
        uint64_t bits;

        if (at > bit_end)
            return false;
        bits = tcgrr_codec_load64(data + at / 8) >> (at & 7);
        for (; i < end; i++) {
            struct tcgrr_codec_slot slot = slots[previous & TCGRR_CODEC_SLOT_MASK];
            uint32_t next = bits & 1 ? slot.next[1] : slot.next[0];
            unsigned used = slot.next[0] != slot.next[1];

            if (G_UNLIKELY(next == 0))
                return false;
            bits >>= used;
            at += used;
            previous = next - 1;
            ids[i] = previous;
        }
    }
    *bit_at = at;
    return true;
}

bool tcgrr_codec_fixk_decode(struct tcgrr_codec_fixk *fixk, uint32_t *ids, size_t count, uint32_t id_limit,
                             GError **error)
{
    const struct tcgrr_codec_stream *streams = fixk->streams;
    const uint8_t *gaps = streams[1].data, *gaps_end = gaps + streams[1].size;
    const uint8_t *escapes = streams[2].data, *escapes_end = escapes + streams[2].size;
    uint32_t previous = 0;
    uint64_t bit_at = 0;
    size_t i = 0;

    tcgrr_codec_slots_clear(&fixk->slots);
    memset(streams[0].data + streams[0].size, 0, TCGRR_CODEC_SLACK);
    while (i < count) {
        uint32_t gap = (uint32_t)(count - i), code, id;
        bool escape = gaps != gaps_end;

        if (escape && (!tcgrr_codec_get_varint(&gaps, gaps_end, &gap) || gap >= count - i))
            return tcgrr_codec_damaged(error, "an escape lies beyond its end");
        if (gap > 0 && !follow(fixk, ids + i, gap, previous, &bit_at))
            return tcgrr_codec_damaged(error, "a block has no such successor");
        i += gap;
        if (!escape)
            break;
        previous = i > 0 ? ids[i - 1] : 0;
        if (!tcgrr_codec_get_varint(&escapes, escapes_end, &code))
            return tcgrr_codec_damaged(error, "ids are missing");
        id = tcgrr_codec_delta_id(previous, code);
        if (id >= id_limit)
            return tcgrr_codec_damaged(error, "an id is out of range");
        if (i > 0)
            learn(&fixk->slots, previous, id + 1);
        ids[i++] = previous = id;
    }
    if (gaps != gaps_end || escapes != escapes_end || (bit_at + 7) / 8 != streams[0].size)
        return tcgrr_codec_damaged(error, "bytes are left over");
    if (bit_at % 8 != 0 && streams[0].data[bit_at / 8] >> bit_at % 8 != 0)
        return tcgrr_codec_damaged(error, "bits are left over");
    return true;
}
