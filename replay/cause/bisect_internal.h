/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_BISECT_INTERNAL_H
#define TCGRR_REPLAY_BISECT_INTERNAL_H

#include "replay/cause/bisect.h"

/* Reports progress; takes ownership of `text`. */
void tcgrr_bisect_say(const struct tcgrr_bisect *bisect, char *text);

/* Probes the two QEMUs and decides how to record A. */
bool tcgrr_bisect_prepare(struct tcgrr_bisect *bisect, GError **error);

/* Whether the runs are programs in user mode. */
bool tcgrr_bisect_is_user(const struct tcgrr_bisect *bisect);

/* Records A into the folder, further than the last time. */
bool tcgrr_bisect_record_a(struct tcgrr_bisect *bisect, GError **error);

/* Records A again, as far as the last time, from a snapshot at `place`, which must outlive the bisect; NULL: from
 * reset, with the comparison starting at the requested place. */
bool tcgrr_bisect_record_from(struct tcgrr_bisect *bisect, const char *place, GError **error);

/* Compares the two: B replays A's recording or, if it cannot, is recorded itself. */
bool tcgrr_bisect_compare(struct tcgrr_bisect *bisect, GError **error);

/* A number of instructions; replaying fewer takes less time than making a keyframe. */
#define TCGRR_BISECT_FAR UINT64_C(48000000)

/* How far before the divergence the keyframe is to be that is tried first. */
#define TCGRR_BISECT_NEAR UINT64_C(1000000)

/* How B replays A's recording. */
struct tcgrr_replay_options tcgrr_bisect_replay_options(struct tcgrr_bisect *bisect);

/*
 * Replays both from A's last keyframe from which B diverges exactly as it did from the beginning, comparing states: the
 * cause is after that keyframe. Sets bisect->near, and bisect->keyframe if there is one. Needs bisect->pair.
 */
bool tcgrr_bisect_approach(struct tcgrr_bisect *bisect, GError **error);

/* If B replayed A's recording: determines more exactly when data first differed. */
bool tcgrr_bisect_date_closer(struct tcgrr_bisect *bisect, GError **error);

/* If bisect->replay compared only the flow: repeats it with states. */
bool tcgrr_bisect_compare_states(struct tcgrr_bisect *bisect, GError **error);

/* Discards the comparison and B's side, but not A's recording. */
void tcgrr_bisect_forget(struct tcgrr_bisect *bisect);

/* Compares two recordings again, with the options that are now in bisect->how. */
bool tcgrr_bisect_compare_again(struct tcgrr_bisect *bisect, GError **error);

#endif
