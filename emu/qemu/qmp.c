/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/qmp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/qemu/connect.h"
#include "store/error.h"

#define LINE_MAX_BYTES  (1024 * 1024)
#define EVENTS_MAX      64
#define DESCRIPTION_MAX 400 /* characters of the peer's text in our error messages */
#define BROKEN_MS       3   /* interval of checking whether the peer has ended */
#define PEEK_READS      64  /* bound on what tcgrr_qmp_has_event() reads in one call */

/*
 * How long the first connection may take to answer, in ms. A QEMU that opens it twice (see read_reply()) can lose the
 * command between the two: then only a new connection helps. Doubled each time, for a machine that is just slow.
 */
#define PATIENCE_MS 2000

struct tcgrr_qmp {
    int fd;
    bool broken; /* the stream is out of step, closed or malformed: nothing more can be read from it */
    bool reset;  /* QEMU sent a second greeting, so capabilities have to be negotiated again */
    GString *input;
    size_t scanned; /* bytes of `input` known to hold no newline */
    GQueue events;  /* json_t*, oldest first */
    json_int_t next_id;
};

/* The peer's text on one line, bounded and without control characters. Owned by the caller. */
static char *tidy(const char *text)
{
    GString *line = g_string_new(NULL);
    for (int i = 0; text && *text && i < DESCRIPTION_MAX; i++, text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        g_string_append_unichar(line, g_unichar_iscntrl(c) ? ' ' : c);
    }
    return g_string_free(line, FALSE);
}

static void fail(struct tcgrr_qmp *qmp, enum tcgrr_error_code code, GError **error, const char *text)
{
    qmp->broken = true;
    g_set_error_literal(error, TCGRR_ERROR, code, text);
}

/*
 * Waits for `events` on the socket until the deadline. Returns whether they occurred. After the deadline it returns
 * false even if there is data, so that a peer that sends endlessly cannot block us.
 */
static bool wait_ready(struct tcgrr_qmp *qmp, short events, gint64 deadline, GError **error)
{
    for (;;) {
        struct pollfd ready = {.fd = qmp->fd, .events = events};
        int left = tcgrr_time_left(deadline);
        int n = left > 0 ? poll(&ready, 1, left) : 0;
        if (n > 0) {
            return true;
        }
        if (n == 0) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "QEMU does not answer on its QMP socket");
            return false;
        }
        if (errno != EINTR) {
            fail(qmp, TCGRR_ERROR_FAILED, error, "poll on the QMP socket failed");
            return false;
        }
    }
}

