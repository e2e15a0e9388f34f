/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes a keyframe of a machine that is stopped in a replay. */
#ifndef TCGRR_REPLAY_KEYFRAME_SAVE_H
#define TCGRR_REPLAY_KEYFRAME_SAVE_H

#include "emu/qemu/command.h"
#include "emu/qemu/qmp.h"

/* Whether its state can be saved: not if it started from a keyframe, `started`, and uses images of the user's. */
bool tcgrr_keyframe_can_save(const struct tcgrr_command *command, const char *started);

/*
 * Writes a keyframe of the QEMU of this command, which is stopped at `icount` of the run, to `folder`, which must exist
 * and be empty. TCGRR_ERROR_FAILED if this machine cannot be saved.
 */
bool tcgrr_keyframe_save(struct tcgrr_qmp *qmp, const struct tcgrr_command *command, const char *started,
                         tcgrr_icount icount, const char *folder, GError **error);

#endif
