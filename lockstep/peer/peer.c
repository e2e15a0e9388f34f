/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/peer/peer.h"

#include "lockstep/peer/fields.h"
#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES  5 /* type, and length as 32 bits little-endian */
#define PIECE       65536
#define SLICE_MS    100 /* interval of checking whether the user interrupts */
#define BEAT_US     (400 * 1000)
#define PROGRESS_US (200 * 1000)
#define LAST_MS     500 /* for the last words */
/* Minimum number of bytes per millisecond: a slower message counts as not arriving. */
#define SLOWEST     16

struct tcgrr_peer {
    int fd;
    struct tcgrr_peer_options options;
    int patience_ms;
    bool beating;
    GByteArray *in;     /* what came, and was not let go */
    guint at;           /* number of bytes that were consumed; the message returned last follows */
    guint taken;        /* bytes of that */
    gint64 began;       /* when the message began to come that is not there as a whole; 0: none */
    gint64 received_at; /* when something came */
    gint64 moved;       /* when the other side did something, or got further */
    gint64 beaten;      /* when we said last that we live */
    gint64 shown;       /* when progress was shown last */
    tcgrr_icount ours;
    tcgrr_icount theirs;
    struct tcgrr_peer_traffic traffic;
};

struct tcgrr_peer *tcgrr_peer_new(int fd, const struct tcgrr_peer_options *options)
{
    struct tcgrr_peer *peer = g_new0(struct tcgrr_peer, 1);
    int on = 1;

    peer->fd = fd;
    peer->options = *options;
    peer->patience_ms = options->timeout_ms;
    peer->in = g_byte_array_sized_new(PIECE);
    peer->received_at = peer->moved = peer->beaten = g_get_monotonic_time();
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails on Unix sockets, which do not wait anyway */
    return peer;
}

void tcgrr_peer_free(struct tcgrr_peer *peer)
{
    if (!peer) {
        return;
    }
    close(peer->fd);
    g_byte_array_unref(peer->in);
    g_free(peer);
}

void tcgrr_peer_be_patient(struct tcgrr_peer *peer, int patience_ms)
{
    peer->patience_ms = patience_ms;
    peer->beating = true;
}

void tcgrr_peer_report_progress(struct tcgrr_peer *peer, tcgrr_icount icount)
{
    gint64 now = g_get_monotonic_time();

    peer->ours = MAX(peer->ours, icount);
    if (peer->options.progress && now - peer->shown >= PROGRESS_US) {
        peer->shown = now;
        peer->options.progress(MIN(peer->ours, peer->theirs), peer->options.data);
    }
}

struct tcgrr_peer_traffic tcgrr_peer_traffic(const struct tcgrr_peer *peer)
{
    return peer->traffic;
}

/* ---- waiting ---- */

static bool fail_closed(GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the other side went away: the connection is closed");
    return false;
}

static bool fail_errno(const char *what, GError **error)
{
    if (errno == EPIPE || errno == ECONNRESET) {
        return fail_closed(error);
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot %s the other side: %s", what, g_strerror(errno));
    return false;
}

static bool fail_hung(GError **error, const char *how, int ms)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "the other side %s for %g s", how, ms / 1000.0);
    return false;
}

static bool heed_stop(const struct tcgrr_peer *peer, GError **error)
{
    if (peer->options.stop && *peer->options.stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
        return false;
    }
    return true;
}

/* How long `length` bytes may take, in microseconds. */
static gint64 allowance(const struct tcgrr_peer *peer, size_t length)
{
    return ((gint64)peer->options.timeout_ms + (gint64)(length / SLOWEST)) * 1000;
}

/* Waits until the socket may be ready for `events`, for a slice at most, and not beyond `deadline`. */
static void wait_ready(const struct tcgrr_peer *peer, short events, gint64 deadline)
{
    gint64 left = (deadline - g_get_monotonic_time() + 999) / 1000;
    struct pollfd poll_fd = {.fd = peer->fd, .events = events};
    poll(&poll_fd, 1, (int)CLAMP(left, 0, SLICE_MS));
}

/* ---- sending ---- */

static bool read_piece(struct tcgrr_peer *peer, bool *more, GError **error);
static bool next_message(struct tcgrr_peer *peer, struct tcgrr_message *message, bool *got, GError **error);

/* Writing failed: reads what the other side sent before it closed, which may say why, but only for a limited time,
 * because it may send endlessly. */
static bool unwritten(struct tcgrr_peer *peer, GError **error)
{
    int reason = errno;
    gint64 deadline = g_get_monotonic_time() + LAST_MS * 1000;
    struct tcgrr_message message;
    GError *words = NULL;
    bool more = true, got = true;

    while (!words && (got || more) && g_get_monotonic_time() < deadline) {
        more = got || (read_piece(peer, &more, NULL) && more);
        next_message(peer, &message, &got, &words);
    }
    if (words) {
        g_propagate_error(error, words);
        return false;
    }
    errno = reason;
    return fail_errno("write to", error);
}

