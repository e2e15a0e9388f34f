/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client of QEMU's gdb stub, with stubs that answer well, badly, late and not at all. */
#include "emu/qemu/gdb.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/qemu/gdb_packet.h"
#include "store/error.h"
#include "tests/unix_server.h"

#define LONG_MS  30000
#define SHORT_MS 200

/* What a stub answers to requests that begin with `request`; the first that fits. A NULL answer closes the connection.
 */
struct reply {
    const char *request;
    const char *answer;
};

struct stub {
    struct unix_server server;
    GThread *thread;
    const struct reply *replies; /* to the last with a NULL request; before those of a stub that is as it should be */
    bool endless;                /* goes on with the last answer until the client has gone */
};

#define FEATURES "qXfer:features:read:target.xml:0,f00"

static const struct reply good[] = {
    {"qSupported", "PacketSize=1000;qXfer:features:read+"},
    {FEATURES, "m<target><reg name=\"a\" bitsize=\"32\"/><reg name=\"b\" bitsize=\"16\"/>"},
    {"qXfer:features:read:target.xml:", "l<reg name=\"pc\" bitsize=\"64\"/></target>"},
    {"g", "010203040506"},
    {"p2", "0807060504030201"},
    {"Qqemu.PhyMemMode:1", "OK"},
    {"m1000,4", "deadbeef"},
    {"m", "E14"},
    {"Z1,", "OK"},
    {"Qqemu.sstep=", "OK"},
    {"s", "T05thread:01;"},
    {"c", "O6869"},
    {NULL, NULL},
};

static const struct reply *find(const struct reply *replies, const char *request)
{
    for (const struct reply *reply = replies; reply && reply->request; reply++) {
        if (g_str_has_prefix(request, reply->request)) {
            return reply;
        }
    }
    return NULL;
}

/* An answer that begins with '$' is sent as it stands, any other one as a packet. */
static bool say(int fd, const char *answer)
{
    g_autoptr(GString) packet = g_string_new(NULL);
    if (*answer == '$') {
        g_string_assign(packet, answer);
    } else {
        tcgrr_gdb_packet_append(packet, answer);
    }
    return send(fd, packet->str, packet->len, MSG_NOSIGNAL) == (ssize_t)packet->len;
}

static void serve(const struct stub *stub, int fd)
{
    g_autoptr(GString) input = g_string_new(NULL);
    g_autoptr(GString) frame = g_string_new(NULL);
    g_autoptr(GString) request = g_string_new(NULL);
    char bytes[4096];
    bool found;

    for (;;) {
        while (tcgrr_gdb_packet_take(input, frame, &found, NULL) && found) {
            const struct reply *reply = NULL;
            if (frame->str[0] == '$' && tcgrr_gdb_packet_expand(frame, request, NULL)) {
                reply = find(stub->replies, request->str);
                reply = reply ? reply : find(good, request->str);
            }
            if (reply && (!reply->answer || !say(fd, reply->answer))) {
                return;
            }
            while (reply && stub->endless && reply->answer[0] == 'O') {
                if (!say(fd, reply->answer)) {
                    return;
                }
            }
        }
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n <= 0) {
            return;
        }
        g_string_append_len(input, bytes, n);
    }
}

static gpointer run_stub(gpointer data)
{
    struct stub *stub = data;
    int fd = accept(stub->server.listener, NULL, NULL);
    if (fd >= 0) {
        serve(stub, fd);
        close(fd);
    }
    return NULL;
}

static struct tcgrr_gdb *open_stub(struct stub *stub, const struct reply *replies, const char *target, GError **error)
{
    stub->replies = replies;
    unix_server_start(&stub->server);
    stub->thread = g_thread_new("stub", run_stub, stub);
    return tcgrr_gdb_connect(stub->server.path, target, LONG_MS, error);
}

static void close_stub(struct stub *stub, struct tcgrr_gdb *gdb)
{
    tcgrr_gdb_free(gdb);
    g_thread_join(stub->thread);
    unix_server_stop(&stub->server);
}

static void expect(GError **error, enum tcgrr_error_code code, const char *text)
{
    assert_non_null(*error);
    if ((*error)->code != (int)code || !strstr((*error)->message, text)) {
        fail_msg("error %d: %s", (*error)->code, (*error)->message);
    }
    g_clear_error(error);
}

/* ---- */

