/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QMP client against a real QEMU and against peers that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"
#include "store/error.h"
#include "tests/unix_server.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define LONG_MS  30000
#define SHORT_MS 150

/* A peer in a thread: accepts one connection, plays its part, closes. */
struct peer {
    struct unix_server server;
    GThread *thread;
    void (*play)(int fd);
    int connections; /* that it takes, one after another; 0: one */
};

static void say(int fd, const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        text += n;
        length -= (size_t)n;
    }
}

/* Reads one command, a line. Returns false at the end of the connection. */
static bool hear(int fd)
{
    char c = 0;
    while (c != '\n') {
        if (recv(fd, &c, 1, 0) != 1) {
            return false;
        }
    }
    return true;
}

static gpointer run_peer(gpointer data)
{
    struct peer *peer = data;
    for (int i = 0; i < MAX(peer->connections, 1); i++) {
        int fd = accept(peer->server.listener, NULL, NULL);
        if (fd >= 0) {
            peer->play(fd);
            close(fd);
        }
    }
    return NULL;
}

static void start_peer(struct peer *peer, void (*play)(int fd))
{
    peer->play = play;
    unix_server_start(&peer->server);
    peer->thread = g_thread_new("peer", run_peer, peer);
}

static void stop_peer(struct peer *peer)
{
    g_thread_join(peer->thread);
    unix_server_stop(&peer->server);
}

static void expect_error(GError **error, enum tcgrr_error_code code, const char *text)
{
    assert_non_null(*error);
    assert_true((*error)->domain == TCGRR_ERROR);
    if ((*error)->code != (int)code || !strstr((*error)->message, text)) {
        fail_msg("error %d: %s", (*error)->code, (*error)->message);
    }
    assert_null(strchr((*error)->message, '\n'));
    g_clear_error(error);
}

/* Connecting to such a peer fails in this way, rather than waiting for ever. */
static void expect_connect(void (*play)(int fd), int timeout_ms, enum tcgrr_error_code code, const char *text)
{
    struct peer peer = {0};
    GError *error = NULL;
    start_peer(&peer, play);
    assert_null(tcgrr_qmp_connect(peer.server.path, timeout_ms, &error));
    expect_error(&error, code, text);
    stop_peer(&peer);
}

static void play_silence(int fd)
{
    hear(fd);
}

static void play_goodbye(int fd)
{
}

static void play_garbage(int fd)
{
    say(fd, "SSH-2.0-OpenSSH_9.2\r\n");
    hear(fd);
}

static void play_other_json(int fd)
{
    say(fd, "{\"hello\": 1}\n");
    hear(fd);
}

static void play_array(int fd)
{
    say(fd, "[1, 2]\n");
    hear(fd);
}

static void play_endless_line(int fd)
{
    char *text = g_strnfill(3 * 1024 * 1024, 'x');
    say(fd, text);
    g_free(text);
    hear(fd);
}

static void play_deep_nesting(int fd)
{
    char *text = g_strnfill(500 * 1024, '[');
    say(fd, text);
    say(fd, "\n");
    g_free(text);
    hear(fd);
}

static void play_endless_events(int fd)
{
    say(fd, GREETING);
    for (;;) { /* until the other end gives up */
        static const char event[] = "{\"event\": \"NOISE\"}\n";
        if (send(fd, event, strlen(event), MSG_NOSIGNAL) <= 0) {
            return;
        }
    }
}

static void test_bad_greetings(void **state)
{
    expect_connect(play_silence, SHORT_MS, TCGRR_ERROR_HUNG, "does not answer");
    expect_connect(play_goodbye, LONG_MS, TCGRR_ERROR_FAILED, "closed");
    expect_connect(play_garbage, LONG_MS, TCGRR_ERROR_DAMAGED, "JSON");
    expect_connect(play_other_json, LONG_MS, TCGRR_ERROR_DAMAGED, "greeting");
    expect_connect(play_array, LONG_MS, TCGRR_ERROR_DAMAGED, "JSON object");
    expect_connect(play_endless_line, LONG_MS, TCGRR_ERROR_DAMAGED, "1 MiB");
    expect_connect(play_deep_nesting, LONG_MS, TCGRR_ERROR_DAMAGED, "JSON");
    expect_connect(play_endless_events, SHORT_MS, TCGRR_ERROR_HUNG, "does not answer");
}

static void test_no_socket(void **state)
{
    GError *error = NULL;
    assert_null(tcgrr_qmp_connect("/nowhere/at/all", SHORT_MS, &error));
    expect_error(&error, TCGRR_ERROR_HUNG, "/nowhere/at/all");
    char *path = g_strnfill(200, 'p');
    assert_null(tcgrr_qmp_connect(path, SHORT_MS, &error));
    expect_error(&error, TCGRR_ERROR_FAILED, "too long");
    g_free(path);
}

