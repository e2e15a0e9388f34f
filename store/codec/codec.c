/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chooses a method for each run, frames and compresses its streams, and checks the frame on the way back. */
#include "store/codec/codec_internal.h"

#define ZSTD_LEVEL           1
#define SAMPLE_PART          8    /* one in this many ids is encoded both ways */
#define SAMPLE_AT_LEAST      8192 /* ids; fewer say little about the rest */
#define QUIET_IDS            128  /* if LZP misses less often than once in this many ids, it is chosen at once */
#define PACK_BONUS           8    /* fixed width is chosen if it is larger by less than one part in this many */
#define STREAM_COUNT(method) ((method) == TCGRR_CODEC_LZP ? 2u : 3u)

static void slots_init(struct tcgrr_codec_slots *slots)
{
    slots->all = g_new0(struct tcgrr_codec_slot, TCGRR_CODEC_SLOT_MASK + 1);
    slots->dirty = g_new0(uint8_t, TCGRR_CODEC_PAGES);
}

static void slots_free(struct tcgrr_codec_slots *slots)
{
    g_free(slots->all);
    g_free(slots->dirty);
}

struct tcgrr_codec *tcgrr_codec_new(void)
{
    struct tcgrr_codec *codec = g_new0(struct tcgrr_codec, 1);

    codec->compressor = ZSTD_createCCtx();
    codec->decompressor = ZSTD_createDCtx();
    if (codec->compressor == NULL || codec->decompressor == NULL)
        g_error("out of memory for zstd");
    slots_init(&codec->lzp.slots);
    slots_init(&codec->fixk.slots);
    codec->lzp.match = g_new(uint32_t, 1u << TCGRR_CODEC_MATCH_BITS);
    codec->candidates[0] = g_byte_array_new();
    codec->candidates[1] = g_byte_array_new();
    return codec;
}

void tcgrr_codec_free(struct tcgrr_codec *codec)
{
    unsigned i;

    if (codec == NULL)
        return;
    ZSTD_freeCCtx(codec->compressor);
    ZSTD_freeDCtx(codec->decompressor);
    slots_free(&codec->lzp.slots);
    slots_free(&codec->fixk.slots);
    g_free(codec->lzp.match);
    for (i = 0; i < TCGRR_CODEC_MAX_STREAMS; i++) {
        g_free(codec->lzp.streams[i].data);
        g_free(codec->fixk.streams[i].data);
    }
    g_byte_array_unref(codec->candidates[0]);
    g_byte_array_unref(codec->candidates[1]);
    g_free(codec);
}

void tcgrr_codec_stream_reserve(struct tcgrr_codec_stream *stream, size_t capacity)
{
    stream->size = 0;
    if (stream->data != NULL && stream->capacity >= capacity)
        return;
    g_free(stream->data);
    stream->data = g_malloc(capacity + TCGRR_CODEC_SLACK);
    stream->capacity = capacity;
}

void tcgrr_codec_slots_clear(struct tcgrr_codec_slots *slots)
{
    size_t page_size = (size_t)1 << TCGRR_CODEC_PAGE_BITS, page;

    for (page = 0; page < TCGRR_CODEC_PAGES; page++) {
        if (slots->dirty[page]) {
            memset(slots->all + page * page_size, 0, page_size * sizeof(*slots->all));
            slots->dirty[page] = 0;
        }
    }
}

static struct tcgrr_codec_stream *streams_of(struct tcgrr_codec *codec, enum tcgrr_codec_method method)
{
    return method == TCGRR_CODEC_LZP ? codec->lzp.streams : codec->fixk.streams;
}

bool tcgrr_codec_damaged(GError **error, const char *what)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "encoded run of block ids: %s", what);
    return false;
}

