/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unix_server.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void unix_server_start(struct unix_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    server->folder = g_dir_make_tmp("tcgrr-test-XXXXXX", NULL);
    server->path = g_build_filename(server->folder, "socket", NULL);
    g_strlcpy(address.sun_path, server->path, sizeof(address.sun_path));
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listener, 1), 0);
}

void unix_server_stop(struct unix_server *server)
{
    close(server->listener);
    g_unlink(server->path);
    g_rmdir(server->folder);
    g_free(server->path);
    g_free(server->folder);
}
