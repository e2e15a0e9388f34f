/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal browser without its screen: every move ends where a plain list of what ran says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "cli/browse/pair.h"
#include "store/symbols.h"
#include "tests/stream.h"
#include "tests/check.h"

#define INSNS    60000
#define CAPACITY 1500 /* executions in a chunk */

/* An instruction that ran. */
struct insn {
    tcgrr_icount icount;
    tcgrr_seq seq;
    uint32_t block;
    uint32_t index;
    uint64_t pc;
};

struct fixture {
    char *folder;
    char *path;
    struct tcgrr_blocks *blocks;
    GArray *insns;  /* struct insn */
    GArray *events; /* tcgrr_icount */
    tcgrr_icount length;
    struct browse_run *run;
};

static const struct tcgrr_run plain_run = {
    .tool_version = "1",
    .started = "2024-01-02T03:04:05Z",
    .host = "host",
    .directory = "/",
    .command = "[\"qemu\"]",
    .original_command = "[\"qemu\"]",
    .qemu_path = "/usr/bin/qemu",
    .qemu_version = "10.0.2",
    .qemu_banner = "QEMU",
    .qemu_build_id = "abc",
    .target = "riscv64",
    .mode = "system",
    .api_version = 4,
    .icount_shift = "0",
    .vcpus = 1,
    .level = "flow",
    .mem_from = -1,
    .mem_until = -1,
    .qemu_icount = -1,
};

/* ---- the trace ---- */

static void keep_insns(struct fixture *fixture, const struct tcgrr_chunk *chunk)
{
    struct tcgrr_cursor at;
    for (bool more = tcgrr_cursor_begin(&at, chunk, fixture->blocks); more; more = tcgrr_cursor_next(&at)) {
        for (uint32_t i = 0; i < at.ran; i++) {
            struct insn insn = {at.icount + i, chunk->first_seq + at.index, chunk->blocks[at.index], i,
                                tcgrr_block_pc(at.block, i)};
            g_array_append_val(fixture->insns, insn);
        }
    }
}

/* Executions of which nothing ran, or more was counted than ran; an interrupt. */
static void add_oddities(struct fixture *fixture, struct tcgrr_chunk *chunk)
{
    struct tcgrr_cursor at;
    for (guint i = 0; i < chunk->partials->len; i += 5) {
        struct tcgrr_partial *partial = &g_array_index(chunk->partials, struct tcgrr_partial, i);
        uint32_t insns = tcgrr_blocks_get(fixture->blocks, chunk->blocks[partial->index])->insns;
        partial->ran = i % 2 ? partial->ran : 0;
        partial->counted = i % 3 ? MIN(partial->ran + 1, insns) : partial->ran;
    }
    tcgrr_chunk_compute(chunk, fixture->blocks);
    bool more = tcgrr_cursor_begin(&at, chunk, fixture->blocks);
    while (more && (at.index < chunk->count / 2 || at.ran == 0)) {
        more = tcgrr_cursor_next(&at);
    }
    if (more) {
        struct tcgrr_event event = {.seq = chunk->first_seq + at.index,
                                    .icount = at.icount,
                                    .kind = TCGRR_EVENT_INTERRUPT,
                                    .has_pcs = true,
                                    .from_pc = 0x80000000u,
                                    .to_pc = at.block->pc};
        g_array_append_val(chunk->events, event);
        g_array_append_val(fixture->events, event.icount);
    }
}

static void write_trace(struct fixture *fixture)
{
    struct tcgrr_run run = plain_run;
    GError *error = NULL;
    g_autoptr(GArray) script = stream_script(7, INSNS);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    struct tcgrr_writer *writer = tcgrr_writer_create(fixture->path, false, &run, &error);
    check(writer != NULL, error);

    tcgrr_chunk_follow(chunk, NULL);
    for (guint at = 0, number = 0; at < script->len; number++) {
        at = stream_cut(script, at, number + 1, 9, fixture->blocks, chunk);
        add_oddities(fixture, chunk);
        check(tcgrr_writer_chunk(writer, chunk, fixture->blocks, &error), error);
        keep_insns(fixture, chunk);
        run.icount = chunk->end_icount;
        run.execs = chunk->first_seq + chunk->count;
        tcgrr_chunk_follow(chunk, chunk);
    }
    fixture->length = run.icount;
    run.complete = true;
    run.exit = "exit 0";
    check(tcgrr_writer_symbol(
              writer,
              &(struct tcgrr_symbol){.address = 0x80000000u, .size = 0x1000000, .name = "everything", .file = "x.elf"},
              &error),
          error);
    check(tcgrr_writer_run(writer, &run, &error) && tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
    tcgrr_chunk_free(chunk);
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    GError *error = NULL;
    fixture->folder = g_dir_make_tmp("tcgrr-browse-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "a.tcgrr", NULL);
    fixture->blocks = tcgrr_blocks_new();
    fixture->insns = g_array_new(FALSE, FALSE, sizeof(struct insn));
    fixture->events = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));
    write_trace(fixture);
    fixture->run = browse_run_open(fixture->path, &error);
    check(fixture->run != NULL, error);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    browse_run_free(fixture->run);
    g_unlink(fixture->path);
    g_rmdir(fixture->folder);
    tcgrr_blocks_free(fixture->blocks);
    g_array_unref(fixture->insns);
    g_array_unref(fixture->events);
    g_free(fixture->folder);
    g_free(fixture->path);
    g_free(fixture);
    return 0;
}

