/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/folder.h"

#include <glib.h>
#include <glib/gstdio.h>

void tcgrr_folder_remove(const char *folder)
{
    GDir *dir = folder ? g_dir_open(folder, 0, NULL) : NULL;
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_unlink(path);
    }
    if (dir) {
        g_dir_close(dir);
        g_rmdir(folder);
    }
}
