/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/codec/codec_access.h"

#include "store/codec/codec_internal.h"

#include <assert.h>

#define ZSTD_LEVEL 1
#define SHAPES     (1u << 16)
#define WORDS      (1u << 16)

enum stream {
    STREAM_SHAPES,    /* executions that made other accesses than their block's last one */
    STREAM_TOKENS,    /* a byte for each access: what was predicted right */
    STREAM_ADDRESSES, /* what else there is to say about addresses, */
    STREAM_PLACES,    /* physical addresses and devices */
    STREAM_SHORTS,    /* and values: of 1 and 2 bytes, */
    STREAM_WORDS,     /* 4, */
    STREAM_LONGS,     /* 8 */
    STREAM_QUADS,     /* and 16 */
    STREAMS,
};

/* Longest, in bytes, for each access; shapes are longer. */
static const uint8_t longest[STREAMS] = {3, 1, 10, 15, 2, 4, 8, 16};
#define SHAPE_BYTES 6 /* of an execution, besides its accesses */

/* A token: how the address is found, how the value, and whether the place is another one. */
enum { ADDRESS_STRIDE, ADDRESS_LEAD, ADDRESS_SAME, ADDRESS_TOLD };
enum { VALUE_MEMORY, VALUE_STRIDE, VALUE_SAME, VALUE_LAST, VALUE_BEFORE, VALUE_TOLD };
#define VALUE_SHIFT 2
#define PLACE_BIT   (1u << 5)
#define TOKENS      (1u << 6)

/* An access's size and flags in a byte. */
#define KIND_FLAGS_SHIFT 3
#define KINDS            (1u << 7)

struct value {
    uint64_t low;
    uint64_t high;
};

/* What an instruction's access was the last time its block ran. */
struct slot {
    uint64_t address;
    uint64_t stride; /* from the address before that */
    uint64_t lead;   /* from the access before it, of whatever instruction */
    uint64_t offset; /* from the virtual to the physical address */
    struct value value;
    uint64_t value_stride;
    uint32_t device;
    uint16_t insn;
    uint8_t kind;
    uint8_t noted; /* encoding: its page and place are in the set of pages */
    uint32_t head; /* encoding: what head_of() makes of its accesses */
};

/*
 * The accesses that a block made the last time it ran: its slots. Blocks that share a shape's place forget each
 * other's.
 */
struct shape {
    uint32_t block; /* number + 1; 0: none */
    uint32_t first;
};

/* What the guest's memory held when it was last accessed, by words of 8 bytes. */
struct word {
    uint64_t number; /* address / 8 */
    uint64_t value;
};

struct tcgrr_access_codec {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    struct tcgrr_codec_stream streams[STREAMS];
    struct shape shapes[SHAPES];
    struct word words[WORDS];
    struct slot *slots; /* after each shape's last one there is one with the kind KINDS */
    uint32_t used;
    uint32_t room;
    uint64_t address;  /* of the last access */
    uint64_t offset;   /* last coded */
    struct value last; /* the last two values */
    struct value before;
};

struct tcgrr_access_codec *tcgrr_access_codec_new(void)
{
    struct tcgrr_access_codec *codec = g_new0(struct tcgrr_access_codec, 1);

    codec->compressor = ZSTD_createCCtx();
    codec->decompressor = ZSTD_createDCtx();
    if (!codec->compressor || !codec->decompressor) {
        g_error("out of memory for zstd");
    }
    return codec;
}

void tcgrr_access_codec_free(struct tcgrr_access_codec *codec)
{
    if (!codec) {
        return;
    }
    ZSTD_freeCCtx(codec->compressor);
    ZSTD_freeDCtx(codec->decompressor);
    for (int i = 0; i < STREAMS; i++) {
        g_free(codec->streams[i].data);
    }
    g_free(codec->slots);
    g_free(codec);
}

static bool damaged(GError **error, const char *what)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "encoded memory accesses: %s", what);
    return false;
}

/* ---- what both directions know ---- */

