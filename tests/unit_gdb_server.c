/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a gdb sends, well-meant and not, to the server of a made-up machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "emu/qemu/connect.h"
#include "store/error.h"
#include "tests/check.h"
#include "tests/gdb_machine.h"

#define PLACES  60
#define CELL    0x5000
#define LONG_MS 20000
#define STOP    "T05thread:01;"

struct session {
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;
    struct tcgrr_listener *listener;
    char *folder;
    char *path;
    GThread *thread;
    volatile int stop;
    GError *error;
    struct tcgrr_gdb_wire *gdb;
};

static gpointer run(gpointer data)
{
    struct session *session = data;
    return GINT_TO_POINTER(tcgrr_gdb_server_run(&session->server, session->listener, &session->error));
}

static void connect_gdb(struct session *session)
{
    GError *error = NULL;
    int fd = tcgrr_connect(session->path, tcgrr_deadline_after(LONG_MS), &error);
    check(fd >= 0, error);
    session->gdb = tcgrr_gdb_wire_new(fd, "tcgrr");
}

/* The machine without a server yet, so that a test can change it. */
static void prepare(struct session *session)
{
    *session = (struct session){0};
    gdb_machine_begin(&session->machine);
    gdb_machine_fill(&session->machine, PLACES, PLACES);
    gdb_machine_place(&session->machine, 40)->touches = CELL;
}

static void begin(struct session *session, tcgrr_icount icount)
{
    GError *error = NULL;

    session->folder = g_dir_make_tmp("tcgrr-test-XXXXXX", NULL);
    session->path = g_build_filename(session->folder, "gdb", NULL);
    struct tcgrr_address address = {.path = session->path};
    session->listener = tcgrr_listener_new(&address, NULL, &error);
    check(session->listener != NULL, error);
    gdb_machine_serve(&session->machine, icount, &session->server);
    tcgrr_gdb_server_stop_at(&session->server, &session->stop);
    session->thread = g_thread_new("server", run, session);
    connect_gdb(session);
}

/* Sends it as it stands. */
static void send_raw(struct session *session, const char *text, size_t size)
{
    GError *error = NULL;

    g_string_append_len(session->gdb->output, text, (gssize)size);
    check(tcgrr_gdb_wire_flush(session->gdb, &error), error);
}

/* Sends this payload, of which nothing is escaped. */
static void send_payload(struct session *session, const char *payload, size_t size)
{
    g_autoptr(GString) packet = g_string_new("$");
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + (uint8_t)payload[i]);
    }
    g_string_append_len(packet, payload, (gssize)size);
    g_string_append_printf(packet, "#%02x", sum);
    send_raw(session, packet->str, packet->len);
}

static void hears(struct session *session, const char *answer)
{
    GError *error = NULL;

    check(tcgrr_gdb_wire_answer(session->gdb, &error), error);
    assert_string_equal(session->gdb->payload->str, answer);
}

static void asks(struct session *session, const char *payload, const char *answer)
{
    tcgrr_gdb_wire_put(session->gdb, payload);
    hears(session, answer);
}

/* "monitor TEXT" shows `shown`. */
static void monitors(struct session *session, const char *text, const char *shown)
{
    g_autoptr(GString) packet = g_string_new("qRcmd,");
    g_autoptr(GString) all = g_string_new(NULL);
    GError *error = NULL;

    for (; *text; text++) {
        g_string_append_printf(packet, "%02x", (guint8)*text);
    }
    tcgrr_gdb_wire_put(session->gdb, packet->str);
    for (;;) {
        check(tcgrr_gdb_wire_answer(session->gdb, &error), error);
        const char *answer = session->gdb->payload->str;
        if (strcmp(answer, "OK") == 0) {
            break;
        }
        assert_int_equal(answer[0], 'O');
        g_autofree char *line = g_malloc0(strlen(answer));
        assert_true(tcgrr_gdb_packet_hex(answer + 1, strlen(answer) / 2, (uint8_t *)line));
        g_string_append(all, line);
    }
    if (!strstr(all->str, shown)) {
        fail_msg("\"%s\" instead of \"%s\"", all->str, shown);
    }
}

