/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory accesses come out of their encoding, of a trace and of SQL as they went in; damage is found; chunks that
 * cannot have what is asked for are not decoded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "store/access_pages.h"
#include "store/codec/codec_access.h"
#include "store/error.h"
#include "store/sql/sql.h"
#include "store/trace.h"
#include "tests/stream.h"
#include "tests/check.h"

#define INSNS    200000
#define CAPACITY 3000

struct fixture {
    struct tcgrr_blocks *blocks;
    GPtrArray *chunks; /* struct tcgrr_chunk, with accesses */
    struct tcgrr_access_codec *codec;
    struct tcgrr_page_set pages;
    char *folder;
    char *path;
};

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    g_autoptr(GArray) script = stream_script(11, INSNS);

    f->blocks = tcgrr_blocks_new();
    f->chunks = g_ptr_array_new_with_free_func((GDestroyNotify)tcgrr_chunk_free);
    for (guint at = 0; at < script->len;) {
        struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
        guint made = f->chunks->len;
        tcgrr_chunk_follow(chunk, made ? g_ptr_array_index(f->chunks, made - 1) : NULL);
        at = stream_cut(script, at, made, 20, f->blocks, chunk);
        stream_accesses(chunk, f->blocks, made, true);
        g_ptr_array_add(f->chunks, chunk);
    }
    f->codec = tcgrr_access_codec_new();
    tcgrr_page_set_init(&f->pages);
    f->folder = g_dir_make_tmp("tcgrr-unit-access-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "x.tcgrr", NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    g_unlink(f->path);
    g_rmdir(f->folder);
    g_free(f->path);
    g_free(f->folder);
    tcgrr_page_set_free(&f->pages);
    tcgrr_access_codec_free(f->codec);
    g_ptr_array_unref(f->chunks);
    tcgrr_blocks_free(f->blocks);
    g_free(f);
    return 0;
}

static const struct tcgrr_access *access_of(const struct tcgrr_chunk *chunk, guint index)
{
    return &g_array_index(chunk->accesses, struct tcgrr_access, index);
}

static bool same(const struct tcgrr_access *a, const struct tcgrr_access *b)
{
    return a->exec == b->exec && a->insn == b->insn && a->size == b->size && a->flags == b->flags &&
           a->device == b->device && a->address == b->address && a->physical == b->physical &&
           a->value[0] == b->value[0] && a->value[1] == b->value[1];
}

/* A chunk with the same executions and no accesses. */
static struct tcgrr_chunk *without_accesses(const struct tcgrr_chunk *chunk)
{
    struct tcgrr_chunk *copy = tcgrr_chunk_new(CAPACITY);
    tcgrr_chunk_follow(copy, NULL);
    copy->count = chunk->count;
    memcpy(copy->blocks, chunk->blocks, chunk->count * sizeof(uint32_t));
    return copy;
}

static GByteArray *encode(struct fixture *f, const struct tcgrr_chunk *chunk)
{
    GByteArray *out = g_byte_array_new();
    tcgrr_access_encode(f->codec, chunk, &f->pages, out);
    return out;
}

static bool decode(struct fixture *f, const GByteArray *bytes, uint64_t count, struct tcgrr_chunk *chunk)
{
    GError *error = NULL;
    bool good = tcgrr_access_decode(f->codec, bytes->data, bytes->len, count, chunk, f->blocks, &error);
    if (!good) {
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
        assert_int_equal(chunk->accesses->len, 0);
        g_error_free(error);
    }
    return good;
}

/* ---- the encoding ---- */

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    uint64_t total = 0;

    for (guint i = 0; i < f->chunks->len; i++) {
        const struct tcgrr_chunk *chunk = g_ptr_array_index(f->chunks, i);
        g_autoptr(GByteArray) bytes = encode(f, chunk);
        struct tcgrr_chunk *back = without_accesses(chunk);
        assert_true(decode(f, bytes, chunk->accesses->len, back));
        assert_int_equal(back->accesses->len, chunk->accesses->len);
        for (guint k = 0; k < back->accesses->len; k++) {
            assert_true(same(access_of(back, k), access_of(chunk, k)));
        }
        total += chunk->accesses->len;
        tcgrr_chunk_free(back);
    }
    assert_in_range(total, INSNS / 2, INSNS);
}

