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
#include "tests/stream.h"

#define STEP TCGRR_CHECKPOINT_STEP

static struct tcgrr_message message_of(enum tcgrr_message_type type, const GByteArray *payload)
{
    assert_true(payload->len <= tcgrr_message_longest(type));
    return (struct tcgrr_message){type, payload->data, payload->len};
}

static void expect_refused(bool taken, GError **error)
{
    assert_false(taken);
    assert_true(g_error_matches(*error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_clear_error(error);
}

/* Takes a message; what it is compared with is in `data`. */
typedef bool (*take_function)(const struct tcgrr_message *message, void *data, GError **error);

/* What is cut off anywhere, or has something after it, is refused. */
static void expect_whole(enum tcgrr_message_type type, const GByteArray *payload, take_function take, void *data)
{
    struct tcgrr_message message = message_of(type, payload);
    GError *error = NULL;

    for (message.length = 0; message.length < payload->len; message.length++) {
        /* A copy of this length, so that a sanitizer sees reading past it. */
        g_autofree uint8_t *copy = g_memdup2(payload->data, message.length);
        message.payload = copy;
        expect_refused(take(&message, data, &error), &error);
    }
    g_autoptr(GByteArray) longer = g_byte_array_new();
    g_byte_array_append(longer, payload->data, payload->len);
    g_byte_array_append(longer, (const guint8 *)"", 1);
    message = (struct tcgrr_message){type, longer->data, longer->len};
    expect_refused(take(&message, data, &error), &error);
    message = message_of(type, payload);
    assert_true(take(&message, data, &error));
}

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
    struct tcgrr_description told = some_description();
    struct tcgrr_description heard;

    strcpy(told.source, "\033[2Jqemu\n\xc3\xa9");
    tcgrr_put_description(payload, &told);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_DESCRIPTION, payload);
    assert_true(tcgrr_take_description(&message, &heard, NULL));
    assert_string_equal(heard.source, "?[2Jqemu???");
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

static void put_and_take_ask(const struct tcgrr_plan *plan, bool good)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_plan taken;
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
    put_and_take_ask(&(struct tcgrr_plan){1, 0, STEP, 0, STEP, 64, false, 0}, true);
    put_and_take_ask(&(struct tcgrr_plan){2, 1000, 1000 + STEP, STEP, STEP, 1, true, UINT64_MAX}, true);
    put_and_take_ask(&(struct tcgrr_plan){2, 0, UINT64_C(1) << 62, 0, STEP, 1, false, 0}, true);
    /* nothing asked, backwards, too far, too long, parts that grow */
    put_and_take_ask(&(struct tcgrr_plan){2, 0, STEP, 0, STEP, 0, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_plan){2, STEP, STEP - 1, STEP, STEP, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_plan){2, 0, (UINT64_C(1) << 62) + 1, 0, STEP, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_plan){2, 1, 2 + TCGRR_MAX_PART, STEP, STEP, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_plan){2, 1, STEP, 1, STEP, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_plan){2, 0, STEP, 0, UINT64_C(1) << 31, 1, false, 0}, false);
    put_and_take_ask(&(struct tcgrr_plan){2, 0, STEP, 0, STEP, 1u << 30, false, 0}, false);
}

struct positions_test {
    struct tcgrr_plan plan;
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
    struct tcgrr_planned planned = {{end, icount, flow}, found, first};
    g_array_append_val(list, planned);
}

static void test_positions(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_plan plan = {7, 1000, 1000 + STEP, STEP, STEP, 20, true, 0x1000};
    struct tcgrr_positions told = {7, 3, g_array_new(FALSE, FALSE, sizeof(struct tcgrr_planned))};
    struct positions_test test = {plan, {.list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_planned))}};

    add_position(told.list, TCGRR_SOURCE_REACHED, 1000 + 4 * STEP, 1, false, 0);
    add_position(told.list, TCGRR_SOURCE_REACHED, 1000 + 5 * STEP, TCGRR_DIGEST_MODULUS - 1, true, 1000 + 4 * STEP);
    add_position(told.list, TCGRR_SOURCE_SHUTDOWN, 1100 + 5 * STEP, 3, true, 1099 + 5 * STEP);
    tcgrr_put_positions(payload, &plan, &told);
    expect_whole(TCGRR_MESSAGE_POSITIONS, payload, take_positions, &test);
    assert_int_equal(test.positions.first, 3);
    assert_int_equal(test.positions.list->len, 3);
    for (guint i = 0; i < 3; i++) {
        const struct tcgrr_planned *one = &g_array_index(told.list, struct tcgrr_planned, i);
        const struct tcgrr_planned *other = &g_array_index(test.positions.list, struct tcgrr_planned, i);
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
    g_array_unref(told.list);
    g_array_unref(test.positions.list);
}

