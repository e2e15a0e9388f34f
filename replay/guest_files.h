/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks the user's files that a guest consists of (kernel, disks, ...). A trace has only their digests. */
#ifndef TCGRR_REPLAY_GUEST_FILES_H
#define TCGRR_REPLAY_GUEST_FILES_H

#include "lockstep/comparison.h"
#include "store/trace.h"

/*
 * Withdraws a divergence of a replay if the guest itself wrote to one of these files while it was recorded, and the
 * file has not been restored: sets `undecided`, and fails with TCGRR_ERROR_FAILED. Reads the files. If a file was
 * changed in another way, the guest is another one, and the divergence stands.
 */
bool tcgrr_guest_files_check(struct tcgrr_comparison *found, struct tcgrr_reader *reader, GError **error);

/* For replays that do not compare and would not notice: fails with TCGRR_ERROR_FAILED if there is such a file. */
bool tcgrr_guest_files_unchanged(struct tcgrr_reader *reader, GError **error);

/* Whether all files that the guest consists of are unchanged since it was recorded. Reads them. */
bool tcgrr_guest_files_same(struct tcgrr_reader *reader);

#endif
