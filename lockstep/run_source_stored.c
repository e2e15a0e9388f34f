/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/run_source_internal.h"

/* Places in the decoded chunk, so that a part of it is found without going through all before it. */
#define PLACE_EXECS (1u << 14)
#define PLACES      (TCGRR_CHUNK_EXECS / PLACE_EXECS)

struct stored {
    struct tcgrr_run_source base; /* must be first */
    struct tcgrr_reader *reader;
    struct tcgrr_chunk *chunk; /* the one decoded last; made when first needed */
    struct tcgrr_cursor places[PLACES];
    unsigned count; /* of places; 0: no chunk is decoded */
    struct tcgrr_totals totals;
    /* The samples decoded last: all with icount >= `samples_from` up to their last one. Made when first needed. */
    struct tcgrr_samples *samples;
    int64_t samples_id; /* of their chunk; -1: there are none from `samples_from` on */
    tcgrr_icount samples_from;
};

static void note_places(struct stored *stored, const struct tcgrr_blocks *blocks)
{
    struct tcgrr_cursor cursor;

    stored->count = 0;
    for (bool more = tcgrr_cursor_begin(&cursor, stored->chunk, blocks); more; more = tcgrr_cursor_next(&cursor)) {
        if (cursor.index % PLACE_EXECS == 0) {
            stored->places[stored->count++] = cursor;
        }
    }
}

/*
 * Decodes the chunk in which instruction `icount` runs, if it is not the one decoded last, and puts `cursor` at or
 * before it. *found: there is one.
 */
static bool seek(struct stored *stored, tcgrr_icount icount, struct tcgrr_cursor *cursor, bool *found, GError **error)
{
    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(stored->reader, error);

    if (!blocks) {
        return false;
    }
    if (!stored->chunk) {
        stored->chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    }
    *found = stored->count > 0 && icount >= stored->chunk->first_icount && icount < stored->chunk->end_icount;
    if (!*found) {
        stored->count = 0;
        if (!tcgrr_reader_seek(stored->reader, icount, stored->chunk, found, error)) {
            return false;
        }
        if (!*found) {
            return true;
        }
        note_places(stored, blocks);
    }
    unsigned place = 0;
    while (place + 1 < stored->count && stored->places[place + 1].icount <= icount) {
        place++;
    }
    *cursor = stored->places[place];
    return true;
}

/* Digest of from..to, which is all there. */
static bool digest_part(struct stored *stored, tcgrr_icount from, tcgrr_icount to, uint64_t flow, uint64_t *digest,
                        GError **error)
{
    struct tcgrr_cursor cursor;
    bool found = true;

    for (tcgrr_icount at = from; at < to && found; at = stored->chunk->end_icount) {
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
    for (tcgrr_icount at = from; at < to && found; at = stored->chunk->end_icount) {
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
    for (tcgrr_icount at = from; at < to && there && !*found; at = stored->chunk->end_icount) {
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
    tcgrr_chunk_free(stored->chunk);
    tcgrr_samples_free(stored->samples);
    g_free(stored);
}

static const struct tcgrr_run_source_ops stored_ops = {
    .advance = advance, .stretch = stretch, .find = find, .free = free_stored, .samples = samples};

struct tcgrr_run_source *tcgrr_run_source_stored(struct tcgrr_reader *reader, GError **error)
{
    struct stored *stored = g_new0(struct stored, 1);
    stored->base.ops = &stored_ops;
    stored->reader = reader;
    if (!tcgrr_reader_totals(reader, &stored->totals, error)) {
        g_free(stored);
        return NULL;
    }
    return &stored->base;
}
