/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a QEMU that replays a trace reads: the command's own files and the rr log, or what system calls gave, in a
 * private folder. */
#ifndef TCGRR_REPLAY_FILES_H
#define TCGRR_REPLAY_FILES_H

#include "emu/qemu/session.h"
#include "replay/keyframes.h"

struct tcgrr_replay_files;

/*
 * Writes them for `qemu`, which must outlive them, as must the reader and `extra` (further QEMU arguments,
 * NULL-terminated; NULL: none). Errors are those of tcgrr_recorded_command(), tcgrr_recorded_suits() and
 * tcgrr_recorded_rr().
 */
struct tcgrr_replay_files *tcgrr_replay_files_new(struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu,
                                                  const char *const *extra, GError **error);
/* Removes them. Not before the QEMUs that read them have ended. NULL is allowed. */
void tcgrr_replay_files_free(struct tcgrr_replay_files *files);

/* Where a file of this name is, or can be made, in the folder; owned by the caller. It is removed with the others. */
char *tcgrr_replay_files_path(const struct tcgrr_replay_files *files, const char *name);

/* Fills in with what a session replays them: `plugin` and what is to be recorded are the caller's. It points into them
 * and into the reader. */
void tcgrr_replay_files_session(const struct tcgrr_replay_files *files, struct tcgrr_session_options *options);

/* How far the rr log reaches: so many instructions can be replayed. And where the guest asked for its end, at the
 * earliest; 0: that is certain. */
tcgrr_icount tcgrr_replay_files_reach(const struct tcgrr_replay_files *files, tcgrr_icount *asked_after);

/* Fills in what the keyframes of these files belong to; it points into them. */
void tcgrr_replay_files_keyframes(const struct tcgrr_replay_files *files, struct tcgrr_keyframes_options *options);

#endif
