/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "store/error.h"

#define PIECE (1 << 20)

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

bool tcgrr_file_copy(const char *from, const char *to, GError **error)
{
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int target = source >= 0 ? open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    ssize_t copied = target >= 0 ? 1 : -1;
    while (copied > 0) {
        copied = sendfile(target, source, NULL, PIECE);
    }
    int problem = errno;
    if (source >= 0) {
        close(source);
    }
    if (target >= 0 && close(target) != 0 && copied == 0) {
        problem = errno;
        copied = -1;
    }
    if (copied < 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot copy %s to %s: %s", from, to, g_strerror(problem));
    }
    return copied == 0;
}
