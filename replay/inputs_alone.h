/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_INPUTS_ALONE_H
#define TCGRR_REPLAY_INPUTS_ALONE_H

#include "replay/replay.h"

/*
 * Replays a recording of level inputs, which has no instructions to compare with: runs the session, which was started
 * paused, to exactly options->at or to the end. It diverges if QEMU refuses the inputs, hangs, or does not end where
 * and as the recording did. Sets result->comparison and qemu_icount, but no sides.
 */
bool tcgrr_replay_inputs_alone(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                               struct tcgrr_replay_result *result, GError **error);

#endif
