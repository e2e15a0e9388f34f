/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_EMU_FOLDER_H
#define TCGRR_EMU_FOLDER_H

#include <glib.h>
#include <stdbool.h>

/* Removes a private folder with the files and links in it, but not what the links lead to. NULL is allowed. */
void tcgrr_folder_remove(const char *folder);

/* Copies a file; `to` is replaced. */
bool tcgrr_file_copy(const char *from, const char *to, GError **error);

#endif
