/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples of the state on their way through the ring: they come out before the execution that they belong to, with its
 * exact count, and whatever is malformed is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "emu/live/live_internal.h"
#include "emu/plugin/ring.h"
#include "store/codec/codec_sample.h"
#include "store/error.h"
#include "tests/stream.h"

#define RING_BYTES (1u << 20)
#define CAPACITY   50
#define BLOCKS     8
#define NOP        0x00000013u
#define LARGE      65536u

struct fixture {
    struct tcgrr_live *live;
    struct tcgrr_ring ring;
    struct tcgrr_chunk *chunk;
};

static struct fixture *open_ring(void)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->live = tcgrr_live_new(RING_BYTES, NULL);
    assert_non_null(f->live);
    assert_null(tcgrr_ring_attach(&f->ring, dup(tcgrr_live_fd(f->live)), false));
    strcpy(f->ring.header->target, "riscv64");
    f->ring.header->api = 4;
    f->ring.header->system = 1;
    f->ring.header->vcpus = 1;
    f->ring.header->features = TCGRR_WIRE_STORES | TCGRR_WIRE_DISCON;
    atomic_store_explicit(&f->ring.header->state, TCGRR_WIRE_RUNNING, memory_order_release);
    f->chunk = tcgrr_chunk_new(CAPACITY);
    tcgrr_chunk_follow(f->chunk, NULL);
    return f;
}

static void close_ring(struct fixture *f)
{
    tcgrr_live_free(f->live);
    tcgrr_chunk_free(f->chunk);
    tcgrr_ring_close(&f->ring);
    g_free(f);
}

/* ---- the plugin's part ---- */

static uint64_t pc_of(uint32_t number)
{
    return 0x80000000u + 0x1000u * (uint64_t)number;
}

static void push_define(struct fixture *f, uint32_t number)
{
    uint32_t insns = 1 + number;
    struct tcgrr_wire_define define = {number, insns, (uint32_t)pc_of(number), 0, 4 * insns};
    uint32_t words = (uint32_t)(sizeof(define) + insns + define.size + 3) / 4;
    uint32_t *space = tcgrr_ring_space(&f->ring);
    uint8_t *content = (uint8_t *)(space + 1) + sizeof(define);

    space[0] = tcgrr_wire_word(TCGRR_WIRE_DEFINE, words);
    memcpy(space + 1, &define, sizeof(define));
    memset(content, 4, insns);
    for (uint32_t i = 0; i < insns; i++) {
        uint32_t word = NOP;
        memcpy(content + insns + 4 * i, &word, sizeof(word));
    }
    tcgrr_ring_publish(&f->ring, 1 + words);
}

static void push_register(struct fixture *f, const char *name, uint32_t size)
{
    uint32_t words = (uint32_t)(sizeof(uint32_t) + strlen(name) + 1 + 1 + 3) / 4;
    uint32_t *space = tcgrr_ring_space(&f->ring);
    memset(space, 0, (1 + words) * sizeof(*space));
    space[0] = tcgrr_wire_word(TCGRR_WIRE_REGISTER, words);
    space[1] = size;
    memcpy(space + 2, name, strlen(name));
    tcgrr_ring_publish(&f->ring, 1 + words);
}

static void push_value(struct fixture *f, uint32_t number, uint32_t offset, const void *value, uint32_t size)
{
    struct tcgrr_wire_value head = {number, offset, size};
    uint32_t words = (uint32_t)(sizeof(head) + size + 3) / 4;
    uint32_t *space = tcgrr_ring_space(&f->ring);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_VALUE, words);
    memcpy(space + 1, &head, sizeof(head));
    memcpy((uint8_t *)(space + 1) + sizeof(head), value, size);
    tcgrr_ring_publish(&f->ring, 1 + words);
}

static void push_sample(struct fixture *f, uint64_t stores)
{
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_SAMPLE, 0));
    tcgrr_ring_push(&f->ring, (uint32_t)stores);
    tcgrr_ring_push(&f->ring, (uint32_t)(stores >> 32));
}

/* Reads what is there: what is in the ring, then what is in the draft. */
static bool next(struct fixture *f, enum tcgrr_live_end *end, GError **error)
{
    bool good = true;
    for (int turn = 0; turn < 4 && good; turn++) {
        good = tcgrr_live_next(f->live, f->chunk, 0, end, error);
    }
    return good;
}

/* ---- what comes out ---- */

/* Samples before many executions, some of which are left early or lie at the end of a chunk; chunks are taken whenever
 * it pleases. */
