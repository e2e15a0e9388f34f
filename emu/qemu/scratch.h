/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders for what lives as long as this process: sockets, rr files, snapshots. */
#ifndef TCGRR_EMU_SCRATCH_H
#define TCGRR_EMU_SCRATCH_H

#include <glib.h>

/*
 * Makes a private folder whose name begins with `name`; the path is owned by the caller, who removes the folder when it
 * is not needed any more. All of them lie in one folder below $TMPDIR, which goes when this process ends, however it
 * ends: a second process waits for that. NULL with TCGRR_ERROR_FAILED if there is no room. Any thread.
 */
char *tcgrr_scratch_folder(const char *name, GError **error);

/*
 * The folder named "inputs", or so beginning (TCGRR_SCRATCH_INPUTS), in which files of this command lie: one made by
 * tcgrr_scratch_folder(), or directly in such a one. Owned by the caller; NULL: there is none. Any thread.
 */
#define TCGRR_SCRATCH_INPUTS "inputs"
char *tcgrr_scratch_find_inputs(const char *const *argv);

#endif
