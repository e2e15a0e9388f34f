/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SQL sees is what a plain walk over the executions gives, and costs no more chunks than it has to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sql/sql.h"
#include "store/summary.h"
#include "store/trace.h"
#include "store/symbols.h"
#include "tests/stream.h"
#include "tests/check.h"

#define INSNS    200000
#define CAPACITY 2000 /* executions in a chunk */

/* An execution as a plain walk finds it. */
struct row {
    int64_t seq, icount, vcpu, block, pc, insns, ran, counted;
};

struct fixture {
    char *folder;
    char *path;
    char *other; /* a second trace */
    struct tcgrr_blocks *blocks;
    GArray *rows; /* struct row */
    guint chunks;
    sqlite3 *db;
    const struct tcgrr_sql *sql;
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
    .vcpus = 2,
    .level = "flow",
    .qemu_icount = -1,
};

/* ---- the traces ---- */

static void keep_rows(struct fixture *fixture, const struct tcgrr_chunk *chunk)
{
    struct tcgrr_cursor at;
    for (bool more = tcgrr_cursor_begin(&at, chunk, fixture->blocks); more; more = tcgrr_cursor_next(&at)) {
        struct row row = {.seq = (int64_t)(chunk->first_seq + at.index),
                          .icount = (int64_t)at.icount,
                          .vcpu = at.vcpu,
                          .block = chunk->blocks[at.index],
                          .pc = (int64_t)at.block->pc,
                          .insns = at.block->insns,
                          .ran = at.ran,
                          .counted = at.counted};
        g_array_append_val(fixture->rows, row);
    }
}

/* An interrupt in the chunk's middle, and executions of which nothing ran or more was counted than ran. */
static void add_oddities(struct fixture *fixture, struct tcgrr_chunk *chunk, guint number)
{
    struct tcgrr_event event = {.seq = chunk->first_seq + chunk->count / 2,
                                .icount = chunk->first_icount + 7,
                                .kind = TCGRR_EVENT_INTERRUPT,
                                .has_pcs = true,
                                .from_pc = 0x80000000u,
                                .to_pc = 0x80001000u};
    struct tcgrr_switch change = {.index = chunk->count / 3, .vcpu = number % 2};
    g_array_append_val(chunk->switches, change);
    g_array_append_val(chunk->events, event);
    for (guint i = 0; i < chunk->partials->len; i += 5) {
        struct tcgrr_partial *partial = &g_array_index(chunk->partials, struct tcgrr_partial, i);
        uint32_t insns = tcgrr_blocks_get(fixture->blocks, chunk->blocks[partial->index])->insns;
        partial->ran = i % 2 ? partial->ran : 0;
        partial->counted = i % 3 ? MIN(partial->ran + 1, insns) : partial->ran;
    }
    tcgrr_chunk_compute(chunk, fixture->blocks);
}