static void test_good(void **unused)
{
    struct stub stub = {0};
    GError *error = NULL;
    struct tcgrr_gdb *gdb = open_stub(&stub, NULL, "x86_64", &error);
    assert_non_null(gdb);
    struct tcgrr_register_layout *registers = tcgrr_gdb_registers(gdb);
    uint8_t state[64];
    uint8_t bytes[4];
    bool found;
    bool stopped;

    assert_int_equal(registers->list->len, 3);
    assert_true(tcgrr_gdb_read_state(gdb, NULL, state, &error));
    const struct tcgrr_register *a = tcgrr_register_layout_find(registers, "a");
    const struct tcgrr_register *pc = tcgrr_register_layout_find(registers, "pc");
    assert_true(a->core && !pc->core);
    assert_int_equal(tcgrr_state_number(registers, state, a), 0x04030201);
    assert_true(tcgrr_state_number(registers, state, pc) == 0x0102030405060708);

    assert_true(tcgrr_gdb_read_memory(gdb, true, 0x1000, 4, bytes, &found, &error) && found);
    assert_int_equal(bytes[0], 0xde);
    assert_true(tcgrr_gdb_read_memory(gdb, true, 0x2000, 4, bytes, &found, &error) && !found);
    assert_true(tcgrr_gdb_break(gdb, 0x1000, &error));
    assert_true(tcgrr_gdb_step_with_interrupts(gdb, &error));
    assert_true(tcgrr_gdb_step(gdb, &error));
    assert_true(tcgrr_gdb_wait(gdb, LONG_MS, &stopped, &error) && stopped);
    assert_true(tcgrr_gdb_continue(gdb, &error));
    assert_true(tcgrr_gdb_wait(gdb, SHORT_MS, &stopped, &error) && !stopped);
    close_stub(&stub, gdb);
}

/* A stub without a description: the layout that is known of its target. */
static void test_layout(void **unused)
{
    static const struct reply replies[] = {{"qXfer", ""}, {NULL, NULL}};
    struct stub stub = {0};
    GError *error = NULL;
    struct tcgrr_gdb *gdb = open_stub(&stub, replies, "sparc", &error);
    assert_non_null(gdb);
    assert_non_null(tcgrr_register_layout_find(tcgrr_gdb_registers(gdb), "npc"));
    close_stub(&stub, gdb);
}

/* A stub that answers with the register after the one that was asked for, as QEMU 11.1 does for PowerPC's vectors. */
static void test_shifted_numbers(void **unused)
{
    static const struct reply replies[] = {
        {"qXfer", "l<target><reg name=\"fpscr\" bitsize=\"32\"/><reg name=\"vr0\" bitsize=\"64\" regnum=\"10\"/>"
                  "<reg name=\"vr31\" bitsize=\"64\"/><reg name=\"vscr\" bitsize=\"32\"/></target>"},
        {"g", "01020304"},
        {"p9", "01020304"},
        {"pa", "1112131415161718"},
        {"pb", "21222324"},
        {"p", "E14"},
        {NULL, NULL},
    };
    struct stub stub = {0};
    GError *error = NULL;
    struct tcgrr_gdb *gdb = open_stub(&stub, replies, "ppc64", &error);
    assert_non_null(gdb);
    struct tcgrr_register_layout *registers = tcgrr_gdb_registers(gdb);
    uint8_t state[64];

    assert_true(tcgrr_gdb_read_state(gdb, NULL, state, &error));
    assert_false(tcgrr_state_knows(state, tcgrr_register_layout_find(registers, "vr0")->index));
    const struct tcgrr_register *vr31 = tcgrr_register_layout_find(registers, "vr31");
    assert_true(tcgrr_state_number(registers, state, vr31) == 0x1112131415161718);
    assert_true(tcgrr_state_number(registers, state, tcgrr_register_layout_find(registers, "vscr")) == 0x21222324);
    close_stub(&stub, gdb);
}

