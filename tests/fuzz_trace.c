/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for whole trace files: the input is a list of changes to the rows of a sound trace, each of CHANGE_BYTES.
 * The chunks' digests are made right again, as whoever makes a trace up would. Opening, verifying, querying and
 * comparing such a trace has to end, within bounds, in a result or an error.
 */
#include "lockstep/compare.h"
#include "store/sql/sql.h"
#include "store/store_internal.h"
#include "store/symbols.h"
#include "stream.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANGE_BYTES 12u
#define MAX_CHANGES  8u
#define CAPACITY     400u
#define MAX_STEPS    2000 /* calls of the progress handler, for all queries of an input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    char *sound; /* paths */
    char *changed;
    char *bytes; /* of the sound one */
    gsize length;
    GPtrArray *columns; /* of all tables: "table\0column" */
} base;

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

static struct tcgrr_blocks *write_chunks(struct tcgrr_writer *writer, struct tcgrr_run *run)
{
    GArray *script = stream_script(3, 2500);
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *before = NULL;

    for (guint at = 0; at < script->len;) {
        struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
        tcgrr_chunk_follow(chunk, before);
        at = stream_cut(script, at, at, 6, blocks, chunk);
        struct tcgrr_event event = {.seq = chunk->first_seq + 1, .icount = chunk->first_icount + 1, .has_pcs = true};
        struct tcgrr_switch change = {.index = 3, .vcpu = 1};
        g_array_append_val(chunk->events, event);
        g_array_append_val(chunk->switches, change);
        must(tcgrr_writer_chunk(writer, chunk, blocks, NULL));
        tcgrr_chunk_free(before);
        before = chunk;
        run->icount = chunk->end_icount;
        run->execs = chunk->first_seq + chunk->count;
    }
    tcgrr_chunk_free(before);
    g_array_unref(script);
    return blocks;
}

static void write_sound(void)
{
    struct tcgrr_run run = {.tool_version = "1",
                            .started = "2020-01-01T00:00:00Z",
                            .directory = "/",
                            .command = "[\"qemu\"]",
                            .original_command = "[\"qemu\"]",
                            .qemu_path = "/qemu",
                            .qemu_version = "10.0.2",
                            .target = "riscv64",
                            .mode = "system",
                            .api_version = 4,
                            .icount_shift = "0",
                            .vcpus = 2,
                            .level = "flow",
                            .exit = "exit 0",
                            .qemu_icount = -1,
                            .decided = -1,
                            .mem_from = -1,
                            .mem_until = -1};
    struct tcgrr_symbol symbol = {.address = 0x80001000, .size = 0x20, .name = "start", .file = "/kernel"};
    struct tcgrr_writer *writer = tcgrr_writer_create(base.sound, true, &run, NULL);

    must(writer != NULL);
    struct tcgrr_blocks *blocks = write_chunks(writer, &run);
    run.complete = true;
    must(tcgrr_writer_note(writer, "a note", NULL) && tcgrr_writer_symbol(writer, &symbol, NULL));
    must(tcgrr_writer_run(writer, &run, NULL) && tcgrr_writer_finish(writer, NULL));
    tcgrr_writer_free(writer);
    tcgrr_blocks_free(blocks);
    must(g_file_get_contents(base.sound, &base.bytes, &base.length, NULL));
}

static void list_columns(void)
{
    sqlite3 *db;
    sqlite3_stmt *rows;

    base.columns = g_ptr_array_new();
    must(sqlite3_open(base.sound, &db) == SQLITE_OK);
    must(sqlite3_prepare_v2(db,
                            "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c "
                            "WHERE m.type = 'table' ORDER BY 1, 2",
                            -1, &rows, NULL) == SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        const char *names[] = {(const char *)sqlite3_column_text(rows, 0), (const char *)sqlite3_column_text(rows, 1)};
        char *both = g_strdup_printf("%s %s", names[0], names[1]);
        both[strlen(names[0])] = '\0';
        g_ptr_array_add(base.columns, both);
    }
    sqlite3_finalize(rows);
    sqlite3_close(db);
}

static void remove_files(void)
{
    g_unlink(base.sound);
    g_unlink(base.changed);
}

static void prepare(void)
{
    base.sound = g_strdup_printf("/dev/shm/tcgrr-fuzz-%d.tcgrr", (int)getpid());
    base.changed = g_strdup_printf("/dev/shm/tcgrr-fuzz-%d-changed.tcgrr", (int)getpid());
    atexit(remove_files);
    write_sound();
    list_columns();
}

