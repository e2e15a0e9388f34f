/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The codec for block ids: round trips of every kind of stream, and inputs that no encoder made. */
#include "store/codec/codec.h"
#include "store/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#define ID_END      (1u << 28)
#define KIND_PACK   1
#define KIND_LZP    2
#define KIND_FIXK   3
#define MEMORY_MIB  32
#define FLIP_TRIALS 4000

/* A sanitizer's own memory would be counted for the codec's. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURES_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEASURES_MEMORY 0
#endif
#endif
#ifndef MEASURES_MEMORY
#define MEASURES_MEMORY 1
#endif

struct fixture {
    struct tcgrr_codec *codec;
    GByteArray *out;
    uint32_t *ids;
    uint32_t *back;
    uint64_t random;
};

static uint32_t next_random(struct fixture *f)
{
    f->random = f->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(f->random >> 33);
}

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);

    f->codec = tcgrr_codec_new();
    f->out = g_byte_array_new();
    f->ids = g_new0(uint32_t, TCGRR_CODEC_MAX_IDS);
    f->back = g_new0(uint32_t, TCGRR_CODEC_MAX_IDS + 1);
    f->random = 1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    tcgrr_codec_free(f->codec);
    g_byte_array_unref(f->out);
    g_free(f->ids);
    g_free(f->back);
    g_free(f);
    return 0;
}

/* Encodes the first `count` of f->ids after a byte that has to stay, decodes and compares. */
static void check_round_trip(struct fixture *f, size_t count)
{
    const uint8_t before = 0xa5;
    GError *error = NULL;
    size_t i, pack_size = 0, width = 0;

    g_byte_array_set_size(f->out, 0);
    g_byte_array_append(f->out, &before, 1);
    tcgrr_codec_encode(f->codec, f->ids, count, f->out);
    assert_int_equal(f->out->data[0], before);
    g_byte_array_remove_index(f->out, 0);
    memset(f->back, 0xee, (count + 1) * sizeof(*f->back));
    if (!tcgrr_codec_decode(f->codec, f->out->data, f->out->len, f->back, count, ID_END, &error))
        fail_msg("%s", error->message);
    assert_memory_equal(f->back, f->ids, count * sizeof(*f->ids));
    assert_int_equal(f->back[count], 0xeeeeeeee);
    for (i = 0; i < count; i++)
        width = MAX(width, f->ids[i] == 0 ? 0 : g_bit_storage(f->ids[i]));
    pack_size = (count * width + 7) / 8;
    assert_true(f->out->len <= pack_size + 5); /* kind, number and width */
}

