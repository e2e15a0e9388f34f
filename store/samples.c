/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/samples.h"

#include "store/error.h"

#include <string.h>

/* ---- registers ---- */

struct tcgrr_register_table {
    gatomicrefcount references;
    GArray *list; /* struct tcgrr_state_register */
    GStringChunk *texts;
    GHashTable *by_name; /* name → number + 1 */
    uint32_t bytes;
};

struct tcgrr_register_table *tcgrr_register_table_new(void)
{
    struct tcgrr_register_table *registers = g_new0(struct tcgrr_register_table, 1);
    g_atomic_ref_count_init(&registers->references);
    registers->list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_state_register));
    registers->texts = g_string_chunk_new(4096);
    registers->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    return registers;
}

struct tcgrr_register_table *tcgrr_register_table_ref(struct tcgrr_register_table *registers)
{
    g_atomic_ref_count_inc(&registers->references);
    return registers;
}

void tcgrr_register_table_unref(struct tcgrr_register_table *registers)
{
    if (registers && g_atomic_ref_count_dec(&registers->references)) {
        g_array_unref(registers->list);
        g_string_chunk_free(registers->texts);
        g_hash_table_unref(registers->by_name);
        g_free(registers);
    }
}

static const char *unique_name(struct tcgrr_register_table *registers, const char *name)
{
    g_autofree char *made = g_strdup(name);
    for (unsigned copy = 2; g_hash_table_contains(registers->by_name, made); copy++) {
        g_free(made);
        made = g_strdup_printf("%s#%u", name, copy);
    }
    return g_string_chunk_insert(registers->texts, made);
}

bool tcgrr_register_table_add(struct tcgrr_register_table *registers, const char *name, const char *feature,
                              uint32_t size, GError **error)
{
    bool fits = size > 0 && size <= TCGRR_MAX_REGISTER_BYTES && registers->bytes + size <= TCGRR_MAX_STATE_BYTES &&
                registers->list->len < TCGRR_MAX_REGISTERS;
    if (!fits || !*name || strlen(name) > TCGRR_MAX_REGISTER_NAME || strlen(feature) > TCGRR_MAX_REGISTER_NAME) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "register %u is of impossible size or name",
                    registers->list->len);
        return false;
    }
    struct tcgrr_state_register made = {
        .name = unique_name(registers, name),
        .feature = g_string_chunk_insert_const(registers->texts, feature),
        .size = size,
        .offset = registers->bytes,
    };
    g_array_append_val(registers->list, made);
    g_hash_table_insert(registers->by_name, (gpointer)made.name, GUINT_TO_POINTER(registers->list->len));
    registers->bytes += size;
    return true;
}

uint32_t tcgrr_register_table_count(const struct tcgrr_register_table *registers)
{
    return registers->list->len;
}

const struct tcgrr_state_register *tcgrr_register_table_get(const struct tcgrr_register_table *registers,
                                                            uint32_t number)
{
    /* If there are samples, there is a table. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    return &g_array_index(registers->list, struct tcgrr_state_register, number);
}

const struct tcgrr_state_register *tcgrr_register_table_find(const struct tcgrr_register_table *registers,
                                                             const char *name)
{
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(registers->by_name, name));
    return number ? tcgrr_register_table_get(registers, number - 1) : NULL;
}

uint32_t tcgrr_register_table_bytes(const struct tcgrr_register_table *registers)
{
    return registers->bytes;
}

/* ---- samples ---- */

struct tcgrr_samples *tcgrr_samples_new(void)
{
    struct tcgrr_samples *samples = g_new0(struct tcgrr_samples, 1);
    samples->list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_sample));
    samples->changes = g_byte_array_new();
    samples->last = g_byte_array_new();
    return samples;
}

void tcgrr_samples_free(struct tcgrr_samples *samples)
{
    if (samples) {
        tcgrr_register_table_unref(samples->registers);
        g_array_unref(samples->list);
        g_byte_array_unref(samples->changes);
        g_byte_array_unref(samples->last);
        g_free(samples);
    }
}

void tcgrr_samples_clear(struct tcgrr_samples *samples)
{
    g_clear_pointer(&samples->registers, tcgrr_register_table_unref);
    g_array_set_size(samples->list, 0);
    g_byte_array_set_size(samples->changes, 0);
    g_byte_array_set_size(samples->last, 0);
}

void tcgrr_samples_add(struct tcgrr_samples *samples, struct tcgrr_register_table *registers,
                       const struct tcgrr_sample *sample, const uint8_t *image)
{
    struct tcgrr_sample made = *sample;
    bool first = samples->list->len == 0;

    if (!samples->registers) {
        samples->registers = tcgrr_register_table_ref(registers);
        g_byte_array_set_size(samples->last, registers->bytes);
    }
    made.offset = samples->changes->len;
    for (guint i = 0; i < registers->list->len; i++) {
        const struct tcgrr_state_register *at = tcgrr_register_table_get(registers, i);
        uint16_t number = (uint16_t)i;
        if (first || memcmp(image + at->offset, samples->last->data + at->offset, at->size) != 0) {
            g_byte_array_append(samples->changes, (const guint8 *)&number, sizeof(number));
            g_byte_array_append(samples->changes, image + at->offset, at->size);
        }
    }
    memcpy(samples->last->data, image, registers->bytes);
    g_array_append_val(samples->list, made);
}

void tcgrr_samples_append(struct tcgrr_samples *samples, const struct tcgrr_samples *from, tcgrr_icount first,
                          tcgrr_icount last)
{
    struct tcgrr_sample_cursor cursor;
    for (bool more = tcgrr_sample_begin(&cursor, from); more && cursor.sample->icount <= last;
         more = tcgrr_sample_next(&cursor)) {
        if (cursor.sample->icount >= first) {
            samples->has_stores = from->has_stores;
            tcgrr_samples_add(samples, from->registers, cursor.sample, cursor.image);
        }
    }
    tcgrr_sample_end(&cursor);
}

/* ---- a place among them ---- */

static bool load(struct tcgrr_sample_cursor *cursor)
{
    const struct tcgrr_samples *samples = cursor->samples;
    bool more = cursor->index < samples->list->len;

    cursor->sample = more ? &g_array_index(samples->list, struct tcgrr_sample, cursor->index) : NULL;
    if (!more) {
        return false;
    }
    guint end = cursor->index + 1 < samples->list->len ? cursor->sample[1].offset : samples->changes->len;
    for (guint at = cursor->sample->offset; at < end;) {
        uint16_t number;
        memcpy(&number, samples->changes->data + at, sizeof(number));
        const struct tcgrr_state_register *changed = tcgrr_register_table_get(samples->registers, number);
        memcpy(cursor->image + changed->offset, samples->changes->data + at + sizeof(number), changed->size);
        at += (guint)sizeof(number) + changed->size;
    }
    return true;
}

bool tcgrr_sample_begin(struct tcgrr_sample_cursor *cursor, const struct tcgrr_samples *samples)
{
    *cursor = (struct tcgrr_sample_cursor){
        .samples = samples,
        .image = samples->registers ? g_malloc0(MAX(tcgrr_register_table_bytes(samples->registers), 1)) : NULL,
    };
    return load(cursor);
}

bool tcgrr_sample_next(struct tcgrr_sample_cursor *cursor)
{
    cursor->index++;
    return load(cursor);
}

void tcgrr_sample_end(struct tcgrr_sample_cursor *cursor)
{
    g_clear_pointer(&cursor->image, g_free);
}
