/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparator: names the first instruction at which two runs diverge. There is only this one. */
#ifndef TCGRR_LOCKSTEP_COMPARE_H
#define TCGRR_LOCKSTEP_COMPARE_H

#include "lockstep/comparison.h"

/*
 * Compares two runs. Returns false with an error if a side could not be read, or never came to a place that was asked
 * for (TCGRR_ERROR_FAILED; a divergence before `until` is a divergence). Nothing compared is TCGRR_ERROR_FAILED, too.
 * Once `stop` is not 0 the error is TCGRR_ERROR_STOPPED whatever was found, because a signal may have reached QEMU as
 * well; it reports how many instructions were the same. The sides stay the caller's and must outlive
 * the comparison's lists; they have not been asked about anything yet.
 */
bool tcgrr_compare(struct tcgrr_run_source *a, struct tcgrr_run_source *b, const struct tcgrr_compare_options *options,
                   struct tcgrr_comparison *comparison, GError **error);
/* User mode: what is known of the two runs besides what they executed. */
struct tcgrr_given {
    const struct tcgrr_live_inputs *inputs; /* how B was given A's inputs */
    bool same_release;                      /* of QEMU: otherwise they may start a program differently */
    bool clocks;                            /* what instructions read of a clock is given, too */
    enum tcgrr_isa isa;                     /* of both */
    char *(*exit)(int side, void *data);    /* how a side's program ended, as tcgrr_process_describe_end() has it, once
                                               that side has; owned by the caller, NULL: not known */
    /* Whether the two QEMUs were started with different environments, which a program sees; NULL: they were not. */
    bool (*environments_differ)(void *data);
    /* The auxiliary vector that the side's program started with (store/auxv.h); NULL: not known. */
    const char *(*auxv)(int side, void *data);
    void *data;
};

/*
 * The same of a program. Where an input that could not be given led the two apart that is no divergence: they are
 * compared again from the next system call on that both make, and only counted in between. A divergence at which B
 * makes another call is of that kind; where A's program was ended by a signal from outside there is none.
 * If they do not meet again, the rest is left out (comparison->rest_left_out). TCGRR_ERROR_FAILED, no verdict, if they
 * diverged where the inputs had ended or B's program
 * was ended from outside, or where they see different environments, or at the start, because the two QEMUs start it
 * differently.
 */
bool tcgrr_compare_given(struct tcgrr_run_source *a, struct tcgrr_run_source *b,
                         const struct tcgrr_compare_options *options, const struct tcgrr_given *given,
                         struct tcgrr_comparison *comparison, GError **error);
/* User mode, where each side made its own system calls: takes back a divergence, because what they gave may be the
 * reason. Sets `undecided`, and fails with TCGRR_ERROR_FAILED. */
bool tcgrr_compare_withdraw_over_calls(struct tcgrr_comparison *found, GError **error);
/* Whether that is how a program ends by a signal that an instruction of its own raises, as written by
 * tcgrr_process_describe_end(). */
bool tcgrr_compare_is_raised(const char *exit);

/* User mode: notes on a divergence that has no note yet with what the two QEMUs start a program differently: two
 * auxiliary vectors, NULL where one is not known; `release`: they are of different releases, which may say that. */
void tcgrr_compare_note_start(struct tcgrr_comparison *found, const char *const auxv[2], bool release);
/* Whether a QEMU whose plugin speaks this version of the API reports which of several vCPUs runs a block: newer ones
 * report which of them translated it. */
bool tcgrr_compare_reports_vcpus(int api_version);

#endif
