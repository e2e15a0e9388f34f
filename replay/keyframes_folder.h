/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_KEYFRAMES_FOLDER_H
#define TCGRR_REPLAY_KEYFRAMES_FOLDER_H

#include "emu/rrlog/rrlog.h"
#include "replay/keyframes.h"

/* The folder of all keyframes of a trace; owned by the caller. */
char *tcgrr_keyframes_folder(const char *trace);

/* A new, empty folder in `folder` for a keyframe that is being made; owned by the caller. */
char *tcgrr_keyframes_begin(const char *folder, GError **error);
/*
 * Seals the folder `made`, which becomes the keyframe at `icount` unless there is one already. `state` is the machine's
 * state there (emu/qemu/machine_digest.h). The keyframe must not change afterwards.
 */
bool tcgrr_keyframes_keep(const char *made, const char *folder, tcgrr_icount icount, const char *state, GError **error);
/* Whether a keyframe is unchanged since it was sealed as the one at `icount`: reads all of it. Sets *state to the state
 * given then; owned by the caller. */
bool tcgrr_keyframes_is_sealed(const char *keyframe, tcgrr_icount icount, char **state);
/* Removes a keyframe, which need not exist any more. Processes that are starting from it fail. */
void tcgrr_keyframes_discard(const char *keyframe);
/* Removes the folder `own` of a set if it is empty, and that of all keyframes of the trace if none is left in it. */
void tcgrr_keyframes_tidy(const char *trace, const char *own);
/* Removes a folder with everything in it. */
bool tcgrr_keyframes_remove(const char *folder, GError **error);
/* Bytes on the disk. */
uint64_t tcgrr_keyframes_bytes(const char *folder);

/* The limit for all keyframes of a trace: the value set last, or TCGRR_KEYFRAMES_MAX. */
uint64_t tcgrr_keyframes_max_bytes(const char *trace);
void tcgrr_keyframes_set_max_bytes(const char *trace, uint64_t bytes);

/* Whether QEMU can save the machine at `icount`: there is no event from outside, and no pending disk request. */
bool tcgrr_keyframes_can_be_taken_at(const struct tcgrr_rrlog *log, tcgrr_icount icount);

/* Looks up the existing keyframes again. */
void tcgrr_keyframes_look(struct tcgrr_keyframes *keyframes);
const struct tcgrr_keyframes_options *tcgrr_keyframes_options(const struct tcgrr_keyframes *keyframes);
/* The folder of the keyframes that fit; NULL: there can be none. */
const char *tcgrr_keyframes_own_folder(const struct tcgrr_keyframes *keyframes);

#endif
