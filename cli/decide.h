/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two recordings differ where their own inputs may be the reason: one log for both shows whether they are. */
#ifndef TCGRR_CLI_DECIDE_H
#define TCGRR_CLI_DECIDE_H

#include "lockstep/compare.h"

enum cli_decision {
    CLI_DECIDED_DIVERGES,  /* the two diverge in the same way on one log: it is no matter of inputs */
    CLI_DECIDED_INPUTS,    /* on one log they are the same as far as there and beyond */
    CLI_DECIDED_ELSEWHERE, /* on one log they diverge elsewhere */
    CLI_UNDECIDED,         /* no log can drive both; the error says why */
};

/*
 * Runs the commands of both recordings in lockstep, on one rr log, from `compare->from` on, to beyond where the
 * comparison `found` is undecided. An interruption is an error, too (TCGRR_ERROR_STOPPED).
 */
enum cli_decision cli_decide(struct tcgrr_reader *const readers[2], const struct tcgrr_compare_options *compare,
                             const struct tcgrr_comparison *found, GError **error);

#endif