static const struct insn *at(const struct fixture *fixture, guint i)
{
    return &g_array_index(fixture->insns, struct insn, i);
}

static void expect(const struct fixture *fixture, guint i)
{
    struct browse_place place = browse_run_place(fixture->run);
    assert_int_equal(place.icount, at(fixture, i)->icount);
    assert_int_equal(place.seq, at(fixture, i)->seq);
    assert_int_equal(place.block, at(fixture, i)->block);
    assert_int_equal(place.insn, at(fixture, i)->index);
    assert_int_equal(place.pc, at(fixture, i)->pc);
}

static guint random_insn(const struct fixture *fixture, uint64_t *seed)
{
    return stream_random(seed) % fixture->insns->len;
}

static void go(const struct fixture *fixture, guint i)
{
    GError *error = NULL;
    check(browse_go(fixture->run, at(fixture, i)->icount, &error), error);
    expect(fixture, i);
}

/* ---- tests ---- */

static void test_goes_to_every_kind_of_place(void **state)
{
    const struct fixture *fixture = *state;
    GError *error = NULL;
    uint64_t seed = 1;

    for (int i = 0; i < 500; i++) {
        go(fixture, random_insn(fixture, &seed));
    }
    go(fixture, 0);
    check(browse_go(fixture->run, UINT64_MAX, &error), error);
    expect(fixture, fixture->insns->len - 1);
    assert_int_equal(browse_run_length(fixture->run), fixture->length);
}

static void test_steps_through_all_instructions(void **state)
{
    const struct fixture *fixture = *state;
    GError *error = NULL;
    bool moved;

    go(fixture, 0);
    check(browse_step(fixture->run, BROWSE_BACK, &moved, &error), error);
    assert_false(moved);
    for (guint i = 1; i < 4000; i++) {
        check(browse_step(fixture->run, BROWSE_ON, &moved, &error), error);
        assert_true(moved);
        expect(fixture, i);
    }
    for (guint i = 3999; i-- > 0;) {
        check(browse_step(fixture->run, BROWSE_BACK, &moved, &error), error);
        assert_true(moved);
        expect(fixture, i);
    }
    go(fixture, fixture->insns->len - 1);
    check(browse_step(fixture->run, BROWSE_ON, &moved, &error), error);
    assert_false(moved);
    expect(fixture, fixture->insns->len - 1);
}

/* The nearest instruction that is wanted, found one by one; -1: there is none. */
static int64_t nearest(const struct fixture *fixture, guint from, int step,
                       bool (*wanted)(const struct insn *insn, const struct insn *start))
{
    const struct insn *start = at(fixture, from);
    for (int64_t i = (int64_t)from + step; i >= 0 && i < (int64_t)fixture->insns->len; i += step) {
        if (at(fixture, (guint)i)->icount != start->icount && wanted(at(fixture, (guint)i), start)) {
            return i;
        }
    }
    return -1;
}

static bool same_pc(const struct insn *insn, const struct insn *start)
{
    return insn->pc == start->pc;
}

static bool same_block(const struct insn *insn, const struct insn *start)
{
    return insn->block == start->block && insn->index == 0;
}

