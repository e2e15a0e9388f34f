/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes from a gdb stub is untrusted: its packets and its description of registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/qemu/gdb_features.h"
#include "emu/qemu/gdb_wire.h"
#include "store/error.h"

/* Takes one packet out of `text`; its payload, or NULL if there is none. Both are owned by the caller. */
static char *take(const char *text, gssize length, GString **rest)
{
    GString *input = g_string_new_len(text, length);
    GString *packet = g_string_new(NULL);
    GString *payload = g_string_new(NULL);
    GError *error = NULL;
    bool found;

    assert_true(tcgrr_gdb_packet_take(input, packet, &found, &error));
    assert_true(!found || tcgrr_gdb_packet_expand(packet, payload, &error));
    assert_null(error);
    g_string_free(packet, TRUE);
    if (rest) {
        *rest = input;
    } else {
        g_string_free(input, TRUE);
    }
    return g_string_free(payload, !found);
}

static void refuses(const char *text, gssize length)
{
    GString *input = g_string_new_len(text, length);
    GString *packet = g_string_new(NULL);
    GString *payload = g_string_new(NULL);
    GError *error = NULL;
    bool found;

    assert_false(tcgrr_gdb_packet_take(input, packet, &found, &error) &&
                 (!found || tcgrr_gdb_packet_expand(packet, payload, &error)));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_error_free(error);
    g_string_free(packet, TRUE);
    g_string_free(input, TRUE);
    g_string_free(payload, TRUE);
}

/* What gdb sends is passed on as it is, and it interrupts between packets. */
static void test_raw(void **unused)
{
    GString *input = g_string_new("+$X0,1:}\3#9f\3$g#67");
    GString *packet = g_string_new(NULL);
    const char *const wanted[] = {"$X0,1:}\3#9f", "\3", "$g#67"};
    bool found;

    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
        assert_true(tcgrr_gdb_packet_take(input, packet, &found, NULL) && found);
        assert_string_equal(packet->str, wanted[i]);
    }
    assert_true(tcgrr_gdb_packet_take(input, packet, &found, NULL) && !found);
    g_string_free(input, TRUE);
    g_string_free(packet, TRUE);
}

static void test_packet(void **unused)
{
    GString *rest;
    char *payload = take("+$OK#9a$T05#b9", -1, &rest);

    assert_string_equal(payload, "OK");
    assert_string_equal(rest->str, "$T05#b9");
    g_free(payload);
    g_string_free(rest, TRUE);
    payload = take("$#00", -1, NULL);
    assert_string_equal(payload, "");
    g_free(payload);
}

static void test_packet_in_parts(void **unused)
{
    static const char whole[] = "++$OK#9a";
    for (gssize length = 0; length < (gssize)strlen(whole); length++) {
        assert_null(take(whole, length, NULL));
    }
}

static void test_noise_before(void **unused)
{
    static const char noise[] = "\0\0x+%Stop:T05#99$OK#9a";
    char *payload = take(noise, sizeof(noise) - 1, NULL);
    assert_string_equal(payload, "OK");
    g_free(payload);
}

static void test_runs_and_escapes(void **unused)
{
    char *payload = take("$0* 1}\x03#2b", -1, NULL);
    assert_string_equal(payload, "00001#");
    g_free(payload);
}

/* What is appended is taken out again. */
static void test_append(void **unused)
{
    static const char payload[] = "a$b#c}d*e";
    GString *packet = g_string_new(NULL);

    tcgrr_gdb_packet_append(packet, payload);
    char *back = take(packet->str, (gssize)packet->len, NULL);
    assert_string_equal(back, payload);
    g_free(back);
    g_string_free(packet, TRUE);
}

static void test_malformed(void **unused)
{
    refuses("$OK#9b", -1);
    refuses("$OK#zz", -1);
    refuses("-$OK#9a", -1);
    refuses("$* #4a", -1); /* a run of nothing */
    refuses("$0*#5a", -1); /* a run without its count */
    refuses("$0*\x1f#79", -1);
    refuses("$0}#ad", -1);
}

static void test_too_long(void **unused)
{
    GString *text = g_string_new("$");
    while (text->len < TCGRR_GDB_PACKET_MAX + 2) {
        g_string_append(text, "0123456789abcdef");
    }
    refuses(text->str, (gssize)text->len);
    g_string_assign(text, "");
    /* Runs make it long. */
    GString *runs = g_string_new(NULL);
    uint8_t sum = 0;
    while (runs->len < 3 * (TCGRR_GDB_PACKET_MAX / 90)) {
        g_string_append(runs, "0*~");
    }
    for (gsize i = 0; i < runs->len; i++) {
        sum = (uint8_t)(sum + (uint8_t)runs->str[i]);
    }
    g_string_printf(text, "$%s#%02x", runs->str, sum);
    refuses(text->str, (gssize)text->len);
    g_string_free(runs, TRUE);
    g_string_free(text, TRUE);
}

