/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_STOP_H
#define TCGRR_REPLAY_STOP_H

#include "replay/replay.h"

/* Sets a replay break at `icount`, in QEMU's own count, and lets a stopped QEMU continue. */
bool tcgrr_replay_break(struct tcgrr_qmp *qmp, tcgrr_icount icount, GError **error);
bool tcgrr_replay_continue(struct tcgrr_qmp *qmp, GError **error);

/*
 * Runs the session, which was started paused, to exactly options->at, and compares up to there with the options `how`.
 * Sets result->sides[1], comparison and qemu_icount.
 */
bool tcgrr_replay_to(const struct tcgrr_compare_options *how, const struct tcgrr_replay_options *options,
                     const struct tcgrr_run_source_live_options *live, struct tcgrr_replay_result *result,
                     GError **error);

#endif
