/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_SEARCH_INTERNAL_H
#define TCGRR_REPLAY_SEARCH_INTERNAL_H

#include "replay/cause/search.h"

/* Takes snapshots at moments in low..high (excluding `high`), evenly spaced or increasingly dense towards the end. */
bool tcgrr_search_take_looks(struct tcgrr_search *search, tcgrr_moment low, tcgrr_moment high, bool all_even,
                             const GArray *wanted, GError **error);

/*
 * Finds the latest observation before `*high` at which everything is the same, and the earliest one after it at which
 * something differs. False if there is no such `*low`; *high is then the first relevant observation.
 */
bool tcgrr_search_narrow(const struct tcgrr_search *search, const GArray *wanted, tcgrr_moment *low,
                         tcgrr_moment *high);

/* Moves `*same` and `*differs` as close together as the observations between them allow. Returns whether something
 * differs in one of these. */
bool tcgrr_search_narrow_first(const struct tcgrr_search *search, tcgrr_moment *same, tcgrr_moment *differs);

#endif