/* Positions that are no such: `planned` alone, of a plan that asks for `count`. */
static void refuse_positions(struct tcgrr_planned planned, uint32_t count)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_plan plan = {7, 0, STEP, 0, STEP, count, false, 0};
    struct tcgrr_positions told = {7, 0, g_array_new(FALSE, FALSE, sizeof(struct tcgrr_planned))};
    GError *error = NULL;

    g_array_append_val(told.list, planned);
    tcgrr_put_positions(payload, &plan, &told);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_POSITIONS, payload);
    expect_refused(tcgrr_take_positions(&message, &plan, &told, &error), &error);
    g_array_unref(told.list);
}

static void test_bad_positions(void **state)
{
    refuse_positions((struct tcgrr_planned){.position = {TCGRR_SOURCE_REACHED, STEP, TCGRR_DIGEST_MODULUS}}, 1);
    refuse_positions((struct tcgrr_planned){.position = {TCGRR_SOURCE_REACHED, STEP - 1, 0}}, 1);
    refuse_positions((struct tcgrr_planned){.position = {TCGRR_SOURCE_STOPPED + 1, STEP, 0}}, 1);
    refuse_positions((struct tcgrr_planned){.position = {TCGRR_SOURCE_REACHED, STEP, 0}}, 0);
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

/* ---- stretches and results ---- */

struct sample {
    struct tcgrr_blocks *blocks;
    struct tcgrr_stretch stretch;
    struct tcgrr_part part;
};

static void append(struct sample *sample, uint64_t pc, uint32_t insns, uint32_t ran, uint32_t counted, tcgrr_vcpu vcpu)
{
    GArray *execs = sample->stretch.execs;
    struct tcgrr_exec exec = {.ran = ran, .counted = counted, .vcpu = vcpu, .icount = 10};
    exec.block = tcgrr_blocks_get(sample->blocks, stream_block(sample->blocks, pc, insns));
    if (execs->len > 0) {
        const struct tcgrr_exec *last = &g_array_index(execs, struct tcgrr_exec, execs->len - 1);
        exec.icount = last->icount + last->counted;
    }
    g_array_append_val(execs, exec);
}

static void make_sample(struct sample *sample)
{
    struct tcgrr_event interrupt = {.icount = 20,
                                    .vcpu = 1,
                                    .kind = TCGRR_EVENT_INTERRUPT,
                                    .inferred = true,
                                    .confirmed = true,
                                    .has_pcs = true,
                                    .from_pc = 0x1234,
                                    .to_pc = TCGRR_NO_PC};
    struct tcgrr_event call = {.icount = 22,
                               .kind = TCGRR_EVENT_SYSCALL,
                               .number = -5,
                               .result = -1,
                               .arguments = {1, 2, 3, 4, 5, 6, 7, UINT64_MAX}};

    sample->blocks = tcgrr_blocks_new();
    sample->part = (struct tcgrr_part){12, 40};
    tcgrr_stretch_init(&sample->stretch);
    append(sample, 0x1000, 5, 5, 5, 0);
    assert_true(tcgrr_blocks_set_text(sample->blocks, 0, "one\ntwo\nthree\nfour\nfive"));
    append(sample, 0x2000, 7, 3, 3, 0);
    append(sample, 0x1000, 5, 0, 0, 1);
    append(sample, 0x3000, 9, 8, 9, 1);
    append(sample, 0x1000, 5, 5, 5, 0);
    g_array_append_val(sample->stretch.events, interrupt);
    g_array_append_val(sample->stretch.events, call);
}

static void clear_sample(struct sample *sample)
{
    tcgrr_stretch_clear(&sample->stretch);
    tcgrr_blocks_free(sample->blocks);
}

static void assert_same_execs(const GArray *left, const GArray *right)
{
    assert_int_equal(left->len, right->len);
    for (guint i = 0; i < left->len; i++) {
        const struct tcgrr_exec *a = &g_array_index(left, struct tcgrr_exec, i);
        const struct tcgrr_exec *b = &g_array_index(right, struct tcgrr_exec, i);
        assert_int_equal(a->block->hash, b->block->hash);
        assert_string_equal(a->block->text ? a->block->text : "", b->block->text ? b->block->text : "");
        assert_int_equal(a->ran, b->ran);
        assert_int_equal(a->counted, b->counted);
        assert_int_equal(a->vcpu, b->vcpu);
        assert_int_equal(a->icount, b->icount);
    }
}

/* The other end of a stretch; without what it heard before, each time. */
struct stretch_test {
    struct tcgrr_part part;
    struct tcgrr_received_blocks heard;
    struct tcgrr_stretch stretch;
};

static bool take_stretch(const struct tcgrr_message *message, void *data, GError **error)
{
    struct stretch_test *test = data;
    tcgrr_received_blocks_clear(&test->heard);
    tcgrr_received_blocks_init(&test->heard);
    return tcgrr_take_stretch(message, &test->part, &test->heard, &test->stretch, error);
}

static void test_stretch(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct sample sample;
    struct stretch_test test = {0};
    struct tcgrr_sent_blocks told;

    make_sample(&sample);
    tcgrr_sent_blocks_init(&told);
    tcgrr_received_blocks_init(&test.heard);
    tcgrr_stretch_init(&test.stretch);
    test.part = sample.part;
    assert_true(tcgrr_stretch_fits(&sample.stretch, &sample.part));
    tcgrr_put_stretch(payload, &sample.stretch, &told);
    expect_whole(TCGRR_MESSAGE_STRETCH, payload, take_stretch, &test);
    assert_same_execs(sample.stretch.execs, test.stretch.execs);
    assert_int_equal(test.stretch.events->len, 2);
    struct tcgrr_event *events = (struct tcgrr_event *)test.stretch.events->data;
    assert_memory_equal(events, sample.stretch.events->data, 2 * sizeof(struct tcgrr_event));
    /* The second time the blocks are known. */
    guint first = payload->len;
    g_byte_array_set_size(payload, 0);
    tcgrr_put_stretch(payload, &sample.stretch, &told);
    assert_true(payload->len < first);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_STRETCH, payload);
    assert_true(tcgrr_take_stretch(&message, &test.part, &test.heard, &test.stretch, NULL));
    assert_same_execs(sample.stretch.execs, test.stretch.execs);
    tcgrr_stretch_clear(&test.stretch);
    tcgrr_received_blocks_clear(&test.heard);
    tcgrr_sent_blocks_clear(&told);
    clear_sample(&sample);
}

