/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user's files that a guest consists of (kernel, disks, ...) are not in a trace, only their digests. */
#ifndef TCGRR_REPLAY_GUEST_FILES_H
#define TCGRR_REPLAY_GUEST_FILES_H

#include "lockstep/comparison.h"
#include "store/trace.h"

/*
 * Takes back a divergence of a replay if the guest itself had written to one of these files while it was recorded, and
 * that is not what it was before: sets `undecided`, and fails with TCGRR_ERROR_FAILED. Reads the files. A file that
 * somebody else has changed makes another guest, whose divergence is one.
 */
bool tcgrr_guest_files_check(struct tcgrr_comparison *found, struct tcgrr_reader *reader, GError **error);

/*
 * The same where nothing is compared, so that it would not be seen: fails with TCGRR_ERROR_FAILED if there is such a
 * file.
 */
bool tcgrr_guest_files_unchanged(struct tcgrr_reader *reader, GError **error);

/* Whether all files that the guest consists of are what they were when it was recorded. Reads them. */
bool tcgrr_guest_files_same(struct tcgrr_reader *reader);

#endif
