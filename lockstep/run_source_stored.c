/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/run_source_internal.h"

#include "store/chunk_cache.h"
#include "store/summary.h"
#include "store/symbols.h"

struct stored {
    struct tcgrr_run_source base; /* must be first */
    struct tcgrr_reader *reader;
    struct tcgrr_chunk_cache *cache;  /* of one chunk */
    struct tcgrr_cached_chunk *chunk; /* the chunk used last, pinned; NULL: none */
    struct tcgrr_totals totals;
    /* The samples decoded last: all with icount >= `samples_from` up to their last one. Made when first needed. */
    struct tcgrr_samples *samples;
    int64_t samples_id; /* of their chunk; -1: there are none from `samples_from` on */
    tcgrr_icount samples_from;
    struct tcgrr_symbols *symbols; /* NULL: nobody has asked yet */
};

/*
 * Decodes the chunk in which instruction `icount` runs, unless it is the one used last, and moves `cursor` to or before
 * the instruction. *found: there is one.
 */
static bool seek(struct stored *stored, tcgrr_icount icount, struct tcgrr_cursor *cursor, bool *found, GError **error)
{
    int64_t id;

    if (!stored->chunk || icount < stored->chunk->chunk->first_icount || icount >= stored->chunk->chunk->end_icount) {
        tcgrr_chunk_cache_unpin(stored->chunk);
        stored->chunk = NULL;
        if (!tcgrr_reader_chunk_before(stored->reader, icount + 1, &id, error)) {
            return false;
        }
        *found = id >= 0;
        stored->chunk = *found ? tcgrr_chunk_cache_get(stored->cache, id, found, error) : NULL;
        if (!stored->chunk) {
            return !*found;
        }
    }
    *found = icount < stored->chunk->chunk->end_icount && stored->chunk->chunk->count > 0;
    if (*found) {
        *cursor = *tcgrr_chunk_cache_mark(stored->cache, stored->chunk, icount, UINT64_MAX);
    }
    return true;
}

/* The end of the chunk used last. */
static tcgrr_icount end_of(const struct stored *stored)
{
    return stored->chunk ? stored->chunk->chunk->end_icount : UINT64_MAX;
}

/* Digest of from..to, which is all there. */
static bool digest_part(struct stored *stored, tcgrr_icount from, tcgrr_icount to, uint64_t flow, uint64_t *digest,
                        GError **error)
{
    struct tcgrr_cursor cursor;
    bool found = true;

    for (tcgrr_icount at = from; at < to && found; at = end_of(stored)) {
        if (!seek(stored, at, &cursor, &found, error)) {
            return false;
        }
        if (found) {
            flow = tcgrr_run_source_digest(cursor, at, to, flow);
        }
    }
    *digest = flow;
    return true;
}

/* Digest of the first `to` instructions: from the checkpoint before on. */
static bool digest_all(struct stored *stored, tcgrr_icount to, uint64_t *digest, GError **error)
{
    struct tcgrr_checkpoint checkpoint = {.icount = to / TCGRR_CHECKPOINT_STEP * TCGRR_CHECKPOINT_STEP};
    bool found;

    if (to == stored->totals.icount) {
        *digest = stored->totals.flow;
        return true;
    }
    if (!tcgrr_reader_checkpoint(stored->reader, checkpoint.icount, &checkpoint, &found, error)) {
        return false;
    }
    return digest_part(stored, checkpoint.icount, to, found ? checkpoint.flow : 0, digest, error);
}

static enum tcgrr_run_source_state end_state(struct stored *stored)
{
    const struct tcgrr_run *run = tcgrr_reader_run(stored->reader);
    return !run->complete ? TCGRR_SOURCE_CUT : run->guest_shutdown ? TCGRR_SOURCE_SHUTDOWN : TCGRR_SOURCE_ENDED;
}

static bool advance(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                    struct tcgrr_run_source_position *position, GError **error)
{
    struct stored *stored = (struct stored *)side;

    position->state = to <= stored->totals.icount ? TCGRR_SOURCE_REACHED : end_state(stored);
    position->icount = MIN(to, stored->totals.icount);
    return from == 0 ? digest_all(stored, position->icount, &position->flow, error)
                     : digest_part(stored, from, position->icount, 0, &position->flow, error);
}

static void append_event(const struct tcgrr_event *event, void *events)
{
    g_array_append_val((GArray *)events, *event);
}

static bool stretch(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_stretch *stretch,
                    GError **error)
{
    struct stored *stored = (struct stored *)side;
    struct tcgrr_cursor cursor;
    bool found = true;

    g_array_set_size(stretch->execs, 0);
    g_array_set_size(stretch->events, 0);
    for (tcgrr_icount at = from; at < to && found; at = end_of(stored)) {
        if (!seek(stored, at, &cursor, &found, error)) {
            return false;
        }
        if (found) {
            tcgrr_run_source_append_execs(cursor, at, to, stretch->execs);
        }
    }
    return tcgrr_reader_events(stored->reader, from, to, append_event, stretch->events, error);
}

