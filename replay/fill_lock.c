/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/fill.h"

#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_US 50000

/* The lock is on the folder of the parts, which the one that has it may remove. */
struct tcgrr_fill_lock {
    char *folder;
    int fd; /* -1: it cannot be made */
};

/* Whether the locked folder is still the one of that name. */
static bool is_current(const struct tcgrr_fill_lock *lock)
{
    struct stat locked, there;
    return fstat(lock->fd, &locked) == 0 && stat(lock->folder, &there) == 0 && locked.st_ino == there.st_ino &&
           locked.st_dev == there.st_dev;
}

/* Whether it has the lock, or there is nothing to lock: *over. Another may remove the folder at any time. */
static void try_once(struct tcgrr_fill_lock *lock, bool *over)
{
    bool made = g_mkdir(lock->folder, 0777) == 0 || errno == EEXIST;

    lock->fd = made ? open(lock->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (lock->fd < 0) {
        *over = !made; /* a later write there will report the error */
        return;
    }
    bool locked = flock(lock->fd, LOCK_EX | LOCK_NB) == 0;
    bool waits = !locked && (errno == EWOULDBLOCK || errno == EINTR);
    *over = locked ? is_current(lock) : !waits; /* some network file systems have no locks */
    if (!*over) {
        close(lock->fd);
        lock->fd = -1;
    }
}

struct tcgrr_fill_lock *tcgrr_fill_lock(const char *trace, const volatile int *stop, GError **error)
{
    struct tcgrr_fill_lock *lock = g_new0(struct tcgrr_fill_lock, 1);

    bool over = false;

    lock->folder = tcgrr_fill_folder(trace);
    lock->fd = -1;
    for (try_once(lock, &over); !over && !*stop; try_once(lock, &over)) {
        g_usleep(POLL_US);
    }
    if (!over) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted while another fill of the trace ran");
        g_clear_pointer(&lock, tcgrr_fill_unlock);
    }
    return lock;
}

void tcgrr_fill_unlock(struct tcgrr_fill_lock *lock)
{
    if (lock) {
        if (lock->fd >= 0) {
            g_rmdir(lock->folder); /* unless there are parts in it */
            close(lock->fd);
        }
        g_free(lock->folder);
        g_free(lock);
    }
}
