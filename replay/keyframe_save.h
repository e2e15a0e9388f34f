/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes a keyframe of a machine that is stopped in a replay. */
#ifndef TCGRR_REPLAY_KEYFRAME_SAVE_H
#define TCGRR_REPLAY_KEYFRAME_SAVE_H

#include "emu/qemu/command.h"
#include "emu/qemu/qmp.h"
#include "emu/qemu/ram_pages.h"

/* Whether its state can be saved: not if it started from a keyframe, `started`, and uses images of the user's. */
bool tcgrr_keyframe_can_save(const struct tcgrr_command *command, const char *started);

/* A stopped QEMU that replays. */
struct tcgrr_keyframe_machine {
    struct tcgrr_qmp *qmp;
    struct tcgrr_process *process;
    const struct tcgrr_command *command;
    const char *started;                   /* the keyframe that it started from; NULL: the beginning */
    const struct tcgrr_ram_pages *written; /* before the guest ran (tcgrr_ram_pages_written()); NULL: not known */
};

/*
 * Writes a keyframe of the machine, at `icount` of the run, to `folder`, which must exist and be empty. Only a QEMU
 * that has written the same pages before it loads the keyframe, or fewer (tcgrr_vmstate_covers()), can start from it.
 * TCGRR_ERROR_FAILED if this machine cannot be saved.
 */
bool tcgrr_keyframe_save(const struct tcgrr_keyframe_machine *machine, tcgrr_icount icount, const char *folder,
                         GError **error);

#endif
