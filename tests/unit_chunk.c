/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks, chunks and the flow digest: nothing of them may depend on how a run was cut into blocks or chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "store/digest.h"
#include "store/error.h"
#include "tests/stream.h"

#define INSNS    400000
#define CAPACITY 5000

static void test_digest_is_a_polynomial(void **state)
{
    uint64_t random = 7;
    uint64_t powers = 1;

    for (uint64_t n = 0; n < 200; n++) {
        assert_int_equal(tcgrr_digest_power(n), powers);
        powers = tcgrr_digest_append(powers, TCGRR_DIGEST_BASE, 0);
    }
    assert_int_equal(tcgrr_digest_reduce(TCGRR_DIGEST_MODULUS), 0);
    assert_int_equal(tcgrr_digest_reduce((unsigned __int128)(TCGRR_DIGEST_MODULUS - 1) * (TCGRR_DIGEST_MODULUS - 1)),
                     1);
    for (int i = 0; i < 1000; i++) {
        uint64_t a = ((uint64_t)stream_random(&random) << 32 | stream_random(&random)) % TCGRR_DIGEST_MODULUS;
        uint64_t m = stream_random(&random), n = stream_random(&random);
        uint64_t left = tcgrr_digest_append(tcgrr_digest_append(a, tcgrr_digest_power(m), 0), tcgrr_digest_power(n), 0);
        assert_int_equal(left, tcgrr_digest_append(a, tcgrr_digest_power(m + n), 0));
        assert_true(left < TCGRR_DIGEST_MODULUS);
    }
}

/* A digest that two values of an instruction share would hide a difference. */
static void test_instructions_differ(void **state)
{
    const uint8_t bytes[] = {1, 2, 3, 4, 5};
    const uint64_t digests[] = {tcgrr_digest_insn(0, bytes, 4),     tcgrr_digest_insn(4, bytes, 4),
                                tcgrr_digest_insn(0, bytes + 1, 4), tcgrr_digest_insn(0, bytes, 5),
                                tcgrr_digest_insn(0, bytes, 1),     tcgrr_digest_insn(UINT64_MAX, bytes, 4)};
    for (size_t i = 0; i < G_N_ELEMENTS(digests); i++) {
        assert_true(digests[i] < TCGRR_DIGEST_MODULUS);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(digests[i], digests[j]);
        }
    }
}

static void test_blocks_by_content(void **state)
{
    static const uint8_t lengths[] = {4, 2, 2}, others[] = {2, 4, 2};
    static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    GError *error = NULL;

    assert_int_equal(tcgrr_blocks_add(blocks, 0x1000, 3, lengths, 8, bytes, &error), 0);
    assert_int_equal(tcgrr_blocks_add(blocks, 0x1004, 3, lengths, 8, bytes, &error), 1);
    assert_int_equal(tcgrr_blocks_add(blocks, 0x1000, 3, others, 8, bytes, &error), 2);
    assert_int_equal(tcgrr_blocks_add(blocks, 0x1000, 2, lengths, 6, bytes, &error), 3);
    assert_int_equal(tcgrr_blocks_add(blocks, 0x1000, 3, lengths, 8, bytes, &error), 0);
    assert_int_equal(tcgrr_blocks_count(blocks), 4);
    assert_int_equal(tcgrr_block_pc(tcgrr_blocks_get(blocks, 0), 2), 0x1006);
    assert_int_equal(tcgrr_block_pc(tcgrr_blocks_get(blocks, 0), 3), 0x1008);
    tcgrr_blocks_free(blocks);
}

static void test_malformed_blocks(void **state)
{
    static const uint8_t lengths[TCGRR_MAX_INSNS + 1] = {4, 2, 2};
    static const uint8_t bytes[8];
    static const struct {
        uint32_t insns, size;
    } rows[] = {{0, 0}, {3, 7}, {3, 9}, {3, 0}, {0, 8}, {TCGRR_MAX_INSNS + 1, 8}, {1, 8}};
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        assert_int_equal(tcgrr_blocks_add(blocks, 0, rows[i].insns, lengths, rows[i].size, bytes, &error), UINT32_MAX);
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
        g_error_free(error);
    }
    assert_int_equal(tcgrr_blocks_count(blocks), 0);
    tcgrr_blocks_free(blocks);
}

/* More blocks than one segment holds, which must not move when more come. */
static void test_many_blocks(void **state)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    const struct tcgrr_block *first = NULL;

    for (uint32_t i = 0; i < 20000; i++) {
        assert_int_equal(stream_block(blocks, 0x1000 + 64 * (uint64_t)i, 1 + i % 9), i);
        first = first ? first : tcgrr_blocks_get(blocks, 0);
    }
    assert_ptr_equal(first, tcgrr_blocks_get(blocks, 0));
    for (uint32_t i = 0; i < 20000; i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(blocks, i);
        assert_int_equal(block->pc, 0x1000 + 64 * (uint64_t)i);
        assert_int_equal(block->insns, 1 + i % 9);
        assert_int_equal(tcgrr_block_prefix(block, block->insns), block->sum);
    }
    tcgrr_blocks_free(blocks);
}