bool tcgrr_peer_write(struct tcgrr_peer *peer, const uint8_t *bytes, size_t length, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + allowance(peer, length);

    while (length > 0) {
        ssize_t done = send(peer->fd, bytes, length, MSG_NOSIGNAL);
        if (done > 0) {
            bytes += done;
            length -= (size_t)done;
            peer->traffic.sent += (uint64_t)done;
            continue;
        }
        if (done < 0 && errno != EAGAIN && errno != EINTR) {
            return unwritten(peer, error);
        }
        if (g_get_monotonic_time() >= deadline) {
            return fail_hung(error, "has not read what it was sent", peer->options.timeout_ms);
        }
        if (!heed_stop(peer, error)) {
            return false;
        }
        wait_ready(peer, POLLOUT, deadline);
    }
    return true;
}

bool tcgrr_peer_send(struct tcgrr_peer *peer, enum tcgrr_message_type type, const GByteArray *payload, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_sized_new(HEAD_BYTES + payload->len);
    guint8 kind = (guint8)type;
    uint32_t length = GUINT32_TO_LE(payload->len);

    if (payload->len > tcgrr_message_longest(type)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%u bytes are too many for one message (%s)", payload->len,
                    tcgrr_message_name(type));
        return false;
    }
    g_byte_array_append(bytes, &kind, 1);
    g_byte_array_append(bytes, (const guint8 *)&length, sizeof(length));
    g_byte_array_append(bytes, payload->data, payload->len);
    return tcgrr_peer_write(peer, bytes->data, bytes->len, error);
}

/* Sends a sign of life with our progress. */
static bool beat(struct tcgrr_peer *peer, GError **error)
{
    gint64 now = g_get_monotonic_time();

    if (!peer->beating || now - peer->beaten < BEAT_US) {
        return true;
    }
    g_autoptr(GByteArray) payload = g_byte_array_new();
    peer->beaten = now;
    tcgrr_put_number(payload, peer->ours);
    return tcgrr_peer_send(peer, TCGRR_MESSAGE_ALIVE, payload, error);
}

bool tcgrr_peer_stand_by(struct tcgrr_peer *peer, int wait_ms, GError **error)
{
    g_usleep((gulong)wait_ms * 1000);
    return heed_stop(peer, error) && beat(peer, error);
}

void tcgrr_peer_give_up(struct tcgrr_peer *peer, const GError *reason)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();

    peer->options.stop = NULL;
    peer->options.timeout_ms = LAST_MS;
    tcgrr_put_failed(payload, reason);
    tcgrr_peer_send(peer, TCGRR_MESSAGE_FAILED, payload, NULL);
    tcgrr_peer_finish(peer);
}

void tcgrr_peer_finish(struct tcgrr_peer *peer)
{
    gint64 deadline = g_get_monotonic_time() + LAST_MS * 1000;
    uint8_t rest[4096];

    shutdown(peer->fd, SHUT_WR);
    for (;;) {
        ssize_t got = recv(peer->fd, rest, sizeof(rest), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) || g_get_monotonic_time() >= deadline) {
            return;
        }
        if (got < 0) {
            wait_ready(peer, POLLIN, deadline);
        }
    }
}

/* ---- receiving ---- */

/* Discards consumed bytes, once for all messages of a read, because the rest is moved. */
static void let_go(struct tcgrr_peer *peer)
{
    g_byte_array_remove_range(peer->in, 0, peer->at);
    peer->at = 0;
}

/* Reads what has arrived; *more: there was something. */
static bool read_piece(struct tcgrr_peer *peer, bool *more, GError **error)
{
    let_go(peer);
    guint before = peer->in->len;

    g_byte_array_set_size(peer->in, before + PIECE);
    ssize_t got = recv(peer->fd, peer->in->data + before, PIECE, 0);
    g_byte_array_set_size(peer->in, before + (guint)MAX(got, 0));
    *more = got > 0;
    if (got > 0) {
        peer->received_at = g_get_monotonic_time();
        peer->traffic.received += (uint64_t)got;
        return true;
    }
    if (got == 0) {
        return fail_closed(error);
    }
    return errno == EAGAIN || errno == EINTR || fail_errno("read from", error);
}

static bool check_silence(struct tcgrr_peer *peer, GError **error)
{
    gint64 now = g_get_monotonic_time();
    return now - peer->received_at <= allowance(peer, 0) ||
           fail_hung(error, "has said nothing", peer->options.timeout_ms);
}