static void test_places(void **state)
{
    struct fixture *f = open_ring();
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    uint64_t random = 1;
    g_autoptr(GArray) wanted = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_sample));
    g_autoptr(GArray) pcs = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    tcgrr_icount icount = 0;
    guint seen = 0;

    for (uint32_t number = 0; number < BLOCKS; number++) {
        push_define(f, number);
    }
    push_register(f, "x1", 8);
    for (uint32_t exec = 0; exec < 3000; exec++) {
        uint32_t number = stream_random(&random) % BLOCKS;
        bool early = number > 0 && exec + 1 < 3000 && stream_random(&random) % 7 == 0;
        tcgrr_ring_push(&f->ring, number);
        if (exec == 0 || stream_random(&random) % 3 == 0) {
            struct tcgrr_sample sample = {.icount = icount, .exec = exec, .stores = exec * 3};
            uint64_t pc = pc_of(number);
            uint64_t value = exec / 5;
            push_value(f, 0, 0, &value, 8);
            push_sample(f, sample.stores);
            g_array_append_val(wanted, sample);
            g_array_append_val(pcs, pc);
        }
        if (early) {
            tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_LEFT, number / 2));
        }
        icount += early ? number / 2 : 1 + number; /* the next one is elsewhere: what is at the mark did not retire */
    }
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    while (end == TCGRR_LIVE_RUNS) {
        struct tcgrr_sample_cursor cursor;
        assert_true(next(f, &end, NULL));
        for (bool more = tcgrr_sample_begin(&cursor, f->chunk->samples); more; more = tcgrr_sample_next(&cursor)) {
            const struct tcgrr_sample *sample = &g_array_index(wanted, struct tcgrr_sample, seen);
            uint64_t words[2];
            memcpy(words, cursor.image, sizeof(words));
            assert_true(seen < wanted->len && cursor.sample->exec < f->chunk->count);
            assert_int_equal(f->chunk->first_seq + cursor.sample->exec, sample->exec);
            assert_int_equal(cursor.sample->icount, sample->icount);
            assert_int_equal(cursor.sample->stores, sample->stores);
            assert_int_equal(words[0], g_array_index(pcs, uint64_t, seen));
            assert_int_equal(words[1], sample->exec / 5);
            seen++;
        }
        tcgrr_sample_end(&cursor);
        assert_true(f->chunk->samples->has_stores);
        assert_true(tcgrr_chunk_place_samples(f->chunk, tcgrr_live_blocks(f->live)));
        tcgrr_chunk_follow(f->chunk, f->chunk);
    }
    assert_int_equal(end, TCGRR_LIVE_FINISHED);
    assert_int_equal(seen, wanted->len);
    assert_int_equal(f->chunk->end_icount, icount);
    close_ring(f);
}

/* A register that takes several records, and one that no record could hold. */
static void test_large_register(void **state)
{
    struct fixture *f = open_ring();
    enum tcgrr_live_end end;
    struct tcgrr_sample_cursor cursor;
    g_autofree uint8_t *value = g_malloc(LARGE);
    uint64_t random = 5;

    for (uint32_t i = 0; i < LARGE; i++) {
        value[i] = (uint8_t)stream_random(&random);
    }
    push_define(f, 0);
    push_register(f, "za", LARGE);
    tcgrr_ring_push(&f->ring, 0);
    for (uint32_t at = 0; at < LARGE; at += TCGRR_WIRE_VALUE_BYTES) {
        push_value(f, 0, at, value + at, TCGRR_WIRE_VALUE_BYTES);
    }
    push_sample(f, 1);
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    assert_true(next(f, &end, NULL));
    assert_true(tcgrr_sample_begin(&cursor, f->chunk->samples));
    assert_memory_equal(cursor.image + 8, value, LARGE);
    tcgrr_sample_end(&cursor);
    close_ring(f);
}