/* Many accesses by one instruction, none at all, and none in a chunk. */
static void test_odd_shapes(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    uint32_t block = stream_block(f->blocks, 0x70000000, 5);

    tcgrr_chunk_follow(chunk, NULL);
    for (uint32_t exec = 0; exec < 200; exec++) {
        stream_append(chunk, f->blocks, block, 5, 5);
        for (uint32_t i = 0; exec % 7 != 3 && i < (exec % 5 == 0 ? 900 : 1); i++) {
            struct tcgrr_access access = {
                .exec = exec, .insn = (uint16_t)(i * 5 / 900), .size = 1, .address = UINT64_MAX - i};
            g_array_append_val(chunk->accesses, access);
        }
    }
    g_autoptr(GByteArray) bytes = encode(f, chunk);
    struct tcgrr_chunk *back = without_accesses(chunk);
    assert_true(decode(f, bytes, chunk->accesses->len, back));
    for (guint k = 0; k < back->accesses->len; k++) {
        assert_true(same(access_of(back, k), access_of(chunk, k)));
    }
    g_array_set_size(chunk->accesses, 0);
    g_autoptr(GByteArray) none = encode(f, chunk);
    assert_true(decode(f, none, 0, back));
    assert_int_equal(back->accesses->len, 0);
    assert_false(decode(f, none, 1, back));
    tcgrr_chunk_free(back);
    tcgrr_chunk_free(chunk);
}

/* A stream over memory and a copy of it cost next to nothing. */
static void test_small(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    uint32_t block = stream_block(f->blocks, 0x71000000, 4);

    tcgrr_chunk_follow(chunk, NULL);
    for (uint32_t exec = 0; exec < CAPACITY; exec++) {
        struct tcgrr_access access = {.exec = exec, .size = 8, .flags = TCGRR_ACCESS_VALUE | TCGRR_ACCESS_PHYSICAL};
        stream_append(chunk, f->blocks, block, 4, 4);
        access.address = 0xffff800000000000u + 8 * exec;
        access.physical = 0x40000000 + 8 * exec;
        access.value[0] = 7 * exec;
        g_array_append_val(chunk->accesses, access);
        access.insn = 1;
        access.flags |= TCGRR_ACCESS_STORE;
        access.address += 0x100000;
        access.physical += 0x100000;
        g_array_append_val(chunk->accesses, access);
    }
    g_autoptr(GByteArray) bytes = encode(f, chunk);
    assert_in_range(bytes->len, 1, 200);
    tcgrr_chunk_free(chunk);
}

static void test_damage(void **state)
{
    struct fixture *f = *state;
    const struct tcgrr_chunk *chunk = g_ptr_array_index(f->chunks, 1);
    g_autoptr(GByteArray) bytes = encode(f, chunk);
    struct tcgrr_chunk *back = without_accesses(chunk);
    uint64_t random = 3;

    assert_false(decode(f, bytes, chunk->accesses->len + 1, back));
    assert_false(decode(f, bytes, chunk->accesses->len - 1, back));
    assert_false(decode(f, bytes, UINT64_MAX, back));
    for (guint cut = 0; cut < bytes->len; cut += 1 + bytes->len / 300) {
        g_autoptr(GByteArray) part = g_byte_array_new();
        g_byte_array_append(part, bytes->data, cut);
        assert_false(decode(f, part, chunk->accesses->len, back));
    }
    for (int i = 0; i < 3000; i++) {
        guint at = stream_random(&random) % bytes->len;
        uint8_t flip = (uint8_t)(1u << stream_random(&random) % 8);
        bytes->data[at] ^= flip;
        if (decode(f, bytes, chunk->accesses->len, back)) { /* other accesses, but possible ones */
            for (guint k = 0; k < back->accesses->len; k++) {
                const struct tcgrr_access *access = access_of(back, k);
                assert_in_range(access->exec, 0, chunk->count - 1);
                assert_in_range(access->insn, 0, tcgrr_blocks_get(f->blocks, chunk->blocks[access->exec])->insns - 1);
            }
        }
        bytes->data[at] ^= flip;
    }
    tcgrr_chunk_free(back);
}

/* ---- pages ---- */

