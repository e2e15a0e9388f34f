/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/forks.h"

#include "emu/plugin/fork.h"
#include "emu/qemu/scratch.h"
#include "store/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAITING   4096 /* number of pending connections; further children wait */
#define REQUEST_S 2    /* timeout for the request, which a child sends right after it has connected */

struct tcgrr_forks {
    char *folder;
    char *path;
    int listener;
};

struct tcgrr_forks *tcgrr_forks_new(GError **error)
{
    struct tcgrr_forks *forks = g_new0(struct tcgrr_forks, 1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    forks->listener = -1;
    forks->folder = tcgrr_scratch_folder("forks", error);
    if (!forks->folder) {
        tcgrr_forks_free(forks);
        return NULL;
    }
    forks->path = g_build_filename(forks->folder, "socket", NULL);
    bool fits = g_strlcpy(address.sun_path, forks->path, sizeof(address.sun_path)) < sizeof(address.sun_path);
    errno = ENAMETOOLONG;
    forks->listener = fits ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) : -1;
    if (forks->listener < 0 || bind(forks->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(forks->listener, WAITING) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot listen at %s: %s; set TMPDIR to a short path",
                    forks->path, g_strerror(errno));
        tcgrr_forks_free(forks);
        return NULL;
    }
    return forks;
}

void tcgrr_forks_free(struct tcgrr_forks *forks)
{
    if (!forks) {
        return;
    }
    if (forks->listener >= 0) {
        close(forks->listener);
    }
    if (forks->path) {
        g_unlink(forks->path);
    }
    if (forks->folder) {
        g_rmdir(forks->folder);
    }
    g_free(forks->path);
    g_free(forks->folder);
    g_free(forks);
}

const char *tcgrr_forks_path(const struct tcgrr_forks *forks)
{
    return forks->path;
}

bool tcgrr_forks_accept(struct tcgrr_forks *forks, int wait_ms, struct tcgrr_fork *child)
{
    const struct timeval patience = {.tv_sec = REQUEST_S};
    struct pollfd ready = {.fd = forks->listener, .events = POLLIN};
    struct tcgrr_fork_request request;
    struct ucred who = {0};
    socklen_t length = sizeof(who);

    if (poll(&ready, 1, wait_ms) <= 0) {
        return false;
    }
    int connection = accept4(forks->listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0) {
        return false;
    }
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0 || who.uid != getuid() ||
        recv(connection, &request, sizeof(request), 0) != sizeof(request)) {
        close(connection);
        return false;
    }
    *child = (struct tcgrr_fork){connection, who.pid, request.parent, request.number};
    return true;
}

void tcgrr_fork_welcome(const struct tcgrr_fork *child, int fd, const char *inputs)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct tcgrr_fork_answer answer = {{0}};
    struct iovec data = {.iov_base = &answer, .iov_len = sizeof(answer)};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control};

    message.msg_controllen = sizeof(control);
    control.head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    control.head.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    if (g_strlcpy(answer.inputs, inputs, sizeof(answer.inputs)) < sizeof(answer.inputs)) {
        (void)sendmsg(child->connection, &message, MSG_NOSIGNAL); /* that a child has gone is noticed later anyway */
    }
    close(child->connection);
}

void tcgrr_fork_dismiss(const struct tcgrr_fork *child)
{
    close(child->connection);
}
