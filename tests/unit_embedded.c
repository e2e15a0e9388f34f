/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that a trace embeds come out as they went in, or not at all, and only within the folder that was named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "store/error.h"
#include "store/inputs.h"
#include "store/merge.h"
#include "store/schema.h"
#include "store/trace.h"
#include "tests/stream.h"
#include "tests/check.h"

#define KERNEL_BYTES (TCGRR_TRACE_CONTENT_PART + 12345)

struct fixture {
    char *folder;
    char *path;    /* of the trace */
    char *kernel;  /* embedded twice, as "kernel" and "copy" */
    char *out;     /* an empty folder */
    char *outside; /* a file that nothing may touch */
    char *content; /* of the kernel */
    char *bytes;   /* of the sound trace */
    gsize size;
};

static void write_trace(const struct fixture *f)
{
    static const struct tcgrr_run run = {.command = "[\"qemu\"]",
                                         .qemu_version = "10.0.2",
                                         .target = "riscv64",
                                         .mode = "system",
                                         .vcpus = 1,
                                         .level = "flow",
                                         .qemu_icount = -1,
                                         .complete = true};
    static const char *const names[] = {"kernel", "copy"};
    GError *error = NULL;
    struct tcgrr_writer *writer = tcgrr_writer_create(f->path, true, &run, &error);

    check(writer != NULL, error);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        struct tcgrr_embedded input = {.name = names[i], .role = "kernel", .path = "/boot/kernel"};
        check(tcgrr_writer_input(writer, &input, f->kernel, &error), error);
    }
    struct tcgrr_embedded absent = {.name = "absent", .role = "kernel", .path = ""};
    assert_false(tcgrr_writer_input(writer, &absent, "/nonexistent/file", &error));
    assert_non_null(strstr(error->message, "cannot read /nonexistent/file: "));
    g_clear_error(&error);
    assert_false(tcgrr_writer_input(writer, &absent, f->folder, &error)); /* a folder opens, but cannot be read */
    assert_non_null(strstr(error->message, "cannot read "));
    g_clear_error(&error);
    check(tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
}

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    uint64_t random = 4;

    f->folder = g_dir_make_tmp("tcgrr-unit-embedded-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "x.tcgrr", NULL);
    f->kernel = g_build_filename(f->folder, "kernel", NULL);
    f->out = g_build_filename(f->folder, "out", NULL);
    f->outside = g_build_filename(f->folder, "outside", NULL);
    f->content = g_malloc(KERNEL_BYTES);
    for (size_t i = 0; i < KERNEL_BYTES; i++) {
        f->content[i] = (char)(stream_random(&random) % 7);
    }
    assert_true(g_file_set_contents(f->kernel, f->content, KERNEL_BYTES, NULL));
    assert_true(g_file_set_contents(f->outside, "untouched", -1, NULL));
    assert_int_equal(g_mkdir(f->out, 0700), 0);
    write_trace(f);
    *state = f;
    return g_file_get_contents(f->path, &f->bytes, &f->size, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    g_unlink(f->path);
    g_unlink(f->kernel);
    g_unlink(f->outside);
    assert_int_equal(g_rmdir(f->out), 0);
    assert_int_equal(g_rmdir(f->folder), 0);
    g_free(f->folder);
    g_free(f->path);
    g_free(f->kernel);
    g_free(f->out);
    g_free(f->outside);
    g_free(f->content);
    g_free(f->bytes);
    g_free(f);
    return 0;
}

/* The sound trace, with the change made, if any. */
static struct tcgrr_reader *open_changed(const struct fixture *f, const char *sql)
{
    GError *error = NULL;
    sqlite3 *db = NULL;

    assert_true(g_file_set_contents(f->path, f->bytes, (gssize)f->size, NULL));
    if (sql) {
        assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
            fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        }
        sqlite3_close(db);
    }
    struct tcgrr_reader *reader = tcgrr_reader_open(f->path, &error);
    check(reader != NULL, error);
    return reader;
}

static char *in_out(const struct fixture *f, const char *name)
{
    return g_build_filename(f->out, name, NULL);
}

static void check_extracted(const struct fixture *f, const char *name)
{
    g_autofree char *path = in_out(f, name);
    g_autofree char *text = NULL;
    gsize size = 0;

    assert_true(g_file_get_contents(path, &text, &size, NULL));
    assert_int_equal(size, KERNEL_BYTES);
    assert_memory_equal(text, f->content, size);
    assert_int_equal(g_unlink(path), 0);
}

static void test_round_trip(void **state)
{
    const struct fixture *f = *state;
    struct tcgrr_reader *reader = open_changed(f, NULL);
    g_autofree char *link = in_out(f, "kernel");
    g_autofree char *text = NULL;
    GError *error = NULL;

    assert_int_equal(symlink(f->outside, link), 0); /* is replaced, not followed */
    check(tcgrr_reader_extract_inputs(reader, f->out, &error), error);
    check(tcgrr_reader_extract_inputs(reader, NULL, &error), error);
    check_extracted(f, "kernel");
    check_extracted(f, "copy");
    assert_true(g_file_get_contents(f->outside, &text, NULL, NULL));
    assert_string_equal(text, "untouched");
    tcgrr_reader_free(reader);
}