/* Commands have the numbers 1 (capabilities), 2, 3… */
static void play_conversation(int fd)
{
    say(fd, "\r\n" GREETING);
    hear(fd);
    say(fd, "{\"return\": {}, \"id\": 1}\n");
    hear(fd);
    say(fd, "{\"event\": \"STOP\"}\n{\"ret");
    g_usleep(50000);
    say(fd, "urn\": {\"icount\": 42}, \"id\": 2}\r\n{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true}}\r\n");
    hear(fd);
    say(fd, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"two\\nlines \\u001b[1m\"}, \"id\": 3}\n");
    hear(fd);
    hear(fd); /* the next: number 4 was given up */
    say(fd, "{\"return\": \"late\", \"id\": 4}\n");
    say(fd, "{\"return\": \"in time\", \"id\": 5}\n");
    hear(fd);
    say(fd, "{\"event\": 7}\n");
    hear(fd);
}

static bool comes(struct tcgrr_qmp *qmp, const char *event)
{
    for (int ms = 0; ms < LONG_MS && !tcgrr_qmp_has_event(qmp, event); ms++) {
        g_usleep(1000);
    }
    return tcgrr_qmp_has_event(qmp, event);
}

static void test_conversation(void **state)
{
    struct peer peer = {0};
    GError *error = NULL;
    start_peer(&peer, play_conversation);
    struct tcgrr_qmp *qmp = tcgrr_qmp_connect(peer.server.path, LONG_MS, &error);
    assert_non_null(qmp);
    json_t *result = tcgrr_qmp_execute(qmp, "query-replay", json_pack("{s:i}", "x", 1), LONG_MS, &error);
    assert_int_equal(json_integer_value(json_object_get(result, "icount")), 42);
    json_decref(result);
    assert_true(tcgrr_qmp_has_event(qmp, "STOP"));

    assert_true(comes(qmp, "SHUTDOWN"));
    assert_true(tcgrr_qmp_has_event(qmp, "STOP")); /* asking does not take it away */
    assert_false(tcgrr_qmp_has_event(qmp, "RESUME"));

    assert_null(tcgrr_qmp_execute(qmp, "cont", NULL, LONG_MS, &error));
    expect_error(&error, TCGRR_ERROR_FAILED, "QEMU refused cont: two lines  [1m");
    assert_null(tcgrr_qmp_execute(qmp, "slow", NULL, SHORT_MS, &error));
    expect_error(&error, TCGRR_ERROR_HUNG, "slow");
    result = tcgrr_qmp_execute(qmp, "next", NULL, LONG_MS, &error);
    assert_string_equal(json_string_value(result), "in time");
    json_decref(result);
    assert_null(tcgrr_qmp_execute(qmp, "last", NULL, LONG_MS, &error));
    expect_error(&error, TCGRR_ERROR_DAMAGED, "neither a reply nor an event");
    assert_null(tcgrr_qmp_execute(qmp, "after", NULL, LONG_MS, &error));
    expect_error(&error, TCGRR_ERROR_FAILED, "no longer usable");
    tcgrr_qmp_free(qmp);
    stop_peer(&peer);
}

/* A QEMU that starts while its client connects: an event comes before the greeting, and the greeting twice. */
static void play_starting(int fd)
{
    say(fd, "{\"event\": \"RESUME\"}\n" GREETING);
    hear(fd);
    say(fd, "{\"return\": {}, \"id\": 1}\n");
    hear(fd);
    say(fd,
        GREETING "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Expecting capabilities\"}, \"id\": 2}\n");
    hear(fd);
    say(fd, "{\"return\": {}, \"id\": 3}\n");
    hear(fd);
    say(fd, "{\"return\": \"good\", \"id\": 4}\n");
}

static void test_starting_qemu(void **state)
{
    struct peer peer = {0};
    GError *error = NULL;
    start_peer(&peer, play_starting);
    struct tcgrr_qmp *qmp = tcgrr_qmp_connect(peer.server.path, LONG_MS, &error);
    assert_non_null(qmp);
    json_t *result = tcgrr_qmp_execute(qmp, "query-status", json_pack("{s:i}", "x", 1), LONG_MS, &error);
    assert_string_equal(json_string_value(result), "good");
    assert_true(tcgrr_qmp_has_event(qmp, "RESUME"));
    json_decref(result);
    tcgrr_qmp_free(qmp);
    stop_peer(&peer);
}

/* The first connection greets and loses the command; the second is as it should be. */
static void play_second_only(int fd)
{
    static bool second;
    say(fd, GREETING);
    hear(fd);
    if (second) {
        say(fd, "{\"return\": {}, \"id\": 1}\n");
    }
    second = true;
    hear(fd);
}

