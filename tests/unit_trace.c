/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace is what was written, byte for byte: round trips, seeking, and files that are damaged, cut off or no traces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/error.h"
#include "store/schema.h"
#include "store/trace.h"
#include "store/symbols.h"
#include "tests/stream.h"
#include "tests/check.h"

#define INSNS    300000
#define CAPACITY 3000
#define FLIPS    250
#define CUTS     40
#define RR_BYTES 3000000

struct fixture {
    char *folder;
    char *path; /* of the trace */
    char *rr;   /* of a made-up rr file */
    GArray *script;
    struct tcgrr_blocks *blocks;
    GPtrArray *chunks; /* struct tcgrr_chunk, as written */
    char *bytes;       /* of the complete trace */
    size_t size;
};

static const struct tcgrr_run plain_run = {
    .tool_version = "1",
    .started = "2024-01-02T03:04:05Z",
    .host = "host",
    .directory = "/",
    .command = "[\"qemu\"]",
    .original_command = "[\"qemu\", \"\\u00e4\"]",
    .qemu_path = "/usr/bin/qemu",
    .qemu_version = "10.0.2",
    .qemu_banner = "QEMU",
    .qemu_build_id = "abc",
    .target = "riscv64",
    .mode = "system",
    .api_version = 4,
    .rr = true,
    .icount_shift = "0",
    .vcpus = 2,
    .level = "flow",
    .qemu_icount = -1,
};

static void add_event(struct tcgrr_chunk *chunk, uint8_t kind, uint64_t random)
{
    struct tcgrr_event event = {
        .seq = chunk->first_seq + chunk->count / 2,
        .icount = chunk->first_icount + (chunk->end_icount - chunk->first_icount) / 2,
        .vcpu = kind % 3,
        .kind = kind,
        .inferred = random % 2,
        .has_pcs = kind <= TCGRR_EVENT_HOSTCALL,
    };
    if (event.has_pcs) {
        event.from_pc = random % 5 == 0 ? TCGRR_NO_PC : random << 40;
        event.to_pc = ~random;
    }
    if (kind == TCGRR_EVENT_SYSCALL || kind == TCGRR_EVENT_SYSCALL_RETURN) {
        event.number = (int64_t)random - 3;
    }
    if (kind == TCGRR_EVENT_SYSCALL_RETURN) {
        event.result = -(int64_t)random;
    }
    for (unsigned i = 0; kind == TCGRR_EVENT_SYSCALL && i < 8; i++) {
        event.arguments[i] = UINT64_MAX / (i + 1) - random;
    }
    g_array_append_val(chunk->events, event);
}

/* The script as chunks with everything that a chunk can hold. */
static void make_chunks(struct fixture *f)
{
    uint64_t random = 5;
    for (guint at = 0; at < f->script->len;) {
        struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
        guint made = f->chunks->len;
        tcgrr_chunk_follow(chunk, made ? g_ptr_array_index(f->chunks, made - 1) : NULL);
        at = stream_cut(f->script, at, made, 20, f->blocks, chunk);
        for (uint32_t index = 1; index < chunk->count; index += 500) {
            struct tcgrr_switch change = {.index = index, .vcpu = stream_random(&random) % 4};
            g_array_append_val(chunk->switches, change);
        }
        for (uint8_t kind = 0; kind < TCGRR_EVENT_KIND_COUNT; kind++) {
            add_event(chunk, kind, stream_random(&random));
        }
        g_ptr_array_add(f->chunks, chunk);
    }
}

static void write_rr(const char *path)
{
    g_autofree char *bytes = g_malloc(RR_BYTES);
    uint64_t random = 9;
    for (size_t i = 0; i < RR_BYTES; i++) {
        bytes[i] = (char)(stream_random(&random) % 11);
    }
    assert_true(g_file_set_contents(path, bytes, RR_BYTES, NULL));
}