static void test_pages(void **state)
{
    struct fixture *f = *state;
    g_autoptr(GByteArray) scratch = g_byte_array_new();
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autoptr(GArray) back = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_page_use));

    for (guint i = 0; i < f->chunks->len; i++) {
        const struct tcgrr_chunk *chunk = g_ptr_array_index(f->chunks, i);
        struct tcgrr_page_set all; /* the encoder adds a page when it is new only */
        g_byte_array_unref(encode(f, chunk));
        tcgrr_page_set_init(&all);
        for (guint k = 0; k < chunk->accesses->len; k++) {
            tcgrr_page_set_add(&all, access_of(chunk, k));
        }
        const GArray *expected = tcgrr_page_set_sort(&all);
        tcgrr_pages_encode(tcgrr_page_set_sort(&f->pages), scratch, out);
        assert_true(tcgrr_pages_decode(out->data, out->len, scratch, back));
        assert_int_equal(back->len, expected->len);
        for (guint k = 0; k < back->len; k++) {
            const struct tcgrr_page_use *a = &g_array_index(back, struct tcgrr_page_use, k);
            const struct tcgrr_page_use *b = &g_array_index(expected, struct tcgrr_page_use, k);
            assert_true(a->page == b->page && a->physical == b->physical && a->flags == b->flags);
        }
        tcgrr_page_set_free(&all);
    }
    for (guint at = 0; at < out->len; at++) {
        out->data[at] ^= 0x10;
        assert_false(tcgrr_pages_decode(out->data, out->len, scratch, back));
        out->data[at] ^= 0x10;
        assert_false(tcgrr_pages_decode(out->data, at, scratch, back));
    }
}

/* An access that crosses into the next page is in both. */
static void test_page_crossing(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_access access = {
        .size = 8, .flags = TCGRR_ACCESS_STORE | TCGRR_ACCESS_PHYSICAL, .address = 0x5ffc, .physical = 0x1ffc};

    tcgrr_page_set_clear(&f->pages);
    tcgrr_page_set_add(&f->pages, &access);
    const GArray *uses = tcgrr_page_set_sort(&f->pages);
    assert_int_equal(uses->len, 2);
    assert_int_equal(g_array_index(uses, struct tcgrr_page_use, 0).page, 5);
    assert_int_equal(g_array_index(uses, struct tcgrr_page_use, 0).physical, 1);
    assert_int_equal(g_array_index(uses, struct tcgrr_page_use, 1).page, 6);
    assert_int_equal(g_array_index(uses, struct tcgrr_page_use, 1).flags, TCGRR_PAGE_USE_STORED);
}

/* ---- the trace ---- */

static void write_trace(struct fixture *f)
{
    struct tcgrr_run run = {.tool_version = "1",
                            .command = "[\"qemu\"]",
                            .original_command = "[\"qemu\"]",
                            .qemu_version = "10.0.2",
                            .target = "riscv64",
                            .mode = "system",
                            .level = "full",
                            .qemu_icount = -1,
                            .mem_until = -1};
    GError *error = NULL;
    struct tcgrr_writer *writer = tcgrr_writer_create(f->path, true, &run, &error);
    const struct tcgrr_chunk *last = g_ptr_array_index(f->chunks, f->chunks->len - 1);

    check(writer != NULL, error);
    for (guint i = 0; i < f->chunks->len; i++) {
        struct tcgrr_chunk *chunk = g_ptr_array_index(f->chunks, i);
        struct tcgrr_device devices[] = {{2, "uart"}, {3, "timer"}};
        g_array_set_size(chunk->devices, 0);
        g_array_append_vals(chunk->devices, devices, i == 0 ? 2 : 0);
        check(tcgrr_writer_chunk(writer, chunk, f->blocks, &error), error);
    }
    check(tcgrr_writer_region(writer, 0x8fff000, 0x9000003, "i/o", "shared", &error), error);
    run.complete = true;
    run.icount = last->end_icount;
    run.execs = last->first_seq + last->count;
    check(tcgrr_writer_run(writer, &run, &error) && tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
}

static void print_problem(const char *text, void *data)
{
    print_message("%s\n", text);
}

static uint64_t problems(struct fixture *f)
{
    GError *error = NULL;
    uint64_t count = 0;
    struct tcgrr_reader *reader = tcgrr_reader_open(f->path, &error);
    check(reader != NULL, error);
    check(tcgrr_reader_verify(reader, print_problem, NULL, &count, &error), error);
    tcgrr_reader_free(reader);
    return count;
}

static bool retired(const struct tcgrr_chunk *chunk, const struct tcgrr_access *access)
{
    for (guint i = 0; i < chunk->partials->len; i++) {
        const struct tcgrr_partial *partial = &g_array_index(chunk->partials, struct tcgrr_partial, i);
        if (partial->index == access->exec) {
            return access->insn < partial->ran;
        }
    }
    return true;
}

/* The reader leaves out what did not retire, and nothing else. */
static void test_trace(void **state)
{
    struct fixture *f = *state;
    GError *error = NULL;
    struct tcgrr_chunk *back = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    uint64_t left_out = 0;

    write_trace(f);
    assert_int_equal(problems(f), 0);
    struct tcgrr_reader *reader = tcgrr_reader_open(f->path, &error);
    check(reader != NULL, error);
    for (guint i = 0; i < f->chunks->len; i++) {
        const struct tcgrr_chunk *chunk = g_ptr_array_index(f->chunks, i);
        bool found = false;
        check(tcgrr_reader_chunk(reader, i, back, &found, &error), error);
        assert_int_equal(back->accesses->len, 0);
        check(tcgrr_reader_accesses(reader, i, back, &error), error);
        guint at = 0;
        for (guint k = 0; k < chunk->accesses->len; k++) {
            if (retired(chunk, access_of(chunk, k))) {
                assert_true(same(access_of(back, at++), access_of(chunk, k)));
            } else {
                left_out++;
            }
        }
        assert_int_equal(at, back->accesses->len);
    }
    assert_in_range(left_out, 100, INSNS / 2);
    tcgrr_reader_free(reader);
    tcgrr_chunk_free(back);
}

static void change(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_close(db);
}

/* Each is a problem besides the seal's. */
static void test_changed_by_sql(void **state)
{
    struct fixture *f = *state;
    static const char *const changes[] = {
        "UPDATE mem_chunk SET data = substr(data, 1, length(data) - 1) WHERE chunk = 2",
        "UPDATE mem_chunk SET accesses = accesses + 1 WHERE chunk = 2",
        "UPDATE mem_chunk SET chunk = 9999 WHERE chunk = 2",
        "UPDATE mem_chunk SET pages = (SELECT pages FROM mem_chunk WHERE chunk = 4) WHERE chunk = 2",
        "UPDATE mem_chunk SET pages = NULL WHERE chunk = 2",
        "DELETE FROM device WHERE id = 3",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        write_trace(f);
        change(f, "UPDATE run SET host = 'x'");
        uint64_t seal_only = problems(f);
        write_trace(f);
        change(f, changes[i]);
        assert_in_range(problems(f), seal_only + 1, 1000);
    }
}

/* ---- SQL ---- */

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t result = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    if (sqlite3_step(statement) == SQLITE_ROW) {
        result = sqlite3_column_int64(statement, 0);
    } else if (sqlite3_errcode(db) != SQLITE_DONE) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    sqlite3_finalize(statement);
    return result;
}