/* One change: which column of which row gets which value. */
static void change(sqlite3 *db, const uint8_t *bytes)
{
    const char *table = g_ptr_array_index(base.columns, (bytes[0] | bytes[1] << 8) % base.columns->len);
    const char *column = table + strlen(table) + 1;
    int64_t number;
    memcpy(&number, bytes + 4, sizeof(number));
    static const char *const values[] = {
        "?2",
        "%s + ?2 %% 100",
        "NULL",
        "CAST(?2 AS TEXT)",
        "substr(%s, 1, abs(?2 %% 200))",
        "CAST(substr(%s, 1, abs(?2 %% 64)) || char(?2 %% 256) || substr(%s, 2 + abs(?2 %% 64)) AS BLOB)",
        "%s << 33",
        "zeroblob(abs(?2 %% 5000))"};
    const char *value = values[bytes[2] % G_N_ELEMENTS(values)];
    g_auto(GStrv) parts = g_strsplit(value, "%s", -1);
    g_autofree char *expression = g_strjoinv(column, parts);
    g_auto(GStrv) percents = g_strsplit(expression, "%%", -1);
    g_autofree char *plain = g_strjoinv("%", percents);
    g_autofree char *sql = g_strdup_printf(
        "UPDATE %s SET %s = %s WHERE rowid IN (SELECT rowid FROM %s LIMIT 1 OFFSET ?1)", table, column, plain, table);
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_int(statement, 1, bytes[3] % 16);
        sqlite3_bind_int64(statement, 2, number);
        sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
}

/* Gives each chunk the digest of what is in it now. */
static void repair_digests(sqlite3 *db)
{
    sqlite3_stmt *rows = NULL, *update = NULL;

    if (sqlite3_prepare_v2(db,
                           "SELECT id, first_seq, execs, first_icount, insns, vcpu, first_flow, end_flow, codec, data,"
                           " partials, switches FROM chunk",
                           -1, &rows, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "UPDATE chunk SET digest = ?1 WHERE id = ?2", -1, &update, NULL) == SQLITE_OK) {
        while (sqlite3_step(rows) == SQLITE_ROW) {
            uint64_t numbers[9];
            for (int i = 0; i < 9; i++) {
                numbers[i] = (uint64_t)sqlite3_column_int64(rows, i);
            }
            struct tcgrr_chunk_row row = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
                                          numbers[5], numbers[6], numbers[7], numbers[8]};
            const void *data[3];
            size_t sizes[3];
            for (int i = 0; i < 3; i++) {
                data[i] = sqlite3_column_blob(rows, 9 + i);
                sizes[i] = (size_t)sqlite3_column_bytes(rows, 9 + i);
            }
            uint64_t digest = tcgrr_chunk_row_digest(&row, data[0], sizes[0], data[1], sizes[1], data[2], sizes[2]);
            sqlite3_bind_int64(update, 1, (sqlite3_int64)digest);
            sqlite3_bind_int64(update, 2, (sqlite3_int64)row.id);
            sqlite3_step(update);
            sqlite3_reset(update);
        }
    }
    sqlite3_finalize(rows);
    sqlite3_finalize(update);
}

static void make_changed(const uint8_t *data, size_t size)
{
    sqlite3 *db;

    must(g_file_set_contents(base.changed, base.bytes, (gssize)base.length, NULL));
    must(sqlite3_open(base.changed, &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL);
    for (size_t i = 0; i < MAX_CHANGES && (i + 1) * CHANGE_BYTES <= size; i++) {
        change(db, data + i * CHANGE_BYTES);
    }
    repair_digests(db);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
}

static void ignore(const char *text, void *data)
{
}

static int count_steps(void *data)
{
    return ++*(int *)data > MAX_STEPS;
}

static void query(void)
{
    static const char *const texts[] = {"SELECT count(*), sum(ran), max(icount) FROM exec",
                                        "SELECT count(*), max(length(disasm)) FROM insn",
                                        "SELECT count(*), sum(icount) FROM event",
                                        "SELECT * FROM exec WHERE icount > 5 ORDER BY icount LIMIT 20",
                                        "SELECT * FROM history(1000, 5)",
                                        "SELECT * FROM callstack(1500)",
                                        "SELECT count(*) FROM edge",
                                        "SELECT count(*) FROM chunk_block"};
    sqlite3 *db;
    int steps = 0;

    must(sqlite3_open_v2(base.changed, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    if (tcgrr_sql_register(db, NULL)) {
        sqlite3_progress_handler(db, 1000, count_steps, &steps);
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
            sqlite3_exec(db, texts[i], NULL, NULL, NULL);
        }
    }
    sqlite3_close(db);
}

static void compare(struct tcgrr_reader *changed)
{
    struct tcgrr_reader *sound = tcgrr_reader_open(base.sound, NULL);
    struct tcgrr_run_source *a = tcgrr_run_source_stored(sound, NULL);
    struct tcgrr_run_source *b = tcgrr_run_source_stored(changed, NULL);
    const struct tcgrr_compare_options options = {.history = 5, .strict = true};
    struct tcgrr_comparison comparison;

    if (a && b) {
        tcgrr_compare(a, b, &options, &comparison, NULL);
        tcgrr_comparison_clear(&comparison);
    }
    if (a) {
        a->ops->free(a);
    }
    if (b) {
        b->ops->free(b);
    }
    tcgrr_reader_free(sound);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t problems;

    if (!base.sound) {
        prepare();
    }
    make_changed(data, size);
    struct tcgrr_reader *reader = tcgrr_reader_open(base.changed, NULL);
    if (reader) {
        tcgrr_reader_verify(reader, ignore, NULL, &problems, NULL);
        compare(reader);
        tcgrr_reader_free(reader);
    }
    query();
    return 0;
}