/* At most each access has a slot of its own, and each execution a shape, of which the end takes one, too. */
static void begin(struct tcgrr_access_codec *codec, uint64_t accesses, uint32_t execs)
{
    uint32_t room = (uint32_t)accesses + execs + 1;

    if (codec->room < room) {
        g_free(codec->slots);
        codec->slots = g_new(struct slot, room);
        codec->room = room;
    }
    memset(codec->shapes, 0, sizeof(codec->shapes));
    memset(codec->words, 0xff, sizeof(codec->words));
    codec->slots[0] = (struct slot){.kind = KINDS};
    codec->used = 1;
    codec->address = 0;
    codec->offset = 0;
    codec->last = (struct value){0};
    codec->before = (struct value){0};
}

/* The slots of the accesses that the block is expected to make; of none if it is not known. */
static inline struct slot *expected(const struct tcgrr_access_codec *codec, uint32_t block)
{
    const struct shape *shape = &codec->shapes[block % SHAPES];
    return &codec->slots[shape->block == block + 1 ? shape->first : 0];
}

/*
 * Adds the next slot of a new shape, which continues what `old`, the slot at the same place of the old shape, knew.
 * Returns the old slot for the next one.
 */
static struct slot *add_slot(struct tcgrr_access_codec *codec, struct slot *old, uint16_t insn, uint8_t kind)
{
    struct slot *slot = &codec->slots[codec->used++];

    *slot = old->kind == KINDS ? (struct slot){0} : *old;
    slot->noted = 0;
    slot->insn = insn;
    slot->kind = kind;
    slot->head = insn | 1u << (kind & 7) << 16 | (uint32_t)kind >> KIND_FLAGS_SHIFT << 24;
    return old->kind == KINDS ? old : old + 1;
}

/* The slots of the block's new shape begin at `first`. */
static void end_shape(struct tcgrr_access_codec *codec, uint32_t block, uint32_t first)
{
    codec->slots[codec->used++] = (struct slot){.kind = KINDS};
    codec->shapes[block % SHAPES] = (struct shape){.block = block + 1, .first = first};
}

static inline uint8_t kind_of(const struct tcgrr_access *access)
{
    return (uint8_t)(__builtin_ctz(access->size) | access->flags << KIND_FLAGS_SHIFT);
}

/* The same and the instruction's index, for comparing; no access's is 0, because its size is not. */
static inline uint32_t head_of(const struct tcgrr_access *access)
{
    return access->insn | (uint32_t)access->size << 16 | (uint32_t)access->flags << 24;
}

static inline uint64_t mask_of(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
}

static inline struct word *word_at(struct tcgrr_access_codec *codec, uint64_t number)
{
    return &codec->words[number * 0x9e3779b97f4a7c15u >> 48];
}
static_assert(WORDS == 1u << 16, "16 bits of hash");

/* Whether memory is kept for such an access: it lies within a word, or is two. */
static inline bool is_kept(uint64_t address, unsigned size)
{
    return (address & 7) + size <= 8 || (size == 16 && (address & 7) == 0);
}

static inline uint64_t word_value(struct tcgrr_access_codec *codec, uint64_t number)
{
    const struct word *word = word_at(codec, number);
    return word->number == number ? word->value : 0;
}

/* What memory is known to hold, 0 where it is not. */
static inline struct value recall(struct tcgrr_access_codec *codec, uint64_t address, unsigned size)
{
    struct value value = {0};

    if (is_kept(address, size)) {
        value.low = word_value(codec, address >> 3) >> 8 * (address & 7) & mask_of(size);
        value.high = size == 16 ? word_value(codec, (address >> 3) + 1) : 0;
    }
    return value;
}

static inline void store_word(struct tcgrr_access_codec *codec, uint64_t number, uint64_t mask, uint64_t value)
{
    struct word *word = word_at(codec, number);
    *word = (struct word){.number = number, .value = ((word->number == number ? word->value : 0) & ~mask) | value};
}

static inline void remember(struct tcgrr_access_codec *codec, uint64_t address, unsigned size, struct value value)
{
    unsigned shift = 8 * (address & 7);

    if (!is_kept(address, size)) {
        return;
    }
    store_word(codec, address >> 3, mask_of(size) << shift, value.low << shift);
    if (size == 16) {
        store_word(codec, (address >> 3) + 1, UINT64_MAX, value.high);
    }
}

