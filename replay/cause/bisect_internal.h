/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_BISECT_INTERNAL_H
#define TCGRR_REPLAY_BISECT_INTERNAL_H

#include "replay/cause/bisect.h"

/* Says what is being done; takes `text` over. */
void tcgrr_bisect_say(const struct tcgrr_bisect *bisect, char *text);

/* Finds out what the two are, and so how A is to be recorded. */
bool tcgrr_bisect_prepare(struct tcgrr_bisect *bisect, GError **error);

/* Whether it is about programs in user mode. */
bool tcgrr_bisect_is_user(const struct tcgrr_bisect *bisect);

/* Records A into the folder, farther than the last time. */
bool tcgrr_bisect_record_a(struct tcgrr_bisect *bisect, GError **error);

/* Records A again, as far as the last time, from a snapshot at `place`, which must live as long; NULL: from reset, and
 * comparing starts where it is to. */
bool tcgrr_bisect_record_from(struct tcgrr_bisect *bisect, const char *place, GError **error);

/* Compares the two in the way they allow: B replays A's recording, or makes one of its own. */
bool tcgrr_bisect_compare(struct tcgrr_bisect *bisect, GError **error);

/* Instructions; fewer are replayed in less time than it takes to make a keyframe. */
#define TCGRR_BISECT_FAR UINT64_C(48000000)

/* How B replays A's recording. */
struct tcgrr_replay_options tcgrr_bisect_replay_options(struct tcgrr_bisect *bisect);

/*
 * Both replay from a keyframe of A's, with states, the last one from which B comes to diverge exactly as it did from
 * the beginning: what made it is after that keyframe. Sets bisect->near, and bisect->keyframe if there is one. Needs
 * bisect->pair.
 */
bool tcgrr_bisect_approach(struct tcgrr_bisect *bisect, GError **error);

/* Where B replayed A's recording: says more exactly when data first differed. */
bool tcgrr_bisect_date_closer(struct tcgrr_bisect *bisect, GError **error);

/* Where bisect->replay compared the flow alone: has it done again, with states. */
bool tcgrr_bisect_compare_states(struct tcgrr_bisect *bisect, GError **error);

/* Forgets what comparing and B's side came to, but not A's recording. */
void tcgrr_bisect_forget(struct tcgrr_bisect *bisect);

/* Compares two recordings again, in the way that bisect->how now says. */
bool tcgrr_bisect_compare_again(struct tcgrr_bisect *bisect, GError **error);

#endif