bool tcgrr_peer_read(struct tcgrr_peer *peer, uint8_t *bytes, size_t length, const uint8_t *prefix, size_t known,
                     GError **error)
{
    gint64 deadline = g_get_monotonic_time() + allowance(peer, length);

    let_go(peer);
    while (peer->in->len < length) {
        bool more;
        if (!read_piece(peer, &more, error) || !heed_stop(peer, error)) {
            return false;
        }
        if (memcmp(peer->in->data, prefix, MIN(known, peer->in->len)) != 0) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the program at the other end is not tcgrr lockstep");
            return false;
        }
        if (!more && g_get_monotonic_time() >= deadline) {
            return fail_hung(error, "has sent no greeting", peer->options.timeout_ms);
        }
        if (!more) {
            wait_ready(peer, POLLIN, deadline);
        }
    }
    memcpy(bytes, peer->in->data, length);
    g_byte_array_remove_range(peer->in, 0, (guint)length);
    return true;
}

/* Puts the next message into `message` if it is complete. */
static bool take_message(struct tcgrr_peer *peer, struct tcgrr_message *message, bool *got, GError **error)
{
    gint64 now = g_get_monotonic_time();
    uint32_t length;

    peer->at += peer->taken;
    peer->taken = 0;
    const uint8_t *bytes = peer->in->data + peer->at;
    guint left = peer->in->len - peer->at;
    *got = false;
    if (left < HEAD_BYTES) {
        peer->began = left == 0 ? 0 : peer->began ? peer->began : now;
        return peer->began == 0 || now - peer->began <= allowance(peer, HEAD_BYTES) ||
               fail_hung(error, "has not finished a message", peer->options.timeout_ms);
    }
    memcpy(&length, bytes + 1, sizeof(length));
    length = GUINT32_FROM_LE(length);
    unsigned type = bytes[0];
    if (type >= TCGRR_MESSAGE_TYPES || length > tcgrr_message_longest(type)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                    "the other side sent a malformed message (type %u, %u bytes)", type, length);
        return false;
    }
    if (left - HEAD_BYTES < length) {
        peer->began = peer->began ? peer->began : now;
        return now - peer->began <= allowance(peer, length) ||
               fail_hung(error, "has not finished a message", peer->options.timeout_ms);
    }
    *message = (struct tcgrr_message){type, bytes + HEAD_BYTES, length};
    peer->taken = HEAD_BYTES + length;
    peer->began = 0;
    *got = true;
    return true;
}

static bool take_alive(struct tcgrr_peer *peer, const struct tcgrr_message *message, GError **error)
{
    struct tcgrr_fields in = {.at = message->payload, .end = message->payload + message->length};
    tcgrr_icount icount = tcgrr_take_number(&in, TCGRR_PROTOCOL_LAST_ICOUNT);

    /* Before the handshake is complete, a stranger could delay us with it indefinitely. */
    if (!peer->beating) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent a message out of turn (alive)");
        return false;
    }
    if (!tcgrr_take_end(&in)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent a malformed message (alive)");
        return false;
    }
    if (icount > peer->theirs) {
        peer->theirs = icount;
        peer->moved = g_get_monotonic_time();
    }
    return true;
}

/* The next message that is not handled here, among the bytes received so far. */
static bool next_message(struct tcgrr_peer *peer, struct tcgrr_message *message, bool *got, GError **error)
{
    for (;;) {
        if (!take_message(peer, message, got, error)) {
            return false;
        }
        if (*got && message->type == TCGRR_MESSAGE_FAILED) {
            tcgrr_take_failed(message, error);
            return false;
        }
        if (!*got || message->type != TCGRR_MESSAGE_ALIVE) {
            return true;
        }
        if (!take_alive(peer, message, error)) {
            return false;
        }
    }
}

bool tcgrr_peer_poll(struct tcgrr_peer *peer, int wait_ms, struct tcgrr_message *message, bool *got, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)wait_ms * 1000;

    if (!beat(peer, error)) {
        return false;
    }
    for (bool last = false;;) {
        bool more;
        if (!next_message(peer, message, got, error)) {
            return false;
        }
        if (*got) {
            peer->moved = g_get_monotonic_time();
        }
        if (*got || last) {
            return true;
        }
        if (!read_piece(peer, &more, error) || !heed_stop(peer, error) || !check_silence(peer, error) ||
            !beat(peer, error)) {
            return false;
        }
        last = g_get_monotonic_time() >= deadline;
        if (last && !more) {
            return true;
        }
        if (!more) {
            wait_ready(peer, POLLIN, deadline);
        }
    }
}

bool tcgrr_peer_receive(struct tcgrr_peer *peer, struct tcgrr_message *message, GError **error)
{
    bool got = false;

    peer->moved = g_get_monotonic_time();
    while (!got) {
        if (!tcgrr_peer_poll(peer, SLICE_MS, message, &got, error)) {
            return false;
        }
        if (!got && g_get_monotonic_time() - peer->moved > (gint64)peer->patience_ms * 1000) {
            return fail_hung(error, "has made no progress", peer->patience_ms);
        }
    }
    return true;
}
