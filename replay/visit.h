/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a replay gets to the place where it stops: the keyframe from which it starts, and the one that it leaves. */
#ifndef TCGRR_REPLAY_VISIT_H
#define TCGRR_REPLAY_VISIT_H

#include "emu/qemu/session.h"
#include "replay/keyframes.h"

struct tcgrr_replay_visit;

/* `of` is copied except for the reader and `extra`; the files that it names must outlive the visit. Not thread-safe. */
struct tcgrr_replay_visit *tcgrr_replay_visit_new(const struct tcgrr_keyframes_options *of, tcgrr_icount at,
                                                  int hang_ms, const volatile int *stop);
/* NULL is allowed. */
void tcgrr_replay_visit_free(struct tcgrr_replay_visit *visit);

/* Removes the keyframe that it started from, which has proved wrong. */
void tcgrr_replay_visit_reject(struct tcgrr_replay_visit *visit);

/* Where to start; owned by the visit. */
struct tcgrr_keyframe tcgrr_replay_visit_start(struct tcgrr_replay_visit *visit);

/* Call it when the session has been started from there and is stopped. Returns where to stop first: the place, or one
 * on the way for a keyframe. */
tcgrr_icount tcgrr_replay_visit_begin(struct tcgrr_replay_visit *visit, struct tcgrr_session *session);
/* Call it when the session has stopped there and no thread watches it: leaves a keyframe if getting there took long. */
void tcgrr_replay_visit_leave(struct tcgrr_replay_visit *visit);
/* Call it when the session has stopped at the place itself: verifies the new keyframe in a fresh QEMU, and keeps it if
 * it is good. */
void tcgrr_replay_visit_arrive(struct tcgrr_replay_visit *visit);

#endif
