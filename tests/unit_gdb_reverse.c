/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backwards in a made-up machine: every step, and every hit of made-up breakpoints and watchpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "store/error.h"
#include "tests/check.h"
#include "tests/gdb_machine.h"
#include "tests/stream.h"

#define HANDLER 0x8000
#define CELL    0x5000 /* what is watched */

static void add_point(struct tcgrr_gdb_server *server, char kind, uint64_t address)
{
    g_hash_table_add(server->requests.points, g_strdup_printf("%c,%" G_GINT64_MODIFIER "x,4", kind, address));
}

/* Goes back from place `from`, wants to arrive at place `to`, with these words for gdb. */
static void goes_back(struct tcgrr_gdb_server *server, bool step, guint from, guint to, const char *why)
{
    struct tcgrr_gdb_found found = {.why = g_string_new(NULL)};
    GError *error = NULL;

    gdb_machine_put(&server->stub, from);
    check(step ? tcgrr_gdb_step_back(server, &found, &error) : tcgrr_gdb_run_back(server, &found, &error), error);
    if (gdb_machine_stands(&found.stub) != to || strcmp(found.why->str, why) != 0) {
        fail_msg("%s back from %u: to %u \"%s\" instead of %u \"%s\"", step ? "step" : "run", from,
                 gdb_machine_stands(&found.stub), found.why->str, to, why);
    }
    tcgrr_stub_clear(&found.stub);
    g_string_free(found.why, TRUE);
}

/* Two interrupts in a row at one icount, one at another, and one at the next. */
static void test_steps(void **unused)
{
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;

    gdb_machine_begin(&machine);
    gdb_machine_fill(&machine, 40, 40);
    gdb_machine_interrupt(&machine, 31, HANDLER);
    gdb_machine_interrupt(&machine, 30, HANDLER);
    gdb_machine_interrupt(&machine, 10, HANDLER);
    gdb_machine_interrupt(&machine, 11, HANDLER + 0x100);
    gdb_machine_serve(&machine, 0, &server);
    for (guint from = 1; from + 1 < machine.places->len; from++) {
        goes_back(&server, true, from, from - 1, "");
    }
    goes_back(&server, true, 0, 0, "replaylog:begin;");
    gdb_machine_close(&server);
    gdb_machine_end(&machine);
}

/* What the way back from `from` has to lead to: the last hit on the way there. */
static void goes_to_last_hit(const struct gdb_machine *machine, struct tcgrr_gdb_server *server, guint from)
{
    for (guint at = from; at > 0; at--) {
        const struct machine_place *place = gdb_machine_place(machine, at - 1);
        g_autofree char *point = g_strdup_printf("1,%" G_GINT64_MODIFIER "x,4", place->pc);
        if (place->touches == CELL && g_hash_table_contains(server->requests.points, "2,5000,4")) {
            goes_back(server, false, from, machine->before ? at : at - 1, "watch:5000;");
            return;
        }
        if (g_hash_table_contains(server->requests.points, point)) {
            goes_back(server, false, from, at - 1, "");
            return;
        }
    }
    goes_back(server, false, from, 0, "replaylog:begin;");
}

/* Accesses one after the other, alone, and by instructions that have a breakpoint themselves or before one that has. */
static void make_accesses(struct gdb_machine *machine)
{
    static const guint places[] = {3, 4, 5, 20, 29, 30, 40, 41, 49, 50};

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        gdb_machine_place(machine, places[i])->touches = CELL;
    }
    gdb_machine_place(machine, 60)->touches = CELL + 4;
}

static void check_hits(bool before, bool watch, bool breaks)
{
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;

    gdb_machine_begin(&machine);
    gdb_machine_fill(&machine, 80, 80);
    machine.before = before;
    make_accesses(&machine);
    gdb_machine_serve(&machine, 0, &server);
    if (watch) {
        add_point(&server, '2', CELL);
    }
    for (guint i = 10; breaks && i < 80; i += 10) { /* 0x1028, … */
        add_point(&server, '1', 0x1000 + 4 * i);
    }
    for (guint from = 0; from + 1 < machine.places->len; from++) {
        goes_to_last_hit(&machine, &server, from);
    }
    gdb_machine_close(&server);
    gdb_machine_end(&machine);
}