static void test_finds_the_nearest_execution(void **state)
{
    const struct fixture *fixture = *state;
    GError *error = NULL;
    uint64_t seed = 2;
    bool moved;

    for (int i = 0; i < 300; i++) {
        guint from = random_insn(fixture, &seed);
        for (int direction = BROWSE_BACK; direction <= BROWSE_ON; direction++) {
            int step = direction == BROWSE_ON ? 1 : -1;
            int64_t pc = nearest(fixture, from, step, same_pc);
            int64_t block = nearest(fixture, from, step, same_block);
            go(fixture, from);
            check(browse_pc(fixture->run, at(fixture, from)->pc, direction, &moved, &error), error);
            assert_int_equal(moved, pc >= 0);
            expect(fixture, moved ? (guint)pc : from);
            go(fixture, from);
            check(browse_block(fixture->run, direction, &moved, &error), error);
            assert_int_equal(moved, block >= 0);
            expect(fixture, moved ? (guint)block : from);
        }
    }
}

static void test_goes_from_event_to_event(void **state)
{
    const struct fixture *fixture = *state;
    GError *error = NULL;
    bool moved = true;

    go(fixture, 0);
    for (guint i = 0; i < fixture->events->len; i++) {
        check(browse_event(fixture->run, BROWSE_ON, &moved, &error), error);
        assert_true(moved);
        assert_int_equal(browse_run_place(fixture->run).icount, g_array_index(fixture->events, tcgrr_icount, i));
    }
    check(browse_event(fixture->run, BROWSE_ON, &moved, &error), error);
    assert_false(moved);
    check(browse_event(fixture->run, BROWSE_BACK, &moved, &error), error);
    assert_true(moved);
}

/* The rows around a place are what ran there, in order. */
static void test_shows_what_ran(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t seed = 3;
    guint events = 0;

    for (int i = 0; i < 200; i++) {
        guint from = random_insn(fixture, &seed);
        guint here = 0;
        GError *error = NULL;
        go(fixture, from);
        g_autoptr(GPtrArray) rows = browse_rows(fixture->run, 20, 20, &here, &error);
        check(rows != NULL, error);
        const struct browse_row *own = g_ptr_array_index(rows, here);
        assert_int_equal(own->icount, at(fixture, from)->icount);
        assert_int_equal(own->kind, BROWSE_INSN);
        guint next = from;
        for (guint row = here; row < rows->len; row++) {
            const struct browse_row *shown = g_ptr_array_index(rows, row);
            if (shown->kind == BROWSE_INSN) {
                assert_int_equal(shown->icount, at(fixture, next)->icount);
                assert_int_equal(shown->pc, at(fixture, next)->pc);
                assert_non_null(shown->text);
                next++;
            }
            events += shown->kind == BROWSE_EVENT;
        }
        assert_true(next >= from + 20 || next == fixture->insns->len);
    }
    assert_true(events > 0);
}

/* The made-up instructions have their bytes for a text: searching for that is searching for the instruction. */
static void test_searches_forward_and_backward(void **state)
{
    const struct fixture *fixture = *state;
    GError *error = NULL;
    uint64_t seed = 5;
    bool moved;

    for (int i = 0; i < 50; i++) {
        guint from = random_insn(fixture, &seed);
        guint here = 0;
        go(fixture, from);
        g_autoptr(GPtrArray) rows = browse_rows(fixture->run, 0, 1, &here, &error);
        check(rows != NULL, error);
        const char *text = ((struct browse_row *)g_ptr_array_index(rows, here))->text;
        for (int direction = BROWSE_BACK; direction <= BROWSE_ON; direction++) {
            go(fixture, from);
            check(browse_search(fixture->run, text, direction, &moved, &error), error);
            guint at_here = 0;
            g_autoptr(GPtrArray) found = browse_rows(fixture->run, 0, 1, &at_here, &error);
            check(found != NULL, error);
            assert_string_equal(((struct browse_row *)g_ptr_array_index(found, at_here))->text, text);
            int64_t same = nearest(fixture, from, direction == BROWSE_ON ? 1 : -1, same_pc);
            assert_true(moved || same < 0);
        }
    }
    check(browse_search(fixture->run, "no such text", BROWSE_ON, &moved, &error), error);
    assert_false(moved);
}

