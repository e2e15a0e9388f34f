/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The available part of one side's run, execution by execution; it grows at its end and is cut off at its start. */
#ifndef TCGRR_LOCKSTEP_EXEC_WINDOW_H
#define TCGRR_LOCKSTEP_EXEC_WINDOW_H

#include "lockstep/run_source.h"

struct tcgrr_exec_window {
    struct tcgrr_run_source *side;
    struct tcgrr_stretch stretch;
    tcgrr_icount from;                 /* first available instruction */
    tcgrr_icount to;                   /* the requested end; the last execution may extend beyond it */
    enum tcgrr_run_source_state state; /* of the side at `to`; if not REACHED, the run ends here */
};

/* Fetches the instructions from..to, replacing the window's content; the window may be all zero before. `from` follows
 * the rules of struct tcgrr_run_source_ops. */
bool tcgrr_exec_window_begin(struct tcgrr_exec_window *window, struct tcgrr_run_source *side, tcgrr_icount from,
                             tcgrr_icount to, GError **error);
/* Extends the window to `to`; does nothing if that is available already or the run has ended. */
bool tcgrr_exec_window_extend(struct tcgrr_exec_window *window, tcgrr_icount to, GError **error);
/* Drops the executions before number `exec`. */
void tcgrr_exec_window_cut(struct tcgrr_exec_window *window, guint exec);
void tcgrr_exec_window_clear(struct tcgrr_exec_window *window);

static inline const struct tcgrr_exec *tcgrr_exec_window_exec(const struct tcgrr_exec_window *window, guint index)
{
    return index < window->stretch.execs->len ? &g_array_index(window->stretch.execs, struct tcgrr_exec, index) : NULL;
}

/* The event number `index`; NULL after the last one. */
static inline const struct tcgrr_event *tcgrr_exec_window_event(const struct tcgrr_exec_window *window, guint index)
{
    return index < window->stretch.events->len ? &g_array_index(window->stretch.events, struct tcgrr_event, index)
                                               : NULL;
}

/* Finds the first execution of the instruction at `pc` in from..to, which must be available. Returns whether there is
 * one. */
bool tcgrr_exec_window_find_pc(const struct tcgrr_exec_window *window, uint64_t pc, tcgrr_icount from, tcgrr_icount to,
                               tcgrr_icount *icount);
/* The first event at or after `icount`. */
guint tcgrr_exec_window_find_event(const struct tcgrr_exec_window *window, tcgrr_icount icount);
/* The execution in which instruction `icount` runs, or the first one after it. */
guint tcgrr_exec_window_find_exec(const struct tcgrr_exec_window *window, tcgrr_icount icount);

#endif
