/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A long way between two sockets: what comes in at one goes out at the other after a fixed time, in both directions. */
#include "lockstep/peer/address.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000
#define PIECE   65536

/* One direction. */
struct way {
    int from;
    int to;
    gint64 delay_us;
    GQueue pieces; /* GBytes *, in order */
    GQueue dues;   /* gint64 *: when each of them is to go out */
    bool over;     /* nothing more comes in */
};

static void take(struct way *way)
{
    uint8_t bytes[PIECE];
    ssize_t got = read(way->from, bytes, sizeof(bytes));
    gint64 due = g_get_monotonic_time() + way->delay_us;

    way->over = got <= 0;
    g_queue_push_tail(&way->pieces, g_bytes_new(bytes, (gsize)MAX(got, 0)));
    g_queue_push_tail(&way->dues, g_memdup2(&due, sizeof(due)));
}

/* Passes on what is due. False if nobody takes it any more. */
static bool give(struct way *way)
{
    g_autoptr(GBytes) piece = g_queue_pop_head(&way->pieces);
    gsize left;
    const uint8_t *at = g_bytes_get_data(piece, &left);

    g_free(g_queue_pop_head(&way->dues));
    if (left == 0) {
        return shutdown(way->to, SHUT_WR) == 0;
    }
    while (left > 0) {
        struct pollfd poll_fd = {.fd = way->to, .events = POLLOUT};
        ssize_t done = poll(&poll_fd, 1, -1) > 0 ? send(way->to, at, left, MSG_NOSIGNAL) : -1;
        if (done < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        at += MAX(done, 0);
        left -= (gsize)MAX(done, 0);
    }
    return true;
}

static gpointer carry(gpointer data)
{
    struct way *way = data;
    bool good = true;

    while (good && !(way->over && g_queue_is_empty(&way->pieces))) {
        const gint64 *due = g_queue_peek_head(&way->dues);
        gint64 left = due ? *due - g_get_monotonic_time() : G_USEC_PER_SEC;
        struct pollfd poll_fd = {.fd = way->over ? -1 : way->from, .events = POLLIN};
        struct timespec wait = {.tv_nsec = (long)CLAMP(left, 0, G_USEC_PER_SEC - 1) * 1000};
        if (due && left <= 0) {
            good = give(way);
        } else if (ppoll(&poll_fd, 1, &wait, NULL) > 0) {
            take(way);
        }
    }
    return NULL;
}

/* Both ends' sockets, or false after having said why not. */
static bool meet(const char *here, const char *there, int fds[2])
{
    struct tcgrr_address addresses[2];
    GError *error = NULL;
    struct tcgrr_listener *listener = NULL;

    fds[0] = fds[1] = -1;
    if (tcgrr_address_parse(here, &addresses[0], &error) && tcgrr_address_parse(there, &addresses[1], &error)) {
        listener = tcgrr_listener_new(&addresses[0], NULL, &error);
    }
    if (listener) {
        fds[0] = tcgrr_listener_accept(listener, WAIT_MS, NULL, &error);
        tcgrr_listener_free(listener);
    }
    if (fds[0] >= 0) {
        fds[1] = tcgrr_address_connect(&addresses[1], WAIT_MS, NULL, &error);
    }
    if (error) {
        fprintf(stderr, "bench-relay: %s\n", error->message);
    }
    return fds[0] >= 0 && fds[1] >= 0;
}

int main(int argc, char **argv)
{
    int fds[2];

    if (argc != 4) {
        fprintf(stderr, "Usage: bench-relay LISTEN-ADDR CONNECT-ADDR MICROSECONDS-EACH-WAY\n");
        return 2;
    }
    if (!meet(argv[1], argv[2], fds)) {
        return 3;
    }
    struct way ways[2] = {{.from = fds[0], .to = fds[1]}, {.from = fds[1], .to = fds[0]}};
    GThread *threads[2];
    for (int i = 0; i < 2; i++) {
        ways[i].delay_us = atol(argv[3]);
        threads[i] = g_thread_new("way", carry, &ways[i]);
    }
    for (int i = 0; i < 2; i++) {
        g_thread_join(threads[i]);
    }
    return 0;
}
