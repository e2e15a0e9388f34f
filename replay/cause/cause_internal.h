/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_CAUSE_INTERNAL_H
#define TCGRR_REPLAY_CAUSE_INTERNAL_H

#include "replay/cause/cause.h"
#include "replay/cause/search.h"

/* Following a difference back. */
struct tcgrr_trail {
    struct tcgrr_search search;
    struct tcgrr_cause *cause;
    unsigned general;                      /* the number of general registers, which come first */
    GArray *wanted;                        /* struct tcgrr_location: what is being followed; mostly one */
    GArray *met;                           /* struct tcgrr_location: all that was followed so far */
    const struct tcgrr_cause_dated *dated; /* NULL: there is none, or it has been used */
};

void tcgrr_cause_init(struct tcgrr_cause *cause);

/* "eflags (ZF)", "memory 0x105000 (1 byte)"; owned by the caller. */
char *tcgrr_trail_describe(const struct tcgrr_trail *trail, const struct tcgrr_location *location);

/* Follows the difference back to its cause, from the instruction at this stop of the last walk. */
bool tcgrr_trail_follow(struct tcgrr_trail *trail, guint stop, GError **error);

/* Concludes that the cause is at this stop: its instruction reads the same on both sides. */
bool tcgrr_trail_conclude(struct tcgrr_trail *trail, guint stop, GError **error);
/* Concludes that `wanted` differed already at the start. */
bool tcgrr_trail_conclude_start(struct tcgrr_trail *trail, GError **error);
/* Concludes that memory began to differ at this stop, whose instruction does not write it. */
bool tcgrr_trail_conclude_device(struct tcgrr_trail *trail, guint stop, const struct tcgrr_location *location,
                                 GError **error);
/* Concludes that the runs diverge at instructions whose bytes differ. */
bool tcgrr_trail_conclude_code(struct tcgrr_trail *trail, const struct tcgrr_stop *a, const struct tcgrr_stop *b,
                               GError **error);

/*
 * For a difference at moment `differs` that did not exist at `same` and does not appear when the two are single-stepped
 * in between: finds the block that causes it when it runs as a whole. `wanted`: what differs; NULL: any register or the
 * flow. *found is false if there is none.
 */
bool tcgrr_trail_conclude_block(struct tcgrr_trail *trail, tcgrr_moment same, tcgrr_moment differs,
                                const GArray *wanted, bool *found, GError **error);

/* ---- what the conclusions share ---- */

/* Adds the instruction at this stop to the front of the chain. `location`: its input that differs; NULL: none. */
void tcgrr_trail_add_link(struct tcgrr_trail *trail, guint stop, const struct tcgrr_location *location);
/* Sets the place of the cause to this stop. */
void tcgrr_trail_set_place(struct tcgrr_trail *trail, const struct tcgrr_stop *stop);
void tcgrr_trail_explain(struct tcgrr_trail *trail, enum tcgrr_cause_kind kind, const char *text);
/* Adds the registers that differ in the states `after` and did not in `before`; those that did, and that `reader` does
 * not read, are listed separately. `reader`: the instruction between the states; NULL: there are several. */
void tcgrr_trail_compare_registers(struct tcgrr_trail *trail, const uint8_t *const before[2],
                                   const uint8_t *const after[2], const struct tcgrr_stop *reader);
/* Keeps the last walk, in which the cause's block begins at moment `first`. */
void tcgrr_trail_keep_scene(struct tcgrr_trail *trail, guint stop, tcgrr_moment first);

/* Lists the registers that were not compared because only one side has them. */
void tcgrr_trail_left_out(struct tcgrr_trail *trail);

#endif
