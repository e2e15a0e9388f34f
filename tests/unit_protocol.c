/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What two tcgrr say to each other: what is put in comes out, and nothing else is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lockstep/peer/fields.h"
#include "lockstep/peer/protocol.h"
#include "store/digest.h"
#include "store/error.h"
#include "tests/messages.h"

#define STEP TCGRR_CHECKPOINT_STEP

/* ---- description ---- */

static struct tcgrr_description some_description(void)
{
    struct tcgrr_description description;
    tcgrr_description_init(&description);
    strcpy(description.tool, "0.1.0");
    strcpy(description.target, "riscv64");
    strcpy(description.mode, "system");
    strcpy(description.level, "flow");
    strcpy(description.source, "./qemu-system-riscv64");
    strcpy(description.qemu, "10.0.2");
    strcpy(description.options, "from main until the end, history 10");
    description.from = (struct tcgrr_position){TCGRR_POSITION_PC, 0xffffffff80001000};
    description.until = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, 1000000};
    description.cut = true;
    description.patience_s = 60;
    return description;
}

static bool take_description(const struct tcgrr_message *message, void *data, GError **error)
{
    return tcgrr_take_description(message, data, error);
}

static void test_description(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_description ours = some_description();
    struct tcgrr_description theirs;

    tcgrr_put_description(payload, &ours);
    expect_whole(TCGRR_MESSAGE_DESCRIPTION, payload, take_description, &theirs);
    assert_string_equal(theirs.target, ours.target);
    assert_string_equal(theirs.source, ours.source);
    assert_string_equal(theirs.options, ours.options);
    assert_int_equal(theirs.from.kind, ours.from.kind);
    assert_int_equal(theirs.from.value, ours.from.value);
    assert_int_equal(theirs.until.kind, ours.until.kind);
    assert_int_equal(theirs.until.value, ours.until.value);
    assert_true(theirs.cut);
    assert_int_equal(theirs.patience_s, 60);
    assert_true(tcgrr_description_check(&ours, &theirs, NULL));
}

/* What a peer says ends up on a terminal. */
static void test_texts_are_harmless(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_description put = some_description();
    struct tcgrr_description taken;

    strcpy(put.source, "\033[2Jqemu\n\xc3\xa9");
    tcgrr_put_description(payload, &put);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_DESCRIPTION, payload);
    assert_true(tcgrr_take_description(&message, &taken, NULL));
    assert_string_equal(taken.source, "?[2Jqemu???");
}

static void expect_refusal(const struct tcgrr_description *ours, const struct tcgrr_description *theirs,
                           const char *one, const char *other)
{
    GError *error = NULL;
    assert_false(tcgrr_description_check(ours, theirs, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    assert_non_null(strstr(error->message, one));
    assert_non_null(strstr(error->message, other));
    g_error_free(error);
}

static void test_description_check(void **state)
{
    struct tcgrr_description ours = some_description();
    struct tcgrr_description theirs = ours;

    strcpy(theirs.target, "aarch64");
    expect_refusal(&ours, &theirs, "'riscv64'", "'aarch64'");
    theirs = ours;
    strcpy(theirs.mode, "user");
    expect_refusal(&ours, &theirs, "'system'", "'user'");
    theirs = ours;
    strcpy(theirs.level, "full");
    expect_refusal(&ours, &theirs, "'flow'", "'full'");
    theirs = ours;
    theirs.step = 4096;
    expect_refusal(&ours, &theirs, "0x10000", "0x1000'");
    theirs = ours;
    theirs.base ^= 1;
    expect_refusal(&ours, &theirs, "0xb7e151628aed2a6", "0xb7e151628aed2a7");
    theirs = ours;
    theirs.modulus = 97;
    expect_refusal(&ours, &theirs, "0x1fffffffffffffff", "0x61");
    theirs = ours;
    theirs.window /= 2;
    expect_refusal(&ours, &theirs, "window", "0x40000");
    theirs = ours;
    theirs.ahead = 0;
    expect_refusal(&ours, &theirs, "ahead", "0x0");
    theirs = ours;
    strcpy(theirs.options, "from the start until the end, history 10, strict");
    expect_refusal(&ours, &theirs, "from main", "strict");
}

/* ---- positions ---- */

static bool take_ask(const struct tcgrr_message *message, void *data, GError **error)
{
    return tcgrr_take_ask(message, data, error);
}

static void put_and_take_ask(const struct tcgrr_position_plan *plan, bool good)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_position_plan taken;
    GError *error = NULL;

    tcgrr_put_ask(payload, plan);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_ASK, payload);
    if (!good) {
        expect_refused(tcgrr_take_ask(&message, &taken, &error), &error);
        return;
    }
    expect_whole(TCGRR_MESSAGE_ASK, payload, take_ask, &taken);
    assert_int_equal(taken.serial, plan->serial);
    assert_int_equal(taken.from, plan->from);
    assert_int_equal(taken.to, plan->to);
    assert_int_equal(taken.from_stride, plan->from_stride);
    assert_int_equal(taken.to_stride, plan->to_stride);
    assert_int_equal(taken.count, plan->count);
    assert_int_equal(taken.watches, plan->watches);
    assert_int_equal(taken.watch, plan->watch);
}

