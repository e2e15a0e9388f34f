/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is at work on a file that is not complete yet: a lock on a file beside it, which ends with the process that has
 * it, so that what a killed one left can be distinguished from what others are writing. */
#ifndef TCGRR_RECORD_PART_LOCK_H
#define TCGRR_RECORD_PART_LOCK_H

#include <stdbool.h>

#define TCGRR_PART_SUFFIX ".part"

/* Before the file `part` is made. Returns a descriptor to be given back; -1 where there are no locks. */
int tcgrr_part_lock(const char *part);
/* When `part` is there under another name, or is gone. */
void tcgrr_part_unlock(const char *part, int lock);
/* Removes `part`, with what SQLite has beside it, unless somebody is at work on it, or that cannot be known. */
void tcgrr_part_remove_dead(const char *part);
/* Removes `part` with what SQLite has beside it. */
void tcgrr_part_remove(const char *part);

#endif
