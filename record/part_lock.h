/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Marks an incomplete file as being written: a lock on a file next to it, which ends with its process, so that files
 * left by killed processes can be distinguished from files that are being written. */
#ifndef TCGRR_RECORD_PART_LOCK_H
#define TCGRR_RECORD_PART_LOCK_H

#include <stdbool.h>

#define TCGRR_PART_SUFFIX ".part"

/* Call it before creating the file `part`. Returns a descriptor for tcgrr_part_unlock(); -1 if the file system has no
 * locks. */
int tcgrr_part_lock(const char *part);
/* Call it when `part` has been renamed or removed. */
void tcgrr_part_unlock(const char *part, int lock);
/* Removes `part` and SQLite's files next to it, unless a process is writing it or that cannot be determined. */
void tcgrr_part_remove_dead(const char *part);
/* Removes `part` and SQLite's files next to it. */
void tcgrr_part_remove(const char *part);

#endif
