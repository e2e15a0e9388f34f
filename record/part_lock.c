/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/part_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *lock_path(const char *part)
{
    return g_strconcat(part, ".lock", NULL);
}

/* Whether the opened file is still the one of that name. */
static bool is_current(int fd, const char *path)
{
    struct stat opened, there;
    return fstat(fd, &opened) == 0 && stat(path, &there) == 0 && opened.st_ino == there.st_ino &&
           opened.st_dev == there.st_dev;
}

int tcgrr_part_lock(const char *part)
{
    g_autofree char *path = lock_path(part);

    for (;;) {
        int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
        if (fd < 0) {
            return -1;
        }
        bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        bool other = !locked && errno == EWOULDBLOCK; /* another process took it for a stale one and is removing it */
        if (locked && is_current(fd, path)) {
            return fd;
        }
        close(fd);
        if (!locked && !other) {
            unlink(path);
            return -1;
        }
        g_usleep(1000);
    }
}

void tcgrr_part_unlock(const char *part, int lock)
{
    g_autofree char *path = lock_path(part);

    if (lock >= 0) {
        unlink(path);
        close(lock);
    }
}

void tcgrr_part_remove(const char *part)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *name = g_strconcat(part, suffixes[i], NULL);
        unlink(name);
    }
}

void tcgrr_part_remove_dead(const char *part)
{
    g_autofree char *path = lock_path(part);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool dead = fd >= 0 ? flock(fd, LOCK_EX | LOCK_NB) == 0 : errno == ENOENT;

    if (dead) {
        tcgrr_part_remove(part);
        unlink(path);
    }
    if (fd >= 0) {
        close(fd);
    }
}
