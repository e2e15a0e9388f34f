/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream that follows another one of the same guest: as long as the two run the same blocks, what the first has
 * counted and digested need not be counted and digested again; comparing block numbers is enough. The two share one
 * table of blocks, so that equal numbers mean equal blocks. Where they part, or cut the same instructions into other
 * blocks, the follower goes on by itself and joins again when both begin a block at the same icount.
 */
#include "emu/live_internal.h"

#include "store/digest.h"

#include <string.h>

/* Without new words for so long a follower takes what there is, though it is not a whole piece. */
#define PATIENCE_US 2000

void tcgrr_live_follow(struct tcgrr_live *live, struct tcgrr_live *leader)
{
    if (!leader->pieces) {
        leader->pieces = g_new0(struct tcgrr_pieces, 1);
    }
    tcgrr_blocks_free(live->blocks);
    live->blocks = leader->blocks;
    live->leader = leader;
}

void tcgrr_live_lead(struct tcgrr_live *live, const struct tcgrr_piece *piece)
{
    struct tcgrr_pieces *pieces = live->pieces;
    if (pieces->count == TCGRR_PIECES) {
        pieces->first = (pieces->first + 1) % TCGRR_PIECES;
        pieces->count--;
    }
    pieces->ring[(pieces->first + pieces->count++) % TCGRR_PIECES] = *piece;
}

static const struct tcgrr_piece *next_piece(struct tcgrr_pieces *pieces, tcgrr_icount icount)
{
    while (pieces->count > 0 && pieces->ring[pieces->first].icount < icount) {
        pieces->first = (pieces->first + 1) % TCGRR_PIECES;
        pieces->count--;
    }
    return pieces->count > 0 ? &pieces->ring[pieces->first] : NULL;
}

/* Whether `count` words at most are what the leader's piece begins with. */
static bool is_piece(const struct tcgrr_live *live, const uint32_t *words, uint32_t count,
                     const struct tcgrr_piece *piece)
{
    const struct code *codes = (const struct code *)live->codes->data;
    uint32_t mask = live->codes->len - 1;
    uint32_t seen = 0;
    uint32_t differences = live->open->block ^ piece->blocks[0];

    for (uint32_t i = 1; i < count; i++) {
        seen |= words[i - 1];
        differences |= codes[words[i - 1] & mask].block ^ piece->blocks[i];
    }
    if (count == piece->count) {
        seen |= words[count - 1];
        differences |= codes[words[count - 1] & mask].block ^ piece->last;
    }
    return differences == 0 && seen <= mask;
}

enum tcgrr_follow tcgrr_live_following(struct tcgrr_live *live, const struct tcgrr_chunk *chunk, const uint32_t *words,
                                       size_t *count, struct tcgrr_lane *lane)
{
    const struct tcgrr_piece *piece = next_piece(live->leader->pieces, chunk->end_icount);
    tcgrr_icount goal = piece ? piece->icount : MAX(live->bound, chunk->end_icount);

    if (!piece || goal > chunk->end_icount) {
        /* On the way to where something can be shared, but not past it: close to it in small steps. */
        *count = MIN(*count, (size_t)((goal - chunk->end_icount) / live->longest + 1));
        return TCGRR_FOLLOW_ALONE;
    }
    uint32_t there = (uint32_t)MIN(*count, piece->count);
    if (!is_piece(live, words, there, piece)) {
        return TCGRR_FOLLOW_ALONE;
    }
    if (there < piece->count) {
        bool waits = !live->gone && g_get_monotonic_time() - live->fed < PATIENCE_US;
        return waits ? TCGRR_FOLLOW_WAITS : TCGRR_FOLLOW_ALONE;
    }
    memcpy(chunk->blocks + chunk->count, piece->blocks, piece->count * sizeof(uint32_t));
    *count = piece->count;
    *lane = (struct tcgrr_lane){&((const struct code *)live->codes->data)[words[piece->count - 1]], piece->flow,
                                piece->insns, true};
    return TCGRR_FOLLOW_SAME;
}
