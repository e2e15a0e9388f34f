/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for the codec of block ids. The first byte selects: decode the rest as an encoded run of as many ids
 * as it says, or take it for ids of one, two or four bytes that have to survive a round trip.
 */
#include "store/codec/codec.h"
#include "store/error.h"

#include <stdlib.h>
#include <string.h>

#define MAX_IDS   (1u << 16) /* keeps a single input fast */
#define ID_LIMIT  1000003u
#define KIND_MASK 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tcgrr_codec *codec;

static void decode(const uint8_t *data, size_t size, size_t count)
{
    uint32_t *ids = g_new(uint32_t, count + 1); /* of just this size, for the sanitizer */
    GError *error = NULL;
    size_t i;

    if (tcgrr_codec_decode(codec, data, size, ids, count, ID_LIMIT, &error)) {
        for (i = 0; i < count; i++)
            if (ids[i] >= ID_LIMIT)
                abort();
    } else if (!g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED)) {
        abort();
    }
    g_clear_error(&error);
    g_free(ids);
}

/* Without this the fuzzer would have to guess a number twice. */
static size_t said_count(const uint8_t *data, size_t size)
{
    size_t count = 0, i;

    for (i = 1; i < MIN(size, 4); i++) {
        count |= (size_t)(data[i] & 0x7f) << (7 * (i - 1));
        if (data[i] < 0x80)
            break;
    }
    return MIN(count, MAX_IDS);
}

static void round_trip(const uint8_t *data, size_t size, size_t id_size)
{
    size_t count = MIN(size / id_size, TCGRR_CODEC_MAX_IDS), i;
    uint32_t *ids = g_new(uint32_t, count + 1), *back = g_new(uint32_t, count + 1);
    GByteArray *out = g_byte_array_new();
    GError *error = NULL;

    for (i = 0; i < count; i++) {
        uint32_t id = 0;

        memcpy(&id, data + i * id_size, id_size);
        ids[i] = GUINT32_FROM_LE(id) & ((1u << 28) - 1);
    }
    tcgrr_codec_encode(codec, ids, count, out);
    if (!tcgrr_codec_decode(codec, out->data, out->len, back, count, UINT32_MAX, &error))
        abort();
    if (count > 0 && memcmp(ids, back, count * sizeof(*ids)) != 0)
        abort();
    g_byte_array_unref(out);
    g_free(back);
    g_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if (codec == NULL)
        codec = tcgrr_codec_new();
    switch (data[0] & KIND_MASK) {
    case 0:
        decode(data + 1, size - 1, said_count(data + 1, size - 1));
        break;
    case 1:
        round_trip(data + 1, size - 1, 1);
        break;
    case 2:
        round_trip(data + 1, size - 1, 2);
        break;
    default:
        round_trip(data + 1, size - 1, 4);
        break;
    }
    return 0;
}
