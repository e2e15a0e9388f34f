/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stretches and results that two tcgrr send each other: what is put in comes out, and nothing else is taken. */
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
#include "tests/stream.h"

#define STEP TCGRR_CHECKPOINT_STEP

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

/* The other end of a stretch; without what it received before, each time. */
struct stretch_test {
    struct tcgrr_part part;
    struct tcgrr_received_blocks received;
    struct tcgrr_stretch stretch;
};

static bool take_stretch(const struct tcgrr_message *message, void *data, GError **error)
{
    struct stretch_test *test = data;
    tcgrr_received_blocks_clear(&test->received);
    tcgrr_received_blocks_init(&test->received);
    return tcgrr_take_stretch(message, &test->part, &test->received, &test->stretch, error);
}

static void test_stretch(void **state)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct sample sample;
    struct stretch_test test = {0};
    struct tcgrr_sent_blocks sent;

    make_sample(&sample);
    tcgrr_sent_blocks_init(&sent);
    tcgrr_received_blocks_init(&test.received);
    tcgrr_stretch_init(&test.stretch);
    test.part = sample.part;
    assert_true(tcgrr_stretch_fits(&sample.stretch, &sample.part));
    tcgrr_put_stretch(payload, &sample.stretch, &sent);
    expect_whole(TCGRR_MESSAGE_STRETCH, payload, take_stretch, &test);
    assert_same_execs(sample.stretch.execs, test.stretch.execs);
    assert_int_equal(test.stretch.events->len, 2);
    struct tcgrr_event *events = (struct tcgrr_event *)test.stretch.events->data;
    assert_memory_equal(events, sample.stretch.events->data, 2 * sizeof(struct tcgrr_event));
    /* The second time the blocks are known. */
    guint first = payload->len;
    g_byte_array_set_size(payload, 0);
    tcgrr_put_stretch(payload, &sample.stretch, &sent);
    assert_true(payload->len < first);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_STRETCH, payload);
    assert_true(tcgrr_take_stretch(&message, &test.part, &test.received, &test.stretch, NULL));
    assert_same_execs(sample.stretch.execs, test.stretch.execs);
    tcgrr_stretch_clear(&test.stretch);
    tcgrr_received_blocks_clear(&test.received);
    tcgrr_sent_blocks_clear(&sent);
    clear_sample(&sample);
}

/* The sample, with something in it that cannot be. */
static void refuse_stretch(void (*spoil)(struct sample *sample))
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct sample sample;
    struct stretch_test test = {0};
    struct tcgrr_sent_blocks sent;
    GError *error = NULL;

    make_sample(&sample);
    tcgrr_sent_blocks_init(&sent);
    tcgrr_received_blocks_init(&test.received);
    tcgrr_stretch_init(&test.stretch);
    test.part = sample.part;
    spoil(&sample);
    tcgrr_put_stretch(payload, &sample.stretch, &sent);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_STRETCH, payload);
    expect_refused(take_stretch(&message, &test, &error), &error);
    tcgrr_stretch_clear(&test.stretch);
    tcgrr_received_blocks_clear(&test.received);
    tcgrr_sent_blocks_clear(&sent);
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

/* A block of a size that no QEMU makes, and a block that was never sent of. */
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
    tcgrr_received_blocks_clear(&test.received);
}

static void test_memory_is_bounded(void **state)
{
    struct stretch_test test = {.part = {0, 4096}};
    g_autoptr(GByteArray) payload = g_byte_array_new();
    GError *error = NULL;
    bool good = true;
    uint64_t pc = 0;

    tcgrr_received_blocks_init(&test.received);
    tcgrr_stretch_init(&test.stretch);
    test.received.bytes = TCGRR_MAX_HEARD - 1000000; /* as if so much had come before */
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
        good = tcgrr_take_stretch(&message, &test.part, &test.received, &test.stretch, &error);
        assert_true(good || i > 40);
    }
    expect_refused(good, &error);
    tcgrr_stretch_clear(&test.stretch);
    tcgrr_received_blocks_clear(&test.received);
}

static bool take_result(const struct tcgrr_message *message, void *data, GError **error)
{
    struct tcgrr_comparison *comparison = data;
    struct tcgrr_received_blocks received;
    tcgrr_received_blocks_init(&received);
    bool good = tcgrr_take_result(message, &received, comparison, error);
    if (good) {
        tcgrr_comparison_clear(comparison);
    }
    tcgrr_received_blocks_clear(&received);
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
    struct tcgrr_sent_blocks sent;
    struct tcgrr_received_blocks received;

    make_sample(&sample);
    tcgrr_sent_blocks_init(&sent);
    tcgrr_received_blocks_init(&received);
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
    tcgrr_put_result(payload, &comparison, &sent);
    expect_whole(TCGRR_MESSAGE_RESULT, payload, take_result, &taken);
    struct tcgrr_message message = message_of(TCGRR_MESSAGE_RESULT, payload);
    assert_true(tcgrr_take_result(&message, &received, &taken, NULL));
    assert_same_comparison(&taken, &comparison);
    tcgrr_comparison_clear(&taken);
    g_array_unref(comparison.places);
    g_array_unref(comparison.sides[1].history);
    g_array_unref(comparison.sides[1].events);
    tcgrr_received_blocks_clear(&received);
    tcgrr_sent_blocks_clear(&sent);
    clear_sample(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stretch),    cmocka_unit_test(test_bad_stretches),
        cmocka_unit_test(test_bad_blocks), cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