/* Decoding gives the right error. */
static void check_refused(struct fixture *f, const uint8_t *data, size_t size, size_t count, uint32_t id_limit)
{
    GError *error = NULL;

    assert_false(tcgrr_codec_decode(f->codec, data, size, f->back, count, id_limit, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_error_free(error);
}

/* One loop over `blocks` / 2 diamonds of which each takes its longer arm one time in `odds`. */
static void make_flips(struct fixture *f, size_t start, size_t end, uint32_t blocks, uint32_t odds)
{
    uint32_t block = 0;
    size_t i;

    for (i = start; i < end; i++) {
        f->ids[i] = block;
        block += block % 2 == 0 && next_random(f) % odds == 0 ? 2 : 1;
        block = block >= blocks ? 0 : block;
    }
}

/* Calls of functions, each a loop with a trip count that is mostly the same, and back to the caller. */
static void make_kernel(struct fixture *f, size_t count, uint32_t base)
{
    uint32_t script[32], at = 0, trip, block, i = 0;

    for (block = 0; block < G_N_ELEMENTS(script); block++)
        script[block] = next_random(f) % 500;
    while (i < count) {
        uint32_t function = script[at++ % G_N_ELEMENTS(script)];

        f->ids[i++] = base + 9000;
        if (next_random(f) % 50 == 0)
            script[next_random(f) % G_N_ELEMENTS(script)] = next_random(f) % 500;
        for (trip = 2 + function % 5 + (next_random(f) % 20 == 0); trip > 0; trip--)
            for (block = 0; block < 3 + function % 7 && i < count; block++)
                f->ids[i++] = base + function * 16 + block;
    }
}

static void test_empty(void **state)
{
    struct fixture *f = *state;

    check_round_trip(f, 0);
    check_refused(f, f->out->data, f->out->len, 1, ID_END);
    check_refused(f, f->out->data, 0, 0, ID_END);
}

static void test_short_runs(void **state)
{
    struct fixture *f = *state;
    size_t count;
    uint32_t spread;

    for (spread = 1; spread <= ID_END; spread <<= 3) {
        for (count = 1; count < 40; count++) {
            size_t i;

            for (i = 0; i < count; i++)
                f->ids[i] = next_random(f) % spread;
            check_round_trip(f, count);
        }
    }
    f->ids[0] = ID_END - 1;
    check_round_trip(f, 1);
}

static void test_same_id(void **state)
{
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < TCGRR_CODEC_MAX_IDS; i++)
        f->ids[i] = 77;
    for (i = 1; i <= TCGRR_CODEC_MAX_IDS; i *= 2)
        check_round_trip(f, i);
    assert_true(f->out->len < 64);
}

static void test_every_period(void **state)
{
    struct fixture *f = *state;
    size_t period, i;

    for (period = 2; period < 70; period++) {
        for (i = 0; i < 20000; i++)
            f->ids[i] = (uint32_t)(i % period * 3);
        check_round_trip(f, 20000);
        assert_true(f->out->len < 512);
    }
}

static void test_random(void **state)
{
    struct fixture *f = *state;
    uint32_t bits;
    size_t i;

    for (bits = 1; bits <= 28; bits += 3) {
        for (i = 0; i < 100000; i++)
            f->ids[i] = next_random(f) & ((1u << bits) - 1);
        check_round_trip(f, 100000);
    }
    assert_int_equal(f->out->data[0], KIND_PACK);
}

static void test_coin_flips(void **state)
{
    struct fixture *f = *state;

    make_flips(f, 0, TCGRR_CODEC_MAX_IDS, 100, 2);
    check_round_trip(f, TCGRR_CODEC_MAX_IDS);
    assert_int_equal(f->out->data[0], KIND_FIXK);
    /* Two in three ids come from a flip. */
    assert_in_range(f->out->len * 8.0 / TCGRR_CODEC_MAX_IDS * 1000, 600, 700);
    make_flips(f, 0, TCGRR_CODEC_MAX_IDS, 3000, 9);
    check_round_trip(f, TCGRR_CODEC_MAX_IDS - 7);
}

static void test_kernel(void **state)
{
    struct fixture *f = *state;

    make_kernel(f, TCGRR_CODEC_MAX_IDS, 0);
    check_round_trip(f, TCGRR_CODEC_MAX_IDS);
    assert_int_equal(f->out->data[0], KIND_LZP);
    assert_true(f->out->len * 8 < TCGRR_CODEC_MAX_IDS / 2);
}

/* The beginning must not decide for a run whose rest is of the other sort. */
static void test_change_of_phase(void **state)
{
    struct fixture *f = *state;
    size_t quarter = TCGRR_CODEC_MAX_IDS / 4, i;

    make_flips(f, 0, TCGRR_CODEC_MAX_IDS, 100, 2);
    for (i = 0; i < quarter; i++)
        f->ids[i] = (uint32_t)(i % 10);
    check_round_trip(f, TCGRR_CODEC_MAX_IDS);
    assert_int_equal(f->out->data[0], KIND_FIXK);
    make_kernel(f, TCGRR_CODEC_MAX_IDS, 0);
    make_flips(f, 0, quarter / 2, 100, 2);
    check_round_trip(f, TCGRR_CODEC_MAX_IDS);
    assert_int_equal(f->out->data[0], KIND_LZP);
}

static long resident_peak_mib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

/* Ids near the limit cost no more memory than any others, and code as well as small ones. */
static void test_sparse_ids(void **state)
{
    struct fixture *f = *state;
    size_t small_size, i;
    long before;

    make_kernel(f, TCGRR_CODEC_MAX_IDS, 0);
    check_round_trip(f, TCGRR_CODEC_MAX_IDS);
    small_size = f->out->len;
    f->random = 2;
    make_kernel(f, TCGRR_CODEC_MAX_IDS, 0);
    for (i = 0; i < TCGRR_CODEC_MAX_IDS; i++)
        f->ids[i] += ID_END - (1u << 16);
    g_byte_array_set_size(f->out, 8 * TCGRR_CODEC_MAX_IDS);
    memset(f->out->data, 0, f->out->len);
    before = resident_peak_mib();
    check_round_trip(f, TCGRR_CODEC_MAX_IDS);
    assert_in_range(f->out->len, small_size * 3 / 4, small_size * 5 / 4);
    for (i = 0; i < TCGRR_CODEC_MAX_IDS; i++)
        f->ids[i] = next_random(f) % ID_END;
    check_round_trip(f, TCGRR_CODEC_MAX_IDS);
    for (i = 0; i < TCGRR_CODEC_MAX_IDS; i++)
        f->ids[i] = (uint32_t)(i * 7 % 4096) << 16;
    check_round_trip(f, TCGRR_CODEC_MAX_IDS);
    if (MEASURES_MEMORY)
        assert_in_range(resident_peak_mib() - before, 0, MEMORY_MIB);
}

/* Runs do not depend on what the workspace has done before. */
static void test_no_state_between_runs(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_codec *fresh = tcgrr_codec_new();
    GByteArray *other = g_byte_array_new();
    int trial;

    for (trial = 0; trial < 20; trial++) {
        size_t count = 1 + next_random(f) % 50000;

        if (trial % 2 == 0)
            make_flips(f, 0, count, 2 + next_random(f) % 200, 1 + next_random(f) % 20);
        else
            make_kernel(f, count, next_random(f) % ID_END / 2);
        check_round_trip(f, count);
        tcgrr_codec_free(fresh);
        fresh = tcgrr_codec_new();
        g_byte_array_set_size(other, 0);
        tcgrr_codec_encode(fresh, f->ids, count, other);
        assert_int_equal(other->len, f->out->len);
        assert_memory_equal(other->data, f->out->data, other->len);
        assert_true(tcgrr_codec_decode(fresh, f->out->data, f->out->len, f->back, count, ID_END, NULL));
        assert_memory_equal(f->back, f->ids, count * sizeof(*f->ids));
    }
    g_byte_array_unref(other);
    tcgrr_codec_free(fresh);
}

/* One stream that each method takes; ids below `*id_end`. */
static void make_of_kind(struct fixture *f, int kind, size_t count, uint32_t *id_end)
{
    size_t i;

    *id_end = 0;
    if (kind == KIND_FIXK)
        make_flips(f, 0, count, 100, 2);
    else if (kind == KIND_LZP)
        make_kernel(f, count, 0);
    else
        for (i = 0; i < count; i++)
            f->ids[i] = next_random(f) % 1000;
    for (i = 0; i < count; i++)
        *id_end = MAX(*id_end, f->ids[i] + 1);
    check_round_trip(f, count);
    assert_int_equal(f->out->data[0], kind);
}

static void test_id_limit(void **state)
{
    struct fixture *f = *state;
    uint32_t id_end;
    int kind;

    for (kind = KIND_PACK; kind <= KIND_FIXK; kind++) {
        make_of_kind(f, kind, 20000, &id_end);
        assert_true(tcgrr_codec_decode(f->codec, f->out->data, f->out->len, f->back, 20000, id_end, NULL));
        check_refused(f, f->out->data, f->out->len, 20000, id_end - 1);
        check_refused(f, f->out->data, f->out->len, 20000, 0);
    }
}

static void test_wrong_size(void **state)
{
    struct fixture *f = *state;
    uint32_t id_end;
    size_t size;
    int kind;

    for (kind = KIND_PACK; kind <= KIND_FIXK; kind++) {
        make_of_kind(f, kind, 12000, &id_end);
        for (size = 0; size < f->out->len; size++) {
            uint8_t *part = g_memdup2(f->out->data, size); /* so that a sanitizer sees a read past the end */

            check_refused(f, part, size, 12000, ID_END);
            g_free(part);
        }
        g_byte_array_append(f->out, (const uint8_t *)"", 1);
        check_refused(f, f->out->data, f->out->len, 12000, ID_END);
        g_byte_array_set_size(f->out, f->out->len - 1);
        check_refused(f, f->out->data, f->out->len, 12000 - 1, ID_END);
        check_refused(f, f->out->data, f->out->len, 12000 + 1, ID_END);
        check_refused(f, f->out->data, f->out->len, TCGRR_CODEC_MAX_IDS + 1, ID_END);
    }
}

/* A flipped bit may give other ids, but never more, and none that is out of range. */
static void test_flipped_bits(void **state)
{
    struct fixture *f = *state;
    uint32_t id_end;
    int kind, trial;

    for (kind = KIND_PACK; kind <= KIND_FIXK; kind++) {
        make_of_kind(f, kind, 9000, &id_end);
        for (trial = 0; trial < FLIP_TRIALS; trial++) {
            uint32_t range = trial % 2 == 0 ? f->out->len : MIN(f->out->len, 40), flips = 1 + next_random(f) % 3;
            uint8_t *copy = g_memdup2(f->out->data, f->out->len);
            GError *error = NULL;
            size_t i;

            for (; flips > 0; flips--)
                copy[next_random(f) % range] ^= (uint8_t)(1u << next_random(f) % 8);
            f->back[9000] = 0xeeeeeeee;
            if (tcgrr_codec_decode(f->codec, copy, f->out->len, f->back, 9000, id_end, &error)) {
                for (i = 0; i < 9000; i++)
                    assert_true(f->back[i] < id_end);
            } else {
                assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
            }
            assert_int_equal(f->back[9000], 0xeeeeeeee);
            g_clear_error(&error);
            g_free(copy);
        }
    }
}

/* Hand-made frames: sizes that would make the decoder allocate, and numbers that do not end. */
static void test_malformed_headers(void **state)
{
    struct fixture *f = *state;
    static const struct {
        size_t size, count;
        uint8_t data[16];
    } cases[] = {
        {1, 0, {KIND_PACK}},
        {2, 0, {0, 0}},
        {3, 0, {0, 0, 0}},
        {3, 0, {4, 0, 0}},
        {2, 0, {KIND_PACK, 0}},
        {3, 1, {KIND_PACK, 0, 0}}, /* of no ids */
        {7, 1, {KIND_PACK, 0x81, 0x80, 0x80, 0x80, 0x10, 0}},
        {3, 0, {KIND_PACK, 0, 29}},
        {3, 0, {KIND_PACK, 0, 255}},
        {4, 1, {KIND_PACK, 1, 0, 0}},
        {4, 1, {KIND_PACK, 1, 1, 2}}, /* a bit after the last id */
        {7, 1, {KIND_PACK, 1, 32, 1, 0, 0, 0}},
        {2, 0, {KIND_LZP, 0}},
        {4, 0, {KIND_LZP, 0, 0, 0}},
        {7, 0, {KIND_LZP, 0, 0, 0, 1, 1, 2}},
        {10, 1, {KIND_LZP, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0}},
        {8, 1, {KIND_LZP, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {10, 1, {KIND_LZP, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0, 0}},
        {6, 1, {KIND_LZP, 1, 0, 0, 0, 0}},
        {7, 1, {KIND_LZP, 1, 0, 0, 1, 1, 0}}, /* a successor that nobody knows */
        {7, 1, {KIND_LZP, 1, 0, 0, 1, 1, 1}},
        {7, 1, {KIND_LZP, 1, 0, 0, 1, 1, 0x80}},
        {8, 1, {KIND_FIXK, 1, 0, 0, 0, 0, 0, 0}},
        {10, 1, {KIND_FIXK, 1, 0, 0, 1, 1, 1, 1, 1, 2}},    /* an escape after the end */
        {10, 1, {KIND_FIXK, 1, 0, 0, 1, 1, 1, 0, 0, 2}},    /* a stream that expands from nothing */
        {11, 1, {KIND_FIXK, 1, 1, 1, 1, 1, 1, 1, 2, 0, 1}}, /* bits that nothing needs */
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint8_t *copy = g_memdup2(cases[i].data, cases[i].size);

        check_refused(f, copy, cases[i].size, cases[i].count, ID_END);
        g_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sparse_ids, set_up, tear_down), /* first: it looks at the memory peak */
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_short_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_period, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_coin_flips, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_change_of_phase, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_state_between_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_id_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flipped_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_headers, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
