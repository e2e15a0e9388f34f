/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace carries for running it again: the user's command and QEMU's rr file. */
#ifndef TCGRR_REPLAY_RECORDED_H
#define TCGRR_REPLAY_RECORDED_H

#include "store/trace.h"

/*
 * The user's own QEMU command out of the trace: QEMU and its arguments, NULL-terminated, with `extra` (may be NULL)
 * behind; owned by the caller (g_strfreev). TCGRR_ERROR_DAMAGED if the trace does not say.
 */
char **tcgrr_recorded_words(struct tcgrr_reader *reader, const char *const *extra, GError **error);

/* Writes QEMU's rr file to `path`: from the trace, or, where recording was cut short, what QEMU left beside it. */
bool tcgrr_recorded_rr(struct tcgrr_reader *reader, const char *path, GError **error);

/* Whether the rr file at `path` is whole. QEMU writes its head last; one that was killed leaves it empty. */
bool tcgrr_recorded_check_rr(struct tcgrr_reader *reader, const char *path, GError **error);

#endif
