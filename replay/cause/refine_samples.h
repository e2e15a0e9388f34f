/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Determines more exactly when the data of a replay first differed from the recording's. */
#ifndef TCGRR_REPLAY_REFINE_SAMPLES_H
#define TCGRR_REPLAY_REFINE_SAMPLES_H

#include "replay/replay.h"

/*
 * `replay` was made with these options and states, and found a difference. Both QEMUs replay again up to that
 * difference, with a sample after each branch since the last sample in which everything was the same. `closer`, which
 * the caller has to clear, has the same content as replay->comparison.data, but is accurate to a few instructions.
 * *known is false if that is impossible: no states were compared, or the recording counts branches from another place.
 * `by_stores`: if the digests of stores differ before anything else does, use that place.
 */
bool tcgrr_replay_refine_samples(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                                 const struct tcgrr_replay_result *replay, bool by_stores,
                                 struct tcgrr_replay_result *closer, bool *known, GError **error);

#endif