/* One read. Returns false with error if the peer is gone; with `*more` false and no error if there is nothing now. */
static bool read_some(struct tcgrr_qmp *qmp, bool *more, GError **error)
{
    char bytes[16384];
    ssize_t n = recv(qmp->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    *more = n > 0 || (n < 0 && errno == EINTR);
    if (n > 0) {
        g_string_append_len(qmp->input, bytes, n);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    fail(qmp, TCGRR_ERROR_FAILED, error, "QEMU closed its QMP connection");
    return false;
}

/* Takes one complete line out of the buffer and parses it. Returns NULL without error if there is none yet. */
static json_t *take_message(struct tcgrr_qmp *qmp, GError **error)
{
    for (;;) {
        const char *start = qmp->input->str;
        const char *newline = memchr(start + qmp->scanned, '\n', qmp->input->len - qmp->scanned);
        size_t length = newline ? (size_t)(newline - start) : qmp->input->len;
        qmp->scanned = newline ? 0 : length;
        if (length > LINE_MAX_BYTES) {
            fail(qmp, TCGRR_ERROR_DAMAGED, error, "the QMP peer sent a line of more than 1 MiB");
            return NULL;
        }
        if (!newline) {
            return NULL;
        }
        bool blank = true;
        for (size_t i = 0; i < length && blank; i++) {
            blank = g_ascii_isspace(start[i]);
        }
        json_t *message = blank ? NULL : json_loadb(start, length, 0, NULL);
        g_string_erase(qmp->input, 0, (gssize)length + 1);
        if (message && json_is_object(message)) {
            return message;
        }
        json_decref(message);
        if (!blank) {
            fail(qmp, TCGRR_ERROR_DAMAGED, error, "the QMP peer sent a line that is not a JSON object");
            return NULL;
        }
    }
}

static json_t *read_message(struct tcgrr_qmp *qmp, gint64 deadline, GError **error)
{
    for (;;) {
        if (qmp->broken) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the QMP connection is no longer usable");
            return NULL;
        }
        json_t *message = take_message(qmp, error);
        bool more;
        if (message || qmp->broken) {
            return message;
        }
        if (!wait_ready(qmp, POLLIN, deadline, error) || !read_some(qmp, &more, error)) {
            return NULL;
        }
    }
}

/* Keeps the message if it is an event; its reference is taken over then. */
static bool keep_event(struct tcgrr_qmp *qmp, json_t *message)
{
    if (!json_is_string(json_object_get(message, "event"))) {
        return false;
    }
    if (g_queue_get_length(&qmp->events) >= EVENTS_MAX) {
        json_decref(g_queue_pop_head(&qmp->events));
    }
    g_queue_push_tail(&qmp->events, message);
    return true;
}

static GList *find_event(struct tcgrr_qmp *qmp, const char *name)
{
    for (GList *link = qmp->events.head; link; link = link->next) {
        if (strcmp(json_string_value(json_object_get(link->data, "event")), name) == 0) {
            return link;
        }
    }
    return NULL;
}

/* A command that was sent in part leaves the stream out of step, so that a failure here is final. */
static bool send_line(struct tcgrr_qmp *qmp, const char *line, gint64 deadline, GError **error)
{
    size_t length = strlen(line);
    while (length > 0) {
        ssize_t n = send(qmp->fd, line, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            line += n;
            length -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            if (!wait_ready(qmp, POLLOUT, deadline, error)) {
                qmp->broken = true;
                return false;
            }
        } else if (n == 0 || errno != EINTR) {
            fail(qmp, TCGRR_ERROR_FAILED, error, "QEMU closed its QMP connection");
            return false;
        }
    }
    return true;
}

/* Whether the message answers command number `id`. An error without id answers whatever QEMU could not parse: ours. */
static bool is_reply(json_t *message, json_int_t id)
{
    const json_t *theirs = json_object_get(message, "id");
    if (json_object_get(message, "return")) {
        return json_is_integer(theirs) && json_integer_value(theirs) == id;
    }
    return json_object_get(message, "error") && (!theirs || json_integer_value(theirs) == id);
}

/*
 * Reads until the reply to command `id` is there; replies to commands that were given up are dropped. A QEMU that has
 * just started can open the connection twice, once in its main loop and once in the monitor's thread, and then greets
 * twice.
 */
static json_t *read_reply(struct tcgrr_qmp *qmp, const char *command, json_int_t id, gint64 deadline, GError **error)
{
    for (;;) {
        json_t *message = read_message(qmp, deadline, error);
        if (!message) {
            g_prefix_error(error, "%s: ", command);
            return NULL;
        }
        if (keep_event(qmp, message)) {
            continue;
        }
        if (is_reply(message, id)) {
            return message;
        }
        bool greeting = json_is_object(json_object_get(message, "QMP"));
        bool known = greeting || json_object_get(message, "return") || json_object_get(message, "error");
        qmp->reset |= greeting;
        json_decref(message);
        if (!known) {
            fail(qmp, TCGRR_ERROR_DAMAGED, error, "the QMP peer sent something that is neither a reply nor an event");
            return NULL;
        }
    }
}

/* Sends one command and returns the whole reply to it. `arguments` stays the caller's. */
static json_t *exchange(struct tcgrr_qmp *qmp, const char *command, json_t *arguments, gint64 deadline, GError **error)
{
    json_int_t id = qmp->next_id++;
    json_t *request = json_pack("{s:s, s:I}", "execute", command, "id", id);
    if (arguments) {
        json_object_set(request, "arguments", arguments);
    }
    char *text = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
    char *line = g_strconcat(text ? text : "", "\n", NULL);
    json_decref(request);
    free(text);
    bool sent = false;
    if (qmp->broken) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s: the QMP connection is no longer usable", command);
    } else {
        sent = send_line(qmp, line, deadline, error);
    }
    g_free(line);
    return sent ? read_reply(qmp, command, id, deadline, error) : NULL;
}

static json_t *execute(struct tcgrr_qmp *qmp, const char *command, json_t *arguments, gint64 deadline, GError **error)
{
    json_t *reply = exchange(qmp, command, arguments, deadline, error);
    if (reply && qmp->reset && json_object_get(reply, "error")) {
        json_decref(reply);
        qmp->reset = false;
        json_decref(exchange(qmp, "qmp_capabilities", NULL, deadline, NULL));
        reply = exchange(qmp, command, arguments, deadline, error);
    }
    json_decref(arguments);
    if (!reply) {
        return NULL;
    }
    json_t *result = json_incref(json_object_get(reply, "return"));
    if (!result) {
        char *text_of_error = tidy(json_string_value(json_object_get(json_object_get(reply, "error"), "desc")));
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU refused %s: %s", command, text_of_error);
        g_free(text_of_error);
    }
    json_decref(reply);
    return result;
}

/*
 * The greeting comes first, and nothing else is understood until capabilities are negotiated. A QEMU that has just
 * started sends an event before it (RESUME, as a rule) where the client connects before the monitor's own thread runs.
 */