static void test_ask(void **state)
{
    put_and_take_ask(&(struct tcgrr_position_plan){1, 0, STEP, 0, STEP, 64, false, 0}, true);
    put_and_take_ask(&(struct tcgrr_position_plan){2, 1000, 1000 + STEP, STEP, STEP, 1, true, UINT64_MAX}, true);
    put_and_take_ask(&(struct tcgrr_position_plan){2, 0, UINT64_C(1) << 62, 0, STEP, 1, false, 0}, true);
    /* nothing asked, backwards, too far, too long, parts that grow */
    put_and_take_ask(&(struct tcgrr_position_plan){2, 0, STEP, 0, STEP, 0, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_position_plan){2, STEP, STEP - 1, STEP, STEP, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_position_plan){2, 0, (UINT64_C(1) << 62) + 1, 0, STEP, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_position_plan){2, 1, 2 + TCGRR_MAX_PART, STEP, STEP, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_position_plan){2, 1, STEP, 1, STEP, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_position_plan){2, 0, STEP, 0, UINT64_C(1) << 31, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_position_plan){2, 0, STEP, 0, STEP, 1u << 30, false, 0}, false);
}

struct positions_test {
    struct tcgrr_position_plan plan;
    struct tcgrr_positions positions;
};

static bool take_positions(const struct tcgrr_message *message, void *data, GError **error)
{
    struct positions_test *test = data;
    return tcgrr_take_positions(message, &test->plan, &test->positions, error);
}

static void add_position(GArray *list, enum tcgrr_run_source_state end, tcgrr_icount icount, uint64_t flow, bool found,
                         tcgrr_icount first)
{
    struct tcgrr_planned_position planned = {{end, icount, flow}, found, first};
    g_array_append_val(list, planned);
}

static void test_positions(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_position_plan plan = {7, 1000, 1000 + STEP, STEP, STEP, 20, true, 0x1000};
    struct tcgrr_positions put = {7, 3, g_array_new(FALSE, FALSE, sizeof(struct tcgrr_planned_position))};
    struct positions_test test = {plan, {.list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_planned_position))}};

    add_position(put.list, TCGRR_SOURCE_REACHED, 1000 + 4 * STEP, 1, false, 0);
    add_position(put.list, TCGRR_SOURCE_REACHED, 1000 + 5 * STEP, TCGRR_DIGEST_MODULUS - 1, true, 1000 + 4 * STEP);
    add_position(put.list, TCGRR_SOURCE_SHUTDOWN, 1100 + 5 * STEP, 3, true, 1099 + 5 * STEP);
    tcgrr_put_positions(payload, &plan, &put);
    expect_whole(TCGRR_MESSAGE_POSITIONS, payload, take_positions, &test);
    assert_int_equal(test.positions.first, 3);
    assert_int_equal(test.positions.list->len, 3);
    for (guint i = 0; i < 3; i++) {
        const struct tcgrr_planned_position *one = &g_array_index(put.list, struct tcgrr_planned_position, i);
        const struct tcgrr_planned_position *other =
            &g_array_index(test.positions.list, struct tcgrr_planned_position, i);
        assert_int_equal(one->position.state, other->position.state);
        assert_int_equal(one->position.icount, other->position.icount);
        assert_int_equal(one->position.flow, other->position.flow);
        assert_int_equal(one->found, other->found);
        if (one->found) {
            assert_int_equal(one->first, other->first);
        }
    }
    /* Those of a plan that was given up are passed over. */
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_POSITIONS, payload);
    test.plan.serial = 8;
    assert_true(take_positions(&message, &test, NULL));
    assert_int_equal(test.positions.list->len, 0);
    g_array_unref(put.list);
    g_array_unref(test.positions.list);
}

