/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace whose rows hold numbers that no run has, or lack what they need, is damaged: whoever reads such a row says
 * so, whatever its seal says. SQLite itself takes any value in any column.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "store/access_pages.h"
#include "store/error.h"
#include "store/inputs.h"
#include "store/layers.h"
#include "store/merge.h"
#include "store/processes.h"
#include "store/reader_internal.h"
#include "store/samples.h"
#include "store/symbols.h"
#include "store/trace.h"
#include "tests/stream.h"
#include "tests/check.h"

#define INSNS    5000
#define CAPACITY 3000

struct fixture {
    char *folder;
    char *path;   /* of the trace */
    char *kernel; /* a file that it embeds */
    char *bytes;  /* of the sound trace */
    gsize size;
};

static void write_rows(struct tcgrr_writer *writer, const char *kernel)
{
    static const struct tcgrr_pinned pinned = {
        .command = "[\"qemu\"]", .machine = "virt-10.0", .cpu = "max", .start_at = "_start", .start_icount = 7};
    const struct tcgrr_embedded input = {.name = "kernel", .role = "kernel", .path = "/boot/kernel"};
    static const struct tcgrr_recorded_process process = {
        .name = "1", .pid = 5, .program = "/bin/true", .trace = "x.1.tcgrr", .icount = 9, .exit = "exit 0"};
    static const struct tcgrr_symbol symbol = {
        .address = 0x1000, .size = 4, .name = "start", .file = "/k", .limited = true, .since = 3, .until = 8};
    struct tcgrr_span span = {100, 200};
    GError *error = NULL;

    check(tcgrr_writer_pinned(writer, &pinned, &error), error);
    check(tcgrr_writer_input(writer, &input, kernel, &error), error);
    check(tcgrr_writer_process(writer, &process, &error), error);
    check(tcgrr_writer_guest_file(writer, "/boot/kernel", 5, "0123", &error), error);
    check(tcgrr_writer_symbol(writer, &symbol, &error), error);
    check(tcgrr_writer_layer(writer, TCGRR_LEVEL_FULL, &span, &error), error);
}

