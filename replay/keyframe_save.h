/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing a keyframe of a machine that is stopped in a replay. */
#ifndef TCGRR_REPLAY_KEYFRAME_SAVE_H
#define TCGRR_REPLAY_KEYFRAME_SAVE_H

#include "emu/qemu/command.h"
#include "emu/qemu/qmp.h"

/* Not one that started from a keyframe, `started`, and has images of the user's. */
bool tcgrr_keyframe_can_save(const struct tcgrr_command *command, const char *started);

/*
 * Writes a keyframe of where the QEMU of this command stands, `icount` of the run, to `folder`, which is there and
 * empty. TCGRR_ERROR_FAILED if this machine cannot be saved.
 */
bool tcgrr_keyframe_save(struct tcgrr_qmp *qmp, const struct tcgrr_command *command, const char *started,
                         tcgrr_icount icount, const char *folder, GError **error);

#endif
