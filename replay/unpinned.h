/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For a recording whose machine was not pinned, and which another build of QEMU does not repeat: determines whether the
 * reason is a different machine: another device tree, if QEMU generates it, or other firmware.
 */
#ifndef TCGRR_REPLAY_UNPINNED_H
#define TCGRR_REPLAY_UNPINNED_H

#include "replay/replay.h"

/* A machine that was pinned after it had been recorded; the reader has it pinned until this is freed. */
struct tcgrr_unpinned;
/* NULL is allowed. */
void tcgrr_unpinned_free(struct tcgrr_unpinned *unpinned);

/*
 * For a `result` of tcgrr_replay_as_given() that diverged in another build, if the machine was not pinned: if the
 * recording is repeated with the machine as the QEMU that recorded makes it, replaces the result by a replay with that
 * machine (result->pins). Leaves it unchanged if the recording is repeated with the machine as the other QEMU makes it,
 * or if that has no device tree and the same firmware. Otherwise sets result->unpinned. False only with
 * TCGRR_ERROR_STOPPED.
 */
bool tcgrr_unpinned_settle(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                           struct tcgrr_replay_result *result, GError **error);

/* tcgrr_replay() with the machine as recorded, or as the reader has it pinned. */
bool tcgrr_replay_as_given(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                           struct tcgrr_replay_result *result, GError **error);

/* Whether the machine was not pinned, and is one for which other builds may make another device tree. */
bool tcgrr_unpinned_has_generated_dtb(struct tcgrr_reader *reader);

/* The advice to print for a result that is `unpinned`; owned by the caller. */
char *tcgrr_unpinned_advice(struct tcgrr_reader *reader);

#endif
