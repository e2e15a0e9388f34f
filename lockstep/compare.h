/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparator: names the first instruction at which two runs diverge. There is only this one. */
#ifndef TCGRR_LOCKSTEP_COMPARE_H
#define TCGRR_LOCKSTEP_COMPARE_H

#include "lockstep/comparison.h"

/*
 * Compares two runs. Returns false with an error if a side could not be read, or never reached a requested place
 * (TCGRR_ERROR_FAILED; a divergence before `until` is a divergence). If nothing was compared, that is
 * TCGRR_ERROR_FAILED, too. Once `stop` is not 0 the error is TCGRR_ERROR_STOPPED whatever was found, because a signal
 * may have reached QEMU as well; it reports how many instructions were the same. The sides stay the caller's and must
 * outlive the comparison's lists; they must not have been used before.
 */
bool tcgrr_compare(struct tcgrr_run_source *a, struct tcgrr_run_source *b, const struct tcgrr_compare_options *options,
                   struct tcgrr_comparison *comparison, GError **error);
/* User mode: facts about the two runs besides what they executed. */
struct tcgrr_given {
    const struct tcgrr_live_inputs *inputs; /* how B was given A's inputs */
    bool same_release;                      /* of QEMU; different releases may start a program differently */
    bool clocks;                            /* values that instructions read from a clock are given, too */
    enum tcgrr_isa isa;                     /* of both */
    char *(*exit)(int side, void *data); /* how a side's program ended, as tcgrr_process_describe_end() returns it, once
                                            the side has ended; owned by the caller, NULL: not known */
    /* Whether the two QEMUs were started with different environments, which a program sees; NULL: they were not. */
    bool (*environments_differ)(void *data);
    /* The auxiliary vector that the side's program started with (store/auxv.h); NULL: not known. */
    const char *(*auxv)(int side, void *data);
    void *data;
};

/*
 * The same for programs. If the two differ because an input could not be given, that is not a divergence: they are
 * compared again from the next system call that both make, and instructions in between are only counted. If they make
 * no further call in common, the rest is not compared (comparison->rest_left_out). If B makes another system call than
 * A, that is a divergence of kind CALL; if a signal from outside ended A's program, that is no divergence.
 * TCGRR_ERROR_FAILED, no verdict, if they differ after the inputs had ended or after B's program was ended from
 * outside, because they see different environments, or at the start, because the two QEMUs start the program
 * differently.
 */
bool tcgrr_compare_given(struct tcgrr_run_source *a, struct tcgrr_run_source *b,
                         const struct tcgrr_compare_options *options, const struct tcgrr_given *given,
                         struct tcgrr_comparison *comparison, GError **error);
/* User mode, if each side made its own system calls: withdraws a divergence, because their results may be the reason.
 * Sets `undecided`, and fails with TCGRR_ERROR_FAILED. */
bool tcgrr_compare_withdraw_over_calls(struct tcgrr_comparison *found, GError **error);
/* Whether `exit`, a text of tcgrr_process_describe_end(), names a signal that one of the program's own instructions
 * raises. */
bool tcgrr_compare_is_raised(const char *exit);

/* User mode: adds a note to a divergence, if it has none, about entries in which the programs' auxiliary vectors differ
 * (NULL: not known); `release`: the two QEMUs are of different releases, which the note may mention. */
void tcgrr_compare_note_start(struct tcgrr_comparison *found, const char *const auxv[2], bool release);
/* Whether a QEMU whose plugin speaks this version of the API reports which of several vCPUs runs a block: newer ones
 * report which of them translated it. */
bool tcgrr_compare_reports_vcpus(int api_version);

#endif