/* A chunk ends early when its samples take too much memory, and the next one takes as many executions as ever. */
static void test_full(void **state)
{
    struct fixture *f = open_ring();
    enum tcgrr_live_end end;
    uint64_t samples = 0;

    push_define(f, 0);
    for (int i = 0; i < 15; i++) {
        push_register(f, "za", LARGE);
    }
    for (uint32_t exec = 0; exec < 2 * CAPACITY; exec++) {
        tcgrr_ring_push(&f->ring, 0);
        for (uint32_t number = 0; number < 15; number++) {
            push_value(f, number, 0, &exec, sizeof(exec));
        }
        push_sample(f, 1);
    }
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    for (end = TCGRR_LIVE_RUNS; end == TCGRR_LIVE_RUNS;) {
        assert_true(next(f, &end, NULL));
        assert_true(f->chunk->samples->changes->len <= TCGRR_SAMPLES_BYTES + TCGRR_MAX_STATE_BYTES + 100);
        assert_true(end != TCGRR_LIVE_RUNS || (f->chunk->count > 10 && f->chunk->count < CAPACITY));
        samples += f->chunk->samples->list->len;
        tcgrr_chunk_follow(f->chunk, f->chunk);
        assert_int_equal(f->chunk->capacity, CAPACITY);
    }
    assert_int_equal(samples, 2 * CAPACITY);
    close_ring(f);
}

static void test_names(void **state)
{
    struct fixture *f = open_ring();
    enum tcgrr_live_end end;

    push_define(f, 0);
    push_register(f, "a\033[2Jb c", 8);
    push_register(f, "twice", 4);
    push_register(f, "twice", 4);
    tcgrr_ring_push(&f->ring, 0);
    push_sample(f, 0);
    assert_true(next(f, &end, NULL));
    const struct tcgrr_register_table *registers = f->live->sampling.registers;
    assert_int_equal(tcgrr_register_table_count(registers), 4);
    assert_string_equal(tcgrr_register_table_get(registers, 0)->name, "pc");
    assert_string_equal(tcgrr_register_table_get(registers, 1)->name, "a_[2Jb_c");
    assert_string_equal(tcgrr_register_table_get(registers, 3)->name, "twice#2");
    close_ring(f);
}

static void test_step(void **state)
{
    struct fixture *f = open_ring();
    assert_int_equal(f->ring.header->sample_step, TCGRR_SAMPLE_STEP);
    tcgrr_live_set_sample_step(f->live, 1);
    assert_int_equal(f->ring.header->sample_step, 1);
    close_ring(f);
}

/* ---- what is refused ---- */

static void write_nameless(struct fixture *f)
{
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_REGISTER, 2));
    tcgrr_ring_push(&f->ring, 8);
    tcgrr_ring_push(&f->ring, 0x61616161);
}

static void write_empty_register(struct fixture *f)
{
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_REGISTER, 0));
}

static void write_huge_register(struct fixture *f)
{
    push_register(f, "huge", LARGE + 1);
}

static void write_late_register(struct fixture *f)
{
    tcgrr_ring_push(&f->ring, 0);
    push_sample(f, 0);
    push_register(f, "late", 8);
}

static void write_unknown_value(struct fixture *f)
{
    push_value(f, 1, 0, &(uint64_t){0}, 8);
}

static void write_long_value(struct fixture *f)
{
    push_value(f, 0, 1, &(uint64_t){0}, 8);
}

static void write_far_value(struct fixture *f)
{
    push_value(f, 0, UINT32_MAX, &(uint64_t){0}, 8);
}

static void write_short_value(struct fixture *f)
{
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_VALUE, 2));
    tcgrr_ring_push(&f->ring, 0);
    tcgrr_ring_push(&f->ring, 0);
}

static void write_lying_value(struct fixture *f)
{
    struct tcgrr_wire_value head = {0, 0, 8};
    uint32_t *space = tcgrr_ring_space(&f->ring);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_VALUE, 4);
    memcpy(space + 1, &head, sizeof(head));
    space[4] = 0;
    tcgrr_ring_publish(&f->ring, 5);
}

static void write_orphan(struct fixture *f)
{
    push_sample(f, 0);
}

static void write_twice(struct fixture *f)
{
    tcgrr_ring_push(&f->ring, 0);
    push_sample(f, 0);
    push_sample(f, 0);
}

static void test_malformed(void **state)
{
    static void (*const writers[])(struct fixture * f) = {
        write_nameless,      write_empty_register, write_huge_register, write_late_register,
        write_unknown_value, write_long_value,     write_far_value,     write_short_value,
        write_lying_value,   write_orphan,         write_twice,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(writers); i++) {
        struct fixture *f = open_ring();
        enum tcgrr_live_end end;
        GError *error = NULL;
        push_define(f, 0);
        push_register(f, "x1", 8);
        writers[i](f);
        if (next(f, &end, &error)) {
            fail_msg("writer %zu was taken", i);
        }
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
        g_error_free(error);
        close_ring(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places), cmocka_unit_test(test_large_register), cmocka_unit_test(test_full),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_step),           cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
