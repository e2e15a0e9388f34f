/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A replays its recording a little behind B's replay, in a thread of its own. When B diverges, A already stands
 * near that place, and can leave a keyframe there without being replayed from the beginning once more.
 */
#ifndef TCGRR_REPLAY_TRAILING_H
#define TCGRR_REPLAY_TRAILING_H

#include "replay/cause/paused.h"

struct tcgrr_trailing;

/*
 * Starts A. `options` is as for tcgrr_rerun_new(), but the recording is opened once more, because a reader belongs to
 * one thread. Never fails: if A cannot be started, tcgrr_trailing_take() will return NULL.
 */
struct tcgrr_trailing *tcgrr_trailing_new(const struct tcgrr_rerun_options *options);
/* Stops following and ends A, unless it was taken. Free what was taken first. NULL is allowed. */
void tcgrr_trailing_free(struct tcgrr_trailing *trailing);

/* B has come to `icount`. Any thread. */
void tcgrr_trailing_follow(struct tcgrr_trailing *trailing, tcgrr_icount icount);

/* Stops following. Returns A, which is the caller's then, with the rerun that it belongs to, which has to be freed
 * after it; NULL if A stands nowhere. */
struct tcgrr_paused *tcgrr_trailing_take(struct tcgrr_trailing *trailing, struct tcgrr_rerun **rerun);

#endif