/* Positions that are no such: `planned` alone, of a plan that asks for `count`. */
static void refuse_positions(struct tcgrr_planned_position planned, uint32_t count)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_position_plan plan = {7, 0, STEP, 0, STEP, count, false, 0};
    struct tcgrr_positions put = {7, 0, g_array_new(FALSE, FALSE, sizeof(struct tcgrr_planned_position))};
    GError *error = NULL;

    g_array_append_val(put.list, planned);
    tcgrr_put_positions(payload, &plan, &put);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_POSITIONS, payload);
    expect_refused(tcgrr_take_positions(&message, &plan, &put, &error), &error);
    g_array_unref(put.list);
}

static void test_bad_positions(void **state)
{
    refuse_positions((struct tcgrr_planned_position){.position = {TCGRR_SOURCE_REACHED, STEP, TCGRR_DIGEST_MODULUS}},
                     1);
    refuse_positions((struct tcgrr_planned_position){.position = {TCGRR_SOURCE_REACHED, STEP - 1, 0}}, 1);
    refuse_positions((struct tcgrr_planned_position){.position = {TCGRR_SOURCE_STOPPED + 1, STEP, 0}}, 1);
    refuse_positions((struct tcgrr_planned_position){.position = {TCGRR_SOURCE_REACHED, STEP, 0}}, 0);
}

static void test_small_messages(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_message message;
    uint32_t serial, count;
    struct tcgrr_part part;
    bool found;
    uint64_t pc;
    tcgrr_icount icount;
    GError *error = NULL;

    tcgrr_put_more(payload, UINT32_MAX, 500);
    message = message_of(TCGRR_MESSAGE_MORE, payload);
    assert_true(tcgrr_take_more(&message, &serial, &count, NULL));
    assert_int_equal(serial, UINT32_MAX);
    assert_int_equal(count, 500);

    g_byte_array_set_size(payload, 0);
    tcgrr_put_find(payload, UINT64_MAX - 3, &(struct tcgrr_part){100, 200});
    message = message_of(TCGRR_MESSAGE_FIND_ASK, payload);
    assert_true(tcgrr_take_find(&message, &pc, &part, NULL));
    assert_int_equal(pc, UINT64_MAX - 3);
    assert_int_equal(part.from, 100);
    assert_int_equal(part.to, 200);

    const tcgrr_icount places[] = {99, 100, 199, 200};
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_byte_array_set_size(payload, 0);
        tcgrr_put_found(payload, true, places[i]);
        message = message_of(TCGRR_MESSAGE_FOUND, payload);
        bool good = tcgrr_take_found(&message, &part, &found, &icount, &error);
        assert_int_equal(good, i == 1 || i == 2);
        g_clear_error(&error);
    }
    g_byte_array_set_size(payload, 0);
    tcgrr_put_part(payload, &(struct tcgrr_part){0, TCGRR_MAX_PART + 1});
    message = message_of(TCGRR_MESSAGE_STRETCH_ASK, payload);
    expect_refused(tcgrr_take_part(&message, &part, &error), &error);
}

/* ---- the end ---- */

static bool take_epilogue(const struct tcgrr_message *message, void *data, GError **error)
{
    struct tcgrr_epilogue *epilogue = data;
    g_clear_pointer(&epilogue->symbols, tcgrr_symbols_free);
    return tcgrr_take_epilogue(message, epilogue, error);
}

static void test_epilogue(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_epilogue put = {.exit = "signal 9 (Killed)", .words = "qemu: no", .symbols = tcgrr_symbols_new()};
    struct tcgrr_epilogue taken = {0};

    tcgrr_symbols_add(put.symbols, &(struct tcgrr_symbol){.address = 0xffff000000001000, .size = 16, .name = "main"});
    tcgrr_put_epilogue(payload, &put);
    expect_whole(TCGRR_MESSAGE_EPILOGUE, payload, take_epilogue, &taken);
    assert_string_equal(taken.exit, put.exit);
    assert_string_equal(taken.words, put.words);
    g_autofree char *name = tcgrr_symbols_name(taken.symbols, 0xffff000000001004);
    assert_string_equal(name, "main+0x4");
    tcgrr_symbols_free(put.symbols);
    tcgrr_symbols_free(taken.symbols);
}