static void write_trace(const char *path, const char *kernel)
{
    struct tcgrr_run run = {.command = "[\"qemu\"]",
                            .qemu_version = "10.0.2",
                            .target = "riscv64",
                            .mode = "system",
                            .icount_shift = "0",
                            .vcpus = 1,
                            .level = "flow",
                            .qemu_icount = -1,
                            .decided = -1,
                            .mem_from = -1,
                            .mem_until = -1,
                            .rr = true};
    struct tcgrr_event event = {.kind = TCGRR_EVENT_INTERRUPT, .seq = 1, .icount = 2, .vcpu = 0};
    GError *error = NULL;
    struct tcgrr_writer *writer = tcgrr_writer_create(path, true, &run, &error);
    check(writer != NULL, error);
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    g_autoptr(GArray) script = stream_script(3, INSNS);

    tcgrr_chunk_follow(chunk, NULL);
    stream_cut(script, 0, 1, 20, blocks, chunk);
    g_array_append_val(chunk->events, event);
    check(tcgrr_writer_chunk(writer, chunk, blocks, &error), error);
    write_rows(writer, kernel);
    run.complete = true;
    run.exit = "exit 0";
    run.icount = chunk->end_icount;
    run.execs = chunk->count;
    check(tcgrr_writer_run(writer, &run, &error), error);
    check(tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
    tcgrr_chunk_free(chunk);
    tcgrr_blocks_free(blocks);
}

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->folder = g_dir_make_tmp("tcgrr-unit-bounds-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "x.tcgrr", NULL);
    f->kernel = g_build_filename(f->folder, "kernel", NULL);
    assert_true(g_file_set_contents(f->kernel, "a kernel", -1, NULL));
    write_trace(f->path, f->kernel);
    *state = f;
    return g_file_get_contents(f->path, &f->bytes, &f->size, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    g_unlink(f->path);
    g_unlink(f->kernel);
    assert_int_equal(g_rmdir(f->folder), 0);
    g_free(f->folder);
    g_free(f->path);
    g_free(f->kernel);
    g_free(f->bytes);
    g_free(f);
    return 0;
}

/* The sound trace, with the change made. */
static void change(const struct fixture *f, const char *sql)
{
    sqlite3 *db = NULL;

    assert_true(g_file_set_contents(f->path, f->bytes, (gssize)f->size, NULL));
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK || sqlite3_total_changes(db) == 0) {
        fail_msg("%s: changed nothing: %s", sql, sqlite3_errmsg(db));
    }
    sqlite3_close(db);
}

/* ---- readers of each kind of row ---- */

typedef bool read_function(struct tcgrr_reader *reader, GError **error);

static void see_event(const struct tcgrr_event *event, void *data)
{
    ++*(int *)data;
}

static void see_file(const char *path, uint64_t size, const char *xxh128, void *data)
{
    assert_non_null(path);
    assert_non_null(xxh128);
    ++*(int *)data;
}

static void see_symbol(const struct tcgrr_symbol *symbol, void *data)
{
    ++*(int *)data;
}

static void see_input(const struct tcgrr_embedded *input, void *data)
{
    ++*(int *)data;
}

static void see_process(const struct tcgrr_recorded_process *process, void *data)
{
    ++*(int *)data;
}

static bool read_events(struct tcgrr_reader *reader, GError **error)
{
    int count = 0;
    return tcgrr_reader_events(reader, 0, UINT64_MAX, see_event, &count, error) && count == 1;
}

static bool read_files(struct tcgrr_reader *reader, GError **error)
{
    int count = 0;
    return tcgrr_reader_guest_files(reader, see_file, &count, error) && count == 1;
}

static bool read_symbols(struct tcgrr_reader *reader, GError **error)
{
    int count = 0;
    return tcgrr_reader_symbols(reader, see_symbol, &count, error) && count == 1;
}

static bool read_inputs(struct tcgrr_reader *reader, GError **error)
{
    int count = 0;
    return tcgrr_reader_inputs(reader, see_input, &count, error) && count == 1;
}

static bool read_processes(struct tcgrr_reader *reader, GError **error)
{
    int count = 0;
    return tcgrr_reader_processes(reader, see_process, &count, error) && count == 1;
}

static bool read_spans(struct tcgrr_reader *reader, GError **error)
{
    g_autoptr(GArray) spans = tcgrr_reader_spans(reader, TCGRR_LEVEL_FULL, error);
    return spans && spans->len == 1 && g_array_index(spans, struct tcgrr_span, 0).end == 200;
}

static bool read_totals(struct tcgrr_reader *reader, GError **error)
{
    struct tcgrr_totals totals;
    return tcgrr_reader_totals(reader, &totals, error) && totals.chunks == 1;
}

static read_function *const all[] = {read_events, read_files,     read_symbols, read_inputs,
                                     read_spans,  read_processes, read_totals};

/* ---- tests ---- */

static void test_sound(void **state)
{
    const struct fixture *f = *state;
    GError *error = NULL;

    change(f, "UPDATE run SET host = 'another'");
    struct tcgrr_reader *reader = tcgrr_reader_open(f->path, &error);
    check(reader != NULL, error);
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        check(all[i](reader, &error), error);
    }
    tcgrr_reader_free(reader);
}

static void check_damaged(const char *sql, GError *error, const char *text)
{
    if (!error) {
        fail_msg("not noticed: %s", sql);
    }
    assert_int_equal(error->domain, TCGRR_ERROR);
    assert_int_equal(error->code, TCGRR_ERROR_DAMAGED);
    if (!strstr(error->message, text) || strchr(error->message, '\n')) {
        fail_msg("%s: %s", sql, error->message);
    }
    g_error_free(error);
}