static void test_finds_what_the_user_wrote(void **state)
{
    const struct fixture *fixture = *state;
    GError *error = NULL;
    bool moved;
    g_autofree char *address = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", at(fixture, 5)->pc);

    check(browse_find(fixture->run, "1,234", &moved, &error), error);
    assert_true(browse_run_place(fixture->run).icount >= 1234 && browse_run_place(fixture->run).icount < 1250);
    check(browse_find(fixture->run, "50%", &moved, &error), error);
    assert_in_range(browse_run_place(fixture->run).icount, fixture->length / 2 - 10, fixture->length / 2 + 10);
    check(browse_find(fixture->run, address, &moved, &error), error);
    assert_int_equal(browse_run_place(fixture->run).pc, at(fixture, 5)->pc);
    struct browse_place before = browse_run_place(fixture->run);
    const char *const wrong[] = {"nonsense", "", "120%", "0x", "-5", "0x7"};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        assert_false(browse_find(fixture->run, wrong[i], &moved, &error));
        assert_non_null(error);
        g_clear_error(&error);
        assert_int_equal(browse_run_place(fixture->run).icount, before.icount);
    }
}

static bool verified;

static void problem(const char *text, void *data)
{
    print_error("%s\n", text);
    verified = false;
}

/* Bookmarks that tcgrr did not write: only those with a place and a text count. Leaves them as they were. */
static void leave_out_wrong_bookmarks(const char *path)
{
    g_autofree char *copy = g_strconcat(path, ".copy", NULL);
    g_autofree char *bytes = NULL;
    gsize size;
    sqlite3 *db = NULL;
    GError *error = NULL;

    assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    assert_true(g_file_set_contents(copy, bytes, (gssize)size, NULL));
    assert_int_equal(sqlite3_open(copy, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TABLE bookmark; CREATE TABLE bookmark(icount, text); INSERT INTO bookmark "
                                  "VALUES(5, NULL), ('x', 'a text'), (-1, 'before'), (7, 'good'), (x'00', 'bytes')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    struct browse_run *run = browse_run_open(copy, &error);
    check(run != NULL, error);
    assert_int_equal(browse_bookmarks(run)->len, 1);
    const struct browse_line *mark = g_ptr_array_index(browse_bookmarks(run), 0);
    assert_string_equal(mark->text, "good");
    assert_int_equal(mark->icount, 7);
    browse_run_free(run);
    assert_int_equal(g_unlink(copy), 0);
}

/* Whatever the order in which they are made, and changed. */
static void keeps_bookmarks_in_order(struct fixture *fixture)
{
    static const struct {
        guint place;
        const char *text;
    } made[] = {{100, "c"}, {300, "e"}, {10, "a"}, {200, "d"}, {50, "b"}, {300, "f"}, {10, ""}};
    static const char *const wanted[] = {"b", "c", "d", "f"};
    GError *error = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(made); i++) {
        go(fixture, made[i].place);
        check(browse_bookmark(fixture->run, made[i].text, &error), error);
    }
    struct browse_run *again = browse_run_open(fixture->path, &error);
    check(again != NULL, error);
    const GPtrArray *lists[] = {browse_bookmarks(fixture->run), browse_bookmarks(again)};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lists[i]->len, G_N_ELEMENTS(wanted));
        for (guint j = 0; j < lists[i]->len; j++) {
            const struct browse_line *mark = g_ptr_array_index(lists[i], j);
            assert_string_equal(mark->text, wanted[j]);
        }
    }
    browse_run_free(again);
    go(fixture, 100);
    check(browse_bookmark(fixture->run, "it's here", &error), error);
}

/* The trace cannot be written: the bookmark is not there either. */
static void test_bookmark_is_refused(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *moved = g_strconcat(fixture->path, ".moved", NULL);
    GError *error = NULL;

    go(fixture, 100);
    guint count = browse_bookmarks(fixture->run)->len;
    assert_int_equal(g_rename(fixture->path, moved), 0);
    assert_false(browse_bookmark(fixture->run, "lost", &error));
    assert_non_null(error);
    assert_non_null(strstr(error->message, fixture->path));
    g_error_free(error);
    assert_int_equal(browse_bookmarks(fixture->run)->len, count);
    assert_int_equal(g_rename(moved, fixture->path), 0);
}

static void test_trace_keeps_bookmarks(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    uint64_t problems = 1;

    go(fixture, 100);
    check(browse_bookmark(fixture->run, "it's here", &error), error);
    go(fixture, 50);
    check(browse_bookmark(fixture->run, "before", &error), error);
    check(browse_bookmark(fixture->run, "", &error), error);
    assert_int_equal(browse_bookmarks(fixture->run)->len, 1);
    struct browse_run *again = browse_run_open(fixture->path, &error);
    check(again != NULL, error);
    assert_int_equal(browse_bookmarks(again)->len, 1);
    const struct browse_line *mark = g_ptr_array_index(browse_bookmarks(again), 0);
    assert_string_equal(mark->text, "it's here");
    assert_int_equal(mark->icount, at(fixture, 100)->icount);
    browse_run_free(again);
    leave_out_wrong_bookmarks(fixture->path);
    keeps_bookmarks_in_order(fixture);

    struct tcgrr_reader *reader = tcgrr_reader_open(fixture->path, &error);
    check(reader != NULL, error);
    verified = true;
    check(tcgrr_reader_verify(reader, problem, NULL, &problems, &error), error);
    assert_int_equal(problems, 0);
    assert_true(verified);
    tcgrr_reader_free(reader);
}

