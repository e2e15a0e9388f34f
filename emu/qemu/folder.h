/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_EMU_FOLDER_H
#define TCGRR_EMU_FOLDER_H

/* Removes a private folder with the files and links in it, but not what the links lead to. NULL is allowed. */
void tcgrr_folder_remove(const char *folder);

#endif