/* Writes all of it, up to the seal if `finish`. */
static void write_trace(struct fixture *f, bool finish)
{
    GError *error = NULL;
    struct tcgrr_run run = plain_run;
    struct tcgrr_writer *writer = tcgrr_writer_create(f->path, true, &run, &error);
    const struct tcgrr_chunk *last = g_ptr_array_index(f->chunks, f->chunks->len - 1);

    check(writer != NULL, error);
    for (guint i = 0; i < f->chunks->len; i++) {
        check(tcgrr_writer_chunk(writer, g_ptr_array_index(f->chunks, i), f->blocks, &error), error);
        if (i % 3 == 0) {
            check(tcgrr_writer_commit(writer, &error), error);
        }
    }
    check(tcgrr_writer_note(writer, "a note", &error), error);
    check(tcgrr_writer_guest_file(writer, "/kernel", 5, "0123", &error), error);
    check(tcgrr_writer_symbol(
              writer, &(struct tcgrr_symbol){.address = 0x80001000, .size = 0x20, .name = "start", .file = "/kernel"},
              &error),
          error);
    check(tcgrr_writer_rr_file(writer, f->rr, &error), error);
    run.complete = finish;
    run.exit = "exit 0";
    run.icount = last->end_icount;
    run.qemu_icount = (int64_t)last->end_icount;
    run.execs = last->first_seq + last->count;
    check(tcgrr_writer_run(writer, &run, &error), error);
    check(finish ? tcgrr_writer_finish(writer, &error) : tcgrr_writer_commit(writer, &error), error);
    tcgrr_writer_free(writer);
}

