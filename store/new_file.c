/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/new_file.h"

#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void tcgrr_remove_leftovers(const char *path)
{
    static const char *const leftovers[] = {"-wal", "-shm", "-journal"};

    for (size_t i = 0; i < G_N_ELEMENTS(leftovers); i++) {
        g_autofree char *name = g_strconcat(path, leftovers[i], NULL);
        unlink(name);
    }
}

static bool write_all(int fd, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t now = write(fd, (const char *)bytes + done, size - done);
        if (now <= 0 && errno != EINTR) {
            return false;
        }
        done += now > 0 ? (size_t)now : 0;
    }
    return true;
}

/* False with errno. */
static bool make_at_once(const char *path, const void *bytes, size_t size)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0) {
        return false;
    }
    char name[64];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    bool good = write_all(fd, bytes, size) && linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
    int problem = errno;
    close(fd);
    errno = problem;
    return good;
}

/* The same where that is not possible: a network's file system, or no /proc. */
static bool make_in_place(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0) {
        return false;
    }
    bool good = write_all(fd, bytes, size);
    int problem = errno;
    good = close(fd) == 0 && good;
    if (!good) {
        unlink(path);
    }
    errno = problem;
    return good;
}

bool tcgrr_new_file(const char *path, bool force, const void *bytes, size_t size, int *replaced, GError **error)
{
    struct stat old;

    *replaced = -1;
    bool exists = lstat(path, &old) == 0;
    if (exists && force) {
        if (stat(path, &old) == 0 && !S_ISREG(old.st_mode)) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s is not a regular file; choose another name with -o",
                        path);
            return false;
        }
        *replaced = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        unlink(path);
    }
    if (!exists || force) {
        tcgrr_remove_leftovers(path);
    }
    if (make_at_once(path, bytes, size) || (errno != EEXIST && errno != ENOSPC && make_in_place(path, bytes, size))) {
        return true;
    }
    if (errno == EEXIST) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s exists; choose another name with -o or add --force",
                    path);
    } else {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot create %s: %s; %s", path, g_strerror(errno),
                    errno == ENOSPC ? "free some space" : "choose another place with -o");
    }
    return false;
}
