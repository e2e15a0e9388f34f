/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the plugin's samples of the guest's state. */
#include "emu/live/live_internal.h"

#include "store/codec/codec_sample.h"

#include <string.h>

static_assert(TCGRR_WIRE_MAX_REGISTERS < TCGRR_MAX_REGISTERS && TCGRR_WIRE_MAX_NAME <= TCGRR_MAX_REGISTER_NAME &&
                  TCGRR_WIRE_MAX_REGISTER_BYTES <= TCGRR_MAX_REGISTER_BYTES &&
                  TCGRR_WIRE_MAX_STATE_BYTES + sizeof(uint64_t) <= TCGRR_MAX_STATE_BYTES,
              "what the plugin may send, and the pc, must fit");

void tcgrr_live_sampling_clear(struct tcgrr_live_sampling *sampling)
{
    tcgrr_register_table_unref(sampling->registers);
    g_free(sampling->image);
}

/* A text in the untrusted words, with control characters replaced; NULL if it is not terminated. */
static char *take_text(const char **at, const char *end)
{
    const char *zero = memchr(*at, '\0', (size_t)(end - *at));
    if (!zero) {
        return NULL;
    }
    char *text = g_strndup(*at, (gsize)(zero - *at));
    for (char *letter = text; *letter; letter++) {
        *letter = g_ascii_isgraph(*letter) ? *letter : '_';
    }
    *at = zero + 1;
    return text;
}

/* The pc is a register like the others, but it is known without asking QEMU. */
static bool begin_registers(struct tcgrr_live_sampling *sampling, GError **error)
{
    if (!sampling->registers) {
        sampling->registers = tcgrr_register_table_new();
        return tcgrr_register_table_add(sampling->registers, "pc", "", sizeof(uint64_t), error);
    }
    return true;
}

bool tcgrr_live_read_register(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error)
{
    struct tcgrr_live_sampling *sampling = &live->sampling;
    const char *at = (const char *)(payload + 1);
    const char *end = (const char *)(payload + words);

    if (live->executed && sampling->image) {
        return true; /* the same QEMU has the same ones */
    }
    if (words < 2 || sampling->image) {
        return tcgrr_live_damaged(error, "a register out of place");
    }
    g_autofree char *name = take_text(&at, end);
    g_autofree char *feature = name ? take_text(&at, end) : NULL;
    if (!feature) {
        return tcgrr_live_damaged(error, "a register without a name");
    }
    return begin_registers(sampling, error) &&
           tcgrr_register_table_add(sampling->registers, name, feature, payload[0], error);
}

/* No further register may follow. */
static bool begin_values(struct tcgrr_live_sampling *sampling, GError **error)
{
    if (!sampling->image) {
        if (!begin_registers(sampling, error)) {
            return false;
        }
        sampling->image = g_malloc0(tcgrr_register_table_bytes(sampling->registers));
    }
    return true;
}

bool tcgrr_live_read_value(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error)
{
    struct tcgrr_live_sampling *sampling = &live->sampling;
    struct tcgrr_wire_value value;

    if (words * sizeof(uint32_t) < sizeof(value) || !begin_values(sampling, error)) {
        return tcgrr_live_damaged(error, "a truncated value");
    }
    memcpy(&value, payload, sizeof(value));
    if (value.number >= tcgrr_register_table_count(sampling->registers) - 1 ||
        value.size > words * sizeof(uint32_t) - sizeof(value)) {
        return tcgrr_live_damaged(error, "a malformed value");
    }
    const struct tcgrr_state_register *changed = tcgrr_register_table_get(sampling->registers, value.number + 1);
    if (value.offset > changed->size || value.size > changed->size - value.offset) {
        return tcgrr_live_damaged(error, "a value that does not fit its register");
    }
    memcpy(sampling->image + changed->offset + value.offset, (const uint8_t *)payload + sizeof(value), value.size);
    return true;
}

bool tcgrr_live_read_sample(struct tcgrr_live *live, const uint32_t *words, GError **error)
{
    struct tcgrr_live_sampling *sampling = &live->sampling;

    if (!live->open || sampling->pending || !begin_values(sampling, error)) {
        return tcgrr_live_damaged(error, "a sample that belongs to no block");
    }
    sampling->stores = words[1] | (uint64_t)words[2] << 32;
    sampling->pending = true;
    return true;
}

void tcgrr_live_place_sample(struct tcgrr_live *live, struct tcgrr_chunk *chunk)
{
    struct tcgrr_live_sampling *sampling = &live->sampling;
    struct tcgrr_sample sample = {
        .icount = chunk->end_icount, .exec = chunk->count, .vcpu = live->vcpu, .stores = sampling->stores};
    uint64_t pc = GUINT64_TO_LE(live->open->pc);

    memcpy(sampling->image, &pc, sizeof(pc));
    chunk->samples->has_stores = live->info.digests_stores;
    tcgrr_samples_add(chunk->samples, sampling->registers, &sample, sampling->image);
    sampling->pending = false;
    size_t size = chunk->samples->changes->len + chunk->samples->list->len * sizeof(struct tcgrr_sample);
    if (size > TCGRR_SAMPLES_BYTES) {
        chunk->capacity = chunk->count + 1; /* the execution that is to be appended */
    }
}

void tcgrr_live_set_sample_step(struct tcgrr_live *live, uint32_t step)
{
    tcgrr_intake_set_sample_step(live->intake, step);
}

void tcgrr_live_set_sample_origin(struct tcgrr_live *live, uint64_t pc, bool in_code)
{
    tcgrr_intake_set_sample_origin(live->intake, pc, in_code);
}

void tcgrr_live_set_closer_samples(struct tcgrr_live *live, uint64_t from, uint64_t to)
{
    tcgrr_intake_set_closer_samples(live->intake, from, to);
}
