/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the comparator that compares samples of the state: data differ long before control flow does. Sides that
 * executed the same instructions have samples at the same places; a sample that only one side has is ignored.
 */
#ifndef TCGRR_LOCKSTEP_COMPARE_STATE_H
#define TCGRR_LOCKSTEP_COMPARE_STATE_H

#include "lockstep/comparison.h"

struct tcgrr_state_comparing;

/* `sides`, `start` and `options` are the comparison's. What is found goes to `data`. */
struct tcgrr_state_comparing *tcgrr_state_comparing_new(struct tcgrr_run_source *const sides[2],
                                                        const tcgrr_icount start[2],
                                                        const struct tcgrr_compare_options *options,
                                                        struct tcgrr_data_divergence *data);
/* NULL is allowed. */
void tcgrr_state_comparing_free(struct tcgrr_state_comparing *comparing);

/*
 * Compares the samples with from <= icount < to, each side by its own count. Both sides have reached `to`, or have
 * ended, and executed the same instructions from `from` on. Does nothing once a difference was found.
 */
bool tcgrr_state_compare(struct tcgrr_state_comparing *comparing, const tcgrr_icount from[2], const tcgrr_icount to[2],
                         GError **error);

/*
 * An event came at different instructions in the two runs: from here on data may differ as a consequence, and the
 * digests of stores do differ.
 */
void tcgrr_state_shifted(struct tcgrr_state_comparing *comparing);

/* If only the data diverged, and not in consequence of what was tolerated, that is the comparison's divergence. */
void tcgrr_state_conclude(struct tcgrr_comparison *comparison);

#endif
