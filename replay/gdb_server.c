/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/gdb_internal.h"

#include "emu/qemu/connect.h"
#include "replay/recorded.h"
#include "replay/replay.h"
#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#define SLICE_MS   100
#define GOODBYE_MS 1000
#define ACCEPT_MS  10000 /* to wait for the next gdb before it is waited again */

bool tcgrr_gdb_is_interrupted(void *data)
{
    struct tcgrr_gdb_server *server = data;
    bool found = true;

    while (server->client && found && tcgrr_gdb_wire_receive(server->client, 0, &found, NULL)) {
        server->interrupted = server->interrupted || (found && server->client->frame->str[0] == 3);
    }
    return server->interrupted || (server->options.stop && *server->options.stop);
}

/* ---- what gdb is answered ---- */

static void answer(struct tcgrr_gdb_server *server, const char *payload)
{
    tcgrr_gdb_wire_put(server->client, payload);
}

/* Says that the run has stopped, and why. */
static void report_stop(struct tcgrr_gdb_server *server, const char *why)
{
    const char *stands = server->stands ? server->stands : "T05";
    g_autofree char *payload = g_str_has_prefix(stands, "T") ? g_strconcat(stands, why, NULL) : g_strdup("T05");

    server->running = false;
    answer(server, payload);
}

static void stand(struct tcgrr_gdb_server *server, struct tcgrr_stub *stub)
{
    tcgrr_stub_clear(&server->stub);
    server->stub = *stub;
    *stub = (struct tcgrr_stub){0};
}

/* gdb shows the text, and learns that the machine is where it was. */
static void say(struct tcgrr_gdb_server *server, const char *text)
{
    GString *packet = g_string_new("O");

    for (const char *byte = text; *byte; byte++) {
        g_string_append_printf(packet, "%02x", (guint8)*byte);
    }
    answer(server, packet->str);
    g_string_free(packet, TRUE);
}

/* An error ends the way back, not the session. */
static bool answer_back(struct tcgrr_gdb_server *server, bool step, GError **error)
{
    struct tcgrr_gdb_found found = {.why = g_string_new(NULL)};
    GError *problem = NULL;

    server->interrupted = false;
    bool good = step ? tcgrr_gdb_step_back(server, &found, &problem) : tcgrr_gdb_run_back(server, &found, &problem);
    if (good) {
        stand(server, &found.stub);
        report_stop(server, found.why->str);
    } else if (server->options.stop && *server->options.stop) {
        g_propagate_error(error, g_steal_pointer(&problem));
    } else {
        g_autofree char *text = g_strdup_printf("tcgrr: %s\n", problem->message);
        if (problem->code != TCGRR_ERROR_STOPPED) {
            say(server, text);
        }
        answer(server, "T02");
        good = true;
    }
    g_clear_error(&problem);
    g_string_free(found.why, TRUE);
    return good;
}

/* The last place in it from which something can still run. */
static tcgrr_icount last_place(const struct tcgrr_gdb_server *server)
{
    return server->log->run_end > 0 ? server->log->run_end - 1 : 0;
}

/* The run is over: gdb gets the last place in it. */
static bool answer_end(struct tcgrr_gdb_server *server, GError **error)
{
    struct tcgrr_stub stub;

    if (!tcgrr_stub_start(server, last_place(server), &stub, error)) {
        return false;
    }
    stand(server, &stub);
    if (!tcgrr_stub_points(server, &server->stub, TCGRR_GDB_POINTS, true, error)) {
        return false;
    }
    report_stop(server, "replaylog:end;");
    return true;
}

/* ---- commands of our own: "monitor icount", "monitor goto ICOUNT" ---- */

static void go_to(struct tcgrr_gdb_server *server, const char *text)
{
    guint64 icount;
    struct tcgrr_stub stub;
    GError *error = NULL;

    if (!g_ascii_string_to_unsigned(text, 10, 0, last_place(server), &icount, &error) ||
        !tcgrr_stub_start(server, icount, &stub, &error)) {
        say(server, error->message);
        say(server, "\n");
    } else {
        stand(server, &stub);
        tcgrr_stub_points(server, &server->stub, TCGRR_GDB_POINTS, true, NULL);
    }
    g_clear_error(&error);
    answer(server, "OK");
}