/* ---- the rr log, and the machine ---- */

static bool take_log(const struct tcgrr_message *message, void *data, GError **error)
{
    return tcgrr_take_log(message, data, error);
}

static void test_log(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    const struct tcgrr_log_news put = {
        .bytes = (const uint8_t *)"\xe0\x20\x0c", .size = 3, .over = true, .translated = true, .asked_after = 12345};
    struct tcgrr_log_news taken;

    tcgrr_put_log(payload, &put);
    expect_whole(TCGRR_MESSAGE_LOG, payload, take_log, &taken);
    assert_true(taken.over && taken.translated);
    assert_int_equal(taken.asked_after, 12345);
    assert_int_equal(taken.size, 3);
    assert_memory_equal(taken.bytes, put.bytes, 3);
}

/* A machine with one file of this name is taken. */
static bool takes_file(const char *name)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_machine_file file = {.role = "rom", .xxh128 = "0123456789abcdef0123456789abcdef", .size = 512};
    struct tcgrr_machine put = {.machine = "virt-7.2", .cpu = "cortex-a57", .clock = "base=2026-01-01,clock=vm"};
    struct tcgrr_machine taken = {.files = g_array_new(FALSE, FALSE, sizeof(file))};

    put.files = g_array_new(FALSE, FALSE, sizeof(file));
    g_strlcpy(file.name, name, sizeof(file.name));
    g_array_append_val(put.files, file);
    tcgrr_put_machine(payload, &put);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_MACHINE, payload);
    bool good = tcgrr_take_machine(&message, &taken, NULL);
    assert_string_equal(taken.machine, put.machine);
    assert_string_equal(taken.cpu, put.cpu);
    assert_string_equal(taken.clock, put.clock);
    g_array_unref(put.files);
    g_array_unref(taken.files);
    return good;
}

/* What another side names is put into a folder of ours. */
static void test_machine(void **state)
{
    assert_true(takes_file("efi-virtio.rom"));
    assert_false(takes_file("../../etc/passwd"));
    assert_false(takes_file("a/b"));
    assert_false(takes_file(".."));
    assert_false(takes_file(""));
    assert_false(takes_file("x,if=none"));
}

/* Only files that there are, each once. */
static void test_answer(void **state)
{
    const uint32_t lists[][2] = {{0, 2}, {2, 0}, {1, 1}, {1, 3}};

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_autoptr(GByteArray) payload = g_byte_array_new();
        struct tcgrr_machine_answer put = {.has_it = true, .wanted = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
        struct tcgrr_machine_answer taken = {.wanted = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
        g_array_append_vals(put.wanted, lists[i], 2);
        tcgrr_put_answer(payload, &put);
        struct tcgrr_message message = message_of(TCGRR_MESSAGE_ANSWER, payload);
        assert_int_equal(tcgrr_take_answer(&message, 3, &taken, NULL), i == 0);
        g_array_unref(put.wanted);
        g_array_unref(taken.wanted);
    }
}

/* One log for both, unless what runs before comparing starts may differ. */
static void test_shared(void **state)
{
    struct tcgrr_description ours = some_description();
    struct tcgrr_description theirs = ours;

    assert_false(tcgrr_description_shared(&ours, &theirs));
    ours.shares = theirs.shares = true;
    assert_true(tcgrr_description_shared(&ours, &theirs));
    strcpy(theirs.qemu, "11.1.3");
    assert_false(tcgrr_description_shared(&ours, &theirs));
    ours.from = theirs.from = (struct tcgrr_position){0};
    assert_true(tcgrr_description_shared(&ours, &theirs));
    strcpy(theirs.icount, "3");
    expect_refusal(&ours, &theirs, "icount shift", "'3'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_texts_are_harmless),
        cmocka_unit_test(test_description_check),
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_bad_positions),
        cmocka_unit_test(test_small_messages),
        cmocka_unit_test(test_epilogue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
