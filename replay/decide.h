/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two recordings differ where their own inputs may be the reason: the same for both show whether they are. */
#ifndef TCGRR_REPLAY_DECIDE_H
#define TCGRR_REPLAY_DECIDE_H

#include "lockstep/compare.h"

enum tcgrr_decision {
    TCGRR_DECIDED_DIVERGES,  /* the two diverge in the same way on one log: inputs are not the reason */
    TCGRR_DECIDED_INPUTS,    /* on one log they are the same as far as there and beyond */
    TCGRR_DECIDED_ELSEWHERE, /* on one log they diverge elsewhere */
    TCGRR_UNDECIDED,         /* no log can drive both; the error says why */
};

/*
 * User mode: takes back a divergence of two recordings of the same program with the same arguments. Sets `undecided`,
 * and fails with TCGRR_ERROR_FAILED. Another program, or another library, stays a reason of its own.
 */
bool tcgrr_decide_check_calls(struct tcgrr_reader *const readers[2], struct tcgrr_comparison *found, GError **error);
/* User mode: notes on a divergence in which entries the auxiliary vectors of two recordings differ. */
void tcgrr_decide_note_start(struct tcgrr_reader *const readers[2], struct tcgrr_comparison *found);

/* What it points to must last as long as the call. */
struct tcgrr_decide_options {
    const char *plugin;                          /* path of tcgrr's plugin */
    const struct tcgrr_compare_options *compare; /* of the comparison that was undecided */
    const volatile int *stop;                    /* not 0: give up with TCGRR_ERROR_STOPPED; may be NULL */
};

/*
 * Runs the commands of both recordings in lockstep, on one rr log or with the same results of calls, from where the
 * comparison `found` began to beyond where it is undecided. One thread; it may take as long as both runs did.
 */
enum tcgrr_decision tcgrr_decide(struct tcgrr_reader *const readers[2], const struct tcgrr_decide_options *options,
                                 const struct tcgrr_comparison *found, GError **error);

#endif
