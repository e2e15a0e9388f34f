/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders for files that live only as long as this process: sockets, rr files, snapshots. */
#ifndef TCGRR_EMU_SCRATCH_H
#define TCGRR_EMU_SCRATCH_H

#include <glib.h>

/*
 * Creates a private folder whose name begins with `name`. The caller owns the path and removes the folder when it is no
 * longer needed. All such folders are in one folder in $TMPDIR, which a second process removes when this process ends
 * for any reason. NULL with TCGRR_ERROR_FAILED if the folder cannot be created. Thread-safe.
 */
char *tcgrr_scratch_folder(const char *name, GError **error);

/*
 * Finds the folder, whose name begins with "inputs" (TCGRR_SCRATCH_INPUTS), that contains files named in this command:
 * one made by tcgrr_scratch_folder(), or a direct subfolder of one. Owned by the caller; NULL: there is none.
 * Thread-safe.
 */
#define TCGRR_SCRATCH_INPUTS "inputs"
char *tcgrr_scratch_find_inputs(const char *const *argv);

#endif
