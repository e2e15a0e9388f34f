/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guesses, by the recorded flow and the memory accesses that are known already, what a backward slice
 * will come to: a replay that passes all of these places at once spares one replay for each. A wrong guess costs time,
 * and nothing else.
 */
#ifndef TCGRR_REPLAY_LOOKAHEAD_H
#define TCGRR_REPLAY_LOOKAHEAD_H

#include "replay/cause/access_log.h"
#include "replay/cause/replay_pair.h"

/* The slice so far. */
struct tcgrr_lookahead {
    struct tcgrr_replay_pair *pair;
    struct tcgrr_reader *reader;
    const struct tcgrr_access_log *log; /* what is known of accesses */
    const uint8_t *state;               /* one near by, which has the processor's mode */
    tcgrr_icount from;                  /* nothing before it is of use */
    GArray *writers; /* tcgrr_icount: instructions of which it is known that they will be looked at */
};

/* Adds the last instruction before `before` that writes a register, if it is not too far away. */
bool tcgrr_lookahead_add_writer(struct tcgrr_lookahead *lookahead, unsigned index, tcgrr_icount before, GError **error);

/* At most `count` instructions that the slice will come to, latest first: GArray of tcgrr_icount, the caller's. Empties
 * `writers`. NULL with error. */
GArray *tcgrr_lookahead_take(struct tcgrr_lookahead *lookahead, unsigned count, GError **error);

#endif
