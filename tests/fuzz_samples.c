/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for stored samples: the input is what a chunk's samples are before zstd, which would only hide it. What
 * is taken for samples must be sound, and come back the same when it is encoded.
 */
#include "store/codec/codec_sample.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define EXECS  1000u
#define ICOUNT 77u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tcgrr_register_table *registers;
static GByteArray *scratch;
static GByteArray *packed;

static void prepare(void)
{
    static const uint32_t sizes[] = {8, 8, 4, 1, 16, 33};
    registers = tcgrr_register_table_new();
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        tcgrr_register_table_add(registers, "r", "", sizes[i], NULL);
    }
    scratch = g_byte_array_new();
    packed = g_byte_array_new();
}

static void check(const struct tcgrr_samples *samples)
{
    struct tcgrr_sample_cursor cursor;
    const struct tcgrr_sample *before = NULL;
    uint64_t sum = 0;

    for (bool more = tcgrr_sample_begin(&cursor, samples); more; more = tcgrr_sample_next(&cursor)) {
        if (cursor.sample->exec >= EXECS || cursor.sample->icount < ICOUNT ||
            (before && (before->exec >= cursor.sample->exec || before->icount > cursor.sample->icount))) {
            abort();
        }
        for (uint32_t i = 0; i < tcgrr_register_table_bytes(registers); i++) {
            sum += cursor.image[i];
        }
        before = cursor.sample;
    }
    if (sum > 0 && memcmp(cursor.image, samples->last->data, samples->last->len) != 0) {
        abort();
    }
    tcgrr_sample_end(&cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!registers) {
        prepare();
    }
    struct tcgrr_samples *samples = tcgrr_samples_new();
    struct tcgrr_samples *again = tcgrr_samples_new();

    g_byte_array_set_size(packed, (guint)ZSTD_compressBound(size));
    g_byte_array_set_size(packed, (guint)ZSTD_compress(packed->data, packed->len, data, size, 1));
    if (tcgrr_samples_decode(packed->data, packed->len, registers, EXECS, ICOUNT, scratch, samples)) {
        check(samples);
        tcgrr_samples_encode(samples, ICOUNT, scratch, packed);
        if (!tcgrr_samples_decode(packed->data, packed->len, registers, EXECS, ICOUNT, scratch, again) ||
            again->list->len != samples->list->len || again->changes->len != samples->changes->len ||
            memcmp(again->changes->data, samples->changes->data, samples->changes->len) != 0) {
            abort();
        }
    }
    tcgrr_samples_free(samples);
    tcgrr_samples_free(again);
    return 0;
}