static bool answer_monitor(struct tcgrr_gdb_server *server, const char *hex)
{
    g_autofree char *text = g_malloc0(strlen(hex) / 2 + 1);

    if (!tcgrr_gdb_packet_hex(hex, strlen(hex) / 2, (uint8_t *)text)) {
        return false;
    }
    if (strcmp(text, "icount") == 0) {
        tcgrr_icount icount;
        bool good = tcgrr_player_icount(server->stub.player, &icount, NULL);
        g_autofree char *line = good ? g_strdup_printf("%" G_GUINT64_FORMAT "\n", icount) : g_strdup("not known\n");
        say(server, line);
        answer(server, "OK");
        return true;
    }
    if (g_str_has_prefix(text, "goto ")) {
        server->interrupted = false;
        go_to(server, text + strlen("goto "));
        return true;
    }
    return false;
}

/* ---- what comes from gdb ---- */

/* Remembers what another stub has to be sent. */
static void remember(struct tcgrr_gdb_server *server, const char *payload)
{
    struct tcgrr_gdb_requests *requests = &server->requests;

    if (g_str_has_prefix(payload, "qSupported")) {
        g_free(requests->supported);
        requests->supported = g_strdup(payload);
    } else if (g_str_has_prefix(payload, "qXfer:features:read:") && !requests->features) {
        requests->features = g_strdup(payload);
    } else if (g_str_has_prefix(payload, "Hg")) {
        g_free(requests->thread);
        requests->thread = g_strdup(payload);
    } else if (g_str_has_prefix(payload, "Qqemu.")) {
        g_hash_table_replace(requests->settings, g_strndup(payload, strcspn(payload, "=:")), g_strdup(payload));
    } else if (*payload == 'Z') {
        g_hash_table_add(requests->points, g_strdup(payload + 1));
    } else if (*payload == 'z') {
        g_hash_table_remove(requests->points, payload + 1);
    } else if (*payload == '?') {
        g_hash_table_remove_all(requests->points);
    }
}

static bool lets_run(const char *payload)
{
    return (*payload && strchr("cCsS", *payload)) || g_str_has_prefix(payload, "vCont;");
}

/* Whether the packet would change the run: registers, memory, or where it goes on. */
static bool changes(const char *payload)
{
    return strchr("GPMX", *payload) || (strchr("cs", *payload) && payload[1]);
}

/* *pass: the stub is to answer. *gone: gdb leaves, and with *killed wants the run to end. */
static bool take(struct tcgrr_gdb_server *server, const char *payload, bool *pass, bool *gone, bool *killed,
                 GError **error)
{
    *pass = false;
    if (!*payload) {
        answer(server, "");
    } else if (strcmp(payload, "bs") == 0 || strcmp(payload, "bc") == 0) {
        return answer_back(server, payload[1] == 's', error);
    } else if (*payload == 'k' || g_str_has_prefix(payload, "vKill")) {
        *gone = *killed = true;
        if (*payload == 'v') {
            answer(server, "OK");
        }
    } else if (*payload == 'D') {
        *gone = true;
        answer(server, "OK");
    } else if (changes(payload)) {
        answer(server, "E01");
    } else if (!(g_str_has_prefix(payload, "qRcmd,") && answer_monitor(server, payload + strlen("qRcmd,")))) {
        *pass = true;
        g_string_assign(server->asked, payload);
        server->running = lets_run(payload);
        if (*payload == 'Z' || *payload == 'z') {
            return true; /* only once the stub has agreed */
        }
        remember(server, payload);
    }
    return true;
}