/* Replaces `out` by what the method's streams hold, compressed, after their sizes. */
static void frame_streams(struct tcgrr_codec *codec, enum tcgrr_codec_method method, GByteArray *out)
{
    const struct tcgrr_codec_stream *stream, *streams = streams_of(codec, method);
    uint8_t header[TCGRR_CODEC_MAX_STREAMS * 10], *at = header;
    size_t bound = sizeof(header), used = sizeof(header), header_size;
    unsigned i;

    for (i = 0; i < STREAM_COUNT(method); i++)
        bound += ZSTD_compressBound(streams[i].size);
    g_byte_array_set_size(out, (guint)bound);
    for (stream = streams; stream < streams + STREAM_COUNT(method); stream++) {
        size_t stored = ZSTD_compressCCtx(codec->compressor, out->data + used, bound - used, stream->data, stream->size,
                                          ZSTD_LEVEL);

        if (ZSTD_isError(stored) || stored >= stream->size) {
            stored = stream->size;
            if (stored > 0)
                memcpy(out->data + used, stream->data, stored);
        }
        at = tcgrr_codec_put_varint(at, (uint32_t)stream->size);
        at = tcgrr_codec_put_varint(at, (uint32_t)stored);
        used += stored;
    }
    header_size = (size_t)(at - header);
    memmove(out->data + header_size, out->data + sizeof(header), used - sizeof(header));
    memcpy(out->data, header, header_size);
    g_byte_array_set_size(out, (guint)(used - sizeof(header) + header_size));
}

static void finish_lzp(struct tcgrr_codec *codec, const uint32_t *ids, size_t count, size_t pause_at, GByteArray *out)
{
    tcgrr_codec_lzp_encode(&codec->lzp, ids, count, pause_at);
    frame_streams(codec, TCGRR_CODEC_LZP, out);
}

static void encode_fixk(struct tcgrr_codec *codec, const uint32_t *ids, size_t count, GByteArray *out)
{
    tcgrr_codec_fixk_encode(&codec->fixk, ids, count);
    frame_streams(codec, TCGRR_CODEC_FIXK, out);
}

static bool is_noisy(const struct tcgrr_codec_lzp *lzp)
{
    return lzp->misses > lzp->position / QUIET_IDS;
}

/* Returns: whether ids coded to `a_bytes` take half as much again, each, as those coded to `b_bytes`. */
static bool is_denser(size_t a_bytes, size_t a_ids, size_t b_bytes, size_t b_ids)
{
    return 2 * (uint64_t)a_bytes * b_ids > 3 * (uint64_t)b_bytes * a_ids;
}

/*
 * Returns: the smaller encoding. Where LZP misses often, both methods encode the beginning of the run, and only the one
 * that comes out smaller the rest. If then the rest is unlike the beginning, in the direction that speaks for the other
 * method, that one encodes the whole run too.
 */
static const GByteArray *encode_smaller(struct tcgrr_codec *codec, const uint32_t *ids, size_t count)
{
    GByteArray *lzp = codec->candidates[0], *fixk = codec->candidates[1];
    size_t sample = MIN(count, MAX(count / SAMPLE_PART, SAMPLE_AT_LEAST)), lzp_bytes = 0, fixk_bytes;

    tcgrr_codec_lzp_begin(&codec->lzp, count);
    tcgrr_codec_lzp_encode(&codec->lzp, ids, count, sample);
    sample = codec->lzp.position;
    if (is_noisy(&codec->lzp)) {
        finish_lzp(codec, ids, count, sample, lzp);
        encode_fixk(codec, ids, sample, fixk);
        lzp_bytes = lzp->len;
        fixk_bytes = fixk->len;
        if (sample == count)
            return fixk_bytes < lzp_bytes ? fixk : lzp;
        if (fixk_bytes < lzp_bytes) {
            encode_fixk(codec, ids, count, fixk);
            if (!is_denser(fixk_bytes, sample, fixk->len, count))
                return fixk;
            finish_lzp(codec, ids, count, count, lzp);
            return fixk->len < lzp->len ? fixk : lzp;
        }
    }
    finish_lzp(codec, ids, count, count, lzp);
    if (is_noisy(&codec->lzp) && is_denser(lzp->len, count, lzp_bytes, sample)) {
        encode_fixk(codec, ids, count, fixk);
        return fixk->len < lzp->len ? fixk : lzp;
    }
    return lzp;
}

