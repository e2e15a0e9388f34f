/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A part of one side's run that is at hand, execution by execution; it grows at its end and is cut off at its start. */
#ifndef TCGRR_LOCKSTEP_REEL_H
#define TCGRR_LOCKSTEP_REEL_H

#include "lockstep/side.h"

struct tcgrr_reel {
    struct tcgrr_side *side;
    struct tcgrr_stretch stretch;
    tcgrr_icount from;           /* first instruction at hand */
    tcgrr_icount to;             /* what was asked for; the last execution may go on behind it */
    enum tcgrr_side_state state; /* of the side at `to`; if not REACHED, the run ends here */
};

/* Puts the instructions from..to at hand. `from` follows the rules of struct tcgrr_side_ops. */
bool tcgrr_reel_begin(struct tcgrr_reel *reel, struct tcgrr_side *side, tcgrr_icount from, tcgrr_icount to,
                      GError **error);
/* Goes on to `to`; nothing if that is at hand, or the run has ended. */
bool tcgrr_reel_extend(struct tcgrr_reel *reel, tcgrr_icount to, GError **error);
/* Lets go of the executions before number `exec`. */
void tcgrr_reel_cut(struct tcgrr_reel *reel, guint exec);
void tcgrr_reel_clear(struct tcgrr_reel *reel);

static inline const struct tcgrr_exec *tcgrr_reel_exec(const struct tcgrr_reel *reel, guint index)
{
    return index < reel->stretch.execs->len ? &g_array_index(reel->stretch.execs, struct tcgrr_exec, index) : NULL;
}

/* The event number `index`; NULL behind the last one. */
static inline const struct tcgrr_event *tcgrr_reel_event(const struct tcgrr_reel *reel, guint index)
{
    return index < reel->stretch.events->len ? &g_array_index(reel->stretch.events, struct tcgrr_event, index) : NULL;
}

/* The first event at or behind `icount`. */
guint tcgrr_reel_find_event(const struct tcgrr_reel *reel, tcgrr_icount icount);
/* The execution in which instruction `icount` runs, or the first one behind it. */
guint tcgrr_reel_find_exec(const struct tcgrr_reel *reel, tcgrr_icount icount);

#endif
