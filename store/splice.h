/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making one stream of pieces of several traces of the same run. Pieces may be cut anywhere: an execution that goes
 * over a cut is stored as two, the second one of a block that is the rest of the first one's.
 */
#ifndef TCGRR_STORE_SPLICE_H
#define TCGRR_STORE_SPLICE_H

#include "store/layers.h"

struct tcgrr_piece {
    struct tcgrr_span span;
    struct tcgrr_reader *reader; /* that has the span */
    bool samples;                /* its samples are those of the run */
};

struct tcgrr_splice {
    const GArray *pieces;         /* struct tcgrr_piece, ascending; there may be gaps between them */
    struct tcgrr_reader *samples; /* whose samples are taken instead; NULL: those of the pieces */
    struct tcgrr_reader *gaps;    /* whose events are taken between the pieces */
    uint64_t *flow;               /* becomes the digest of all instructions, if there is no gap */
};

/*
 * Writes executions, events, checkpoints, samples and accesses of the pieces; checkpoints only as far as there is no
 * gap, because they are digests of everything before. Sets run->icount, where the last piece ends, and ->execs.
 * TCGRR_ERROR_DAMAGED where traces contradict each other.
 */
bool tcgrr_splice(struct tcgrr_writer *writer, const struct tcgrr_splice *splice, struct tcgrr_run *run,
                  GError **error);

#endif