static void test_breakpoints(void **unused)
{
    check_hits(false, false, true);
}

static void test_watchpoints(void **unused)
{
    check_hits(false, true, false);
}

static void test_both(void **unused)
{
    check_hits(false, true, true);
}

static void test_before_access(void **unused)
{
    check_hits(true, true, false);
    check_hits(true, true, true);
}

/* With nothing to stop at, there is nothing to look for. */
static void test_no_points(void **unused)
{
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;

    gdb_machine_begin(&machine);
    gdb_machine_fill(&machine, 50, 7);
    gdb_machine_serve(&machine, 0, &server);
    unsigned started = machine.started;
    goes_back(&server, false, 30, 0, "replaylog:begin;");
    assert_int_equal(machine.started, started + 1);
    gdb_machine_close(&server);
    gdb_machine_end(&machine);
}

/* Further away than the first stretch that is searched, whose ends are where interrupts are. */
static void test_stretches(void **unused)
{
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;

    gdb_machine_begin(&machine);
    gdb_machine_fill(&machine, 20000, 20000);
    gdb_machine_place(&machine, 100)->touches = CELL;
    gdb_machine_interrupt(&machine, 19000 - 4096, HANDLER);
    gdb_machine_interrupt(&machine, 19000 - 4097, HANDLER);
    gdb_machine_serve(&machine, 0, &server);
    add_point(&server, '2', CELL);
    goes_back(&server, false, 19002, 100, "watch:5000;"); /* that far behind two interrupts */
    add_point(&server, '1', 0x1000 + 4 * (19000 - 4098));
    goes_back(&server, false, 19002, 19000 - 4098, "");
    gdb_machine_close(&server);
    gdb_machine_end(&machine);
}

/* A breakpoint in the handler: the place is the one of several with its icount that has its registers. */
static void test_handler(void **unused)
{
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;

    gdb_machine_begin(&machine);
    gdb_machine_fill(&machine, 60, 60);
    gdb_machine_interrupt(&machine, 30, HANDLER);
    gdb_machine_interrupt(&machine, 31, HANDLER + 0x100);
    gdb_machine_serve(&machine, 0, &server);
    add_point(&server, '0', HANDLER);
    goes_back(&server, false, 50, 31, "");
    add_point(&server, '0', HANDLER + 0x100);
    goes_back(&server, false, 50, 32, "");
    add_point(&server, '0', 0x1000 + 4 * 30);
    goes_back(&server, false, 50, 32, "");
    g_hash_table_remove_all(server.requests.points);
    add_point(&server, '0', 0x1000 + 4 * 30);
    goes_back(&server, false, 50, 30, "");
    gdb_machine_close(&server);
    gdb_machine_end(&machine);
}

static void fails(struct tcgrr_gdb_server *server, bool step, guint from, enum tcgrr_error_code code, const char *text)
{
    struct tcgrr_gdb_found found = {.why = g_string_new(NULL)};
    GError *error = NULL;

    gdb_machine_put(&server->stub, from);
    assert_false(step ? tcgrr_gdb_step_back(server, &found, &error) : tcgrr_gdb_run_back(server, &found, &error));
    assert_non_null(error);
    assert_int_equal(error->code, code);
    if (!strstr(error->message, text)) {
        fail_msg("%s", error->message);
    }
    assert_null(found.stub.player);
    assert_null(found.stub.wire);
    g_error_free(error);
    g_string_free(found.why, TRUE);
}

