/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Speed and size of the codec for block ids: synthetic streams, and files of raw little-endian u32 ids given as
 * arguments. Speeds are the best of several passes, because other programs share the machine.
 */
#include "store/codec/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS   6
#define PASSES 5

struct random {
    uint64_t state;
};

static uint32_t random_next(struct random *random)
{
    random->state = random->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random->state >> 33);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* A loop over 50 diamonds: each first block goes to one of two arms at random, one time in `odds` to the second. */
static void make_coin_flips(uint32_t *ids, size_t count, uint32_t odds)
{
    struct random random = {1};
    uint32_t block = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        ids[i] = block;
        if (block % 2 == 0 && random_next(&random) % odds == 0)
            block += 2;
        else
            block += 1;
        block = block >= 100 ? 0 : block;
    }
}

/* Calls of functions from a large set, each a loop nest with a trip count that varies now and then. */
static void make_kernel(uint32_t *ids, size_t count)
{
    struct random random = {2};
    uint32_t script[64], at = 0, function, trip, block;
    size_t i = 0;

    for (block = 0; block < G_N_ELEMENTS(script); block++)
        script[block] = random_next(&random) % 2000;
    while (i < count) {
        if (random_next(&random) % 40 == 0)
            script[random_next(&random) % G_N_ELEMENTS(script)] = random_next(&random) % 2000;
        function = script[at++ % G_N_ELEMENTS(script)] * 16;
        trip = 2 + function / 16 % 7 + (random_next(&random) % 16 == 0);
        for (; trip > 0; trip--)
            for (block = 0; block < 3 + function / 16 % 9 && i < count; block++)
                ids[i++] = function + block;
    }
}

static void make_polling(uint32_t *ids, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        ids[i] = 700 + (uint32_t)(i % 3);
}

/* A dispatcher: each block is followed by one of three others of its own, so that no method fits. */
static void make_dispatch(uint32_t *ids, size_t count)
{
    struct random random = {4};
    uint32_t block = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        ids[i] = block;
        block = (block * 7 + random_next(&random) % 3 * 31) % 400;
    }
}

static void make_uniform(uint32_t *ids, size_t count)
{
    struct random random = {3};
    size_t i;

    for (i = 0; i < count; i++)
        ids[i] = random_next(&random) % 1000;
}

static void measure(const char *name, const uint32_t *ids, size_t count)
{
    uint32_t *back = g_new(uint32_t, TCGRR_CODEC_MAX_IDS);
    struct tcgrr_codec *codec = tcgrr_codec_new();
    GByteArray *out = g_byte_array_new();
    double encode_best = 1e9, decode_best = 1e9;
    size_t start, bytes = 0, kinds[4] = {0};
    int pass;

    for (pass = 0; pass < PASSES; pass++) {
        double encode = 0, decode = 0;

        bytes = 0;
        for (start = 0; start < count; start += TCGRR_CODEC_MAX_IDS) {
            size_t length = MIN(count - start, TCGRR_CODEC_MAX_IDS);
            double t0, t1, t2;

            g_byte_array_set_size(out, 0);
            t0 = now();
            tcgrr_codec_encode(codec, ids + start, length, out);
            t1 = now();
            if (!tcgrr_codec_decode(codec, out->data, out->len, back, length, UINT32_MAX, NULL) ||
                memcmp(back, ids + start, length * sizeof(*back)) != 0) {
                fprintf(stderr, "%s: decoded ids differ\n", name);
                exit(EXIT_FAILURE);
            }
            t2 = now();
            encode += t1 - t0;
            decode += t2 - t1;
            bytes += out->len;
            kinds[out->data[0] & 3] += pass == 0;
        }
        encode_best = MIN(encode_best, encode);
        decode_best = MIN(decode_best, decode);
    }
    printf("%-16s %8.4f bits/id  encode %6.0f M/s  decode %6.0f M/s  pack/lzp/fixk %zu/%zu/%zu\n", name,
           8.0 * (double)bytes / (double)count, (double)count / encode_best / 1e6, (double)count / decode_best / 1e6,
           kinds[1], kinds[2], kinds[3]);
    g_byte_array_unref(out);
    tcgrr_codec_free(codec);
    g_free(back);
}

static void measure_file(const char *path)
{
    GError *error = NULL;
    gchar *data;
    gsize size;
    uint32_t *ids;
    size_t i;

    if (!g_file_get_contents(path, &data, &size, &error)) {
        fprintf(stderr, "%s\n", error->message);
        exit(EXIT_FAILURE);
    }
    ids = g_new(uint32_t, size / sizeof(*ids) + 1);
    for (i = 0; i < size / sizeof(*ids); i++) {
        memcpy(&ids[i], data + i * sizeof(*ids), sizeof(*ids));
        ids[i] = GUINT32_FROM_LE(ids[i]);
        if (ids[i] >= 1u << 28) {
            fprintf(stderr, "%s: id %zu is too large\n", path, i);
            exit(EXIT_FAILURE);
        }
    }
    if (i > 0)
        measure(path, ids, i);
    g_free(ids);
    g_free(data);
}

int main(int argc, char **argv)
{
    size_t count = (size_t)RUNS * TCGRR_CODEC_MAX_IDS;
    uint32_t *ids = g_new(uint32_t, count);
    int i;

    make_coin_flips(ids, count, 2);
    measure("coin flips", ids, count);
    make_coin_flips(ids, count, 16);
    measure("biased flips", ids, count);
    make_coin_flips(ids, count, 64);
    measure("rare flips", ids, count);
    make_kernel(ids, count);
    measure("kernel", ids, count);
    make_polling(ids, count);
    measure("polling", ids, count);
    make_dispatch(ids, count);
    measure("dispatch", ids, count);
    make_uniform(ids, count);
    measure("uniform", ids, count);
    g_free(ids);
    for (i = 1; i < argc; i++)
        measure_file(argv[i]);
    return 0;
}
