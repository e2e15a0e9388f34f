/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control for what another QEMU did differently: the QEMU that recorded replays the run, too. */
#ifndef TCGRR_REPLAY_CONTROL_H
#define TCGRR_REPLAY_CONTROL_H

#include "replay/replay.h"

/* Replays in the QEMU that recorded, with the guest's console hidden, up to icount `until` or the run's end. `options`
 * are those of another replay, whose plugin, patience and callbacks it has. `result` as of tcgrr_replay_as_given(). */
bool tcgrr_control_replay(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options, tcgrr_icount until,
                          struct tcgrr_replay_result *result, GError **error);

/*
 * Takes back a divergence of another build from the recorded run, if the QEMU that recorded does not repeat its own run
 * up to there, or a little further: sets `undecided`, and fails with TCGRR_ERROR_FAILED. Of machines only those that
 * the user gave devices are looked at, because what has no log is theirs, and those on which the other build hung; for
 * others, and where the QEMU that recorded
 * is not there any more, nothing is done. Takes a replay up to there.
 */
bool tcgrr_control_judge(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                         struct tcgrr_comparison *found, GError **error);
/* The same of a replay; nothing is done if that was in the QEMU that recorded, with the recorded command. */
bool tcgrr_control_check(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                         struct tcgrr_replay_result *result, GError **error);

#endif