static bool hear_client(struct tcgrr_gdb_server *server, bool *gone, bool *killed, GError **error)
{
    struct tcgrr_gdb_wire *client = server->client;
    bool found = true;

    while (!*gone) {
        GError *problem = NULL;
        if (!tcgrr_gdb_wire_receive(client, 0, &found, &problem)) {
            *gone = true; /* nobody is left to answer */
            g_clear_error(&problem);
            return true;
        }
        if (!found) {
            return tcgrr_gdb_wire_flush(client, NULL) || (*gone = true);
        }
        bool pass = client->frame->str[0] == 3;
        server->interrupted = server->interrupted || pass;
        g_autoptr(GString) frame = g_string_new_len(client->frame->str, (gssize)client->frame->len);
        if (!pass) {
            /* What the stub would read, in which any character can be escaped. */
            if (!tcgrr_gdb_wire_expand(client, NULL)) {
                *gone = true;
                return true;
            }
            g_autofree char *payload = g_strdup(client->payload->str);
            if (!take(server, payload, &pass, gone, killed, error)) {
                return false;
            }
        }
        if (pass) {
            g_string_append_len(server->stub.wire->output, frame->str, (gssize)frame->len);
            tcgrr_gdb_wire_flush(server->stub.wire, NULL); /* its end is seen where it is heard */
        }
        tcgrr_gdb_wire_flush(client, NULL);
    }
    return true;
}

/* ---- what comes from the stub ---- */

static bool is_stop(const char *frame)
{
    return strchr("TS", frame[1]) != NULL;
}

/* gdb's interrupt can come between two of its steps, where the stub does not see it: what stops next is of it, then. */
static void pass_on(struct tcgrr_gdb_server *server, const GString *frame)
{
    bool stop = is_stop(frame->str) && lets_run(server->asked->str);

    if (stop && server->interrupted) {
        answer(server, "T02");
    } else {
        g_string_append_len(server->client->output, frame->str, (gssize)frame->len);
    }
    server->interrupted = server->interrupted && !stop;
}

/* Whether nothing of the run is left. */
static bool is_at_end(struct tcgrr_gdb_server *server, bool *at_end, GError **error)
{
    tcgrr_icount stands = 0;

    if (server->ends_early && !tcgrr_player_icount(server->stub.player, &stands, error)) {
        return false;
    }
    *at_end = server->ends_early && stands >= server->log->run_end;
    return *at_end || tcgrr_player_at_end(server->stub.player, at_end, error);
}

static bool hear_stub(struct tcgrr_gdb_server *server, GError **error)
{
    struct tcgrr_gdb_wire *stub = server->stub.wire;
    bool found = true;

    while (found) {
        bool at_end = false;
        GError *problem = NULL;
        if (!tcgrr_gdb_wire_receive(stub, 0, &found, &problem)) { /* QEMU has ended, as some do at the run's end */
            if (server->running) {
                g_clear_error(&problem);
                return answer_end(server, error);
            }
            g_propagate_error(error, problem);
            return false;
        }
        if (!found) {
            return true;
        }
        const char *frame = stub->frame->str;
        if (server->running && strchr("WX", frame[1])) {
            return answer_end(server, error);
        }
        if (server->running && is_stop(frame)) {
            server->running = false;
            if (!is_at_end(server, &at_end, error)) {
                return false;
            }
            if (at_end) {
                return answer_end(server, error);
            }
        }
        if (g_ascii_tolower(*server->asked->str) == 'z' && g_str_has_prefix(frame, "$OK")) {
            remember(server, server->asked->str);
        }
        pass_on(server, stub->frame);
    }
    return true;
}

/* Waits for gdb to read the last answer and disconnect, so that it does not report a broken connection. */
static void say_goodbye(struct tcgrr_gdb_wire *client)
{
    gint64 deadline = tcgrr_deadline_after(GOODBYE_MS);
    bool found = true;

    while (found && tcgrr_gdb_wire_receive(client, deadline, &found, NULL)) {
    }
}

/* Serves the gdb at the socket `fd`, which is taken over, until it leaves. */
static bool serve(struct tcgrr_gdb_server *server, int fd, bool *killed, GError **error)
{
    bool gone = false;
    bool good = true;

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    server->client = tcgrr_gdb_wire_new(fd, "gdb");
    server->running = false;
    while (good && !gone) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = server->stub.wire->fd, .events = POLLIN}};
        if (poll(fds, G_N_ELEMENTS(fds), SLICE_MS) < 0 && errno != EINTR) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot wait for gdb: %s", g_strerror(errno));
            good = false;
        } else if (server->options.stop && *server->options.stop) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            good = false;
        } else {
            good = (!fds[1].revents || hear_stub(server, error)) && hear_client(server, &gone, killed, error);
        }
    }
    if (gone) {
        say_goodbye(server->client);
    }
    g_clear_pointer(&server->client, tcgrr_gdb_wire_free);
    return good;
}

