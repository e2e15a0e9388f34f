/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guesses, by the recorded flow and the memory accesses that are known already, what a chase for the origin of a value
 * will come to: a replay that passes all of these places at once spares one replay for each. A wrong guess costs time,
 * and nothing else.
 */
#ifndef TCGRR_REPLAY_AHEAD_H
#define TCGRR_REPLAY_AHEAD_H

#include "replay/cause/access_log.h"
#include "replay/cause/replay_pair.h"

/* A chase that goes on. */
struct tcgrr_ahead {
    struct tcgrr_replay_pair *pair;
    struct tcgrr_reader *reader;
    const struct tcgrr_access_log *log; /* what is known of accesses */
    const uint8_t *state;               /* one near by, which has the processor's mode */
    tcgrr_icount from;                  /* nothing before it is of use */
    GArray *writers; /* tcgrr_icount: instructions of which it is known that they will be looked at */
};

/* Adds the last instruction before `before` that writes a register, if it is not too far away. */
bool tcgrr_ahead_add(struct tcgrr_ahead *ahead, unsigned index, tcgrr_icount before, GError **error);

/* At most `count` instructions that the chase will look at, latest first: GArray of tcgrr_icount, the caller's. Empties
 * `writers`. NULL with error. */
GArray *tcgrr_ahead_take(struct tcgrr_ahead *ahead, unsigned count, GError **error);

#endif