static bool negotiate(struct tcgrr_qmp *qmp, gint64 deadline, GError **error)
{
    json_t *greeting;
    do {
        greeting = read_message(qmp, deadline, error);
        if (!greeting) {
            return false;
        }
    } while (keep_event(qmp, greeting));
    bool good = json_is_object(json_object_get(greeting, "QMP"));
    json_decref(greeting);
    if (!good) {
        fail(qmp, TCGRR_ERROR_DAMAGED, error, "the peer is not a QMP server: it does not send QMP's greeting");
        return false;
    }
    json_t *result = execute(qmp, "qmp_capabilities", NULL, deadline, error);
    json_decref(result);
    return result != NULL;
}

bool tcgrr_qmp_configure(const char *path, const char *socket, GError **error)
{
    g_autofree char *text = g_strdup_printf("[chardev \"tcgrr-qmp\"]\n"
                                            "  backend = \"socket\"\n"
                                            "  path = \"%s\"\n"
                                            "  server = \"on\"\n"
                                            "  wait = \"off\"\n"
                                            "[mon \"tcgrr-qmp\"]\n"
                                            "  mode = \"control\"\n"
                                            "  chardev = \"tcgrr-qmp\"\n",
                                            socket);
    GError *reason = NULL;

    if (strpbrk(socket, "\"\n")) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "QEMU does not accept a socket with a quote or a newline in its name: %s; set TMPDIR", socket);
        return false;
    }
    if (!g_file_set_contents(path, text, -1, &reason)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s: %s", path, reason->message);
        g_error_free(reason);
        return false;
    }
    return true;
}

/* One connection, which may take `patience` ms to answer and ends at the deadline. */
static struct tcgrr_qmp *connect_once(const char *path, gint64 deadline, int patience, GError **error)
{
    int fd = tcgrr_connect(path, deadline, error);
    if (fd < 0) {
        return NULL;
    }
    struct tcgrr_qmp *qmp = g_new0(struct tcgrr_qmp, 1);
    qmp->fd = fd;
    qmp->input = g_string_new(NULL);
    qmp->next_id = 1;
    g_queue_init(&qmp->events);
    if (!negotiate(qmp, MIN(deadline, tcgrr_deadline_after(patience)), error)) {
        tcgrr_qmp_free(qmp);
        return NULL;
    }
    return qmp;
}

struct tcgrr_qmp *tcgrr_qmp_connect(const char *path, int timeout_ms, GError **error)
{
    gint64 deadline = tcgrr_deadline_after(timeout_ms);
    for (int patience = PATIENCE_MS;; patience *= 2) {
        GError *reason = NULL;
        struct tcgrr_qmp *qmp = connect_once(path, deadline, patience, &reason);
        if (qmp || reason->code != TCGRR_ERROR_HUNG || tcgrr_time_left(deadline) == 0) {
            if (reason) {
                g_propagate_error(error, reason);
            }
            return qmp;
        }
        g_error_free(reason);
    }
}

void tcgrr_qmp_free(struct tcgrr_qmp *qmp)
{
    if (!qmp) {
        return;
    }
    json_t *event;
    while ((event = g_queue_pop_head(&qmp->events))) {
        json_decref(event);
    }
    close(qmp->fd);
    g_string_free(qmp->input, TRUE);
    g_free(qmp);
}

json_t *tcgrr_qmp_execute(struct tcgrr_qmp *qmp, const char *command, json_t *arguments, int timeout_ms, GError **error)
{
    return execute(qmp, command, arguments, tcgrr_deadline_after(timeout_ms), error);
}

bool tcgrr_qmp_has_event(struct tcgrr_qmp *qmp, const char *name)
{
    bool more = true;
    for (int i = 0; i < PEEK_READS && more && !qmp->broken; i++) {
        json_t *message;
        if (!read_some(qmp, &more, NULL)) {
            more = false;
        }
        while ((message = take_message(qmp, NULL))) {
            if (!keep_event(qmp, message)) {
                json_decref(message);
            }
        }
    }
    return find_event(qmp, name) != NULL;
}

bool tcgrr_qmp_event_says(struct tcgrr_qmp *qmp, const char *name, const char *key, const char *value)
{
    const GList *event = tcgrr_qmp_has_event(qmp, name) ? find_event(qmp, name) : NULL;
    const json_t *data = event ? json_object_get(event->data, "data") : NULL;
    return g_strcmp0(json_string_value(json_object_get(data, key)), value) == 0;
}

void tcgrr_qmp_wait(struct tcgrr_qmp *qmp, int timeout_ms)
{
    struct pollfd fd = {.fd = qmp->broken ? -1 : qmp->fd, .events = POLLIN};
    poll(&fd, 1, qmp->broken ? MIN(timeout_ms, BROKEN_MS) : timeout_ms);
}

void tcgrr_qmp_forget_events(struct tcgrr_qmp *qmp)
{
    tcgrr_qmp_has_event(qmp, ""); /* reads those that have arrived */
    g_queue_clear_full(&qmp->events, (GDestroyNotify)json_decref);
}
