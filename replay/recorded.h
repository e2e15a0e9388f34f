/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace contains for running it again: the user's command, QEMU's rr file, and the pinned machine. */
#ifndef TCGRR_REPLAY_RECORDED_H
#define TCGRR_REPLAY_RECORDED_H

#include "emu/qemu/pin.h"
#include "emu/qemu/session.h"
#include "emu/rrlog/rrlog.h"
#include "store/trace.h"

/*
 * The user's own QEMU command from the trace: QEMU and its arguments, NULL-terminated, followed by `extra` (may be
 * NULL), which in user mode is inserted before the program; owned by the caller (g_strfreev). TCGRR_ERROR_DAMAGED if
 * the trace does not have it.
 */
char **tcgrr_recorded_words(struct tcgrr_reader *reader, const char *const *extra, GError **error);

/*
 * The command to run: if the machine was pinned, the pinned command, whose files are written into `folder`, which is
 * created; otherwise the user's. The files may be removed (tcgrr_folder_remove()) when QEMU has ended.
 */
char **tcgrr_recorded_command(struct tcgrr_reader *reader, const char *folder, const char *const *extra,
                              GError **error);

/* QEMU's own count at the run's start: 0 at reset, otherwise that of the snapshot. */
tcgrr_icount tcgrr_recorded_start(struct tcgrr_reader *reader);
/*
 * The rr log in `rr_file`, as QEMU of `version` reads it, with icounts counted from the run's start; owned by the
 * caller (tcgrr_rrlog_free()). If the recording was ended before its QEMU was (--until, Ctrl-C), `run_end` is the
 * recording's end, and *ends_early is set.
 */
struct tcgrr_rrlog *tcgrr_recorded_log(struct tcgrr_reader *reader, const char *rr_file, const char *version,
                                       bool *ends_early, GError **error);
/*
 * Where the recording had its counts from QEMU's rr log, so must a replay of `rr_file` that has not started yet: then
 * both are sure to count alike.
 */
bool tcgrr_recorded_follow_log(struct tcgrr_reader *reader, const char *rr_file, struct tcgrr_session *session,
                               GError **error);
/* The image of that snapshot among the files that tcgrr_recorded_command() wrote into `folder`; NULL if the run starts
 * at reset. Owned by the caller. */
char *tcgrr_recorded_start_image(const char *folder);

/* Checks that `qemu` has the machine and the CPU that were pinned, if any were. If not, TCGRR_ERROR_FAILED names those
 * to record with. */
bool tcgrr_recorded_suits(struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu, GError **error);

/* Writes QEMU's rr file unchanged to `path`: from the trace or, if recording was cut short, the file that QEMU left
 * next to it. */
bool tcgrr_recorded_original_rr(struct tcgrr_reader *reader, const char *path, GError **error);

/*
 * Writes QEMU's rr file to `path`, repaired (emu/rrlog/rrlog.h), for a replay of the command `words` in QEMU of version
 * `to`; both NULL: the one that recorded. TCGRR_ERROR_FAILED if that one cannot replay something in it, or if QEMU was
 * killed before it wrote anything.
 */
bool tcgrr_recorded_rr(struct tcgrr_reader *reader, const char *path, const char *to, char *const *words,
                       struct tcgrr_rrlog_rewritten *rewritten, GError **error);

/* A line of text for each repair of QEMU's rr file before it is replayed; owned by the caller. NULL with an error if it
 * cannot be replayed. */
GPtrArray *tcgrr_recorded_repairs(struct tcgrr_reader *reader, GError **error);

/*
 * User mode: writes the file with the results of system calls into `folder`, which is created if necessary. Returns its
 * path, owned by the caller. TCGRR_ERROR_USAGE if the trace has none.
 */
char *tcgrr_recorded_calls(struct tcgrr_reader *reader, const char *folder, GError **error);

#endif