bool tcgrr_gdb_server_run(struct tcgrr_gdb_server *server, struct tcgrr_listener *listener, GError **error)
{
    bool killed = false;

    while (!killed) {
        GError *problem = NULL;
        int fd = tcgrr_listener_accept(listener, ACCEPT_MS, server->options.stop, &problem);
        bool good = fd >= 0 ? serve(server, fd, &killed, &problem) : problem->code == TCGRR_ERROR_HUNG;
        if (!good) {
            g_propagate_error(error, problem);
            return false;
        }
        g_clear_error(&problem);
    }
    return true;
}

/* ---- beginning and end ---- */

struct tcgrr_gdb_server *tcgrr_gdb_server_new(const struct tcgrr_gdb_options *options, GError **error)
{
    const struct tcgrr_keyframes_options *of = &options->of;

    if (!tcgrr_replay_check_system(
            of->reader, "gdb cannot debug it; tcgrr why shows registers, memory and what wrote them", error)) {
        return NULL;
    }
    if (!tcgrr_reader_run(of->reader)->rr) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s was recorded without rr, so gdb cannot debug it",
                    tcgrr_reader_path(of->reader));
        return NULL;
    }
    struct tcgrr_gdb_server *server = g_new0(struct tcgrr_gdb_server, 1);
    server->options = *options;
    server->requests.settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    server->requests.points = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    server->asked = g_string_new(NULL);
    server->keyframes = tcgrr_keyframes_open(of);
    server->log = tcgrr_recorded_log(of->reader, of->rr_file, of->qemu->version, &server->ends_early, error);
    if (server->log && options->at == TCGRR_GDB_LAST) {
        server->options.at = last_place(server);
    } else if (server->log && options->at >= server->log->run_end) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s ends after %" G_GUINT64_FORMAT
                    " instructions; there is nothing left to run at %" G_GUINT64_FORMAT,
                    tcgrr_reader_path(of->reader), server->log->run_end, options->at);
        g_clear_pointer(&server->log, tcgrr_rrlog_free);
    }
    if (!server->log || !tcgrr_stub_start(server, server->options.at, &server->stub, error)) {
        g_clear_pointer(&server, tcgrr_gdb_server_free);
    }
    return server;
}

void tcgrr_gdb_server_free(struct tcgrr_gdb_server *server)
{
    if (!server) {
        return;
    }
    tcgrr_stub_clear(&server->stub);
    tcgrr_keyframes_free(server->keyframes);
    tcgrr_rrlog_free(server->log);
    g_hash_table_unref(server->requests.settings);
    g_hash_table_unref(server->requests.points);
    g_free(server->requests.supported);
    g_free(server->requests.thread);
    g_free(server->requests.features);
    g_string_free(server->asked, TRUE);
    g_free(server->stands);
    g_free(server);
}

void tcgrr_gdb_server_stop_at(struct tcgrr_gdb_server *server, const volatile int *stop)
{
    server->options.stop = stop;
}

bool tcgrr_gdb_server_find(struct tcgrr_gdb_server *server, uint64_t pc, bool *found, GError **error)
{
    g_autofree char *set = g_strdup_printf("Z1,%" G_GINT64_MODIFIER "x,1", pc);
    g_autofree char *unset = g_strdup_printf("z1,%" G_GINT64_MODIFIER "x,1", pc);
    struct tcgrr_stub stub;
    bool at_end = false;
    GError *problem = NULL;

    *found = false;
    if (!tcgrr_stub_start(server, 0, &stub, error)) {
        return false;
    }
    bool good = tcgrr_stub_ask(&stub, set, &problem) && tcgrr_stub_run(server, &stub, "c", &problem) &&
                tcgrr_player_at_end(stub.player, &at_end, &problem);
    *found = good && !at_end && tcgrr_stub_ask(&stub, unset, &problem);
    if (*found) {
        stand(server, &stub);
    }
    tcgrr_stub_clear(&stub);
    /* A QEMU that ends has reached the run's end. */
    if (problem && problem->code == TCGRR_ERROR_STOPPED) {
        g_propagate_error(error, problem);
        return false;
    }
    g_clear_error(&problem);
    return true;
}
