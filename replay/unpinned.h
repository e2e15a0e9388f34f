/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording whose machine was not pinned, and which another build of QEMU does not repeat: whether that is because it
 * gave the guest another machine: another device tree, where QEMU makes that, or other firmware.
 */
#ifndef TCGRR_REPLAY_UNPINNED_H
#define TCGRR_REPLAY_UNPINNED_H

#include "replay/replay.h"

/* A machine that was pinned after it had been recorded: the reader has it pinned as long as this is there. */
struct tcgrr_unpinned;
/* NULL is allowed. */
void tcgrr_unpinned_free(struct tcgrr_unpinned *unpinned);

/*
 * Where `result`, of tcgrr_replay_as_given(), diverged in another build and the machine was not pinned, it becomes the
 * result of a replay with the machine as the QEMU that recorded makes it (result->pins), if the recording is the same
 * there; it stays as it is if the recording is the same with the machine as the other QEMU makes it, or if that has no
 * device tree and the same firmware. Otherwise result->unpinned is set. False with TCGRR_ERROR_STOPPED only.
 */
bool tcgrr_unpinned_settle(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                           struct tcgrr_replay_result *result, GError **error);

/* tcgrr_replay() with the machine as it was recorded or as the reader has it pinned. */
bool tcgrr_replay_as_given(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                           struct tcgrr_replay_result *result, GError **error);

/* Whether the machine was not pinned, and is one for which other builds may make another device tree. */
bool tcgrr_unpinned_has_generated_dtb(struct tcgrr_reader *reader);

/* What to say of a result that is `unpinned`; owned by the caller. */
char *tcgrr_unpinned_advice(struct tcgrr_reader *reader);

#endif
