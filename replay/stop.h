/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_STOP_H
#define TCGRR_REPLAY_STOP_H

#include "replay/replay.h"

/* Lets a QEMU that stands run on, with a break at `icount`, its own count. */
bool tcgrr_replay_break(struct tcgrr_qmp *qmp, tcgrr_icount icount, GError **error);
bool tcgrr_replay_continue(struct tcgrr_qmp *qmp, GError **error);

/*
 * The session, started paused, is run to options->at exactly and compared up to there as `how` says. Sets
 * result->sides[1], comparison and qemu_icount.
 */
bool tcgrr_replay_to(const struct tcgrr_compare_options *how, const struct tcgrr_replay_options *options,
                     const struct tcgrr_run_source_live_options *live, struct tcgrr_replay_result *result,
                     GError **error);

#endif
