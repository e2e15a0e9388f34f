/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: the block that causes a divergence, from samples alone. */
#ifndef TCGRR_REPLAY_CAUSE_SAMPLED_H
#define TCGRR_REPLAY_CAUSE_SAMPLED_H

#include "lockstep/comparison.h"
#include "replay/cause/cause.h"

/*
 * Both QEMUs ran on the same inputs, with samples after each branch around the first difference. The cause is the block
 * between the last sample in which everything is the same, including stores, and the first difference.
 * TCGRR_ERROR_FAILED if it cannot be narrowed down to one block. `reader`: A's recording, which B replayed; `closer`:
 * the difference according to those samples, NULL if there are none.
 */
bool tcgrr_cause_find_block(struct tcgrr_reader *reader, const struct tcgrr_comparison *comparison,
                            const struct tcgrr_data_divergence *closer, struct tcgrr_cause *cause, GError **error);

/* Adds to the explanation of a block why no instruction of it is named. */
void tcgrr_cause_explain_block(struct tcgrr_cause *cause, const char *why);

#endif
