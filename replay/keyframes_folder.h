/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_KEYFRAMES_FOLDER_H
#define TCGRR_REPLAY_KEYFRAMES_FOLDER_H

#include "emu/rrlog/rrlog.h"
#include "replay/keyframes.h"

/* Where all keyframes of a trace are; owned by the caller. */
char *tcgrr_keyframes_folder(const char *trace);

/* A new, empty folder in `folder` for a keyframe that is being made; owned by the caller. */
char *tcgrr_keyframes_begin(const char *folder, GError **error);
/*
 * What was made in it is sealed and becomes the keyframe at `icount`, unless there is one already. `state` is what the
 * machine holds there (emu/qemu/machine_digest.h). From now on it must not change.
 */
bool tcgrr_keyframes_keep(const char *made, const char *folder, tcgrr_icount icount, const char *state, GError **error);
/* Whether a keyframe is what was sealed as the one at `icount`: reads all of it. Then *state is what was given; owned
 * by the caller. */
bool tcgrr_keyframes_is_sealed(const char *keyframe, tcgrr_icount icount, char **state);
/* Takes a keyframe away; others that start from it meanwhile fail. It may be gone already. */
void tcgrr_keyframes_discard(const char *keyframe);
/* Removes a folder with everything in it. */
bool tcgrr_keyframes_remove(const char *folder, GError **error);
/* Bytes on the disk. */
uint64_t tcgrr_keyframes_bytes(const char *folder);

/* What all keyframes of a trace may take: as it was last set, TCGRR_KEYFRAMES_MAX at first. */
uint64_t tcgrr_keyframes_max_bytes(const char *trace);
void tcgrr_keyframes_set_max_bytes(const char *trace, uint64_t bytes);

/* Whether QEMU can save the machine at `icount`: nothing happens there from outside, and no request to a disk is on its
 * way. */
bool tcgrr_keyframes_can_be_taken_at(const struct tcgrr_rrlog *log, tcgrr_icount icount);

/* Looks again which are there. */
void tcgrr_keyframes_look(struct tcgrr_keyframes *keyframes);
const struct tcgrr_keyframes_options *tcgrr_keyframes_options(const struct tcgrr_keyframes *keyframes);
/* The folder of those that fit; NULL: none can. */
const char *tcgrr_keyframes_own_folder(const struct tcgrr_keyframes *keyframes);

#endif