static sqlite3 *open_sql(struct fixture *f)
{
    sqlite3 *db;
    GError *error = NULL;
    write_trace(f);
    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    check(tcgrr_sql_register(db, &error) != NULL, error);
    return db;
}

/* Row by row what the chunks hold, forwards, and as much backwards. */
static void test_sql_is_the_walk(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = open_sql(f);
    sqlite3_stmt *statement;
    int64_t rows = 0;

    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT icount, pc, seq, kind, address, size, value, physical, device, part"
                                        " FROM mem ORDER BY icount",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    for (guint i = 0; i < f->chunks->len; i++) {
        const struct tcgrr_chunk *chunk = g_ptr_array_index(f->chunks, i);
        struct tcgrr_cursor at;
        guint k = 0;
        for (bool more = tcgrr_cursor_begin(&at, chunk, f->blocks); more; more = tcgrr_cursor_next(&at)) {
            for (; k < chunk->accesses->len && access_of(chunk, k)->exec == at.index; k++) {
                const struct tcgrr_access *access = access_of(chunk, k);
                if (access->insn >= at.ran) {
                    continue;
                }
                rows++;
                assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
                assert_int_equal(sqlite3_column_int64(statement, 0), at.icount + access->insn);
                assert_int_equal(sqlite3_column_int64(statement, 1), tcgrr_block_pc(at.block, access->insn));
                assert_int_equal(sqlite3_column_int64(statement, 2), chunk->first_seq + at.index);
                assert_string_equal(sqlite3_column_text(statement, 3),
                                    access->flags & TCGRR_ACCESS_STORE ? "store" : "load");
                assert_int_equal(sqlite3_column_int64(statement, 4), access->address);
                assert_int_equal(sqlite3_column_int64(statement, 5), access->size);
                if (!(access->flags & TCGRR_ACCESS_VALUE)) {
                    assert_int_equal(sqlite3_column_type(statement, 6), SQLITE_NULL);
                } else if (access->size == 16) {
                    assert_memory_equal(sqlite3_column_blob(statement, 6), access->value, 16);
                } else {
                    assert_int_equal(sqlite3_column_int64(statement, 6), access->value[0]);
                }
                bool physical = access->flags & TCGRR_ACCESS_PHYSICAL;
                assert_int_equal(sqlite3_column_type(statement, 7), physical ? SQLITE_INTEGER : SQLITE_NULL);
                assert_int_equal(sqlite3_column_int64(statement, 7), access->physical);
                bool shared = access->physical >= 0x8fff000 && access->physical <= 0x9000003;
                const char *names[] = {NULL, shared ? "shared" : "", "uart", "timer"};
                const char *name = (const char *)sqlite3_column_text(statement, 8);
                assert_int_equal(g_strcmp0(name, names[access->device]), 0);
                bool second = k > 0 && access_of(chunk, k - 1)->exec == access->exec &&
                              access_of(chunk, k - 1)->insn == access->insn;
                assert_int_equal(sqlite3_column_int64(statement, 9), second);
            }
        }
    }
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
    assert_int_equal(number(db, "SELECT count(*) FROM (SELECT * FROM mem ORDER BY icount DESC)"), rows);
    sqlite3_close(db);
}