/* The sample, with something in it that cannot be. */
static void refuse_stretch(void (*spoil)(struct sample *sample))
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct sample sample;
    struct stretch_test test = {0};
    struct tcgrr_sent_blocks told;
    GError *error = NULL;

    make_sample(&sample);
    tcgrr_sent_blocks_init(&told);
    tcgrr_received_blocks_init(&test.heard);
    tcgrr_stretch_init(&test.stretch);
    test.part = sample.part;
    spoil(&sample);
    tcgrr_put_stretch(payload, &sample.stretch, &told);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_STRETCH, payload);
    expect_refused(take_stretch(&message, &test, &error), &error);
    tcgrr_stretch_clear(&test.stretch);
    tcgrr_received_blocks_clear(&test.heard);
    tcgrr_sent_blocks_clear(&told);
    clear_sample(&sample);
}

static struct tcgrr_exec *exec_of(struct sample *sample, guint index)
{
    return &g_array_index(sample->stretch.execs, struct tcgrr_exec, index);
}

static struct tcgrr_event *event_of(struct sample *sample, guint index)
{
    return &g_array_index(sample->stretch.events, struct tcgrr_event, index);
}

static void spoil_counted(struct sample *sample)
{
    exec_of(sample, 1)->counted = 2;
}
static void spoil_ran(struct sample *sample)
{
    exec_of(sample, 1)->ran = 8;
}
static void spoil_vcpu(struct sample *sample)
{
    exec_of(sample, 1)->vcpu = 65536;
}
static void spoil_before(struct sample *sample)
{
    exec_of(sample, 0)->icount = 3;
}
static void spoil_behind(struct sample *sample)
{
    exec_of(sample, 0)->icount = 38;
}
static void spoil_kind(struct sample *sample)
{
    event_of(sample, 0)->kind = TCGRR_EVENT_KIND_COUNT;
}
static void spoil_event_before(struct sample *sample)
{
    event_of(sample, 0)->icount = 11;
}
static void spoil_event_behind(struct sample *sample)
{
    event_of(sample, 1)->icount = 41;
}
static void spoil_event_order(struct sample *sample)
{
    event_of(sample, 1)->icount = 19;
}