static bool find(struct tcgrr_run_source *side, uint64_t pc, tcgrr_icount from, tcgrr_icount to, tcgrr_icount *icount,
                 bool *found, GError **error)
{
    struct stored *stored = (struct stored *)side;
    struct tcgrr_cursor cursor;
    bool there = true;

    *found = false;
    for (tcgrr_icount at = from; at < to && there && !*found; at = end_of(stored)) {
        if (!seek(stored, at, &cursor, &there, error)) {
            return false;
        }
        *found = there && tcgrr_run_source_find(cursor, pc, at, to, icount);
    }
    return true;
}

static tcgrr_icount last_icount(const struct tcgrr_samples *samples)
{
    return g_array_index(samples->list, struct tcgrr_sample, samples->list->len - 1).icount;
}

static bool samples(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_samples *found,
                    GError **error)
{
    struct stored *stored = (struct stored *)side;
    struct tcgrr_samples *decoded = stored->samples;

    tcgrr_samples_clear(found);
    bool known = decoded && from >= stored->samples_from && (stored->samples_id < 0 || from <= last_icount(decoded));
    if (!decoded) {
        decoded = stored->samples = tcgrr_samples_new();
    }
    if (!known) {
        stored->samples_from = from;
        if (!tcgrr_reader_samples_from(stored->reader, from, decoded, &stored->samples_id, error)) {
            return false;
        }
    }
    while (stored->samples_id >= 0 && from < to) {
        tcgrr_samples_append(found, decoded, from, to - 1);
        if (last_icount(decoded) >= to) {
            break;
        }
        stored->samples_from = last_icount(decoded) + 1;
        if (!tcgrr_reader_samples_after(stored->reader, stored->samples_id, decoded, &stored->samples_id, error)) {
            return false;
        }
    }
    return true;
}

static void free_stored(struct tcgrr_run_source *side)
{
    struct stored *stored = (struct stored *)side;
    tcgrr_chunk_cache_unpin(stored->chunk);
    tcgrr_chunk_cache_free(stored->cache);
    tcgrr_samples_free(stored->samples);
    tcgrr_symbols_free(stored->symbols);
    g_free(stored);
}

static bool address(struct tcgrr_run_source *side, const char *name, uint64_t *pc, tcgrr_icount *since)
{
    struct stored *stored = (struct stored *)side;

    if (!stored->symbols) {
        stored->symbols = tcgrr_symbols_new();
        tcgrr_symbols_add_trace(stored->symbols, stored->reader, NULL); /* what cannot be read is not there */
    }
    const struct tcgrr_symbol *symbol = tcgrr_symbols_find(stored->symbols, name);
    *pc = symbol ? symbol->address : 0;
    *since = symbol && symbol->limited ? symbol->since : 0;
    return symbol != NULL;
}

static bool has_wanted(const struct tcgrr_blocks *blocks, const GArray *uses, tcgrr_block_wanted wanted, void *data)
{
    for (guint i = 0; i < uses->len; i++) {
        const struct tcgrr_block_use *use = &g_array_index(uses, struct tcgrr_block_use, i);
        /* Decoding the chunk will report a missing block. */
        if (use->block >= tcgrr_blocks_count(blocks) ||
            wanted(tcgrr_blocks_get(blocks, use->block), use->lost > 0, data)) {
            return true;
        }
    }
    return false;
}

/* The first chunk from `id` on whose list of blocks has a wanted one; *found: there is one. */
static bool find_chunk(struct stored *stored, int64_t *id, bool *found, tcgrr_block_wanted wanted, void *data,
                       GError **error)
{
    g_autoptr(GArray) uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use));
    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(stored->reader, error);

    if (!blocks) {
        return false;
    }
    for (;; (*id)++) {
        if (!tcgrr_reader_summary(stored->reader, *id, uses, found, error)) {
            return false;
        }
        if (!*found || has_wanted(blocks, uses, wanted, data)) {
            return true;
        }
    }
}

static bool pass_over(struct tcgrr_run_source *side, tcgrr_icount *icount, tcgrr_block_wanted wanted, void *data,
                      GError **error)
{
    struct stored *stored = (struct stored *)side;
    int64_t here, id;
    bool found;

    if (!tcgrr_reader_chunk_before(stored->reader, *icount + 1, &here, error)) {
        return false;
    }
    id = MAX(here, 0);
    if (!find_chunk(stored, &id, &found, wanted, data, error)) {
        return false;
    }
    if (found && id > here) {
        struct tcgrr_cached_chunk *chunk = tcgrr_chunk_cache_get(stored->cache, id, &found, error);
        if (!chunk) {
            return false;
        }
        *icount = MAX(*icount, chunk->chunk->first_icount);
        tcgrr_chunk_cache_unpin(chunk);
    }
    *icount = found ? *icount : UINT64_MAX;
    return true;
}

static const struct tcgrr_run_source_ops stored_ops = {.advance = advance,
                                                       .stretch = stretch,
                                                       .find = find,
                                                       .free = free_stored,
                                                       .samples = samples,
                                                       .address = address,
                                                       .pass_over = pass_over};

struct tcgrr_run_source *tcgrr_run_source_stored(struct tcgrr_reader *reader, GError **error)
{
    struct stored *stored = g_new0(struct stored, 1);
    stored->base.ops = &stored_ops;
    stored->reader = reader;
    stored->cache = tcgrr_chunk_cache_new(reader, 1);
    if (!tcgrr_reader_totals(reader, &stored->totals, error)) {
        free_stored(&stored->base);
        return NULL;
    }
    return &stored->base;
}