/* Each constraint gives what SQLite finds without the table's help (+column is not handed to it). */
static void test_sql_constraints(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = open_sql(f);
    static const char *const conditions[][2] = {
        {"address = 0x4010", "+address = 0x4010"},
        {"address > 0x4010 AND address <= 0x4100", "+address > 0x4010 AND +address <= 0x4100"},
        {"address < 0", "+address < 0"},
        {"physical BETWEEN 0x3000 AND 0x4050", "+physical BETWEEN 0x3000 AND 0x4050"},
        {"physical = 0", "+physical = 0"},
        {"kind = 'store'", "+kind = 'store'"},
        {"kind = 'neither'", "0"},
        {"kind COLLATE NOCASE = 'Load'", "+kind = 'load'"},
        {"icount BETWEEN 1000 AND 50000 AND kind = 'load'", "+icount BETWEEN 1000 AND 50000 AND +kind = 'load'"},
        {"seq = 5000", "+seq = 5000"},
        {"pc BETWEEN 0x80001000 AND 0x80003000", "+pc BETWEEN 0x80001000 AND 0x80003000"},
        {"covers = 0x4015", "+address <= 0x4015 AND +address + size > 0x4015"},
        {"covers = 0x4015 AND kind = 'store'", "+address <= 0x4015 AND +address + size > 0x4015 AND +kind = 'store'"},
        {"covers = NULL", "0"},
        {"device = 'uart'", "+device = 'uart'"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(conditions); i++) {
        for (int descending = 0; descending < 2; descending++) {
            int64_t sums[2];
            for (int helped = 0; helped < 2; helped++) {
                g_autofree char *sql = g_strdup_printf(
                    "SELECT count(*) * 1000003 + total(icount %% 1000) FROM (SELECT * FROM mem WHERE %s ORDER BY icount"
                    "%s)",
                    conditions[i][!helped], descending ? " DESC" : "");
                sums[helped] = number(db, sql);
            }
            assert_int_equal(sums[0], sums[1]);
        }
    }
    sqlite3_close(db);
}

static int64_t chunks_for(sqlite3 *db, const char *sql)
{
    int64_t before = number(db, "SELECT tcgrr_chunks_decoded()");
    number(db, sql);
    return number(db, "SELECT tcgrr_chunks_decoded()") - before;
}

/* Who wrote an address last is found without decoding chunks that do not touch its page. */
static void test_sql_skips_chunks(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = open_sql(f);
    /* A store to the page that was left alone first. */
    int64_t address = number(db, "SELECT address, max(icount) FROM mem WHERE address < 0 AND kind = 'store'"
                                 " GROUP BY address >> 12 ORDER BY 2 LIMIT 1");
    g_autofree char *last = g_strdup_printf("SELECT icount FROM mem WHERE covers = %" G_GINT64_FORMAT
                                            " AND kind = 'store' ORDER BY icount DESC LIMIT 1",
                                            (gint64)address);
    g_autofree char *truth =
        g_strdup_printf("SELECT max(icount) FROM mem WHERE +kind = 'store' AND +address <= %" G_GINT64_FORMAT
                        " AND +address + size > %" G_GINT64_FORMAT,
                        (gint64)address, (gint64)address);

    assert_in_range(f->chunks->len, 8, 1000);
    assert_int_equal(number(db, last), number(db, truth));
    sqlite3_close(db);
    db = open_sql(f);
    assert_in_range(chunks_for(db, last), 1, 2);
    assert_int_equal(chunks_for(db, "SELECT count(*) FROM mem WHERE address = 0x123456789"), 0);
    assert_int_equal(chunks_for(db, "SELECT count(*) FROM mem WHERE kind = 'neither'"), 0);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_odd_shapes),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_page_crossing),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_changed_by_sql),
        cmocka_unit_test(test_sql_is_the_walk),
        cmocka_unit_test(test_sql_constraints),
        cmocka_unit_test(test_sql_skips_chunks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