/* A text with another number of lines than its block has instructions. */
static void spoil_text(struct sample *sample)
{
    ((struct tcgrr_block *)exec_of(sample, 1)->block)->text = "one\ntwo";
}

static void test_bad_stretches(void **state)
{
    void (*const spoils[])(struct sample *) = {spoil_counted,     spoil_ran,  spoil_vcpu,         spoil_before,
                                               spoil_behind,      spoil_kind, spoil_event_before, spoil_event_behind,
                                               spoil_event_order, spoil_text};
    for (size_t i = 0; i < G_N_ELEMENTS(spoils); i++) {
        refuse_stretch(spoils[i]);
    }
}

/* A block of a size that no QEMU makes, and a block that was never told of. */
static void test_bad_blocks(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct stretch_test test = {.part = {0, 10}};
    struct tcgrr_message message;
    GError *error = NULL;

    tcgrr_stretch_init(&test.stretch);
    tcgrr_put_number(payload, 1);
    tcgrr_put_number(payload, 0);
    tcgrr_put_number(payload, 1 << 2);
    tcgrr_put_number(payload, 0);
    message = message_of(TCGRR_MESSAGE_STRETCH, payload);
    expect_refused(take_stretch(&message, &test, &error), &error);

    static const uint32_t insns[] = {0, TCGRR_MAX_INSNS, TCGRR_MAX_INSNS + 1};
    for (size_t i = 0; i < G_N_ELEMENTS(insns); i++) {
        g_byte_array_set_size(payload, 0);
        tcgrr_put_number(payload, 1);
        tcgrr_put_number(payload, 0);
        tcgrr_put_number(payload, 0);
        tcgrr_put_fixed(payload, 0x1000);
        tcgrr_put_number(payload, insns[i]);
        guint at = payload->len;
        g_byte_array_set_size(payload, at + insns[i] * 101);
        memset(payload->data + at, 100, insns[i] * 101);
        tcgrr_put_text(payload, "");
        tcgrr_put_number(payload, 0);
        message = message_of(TCGRR_MESSAGE_STRETCH, payload);
        expect_refused(take_stretch(&message, &test, &error), &error);
    }
    tcgrr_stretch_clear(&test.stretch);
    tcgrr_received_blocks_clear(&test.heard);
}

static void test_memory_is_bounded(void **state)
{
    struct stretch_test test = {.part = {0, 4096}};
    g_autoptr(GByteArray) payload = g_byte_array_new();
    GError *error = NULL;
    bool good = true;
    uint64_t pc = 0;

    tcgrr_received_blocks_init(&test.heard);
    tcgrr_stretch_init(&test.stretch);
    test.heard.bytes = TCGRR_MAX_HEARD - 1000000; /* as if so much had come before */
    for (int i = 0; i < 200 && good; i++, pc += 0x100000) {
        g_byte_array_set_size(payload, 0);
        tcgrr_put_number(payload, 1);
        tcgrr_put_number(payload, 0);
        tcgrr_put_number(payload, 0);
        tcgrr_put_fixed(payload, pc);
        tcgrr_put_number(payload, TCGRR_MAX_INSNS);
        guint at = payload->len;
        g_byte_array_set_size(payload, at + 5 * TCGRR_MAX_INSNS);
        memset(payload->data + at, 4, 5 * TCGRR_MAX_INSNS);
        tcgrr_put_text(payload, "");
        tcgrr_put_number(payload, 0);
        struct tcgrr_message message = message_of(TCGRR_MESSAGE_STRETCH, payload);
        good = tcgrr_take_stretch(&message, &test.part, &test.heard, &test.stretch, &error);
        assert_true(good || i > 40);
    }
    expect_refused(good, &error);
    tcgrr_stretch_clear(&test.stretch);
    tcgrr_received_blocks_clear(&test.heard);
}

