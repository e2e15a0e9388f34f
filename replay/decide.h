/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decides whether two recordings differ only because of their different inputs, by running both with the same inputs.
 * */
#ifndef TCGRR_REPLAY_DECIDE_H
#define TCGRR_REPLAY_DECIDE_H

#include "lockstep/compare.h"

enum tcgrr_decision {
    TCGRR_DECIDED_DIVERGES,  /* the two diverge in the same way on one log: inputs are not the reason */
    TCGRR_DECIDED_INPUTS,    /* on one log they are the same up to that place and beyond */
    TCGRR_DECIDED_ELSEWHERE, /* on one log they diverge elsewhere */
    TCGRR_UNDECIDED,         /* no log can drive both; the error says why */
};

/*
 * User mode: withdraws a divergence of two recordings of the same program with the same arguments: sets `undecided`,
 * and fails with TCGRR_ERROR_FAILED. If the program or a library differs, the divergence stands.
 */
bool tcgrr_decide_check_calls(struct tcgrr_reader *const readers[2], struct tcgrr_comparison *found, GError **error);
/* User mode: adds a note to a divergence about entries in which the auxiliary vectors of the two recordings differ. */
void tcgrr_decide_note_start(struct tcgrr_reader *const readers[2], struct tcgrr_comparison *found);

/* What it points to must outlive the call. */
struct tcgrr_decide_options {
    const char *plugin;                          /* path of tcgrr's plugin */
    const struct tcgrr_compare_options *compare; /* options of the undecided comparison */
    const volatile int *stop;                    /* not 0: give up with TCGRR_ERROR_STOPPED; may be NULL */
};

/*
 * Runs the commands of both recordings in lockstep, on one rr log or with the same results of system calls, from the
 * start of the comparison `found` to beyond the undecided place. May take as long as both runs did.
 */
enum tcgrr_decision tcgrr_decide(struct tcgrr_reader *const readers[2], const struct tcgrr_decide_options *options,
                                 const struct tcgrr_comparison *found, GError **error);

#endif
