/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is there with all of its first content, or not at all. */
#ifndef TCGRR_STORE_NEW_FILE_H
#define TCGRR_STORE_NEW_FILE_H

#include <glib.h>
#include <stdbool.h>

/*
 * Makes the file `path` with these bytes. A process that is killed while it writes leaves no part of it, where the file
 * system has files without a name (O_TMPFILE). With `force` an existing regular file of that name is removed first:
 * *replaced is then a descriptor of the old file, unlinked but open, because freeing a large file takes long; -1: there
 * was none. Without `force` an existing file is an error. What SQLite left of an earlier file of that name is removed,
 * too. Two threads must not use the same path.
 */
bool tcgrr_new_file(const char *path, bool force, const void *bytes, size_t size, int *replaced, GError **error);

/*
 * Removes what SQLite left of a file of that name that no longer exists; otherwise it would be taken for part of the
 * next one.
 */
void tcgrr_remove_leftovers(const char *path);

#endif
