/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/connect.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/error.h"

#define RETRY_MS 10 /* between attempts to connect */

gint64 tcgrr_deadline_after(int timeout_ms)
{
    return g_get_monotonic_time() + (gint64)MAX(timeout_ms, 0) * 1000;
}

int tcgrr_time_left(gint64 deadline)
{
    gint64 left = deadline - g_get_monotonic_time();
    return left <= 0 ? 0 : (int)MIN((left + 999) / 1000, G_MAXINT);
}

int tcgrr_connect(const char *path, gint64 deadline, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s: too long for a unix socket (%zu characters at most)",
                    path, sizeof(address.sun_path) - 1);
        return -1;
    }
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    for (;;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
            return fd;
        }
        int reason = errno;
        if (fd >= 0) {
            close(fd);
        }
        bool again = reason == ENOENT || reason == ECONNREFUSED || reason == EAGAIN || reason == EINTR;
        if (!again || tcgrr_time_left(deadline) == 0) {
            g_set_error(error, TCGRR_ERROR, again ? TCGRR_ERROR_HUNG : TCGRR_ERROR_FAILED,
                        "cannot connect to QEMU at %s: %s", path, g_strerror(reason));
            return -1;
        }
        g_usleep((gulong)MIN(RETRY_MS, tcgrr_time_left(deadline)) * 1000);
    }
}