/* Cuts the script anew, checks counts and checkpoints of every chunk against the script itself. */
static void check_cut(const GArray *script, uint64_t seed, uint32_t most)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    tcgrr_icount next = TCGRR_CHECKPOINT_STEP;
    guint at = 0;

    tcgrr_chunk_follow(chunk, NULL);
    assert_true(tcgrr_chunk_is_empty(chunk));
    for (tcgrr_seq seq = 0; at < script->len; seq += chunk->count) {
        tcgrr_chunk_follow(chunk, at > 0 ? chunk : NULL);
        assert_int_equal(chunk->first_icount, at);
        at = stream_cut(script, at, seed + at, most, blocks, chunk);
        assert_int_equal(chunk->first_seq, seq);
        assert_int_equal(chunk->end_icount, at);
        assert_int_equal(chunk->end_flow, stream_digest(script, at));
        for (guint i = 0; i < chunk->checkpoints->len; i++) {
            const struct tcgrr_checkpoint *checkpoint = &g_array_index(chunk->checkpoints, struct tcgrr_checkpoint, i);
            assert_int_equal(checkpoint->icount, next);
            assert_int_equal(checkpoint->flow, stream_digest(script, (guint)next));
            next += TCGRR_CHECKPOINT_STEP;
        }
    }
    assert_int_equal(next, (INSNS / TCGRR_CHECKPOINT_STEP + 1) * TCGRR_CHECKPOINT_STEP);
    tcgrr_chunk_free(chunk);
    tcgrr_blocks_free(blocks);
}

static void test_cuts_make_no_difference(void **state)
{
    GArray *script = stream_script(1, INSNS);
    check_cut(script, 1, 1);
    check_cut(script, 2, 7);
    check_cut(script, 3, 200);
    g_array_unref(script);
}

/* A checkpoint on the last instruction of an execution belongs to it; one execution may pass several checkpoints. */
static void test_checkpoint_borders(void **state)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(100);
    uint32_t block = stream_block(blocks, 0x80000000, 4096);

    tcgrr_chunk_follow(chunk, NULL);
    for (uint32_t i = 0; i < TCGRR_CHECKPOINT_STEP / 4096; i++) {
        assert_int_equal(chunk->checkpoints->len, 0);
        stream_append(chunk, blocks, block, 4096, 4096);
        tcgrr_chunk_compute(chunk, blocks);
    }
    assert_int_equal(chunk->checkpoints->len, 1);
    assert_int_equal(g_array_index(chunk->checkpoints, struct tcgrr_checkpoint, 0).flow, chunk->end_flow);
    tcgrr_chunk_follow(chunk, chunk);
    tcgrr_chunk_compute(chunk, blocks);
    assert_int_equal(chunk->checkpoints->len, 0);
    tcgrr_chunk_free(chunk);
    tcgrr_blocks_free(blocks);
}

/* QEMU counts instructions that it did not run: the digest knows only those that ran, the count all. */
static void test_counted_beyond_ran(void **state)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(100);
    uint32_t block = stream_block(blocks, 0x80000000, 10);

    tcgrr_chunk_follow(chunk, NULL);
    stream_append(chunk, blocks, block, 4, 10);
    stream_append(chunk, blocks, block, 0, 0);
    stream_append(chunk, blocks, block, 10, 10);
    tcgrr_chunk_compute(chunk, blocks);
    assert_int_equal(chunk->end_icount, 20);
    uint64_t flow = tcgrr_block_append(0, tcgrr_blocks_get(blocks, block), 4);
    assert_int_equal(chunk->end_flow, tcgrr_block_append(flow, tcgrr_blocks_get(blocks, block), 10));
    tcgrr_chunk_free(chunk);
    tcgrr_blocks_free(blocks);
}

static void add_switch(struct tcgrr_chunk *chunk, tcgrr_vcpu vcpu)
{
    struct tcgrr_switch change = {.index = chunk->count, .vcpu = vcpu};
    g_array_append_val(chunk->switches, change);
}

static void test_cursor(void **state)
{
    static const struct {
        uint32_t ran, counted;
        tcgrr_vcpu vcpu;
        tcgrr_icount icount;
    } rows[] = {{10, 10, 0, 100}, {0, 0, 0, 110}, {3, 3, 2, 110}, {10, 10, 2, 113}, {2, 10, 1, 123}};
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(100);
    uint32_t block = stream_block(blocks, 0x80000000, 10);
    struct tcgrr_cursor cursor;

    tcgrr_chunk_follow(chunk, NULL);
    chunk->first_icount = 100;
    assert_false(tcgrr_cursor_begin(&cursor, chunk, blocks));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (i > 0 && rows[i].vcpu != rows[i - 1].vcpu) {
            add_switch(chunk, rows[i].vcpu);
        }
        stream_append(chunk, blocks, block, rows[i].ran, rows[i].counted);
    }
    assert_true(tcgrr_cursor_begin(&cursor, chunk, blocks));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_int_equal(cursor.index, i);
        assert_int_equal(cursor.block->pc, 0x80000000);
        assert_int_equal(cursor.ran, rows[i].ran);
        assert_int_equal(cursor.counted, rows[i].counted);
        assert_int_equal(cursor.vcpu, rows[i].vcpu);
        assert_int_equal(cursor.icount, rows[i].icount);
        assert_int_equal(tcgrr_cursor_next(&cursor), i + 1 < G_N_ELEMENTS(rows));
    }
    tcgrr_chunk_compute(chunk, blocks);
    tcgrr_chunk_follow(chunk, chunk);
    assert_int_equal(chunk->vcpu, 1);
    assert_int_equal(chunk->first_seq, G_N_ELEMENTS(rows));
    assert_int_equal(chunk->first_icount, 133);
    assert_int_equal(chunk->switches->len, 0);
    tcgrr_chunk_free(chunk);
    tcgrr_blocks_free(blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest_is_a_polynomial),
        cmocka_unit_test(test_instructions_differ),
        cmocka_unit_test(test_blocks_by_content),
        cmocka_unit_test(test_malformed_blocks),
        cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_cuts_make_no_difference),
        cmocka_unit_test(test_checkpoint_borders),
        cmocka_unit_test(test_counted_beyond_ran),
        cmocka_unit_test(test_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
