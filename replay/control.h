/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control for a divergence in another QEMU: the QEMU that recorded replays the run, too. */
#ifndef TCGRR_REPLAY_CONTROL_H
#define TCGRR_REPLAY_CONTROL_H

#include "replay/replay.h"

/* Replays in the QEMU that recorded, with the guest's console hidden, up to icount `until` or the run's end. `options`
 * are those of the other replay; their plugin, timeout and callbacks are used. `result` is as for
 * tcgrr_replay_as_given(). */
bool tcgrr_control_replay(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options, tcgrr_icount until,
                          struct tcgrr_replay_result *result, GError **error);

/*
 * Withdraws a divergence of another build from the recorded run if the QEMU that recorded does not repeat its own run
 * up to that place or a little beyond: sets `undecided`, and fails with TCGRR_ERROR_FAILED. In system mode it does so
 * only for machines to which the user added devices, because only these have unlogged inputs, and if the other build
 * hung; it does nothing for others, or if the QEMU that recorded no longer exists. Takes as long as a replay up to that
 * place.
 */
bool tcgrr_control_judge(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                         struct tcgrr_comparison *found, GError **error);
/* The same for a replay; does nothing if that used the QEMU that recorded and the recorded command. */
bool tcgrr_control_check(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                         struct tcgrr_replay_result *result, GError **error);

#endif