/* The server closes the connection, and takes the next one. */
static void is_sent_away(struct session *session)
{
    GError *error = NULL;
    bool found = true;

    while (found && tcgrr_gdb_wire_receive(session->gdb, tcgrr_deadline_after(LONG_MS), &found, &error)) {
    }
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_clear_error(&error);
    tcgrr_gdb_wire_free(session->gdb);
    connect_gdb(session);
}

/* The server ends: well, as after gdb's "kill", or with this error. */
static void ends(struct session *session, bool good, enum tcgrr_error_code code)
{
    g_clear_pointer(&session->gdb, tcgrr_gdb_wire_free);
    assert_int_equal(GPOINTER_TO_INT(g_thread_join(session->thread)), good);
    assert_int_equal(session->error ? session->error->code : 0, good ? 0 : (int)code);
    g_clear_error(&session->error);
    tcgrr_listener_free(session->listener);
    gdb_machine_close(&session->server);
    gdb_machine_end(&session->machine);
    g_rmdir(session->folder);
    g_free(session->folder);
    g_free(session->path);
}

/* The server ends by itself with this error, while gdb is connected. */
static void ends_after(struct session *session, enum tcgrr_error_code code)
{
    bool found;

    assert_false(tcgrr_gdb_wire_receive(session->gdb, tcgrr_deadline_after(LONG_MS), &found, NULL));
    ends(session, false, code);
}

static void end(struct session *session)
{
    tcgrr_gdb_wire_put(session->gdb, "k");
    assert_true(tcgrr_gdb_wire_flush(session->gdb, NULL));
    ends(session, true, 0);
}

/* ---- */

static void test_there_and_back(void **unused)
{
    struct session session;

    prepare(&session);
    begin(&session, 20);
    asks(&session, "qSupported:swbreak+", "PacketSize=1000");
    asks(&session, "qXfer:features:read:target.xml:0,ffb", "");
    asks(&session, "Hg1", "");
    asks(&session, "Qqemu.sstep=1", "");
    asks(&session, "?", STOP);
    monitors(&session, "icount", "20\n");
    asks(&session, "s", STOP);
    monitors(&session, "icount", "21\n");
    asks(&session, "bs", STOP);
    monitors(&session, "icount", "20\n");
    assert_int_equal(gdb_machine_heard(&session.machine, "Hg1"), 2); /* the one it went back with knows, too */
    assert_int_equal(gdb_machine_heard(&session.machine, "Qqemu.sstep=1"), 2);
    asks(&session, "Z1,1078,4", "OK");
    asks(&session, "Z2,5000,4", "OK");
    asks(&session, "c", STOP);
    monitors(&session, "icount", "30\n");
    asks(&session, "z1,1078,4", "OK");
    asks(&session, "vCont;c", "");
    asks(&session, "c", STOP "watch:5000;");
    monitors(&session, "icount", "41\n");
    asks(&session, "bc", STOP "watch:5000;");
    monitors(&session, "icount", "40\n");
    asks(&session, "bc", STOP "replaylog:begin;");
    monitors(&session, "icount", "0\n");
    asks(&session, "g", "0000000000001000");
    asks(&session, "?", STOP); /* takes the points away */
    asks(&session, "c", STOP "replaylog:end;");
    end(&session);
}

static void test_points_that_are_refused(void **unused)
{
    struct session session;

    prepare(&session);
    begin(&session, 20);
    session.machine.refuses = "Z";
    asks(&session, "Z1,1020,4", "E22");
    session.machine.refuses = NULL;
    asks(&session, "bc", STOP "replaylog:begin;");
    end(&session);
}