static void test_failures(void **unused)
{
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;
    volatile int stop = 0;

    gdb_machine_begin(&machine);
    gdb_machine_fill(&machine, 60, 60);
    gdb_machine_interrupt(&machine, 30, HANDLER);
    gdb_machine_serve(&machine, 0, &server);
    server.options.stop = &stop;
    add_point(&server, '0', HANDLER);
    static const guint places[] = {50, 31, 30};
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        machine.deaf = true;
        fails(&server, true, places[i], TCGRR_ERROR_FAILED, "QEMU's gdb stub closed its connection");
        fails(&server, false, places[i], TCGRR_ERROR_FAILED, "QEMU's gdb stub closed its connection");
        machine.deaf = false;
        machine.interrupts = true;
        fails(&server, true, places[i], TCGRR_ERROR_STOPPED, "interrupted");
        fails(&server, false, places[i], TCGRR_ERROR_STOPPED, "interrupted");
        machine.interrupts = false;
    }
    stop = 1;
    fails(&server, true, 31, TCGRR_ERROR_STOPPED, "interrupted");
    fails(&server, false, 50, TCGRR_ERROR_STOPPED, "interrupted");
    gdb_machine_close(&server);
    gdb_machine_end(&machine);
}

/* A new stub gets what gdb told the one before it, "?" before its breakpoints. */
static void test_requests(void **unused)
{
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;
    static const char *const wanted[] = {
        "qSupported:swbreak+", "qXfer:features:read:target.xml:0,ffb", "?", "Qqemu.sstep=1", "Hg1", "Z1,1010,4"};

    gdb_machine_begin(&machine);
    gdb_machine_fill(&machine, 60, 60);
    gdb_machine_serve(&machine, 0, &server);
    assert_int_equal(gdb_machine_heard(&machine, "qSupported"), 1);
    server.requests.supported = g_strdup(wanted[0]);
    server.requests.features = g_strdup(wanted[1]);
    server.requests.thread = g_strdup(wanted[4]);
    g_hash_table_insert(server.requests.settings, g_strdup("Qqemu.sstep"), g_strdup(wanted[3]));
    add_point(&server, '1', 0x1010);
    g_ptr_array_set_size(machine.heard, 0);
    goes_back(&server, true, 20, 19, "");
    assert_int_equal(machine.heard->len, G_N_ELEMENTS(wanted));
    for (guint i = 0; i < machine.heard->len; i++) {
        assert_string_equal(g_ptr_array_index(machine.heard, i), wanted[i]);
    }
    assert_string_equal(server.stands, "T05thread:01;");
    gdb_machine_close(&server);
    gdb_machine_end(&machine);
}

/* A keyframe that leads nowhere is rejected, and the way begins at the start; not if the user interrupts. */
static void test_keyframe(void **unused)
{
    struct gdb_machine machine;
    struct tcgrr_gdb_server server;

    gdb_machine_begin(&machine);
    gdb_machine_fill(&machine, 60, 60);
    gdb_machine_serve(&machine, 0, &server);
    machine.keyframe = (struct tcgrr_keyframe){.icount = 10, .folder = "keyframe"};
    machine.interrupts = true;
    fails(&server, true, 20, TCGRR_ERROR_STOPPED, "interrupted");
    machine.interrupts = false;
    assert_false(machine.keyframe_rejected);
    goes_back(&server, true, 20, 19, "");
    assert_false(machine.keyframe_rejected);
    machine.keyframe_fails = true;
    goes_back(&server, true, 5, 4, "");
    assert_false(machine.keyframe_rejected);
    goes_back(&server, true, 20, 19, "");
    assert_true(machine.keyframe_rejected);
    gdb_machine_close(&server);
    gdb_machine_end(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),     cmocka_unit_test(test_breakpoints),   cmocka_unit_test(test_watchpoints),
        cmocka_unit_test(test_both),      cmocka_unit_test(test_before_access), cmocka_unit_test(test_no_points),
        cmocka_unit_test(test_stretches), cmocka_unit_test(test_handler),       cmocka_unit_test(test_failures),
        cmocka_unit_test(test_requests),  cmocka_unit_test(test_keyframe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
