/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that a QEMU needs to replay a trace, in a private folder: the command's embedded files, and the rr log or
 * the results of system calls. */
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
/* Removes the files. The QEMUs that read them must have ended. NULL is allowed. */
void tcgrr_replay_files_free(struct tcgrr_replay_files *files);

/* The path of a file of this name in the folder, which need not exist; owned by the caller. The file is removed with
 * the others. */
char *tcgrr_replay_files_path(const struct tcgrr_replay_files *files, const char *name);

/* Fills in the options of a session that replays them, except `plugin` and what to record. They point into the files
 * and the reader. */
void tcgrr_replay_files_session(const struct tcgrr_replay_files *files, struct tcgrr_session_options *options);

/* The number of instructions that can be replayed with the rr log. *asked_after is the earliest place at which the
 * guest can have asked to shut down; 0: the place is certain. */
tcgrr_icount tcgrr_replay_files_reach(const struct tcgrr_replay_files *files, tcgrr_icount *asked_after);

/* Fills in the options of keyframes for these files; they point into the files. */
void tcgrr_replay_files_keyframes(const struct tcgrr_replay_files *files, struct tcgrr_keyframes_options *options);

#endif