static void test_hex(void **unused)
{
    uint8_t bytes[2] = {0};
    assert_true(tcgrr_gdb_packet_hex("01fE", 2, bytes));
    assert_int_equal(bytes[0], 0x01);
    assert_int_equal(bytes[1], 0xfe);
    assert_false(tcgrr_gdb_packet_hex("01f", 2, bytes));
    assert_false(tcgrr_gdb_packet_hex("xxxx", 2, bytes));
    assert_false(tcgrr_gdb_packet_hex("", 1, bytes));
}

static const char feature[] =
    "<?xml version=\"1.0\"?><!DOCTYPE feature SYSTEM \"gdb-target.dtd\">"
    "<feature name=\"f\">"
    "<flags id=\"fl\" size=\"4\"><field name=\"CF\" start=\"0\" end=\"0\"/>"
    "<field name=\"\" start=\"1\" end=\"1\"/><field name=\"IOPL\" start=\"12\" end=\"13\"/></flags>"
    "<reg name=\"a\" bitsize=\"16\"/><!--<reg name=\"hidden\" bitsize=\"64\"/>-->"
    "<reg name=\"eflags\" bitsize=\"32\" type=\"fl\" regnum=\"7\"/>"
    "<reg name=\"next\" bitsize=\"8\"/><reg name=\"a\" bitsize=\"64\"/>"
    "<reg name=\"huge\" bitsize=\"524288\"/></feature>";

static void test_features(void **unused)
{
    struct tcgrr_register_layout *registers = tcgrr_register_layout_new("x86_64");
    GPtrArray *includes = g_ptr_array_new_with_free_func(g_free);
    unsigned number = 3;

    assert_true(tcgrr_register_layout_parse(registers, feature, strlen(feature), &number, includes, NULL));
    assert_int_equal(registers->list->len, 3);
    assert_int_equal(includes->len, 0);
    const struct tcgrr_register *a = tcgrr_register_layout_find(registers, "a");
    const struct tcgrr_register *eflags = tcgrr_register_layout_find(registers, "eflags");
    const struct tcgrr_register *next = tcgrr_register_layout_find(registers, "next");
    assert_int_equal(a->number, 3);
    assert_int_equal(a->bytes, 2);
    assert_int_equal(eflags->number, 7);
    assert_int_equal(next->number, 8);
    assert_int_equal(number, 11);
    assert_null(tcgrr_register_layout_find(registers, "hidden"));
    assert_null(tcgrr_register_layout_find(registers, "huge"));
    assert_int_equal(eflags->fields->len, 2);
    const struct tcgrr_register_field *field = &g_array_index(eflags->fields, struct tcgrr_register_field, 1);
    assert_string_equal(field->name, "IOPL");
    assert_int_equal(field->first, 12);
    assert_int_equal(field->last, 13);
    assert_null(a->fields);
    assert_int_equal(registers->state_bytes, 3 + 2 + 4 + 1);
    g_ptr_array_unref(includes);
    tcgrr_register_layout_unref(registers);
}

static void test_values(void **unused)
{
    static const char *const targets[] = {"x86_64", "s390x"};
    static const uint64_t numbers[] = {0x0201, 0x0102};
    static const char *const texts[] = {"0x0201", "0x0102"};

    for (int i = 0; i < 2; i++) {
        struct tcgrr_register_layout *registers = tcgrr_register_layout_new(targets[i]);
        GPtrArray *includes = g_ptr_array_new_with_free_func(g_free);
        unsigned number = 0;
        assert_true(tcgrr_register_layout_parse(registers, feature, strlen(feature), &number, includes, NULL));
        const struct tcgrr_register *a = tcgrr_register_layout_find(registers, "a");
        uint8_t state[16] = {1, 0, 0, 1, 2};
        assert_true(tcgrr_state_knows(state, 0));
        assert_false(tcgrr_state_knows(state, 1));
        assert_int_equal(tcgrr_state_number(registers, state, a), numbers[i]);
        char *text = tcgrr_state_text(registers, state, a);
        assert_string_equal(text, texts[i]);
        g_free(text);
        g_ptr_array_unref(includes);
        tcgrr_register_layout_unref(registers);
    }
}

static void test_includes(void **unused)
{
    static const char text[] = "<target><architecture>x</architecture><xi:include href=\"a.xml\"/>"
                               "<xi:include href=\"b.xml\"/></target>";
    struct tcgrr_register_layout *registers = tcgrr_register_layout_new("arm");
    GPtrArray *includes = g_ptr_array_new_with_free_func(g_free);
    unsigned number = 0;

    assert_true(tcgrr_register_layout_parse(registers, text, strlen(text), &number, includes, NULL));
    assert_int_equal(includes->len, 2);
    assert_string_equal(g_ptr_array_index(includes, 1), "b.xml");
    g_ptr_array_unref(includes);
    tcgrr_register_layout_unref(registers);
}

