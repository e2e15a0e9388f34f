/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks over a trace's executions stop at all that are asked for and at no others, each with its memory accesses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "store/exec_walk.h"
#include "tests/stream.h"
#include "tests/check.h"

#define INSNS    60000
#define CAPACITY 3000

/* An execution as it was written. */
struct expected {
    tcgrr_seq seq;
    tcgrr_icount icount;
    uint32_t counted;
    uint32_t ran;
    uint32_t block;
    GArray *accesses; /* struct tcgrr_access */
};

struct fixture {
    char *folder;
    char *path;
    GArray *list; /* struct expected */
    guint chunks;
    struct tcgrr_reader *reader;
    struct tcgrr_chunk_cache *cache;
};

static void clear_expected(void *data)
{
    g_array_unref(((struct expected *)data)->accesses);
}

static void keep(GArray *list, const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks)
{
    struct tcgrr_cursor at;
    guint access = 0;

    for (bool more = tcgrr_cursor_begin(&at, chunk, blocks); more; more = tcgrr_cursor_next(&at)) {
        struct expected expected = {chunk->first_seq + at.index,
                                    at.icount,
                                    at.counted,
                                    at.ran,
                                    chunk->blocks[at.index],
                                    g_array_new(FALSE, FALSE, sizeof(struct tcgrr_access))};
        for (; access < chunk->accesses->len; access++) {
            const struct tcgrr_access *one = &g_array_index(chunk->accesses, struct tcgrr_access, access);
            if (one->exec != at.index) {
                break;
            }
            g_array_append_val(expected.accesses, *one);
        }
        g_array_append_val(list, expected);
    }
    assert_int_equal(access, chunk->accesses->len);
}

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    struct tcgrr_run run = {.tool_version = "1",
                            .command = "[\"qemu\"]",
                            .original_command = "[\"qemu\"]",
                            .qemu_version = "10.0.2",
                            .target = "riscv64",
                            .mode = "system",
                            .level = "full",
                            .qemu_icount = -1,
                            .mem_until = -1};
    g_autoptr(GArray) script = stream_script(3, INSNS);
    GError *error = NULL;

    f->folder = g_dir_make_tmp("tcgrr-unit-walk-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "x.tcgrr", NULL);
    f->list = g_array_new(FALSE, FALSE, sizeof(struct expected));
    g_array_set_clear_func(f->list, clear_expected);
    struct tcgrr_writer *writer = tcgrr_writer_create(f->path, true, &run, &error);
    check(writer != NULL, error);
    for (guint at = 0; at < script->len; f->chunks++) {
        tcgrr_chunk_follow(chunk, f->chunks ? chunk : NULL);
        at = stream_cut(script, at, f->chunks, 20, blocks, chunk);
        stream_accesses(chunk, blocks, f->chunks, false);
        struct tcgrr_device devices[] = {{2, "uart"}, {3, "timer"}};
        g_array_set_size(chunk->devices, 0);
        g_array_append_vals(chunk->devices, devices, f->chunks == 0 ? 2 : 0);
        keep(f->list, chunk, blocks);
        check(tcgrr_writer_chunk(writer, chunk, blocks, &error), error);
    }
    run.complete = true;
    run.icount = chunk->end_icount;
    run.execs = chunk->first_seq + chunk->count;
    check(tcgrr_writer_run(writer, &run, &error) && tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
    tcgrr_chunk_free(chunk);
    tcgrr_blocks_free(blocks);
    f->reader = tcgrr_reader_open(f->path, &error);
    check(f->reader != NULL, error);
    f->cache = tcgrr_chunk_cache_new(f->reader, 2);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tcgrr_chunk_cache_free(f->cache);
    tcgrr_reader_free(f->reader);
    g_unlink(f->path);
    g_rmdir(f->folder);
    g_free(f->path);
    g_free(f->folder);
    g_array_unref(f->list);
    g_free(f);
    return 0;
}

static void assert_at(struct tcgrr_exec_walk *walk, const struct expected *expected)
{
    guint count;

    assert_false(walk->end);
    assert_int_equal(tcgrr_exec_walk_seq(walk), expected->seq);
    assert_int_equal(walk->at.icount, expected->icount);
    assert_int_equal(walk->at.ran, expected->ran);
    assert_int_equal(walk->at.counted, expected->counted);
    assert_int_equal(tcgrr_exec_walk_block(walk), expected->block);
    if (walk->range.with_accesses) {
        const struct tcgrr_access *accesses = tcgrr_exec_walk_accesses(walk, &count);
        assert_int_equal(count, expected->accesses->len);
        for (guint i = 0; i < count; i++) {
            const struct tcgrr_access *one = &g_array_index(expected->accesses, struct tcgrr_access, i);
            assert_int_equal(accesses[i].insn, one->insn);
            assert_true(accesses[i].address == one->address);
        }
    }
}

static bool is_in(const struct tcgrr_exec_range *range, const struct expected *one)
{
    bool before =
        (int64_t)one->icount < range->first_icount && (int64_t)(one->icount + one->counted) <= range->first_icount;
    return !before && (int64_t)one->icount <= range->last_icount && (int64_t)one->seq >= range->first_seq &&
           (int64_t)one->seq <= range->last_seq && (!range->wanted || g_array_index(range->wanted, bool, one->block));
}

/* Walks over a range and compares each stop with a filter over all that was written. */
static void compare(struct fixture *f, const struct tcgrr_exec_range *range)
{
    struct tcgrr_exec_walk walk = {0};
    GError *error = NULL;
    bool good = tcgrr_exec_walk_begin(&walk, f->cache, range, &error);

    for (guint i = 0; good && i < f->list->len; i++) {
        const struct expected *one =
            &g_array_index(f->list, struct expected, range->descending ? f->list->len - 1 - i : i);
        if (is_in(range, one)) {
            assert_at(&walk, one);
            good = tcgrr_exec_walk_next(&walk, &error);
        }
    }
    check(good, error);
    assert_true(walk.end);
    tcgrr_exec_walk_end(&walk);
}

static void test_all(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;

    assert_true(f->chunks > 2);
    compare(f, &range);
    range.with_accesses = true;
    compare(f, &range);
    range.with_accesses = false;
    range.descending = true;
    compare(f, &range);
}

/* Ranges that begin and end anywhere, also within an execution and between chunks. */
static void test_ranges(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 5;

    for (int turn = 0; turn < 60; turn++) {
        struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
        int64_t first = stream_random(&random) % INSNS;
        int64_t length = stream_random(&random) % (turn % 3 == 0 ? 50 : INSNS);
        range.descending = turn % 2 == 1;
        range.with_accesses = !range.descending;
        if (turn % 5 == 0) {
            range.first_seq = first % f->list->len;
            range.last_seq = range.first_seq + length;
        } else {
            range.first_icount = first;
            range.last_icount = first + length;
        }
        compare(f, &range);
    }
}

static void test_wanted_blocks(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    uint32_t blocks = 0;

    for (guint i = 0; i < f->list->len; i++) {
        blocks = MAX(blocks, g_array_index(f->list, struct expected, i).block + 1);
    }
    g_autoptr(GArray) wanted = g_array_new(FALSE, TRUE, sizeof(bool));
    g_array_set_size(wanted, blocks);
    range.wanted = wanted;
    for (guint step = 1; step < blocks; step *= 7) {
        for (guint i = 0; i < blocks; i++) {
            g_array_index(wanted, bool, i) = i % step == 0;
        }
        range.with_accesses = step == 7;
        compare(f, &range);
    }
}

/* From chunk to chunk; each is announced once. */
static void count_chunk(const struct tcgrr_chunk *chunk, void *data)
{
    (*(guint *)data)++;
}

static void test_chunks(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    guint entered = 0;
    struct tcgrr_exec_walk walk = {.entered = count_chunk, .data = &entered};
    tcgrr_seq next = 0;
    guint count = 0;
    GError *error = NULL;
    bool good = tcgrr_exec_walk_begin(&walk, f->cache, &range, &error);

    for (; good && !walk.end; good = tcgrr_exec_walk_next_chunk(&walk, &error)) {
        assert_int_equal(walk.at.index, 0);
        assert_int_equal(tcgrr_exec_walk_seq(&walk), next);
        next += walk.at.chunk->count;
        count++;
    }
    check(good, error);
    tcgrr_exec_walk_end(&walk);
    assert_int_equal(next, f->list->len);
    assert_int_equal(count, f->chunks);
    assert_int_equal(entered, f->chunks);
}

/* The mark lies before the icount, less than a step of executions that count. */
static void test_mark(void **state)
{
    struct fixture *f = *state;
    GError *error = NULL;
    bool found;
    struct tcgrr_cached_chunk *chunk = tcgrr_chunk_cache_get(f->cache, 1, &found, &error);

    check(chunk != NULL && found, error);
    const struct tcgrr_cursor *marks = tcgrr_chunk_cache_mark(f->cache, chunk, 0, UINT64_MAX);
    assert_true(chunk->chunk->count > 2 * TCGRR_MARK_STEP);
    assert_ptr_equal(tcgrr_chunk_cache_mark(f->cache, chunk, chunk->chunk->first_icount, UINT64_MAX), marks);
    assert_ptr_equal(tcgrr_chunk_cache_mark(f->cache, chunk, marks[1].icount, UINT64_MAX), marks);
    assert_ptr_equal(tcgrr_chunk_cache_mark(f->cache, chunk, marks[1].icount + 1, UINT64_MAX), marks + 1);
    assert_ptr_equal(tcgrr_chunk_cache_mark(f->cache, chunk, chunk->chunk->end_icount, UINT64_MAX),
                     marks + (chunk->chunk->count - 1) / TCGRR_MARK_STEP);
    tcgrr_chunk_cache_unpin(chunk);
    assert_null(tcgrr_chunk_cache_get(f->cache, f->chunks, &found, &error));
    assert_false(found);
    assert_null(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),    cmocka_unit_test(test_ranges), cmocka_unit_test(test_wanted_blocks),
        cmocka_unit_test(test_chunks), cmocka_unit_test(test_mark),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
