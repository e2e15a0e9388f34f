/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/codec/codec_sample.h"

#include "store/codec/varint.h"

#include <string.h>
#include <zstd.h>

#define LEVEL 3

/* Bytes of a sample besides its changes, at most: distances, vCPU, digest, how many changes. */
#define HEAD_BYTES  64u
/* One more than a chunk is full with: the last sample may be as large as the state can be. */
#define MAX_CHANGES (TCGRR_SAMPLES_BYTES + TCGRR_MAX_STATE_BYTES + 2 * TCGRR_MAX_REGISTERS)

static const struct tcgrr_sample *sample_at(const struct tcgrr_samples *samples, guint index)
{
    return &g_array_index(samples->list, struct tcgrr_sample, index);
}

static guint changes_end(const struct tcgrr_samples *samples, guint index)
{
    return index + 1 < samples->list->len ? sample_at(samples, index + 1)->offset : samples->changes->len;
}

static void put_places(const struct tcgrr_samples *samples, tcgrr_icount first_icount, GByteArray *bytes)
{
    tcgrr_icount icount = first_icount;
    uint32_t exec = 0;

    for (guint i = 0; i < samples->list->len; i++) {
        const struct tcgrr_sample *sample = sample_at(samples, i);
        tcgrr_varint_put(bytes, sample->exec - exec);
        tcgrr_varint_put(bytes, sample->icount - icount);
        tcgrr_varint_put(bytes, sample->vcpu);
        if (samples->has_stores) {
            uint64_t stores = GUINT64_TO_LE(sample->stores);
            g_byte_array_append(bytes, (const guint8 *)&stores, sizeof(stores));
        }
        exec = sample->exec;
        icount = sample->icount;
    }
}

/* Which registers changed: how many, and the distances of their numbers. */
static void put_numbers(const struct tcgrr_samples *samples, GByteArray *bytes)
{
    g_autoptr(GByteArray) distances = g_byte_array_new();

    for (guint i = 0; i < samples->list->len; i++) {
        uint32_t count = 0;
        uint16_t before = 0;
        g_byte_array_set_size(distances, 0);
        for (guint at = sample_at(samples, i)->offset; at < changes_end(samples, i); count++) {
            uint16_t number;
            memcpy(&number, samples->changes->data + at, sizeof(number));
            tcgrr_varint_put(distances, (uint64_t)(number - before));
            at += (guint)sizeof(number) + tcgrr_register_table_get(samples->registers, number)->size;
            before = number;
        }
        tcgrr_varint_put(bytes, count);
        g_byte_array_append(bytes, distances->data, distances->len);
    }
}

/* Writes the XOR of each value and the previous one. */
static void put_values(const struct tcgrr_samples *samples, GByteArray *bytes)
{
    g_autofree uint8_t *image = g_malloc0(tcgrr_register_table_bytes(samples->registers));

    for (guint at = 0; at < samples->changes->len;) {
        uint16_t number;
        memcpy(&number, samples->changes->data + at, sizeof(number));
        const struct tcgrr_state_register *changed = tcgrr_register_table_get(samples->registers, number);
        const uint8_t *value = samples->changes->data + at + sizeof(number);
        guint to = bytes->len;
        g_byte_array_append(bytes, value, changed->size);
        for (uint32_t i = 0; i < changed->size; i++) {
            bytes->data[to + i] ^= image[changed->offset + i];
        }
        memcpy(image + changed->offset, value, changed->size);
        at += (guint)sizeof(number) + changed->size;
    }
}

void tcgrr_samples_encode(const struct tcgrr_samples *samples, tcgrr_icount first_icount, GByteArray *scratch,
                          GByteArray *out)
{
    g_byte_array_set_size(scratch, 0);
    tcgrr_varint_put(scratch, samples->list->len);
    tcgrr_varint_put(scratch, samples->has_stores);
    put_places(samples, first_icount, scratch);
    put_numbers(samples, scratch);
    if (samples->list->len > 0) {
        put_values(samples, scratch);
    }
    size_t bound = ZSTD_compressBound(scratch->len);
    g_byte_array_set_size(out, (guint)bound);
    g_byte_array_set_size(out, (guint)ZSTD_compress(out->data, bound, scratch->data, scratch->len, LEVEL));
}

/* ---- decoding ---- */

/* The untrusted bytes that are not read yet. */
struct intake {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take(struct intake *intake, uint64_t most, uint64_t *value)
{
    return tcgrr_varint_take(&intake->at, intake->end, value) && *value <= most;
}

static bool take_stores(struct intake *intake, uint64_t *stores)
{
    if (intake->end - intake->at < (ptrdiff_t)sizeof(*stores)) {
        return false;
    }
    memcpy(stores, intake->at, sizeof(*stores));
    *stores = GUINT64_FROM_LE(*stores);
    intake->at += sizeof(*stores);
    return true;
}

/* Appends the samples, without their changes. */
static bool take_places(struct intake *intake, uint64_t count, uint32_t execs, tcgrr_icount first_icount,
                        struct tcgrr_samples *samples)
{
    struct tcgrr_sample sample = {.icount = first_icount};

