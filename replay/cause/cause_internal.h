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
/* The runs diverge at instructions whose bytes differ. */
bool tcgrr_trail_conclude_code(struct tcgrr_trail *trail, const struct tcgrr_stop *a, const struct tcgrr_stop *b,
                               GError **error);

/*
 * What differs at moment `differs` and did not at `same` does not when the two are stepped from one to the other: finds
 * the block that does it as a whole. `wanted`: what differs, NULL: any register or the flow. *found is false if there
 * is none.
 */
bool tcgrr_trail_conclude_block(struct tcgrr_trail *trail, tcgrr_moment same, tcgrr_moment differs,
                                const GArray *wanted, bool *found, GError **error);

/* ---- what the conclusions share ---- */

/* Puts the instruction at this stop before the chain. `location`: what it takes in that differs; NULL: nothing. */
void tcgrr_trail_add_link(struct tcgrr_trail *trail, guint stop, const struct tcgrr_location *location);
/* The cause stands at this stop. */
void tcgrr_trail_set_place(struct tcgrr_trail *trail, const struct tcgrr_stop *stop);
void tcgrr_trail_explain(struct tcgrr_trail *trail, enum tcgrr_cause_kind kind, const char *text);
/* Adds the registers that differ in the states `after` and did not in `before`; those that did and that `reader` does
 * not read are noted apart. `reader`: the instruction between them; NULL: there are several. */
void tcgrr_trail_compare_registers(struct tcgrr_trail *trail, const uint8_t *const before[2],
                                   const uint8_t *const after[2], const struct tcgrr_stop *reader);
/* Keeps the stretch that was walked last, in which the cause's block begins at moment `first`. */
void tcgrr_trail_keep_scene(struct tcgrr_trail *trail, guint stop, tcgrr_moment first);

/* Notes which registers were not compared because one side has none of the name. */
void tcgrr_trail_left_out(struct tcgrr_trail *trail);

#endif