static inline uint64_t next_value(const struct slot *slot, unsigned size)
{
    return (slot->value.low + slot->value_stride) & mask_of(size);
}

static inline void learn_address(struct tcgrr_access_codec *codec, struct slot *slot, uint64_t address)
{
    slot->stride = address - slot->address;
    slot->lead = address - codec->address;
    slot->address = address;
    codec->address = address;
}

static inline void learn_value(struct tcgrr_access_codec *codec, struct slot *slot, struct value value)
{
    slot->value_stride = value.low - slot->value.low;
    slot->value = value;
    codec->before = codec->last;
    codec->last = value;
}

static inline bool equal(struct value a, struct value b)
{
    return ((a.low ^ b.low) | (a.high ^ b.high)) == 0;
}

/* ---- encoding ---- */

static inline void put_varint(struct tcgrr_codec_stream *stream, uint64_t value)
{
    while (value >= 0x80) {
        stream->data[stream->size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    stream->data[stream->size++] = (uint8_t)value;
}

static inline uint64_t fold(uint64_t distance)
{
    return distance << 1 ^ (uint64_t)((int64_t)distance >> 63);
}

static inline unsigned encode_address(struct tcgrr_access_codec *codec, const struct slot *slot, uint64_t address)
{
    if (address == slot->address + slot->stride) {
        return ADDRESS_STRIDE;
    }
    if (address == codec->address + slot->lead) {
        return ADDRESS_LEAD;
    }
    if (address == slot->address) {
        return ADDRESS_SAME;
    }
    put_varint(&codec->streams[STREAM_ADDRESSES], fold(address - codec->address - slot->lead));
    return ADDRESS_TOLD;
}

static inline unsigned encode_place(struct tcgrr_access_codec *codec, struct slot *slot,
                                    const struct tcgrr_access *access)
{
    uint64_t offset = access->flags & TCGRR_ACCESS_PHYSICAL ? access->physical - access->address : 0;

    if (G_LIKELY(offset == slot->offset && access->device == slot->device)) {
        return 0;
    }
    put_varint(&codec->streams[STREAM_PLACES], fold(offset - codec->offset));
    put_varint(&codec->streams[STREAM_PLACES], access->device);
    codec->offset = offset;
    slot->offset = offset;
    slot->device = access->device;
    return PLACE_BIT;
}

static void tell_value(struct tcgrr_access_codec *codec, unsigned size, struct value value)
{
    struct tcgrr_codec_stream *stream = &codec->streams[size == 16  ? STREAM_QUADS
                                                        : size == 8 ? STREAM_LONGS
                                                        : size == 4 ? STREAM_WORDS
                                                                    : STREAM_SHORTS];
    tcgrr_codec_store64(stream->data + stream->size, value.low);
    if (size == 16) {
        tcgrr_codec_store64(stream->data + stream->size + 8, value.high);
    }
    stream->size += size;
}

/*
 * Whether memory was known to hold the value. From here on it is. As recall() and remember(), with one look at the
 * table for both.
 */
static inline bool encode_memory(struct tcgrr_access_codec *codec, uint64_t address, unsigned size, struct value value)
{
    if (G_UNLIKELY(size == 16 || !is_kept(address, size))) {
        bool known = equal(value, recall(codec, address, size));
        remember(codec, address, size, value);
        return known;
    }
    struct word *word = word_at(codec, address >> 3);
    unsigned shift = 8 * (address & 7);
    uint64_t mask = mask_of(size) << shift;
    uint64_t old = word->number == address >> 3 ? word->value : 0;
    uint64_t now = (old & ~mask) | value.low << shift;
    word->number = address >> 3;
    word->value = now;
    return now == old;
}

static inline unsigned encode_value(struct tcgrr_access_codec *codec, const struct slot *slot,
                                    const struct tcgrr_access *access, struct value value)
{
    if (encode_memory(codec, access->address, access->size, value)) {
        return VALUE_MEMORY;
    }
    if (equal(value, (struct value){next_value(slot, access->size), slot->value.high})) {
        return VALUE_STRIDE;
    }
    if (equal(value, slot->value)) {
        return VALUE_SAME;
    }
    if (equal(value, codec->last)) {
        return VALUE_LAST;
    }
    if (equal(value, codec->before)) {
        return VALUE_BEFORE;
    }
    tell_value(codec, access->size, value);
    return VALUE_TOLD;
}

/* A slot's accesses are of one kind, so while it stays on a page there is nothing new about it. */
static inline void note_page(struct slot *slot, const struct tcgrr_access *access, bool same_place,
                             struct tcgrr_page_set *pages)
{
    /* An access that is not there fits no slot. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    bool same_page = (slot->address ^ access->address) >> TCGRR_PAGE_SHIFT == 0 &&
                     (slot->address ^ (access->address + access->size - 1)) >> TCGRR_PAGE_SHIFT == 0;
    if (G_UNLIKELY(!slot->noted || !same_page || !same_place)) {
        tcgrr_page_set_add(pages, access);
        slot->noted = 1;
    }
}

static inline void encode_access(struct tcgrr_access_codec *codec, struct slot *slot, const struct tcgrr_access *access,
                                 struct tcgrr_page_set *pages)
{
    struct tcgrr_codec_stream *tokens = &codec->streams[STREAM_TOKENS];
    /* The same. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    unsigned token = encode_address(codec, slot, access->address) | encode_place(codec, slot, access);

    note_page(slot, access, !(token & PLACE_BIT), pages);

    learn_address(codec, slot, access->address);
    if (access->flags & TCGRR_ACCESS_VALUE) {
        struct value value = {access->value[0], access->value[1]};
        token |= encode_value(codec, slot, access, value) << VALUE_SHIFT;
        learn_value(codec, slot, value);
    }
    tokens->data[tokens->size++] = (uint8_t)token;
}

/* Whether the execution's accesses are as expected; *end says where they end, if they are. */
static inline bool fits(const struct slot *slot, const struct tcgrr_access *access, const struct tcgrr_access *last,
                        uint32_t exec, const struct tcgrr_access **end)
{
    for (; access < last && access->exec == exec; access++, slot++) {
        if (slot->head != head_of(access)) {
            return false;
        }
    }
    *end = access;
    return slot->kind == KINDS;
}

static struct slot *encode_shape(struct tcgrr_access_codec *codec, uint32_t block, uint32_t distance,
                                 const struct tcgrr_access *access, size_t count)
{
    struct tcgrr_codec_stream *stream = &codec->streams[STREAM_SHAPES];
    struct slot *old = expected(codec, block);
    uint32_t first = codec->used;

    put_varint(stream, distance);
    put_varint(stream, count);
    for (size_t i = 0; i < count; i++) {
        put_varint(stream, access[i].insn);
        stream->data[stream->size++] = kind_of(&access[i]);
        old = add_slot(codec, old, access[i].insn, kind_of(&access[i]));
    }
    end_shape(codec, block, first);
    return &codec->slots[first];
}

static void encode_all(struct tcgrr_access_codec *codec, const struct tcgrr_chunk *chunk, struct tcgrr_page_set *pages)
{
    const struct tcgrr_access *access = (const struct tcgrr_access *)(const void *)chunk->accesses->data;
    const struct tcgrr_access *last = access ? access + chunk->accesses->len : NULL;
    uint32_t described = 0;

    for (uint32_t exec = 0; exec < chunk->count; exec++) {
        uint32_t block = chunk->blocks[exec];
        struct slot *slot = expected(codec, block);
        const struct tcgrr_access *end;
        if (G_UNLIKELY(!fits(slot, access, last, exec, &end))) {
            for (end = access; end < last && end->exec == exec;) {
                end++;
            }
            slot = encode_shape(codec, block, exec - described, access, (size_t)(end - access));
            described = exec;
        }
        for (; access < end; access++) {
            encode_access(codec, slot++, access, pages);
        }
    }
}

static void frame(struct tcgrr_access_codec *codec, GByteArray *out)
{
    uint8_t header[STREAMS * 10];
    uint8_t *at = header;
    size_t used = out->len + sizeof(header);
    size_t bound = used;

    for (int i = 0; i < STREAMS; i++) {
        bound += ZSTD_compressBound(codec->streams[i].size);
    }
    size_t start = out->len;
    g_byte_array_set_size(out, (guint)bound);
    for (struct tcgrr_codec_stream *stream = codec->streams; stream < codec->streams + STREAMS; stream++) {
        size_t stored = ZSTD_compressCCtx(codec->compressor, out->data + used, bound - used, stream->data, stream->size,
                                          ZSTD_LEVEL);
        if (ZSTD_isError(stored) || stored >= stream->size) {
            stored = stream->size;
            memcpy(out->data + used, stream->data, stored);
        }
        at = tcgrr_codec_put_varint(at, (uint32_t)stream->size);
        at = tcgrr_codec_put_varint(at, (uint32_t)stored);
        used += stored;
    }
    size_t header_size = (size_t)(at - header);
    memmove(out->data + start + header_size, out->data + start + sizeof(header), used - start - sizeof(header));
    memcpy(out->data + start, header, header_size);
    g_byte_array_set_size(out, (guint)(used - sizeof(header) + header_size));
}

static size_t longest_stream(enum stream which, uint64_t accesses, uint32_t execs)
{
    return (size_t)(accesses * longest[which] + (which == STREAM_SHAPES ? (uint64_t)execs * SHAPE_BYTES : 0));
}

void tcgrr_access_encode(struct tcgrr_access_codec *codec, const struct tcgrr_chunk *chunk,
                         struct tcgrr_page_set *pages, GByteArray *out)
{
    g_return_if_fail(chunk->accesses->len <= TCGRR_ACCESS_CODEC_MAX);
    begin(codec, chunk->accesses->len, chunk->count);
    for (int i = 0; i < STREAMS; i++) {
        tcgrr_codec_stream_reserve(&codec->streams[i], longest_stream(i, chunk->accesses->len, chunk->count));
    }
    tcgrr_page_set_clear(pages);
    encode_all(codec, chunk, pages);
    frame(codec, out);
}

/* ---- decoding ---- */

/* What is left of each stream. */
struct source {
    const uint8_t *at[STREAMS];
    const uint8_t *end[STREAMS];
};

static bool take_varint(struct source *source, enum stream which, uint64_t *value)
{
    const uint8_t *at = source->at[which];
    const uint8_t *end = source->end[which];

    *value = 0;
    for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
        uint8_t byte = *at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            source->at[which] = at;
            return shift < 63 || byte <= 1;
        }
    }
    return false;
}

static inline uint64_t unfold(uint64_t folded)
{
    return folded >> 1 ^ -(folded & 1);
}

static inline bool decode_address(struct tcgrr_access_codec *codec, struct source *source, const struct slot *slot,
                                  unsigned token, uint64_t *address)
{
    uint64_t distance = 0;

    switch (token & 3) {
    case ADDRESS_STRIDE:
        *address = slot->address + slot->stride;
        return true;
    case ADDRESS_LEAD:
        *address = codec->address + slot->lead;
        return true;
    case ADDRESS_SAME:
        *address = slot->address;
        return true;
    default:
        if (!take_varint(source, STREAM_ADDRESSES, &distance)) {
            return false;
        }
        *address = codec->address + slot->lead + unfold(distance);
        return true;
    }
}

static bool decode_place(struct tcgrr_access_codec *codec, struct source *source, struct slot *slot)
{
    uint64_t distance;
    uint64_t device;

    if (!take_varint(source, STREAM_PLACES, &distance) || !take_varint(source, STREAM_PLACES, &device) ||
        device > UINT32_MAX) {
        return false;
    }
    codec->offset += unfold(distance);
    slot->offset = codec->offset;
    slot->device = (uint32_t)device;
    return true;
}

static bool take_value(struct source *source, unsigned size, struct value *value)
{
    enum stream which = size == 16 ? STREAM_QUADS : size == 8 ? STREAM_LONGS : size == 4 ? STREAM_WORDS : STREAM_SHORTS;

    if ((size_t)(source->end[which] - source->at[which]) < size) {
        return false;
    }
    /* There is slack after a stream. */
    value->low = tcgrr_codec_load64(source->at[which]) & mask_of(size);
    value->high = size == 16 ? tcgrr_codec_load64(source->at[which] + 8) : 0;
    source->at[which] += size;
    return true;
}

static inline bool decode_value(struct tcgrr_access_codec *codec, struct source *source, const struct slot *slot,
                                unsigned how, const struct tcgrr_access *access, struct value *value)
{
    switch (how) {
    case VALUE_MEMORY:
        *value = recall(codec, access->address, access->size);
        return true;
    case VALUE_STRIDE:
        *value = (struct value){next_value(slot, access->size), slot->value.high};
        return true;
    case VALUE_SAME:
        *value = slot->value;
        return true;
    case VALUE_LAST:
        *value = codec->last;
        return true;
    case VALUE_BEFORE:
        *value = codec->before;
        return true;
    default:
        return how == VALUE_TOLD && take_value(source, access->size, value);
    }
}

/* Whether the value is one that such an access can have: what another one had may be too wide. */
static inline bool is_within(struct value value, unsigned size)
{
    return (value.low & ~mask_of(size)) == 0 && (size == 16 || value.high == 0);
}

static inline bool decode_access(struct tcgrr_access_codec *codec, struct source *source, struct slot *slot,
                                 struct tcgrr_access *access)
{
    if (source->at[STREAM_TOKENS] == source->end[STREAM_TOKENS]) {
        return false;
    }
    unsigned token = *source->at[STREAM_TOKENS]++;
    struct value value = {0};

    access->insn = slot->insn;
    access->size = (uint8_t)(1u << (slot->kind & 7));
    access->flags = slot->kind >> KIND_FLAGS_SHIFT;
    if (token >= TOKENS || !decode_address(codec, source, slot, token, &access->address) ||
        ((token & PLACE_BIT) && !decode_place(codec, source, slot))) {
        return false;
    }
    learn_address(codec, slot, access->address);
    unsigned how = (token & ~PLACE_BIT) >> VALUE_SHIFT;
    if (access->flags & TCGRR_ACCESS_VALUE) {
        if (!decode_value(codec, source, slot, how, access, &value) || !is_within(value, access->size)) {
            return false;
        }
        learn_value(codec, slot, value);
        remember(codec, access->address, access->size, value);
    } else if (how != 0) {
        return false;
    }
    access->value[0] = value.low;
    access->value[1] = value.high;
    access->device = slot->device;
    access->physical = access->flags & TCGRR_ACCESS_PHYSICAL ? access->address + slot->offset : 0;
    return true;
}

static bool is_kind(unsigned kind)
{
    return kind < KINDS && (kind & 7) <= 4;
}

/* The new shape of `block`, with at most `most` accesses. NULL: malformed. */
static struct slot *decode_shape(struct tcgrr_access_codec *codec, struct source *source, uint32_t block,
                                 uint32_t insns, uint64_t most)
{
    struct slot *old = expected(codec, block);
    uint32_t first = codec->used;
    uint64_t count;
    uint64_t insn;
    uint64_t before = 0;

    if (!take_varint(source, STREAM_SHAPES, &count) || count > most) {
        return NULL;
    }
    for (; count > 0; count--) {
        if (!take_varint(source, STREAM_SHAPES, &insn) || insn >= insns || insn < before ||
            source->at[STREAM_SHAPES] == source->end[STREAM_SHAPES] || !is_kind(*source->at[STREAM_SHAPES])) {
            return NULL;
        }
        old = add_slot(codec, old, (uint16_t)insn, *source->at[STREAM_SHAPES]++);
        before = insn;
    }
    end_shape(codec, block, first);
    return &codec->slots[first];
}

/* Index of the execution with the next new shape; of none if there is no other. */
static bool next_described(struct source *source, uint32_t execs, bool first, uint32_t *described)
{
    uint64_t distance;

    if (source->at[STREAM_SHAPES] == source->end[STREAM_SHAPES]) {
        *described = execs;
        return true;
    }
    if (!take_varint(source, STREAM_SHAPES, &distance) || distance >= execs - *described || (distance == 0 && !first)) {
        return false;
    }
    *described += (uint32_t)distance;
    return true;
}

static bool decode_all(struct tcgrr_access_codec *codec, struct source *source, struct tcgrr_chunk *chunk,
                       const struct tcgrr_blocks *table)
{
    struct tcgrr_access *access = (struct tcgrr_access *)(void *)chunk->accesses->data;
    const struct tcgrr_access *end = access ? access + chunk->accesses->len : NULL;
    uint32_t described = 0;

    if (!next_described(source, chunk->count, true, &described)) {
        return false;
    }
    for (uint32_t exec = 0; exec < chunk->count; exec++) {
        uint32_t block = chunk->blocks[exec];
        struct slot *slot = expected(codec, block);
        if (exec == described) {
            slot = decode_shape(codec, source, block, tcgrr_blocks_get(table, block)->insns, (uint64_t)(end - access));
            if (!slot || !next_described(source, chunk->count, false, &described)) {
                return false;
            }
        }
        for (; slot->kind != KINDS; slot++, access++) {
            if (access == end || !decode_access(codec, source, slot, access)) {
                return false;
            }
            access->exec = exec;
        }
    }
    return access == end;
}

/* Brings `stored` bytes at `data` to the stream's size, which is bounded. */
static bool expand(struct tcgrr_access_codec *codec, struct tcgrr_codec_stream *stream, const uint8_t *data,
                   size_t stored, size_t size)
{
    tcgrr_codec_stream_reserve(stream, size);
    stream->size = size;
    if (stored == size) {
        memcpy(stream->data, data, size);
        return true;
    }
    /* One frame of just this size. */
    return ZSTD_getFrameContentSize(data, stored) == size && ZSTD_findFrameCompressedSize(data, stored) == stored &&
           ZSTD_decompressDCtx(codec->decompressor, stream->data, size, data, stored) == size;
}

static bool expand_all(struct tcgrr_access_codec *codec, const uint8_t *data, size_t size, uint64_t count,
                       uint32_t execs, struct source *source)
{
    const uint8_t *at = data;
    const uint8_t *end = data + size;
    uint32_t sizes[STREAMS];
    uint32_t stored[STREAMS];

    for (int i = 0; i < STREAMS; i++) {
        if (!tcgrr_codec_get_varint(&at, end, &sizes[i]) || !tcgrr_codec_get_varint(&at, end, &stored[i]) ||
            sizes[i] > longest_stream(i, count, execs) || stored[i] > sizes[i]) {
            return false;
        }
    }
    for (int i = 0; i < STREAMS; i++) {
        struct tcgrr_codec_stream *stream = &codec->streams[i];
        if (stored[i] > (size_t)(end - at) || !expand(codec, stream, at, stored[i], sizes[i])) {
            return false;
        }
        at += stored[i];
        source->at[i] = stream->data;
        source->end[i] = stream->data + stream->size;
    }
    return at == end;
}

bool tcgrr_access_decode(struct tcgrr_access_codec *codec, const uint8_t *data, size_t size, uint64_t count,
                         struct tcgrr_chunk *chunk, const struct tcgrr_blocks *table, GError **error)
{
    struct source source;

    g_array_set_size(chunk->accesses, 0);
    if (count > TCGRR_ACCESS_CODEC_MAX) {
        return damaged(error, "too many of them");
    }
    if (size == 0 || !expand_all(codec, data, size, count, chunk->count, &source)) {
        return damaged(error, "a stream is malformed");
    }
    begin(codec, count, chunk->count);
    g_array_set_size(chunk->accesses, (guint)count);
    if (!decode_all(codec, &source, chunk, table)) {
        g_array_set_size(chunk->accesses, 0);
        return damaged(error, "they do not fit what ran");
    }
    for (int i = 0; i < STREAMS; i++) {
        if (source.at[i] != source.end[i]) {
            g_array_set_size(chunk->accesses, 0);
            return damaged(error, "bytes are left over");
        }
    }
    return true;
}