static void test_stored_once(void **state)
{
    const struct fixture *f = *state;
    sqlite3_stmt *statement = NULL;
    sqlite3 *db = NULL;

    tcgrr_reader_free(open_changed(f, NULL));
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM content", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), 2); /* two parts of the one content */
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void test_damaged(void **state)
{
    static const struct {
        const char *sql;
        const char *text;
    } cases[] = {
        {"UPDATE input SET name = '../outside' WHERE name = 'copy'", "an embedded file is called \"../outside\""},
        {"UPDATE input SET name = '..' WHERE name = 'copy'", "an embedded file is called \"..\""},
        {"UPDATE input SET name = '.' WHERE name = 'copy'", "an embedded file is called \".\""},
        {"UPDATE input SET name = '' WHERE name = 'copy'", "an embedded file is called \"\""},
        {"UPDATE input SET size = size + 1", "its copy of copy is not what was recorded"},
        {"UPDATE input SET xxh128 = '00'", "its copy of copy is not what was recorded"},
        {"DELETE FROM content WHERE part = 1", "its copy of copy is not what was recorded"},
        {"UPDATE content SET part = 2 WHERE part = 1", "its copy of copy is not what was recorded"},
        {"UPDATE content SET size = 1 << 30 WHERE part = 0", "its copy of copy is not what was recorded"},
        {"UPDATE content SET size = 0 WHERE part = 0", "its copy of copy is not what was recorded"},
        {"UPDATE content SET size = size - 1 WHERE part = 1", "its copy of copy is not what was recorded"},
        {"UPDATE content SET data = NULL WHERE part = 1", "its copy of copy is not what was recorded"},
        {"UPDATE content SET digest = digest + 1 WHERE part = 1", "its copy of copy is not what was recorded"},
        {"DROP TABLE content", "cannot read an embedded file of "},
        {"DROP TABLE input", "cannot read the embedded files of "},
    };
    const struct fixture *f = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        struct tcgrr_reader *reader = open_changed(f, cases[i].sql);
        assert_false(tcgrr_reader_extract_inputs(reader, NULL, &error));
        assert_int_equal(error->domain, TCGRR_ERROR);
        if (!strstr(error->message, cases[i].text)) {
            fail_msg("%s: %s", cases[i].sql, error->message);
        }
        g_error_free(error);
        tcgrr_reader_free(reader);
    }
}

static void test_not_written(void **state)
{
    const struct fixture *f = *state;
    struct tcgrr_reader *reader = open_changed(f, NULL);
    g_autofree char *missing = g_build_filename(f->folder, "no", "folder", NULL);
    g_autofree char *path = in_out(f, "copy");
    GError *error = NULL;

    assert_false(tcgrr_reader_extract_inputs(reader, missing, &error));
    assert_int_equal(error->code, TCGRR_ERROR_FAILED);
    assert_non_null(strstr(error->message, "/no/folder/copy: No such file"));
    g_clear_error(&error);
    assert_int_equal(g_mkdir(path, 0700), 0); /* an empty one makes way */
    check(tcgrr_reader_extract_inputs(reader, f->out, &error), error);
    check_extracted(f, "kernel");
    check_extracted(f, "copy");
    tcgrr_reader_free(reader);
}

/* A machine that is pinned afterwards, and no more. */
static void test_pinned_afterwards(void **state)
{
    const struct fixture *f = *state;
    struct tcgrr_reader *reader = open_changed(f, NULL);
    struct tcgrr_pinned pinned = {.command = "[]", .machine = "virt-7.2", .cpu = "max", .afterwards = true};
    const struct tcgrr_pinned *found;
    GError *error = NULL;

    check(tcgrr_reader_pinned(reader, &found, &error), error);
    assert_null(found);
    tcgrr_reader_set_pinned(reader, &pinned);
    check(tcgrr_reader_pinned(reader, &found, &error), error);
    assert_string_equal(found->machine, "virt-7.2");
    assert_string_equal(found->cpu, "max");
    assert_null(found->start_at);
    assert_true(found->afterwards);
    tcgrr_reader_set_pinned(reader, NULL);
    check(tcgrr_reader_pinned(reader, &found, &error), error);
    assert_null(found);
    tcgrr_reader_free(reader);
}

/* Who replaces a trace must not leave the journal of one that is still open. */
static void test_fold_journal(void **state)
{
    const struct fixture *f = *state;
    GError *error = NULL;
    sqlite3 *db = NULL;

    tcgrr_reader_free(open_changed(f, "PRAGMA journal_mode=WAL; UPDATE input SET path = 'x'"));
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA journal_mode=WAL; BEGIN IMMEDIATE; UPDATE input SET path = 'y'", NULL, NULL, NULL),
        SQLITE_OK);
    assert_false(tcgrr_writer_fold_journal(f->path, &error));
    assert_int_equal(error->code, TCGRR_ERROR_FAILED);
    assert_non_null(strstr(error->message, "is still being recorded, or read by another program"));
    g_clear_error(&error);
    sqlite3_close(db);
    check(tcgrr_writer_fold_journal(f->path, &error), error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),        cmocka_unit_test(test_stored_once),
        cmocka_unit_test(test_damaged),           cmocka_unit_test(test_not_written),
        cmocka_unit_test(test_pinned_afterwards), cmocka_unit_test(test_fold_journal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
