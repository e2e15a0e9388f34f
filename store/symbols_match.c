/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the load offset of a file's code. A kernel that relocates itself (KASLR) keeps its bytes, except for the few
 * places that it patches: blocks of the trace are searched for in the file, and each that occurs there once votes for
 * an offset.
 */
#include "store/blocks.h"
#include "store/error.h"
#include "store/symbols.h"

#include <string.h>

#define SAMPLES   4096 /* blocks that are looked for */
#define BYTES_MIN 24   /* shorter ones are in a file by chance, or often */
#define VOTES_MIN 6
#define MARGIN    4 /* times as many votes as any other offset has */

struct sample {
    const struct tcgrr_block *block;
    uint64_t address; /* where it is in the file */
    uint32_t found;   /* how often */
};

struct search {
    GHashTable *samples; /* by the first eight bytes */
    GArray *list;        /* struct sample */
    uint8_t maybe[8192]; /* bits: whether a sample begins so, by a hash of eight bytes */
};

static uint64_t load(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static uint32_t slot(uint64_t key)
{
    return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 48);
}

static void choose_samples(struct search *search, const struct tcgrr_blocks *blocks, uint32_t count)
{
    uint32_t step = MAX(count / SAMPLES, 1);

    for (uint32_t i = 0; i < count; i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(blocks, i);
        if (block->size < BYTES_MIN || (i % step != 0 && search->list->len * (uint64_t)step > i)) {
            continue;
        }
        struct sample sample = {.block = block};
        g_array_append_val(search->list, sample);
    }
    for (guint i = 0; i < search->list->len; i++) {
        const struct sample *sample = &g_array_index(search->list, struct sample, i);
        uint64_t key = load(sample->block->bytes);
        search->maybe[slot(key) / 8] |= (uint8_t)(1 << slot(key) % 8);
        g_hash_table_insert(search->samples, (gpointer)sample->block->bytes, GUINT_TO_POINTER(i + 1));
    }
}

static guint hash_bytes(gconstpointer bytes)
{
    return (guint)(load(bytes) * 0x9e3779b97f4a7c15u >> 32);
}

static gboolean same_bytes(gconstpointer a, gconstpointer b)
{
    return load(a) == load(b);
}

static void match_samples(uint64_t address, const void *data, size_t size, void *closure)
{
    struct search *search = closure;
    const uint8_t *bytes = data;

    for (size_t at = 0; at + BYTES_MIN <= size; at++) {
        uint32_t place = slot(load(bytes + at));
        if (!(search->maybe[place / 8] & 1 << place % 8)) {
            continue;
        }
        guint index = GPOINTER_TO_UINT(g_hash_table_lookup(search->samples, bytes + at));
        struct sample *sample = index ? &g_array_index(search->list, struct sample, index - 1) : NULL;
        if (sample && sample->block->size <= size - at &&
            memcmp(sample->block->bytes, bytes + at, sample->block->size) == 0) {
            sample->address = address + at;
            sample->found++;
        }
    }
}

static gint by_number(gconstpointer a, gconstpointer b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return *left < *right ? -1 : *left > *right;
}

/* The offset with most votes, and how many that one and the next one have. */
static uint64_t count_votes(const GArray *samples, guint votes[2])
{
    g_autoptr(GArray) offsets = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    uint64_t best = 0;

    votes[0] = votes[1] = 0;
    for (guint i = 0; i < samples->len; i++) {
        const struct sample *sample = &g_array_index(samples, struct sample, i);
        uint64_t offset = sample->block->pc - sample->address;
        if (sample->found == 1) {
            g_array_append_val(offsets, offset);
        }
    }
    g_array_sort(offsets, by_number);
    for (guint i = 0, run = 0; i < offsets->len; i++) {
        uint64_t offset = g_array_index(offsets, uint64_t, i);
        run = i > 0 && offset == g_array_index(offsets, uint64_t, i - 1) ? run + 1 : 1;
        bool ends = i + 1 == offsets->len || offset != g_array_index(offsets, uint64_t, i + 1);
        if (ends && run > votes[0]) {
            votes[1] = votes[0];
            votes[0] = run;
            best = offset;
        } else if (ends && run > votes[1]) {
            votes[1] = run;
        }
    }
    return best;
}

bool tcgrr_symbols_find_offset(const char *path, const struct tcgrr_blocks *blocks, uint32_t count, uint64_t *offset,
                               GError **error)
{
    struct search *search = g_new0(struct search, 1);
    guint votes[2] = {0, 0};

    search->samples = g_hash_table_new(hash_bytes, same_bytes);
    search->list = g_array_new(FALSE, FALSE, sizeof(struct sample));
    choose_samples(search, blocks, count);
    bool good = tcgrr_symbols_elf_code(path, match_samples, search, error);
    if (good) {
        *offset = count_votes(search->list, votes);
        good = votes[0] >= VOTES_MIN && votes[0] / MARGIN >= votes[1];
        if (!good) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                        "cannot find where %s ran: %u of the trace's blocks are in it at one offset, %u at another; is "
                        "it the file that ran? give the offset with --offset N",
                        path, votes[0], votes[1]);
        }
    }
    g_hash_table_unref(search->samples);
    g_array_unref(search->list);
    g_free(search);
    return good;
}
