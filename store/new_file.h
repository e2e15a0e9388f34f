/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is there with all of its first content, or not at all. */
#ifndef TCGRR_STORE_NEW_FILE_H
#define TCGRR_STORE_NEW_FILE_H

#include <glib.h>
#include <stdbool.h>

/*
 * Makes the file `path` with these bytes. A process that is killed while it writes leaves no part of it, where the file
 * system has files without a name (O_TMPFILE). With `force` a regular file of that name goes first: *replaced is then
 * the old file, unlinked but open, because to free a large one takes long; -1: there was none. Without `force` an
 * existing file is an error. What SQLite left of an earlier file of that name goes too. Not for two threads and one
 * path.
 */
bool tcgrr_new_file(const char *path, bool force, const void *bytes, size_t size, int *replaced, GError **error);

/* Removes what SQLite left of a file of that name that is no more, which would be taken for the next one's. */
void tcgrr_remove_leftovers(const char *path);

#endif
