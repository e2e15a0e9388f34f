/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Predicts, from the recorded flow and the memory accesses that are already known, which places a backward slice will
 * need: one replay that passes all of them replaces one replay for each. A wrong prediction only costs time.
 */
#ifndef TCGRR_REPLAY_LOOKAHEAD_H
#define TCGRR_REPLAY_LOOKAHEAD_H

#include "replay/cause/access_log.h"
#include "replay/cause/replay_pair.h"

/* The slice so far. */
struct tcgrr_lookahead {
    struct tcgrr_replay_pair *pair;
    struct tcgrr_reader *reader;
    const struct tcgrr_access_log *log; /* the known accesses */
    const uint8_t *state;               /* that of a nearby place, for the processor's mode */
    tcgrr_icount from;                  /* earlier instructions are irrelevant */
    GArray *writers;                    /* tcgrr_icount: instructions that are known to be needed */
};

/* Adds the last instruction before `before` that writes a register, if it is not too far away. */
bool tcgrr_lookahead_add_writer(struct tcgrr_lookahead *lookahead, unsigned index, tcgrr_icount before, GError **error);

/* At most `count` instructions that the slice will need, latest first: GArray of tcgrr_icount, owned by the caller.
 * Empties `writers`. NULL with error. */
GArray *tcgrr_lookahead_take(struct tcgrr_lookahead *lookahead, unsigned count, GError **error);

#endif