/* The stack at a place is the same whichever way one came there. */
static void test_stack_does_not_depend_on_the_way(void **state)
{
    const struct fixture *fixture = *state;
    GError *error = NULL;
    uint64_t seed = 4;

    for (int i = 0; i < 20; i++) {
        guint from = random_insn(fixture, &seed);
        GPtrArray *frames[2] = {NULL, NULL};
        struct browse_run *fresh = browse_run_open(fixture->path, &error);
        check(fresh != NULL, error);
        go(fixture, from);
        check(browse_go(fresh, at(fixture, from)->icount, &error), error);
        while (!frames[0]) {
            check(browse_stack(fixture->run, &frames[0], &error), error);
        }
        while (!frames[1]) {
            check(browse_stack(fresh, &frames[1], &error), error);
        }
        assert_int_equal(frames[0]->len, frames[1]->len);
        assert_true(frames[0]->len > 0);
        for (guint k = 0; k < frames[0]->len; k++) {
            const struct browse_frame *one = g_ptr_array_index(frames[0], k);
            const struct browse_frame *other = g_ptr_array_index(frames[1], k);
            assert_int_equal(one->pc, other->pc);
            assert_int_equal(one->entered, other->entered);
        }
        g_ptr_array_unref(frames[0]);
        g_ptr_array_unref(frames[1]);
        browse_run_free(fresh);
    }
}

/* Places of two runs belong together where as many instructions lie between them and the last difference. */
static void test_aligns_two_runs(void **state)
{
    struct browse_difference list[] = {
        {{100, 120}, {0, 10}, "polling loop"}, /* B turns ten instructions more */
        {{500, 530}, {0, 0}, "divergence"},
    };
    struct browse_pair pair = {.start = {20, 40}, .differences = g_array_new(FALSE, FALSE, sizeof(list[0]))};
    g_array_append_vals(pair.differences, list, G_N_ELEMENTS(list));

    assert_int_equal(browse_pair_other(&pair, 0, 20), 40);
    assert_int_equal(browse_pair_other(&pair, 0, 99), 119);
    assert_int_equal(browse_pair_other(&pair, 0, 100), 130);
    assert_int_equal(browse_pair_other(&pair, 0, 499), 529);
    assert_int_equal(browse_pair_other(&pair, 0, 500), 530);
    assert_int_equal(browse_pair_other(&pair, 0, 600), 630);
    assert_int_equal(browse_pair_other(&pair, 1, 630), 600);
    assert_int_equal(browse_pair_other(&pair, 1, 129), 100);
    assert_int_equal(browse_pair_other(&pair, 0, 5), 25);
    assert_int_equal(browse_pair_other(&pair, 1, 5), 0);
    assert_int_equal(browse_pair_next(&pair, 0, 0, BROWSE_ON)->icount[0], 100);
    assert_int_equal(browse_pair_next(&pair, 0, 100, BROWSE_ON)->icount[0], 500);
    assert_null(browse_pair_next(&pair, 0, 500, BROWSE_ON));
    assert_int_equal(browse_pair_next(&pair, 1, 530, BROWSE_BACK)->icount[1], 120);
    assert_null(browse_pair_next(&pair, 1, 120, BROWSE_BACK));
    g_array_unref(pair.differences);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_to_every_kind_of_place),
        cmocka_unit_test(test_steps_through_all_instructions),
        cmocka_unit_test(test_finds_the_nearest_execution),
        cmocka_unit_test(test_goes_from_event_to_event),
        cmocka_unit_test(test_shows_what_ran),
        cmocka_unit_test(test_finds_what_the_user_wrote),
        cmocka_unit_test(test_searches_forward_and_backward),
        cmocka_unit_test(test_stack_does_not_depend_on_the_way),
        cmocka_unit_test(test_aligns_two_runs),
        cmocka_unit_test(test_trace_keeps_bookmarks),
        cmocka_unit_test(test_bookmark_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
