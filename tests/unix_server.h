/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Unix socket in a folder of its own that listens, for tests of clients. */
#ifndef TCGRR_TESTS_UNIX_SERVER_H
#define TCGRR_TESTS_UNIX_SERVER_H

struct unix_server {
    char *folder;
    char *path; /* of the socket */
    int listener;
};

/* Makes folder and socket; the test fails where that does not work. */
void unix_server_start(struct unix_server *server);
/* Removes both. */
void unix_server_stop(struct unix_server *server);

#endif