/* What runs is what was recorded: nothing changes it, in whatever words. */
static void test_changes(void **unused)
{
    static const char *const packets[] = {"G0102",       "P0=01",  "M1000,1:01", "X1000,1:a", "c1000",  "s1000",
                                          "}m1000,1:01", "}p0=01", "}x1000,1:a", "}g0102",    "}C1000", "}S1000"};
    struct session session;

    prepare(&session);
    begin(&session, 20);
    for (size_t i = 0; i < G_N_ELEMENTS(packets); i++) {
        send_payload(&session, packets[i], strlen(packets[i]));
        hears(&session, "E01");
    }
    monitors(&session, "icount", "20\n");
    for (guint i = 0; i < session.machine.heard->len; i++) {
        const char *packet = g_ptr_array_index(session.machine.heard, i);
        if (strchr("GPMXcs", *packet)) {
            fail_msg("the stub got %s", packet);
        }
    }
    end(&session);
}

/* An escaped packet is what it stands for: one that lets the guest run, and one that leaves. */
static void test_escaped(void **unused)
{
    struct session session;

    prepare(&session);
    begin(&session, 20);
    send_payload(&session, "}C", 2);
    hears(&session, STOP "replaylog:end;");
    monitors(&session, "icount", "58\n");
    send_payload(&session, "b}S", 3);
    hears(&session, STOP);
    monitors(&session, "icount", "57\n");
    send_payload(&session, "}d", 2);
    hears(&session, "OK");
    is_sent_away(&session);
    end(&session);
}

/* At the end of the run gdb gets the last place, whether QEMU stops there, ends there or would go on. */
static void test_end(void **unused)
{
    for (int how = 0; how < 3; how++) {
        struct session session;
        prepare(&session);
        session.machine.dies = how == 1;
        begin(&session, 20);
        if (how == 2) {
            session.server.ends_early = true;
            session.server.log->run_end = 50;
            asks(&session, "Z1,10d8,4", "OK"); /* beyond the end */
        }
        asks(&session, "c", STOP "replaylog:end;");
        monitors(&session, "icount", how == 2 ? "49\n" : "58\n");
        asks(&session, "s", STOP "replaylog:end;");
        end(&session);
    }
}

/* The byte 3 stops the guest; what gdb then gets is that. */
static void test_interrupt(void **unused)
{
    struct session session;

    prepare(&session);
    session.machine.endless = true;
    begin(&session, 20);
    session.server.ends_early = false;
    tcgrr_gdb_wire_put(session.gdb, "c");
    send_raw(&session, "\3", 1);
    GError *error = NULL;
    check(tcgrr_gdb_wire_answer(session.gdb, &error), error);
    /* The made-up machine is at its end then. */
    assert_string_equal(session.gdb->payload->str, STOP "replaylog:end;");
    end(&session);
}

static void test_monitor(void **unused)
{
    struct session session;

    prepare(&session);
    begin(&session, 20);
    monitors(&session, "goto 7", "");
    monitors(&session, "icount", "7\n");
    monitors(&session, "goto 0", "");
    monitors(&session, "icount", "0\n");
    monitors(&session, "goto 59", "out of bounds [0, 58]");
    monitors(&session, "goto 18446744073709551616", "out of bounds [0, 58]");
    monitors(&session, "goto -1", "-1");
    monitors(&session, "goto ", "not a number\n");
    monitors(&session, "goto %s%n", "%s%n");
    monitors(&session, "icount", "0\n");
    session.machine.deaf = true;
    monitors(&session, "goto 5", "closed its connection\n");
    session.machine.deaf = false;
    monitors(&session, "icount", "0\n");
    /* Not ours, or not text: for the stub, which does not know it either. */
    asks(&session, "qRcmd,696e666f", "");
    asks(&session, "qRcmd,zz", "");
    asks(&session, "qRcmd,69636f756e7", "");
    asks(&session, "qRcmd,", "");
    end(&session);
}

