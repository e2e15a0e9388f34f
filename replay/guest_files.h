/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user's files that a guest consists of (kernel, disks, ...) are not in a trace, only their digests. */
#ifndef TCGRR_REPLAY_GUEST_FILES_H
#define TCGRR_REPLAY_GUEST_FILES_H

#include "lockstep/comparison.h"
#include "store/trace.h"

/*
 * Takes back a divergence of a replay if one of these files is not what it was when the recording began: sets
 * `undecided`, and fails with TCGRR_ERROR_FAILED. Reads the files.
 */
bool tcgrr_guest_files_check(struct tcgrr_comparison *found, struct tcgrr_reader *reader, GError **error);

#endif