static void check_not_opened(const struct fixture *f, const char *sql, const char *text)
{
    GError *error = NULL;
    change(f, sql);
    assert_null(tcgrr_reader_open(f->path, &error));
    check_damaged(sql, error, text);
}

static void test_run(void **state)
{
    static const char *const columns[] = {"api_version", "vcpus",       "icount",     "qemu_icount", "execs",
                                          "assumed",     "decided",     "mem_from",   "mem_until",   "tail",
                                          "logged",      "sample_step", "interrupted"};
    static const char *const values[] = {"-1", "9223372036854775807"};

    for (size_t i = 0; i < G_N_ELEMENTS(columns) * G_N_ELEMENTS(values); i++) {
        g_autofree char *sql = g_strdup_printf("UPDATE run SET %s = %s", columns[i / 2], values[i % 2]);
        check_not_opened(*state, sql, "a number in its run table is out of bounds");
    }
    check_not_opened(*state, "UPDATE run SET vcpus = 65537", "a number in its run table is out of bounds");
    check_not_opened(*state, "UPDATE run SET target = NULL", "lacks columns");
    check_not_opened(*state, "UPDATE run SET target = CAST(x'ff' AS TEXT)", "lacks columns"); /* goes into JSON */
    check_not_opened(*state, "UPDATE run SET icount = x'00'", "values of the wrong kind");
    check_not_opened(*state, "ALTER TABLE run DROP COLUMN target; UPDATE run SET rr = 1", "lacks columns");
}

static void test_pin(void **state)
{
    static const char *const changes[] = {"command = NULL", "machine = NULL", "cpu = NULL", "start_icount = -1",
                                          "start_icount = 1 << 61"};

    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *sql = g_strdup_printf("UPDATE pin SET %s", changes[i]);
        check_not_opened(*state, sql, "it does not say how the machine was pinned");
    }
}

static void test_rows(void **state)
{
    static const struct {
        const char *sql;
        read_function *read;
        const char *text;
    } cases[] = {
        {"UPDATE event SET seq = -1", read_events, "an event's place is out of bounds"},
        {"UPDATE event SET icount = 1 << 61", read_events, "an event's place is out of bounds"},
        {"UPDATE event SET vcpu = -1", read_events, "an event's place is out of bounds"},
        {"UPDATE event SET vcpu = 65536", read_events, "an event's place is out of bounds"},
        {"UPDATE event SET vcpu = 'text'", read_events, "an event's place is out of bounds"},
        {"UPDATE event SET kind = NULL", read_events, "an event of unknown kind"},
        {"UPDATE guest_file SET path = NULL", read_files, "a guest file has no path"},
        {"UPDATE guest_file SET xxh128 = NULL", read_files, "a guest file has no path"},
        {"UPDATE guest_file SET size = -1", read_files, "a guest file has no path"},
        {"UPDATE symbol SET since = -1", read_symbols, "a symbol is there at impossible times"},
        {"UPDATE symbol SET until = x'00'", read_symbols, "a symbol is there at impossible times"},
        {"UPDATE input SET name = NULL", read_inputs, "an embedded file has no name"},
        {"UPDATE input SET xxh128 = NULL", read_inputs, "an embedded file has no name"},
        {"UPDATE input SET size = -1", read_inputs, "an embedded file has no name"},
        {"UPDATE layer SET level = 'nonsense'", read_spans, "a window has an unknown level"},
        {"UPDATE layer SET first_icount = -1", read_spans, "a window has an unknown level"},
        {"UPDATE layer SET end_icount = 'text'", read_spans, "a window has an unknown level"},
        {"UPDATE process SET name = NULL", read_processes, "a process has no name"},
        {"UPDATE process SET trace = NULL", read_processes, "a process has no name"},
        {"UPDATE process SET pid = -1", read_processes, "a process has no name"},
        {"UPDATE process SET icount = 1 << 61", read_processes, "a process has no name"},
        {"UPDATE chunk SET execs = -1", read_totals, "its chunks count more than any run has"},
        {"UPDATE chunk SET execs = 1 << 62", read_totals, "its chunks count more than any run has"},
        {"UPDATE chunk SET insns = 1 << 62", read_totals, "its chunks count more than any run has"},
    };
    const struct fixture *f = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        change(f, cases[i].sql);
        struct tcgrr_reader *reader = tcgrr_reader_open(f->path, &error);
        check(reader != NULL, error);
        cases[i].read(reader, &error);
        check_damaged(cases[i].sql, error, cases[i].text);
        tcgrr_reader_free(reader);
    }
}