/* Puts `size` bytes into the trace's place, with no leftovers of another one beside it. */
static void put_file(const struct fixture *f, const char *bytes, size_t size)
{
    static const char *const leftovers[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < G_N_ELEMENTS(leftovers); i++) {
        g_autofree char *path = g_strconcat(f->path, leftovers[i], NULL);
        g_unlink(path);
    }
    FILE *file = fopen(f->path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The trace as it was written. */
static void restore(const struct fixture *f)
{
    put_file(f, f->bytes, f->size);
}

/* Once for all tests. */
static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->folder = g_dir_make_tmp("tcgrr-unit-trace-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "x.tcgrr", NULL);
    f->rr = g_build_filename(f->folder, "x.rr", NULL);
    f->script = stream_script(3, INSNS);
    f->blocks = tcgrr_blocks_new();
    f->chunks = g_ptr_array_new_with_free_func((GDestroyNotify)tcgrr_chunk_free);
    make_chunks(f);
    write_rr(f->rr);
    write_trace(f, true);
    *state = f;
    return g_file_get_contents(f->path, &f->bytes, &f->size, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    GDir *folder = g_dir_open(f->folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(folder));) {
        g_autofree char *path = g_build_filename(f->folder, name, NULL);
        g_unlink(path);
    }
    g_dir_close(folder);
    g_rmdir(f->folder);
    g_free(f->folder);
    g_free(f->path);
    g_free(f->rr);
    g_array_unref(f->script);
    tcgrr_blocks_free(f->blocks);
    g_ptr_array_unref(f->chunks);
    g_free(f->bytes);
    g_free(f);
    return 0;
}

static struct tcgrr_reader *open_trace(const char *path)
{
    GError *error = NULL;
    struct tcgrr_reader *reader = tcgrr_reader_open(path, &error);
    check(reader != NULL, error);
    return reader;
}

static void print_problem(const char *text, void *data)
{
    print_message("problem: %s\n", text);
}

static void no_problem(const char *text, void *data)
{
}

/* How many problems verifying finds; UINT64_MAX if the file cannot even be opened. */
static uint64_t problems_of(const char *path, void (*say)(const char *text, void *data))
{
    struct tcgrr_reader *reader = tcgrr_reader_open(path, NULL);
    GError *error = NULL;
    uint64_t problems = 0;
    if (!reader) {
        return UINT64_MAX;
    }
    bool checked = tcgrr_reader_verify(reader, say, NULL, &problems, &error);
    tcgrr_reader_free(reader);
    g_clear_error(&error);
    return checked ? problems : UINT64_MAX;
}

/* ---- what was written is read ---- */

static void check_same_array(const GArray *left, const GArray *right, size_t size)
{
    assert_int_equal(left->len, right->len);
    if (left->len > 0) {
        assert_memory_equal(left->data, right->data, left->len * size);
    }
}

static void check_same_chunk(const struct tcgrr_chunk *read, const struct tcgrr_chunk *written)
{
    assert_int_equal(read->first_seq, written->first_seq);
    assert_int_equal(read->first_icount, written->first_icount);
    assert_int_equal(read->end_icount, written->end_icount);
    assert_int_equal(read->first_flow, written->first_flow);
    assert_int_equal(read->end_flow, written->end_flow);
    assert_int_equal(read->vcpu, written->vcpu);
    assert_int_equal(read->count, written->count);
    assert_memory_equal(read->blocks, written->blocks, written->count * sizeof(uint32_t));
    check_same_array(read->partials, written->partials, sizeof(struct tcgrr_partial));
    check_same_array(read->switches, written->switches, sizeof(struct tcgrr_switch));
}

static void test_chunks(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    GError *error = NULL;
    bool found = false;

    restore(f);
    struct tcgrr_reader *reader = open_trace(f->path);
    for (guint i = 0; i < f->chunks->len; i++) {
        check(tcgrr_reader_chunk(reader, i, chunk, &found, &error), error);
        assert_true(found);
        check_same_chunk(chunk, g_ptr_array_index(f->chunks, i));
    }
    check(tcgrr_reader_chunk(reader, f->chunks->len, chunk, &found, &error), error);
    assert_false(found);

    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(reader, &error);
    check(blocks != NULL, error);
    assert_int_equal(tcgrr_blocks_count(blocks), tcgrr_blocks_count(f->blocks));
    for (uint32_t i = 0; i < tcgrr_blocks_count(blocks); i++) {
        assert_int_equal(tcgrr_blocks_get(blocks, i)->hash, tcgrr_blocks_get(f->blocks, i)->hash);
        assert_int_equal(tcgrr_blocks_get(blocks, i)->sum, tcgrr_blocks_get(f->blocks, i)->sum);
    }
    tcgrr_reader_free(reader);
    tcgrr_chunk_free(chunk);
}

static void test_seek(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    uint64_t random = 1;
    bool found = false;

    restore(f);
    struct tcgrr_reader *reader = open_trace(f->path);
    for (int i = 0; i < 200; i++) {
        tcgrr_icount icount = i == 0 ? 0 : i == 1 ? INSNS - 1 : stream_random(&random) % INSNS;
        GError *error = NULL;
        check(tcgrr_reader_seek(reader, icount, chunk, &found, &error), error);
        assert_true(found);
        assert_true(chunk->first_icount <= icount && icount < chunk->end_icount);
    }
    assert_true(tcgrr_reader_seek(reader, INSNS, chunk, &found, NULL));
    assert_false(found);
    assert_true(tcgrr_reader_seek(reader, UINT64_MAX, chunk, &found, NULL));
    assert_true(found);
    assert_int_equal(chunk->end_icount, INSNS);
    tcgrr_reader_free(reader);
    tcgrr_chunk_free(chunk);
}

struct expected_events {
    const struct fixture *f;
    guint chunk, event;
    guint seen;
};

static void check_event(const struct tcgrr_event *event, void *data)
{
    struct expected_events *expected = data;
    const struct tcgrr_chunk *chunk = g_ptr_array_index(expected->f->chunks, expected->chunk);
    const struct tcgrr_event *wanted = &g_array_index(chunk->events, struct tcgrr_event, expected->event++);

    assert_int_equal(event->seq, wanted->seq);
    assert_int_equal(event->icount, wanted->icount);
    assert_int_equal(event->vcpu, wanted->vcpu);
    assert_int_equal(event->kind, wanted->kind);
    assert_int_equal(event->inferred, wanted->inferred);
    if (wanted->has_pcs) {
        assert_true(event->has_pcs);
        assert_int_equal(event->from_pc, wanted->from_pc);
        assert_int_equal(event->to_pc, wanted->to_pc);
    }
    assert_int_equal(event->number, wanted->number);
    assert_int_equal(event->result, wanted->result);
    assert_memory_equal(event->arguments, wanted->arguments, sizeof(wanted->arguments));
    expected->seen++;
    if (expected->event == chunk->events->len) {
        expected->event = 0;
        expected->chunk++;
    }
}

static void test_events_and_checkpoints(void **state)
{
    struct fixture *f = *state;
    struct expected_events expected = {.f = f};
    GError *error = NULL;

    restore(f);
    struct tcgrr_reader *reader = open_trace(f->path);
    check(tcgrr_reader_events(reader, 0, INT64_MAX, check_event, &expected, &error), error);
    assert_int_equal(expected.seen, f->chunks->len * TCGRR_EVENT_KIND_COUNT);
    expected = (struct expected_events){.f = f, .chunk = 1};
    const struct tcgrr_chunk *second = g_ptr_array_index(f->chunks, 1);
    check(tcgrr_reader_events(reader, second->first_icount, second->end_icount, check_event, &expected, &error), error);
    assert_int_equal(expected.seen, TCGRR_EVENT_KIND_COUNT);
    for (guint icount = 0; icount < INSNS + 2 * TCGRR_CHECKPOINT_STEP; icount += TCGRR_CHECKPOINT_STEP) {
        struct tcgrr_checkpoint checkpoint;
        bool found = false;
        check(tcgrr_reader_checkpoint(reader, icount, &checkpoint, &found, &error), error);
        assert_int_equal(found, icount > 0 && icount <= INSNS);
        assert_true(!found || checkpoint.flow == stream_digest(f->script, icount));
    }
    tcgrr_reader_free(reader);
}

static void test_description(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_totals totals;
    GError *error = NULL;

    restore(f);
    struct tcgrr_reader *reader = open_trace(f->path);
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    assert_string_equal(run->original_command, plain_run.original_command);
    assert_string_equal(run->qemu_version, "10.0.2");
    assert_string_equal(run->exit, "exit 0");
    assert_true(run->complete && run->rr);
    assert_int_equal(run->vcpus, 2);
    assert_int_equal(run->qemu_icount, INSNS);
    check(tcgrr_reader_totals(reader, &totals, &error), error);
    assert_int_equal(totals.icount, INSNS);
    assert_int_equal(totals.chunks, f->chunks->len);
    assert_int_equal(totals.blocks, tcgrr_blocks_count(f->blocks));
    assert_int_equal(totals.flow, stream_digest(f->script, INSNS));
    assert_int_equal(totals.events[TCGRR_EVENT_SYSCALL], f->chunks->len);
    struct tcgrr_symbols *symbols = tcgrr_symbols_new();
    check(tcgrr_symbols_add_trace(symbols, reader, &error), error);
    g_autofree char *inside = tcgrr_symbols_name(symbols, 0x80001010);
    g_autofree char *start = tcgrr_symbols_name(symbols, 0x80001000);
    assert_string_equal(inside, "start+0x10");
    assert_string_equal(start, "start");
    assert_null(tcgrr_symbols_name(symbols, 0x80001020));
    assert_int_equal(tcgrr_symbols_find(symbols, "start")->address, 0x80001000);
    assert_null(tcgrr_symbols_find(symbols, "star"));
    tcgrr_symbols_free(symbols);
    tcgrr_reader_free(reader);
}

static void test_rr_file(void **state)
{
    struct fixture *f = *state;
    g_autofree char *out = g_strconcat(f->rr, ".out", NULL);
    g_autofree char *before = NULL, *after = NULL;
    gsize before_size = 0, after_size = 0;
    GError *error = NULL;

    restore(f);
    struct tcgrr_reader *reader = open_trace(f->path);
    check(tcgrr_reader_extract_rr(reader, out, &error), error);
    tcgrr_reader_free(reader);
    assert_true(g_file_get_contents(f->rr, &before, &before_size, NULL));
    assert_true(g_file_get_contents(out, &after, &after_size, NULL));
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
}

/* ---- lives of a file ---- */

static void test_good(void **state)
{
    struct fixture *f = *state;
    write_trace(f, true);
    assert_int_equal(problems_of(f->path, print_problem), 0);
    g_autofree char *wal = g_strconcat(f->path, "-wal", NULL);
    assert_false(g_file_test(wal, G_FILE_TEST_EXISTS));
}

static void test_cut_short(void **state)
{
    struct fixture *f = *state;
    write_trace(f, false);
    assert_int_equal(problems_of(f->path, print_problem), 0);
    struct tcgrr_reader *reader = open_trace(f->path);
    assert_false(tcgrr_reader_run(reader)->complete);
    tcgrr_reader_free(reader);
}

/* What is committed can be read while more is written. */
static void test_read_while_recording(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_run run = plain_run;
    struct tcgrr_totals totals;
    GError *error = NULL;
    struct tcgrr_writer *writer = tcgrr_writer_create(f->path, true, &run, &error);

    check(writer != NULL, error);
    for (guint i = 0; i < 3; i++) {
        const struct tcgrr_chunk *chunk = g_ptr_array_index(f->chunks, i);
        check(tcgrr_writer_chunk(writer, chunk, f->blocks, &error), error);
        check(tcgrr_writer_commit(writer, &error), error);
        struct tcgrr_reader *reader = open_trace(f->path);
        check(tcgrr_reader_totals(reader, &totals, &error), error);
        assert_int_equal(totals.icount, chunk->end_icount);
        tcgrr_reader_free(reader);
        assert_int_equal(problems_of(f->path, print_problem), 0);
    }
    tcgrr_writer_free(writer);
}

static void *read_for_a_while(void *path)
{
    struct tcgrr_reader *reader = open_trace(path);
    struct tcgrr_totals totals;

    if (!tcgrr_reader_totals(reader, &totals, NULL)) {
        totals.icount = 0;
    }
    g_usleep(300 * 1000);
    tcgrr_reader_free(reader);
    return GSIZE_TO_POINTER(totals.icount);
}

/* Somebody looks at the trace when its recording ends, for a moment or for longer. */
static void test_read_while_finishing(void **state)
{
    struct fixture *f = *state;
    const struct tcgrr_chunk *chunk = g_ptr_array_index(f->chunks, 0);
    GError *error = NULL;
    struct tcgrr_writer *writer = tcgrr_writer_create(f->path, true, &plain_run, &error);

    check(writer != NULL, error);
    check(tcgrr_writer_chunk(writer, chunk, f->blocks, &error) && tcgrr_writer_commit(writer, &error), error);
    GThread *thread = g_thread_new("reader", read_for_a_while, f->path);
    g_usleep(100 * 1000);
    bool finished = tcgrr_writer_finish(writer, &error);
    check(finished, error);
    assert_int_equal(GPOINTER_TO_SIZE(g_thread_join(thread)), chunk->end_icount);
    tcgrr_writer_free(writer);
    assert_int_equal(problems_of(f->path, print_problem), 0);

    writer = tcgrr_writer_create(f->path, true, &plain_run, &error);
    check(writer != NULL, error);
    check(tcgrr_writer_chunk(writer, chunk, f->blocks, &error) && tcgrr_writer_commit(writer, &error), error);
    struct tcgrr_reader *reader = open_trace(f->path);
    struct tcgrr_totals totals;
    finished = tcgrr_reader_totals(reader, &totals, &error) && tcgrr_writer_finish(writer, &error);
    check(finished, error);
    tcgrr_writer_free(writer);
    assert_int_equal(problems_of(f->path, print_problem), 0);
    totals.icount = 0;
    check(tcgrr_reader_totals(reader, &totals, &error), error);
    assert_int_equal(totals.icount, chunk->end_icount);
    tcgrr_reader_free(reader);
    assert_int_equal(problems_of(f->path, print_problem), 0);
}

static void test_existing_file(void **state)
{
    struct fixture *f = *state;
    GError *error = NULL;

    put_file(f, "precious", strlen("precious"));
    assert_null(tcgrr_writer_create(f->path, false, &plain_run, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    assert_non_null(strstr(error->message, "--force"));
    g_clear_error(&error);
    g_autofree char *content = NULL;
    assert_true(g_file_get_contents(f->path, &content, NULL, NULL));
    assert_string_equal(content, "precious");
    struct tcgrr_writer *writer = tcgrr_writer_create(f->path, true, &plain_run, &error);
    check(writer != NULL, error);
    tcgrr_writer_free(writer);
}

static void test_no_place(void **state)
{
    struct fixture *f = *state;
    g_autofree char *nowhere = g_build_filename(f->folder, "none", "x.tcgrr", NULL);
    const char *const paths[] = {nowhere, f->folder, "/proc/x.tcgrr"};
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        GError *error = NULL;
        assert_null(tcgrr_writer_create(paths[i], i == 1, &plain_run, &error));
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
        assert_non_null(strstr(error->message, paths[i]));
        g_error_free(error);
    }
}

/* ---- files that are not sound ---- */

static void check_refused(const char *path)
{
    GError *error = NULL;
    assert_null(tcgrr_reader_open(path, &error));
    assert_int_equal(error->domain, TCGRR_ERROR);
    assert_null(strchr(error->message, '\n'));
    assert_non_null(strstr(error->message, path));
    g_error_free(error);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_not_a_trace(void **state)
{
    struct fixture *f = *state;

    g_autofree char *absent = g_build_filename(f->folder, "absent", NULL);
    check_refused(absent);
    check_refused(f->folder);
    put_file(f, "", 0);
    check_refused(f->path);
    put_file(f, "some text that is no database", 29);
    check_refused(f->path);
    g_unlink(f->path);
    execute(f->path, "CREATE TABLE run(id); PRAGMA user_version = 1;");
    check_refused(f->path);
}

static void test_other_version(void **state)
{
    struct fixture *f = *state;
    g_autofree char *version = g_strdup_printf("PRAGMA user_version = %d", TCGRR_TRACE_VERSION + 1);
    GError *error = NULL;

    restore(f);
    execute(f->path, version);
    assert_null(tcgrr_reader_open(f->path, &error));
    assert_non_null(strstr(error->message, "trace format"));
    g_error_free(error);
}

/* Changes that keep the database sound and even the chunk's own digest right are still found by the seal. */
static void test_changed_by_sql(void **state)
{
    static const char *const changes[] = {
        "UPDATE run SET icount = icount + 1",
        "UPDATE event SET to_pc = to_pc + 4 WHERE id = 3",
        "DELETE FROM event WHERE id = 3",
        "DELETE FROM checkpoint WHERE icount = 65536",
        "UPDATE checkpoint SET flow = flow + 1 WHERE icount = 65536",
        "DELETE FROM chunk WHERE id = 1",
        "UPDATE chunk SET insns = insns + 1 WHERE id = 1",
        "UPDATE chunk SET first_seq = 7 WHERE id = 0",
        "UPDATE block SET pc = pc + 4 WHERE id = 5",
        "DELETE FROM block WHERE id = 5",
        "UPDATE rr_file SET data = x'00' WHERE part = 1",
        "DELETE FROM rr_file",
        "UPDATE run SET complete = 'maybe'",
        "DELETE FROM run",
        "DROP TABLE chunk",
        "UPDATE chunk SET execs = 1 << 40",
        "UPDATE chunk SET data = zeroblob(1000)",
        "UPDATE block SET insns = 1 << 40",
        "UPDATE event SET kind = 'nonsense' WHERE id = 1",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        restore(f);
        execute(f->path, changes[i]);
        if (problems_of(f->path, no_problem) == 0) {
            fail_msg("not noticed: %s", changes[i]);
        }
    }
}

static void test_every_flip_is_found(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 11;
    struct stat status;

    restore(f);
    assert_int_equal(stat(f->path, &status), 0);
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    for (int i = 0; i < FLIPS; i++) {
        /* Each of the first hundred bytes, which are SQLite's header, and the seal; then anywhere. */
        off_t at = i < 100   ? i
                   : i < 132 ? status.st_size - 1 - (i - 100)
                             : (off_t)(stream_random(&random) % status.st_size);
        uint8_t byte = 0, changed;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        changed = (uint8_t)(byte ^ 1u << stream_random(&random) % 8);
        assert_int_equal(pwrite(fd, &changed, 1, at), 1);
        if (problems_of(f->path, no_problem) == 0) {
            fail_msg("byte %ld of %ld from %02x to %02x was not noticed", (long)at, (long)status.st_size, byte,
                     changed);
        }
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    assert_int_equal(problems_of(f->path, print_problem), 0);
}

static void test_every_cut_is_found(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 12;
    gsize size = f->size;

    for (int i = 0; i < CUTS; i++) {
        gsize length = i == 0   ? size - 1
                       : i == 1 ? size - 32
                       : i == 2 ? 100
                       : i == 3 ? 4096
                                : stream_random(&random) % size;
        put_file(f, f->bytes, length);
        if (problems_of(f->path, no_problem) == 0) {
            fail_msg("the first %lu of %lu bytes pass for the whole", (unsigned long)length, (unsigned long)size);
        }
    }
    g_autofree char *longer = g_malloc0(size + 512);
    memcpy(longer, f->bytes, size);
    put_file(f, longer, size + 512);
    assert_true(problems_of(f->path, no_problem) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_events_and_checkpoints),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_rr_file),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_read_while_recording),
        cmocka_unit_test(test_read_while_finishing),
        cmocka_unit_test(test_existing_file),
        cmocka_unit_test(test_no_place),
        cmocka_unit_test(test_not_a_trace),
        cmocka_unit_test(test_other_version),
        cmocka_unit_test(test_changed_by_sql),
        cmocka_unit_test(test_every_flip_is_found),
        cmocka_unit_test(test_every_cut_is_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