static void test_bad_descriptions(void **unused)
{
    static const struct {
        struct reply replies[2];
        enum tcgrr_error_code code;
        const char *text;
    } cases[] = {
        {{{FEATURES, ""}}, TCGRR_ERROR_DAMAGED, "does not describe its registers"},
        {{{FEATURES, "m"}}, TCGRR_ERROR_DAMAGED, "does not describe its registers"},
        {{{FEATURES, "E00"}}, TCGRR_ERROR_DAMAGED, "does not describe its registers"},
        {{{FEATURES, "l<target></target>"}}, TCGRR_ERROR_DAMAGED, "names no registers"},
        {{{FEATURES, "l<target>"}}, TCGRR_ERROR_DAMAGED, ""},
        {{{FEATURES, "$l#00"}}, TCGRR_ERROR_DAMAGED, "gdb stub"},
        {{{FEATURES, NULL}}, TCGRR_ERROR_FAILED, "closed its connection"},
        {{{"qSupported", NULL}}, TCGRR_ERROR_FAILED, "closed its connection"},
        {{{"g", NULL}}, TCGRR_ERROR_FAILED, "closed its connection"},
        {{{"qXfer:features:read:target.xml:", "m<target>"}}, TCGRR_ERROR_DAMAGED, "does not describe its registers"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct stub stub = {0};
        GError *error = NULL;
        struct tcgrr_gdb *gdb = open_stub(&stub, cases[i].replies, "x86_64", &error);
        assert_null(gdb);
        expect(&error, cases[i].code, cases[i].text);
        close_stub(&stub, NULL);
    }
}

/* What it refuses is an error, and what it cannot read is not known. */
static void test_refusals(void **unused)
{
    static const struct reply replies[] = {
        {"p2", "E01"}, {"Qqemu.PhyMemMode", ""}, {"Z1,", "E22"}, {"Qqemu.sstep", ""}, {"m", NULL}, {NULL, NULL}};
    struct stub stub = {0};
    GError *error = NULL;
    struct tcgrr_gdb *gdb = open_stub(&stub, replies, "x86_64", &error);
    assert_non_null(gdb);
    uint8_t state[64];
    uint8_t bytes[4];
    bool found;

    assert_true(tcgrr_gdb_read_state(gdb, NULL, state, &error));
    assert_true(tcgrr_state_knows(state, 0));
    assert_false(tcgrr_state_knows(state, 2));
    assert_false(tcgrr_gdb_read_memory(gdb, true, 0x1000, 4, bytes, &found, &error));
    expect(&error, TCGRR_ERROR_FAILED, "physical addresses");
    assert_false(tcgrr_gdb_break(gdb, 0x1000, &error));
    expect(&error, TCGRR_ERROR_FAILED, "sets no breakpoint");
    assert_false(tcgrr_gdb_step_with_interrupts(gdb, &error));
    expect(&error, TCGRR_ERROR_FAILED, "interrupts");
    assert_false(tcgrr_gdb_read_memory(gdb, false, 0x1000, 4, bytes, &found, &error));
    expect(&error, TCGRR_ERROR_FAILED, "closed its connection");
    assert_false(tcgrr_gdb_read_state(gdb, NULL, state, &error));
    expect(&error, TCGRR_ERROR_FAILED, "closed its connection");
    close_stub(&stub, gdb);
}

static void test_ends(void **unused)
{
    static const struct {
        struct reply replies[2];
        enum tcgrr_error_code code;
        const char *text;
    } cases[] = {
        {{{"c", "W00"}}, TCGRR_ERROR_FAILED, "QEMU has ended"},
        {{{"c", "X09"}}, TCGRR_ERROR_FAILED, "QEMU has ended"},
        {{{"c", "Fwrite,1,2,3"}}, TCGRR_ERROR_FAILED, "semihosting"},
        {{{"c", "$* #4a"}}, TCGRR_ERROR_DAMAGED, "gdb stub"},
        {{{"c", NULL}}, TCGRR_ERROR_FAILED, "closed its connection"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct stub stub = {0};
        GError *error = NULL;
        struct tcgrr_gdb *gdb = open_stub(&stub, cases[i].replies, "x86_64", &error);
        bool stopped;
        assert_non_null(gdb);
        assert_true(tcgrr_gdb_continue(gdb, &error));
        assert_false(tcgrr_gdb_wait(gdb, LONG_MS, &stopped, &error));
        expect(&error, cases[i].code, cases[i].text);
        close_stub(&stub, gdb);
    }
}

/* A guest that writes without end does not make the wait one without end. */
static void test_endless_output(void **unused)
{
    struct stub stub = {.endless = true};
    GError *error = NULL;
    struct tcgrr_gdb *gdb = open_stub(&stub, NULL, "x86_64", &error);
    bool stopped;
    assert_non_null(gdb);
    assert_true(tcgrr_gdb_continue(gdb, &error));
    assert_true(tcgrr_gdb_wait(gdb, SHORT_MS, &stopped, &error));
    assert_false(stopped);
    close_stub(&stub, gdb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_shifted_numbers),
        cmocka_unit_test(test_bad_descriptions),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_endless_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
