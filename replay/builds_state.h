/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file in which a search among builds stores its verdicts, in case it is interrupted. */
#ifndef TCGRR_REPLAY_BUILDS_STATE_H
#define TCGRR_REPLAY_BUILDS_STATE_H

#include "replay/builds.h"

/*
 * Appends to `trials` (struct tcgrr_trial) those that the state file at options->state_file remembers of builds in the
 * list: of the same trace, with the same further arguments, compared in the same part, of a binary that has not changed
 * since; none with options->fresh. A missing file counts as empty; a file with other content is TCGRR_ERROR_DAMAGED,
 * because it would be overwritten.
 */
bool tcgrr_builds_load(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options, GArray *trials,
                       GError **error);

/* Replaces the file in one step. */
bool tcgrr_builds_store(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options, const GArray *trials,
                        GError **error);

#endif
