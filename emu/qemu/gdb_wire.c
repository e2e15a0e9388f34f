/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/gdb_wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/qemu/connect.h"
#include "store/error.h"

struct tcgrr_gdb_wire *tcgrr_gdb_wire_new(int fd, const char *peer)
{
    struct tcgrr_gdb_wire *wire = g_new0(struct tcgrr_gdb_wire, 1);

    wire->fd = fd;
    wire->peer = peer;
    wire->input = g_string_new(NULL);
    wire->output = g_string_new(NULL);
    wire->frame = g_string_new(NULL);
    wire->payload = g_string_new(NULL);
    return wire;
}

void tcgrr_gdb_wire_free(struct tcgrr_gdb_wire *wire)
{
    if (!wire) {
        return;
    }
    close(wire->fd);
    g_string_free(wire->input, TRUE);
    g_string_free(wire->output, TRUE);
    g_string_free(wire->frame, TRUE);
    g_string_free(wire->payload, TRUE);
    g_free(wire);
}

static bool fail(const struct tcgrr_gdb_wire *wire, enum tcgrr_error_code code, const char *text, GError **error)
{
    g_set_error(error, TCGRR_ERROR, code, "%s %s", wire->peer, text);
    return false;
}

static bool wait_ready(struct tcgrr_gdb_wire *wire, short events, gint64 deadline, bool *ready, GError **error)
{
    for (;;) {
        struct pollfd fd = {.fd = wire->fd, .events = events};
        int n = poll(&fd, 1, tcgrr_time_left(deadline));
        if (n >= 0) {
            *ready = n > 0;
            return true;
        }
        if (errno != EINTR) {
            return fail(wire, TCGRR_ERROR_FAILED, "cannot be waited for", error);
        }
    }
}

void tcgrr_gdb_wire_put(struct tcgrr_gdb_wire *wire, const char *payload)
{
    tcgrr_gdb_packet_append(wire->output, payload);
}

bool tcgrr_gdb_wire_flush(struct tcgrr_gdb_wire *wire, GError **error)
{
    gint64 deadline = tcgrr_deadline_after(TCGRR_GDB_ANSWER_MS);
    size_t sent = 0;
    bool ready;

    while (sent < wire->output->len) {
        ssize_t n = send(wire->fd, wire->output->str + sent, wire->output->len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            sent += (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            if (!wait_ready(wire, POLLOUT, deadline, &ready, error)) {
                return false;
            }
            if (!ready) {
                return fail(wire, TCGRR_ERROR_HUNG, "does not read what tcgrr sends", error);
            }
        } else if (n == 0 || errno != EINTR) {
            return fail(wire, TCGRR_ERROR_FAILED, "closed its connection", error);
        }
    }
    g_string_truncate(wire->output, 0);
    return true;
}

bool tcgrr_gdb_wire_receive(struct tcgrr_gdb_wire *wire, gint64 deadline, bool *found, GError **error)
{
    char bytes[16384];
    bool ready;

    for (;;) {
        if (!tcgrr_gdb_packet_take(wire->input, wire->frame, found, error)) {
            g_prefix_error(error, "%s: ", wire->peer);
            return false;
        }
        if (*found) {
            if (wire->frame->str[0] == '$') {
                g_string_append_c(wire->output, '+');
            }
            return true;
        }
        if (!wait_ready(wire, POLLIN, deadline, &ready, error)) {
            return false;
        }
        if (!ready) {
            return true;
        }
        ssize_t n = recv(wire->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n > 0) {
            g_string_append_len(wire->input, bytes, n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            return fail(wire, TCGRR_ERROR_FAILED, "closed its connection", error);
        }
    }
}

bool tcgrr_gdb_wire_expand(struct tcgrr_gdb_wire *wire, GError **error)
{
    if (tcgrr_gdb_packet_expand(wire->frame, wire->payload, error)) {
        return true;
    }
    g_prefix_error(error, "%s: ", wire->peer);
    return false;
}

bool tcgrr_gdb_wire_answer(struct tcgrr_gdb_wire *wire, GError **error)
{
    bool found;

    if (!tcgrr_gdb_wire_flush(wire, error) ||
        !tcgrr_gdb_wire_receive(wire, tcgrr_deadline_after(TCGRR_GDB_ANSWER_MS), &found, error)) {
        return false;
    }
    return found ? tcgrr_gdb_wire_expand(wire, error) : fail(wire, TCGRR_ERROR_HUNG, "does not answer", error);
}