static unsigned id_width(const uint32_t *ids, size_t count)
{
    uint32_t all = 0;
    size_t i;

    for (i = 0; i < count; i++)
        all |= ids[i];
    return all == 0 ? 0 : g_bit_storage(all);
}

/* Returns: bytes for the width and the ids. */
static inline size_t pack_size(size_t count, unsigned width)
{
    return 1 + (count * width + 7) / 8;
}

static void append_pack(const uint32_t *ids, size_t count, unsigned width, GByteArray *out)
{
    size_t start = out->len + 1, size = pack_size(count, width) - 1, i;
    uint8_t width_byte = (uint8_t)width, *at;
    uint64_t bits = 0;
    unsigned bit_count = 0;

    g_byte_array_append(out, &width_byte, 1);
    g_byte_array_set_size(out, (guint)(start + size + sizeof(bits)));
    at = out->data + start;
    for (i = 0; i < count; i++) {
        bits |= (uint64_t)ids[i] << bit_count;
        bit_count += width;
        if (bit_count >= 32) {
            tcgrr_codec_store64(at, bits);
            at += 4;
            bits >>= 32;
            bit_count -= 32;
        }
    }
    tcgrr_codec_store64(at, bits);
    g_byte_array_set_size(out, (guint)(start + size));
}

void tcgrr_codec_encode(struct tcgrr_codec *codec, const uint32_t *ids, size_t count, GByteArray *out)
{
    const GByteArray *best = NULL;
    unsigned width = TCGRR_CODEC_ID_BITS;
    uint8_t header[1 + 5];
    bool packs;

    g_return_if_fail(count <= TCGRR_CODEC_MAX_IDS);
    if (count > 0)
        best = encode_smaller(codec, ids, count);
    /* Ids are only looked through where a bit for each might do. */
    if (best == NULL || best->len > count / 16)
        width = id_width(ids, count);
    packs = best == NULL || pack_size(count, width) <= best->len + best->len / PACK_BONUS;
    header[0] = packs ? TCGRR_CODEC_PACK : best == codec->candidates[0] ? TCGRR_CODEC_LZP : TCGRR_CODEC_FIXK;
    g_byte_array_append(out, header, (guint)(tcgrr_codec_put_varint(header + 1, (uint32_t)count) - header));
    if (packs)
        append_pack(ids, count, width, out);
    else
        g_byte_array_append(out, best->data, best->len);
}

static bool decode_pack(const uint8_t *data, size_t size, uint32_t *ids, size_t count, uint32_t id_limit,
                        GError **error)
{
    unsigned width = size > 0 ? data[0] : TCGRR_CODEC_ID_BITS + 1, bit_count = 0;
    const uint8_t *at = data + 1;
    uint64_t bits = 0;
    size_t i;

    if (width > TCGRR_CODEC_ID_BITS || size != pack_size(count, width))
        return tcgrr_codec_damaged(error, "its size does not match the number of ids");
    for (i = 0; i < count; i++) {
        uint32_t id;

        if (bit_count < width) {
            size_t left = (size_t)(data + size - at);

            if (G_LIKELY(left >= 8)) {
                bits |= (tcgrr_codec_load64(at) & UINT32_MAX) << bit_count;
                at += 4;
                bit_count += 32;
            } else {
                for (; left > 0 && bit_count < width; left--, bit_count += 8)
                    bits |= (uint64_t)*at++ << bit_count;
            }
        }
        id = (uint32_t)(bits & ((UINT64_C(1) << width) - 1));
        bits >>= width;
        bit_count -= width;
        if (G_UNLIKELY(id >= id_limit))
            return tcgrr_codec_damaged(error, "an id is out of range");
        ids[i] = id;
    }
    return bits == 0 || tcgrr_codec_damaged(error, "bits are left over");
}

