/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a replay gets to the place where it is to stop: from which keyframe it starts, and which one it leaves. */
#ifndef TCGRR_REPLAY_VISIT_H
#define TCGRR_REPLAY_VISIT_H

#include "emu/qemu/session.h"
#include "replay/keyframes.h"

struct tcgrr_replay_visit;

/* `of` is copied but for the reader and `extra`; the files that it names must outlive the visit. One thread. */
struct tcgrr_replay_visit *tcgrr_replay_visit_new(const struct tcgrr_keyframes_options *of, tcgrr_icount at,
                                                  int hang_ms, const volatile int *stop);
/* NULL is allowed. */
void tcgrr_replay_visit_free(struct tcgrr_replay_visit *visit);

/* What it started from has turned out to be wrong: it is removed. */
void tcgrr_replay_visit_reject(struct tcgrr_replay_visit *visit);

/* Where to start; owned by the visit. */
struct tcgrr_keyframe tcgrr_replay_visit_start(struct tcgrr_replay_visit *visit);

/* The session has been started from there and stands. Returns where it is to stop first: the place, or one on the way
 * for a keyframe. */
tcgrr_icount tcgrr_replay_visit_begin(struct tcgrr_replay_visit *visit, struct tcgrr_session *session);
/* It stands there, and nobody watches it: leaves a keyframe if the way was long. */
void tcgrr_replay_visit_leave(struct tcgrr_replay_visit *visit);
/* It stands at the place itself: what was left is tried in a fresh QEMU, and kept if it proves good. */
void tcgrr_replay_visit_arrive(struct tcgrr_replay_visit *visit);

#endif