static void write_trace(struct fixture *fixture, const char *path, uint64_t seed, guint insns, bool keep)
{
    struct tcgrr_run run = plain_run;
    GError *error = NULL;
    g_autoptr(GArray) script = stream_script(seed, insns);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    struct tcgrr_writer *writer = tcgrr_writer_create(path, false, &run, &error);
    check(writer != NULL, error);

    tcgrr_chunk_follow(chunk, NULL);
    for (guint at = 0, number = 0; at < script->len; number++) {
        at = stream_cut(script, at, seed + number, 9, fixture->blocks, chunk);
        add_oddities(fixture, chunk, number);
        check(tcgrr_writer_chunk(writer, chunk, fixture->blocks, &error), error);
        if (keep) {
            keep_rows(fixture, chunk);
            fixture->chunks = number + 1;
        }
        run.icount = chunk->end_icount;
        run.execs = chunk->first_seq + chunk->count;
        tcgrr_chunk_follow(chunk, chunk);
    }
    run.complete = true;
    run.exit = "exit 0";
    check(tcgrr_writer_symbol(
              writer, &(struct tcgrr_symbol){.address = 0x80000000u, .size = 0x1000, .name = "first", .file = "x.elf"},
              &error),
          error);
    check(tcgrr_writer_symbol(
              writer, &(struct tcgrr_symbol){.address = 0x80001000u, .size = 0x1000, .name = "second", .file = "x.elf"},
              &error),
          error);
    check(tcgrr_writer_run(writer, &run, &error) && tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
    tcgrr_chunk_free(chunk);
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    fixture->folder = g_dir_make_tmp("tcgrr-sql-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "a.tcgrr", NULL);
    fixture->other = g_build_filename(fixture->folder, "b.tcgrr", NULL);
    fixture->blocks = tcgrr_blocks_new();
    fixture->rows = g_array_new(FALSE, FALSE, sizeof(struct row));
    write_trace(fixture, fixture->path, 1, INSNS, true);
    write_trace(fixture, fixture->other, 2, 5000, false);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    g_unlink(fixture->path);
    g_unlink(fixture->other);
    g_rmdir(fixture->folder);
    tcgrr_blocks_free(fixture->blocks);
    g_array_unref(fixture->rows);
    g_free(fixture->folder);
    g_free(fixture->path);
    g_free(fixture->other);
    g_free(fixture);
    return 0;
}

/* Each test has a connection of its own, so that nothing is decoded yet. */
static int connect_db(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    assert_int_equal(sqlite3_open_v2(fixture->path, &fixture->db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    fixture->sql = tcgrr_sql_register(fixture->db, &error);
    check(fixture->sql != NULL, error);
    return 0;
}

static int disconnect_db(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(sqlite3_close(fixture->db), SQLITE_OK); /* nothing is left open */
    return 0;
}

static const struct row *row_at(const struct fixture *fixture, guint index)
{
    return &g_array_index(fixture->rows, struct row, index);
}

/* ---- asking ---- */

/* All values of all rows as text, "1 2 3;4 5 6;". */
static char *ask(struct fixture *fixture, const char *format, ...) G_GNUC_PRINTF(2, 3);
static char *ask(struct fixture *fixture, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sql = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    GString *text = g_string_new(NULL);
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(fixture->db, sql, -1, &statement, NULL);
    while (status == SQLITE_OK || status == SQLITE_ROW) {
        status = sqlite3_step(statement);
        for (int i = 0; status == SQLITE_ROW && i < sqlite3_column_count(statement); i++) {
            const char *value = (const char *)sqlite3_column_text(statement, i);
            g_string_append_printf(text, "%s%s", i ? " " : "", value ? value : "-");
        }
        g_string_append(text, status == SQLITE_ROW ? ";" : "");
    }
    if (status != SQLITE_DONE) {
        g_string_printf(text, "error: %s", sqlite3_errmsg(fixture->db));
    }
    sqlite3_finalize(statement);
    return g_string_free(text, FALSE);
}

static void append_row(GString *text, const struct row *row)
{
    g_string_append_printf(text,
                           "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT
                           " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT ";",
                           row->seq, row->icount, row->vcpu, row->block, row->pc, row->insns, row->ran);
}

/* Runs one range query against the plain walk. */
static void compare(struct fixture *fixture, const char *where,
                    bool (*wanted)(const struct row *row, const int64_t *values), const int64_t *values,
                    bool descending)
{
    GString *expected = g_string_new(NULL);
    for (guint i = 0; i < fixture->rows->len; i++) {
        const struct row *row = row_at(fixture, descending ? fixture->rows->len - 1 - i : i);
        if (wanted(row, values)) {
            append_row(expected, row);
        }
    }
    g_autofree char *found =
        ask(fixture, "SELECT * FROM exec WHERE %s ORDER BY seq %s", where, descending ? "DESC" : "");
    if (strcmp(found, expected->str) != 0) {
        print_message("WHERE %s\n found %.300s\nwanted %.300s\n", where, found, expected->str);
    }
    assert_string_equal(found, expected->str);
    g_string_free(expected, TRUE);
}

static bool in_icount(const struct row *row, const int64_t *values)
{
    return row->icount >= values[0] && row->icount <= values[1];
}

static bool in_seq(const struct row *row, const int64_t *values)
{
    return row->seq >= values[0] && row->seq < values[1];
}

static bool of_block(const struct row *row, const int64_t *values)
{
    return row->block == values[0] && row->vcpu == values[1];
}

static bool of_pc(const struct row *row, const int64_t *values)
{
    return row->pc >= values[0] && row->pc < values[1] && row->icount > values[2];
}

static bool either(const struct row *row, const int64_t *values)
{
    return row->icount == values[0] || row->icount == values[1];
}

/* ---- tests ---- */

static void test_exec_is_the_walk(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = 5;

    for (int turn = 0; turn < 60; turn++) {
        const struct row *a = row_at(fixture, stream_random(&random) % fixture->rows->len);
        const struct row *b = row_at(fixture, stream_random(&random) % fixture->rows->len);
        int64_t first = MIN(a->icount, b->icount) + stream_random(&random) % 3;
        int64_t last = turn % 2 ? first + stream_random(&random) % 50 : MAX(a->icount, b->icount);
        bool descending = turn % 3 == 0;
        g_autofree char *by_icount =
            g_strdup_printf("icount BETWEEN %" G_GINT64_FORMAT " AND %" G_GINT64_FORMAT, first, last);
        g_autofree char *by_seq =
            g_strdup_printf("seq >= %" G_GINT64_FORMAT " AND seq < %" G_GINT64_FORMAT, a->seq, b->seq);
        g_autofree char *by_block =
            g_strdup_printf("block = %" G_GINT64_FORMAT " AND vcpu = %" G_GINT64_FORMAT, a->block, b->vcpu);
        g_autofree char *by_pc =
            g_strdup_printf("pc >= %" G_GINT64_FORMAT " AND pc < %" G_GINT64_FORMAT " AND icount > %" G_GINT64_FORMAT,
                            a->pc, b->pc, first);
        g_autofree char *by_in =
            g_strdup_printf("icount IN (%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ")", a->icount, b->icount);
        compare(fixture, by_icount, in_icount, (int64_t[]){first, last}, descending);
        compare(fixture, by_seq, in_seq, (int64_t[]){a->seq, b->seq}, descending);
        compare(fixture, by_block, of_block, (int64_t[]){a->block, b->vcpu}, descending);
        compare(fixture, by_pc, of_pc, (int64_t[]){a->pc, b->pc, first}, descending);
        compare(fixture, by_in, either, (int64_t[]){a->icount, b->icount}, descending);
    }
}

/* Values that are no integers compare as SQL says. */
static void test_exec_compares_as_sql(void **state)
{
    struct fixture *fixture = *state;
    const char *const conditions[] = {"icount > 99.5 AND icount < 120.5",
                                      "icount >= '100' AND icount <= '120'",
                                      "icount < 'abc' AND seq < 3",
                                      "icount > 'abc'",
                                      "icount = NULL",
                                      "icount > NULL",
                                      "seq = 5.0",
                                      "seq = 5.5",
                                      "vcpu = 1.5",
                                      "icount > -5 AND icount < 5",
                                      "icount > 9223372036854775807",
                                      "icount < -9223372036854775807 - 1",
                                      "icount > 1e30",
                                      "icount < 1e30 AND seq < 3",
                                      "block = -1",
                                      "block = 9999999999",
                                      "pc = 1",
                                      "rowid = 7",
                                      "rowid BETWEEN 7 AND 9 AND seq > 7"};
    for (size_t i = 0; i < G_N_ELEMENTS(conditions); i++) {
        g_autofree char *found = ask(fixture, "SELECT seq, icount FROM exec WHERE %s", conditions[i]);
        g_autofree char *slow = ask(fixture,
                                    "SELECT seq, icount FROM (SELECT seq, icount, vcpu, block, pc, seq AS rowid FROM"
                                    " exec LIMIT -1 OFFSET 0) WHERE %s",
                                    conditions[i]);
        if (strcmp(found, slow) != 0) {
            print_message("WHERE %s\n", conditions[i]);
        }
        assert_string_equal(found, slow);
    }
}

static void test_insn_is_the_walk(void **state)
{
    struct fixture *fixture = *state;
    const guint first = fixture->rows->len / 2;
    GString *expected = g_string_new(NULL);
    GString *backwards = g_string_new(NULL);
    int64_t last = 0;

    for (guint i = first; i < first + 500; i++) {
        const struct row *row = row_at(fixture, i);
        const struct tcgrr_block *block = tcgrr_blocks_get(fixture->blocks, (uint32_t)row->block);
        for (uint32_t k = 0; k < row->ran; k++) {
            g_autofree char *one =
                g_strdup_printf("%" G_GINT64_FORMAT " %" G_GUINT64_FORMAT " %d %" G_GINT64_FORMAT ";", row->icount + k,
                                tcgrr_block_pc(block, k), block->lengths[k], row->seq);
            g_string_append(expected, one);
            g_string_prepend(backwards, one);
            last = row->icount + k;
        }
    }
    int64_t start = row_at(fixture, first)->icount;
    g_autofree char *found = ask(fixture,
                                 "SELECT icount, pc, length(bytes), seq FROM insn WHERE seq >= %" G_GINT64_FORMAT
                                 " AND icount BETWEEN %" G_GINT64_FORMAT " AND %" G_GINT64_FORMAT,
                                 row_at(fixture, first)->seq, start, last);
    g_autofree char *reverse =
        ask(fixture,
            "SELECT icount, pc, length(bytes), seq FROM insn WHERE seq >= %" G_GINT64_FORMAT
            " AND icount BETWEEN %" G_GINT64_FORMAT " AND %" G_GINT64_FORMAT " ORDER BY icount DESC",
            row_at(fixture, first)->seq, start, last);
    assert_string_equal(found, expected->str);
    assert_string_equal(reverse, backwards->str);
    g_string_free(expected, TRUE);
    g_string_free(backwards, TRUE);

    g_autofree char *counts = ask(fixture, "SELECT (SELECT count(*) FROM insn) = (SELECT sum(ran) FROM exec),"
                                           " (SELECT count(*) FROM insn WHERE pc = 0x80003004) ="
                                           " (SELECT count(*) FROM insn WHERE +pc = 0x80003004)");
    assert_string_equal(counts, "1 1;");
}

static void test_every_instruction_has_a_text(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *bad =
        ask(fixture, "SELECT count(*) FROM insn WHERE icount < 20000 AND (disasm IS NULL OR disasm = '')");
    g_autofree char *symbols =
        ask(fixture, "SELECT symbolize(0x80000000), symbolize(0x80001010), symbolize(0x80002000),"
                     " function_of(0x80001010), addr(-1), addr(NULL)");
    g_autofree char *listing = ask(fixture, "SELECT count(*) = (SELECT insns FROM block WHERE id = 5), min(pc) ="
                                            " (SELECT pc FROM block WHERE id = 5), count(disasm) = count(*) FROM"
                                            " disassemble(5)");
    assert_string_equal(bad, "0;");
    assert_string_equal(symbols, "first second+0x10 - second 0xffffffffffffffff -;");
    assert_string_equal(listing, "1 1 1;");
}

/* Runs a query and says how many chunks it decoded. */
static uint64_t chunks_for(struct fixture *fixture, const char *sql)
{
    uint64_t before = tcgrr_sql_chunks_decoded(fixture->sql);
    g_autofree char *found = ask(fixture, "%s", sql);
    assert_false(g_str_has_prefix(found, "error"));
    return tcgrr_sql_chunks_decoded(fixture->sql) - before;
}

static void test_decodes_no_more_than_needed(void **state)
{
    struct fixture *fixture = *state;
    const struct row *middle = row_at(fixture, CAPACITY * 10 + CAPACITY / 2);

    assert_true(fixture->chunks > 20);
    g_autofree char *one = g_strdup_printf("SELECT * FROM exec WHERE seq = %" G_GINT64_FORMAT, middle->seq);
    assert_int_equal(chunks_for(fixture, one), 1);
    assert_int_equal(chunks_for(fixture, one), 0); /* it is still there */
    g_autofree char *near = g_strdup_printf(
        "SELECT * FROM exec WHERE icount <= %" G_GINT64_FORMAT " ORDER BY icount DESC LIMIT 3", middle->icount);
    assert_int_equal(chunks_for(fixture, near), 0);
    g_autofree char *history = g_strdup_printf("SELECT * FROM history(%" G_GINT64_FORMAT ", 100)", middle->icount);
    assert_int_equal(chunks_for(fixture, history), 0);
    assert_int_equal(chunks_for(fixture, "SELECT * FROM exec LIMIT 5"), 1);
    assert_int_equal(chunks_for(fixture, "SELECT * FROM exec ORDER BY icount DESC LIMIT 5"), 1);
    assert_int_equal(chunks_for(fixture, "SELECT block, count(*) FROM exec GROUP BY block"), 0);
    assert_int_equal(chunks_for(fixture, "SELECT count(*) FROM exec"), 0);
    assert_int_equal(chunks_for(fixture, "SELECT DISTINCT pc FROM exec"), 0);
    assert_int_equal(chunks_for(fixture, "SELECT * FROM hot_block"), 0);
    assert_true(chunks_for(fixture, "SELECT sum(ran) FROM exec") >= fixture->chunks - 4);
    g_autofree char *counted = ask(fixture, "SELECT tcgrr_chunks_decoded() > 0");
    assert_string_equal(counted, "1;");
}

/* A block that few chunks execute costs those chunks only. */
static void test_skips_chunks_by_their_blocks(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *rare =
        ask(fixture, "SELECT block FROM chunk_block GROUP BY block HAVING count(*) = 1 AND min(chunk) > 4"
                     " ORDER BY block LIMIT 1");
    assert_true(strlen(rare) > 1);
    rare[strlen(rare) - 1] = '\0';
    g_autofree char *sql = g_strdup_printf("SELECT seq FROM exec WHERE block = %s", rare);
    assert_int_equal(chunks_for(fixture, sql), 1);
    g_autofree char *same = ask(fixture,
                                "SELECT count(*) = (SELECT sum(execs) FROM chunk_block WHERE block = %s) FROM exec"
                                " WHERE +block = %s",
                                rare, rare);
    assert_string_equal(same, "1;");
}

static void test_counts_agree(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *groups = ask(
        fixture,
        "SELECT count(*) FROM (SELECT block, count(*) AS n, sum(insns) AS i, sum(ran) AS r, min(ran) AS least,"
        " sum(ran * ran) AS squares FROM exec GROUP BY block) AS a JOIN"
        " (SELECT block, count(*) AS n, sum(insns) AS i, sum(ran) AS r, min(ran) AS least, sum(ran * ran) AS squares"
        " FROM exec WHERE seq >= 0 GROUP BY block) AS b"
        " USING (block) JOIN hot_block AS h USING (block) WHERE a.n <> b.n OR a.i <> b.i OR h.execs <> b.n OR"
        " h.ran <> b.r OR a.r <> b.r OR a.least <> b.least OR a.squares <> b.squares");
    g_autofree char *early = ask(fixture, "SELECT count(*) > 0 FROM exec WHERE ran < insns");
    g_autofree char *distinct =
        ask(fixture, "SELECT (SELECT count(*) FROM (SELECT DISTINCT block FROM exec)) ="
                     " (SELECT count(DISTINCT block) FROM exec WHERE ran >= 0),"
                     " (SELECT group_concat(pc) FROM (SELECT DISTINCT pc FROM exec ORDER BY pc DESC)) ="
                     " (SELECT group_concat(pc) FROM (SELECT DISTINCT pc FROM exec WHERE ran >= 0"
                     " ORDER BY pc DESC))");
    g_autofree char *total =
        ask(fixture, "SELECT execs, (SELECT count(*) FROM exec), (SELECT count(*) FROM exec WHERE seq >= 0)"
                     " FROM exec_count");
    g_autofree char *wanted = g_strdup_printf("%u %u %u;", fixture->rows->len, fixture->rows->len, fixture->rows->len);
    assert_string_equal(groups, "0;");
    assert_string_equal(early, "1;");
    assert_string_equal(distinct, "1 1;");
    assert_string_equal(total, wanted);
}

/* Nothing but rowids looks to SQLite like nothing at all. */
static void test_rowids(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *same =
        ask(fixture, "SELECT count(*), total(a <> b) FROM (SELECT rowid AS a, row_number() OVER () - 1"
                     " AS b FROM exec)");
    g_autofree char *order =
        ask(fixture, "SELECT (SELECT group_concat(pc) FROM (SELECT pc, ran FROM exec LIMIT 50)) ="
                     " (SELECT group_concat(pc) FROM (SELECT seq, pc FROM exec ORDER BY seq LIMIT 50))");
    g_autofree char *wanted = g_strdup_printf("%u 0.0;", fixture->rows->len);
    assert_string_equal(same, wanted);
    assert_string_equal(order, "1;");
    sqlite3_stmt *statement = NULL;
    assert_int_equal(
        sqlite3_prepare_v2(fixture->db, "SELECT rowid, block FROM exec GROUP BY block", -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ERROR);
    assert_non_null(strstr(sqlite3_errmsg(fixture->db), "ask for seq"));
    sqlite3_finalize(statement);
}

static void test_edges(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *sums = ask(fixture, "SELECT sum(execs) FROM edge");
    g_autofree char *wanted = g_strdup_printf("%u;", fixture->rows->len - 2); /* each vCPU has a first execution */
    g_autofree char *same =
        ask(fixture, "WITH pair AS (SELECT lag(block) OVER (PARTITION BY vcpu ORDER BY seq) AS a, block AS b FROM exec)"
                     " SELECT count(*) FROM (SELECT a, b, count(*) FROM pair WHERE a IS NOT NULL GROUP BY a, b EXCEPT"
                     " SELECT from_block, to_block, execs FROM edge)");
    assert_string_equal(sums, wanted);
    assert_string_equal(same, "0;");
}

static void test_plans(void **state)
{
    struct fixture *fixture = *state;
    const struct {
        const char *sql;
        const char *wanted;
        bool sorts;
    } cases[] = {
        {"SELECT * FROM exec WHERE icount > 5 AND icount < 9 ORDER BY icount", "icount>? icount<?", false},
        {"SELECT * FROM exec WHERE seq = 5", "seq=?", false},
        {"SELECT * FROM exec WHERE pc = 5 AND vcpu = 0 ORDER BY seq DESC", "vcpu=? pc=? backwards", false},
        {"SELECT * FROM exec ORDER BY icount, seq", "INDEX", false},
        {"SELECT * FROM exec ORDER BY ran", "INDEX", true},
        {"SELECT * FROM exec ORDER BY icount, seq DESC", "INDEX", true},
        {"SELECT * FROM insn WHERE icount < 9 ORDER BY icount DESC LIMIT 5", "icount<? backwards", false},
        {"SELECT block, count(*) FROM exec GROUP BY block", "by block", false},
        {"SELECT e.* FROM event JOIN exec AS e ON e.seq = event.seq", "seq=?", false},
        {"SELECT * FROM history(5)", "before=?", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *plan = ask(fixture, "EXPLAIN QUERY PLAN %s", cases[i].sql);
        if (!strstr(plan, cases[i].wanted) || (strstr(plan, "TEMP B-TREE") != NULL) != cases[i].sorts) {
            fail_msg("%s: %s", cases[i].sql, plan);
        }
    }
}

static void test_joins_with_another_trace(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *attached = ask(fixture, "ATTACH '%s' AS other", fixture->other);
    assert_string_equal(attached, "");
    g_autofree char *found =
        ask(fixture, "SELECT (SELECT count(*) FROM exec('other')) = (SELECT execs FROM other.run),"
                     " (SELECT count(*) FROM exec) = (SELECT execs FROM main.run),"
                     " (SELECT count(*) FROM insn('other')) > 0,"
                     " (SELECT count(*) FROM exec WHERE schema = 'other' AND seq < 10),"
                     " (SELECT DISTINCT schema FROM exec('other')), symbolize(0x80000004, 'other')");
    assert_string_equal(found, "1 1 1 10 other first+0x4;");
    g_autofree char *joined =
        ask(fixture, "SELECT count(*) = (SELECT count(*) FROM exec('other')) FROM exec('other') AS b"
                     " JOIN other.block AS y ON y.id = b.block LEFT JOIN main.block AS x ON x.hash = y.hash");
    assert_string_equal(joined, "1;");
    /* Another file under the same name is another trace. */
    g_autofree char *swapped = ask(fixture, "DETACH other");
    assert_string_equal(swapped, "");
    g_autofree char *again = ask(fixture, "ATTACH '%s' AS other", fixture->path);
    assert_string_equal(again, "");
    g_autofree char *all = ask(fixture, "SELECT (SELECT count(*) FROM exec('other')) = (SELECT execs FROM main.run)");
    assert_string_equal(all, "1;");
}

static void test_says_what_is_wrong(void **state)
{
    struct fixture *fixture = *state;
    const struct {
        const char *sql;
        const char *wanted;
    } cases[] = {
        {"SELECT * FROM exec('nowhere')", "error: no database is attached as 'nowhere'"},
        {"SELECT * FROM exec(NULL)", "error: no database is attached as 'NULL'"},
        {"SELECT * FROM exec('temp')", "is an SQLite database but not a tcgrr trace"},
        {"SELECT * FROM callstack", "callstack() needs an icount"},
        {"SELECT * FROM history(5, -1)", "history() gives 0 to"},
        {"DELETE FROM exec", "may not be modified"},
        {"SELECT symbolize(1, 'nowhere')", "error: "},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *said = ask(fixture, "%s", cases[i].sql);
        if (!strstr(said, cases[i].wanted)) {
            fail_msg("%s: %s", cases[i].sql, said);
        }
    }
}

/* What was damaged is refused, not decoded. */
static void test_refuses_damage(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *path = g_build_filename(fixture->folder, "damaged.tcgrr", NULL);
    g_autofree char *bytes = NULL;
    gsize size;
    struct fixture damaged = *fixture;
    const char *const changes[] = {
        "UPDATE chunk SET data = zeroblob(length(data)) WHERE id = 3",
        "UPDATE chunk SET blocks = zeroblob(length(blocks)) WHERE id = 3",
        "UPDATE chunk SET blocks = NULL WHERE id = 3",
        "UPDATE block SET pc = pc + 1 WHERE id = 1",
        "DELETE FROM block WHERE id = 1",
        "UPDATE block SET id = 200000000 WHERE id = 1",
    };
    assert_true(g_file_get_contents(fixture->path, &bytes, &size, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        GError *error = NULL;
        assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
        assert_int_equal(sqlite3_open_v2(path, &damaged.db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        check(tcgrr_sql_register(damaged.db, &error) != NULL, error);
        g_autofree char *done = ask(&damaged, "%s", changes[i]);
        assert_string_equal(done, "");
        g_autofree char *walked = ask(&damaged, "SELECT sum(ran) FROM exec");
        g_autofree char *counted = ask(&damaged, "SELECT count(*), block FROM exec WHERE pc > 0 GROUP BY block");
        if (!strstr(walked, "error: ") && !strstr(counted, "error: ")) {
            fail_msg("%s: nobody minded", changes[i]);
        }
        assert_int_equal(sqlite3_close(damaged.db), SQLITE_OK);
    }
    g_unlink(path);
}

static int count_down(void *data)
{
    int *left = data;
    return --*left < 0;
}

static void test_can_be_interrupted(void **state)
{
    struct fixture *fixture = *state;
    int left = 20;
    sqlite3_progress_handler(fixture->db, 1000, count_down, &left);
    g_autofree char *said = ask(fixture, "SELECT sum(ran) FROM exec");
    assert_string_equal(said, "error: interrupted");
    sqlite3_progress_handler(fixture->db, 0, NULL, NULL);
    g_autofree char *again = ask(fixture, "SELECT count(*) FROM exec WHERE seq < 4");
    assert_string_equal(again, "4;");
}

/* Random bytes and every shortened blob: refused or harmless. */
static void test_summary_is_untrusted(void **state)
{
    g_autoptr(GArray) uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use));
    g_autoptr(GArray) back = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use));
    g_autoptr(GByteArray) scratch = g_byte_array_new();
    g_autoptr(GByteArray) blob = g_byte_array_new();
    uint64_t random = 9;
    uint32_t block = 0;

    for (int i = 0; i < 1000; i++) {
        block += 1 + stream_random(&random) % 50;
        struct tcgrr_block_use use = {block, 1 + stream_random(&random) % 100000, i % 7 ? 0 : stream_random(&random)};
        g_array_append_val(uses, use);
    }
    tcgrr_summary_encode(uses, scratch, blob);
    assert_true(tcgrr_summary_decode(blob->data, blob->len, scratch, back));
    assert_int_equal(back->len, uses->len);
    assert_memory_equal(back->data, uses->data, uses->len * sizeof(struct tcgrr_block_use));
    for (guint size = 0; size < blob->len; size++) {
        assert_false(tcgrr_summary_decode(blob->data, size, scratch, back));
    }
    for (int turn = 0; turn < 500; turn++) {
        guint at = stream_random(&random) % blob->len;
        blob->data[at] ^= (guint8)(1 << turn % 8);
        assert_false(tcgrr_summary_decode(blob->data, blob->len, scratch, back));
        blob->data[at] ^= (guint8)(1 << turn % 8);
    }
}

#define SQL_TEST(function) cmocka_unit_test_setup_teardown(function, connect_db, disconnect_db)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQL_TEST(test_exec_is_the_walk),
        SQL_TEST(test_exec_compares_as_sql),
        SQL_TEST(test_insn_is_the_walk),
        SQL_TEST(test_every_instruction_has_a_text),
        SQL_TEST(test_decodes_no_more_than_needed),
        SQL_TEST(test_skips_chunks_by_their_blocks),
        SQL_TEST(test_counts_agree),
        SQL_TEST(test_rowids),
        SQL_TEST(test_edges),
        SQL_TEST(test_plans),
        SQL_TEST(test_joins_with_another_trace),
        SQL_TEST(test_says_what_is_wrong),
        SQL_TEST(test_refuses_damage),
        SQL_TEST(test_can_be_interrupted),
        cmocka_unit_test(test_summary_is_untrusted),
    };
    return cmocka_run_group_tests_name("sql", tests, set_up, tear_down);
}