/* Brings `stored` bytes at `data` to the stream's size. */
static bool expand_stream(struct tcgrr_codec *codec, struct tcgrr_codec_stream *stream, const uint8_t *data,
                          size_t stored, size_t size, GError **error)
{
    tcgrr_codec_stream_reserve(stream, size);
    stream->size = size;
    if (stored == size) {
        if (size > 0)
            memcpy(stream->data, data, size);
        return true;
    }
    /* One frame of just this size: neither several in a row nor one that leaves its size open. */
    if (ZSTD_getFrameContentSize(data, stored) != size || ZSTD_findFrameCompressedSize(data, stored) != stored ||
        ZSTD_decompressDCtx(codec->decompressor, stream->data, size, data, stored) != size)
        return tcgrr_codec_damaged(error, "a compressed stream is malformed");
    return true;
}

/* Reads the header and expands the streams, none of which can be longer than an encoder makes it for `count` ids. */
static bool expand_streams(struct tcgrr_codec *codec, enum tcgrr_codec_method method, const uint8_t *data, size_t size,
                           size_t count, GError **error)
{
    size_t longest[TCGRR_CODEC_MAX_STREAMS] = {method == TCGRR_CODEC_LZP ? count : count / 8 + 1, count, count * 5};
    struct tcgrr_codec_stream *streams = streams_of(codec, method);
    const uint8_t *at = data, *end = data + size;
    uint32_t sizes[TCGRR_CODEC_MAX_STREAMS], stored[TCGRR_CODEC_MAX_STREAMS];
    unsigned i;

    if (method == TCGRR_CODEC_LZP)
        longest[1] = count * 5;
    for (i = 0; i < STREAM_COUNT(method); i++) {
        if (!tcgrr_codec_get_varint(&at, end, &sizes[i]) || !tcgrr_codec_get_varint(&at, end, &stored[i]))
            return tcgrr_codec_damaged(error, "its header is cut off");
        if (sizes[i] > longest[i] || stored[i] > sizes[i])
            return tcgrr_codec_damaged(error, "a stream is larger than its ids can make it");
    }
    for (i = 0; i < STREAM_COUNT(method); i++) {
        if (stored[i] > (size_t)(end - at))
            return tcgrr_codec_damaged(error, "a stream is cut off");
        if (!expand_stream(codec, &streams[i], at, stored[i], sizes[i], error))
            return false;
        at += stored[i];
    }
    return at == end || tcgrr_codec_damaged(error, "bytes are left over");
}

bool tcgrr_codec_decode(struct tcgrr_codec *codec, const uint8_t *data, size_t size, uint32_t *ids, size_t count,
                        uint32_t id_limit, GError **error)
{
    const uint8_t *at, *end;
    uint32_t said;

    id_limit = MIN(id_limit, 1u << TCGRR_CODEC_ID_BITS);
    if (count > TCGRR_CODEC_MAX_IDS)
        return tcgrr_codec_damaged(error, "too many ids");
    if (size == 0)
        return tcgrr_codec_damaged(error, "it is empty");
    at = data + 1;
    end = data + size;
    if (!tcgrr_codec_get_varint(&at, end, &said) || said != count)
        return tcgrr_codec_damaged(error, "it has a different number of ids");
    size = (size_t)(end - at);
    switch (data[0]) {
    case TCGRR_CODEC_PACK:
        return decode_pack(at, size, ids, count, id_limit, error);
    case TCGRR_CODEC_LZP:
        return expand_streams(codec, TCGRR_CODEC_LZP, at, size, count, error) &&
               tcgrr_codec_lzp_decode(&codec->lzp, ids, count, id_limit, error);
    case TCGRR_CODEC_FIXK:
        return expand_streams(codec, TCGRR_CODEC_FIXK, at, size, count, error) &&
               tcgrr_codec_fixk_decode(&codec->fixk, ids, count, id_limit, error);
    default:
        return tcgrr_codec_damaged(error, "it is of an unknown kind");
    }
}