static void test_lost_command(void **state)
{
    struct peer peer = {.connections = 2};
    GError *error = NULL;
    start_peer(&peer, play_second_only);
    struct tcgrr_qmp *qmp = tcgrr_qmp_connect(peer.server.path, LONG_MS, &error);
    assert_non_null(qmp);
    tcgrr_qmp_free(qmp);
    stop_peer(&peer);
}

static void play_many_events(int fd)
{
    say(fd, GREETING);
    hear(fd);
    say(fd, "{\"return\": {}, \"id\": 1}\n{\"event\": \"OLD\"}\n");
    for (int i = 0; i < 64; i++) {
        say(fd, "{\"event\": \"NEW\"}\n");
    }
    hear(fd);
    say(fd, "{\"return\": {}, \"id\": 2}\n");
}

static void test_events_are_bounded(void **state)
{
    struct peer peer = {0};
    GError *error = NULL;
    start_peer(&peer, play_many_events);
    struct tcgrr_qmp *qmp = tcgrr_qmp_connect(peer.server.path, LONG_MS, &error);
    assert_non_null(qmp);
    json_decref(tcgrr_qmp_execute(qmp, "query-status", NULL, LONG_MS, &error));
    assert_null(error);
    assert_false(tcgrr_qmp_has_event(qmp, "OLD"));
    assert_true(comes(qmp, "NEW"));
    tcgrr_qmp_free(qmp);
    tcgrr_qmp_free(NULL);
    stop_peer(&peer);
}

/* Never reads: a command that does not fit into the socket must not block for ever. */
static void play_deaf(int fd)
{
    say(fd, GREETING);
    hear(fd);
    say(fd, "{\"return\": {}, \"id\": 1}\n");
    struct pollfd closed = {.fd = fd};
    poll(&closed, 1, LONG_MS);
}

static void test_deaf_peer(void **state)
{
    struct peer peer = {0};
    GError *error = NULL;
    start_peer(&peer, play_deaf);
    struct tcgrr_qmp *qmp = tcgrr_qmp_connect(peer.server.path, LONG_MS, &error);
    assert_non_null(qmp);
    char *text = g_strnfill(4 * 1024 * 1024, 'x');
    assert_null(tcgrr_qmp_execute(qmp, "big", json_pack("{s:s}", "text", text), SHORT_MS, &error));
    expect_error(&error, TCGRR_ERROR_HUNG, "does not answer");
    g_free(text);
    tcgrr_qmp_free(qmp);
    stop_peer(&peer);
}

static void test_real_qemu(void **state)
{
    char *found = g_find_program_in_path("qemu-system-riscv64");
    if (!found) {
        print_message("no qemu-system-riscv64 on PATH\n");
        skip();
    }
    char *folder = g_dir_make_tmp("tcgrr-qmp-XXXXXX", NULL);
    char *path = g_build_filename(folder, "socket", NULL);
    char *server = g_strdup_printf("unix:%s,server=on,wait=off", path);
    const char *argv[] = {found, "-M", "none", "-nodefaults", "-display", "none", "-qmp", server, NULL};
    const struct tcgrr_process_options options = {.pass_fd = -1, .quiet = true};
    GError *error = NULL;
    struct tcgrr_process *process = tcgrr_process_start((char *const *)argv, &options, &error);
    assert_non_null(process);
    struct tcgrr_qmp *qmp = tcgrr_qmp_connect(path, LONG_MS, &error);
    if (!qmp) {
        fail_msg("%s", error->message);
    }
    json_t *version = tcgrr_qmp_execute(qmp, "query-version", NULL, LONG_MS, &error);
    assert_true(json_is_integer(json_object_get(json_object_get(version, "qemu"), "major")));
    json_decref(version);
    assert_null(tcgrr_qmp_execute(qmp, "no-such-command", NULL, LONG_MS, &error));
    expect_error(&error, TCGRR_ERROR_FAILED, "no-such-command has not been found");
    json_decref(tcgrr_qmp_execute(qmp, "quit", NULL, LONG_MS, &error));
    assert_null(error);
    assert_true(comes(qmp, "SHUTDOWN"));
    assert_true(tcgrr_process_wait(process, LONG_MS));
    assert_null(tcgrr_qmp_execute(qmp, "query-version", NULL, LONG_MS, &error));
    expect_error(&error, TCGRR_ERROR_FAILED, "");
    tcgrr_qmp_free(qmp);
    tcgrr_process_free(process);
    g_unlink(path);
    g_rmdir(folder);
    g_free(server);
    g_free(path);
    g_free(folder);
    g_free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_greetings), cmocka_unit_test(test_no_socket),
        cmocka_unit_test(test_conversation),  cmocka_unit_test(test_starting_qemu),
        cmocka_unit_test(test_lost_command),  cmocka_unit_test(test_events_are_bounded),
        cmocka_unit_test(test_deaf_peer),     cmocka_unit_test(test_real_qemu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