/* ---- tables that are not there ---- */

static bool read_seek(struct tcgrr_reader *reader, GError **error)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    bool found;
    bool good = tcgrr_reader_seek(reader, 0, chunk, &found, error) && found;
    tcgrr_chunk_free(chunk);
    return good;
}

static bool read_accesses(struct tcgrr_reader *reader, GError **error)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    bool good = tcgrr_reader_accesses(reader, 0, chunk, error);
    tcgrr_chunk_free(chunk);
    return good;
}

static bool read_pages(struct tcgrr_reader *reader, GError **error)
{
    g_autoptr(GArray) uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_page_use));
    bool found;
    return tcgrr_reader_pages(reader, 0, uses, &found, error);
}

static bool read_samples(struct tcgrr_reader *reader, GError **error)
{
    struct tcgrr_samples *samples = tcgrr_samples_new();
    int64_t id;
    bool good = tcgrr_reader_samples_from(reader, 0, samples, &id, error) &&
                tcgrr_reader_samples_before(reader, UINT64_MAX, samples, &id, error);
    tcgrr_samples_free(samples);
    return good;
}

static bool read_registers(struct tcgrr_reader *reader, GError **error)
{
    return tcgrr_reader_registers(reader, error) != NULL;
}

static bool read_blocks(struct tcgrr_reader *reader, GError **error)
{
    return tcgrr_reader_blocks(reader, error) != NULL;
}

static bool read_texts(struct tcgrr_reader *reader, GError **error)
{
    return tcgrr_reader_blocks(reader, error) && tcgrr_reader_need_texts(reader, error) &&
           tcgrr_reader_need_text(reader, 0, error);
}

static bool read_text(struct tcgrr_reader *reader, GError **error)
{
    return tcgrr_reader_blocks(reader, NULL) && tcgrr_reader_need_text(reader, 0, error);
}

static bool read_region(struct tcgrr_reader *reader, GError **error)
{
    uint64_t first;
    return tcgrr_reader_region(reader, 0x1000, &first, error) && first == 0x1000;
}

/* Asked twice: the second time must not be taken for an answer either. */
static bool read_device(struct tcgrr_reader *reader, GError **error)
{
    static const struct tcgrr_access access = {
        .flags = TCGRR_ACCESS_DEVICE | TCGRR_ACCESS_PHYSICAL, .device = 2, .physical = 0x1004};
    bool first = g_strcmp0(tcgrr_reader_device(reader, &access, NULL), "uart") == 0;
    return g_strcmp0(tcgrr_reader_device(reader, &access, error), "uart") == 0 && first;
}

static bool read_chunk_numbers(struct tcgrr_reader *reader, GError **error)
{
    int64_t id;
    return tcgrr_reader_chunk_before(reader, 100, &id, error) && tcgrr_reader_chunk_of_seq(reader, 100, &id, error) &&
           id == 0;
}

static void see_note(const char *text, void *data)
{
    ++*(int *)data;
}

static bool read_notes(struct tcgrr_reader *reader, GError **error)
{
    int count = 0;
    return tcgrr_reader_notes(reader, see_note, &count, error) && count == 0;
}