/* That does not end the session, and the machine stays where it is. */
static void test_way_back_fails(void **unused)
{
    struct session session;

    prepare(&session);
    begin(&session, 20);
    session.machine.deaf = true;
    tcgrr_gdb_wire_put(session.gdb, "bs");
    GError *error = NULL;
    check(tcgrr_gdb_wire_answer(session.gdb, &error), error);
    assert_true(g_str_has_prefix(session.gdb->payload->str, "O74636772723a20")); /* "tcgrr: " */
    hears(&session, "T02");
    session.machine.deaf = false;
    session.machine.interrupts = true; /* for which gdb is told nothing */
    asks(&session, "bc", "T02");
    monitors(&session, "icount", "20\n");
    session.machine.interrupts = false;
    asks(&session, "bs", STOP);
    end(&session);
}

/* Bytes that are no packets end the connection, not the session. */
static void test_noise(void **unused)
{
    static const struct {
        const char *bytes;
        size_t size;
    } noise[] = {{"$g#00", 5}, {"$g#zz", 5}, {"-", 1}, {"$*!#4b", 6}, {"$}#7d", 5}, {"$g*#91", 6}};
    struct session session;

    prepare(&session);
    begin(&session, 20);
    for (size_t i = 0; i < G_N_ELEMENTS(noise); i++) {
        send_raw(&session, noise[i].bytes, noise[i].size);
        is_sent_away(&session);
        monitors(&session, "icount", "20\n");
    }
    /* What is between packets does not matter, nor what is unknown or empty. */
    send_raw(&session, "++\0x%Stop#a6", 12);
    send_payload(&session, "", 0);
    hears(&session, "");
    send_payload(&session, "\0M1000,1:01", 11);
    hears(&session, "");
    asks(&session, "~", "");
    send_raw(&session, "$g#6", 4); /* the rest never comes */
    tcgrr_gdb_wire_free(session.gdb);
    connect_gdb(&session);
    asks(&session, "D;1", "OK");
    is_sent_away(&session);
    asks(&session, "vKill;1", "OK");
    ends(&session, true, 0);
}

static void test_stop(void **unused)
{
    struct session session;

    prepare(&session);
    begin(&session, 20);
    asks(&session, "?", STOP);
    session.stop = 1;
    ends_after(&session, TCGRR_ERROR_STOPPED);
}

/* A QEMU that ends though gdb has not let it run is an error. */
static void test_stub_ends(void **unused)
{
    struct session session;

    prepare(&session);
    session.machine.breaks_off = "g";
    begin(&session, 20);
    tcgrr_gdb_wire_put(session.gdb, "g");
    assert_true(tcgrr_gdb_wire_flush(session.gdb, NULL));
    ends_after(&session, TCGRR_ERROR_FAILED);
}

static void test_find(void **unused)
{
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;
    volatile int stop = 0;
    bool found;

    gdb_machine_begin(&machine);
    gdb_machine_fill(&machine, PLACES, 20);
    gdb_machine_serve(&machine, 50, &server);
    tcgrr_gdb_server_stop_at(&server, &stop);
    GError *error = NULL;
    check(tcgrr_gdb_server_find(&server, 0x1010, &found, &error), error);
    assert_true(found);
    assert_int_equal(gdb_machine_stands(&server.stub), 4); /* the first time */
    check(tcgrr_gdb_server_find(&server, 0x2000, &found, &error), error);
    assert_false(found);
    machine.dies = true;
    check(tcgrr_gdb_server_find(&server, 0x2000, &found, &error), error);
    assert_false(found);
    assert_int_equal(gdb_machine_stands(&server.stub), 4);
    stop = 1;
    assert_false(tcgrr_gdb_server_find(&server, 0x1010, &found, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED));
    assert_false(found);
    g_clear_error(&error);
    gdb_machine_close(&server);
    gdb_machine_end(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_points_that_are_refused),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_escaped),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_monitor),
        cmocka_unit_test(test_way_back_fails),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stub_ends),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
