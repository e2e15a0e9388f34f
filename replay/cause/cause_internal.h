/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_CAUSE_INTERNAL_H
#define TCGRR_REPLAY_CAUSE_INTERNAL_H

#include "replay/cause/cause.h"
#include "replay/cause/search.h"

/* Following a difference back. */
struct tcgrr_trail {
    struct tcgrr_search search;
    struct tcgrr_cause *cause;
    unsigned general;                      /* the first so many registers are general ones */
    GArray *wanted;                        /* struct tcgrr_location: what is followed now; most often one */
    GArray *met;                           /* struct tcgrr_location: all that was followed so far */
    const struct tcgrr_cause_dated *dated; /* not used yet; NULL: there is none, or it was */
};

void tcgrr_cause_init(struct tcgrr_cause *cause);

/* "eflags (ZF)", "memory 0x105000 (1 byte)"; owned by the caller. */
char *tcgrr_trail_describe(const struct tcgrr_trail *trail, const struct tcgrr_location *location);

/* Follows the difference back from the instruction at this stop of the stretch walked last, to its cause. */
bool tcgrr_trail_follow(struct tcgrr_trail *trail, guint stop, GError **error);

/* The instruction at this stop takes in the same on both sides. */
bool tcgrr_trail_conclude(struct tcgrr_trail *trail, guint stop, GError **error);
/* Nothing that the runs have in common made `wanted` differ. */
bool tcgrr_trail_conclude_start(struct tcgrr_trail *trail, GError **error);
/* Memory began to differ at this stop, whose instruction does not write it. */
bool tcgrr_trail_conclude_device(struct tcgrr_trail *trail, guint stop, const struct tcgrr_location *location,
                                 GError **error);
/* The runs part at instructions whose bytes differ. */
bool tcgrr_trail_conclude_code(struct tcgrr_trail *trail, const struct tcgrr_stop *a, const struct tcgrr_stop *b,
                               GError **error);

/* Notes which registers were not compared because one side has none of the name. */
void tcgrr_trail_left_out(struct tcgrr_trail *trail);

#endif