#define DEVICES "INSERT INTO device VALUES(2, 'uart'); INSERT INTO region VALUES(4096, 8191, 'i/o', 'uart');"

static const struct {
    const char *sql; /* after which it is not read */
    read_function *read;
} missing[] = {
    {"DROP TABLE mem_chunk", read_accesses},
    {"DROP TABLE mem_chunk", read_pages},
    {"DROP TABLE sample", read_samples},
    {"DROP TABLE register", read_registers},
    {"DROP TABLE block", read_blocks},
    {"DROP TABLE block_text", read_texts},
    {"DROP TABLE block_text", read_text},
    {"DROP TABLE region", read_region},
    {"DROP TABLE region", read_device},
    {"DROP TABLE device", read_device},
    {"UPDATE device SET id = 3", read_device},
    {"UPDATE device SET name = NULL", read_device},
    {"DROP TABLE note", read_notes},
    {"DROP TABLE guest_file", read_files},
    {"DROP TABLE input", read_inputs},
    {"DROP TABLE symbol", read_symbols},
    {"UPDATE block SET insns = insns + 1", read_seek},
    {"UPDATE chunk SET vcpu = 1 << 40", read_seek},
    {"DROP TABLE chunk", read_chunk_numbers},
    {"UPDATE block SET id = 1 << 40 WHERE id = 0", read_blocks},
    {"UPDATE block SET id = -1 WHERE id = 0", read_blocks},
    {"DELETE FROM block WHERE id = 1", read_blocks},
    {"DELETE FROM block WHERE id = 1", read_seek},
    {"UPDATE block SET size = 0 WHERE id = 1", read_seek},
};

static void check_missing(const char *sql, read_function *read, struct tcgrr_reader *reader)
{
    GError *error = NULL;

    if (read(reader, &error)) {
        fail_msg("%s: not noticed", sql);
    }
    if (!error) {
        fail_msg("%s: no error", sql);
    }
    assert_int_equal(error->domain, TCGRR_ERROR);
    assert_null(strchr(error->message, '\n'));
    g_error_free(error);
}

/* Of a trace with the change made, with somebody else's connection, as the extension for SQLite has one. */
static void check_attached(const struct fixture *f, const char *sql, read_function *read, bool sound)
{
    GError *error = NULL;
    sqlite3 *db = NULL;
    g_autofree char *both = g_strconcat(DEVICES, sql, NULL);

    change(f, both);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    struct tcgrr_reader *reader = tcgrr_reader_attach(db, "main", &error);
    check(reader != NULL, error);
    if (sound) {
        check(read(reader, &error), error);
    } else {
        check_missing(sql, read, reader);
    }
    tcgrr_reader_free(reader);
    assert_int_equal(sqlite3_close(db), SQLITE_OK); /* no statement is left */
}

static void test_missing(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(missing); i++) {
        check_attached(*state, "", missing[i].read, true); /* or it is not this that is missing */
        check_attached(*state, missing[i].sql, missing[i].read, false);
    }
}

static void test_missing_tables_are_not_opened(void **state)
{
    static const char *const tables[] = {"mem_chunk", "sample", "register", "block", "region", "chunk", "event", "pin"};
    const struct fixture *f = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        GError *error = NULL;
        g_autofree char *sql = g_strdup_printf(DEVICES "DROP TABLE %s", tables[i]);
        change(f, sql);
        assert_null(tcgrr_reader_open(f->path, &error));
        assert_int_equal(error->domain, TCGRR_ERROR);
        if (!g_str_has_prefix(error->message, "cannot read ") || !strstr(error->message, tables[i])) {
            fail_msg("%s: %s", sql, error->message);
        }
        g_error_free(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),   cmocka_unit_test(test_run),
        cmocka_unit_test(test_pin),     cmocka_unit_test(test_rows),
        cmocka_unit_test(test_missing), cmocka_unit_test(test_missing_tables_are_not_opened),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
