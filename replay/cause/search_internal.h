/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_SEARCH_INTERNAL_H
#define TCGRR_REPLAY_SEARCH_INTERNAL_H

#include "replay/cause/search.h"

/* Looks at moments in low..high, without the latter, spread evenly or ever denser towards its end. */
bool tcgrr_search_take_looks(struct tcgrr_search *search, tcgrr_moment low, tcgrr_moment high, bool all_even,
                             const GArray *wanted, GError **error);

/*
 * The latest sighting before `*high` where all is the same, and the earliest after it where something differs. False if
 * there is no such `*low`: then *high is where the sightings that say anything begin.
 */
bool tcgrr_search_narrow(const struct tcgrr_search *search, const GArray *wanted, tcgrr_moment *low,
                         tcgrr_moment *high);

/* Brings `*same` and `*differs` as close as the sightings between them allow; whether one of them differs. */
bool tcgrr_search_narrow_first(const struct tcgrr_search *search, tcgrr_moment *same, tcgrr_moment *differs);

#endif
