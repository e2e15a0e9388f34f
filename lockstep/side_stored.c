/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/side_internal.h"

struct stored {
    struct tcgrr_side base; /* must be first */
    struct tcgrr_reader *reader;
    const struct tcgrr_blocks *blocks;
    struct tcgrr_chunk *chunk; /* made when the first stretch is asked for */
    struct tcgrr_totals totals;
};

static bool advance(struct tcgrr_side *side, tcgrr_icount icount, struct tcgrr_side_position *position, GError **error)
{
    struct stored *stored = (struct stored *)side;
    struct tcgrr_checkpoint checkpoint;
    bool found = false;

    if (!tcgrr_reader_checkpoint(stored->reader, icount, &checkpoint, &found, error)) {
        return false;
    }
    if (found) {
        *position = (struct tcgrr_side_position){TCGRR_SIDE_REACHED, icount, checkpoint.flow};
    } else {
        const struct tcgrr_run *run = tcgrr_reader_run(stored->reader);
        position->state = !run->complete        ? TCGRR_SIDE_CUT
                          : run->guest_shutdown ? TCGRR_SIDE_SHUTDOWN
                                                : TCGRR_SIDE_ENDED;
        position->icount = stored->totals.icount;
        position->flow = stored->totals.flow;
    }
    return true;
}

static bool stretch(struct tcgrr_side *side, tcgrr_icount from, tcgrr_icount to, GArray *execs, GError **error)
{
    struct stored *stored = (struct stored *)side;
    bool found = true;

    stored->blocks = tcgrr_reader_blocks(stored->reader, error);
    if (!stored->blocks) {
        return false;
    }
    if (!stored->chunk) {
        stored->chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    }
    g_array_set_size(execs, 0);
    for (tcgrr_icount at = from; at < to && found; at = stored->chunk->end_icount) {
        if (!tcgrr_reader_seek(stored->reader, at, stored->chunk, &found, error)) {
            return false;
        }
        if (found) {
            tcgrr_side_append_execs(stored->chunk, stored->blocks, from, to, execs);
        }
    }
    return true;
}

static void free_stored(struct tcgrr_side *side)
{
    struct stored *stored = (struct stored *)side;
    tcgrr_chunk_free(stored->chunk);
    g_free(stored);
}

static const struct tcgrr_side_ops stored_ops = {advance, stretch, free_stored};

struct tcgrr_side *tcgrr_side_stored(struct tcgrr_reader *reader, GError **error)
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