    for (uint64_t i = 0; i < count; i++) {
        uint64_t distance;
        uint64_t insns;
        uint64_t vcpu;
        if (!take(intake, execs - 1 - sample.exec, &distance) || (i > 0 && distance == 0) ||
            !take(intake, INT64_MAX - sample.icount, &insns) || !take(intake, UINT32_MAX, &vcpu) ||
            (samples->has_stores && !take_stores(intake, &sample.stores))) {
            return false;
        }
        sample.exec += (uint32_t)distance;
        sample.icount += insns;
        sample.vcpu = (tcgrr_vcpu)vcpu;
        g_array_append_val(samples->list, sample);
    }
    return true;
}

/* Appends to each sample's changes the registers that changed, with room for their values. */
static bool take_numbers(struct intake *intake, struct tcgrr_samples *samples)
{
    uint32_t registers = tcgrr_register_table_count(samples->registers);

    for (guint i = 0; i < samples->list->len; i++) {
        uint64_t number = 0;
        uint64_t count;
        g_array_index(samples->list, struct tcgrr_sample, i).offset = samples->changes->len;
        if (!take(intake, registers, &count) || (i == 0 && count != registers)) {
            return false;
        }
        for (uint64_t change = 0; change < count; change++) {
            uint64_t distance;
            if (!take(intake, registers - 1 - number, &distance) || (change > 0 && distance == 0)) {
                return false;
            }
            number += distance;
            uint16_t stored = (uint16_t)number;
            uint32_t size = tcgrr_register_table_get(samples->registers, (uint32_t)number)->size;
            if (size > (uint64_t)(intake->end - intake->at) || samples->changes->len + size > MAX_CHANGES) {
                return false;
            }
            g_byte_array_append(samples->changes, (const guint8 *)&stored, sizeof(stored));
            g_byte_array_set_size(samples->changes, samples->changes->len + size);
        }
    }
    return true;
}

static bool take_values(struct intake *intake, struct tcgrr_samples *samples)
{
    g_byte_array_set_size(samples->last, tcgrr_register_table_bytes(samples->registers));
    memset(samples->last->data, 0, samples->last->len);
    for (guint at = 0; at < samples->changes->len;) {
        uint16_t number;
        memcpy(&number, samples->changes->data + at, sizeof(number));
        const struct tcgrr_state_register *changed = tcgrr_register_table_get(samples->registers, number);
        uint8_t *value = samples->last->data + changed->offset;
        if (intake->end - intake->at < (ptrdiff_t)changed->size) {
            return false;
        }
        for (uint32_t i = 0; i < changed->size; i++) {
            value[i] ^= intake->at[i];
        }
        memcpy(samples->changes->data + at + sizeof(number), value, changed->size);
        intake->at += changed->size;
        at += (guint)sizeof(number) + changed->size;
    }
    return intake->at == intake->end;
}

static bool unpack(const uint8_t *data, size_t size, uint32_t execs, GByteArray *scratch)
{
    unsigned long long plain = size > 0 ? ZSTD_getFrameContentSize(data, size) : ZSTD_CONTENTSIZE_ERROR;
    uint64_t most = MIN((uint64_t)MAX_CHANGES * 2 + (uint64_t)execs * HEAD_BYTES, UINT32_MAX);

    if (plain > most) { /* the two error values are larger, too */
        return false;
    }
    g_byte_array_set_size(scratch, (guint)plain);
    return ZSTD_decompress(scratch->data, plain, data, size) == plain;
}

bool tcgrr_samples_decode(const uint8_t *data, size_t size, struct tcgrr_register_table *registers, uint32_t execs,
                          tcgrr_icount first_icount, GByteArray *scratch, struct tcgrr_samples *samples)
{
    uint64_t count;
    uint64_t has_stores;

    tcgrr_samples_clear(samples);
    if (execs == 0 || tcgrr_register_table_count(registers) == 0 || first_icount > INT64_MAX ||
        !unpack(data, size, execs, scratch)) {
        return false;
    }
    struct intake intake = {.at = scratch->data, .end = scratch->data + scratch->len};
    if (!take(&intake, execs, &count) || count == 0 || !take(&intake, 1, &has_stores)) {
        return false;
    }
    samples->registers = tcgrr_register_table_ref(registers);
    samples->has_stores = has_stores;
    return take_places(&intake, count, execs, first_icount, samples) && take_numbers(&intake, samples) &&
           take_values(&intake, samples);
}
