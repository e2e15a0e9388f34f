/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory accesses in the ring come out tied to the right instruction, once, and only those that count; whatever is
 * malformed is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "emu/live/intake.h"
#include "emu/live/live_internal.h"
#include "emu/plugin/ring.h"
#include "store/error.h"

#define RING_BYTES (1u << 20)
#define CAPACITY   1000
#define INSNS      4
#define PC         0x80000000u
#define LOAD       0x0005a503u /* lw a0, 0(a1) */

struct fixture {
    struct tcgrr_live *live;
    struct tcgrr_ring ring;
    struct tcgrr_chunk *chunk;
    enum tcgrr_live_end end;
};

static uint64_t pc_of(uint32_t block)
{
    return PC + 0x1000u * block;
}

/* A block of four loads. */
static void push_define(struct fixture *f, uint32_t number, uint32_t insns)
{
    struct tcgrr_wire_define define = {number, insns, (uint32_t)pc_of(number), 0, 4 * insns};
    uint32_t words = (uint32_t)(sizeof(define) + insns + define.size + 3) / 4;
    uint32_t *space = tcgrr_ring_space(&f->ring);
    uint8_t *content = (uint8_t *)(space + 1) + sizeof(define);

    space[0] = tcgrr_wire_word(TCGRR_WIRE_DEFINE, words);
    memcpy(space + 1, &define, sizeof(define));
    memset(content, 4, insns);
    for (uint32_t i = 0; i < insns; i++) {
        uint32_t word = LOAD;
        memcpy(content + insns + 4 * i, &word, sizeof(word));
    }
    tcgrr_ring_publish(&f->ring, 1 + words);
}

static void push(struct fixture *f, uint32_t word)
{
    tcgrr_ring_push(&f->ring, word);
}

static void push_page(struct fixture *f, uint64_t page, uint64_t offset, uint32_t device)
{
    push(f, tcgrr_wire_word(TCGRR_WIRE_PAGE, tcgrr_wire_page_slot(page)));
    uint32_t words[] = {(uint32_t)page, (uint32_t)(page >> 32), (uint32_t)offset, (uint32_t)(offset >> 32), device};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        push(f, words[i]);
    }
}

/* Four bytes at `address`, whose page was pushed. */
static void push_access(struct fixture *f, uint32_t insn, uint32_t bits, uint64_t address, uint32_t value)
{
    push(f, tcgrr_wire_word(TCGRR_WIRE_ACCESS, insn | bits | 2u << TCGRR_WIRE_ACCESS_SIZE | TCGRR_WIRE_ACCESS_VALUE));
    push(f, tcgrr_wire_page_slot(address) << 12 | (uint32_t)(address & 0xfff));
    push(f, value);
}

static void push_rerun(struct fixture *f, uint32_t number)
{
    push(f, tcgrr_wire_word(TCGRR_WIRE_EVENT, TCGRR_WIRE_RERUN | 3 << 8));
    push(f, 0);
    push(f, number);
    push(f, 0);
}

static struct fixture *open_ring(const struct tcgrr_window *window)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->live = tcgrr_live_new(RING_BYTES, NULL);
    assert_non_null(f->live);
    tcgrr_live_want_accesses(f->live, window);
    assert_null(tcgrr_ring_attach(&f->ring, dup(tcgrr_live_fd(f->live)), false));
    f->chunk = tcgrr_chunk_new(CAPACITY);
    tcgrr_chunk_follow(f->chunk, NULL);
    strcpy(f->ring.header->target, "riscv64");
    f->ring.header->api = 7;
    f->ring.header->system = 1;
    f->ring.header->vcpus = 1;
    f->ring.header->features = TCGRR_WIRE_DISCON;
    atomic_store_explicit(&f->ring.header->state, TCGRR_WIRE_RUNNING, memory_order_release);
    for (uint32_t number = 0; number < 4; number++) {
        push_define(f, number, INSNS);
    }
    push_define(f, 4, 1); /* QEMU's repetition of an access is in a block of one */
    push_page(f, 0x5000, 0x10000, 0);
    return f;
}

