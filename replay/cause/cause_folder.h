/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder that a search for a cause writes into. */
#ifndef TCGRR_REPLAY_CAUSE_FOLDER_H
#define TCGRR_REPLAY_CAUSE_FOLDER_H

#include <glib.h>
#include <stdbool.h>

struct tcgrr_cause_folder {
    char *path;
    bool made;       /* by us */
    GPtrArray *ours; /* char *: names of files in it that are useless without a result */
};

/*
 * Creates the folder `given`; without `force`, an existing folder that is not empty is TCGRR_ERROR_USAGE. Without
 * `given` it creates `wanted` or, if that name exists, the same with "-2", "-3" and so on, in the current folder if the
 * one of `wanted` is not writable. Clear it even after false.
 */
bool tcgrr_cause_folder_make(struct tcgrr_cause_folder *folder, const char *given, const char *wanted, bool force,
                             GError **error);

/* The path of a file in it that is useless without a result; owned by the caller. */
char *tcgrr_cause_folder_file(struct tcgrr_cause_folder *folder, const char *name);

/* Removes those files, and the folder if it was created here and contains nothing else. */
void tcgrr_cause_folder_drop(struct tcgrr_cause_folder *folder);

/* Frees the strings, and removes a folder that was created here and is still empty. */
void tcgrr_cause_folder_clear(struct tcgrr_cause_folder *folder);

#endif