static void refuses_features(const char *text)
{
    struct tcgrr_register_layout *registers = tcgrr_register_layout_new("arm");
    GPtrArray *includes = g_ptr_array_new_with_free_func(g_free);
    GError *error = NULL;
    unsigned number = 0;

    assert_false(tcgrr_register_layout_parse(registers, text, strlen(text), &number, includes, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_error_free(error);
    g_ptr_array_unref(includes);
    tcgrr_register_layout_unref(registers);
}

static void test_malformed_features(void **unused)
{
    refuses_features("");
    refuses_features("<feature><reg name=\"a\" bitsize=\"8\"/>");
    refuses_features("<feature><reg name=\"a\"/></feature>");
    refuses_features("<feature><reg bitsize=\"8\"/></feature>");
    GString *many = g_string_new("<feature>");
    for (int i = 0; i < 5000; i++) {
        g_string_append_printf(many, "<reg name=\"r%d\" bitsize=\"8\"/>", i);
    }
    g_string_append(many, "</feature>");
    refuses_features(many->str);
    g_string_assign(many, "<target>");
    for (int i = 0; i < 100; i++) {
        g_string_append(many, "<xi:include href=\"target.xml\"/>");
    }
    g_string_append(many, "</target>");
    refuses_features(many->str);
    g_string_free(many, TRUE);
}

/* ---- a connection whose other end is slow, or leaves ---- */

#define HEAP ((size_t)3 << 20) /* more than a socket takes at once */

struct reader {
    int fd;
    size_t wanted; /* bytes, before it closes */
    GString *got;
};

static gpointer read_slowly(gpointer data)
{
    struct reader *reader = data;
    char bytes[65536];
    ssize_t n = 1;

    while (n > 0 && reader->got->len < reader->wanted) {
        g_usleep(1000);
        n = recv(reader->fd, bytes, MIN(sizeof(bytes), reader->wanted - reader->got->len), 0);
        g_string_append_len(reader->got, bytes, MAX(n, 0));
    }
    close(reader->fd);
    return NULL;
}

static void test_slow_reader(void **unused)
{
    for (int leaves = 0; leaves < 2; leaves++) {
        g_autofree char *payload = g_strnfill(HEAP, 'a');
        g_autoptr(GString) whole = g_string_new(NULL);
        struct reader reader = {.got = g_string_new(NULL)};
        GError *error = NULL;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        tcgrr_gdb_packet_append(whole, payload);
        reader.fd = fds[1];
        reader.wanted = leaves ? HEAP / 4 : whole->len;
        struct tcgrr_gdb_wire *wire = tcgrr_gdb_wire_new(fds[0], "the other end");
        tcgrr_gdb_wire_put(wire, payload);
        GThread *thread = g_thread_new("reader", read_slowly, &reader);
        assert_int_equal(tcgrr_gdb_wire_flush(wire, &error), !leaves);
        g_thread_join(thread);
        if (leaves) {
            assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
            assert_string_equal(error->message, "the other end closed its connection");
        } else {
            assert_null(error);
            assert_int_equal(wire->output->len, 0);
            assert_true(g_string_equal(reader.got, whole));
        }
        g_clear_error(&error);
        g_string_free(reader.got, TRUE);
        tcgrr_gdb_wire_free(wire);
    }
}

/* Whole packets before it leaves are taken; what comes in its parts is put together. */
static void test_parts_and_end(void **unused)
{
    GError *error = NULL;
    bool found;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct tcgrr_gdb_wire *wire = tcgrr_gdb_wire_new(fds[0], "the other end");
    assert_int_equal(send(fds[1], "+$O", 3, 0), 3);
    assert_true(tcgrr_gdb_wire_receive(wire, 0, &found, &error) && !found);
    assert_int_equal(send(fds[1], "K#9a$T05#b9$0*#5a", 17, 0), 17);
    close(fds[1]);
    assert_true(tcgrr_gdb_wire_receive(wire, 0, &found, &error) && found);
    assert_string_equal(wire->frame->str, "$OK#9a");
    assert_string_equal(wire->output->str, "+");
    assert_true(tcgrr_gdb_wire_receive(wire, 0, &found, &error) && found);
    assert_true(tcgrr_gdb_wire_expand(wire, &error));
    assert_string_equal(wire->payload->str, "T05");
    assert_true(tcgrr_gdb_wire_receive(wire, 0, &found, &error) && found);
    assert_false(tcgrr_gdb_wire_expand(wire, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    assert_string_equal(error->message, "the other end: it sent a packet that ends within an escape");
    g_clear_error(&error);
    assert_false(tcgrr_gdb_wire_receive(wire, 0, &found, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_clear_error(&error);
    assert_false(tcgrr_gdb_wire_answer(wire, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_clear_error(&error);
    tcgrr_gdb_wire_free(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_packet),
        cmocka_unit_test(test_packet_in_parts),
        cmocka_unit_test(test_noise_before),
        cmocka_unit_test(test_runs_and_escapes),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_includes),
        cmocka_unit_test(test_malformed_features),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_parts_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