static const struct tcgrr_window whole = {.until = UINT64_MAX};

static void close_ring(struct fixture *f)
{
    tcgrr_live_free(f->live);
    tcgrr_chunk_free(f->chunk);
    tcgrr_ring_close(&f->ring);
    g_free(f);
}

static void finish(struct fixture *f)
{
    GError *error = NULL;
    push(f, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    if (!tcgrr_live_next(f->live, f->chunk, 1000, &f->end, &error)) {
        fail_msg("%s", error->message);
    }
    assert_int_equal(f->end, TCGRR_LIVE_FINISHED);
}

static const struct tcgrr_access *access_at(const struct fixture *f, guint index)
{
    assert_in_range(index, 0, f->chunk->accesses->len - 1);
    return &g_array_index(f->chunk->accesses, struct tcgrr_access, index);
}

static void expect(const struct fixture *f, guint index, uint32_t exec, uint16_t insn, uint64_t address, uint64_t value)
{
    const struct tcgrr_access *access = access_at(f, index);
    assert_int_equal(access->exec, exec);
    assert_int_equal(access->insn, insn);
    assert_int_equal(access->address, address);
    assert_int_equal(access->value[0], value);
}

/* ---- well-formed ---- */

/* All that an access has, in a stretch of complete executions. */
static void test_fields(void **state)
{
    struct fixture *f = open_ring(&whole);
    uint32_t name[2] = {0};

    memcpy(name, "uart", 4);
    push(f, 0);
    push_access(f, 1, 0, 0x5008, 7);
    push(f, 1);
    push(f, tcgrr_wire_word(TCGRR_WIRE_DEVICE, 1));
    push(f, name[0]);
    push_page(f, 0xffff800009000000u, 0x1000, 2);
    push_access(f, 3, TCGRR_WIRE_ACCESS_STORE, 0xffff800009000ffcu, 0xfffffff0u);
    push_page(f, 0x7000, 0, TCGRR_WIRE_NOWHERE | TCGRR_WIRE_UNNAMED);
    push_access(f, 3, 0, 0x7000, 1);
    finish(f);
    assert_int_equal(f->chunk->accesses->len, 3);
    expect(f, 0, 0, 1, 0x5008, 7);
    assert_int_equal(access_at(f, 0)->flags, TCGRR_ACCESS_VALUE | TCGRR_ACCESS_PHYSICAL);
    assert_int_equal(access_at(f, 0)->physical, 0x15008);
    assert_int_equal(access_at(f, 0)->size, 4);
    expect(f, 1, 1, 3, 0xffff800009000ffcu, 0xfffffff0u);
    assert_int_equal(access_at(f, 1)->physical, 0xffff800009001ffcu);
    assert_int_equal(access_at(f, 1)->flags,
                     TCGRR_ACCESS_VALUE | TCGRR_ACCESS_PHYSICAL | TCGRR_ACCESS_STORE | TCGRR_ACCESS_DEVICE);
    assert_int_equal(access_at(f, 1)->device, 2);
    assert_int_equal(access_at(f, 2)->flags, TCGRR_ACCESS_VALUE | TCGRR_ACCESS_DEVICE);
    assert_int_equal(access_at(f, 2)->device, TCGRR_DEVICE_UNNAMED);
    assert_int_equal(access_at(f, 2)->physical, 0);
    assert_int_equal(f->chunk->devices->len, 1);
    assert_string_equal(g_array_index(f->chunk->devices, struct tcgrr_device, 0).name, "uart");
    close_ring(f);
}

/* An execution that was left at its third instruction: what that one accessed does not count. */
static void test_fault(void **state)
{
    struct fixture *f = open_ring(&whole);
    uint64_t values[] = {2, pc_of(0) + 8, pc_of(1)};

    push(f, 0);
    for (uint32_t insn = 0; insn < 3; insn++) {
        push_access(f, insn, 0, 0x5000 + 4 * insn, insn);
    }
    push(f, tcgrr_wire_word(TCGRR_WIRE_EVENT, TCGRR_WIRE_DISCONTINUITY | 7 << 8));
    push(f, 0);
    for (size_t i = 0; i < 3; i++) {
        push(f, (uint32_t)values[i]);
        push(f, (uint32_t)(values[i] >> 32));
    }
    push(f, tcgrr_wire_word(TCGRR_WIRE_LEFT, 2));
    push(f, 1);
    push_access(f, 0, 0, 0x5000, 9);
    finish(f);
    assert_int_equal(f->chunk->accesses->len, 3);
    expect(f, 0, 0, 0, 0x5000, 0);
    expect(f, 1, 0, 1, 0x5004, 1);
    expect(f, 2, 1, 0, 0x5000, 9);
    close_ring(f);
}

/* An access that QEMU rolled back and repeated: the repetition counts, as that instruction's, and what came of the
 * first attempt does not. */
static void test_rerun(void **state)
{
    struct fixture *f = open_ring(&whole);

    push(f, 0);
    push_access(f, 0, 0, 0x5000, 1);
    push_access(f, 1, 0, 0x5004, 2); /* the first attempt's first access */
    push_access(f, 0, TCGRR_WIRE_ACCESS_RERUN, 0x5004, 3);
    push_access(f, 0, TCGRR_WIRE_ACCESS_RERUN | TCGRR_WIRE_ACCESS_STORE, 0x5008, 4);
    push_define(f, 5, 1);
    push_rerun(f, 4);
    push(f, tcgrr_wire_word(TCGRR_WIRE_LEFT, 1));
    push(f, 1);
    finish(f);
    assert_int_equal(f->chunk->accesses->len,
                     1); /* block 4 is not where the execution was left: nothing was repeated */
    assert_int_equal(tcgrr_live_strays(f->live), 2);
    close_ring(f);

    f = open_ring(&whole);
    struct tcgrr_wire_define define = {5, 1, (uint32_t)pc_of(0) + 4, 0, 4};
    push(f, 0);
    push_access(f, 0, 0, 0x5000, 1);
    push_access(f, 1, 0, 0x5004, 2);
    push(f, tcgrr_wire_word(TCGRR_WIRE_DEFINE, 7));
    uint32_t words[7] = {0};
    memcpy(words, &define, sizeof(define));
    ((uint8_t *)words)[sizeof(define)] = 4;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        push(f, words[i]);
    }
    push_access(f, 0, TCGRR_WIRE_ACCESS_RERUN, 0x5004, 3);
    push_rerun(f, 5);
    push_access(f, 0, TCGRR_WIRE_ACCESS_RERUN | TCGRR_WIRE_ACCESS_STORE, 0x5008, 4);
    push(f, tcgrr_wire_word(TCGRR_WIRE_LEFT, 1));
    push(f, 1);
    push_access(f, 3, 0, 0x5000, 5);
    finish(f);
    assert_int_equal(f->chunk->accesses->len, 4);
    expect(f, 0, 0, 0, 0x5000, 1);
    expect(f, 1, 0, 1, 0x5004, 3);
    expect(f, 2, 0, 1, 0x5008, 4);
    expect(f, 3, 1, 3, 0x5000, 5);
    assert_int_equal(tcgrr_live_strays(f->live), 0);
    close_ring(f);
}

