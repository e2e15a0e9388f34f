/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder that a search for a cause writes into. */
#ifndef TCGRR_REPLAY_CAUSE_FOLDER_H
#define TCGRR_REPLAY_CAUSE_FOLDER_H

#include <glib.h>
#include <stdbool.h>

struct tcgrr_cause_folder {
    char *path;
    bool made;       /* by us */
    GPtrArray *ours; /* char *: names of files that were written into it and are not worth keeping by themselves */
};

/*
 * Makes the folder `given`; one that is there and not empty is TCGRR_ERROR_USAGE without `force`. Without `given` it is
 * `wanted`, or, where there is something of that name already, the same with "-2", "-3" and so on; and in the current
 * folder where nothing can be made in that of `wanted`. Free it also after false.
 */
bool tcgrr_cause_folder_make(struct tcgrr_cause_folder *folder, const char *given, const char *wanted, bool force,
                             GError **error);

/* The path of a file in it that only a finding makes worth keeping; owned by the caller. */
char *tcgrr_cause_folder_file(struct tcgrr_cause_folder *folder, const char *name);

/* Removes those files, and the folder if it was made here and nothing else is in it. */
void tcgrr_cause_folder_drop(struct tcgrr_cause_folder *folder);

/* Frees what it names, and removes a folder that was made here and is still empty. */
void tcgrr_cause_folder_clear(struct tcgrr_cause_folder *folder);

#endif