static bool take_result(const struct tcgrr_message *message, void *data, GError **error)
{
    struct tcgrr_comparison *comparison = data;
    struct tcgrr_received_blocks heard;
    tcgrr_received_blocks_init(&heard);
    bool good = tcgrr_take_result(message, &heard, comparison, error);
    if (good) {
        tcgrr_comparison_clear(comparison);
    }
    tcgrr_received_blocks_clear(&heard);
    return good;
}

static void assert_same_comparison(const struct tcgrr_comparison *taken, const struct tcgrr_comparison *put)
{
    assert_int_equal(taken->start[1], put->start[1]);
    assert_int_equal(taken->compared, put->compared);
    assert_int_equal(taken->surplus[1], put->surplus[1]);
    assert_int_equal(taken->ends[1], put->ends[1]);
    assert_int_equal(taken->diverged, put->diverged);
    assert_int_equal(taken->kind, put->kind);
    assert_int_equal(taken->icount, put->icount);
    assert_int_equal(taken->vcpu, put->vcpu);
    assert_string_equal(taken->note, put->note);
    assert_memory_equal(taken->tolerated, put->tolerated, sizeof(taken->tolerated));
    assert_int_equal(taken->differing, put->differing);
    assert_int_equal(taken->places->len, put->places->len);
    assert_memory_equal(taken->places->data, put->places->data, put->places->len * sizeof(struct tcgrr_tolerated));
    assert_same_execs(taken->common, put->common);
    for (int i = 0; i < 2; i++) {
        const struct tcgrr_divergence_side *one = &taken->sides[i];
        const struct tcgrr_divergence_side *other = &put->sides[i];
        assert_int_equal(one->there, other->there);
        assert_int_equal(one->icount, other->icount);
        assert_int_equal(one->insn, other->insn);
        assert_int_equal(one->pc, other->pc);
        assert_same_execs(one->history, other->history);
        assert_int_equal(one->events->len, other->events->len);
        assert_memory_equal(one->events->data, other->events->data, other->events->len * sizeof(struct tcgrr_event));
    }
}

static void test_result(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_comparison taken, comparison = {.start = {5, 6},
                                                 .compared = 77,
                                                 .surplus = {0, 3},
                                                 .ends = {TCGRR_SOURCE_REACHED, TCGRR_SOURCE_HUNG},
                                                 .diverged = true,
                                                 .kind = TCGRR_DIVERGENCE_HUNG,
                                                 .icount = 82,
                                                 .vcpu = 1,
                                                 .tolerated = {3, 0, 1},
                                                 .differing = 9,
                                                 .note = "a note"};
    const struct tcgrr_tolerated place = {.kind = TCGRR_TOLERATED_TRANSIENT,
                                          .reasons = TCGRR_REASON_CLOCK,
                                          .icount = {30, 31},
                                          .pc = 0x1004,
                                          .from_pc = {TCGRR_NO_PC, 0x2000},
                                          .insns = {4, 5}};
    struct sample sample;
    struct tcgrr_sent_blocks told;
    struct tcgrr_received_blocks heard;

    make_sample(&sample);
    tcgrr_sent_blocks_init(&told);
    tcgrr_received_blocks_init(&heard);
    comparison.common = sample.stretch.execs;
    comparison.sides[0] = (struct tcgrr_divergence_side){.there = true,
                                                         .icount = 82,
                                                         .exec = *exec_of(&sample, 1),
                                                         .insn = 2,
                                                         .pc = tcgrr_block_pc(exec_of(&sample, 1)->block, 2),
                                                         .history = sample.stretch.execs,
                                                         .events = sample.stretch.events};
    comparison.sides[1] = (struct tcgrr_divergence_side){
        .icount = 83, .history = g_array_new(TRUE, FALSE, 1), .events = g_array_new(TRUE, FALSE, 1)};
    comparison.places = g_array_new(FALSE, FALSE, sizeof(place));
    g_array_append_val(comparison.places, place);
    tcgrr_put_result(payload, &comparison, &told);
    expect_whole(TCGRR_MESSAGE_RESULT, payload, take_result, &taken);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_RESULT, payload);
    assert_true(tcgrr_take_result(&message, &heard, &taken, NULL));
    assert_same_comparison(&taken, &comparison);
    tcgrr_comparison_clear(&taken);
    g_array_unref(comparison.places);
    g_array_unref(comparison.sides[1].history);
    g_array_unref(comparison.sides[1].events);
    tcgrr_received_blocks_clear(&heard);
    tcgrr_sent_blocks_clear(&told);
    clear_sample(&sample);
}