/* Whatever the chunks' sizes, and wherever reading stops in between, each access is in the chunk of its execution. */
static void test_chunks(void **state)
{
    struct fixture *f = open_ring(&whole);
    GError *error = NULL;
    uint32_t execs = 0, total = 0;

    for (uint32_t i = 0; i < 20000; i++) {
        push(f, i % 4);
        push_access(f, i % INSNS, 0, 0x5000 + i % 1024, i);
        if (i % 3 == 0) {
            push_access(f, INSNS - 1, TCGRR_WIRE_ACCESS_STORE, 0x5000, ~i);
        }
        if (i % 777 == 5) {
            push(f, tcgrr_wire_word(TCGRR_WIRE_VCPU, 0)); /* ends the execution */
        }
    }
    push(f, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    while (f->end == TCGRR_LIVE_RUNS) {
        if (!tcgrr_live_next(f->live, f->chunk, 0, &f->end, &error)) {
            fail_msg("%s", error->message);
        }
        uint32_t at = 0;
        for (uint32_t exec = 0; exec < f->chunk->count; exec++, execs++) {
            expect(f, at++, exec, (uint16_t)(execs % INSNS), 0x5000 + execs % 1024, execs);
            if (execs % 3 == 0) {
                expect(f, at++, exec, INSNS - 1, 0x5000, ~execs);
            }
        }
        assert_int_equal(at, f->chunk->accesses->len);
        total += at;
        tcgrr_chunk_follow(f->chunk, f->chunk);
    }
    assert_int_equal(execs, 20000);
    assert_int_equal(total, 20000 + 6667);
    close_ring(f);
}

/* A chunk is full when it has so many accesses, and the next one goes on. */
static void test_full_chunk(void **state)
{
    struct fixture *f = open_ring(&whole);
    GError *error = NULL;
    unsigned full = 0;

    for (uint32_t turn = 0; full < 3; turn++) {
        push(f, 0);
        for (uint32_t i = 0; i < 20000; i++) {
            push_access(f, i * INSNS / 20000, 0, 0x5000, i);
        }
        while (tcgrr_intake_backlog(f->live->intake) > 0) {
            if (!tcgrr_live_next(f->live, f->chunk, 0, &f->end, &error)) {
                fail_msg("%s", error->message);
            }
            assert_int_equal(f->chunk->accesses->len, 20000 * f->chunk->count);
            if (f->chunk->count == f->chunk->capacity) {
                assert_in_range(f->chunk->accesses->len, TCGRR_CHUNK_ACCESSES, TCGRR_CHUNK_ACCESSES + 20000);
                tcgrr_chunk_follow(f->chunk, f->chunk);
                full++;
            }
        }
    }
    close_ring(f);
}

/* ---- the window ---- */

/* Runs block 0, 1, 2, 3, 0, … with an access of each instruction; returns how many are left in the chunk. */
static guint run_window(const struct tcgrr_window *window, uint32_t execs, tcgrr_icount *from, tcgrr_icount *until,
                        bool *told)
{
    struct fixture *f = open_ring(window);
    for (uint32_t i = 0; i < execs; i++) {
        push(f, i % 4);
        for (uint32_t insn = 0; insn < INSNS; insn++) {
            push_access(f, insn, 0, 0x5000, i * INSNS + insn);
        }
    }
    finish(f);
    tcgrr_live_window(f->live, from, until);
    *told = f->ring.header->past_window;
    guint count = f->chunk->accesses->len;
    for (guint i = 0; i < count; i++) { /* the value is the icount */
        assert_int_equal(access_at(f, i)->value[0], *from + i);
        assert_int_equal(access_at(f, i)->exec * INSNS + access_at(f, i)->insn, *from + i);
    }
    close_ring(f);
    return count;
}

static void test_window(void **state)
{
    tcgrr_icount from, until;
    bool told;

    struct tcgrr_window counts = {.from = 7, .until = 30};
    assert_int_equal(run_window(&counts, 100, &from, &until, &told), 23);
    assert_int_equal(from, 7);
    assert_int_equal(until, 30);
    assert_true(told);

    struct tcgrr_window pcs = {
        .has_from_pc = true, .from_pc = pc_of(2) + 4, .has_until_pc = true, .until_pc = pc_of(1) + 12};
    assert_int_equal(run_window(&pcs, 100, &from, &until, &told), 14);
    assert_int_equal(from, 2 * INSNS + 1);
    assert_int_equal(until, 5 * INSNS + 3);
    assert_true(told);

    struct tcgrr_window same = {.has_from_pc = true, .from_pc = pc_of(3), .has_until_pc = true, .until_pc = pc_of(3)};
    assert_int_equal(run_window(&same, 100, &from, &until, &told), 4 * INSNS);

    struct tcgrr_window mixed = {.from = 50, .has_until_pc = true, .until_pc = pc_of(0)};
    assert_int_equal(run_window(&mixed, 100, &from, &until, &told), 64 - 50);

    struct tcgrr_window never = {
        .has_from_pc = true, .from_pc = pc_of(2) + 2, .until = UINT64_MAX}; /* no start of one */
    assert_int_equal(run_window(&never, 100, &from, &until, &told), 0);
    assert_int_equal(from, UINT64_MAX);
    assert_false(told);

    struct tcgrr_window open = {.from = 399, .until = UINT64_MAX};
    assert_int_equal(run_window(&open, 100, &from, &until, &told), 1);
    assert_false(told);
}

/* ---- malformed ---- */

static bool is_refused(const uint32_t *words, size_t count)
{
    struct fixture *f = open_ring(&whole);
    GError *error = NULL;

    for (size_t i = 0; i < count; i++) {
        push(f, words[i]);
    }
    push(f, 1);
    push(f, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    bool good = tcgrr_live_next(f->live, f->chunk, 1000, &f->end, &error);
    if (!good) {
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
        g_error_free(error);
    }
    close_ring(f);
    return !good;
}

#define ACCESS(insn, size) (0xf6000000u | (insn) | (size) << 12)

static void test_malformed(void **state)
{
    const uint32_t before_any[] = {ACCESS(0, 2), 0};
    const uint32_t behind_block[] = {0, ACCESS(INSNS, 2), 0};
    const uint32_t backwards[] = {0, ACCESS(2, 2), 0, ACCESS(1, 2), 0};
    const uint32_t too_large[] = {0, ACCESS(0, 5), 0};
    const uint32_t no_device[] = {0, 0xf7000000u, 0, 0, 0, 0, 2};
    const uint32_t no_slot[] = {0, 0xf7000000u | TCGRR_WIRE_PAGES, 0, 0, 0, 0, 0};
    const uint32_t long_name[] = {0, 0xfc000000u | (TCGRR_DEVICE_NAME / 4 + 1)};
    const uint32_t good[] = {0, ACCESS(0, 2), 0, 0xf7000000u, 0, 0, 0, 0, 1};

    assert_true(is_refused(before_any, G_N_ELEMENTS(before_any)));
    assert_true(is_refused(behind_block, G_N_ELEMENTS(behind_block)));
    assert_true(is_refused(backwards, G_N_ELEMENTS(backwards)));
    assert_true(is_refused(too_large, G_N_ELEMENTS(too_large)));
    assert_true(is_refused(no_device, G_N_ELEMENTS(no_device)));
    assert_true(is_refused(no_slot, G_N_ELEMENTS(no_slot)));
    assert_true(is_refused(long_name, G_N_ELEMENTS(long_name)));
    assert_false(is_refused(good, G_N_ELEMENTS(good)));
}

/* One execution cannot fill memory. */
static void test_endless(void **state)
{
    struct fixture *f = open_ring(&whole);
    GError *error = NULL;
    bool good = true;

    push(f, 0);
    for (uint64_t total = 0; good && total <= 2 * TCGRR_EXEC_ACCESSES; total += 1000) {
        for (uint32_t i = 0; i < 1000; i++) {
            push_access(f, 0, 0, 0x5000, i);
        }
        good = tcgrr_live_next(f->live, f->chunk, 0, &f->end, &error);
    }
    assert_false(good);
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_error_free(error);
    close_ring(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),    cmocka_unit_test(test_fault),      cmocka_unit_test(test_rerun),
        cmocka_unit_test(test_chunks),    cmocka_unit_test(test_full_chunk), cmocka_unit_test(test_window),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_endless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