static bool take_epilogue(const struct tcgrr_message *message, void *data, GError **error)
{
    struct tcgrr_epilogue *epilogue = data;
    g_clear_pointer(&epilogue->symbols, tcgrr_symbols_free);
    return tcgrr_take_epilogue(message, epilogue, error);
}

static void test_epilogue(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_epilogue told = {.exit = "signal 9 (Killed)", .words = "qemu: no", .symbols = tcgrr_symbols_new()};
    struct tcgrr_epilogue heard = {0};

    tcgrr_symbols_add(told.symbols, &(struct tcgrr_symbol){.address = 0xffff000000001000, .size = 16, .name = "main"});
    tcgrr_put_epilogue(payload, &told);
    expect_whole(TCGRR_MESSAGE_EPILOGUE, payload, take_epilogue, &heard);
    assert_string_equal(heard.exit, told.exit);
    assert_string_equal(heard.words, told.words);
    g_autofree char *name = tcgrr_symbols_name(heard.symbols, 0xffff000000001004);
    assert_string_equal(name, "main+0x4");
    tcgrr_symbols_free(told.symbols);
    tcgrr_symbols_free(heard.symbols);
}

/* ---- the rr log, and the machine ---- */

static bool take_log(const struct tcgrr_message *message, void *data, GError **error)
{
    return tcgrr_take_log(message, data, error);
}

static void test_log(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    const struct tcgrr_log_news told = {
        .bytes = (const uint8_t *)"\xe0\x20\x0c", .size = 3, .over = true, .translated = true, .asked_after = 12345};
    struct tcgrr_log_news heard;

    tcgrr_put_log(payload, &told);
    expect_whole(TCGRR_MESSAGE_LOG, payload, take_log, &heard);
    assert_true(heard.over && heard.translated);
    assert_int_equal(heard.asked_after, 12345);
    assert_int_equal(heard.size, 3);
    assert_memory_equal(heard.bytes, told.bytes, 3);
}

/* A machine with one file of this name is taken. */
static bool takes_file(const char *name)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_machine_file file = {.role = "rom", .xxh128 = "0123456789abcdef0123456789abcdef", .size = 512};
    struct tcgrr_machine told = {.machine = "virt-7.2", .cpu = "cortex-a57", .clock = "base=2026-01-01,clock=vm"};
    struct tcgrr_machine heard = {.files = g_array_new(FALSE, FALSE, sizeof(file))};

    told.files = g_array_new(FALSE, FALSE, sizeof(file));
    g_strlcpy(file.name, name, sizeof(file.name));
    g_array_append_val(told.files, file);
    tcgrr_put_machine(payload, &told);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_MACHINE, payload);
    bool good = tcgrr_take_machine(&message, &heard, NULL);
    assert_string_equal(heard.machine, told.machine);
    assert_string_equal(heard.cpu, told.cpu);
    assert_string_equal(heard.clock, told.clock);
    g_array_unref(told.files);
    g_array_unref(heard.files);
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
        struct tcgrr_machine_answer told = {.has_it = true, .wanted = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
        struct tcgrr_machine_answer heard = {.wanted = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
        g_array_append_vals(told.wanted, lists[i], 2);
        tcgrr_put_answer(payload, &told);
        struct tcgrr_message message = message_of(TCGRR_MESSAGE_ANSWER, payload);
        assert_int_equal(tcgrr_take_answer(&message, 3, &heard, NULL), i == 0);
        g_array_unref(told.wanted);
        g_array_unref(heard.wanted);
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
        cmocka_unit_test(test_stretch),
        cmocka_unit_test(test_bad_stretches),
        cmocka_unit_test(test_bad_blocks),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_epilogue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
