/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples of the state come back as they were put in: from memory, from a trace, from SQL; what is damaged is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <zstd.h>

#include "store/codec/codec_sample.h"
#include "store/error.h"
#include "store/sql/sql.h"
#include "store/trace.h"
#include "tests/stream.h"
#include "tests/check.h"

#define INSNS    60000
#define CAPACITY 2000
#define EXECS    5000
#define ICOUNT   123456

static const uint32_t sizes[] = {8, 8, 4, 16, 1, 3, 300, 8, 20000};

/* "pc", then "r1", "r2", … */
static struct tcgrr_register_table *make_registers(void)
{
    struct tcgrr_register_table *registers = tcgrr_register_table_new();
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *name = i ? g_strdup_printf("r%u", i) : g_strdup("pc");
        assert_true(tcgrr_register_table_add(registers, name, "feature", sizes[i], NULL));
    }
    return registers;
}

/* Changes some bytes of the state, now and then none at all. */
static void change(uint8_t *image, uint32_t bytes, uint64_t *random)
{
    for (uint32_t i = stream_random(random) % 6; i > 0; i--) {
        uint32_t place = stream_random(random) % (stream_random(random) % 4 ? MIN(bytes, 40u) : bytes);
        image[place] = (uint8_t)stream_random(random);
    }
}

/* Samples as they are expected to come back: a copy of each image. */
struct truth {
    GArray *list; /* struct tcgrr_sample */
    GPtrArray *images;
    uint32_t bytes;
};

static struct truth *truth_new(uint32_t bytes)
{
    struct truth *truth = g_new0(struct truth, 1);
    truth->list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_sample));
    truth->images = g_ptr_array_new_with_free_func(g_free);
    truth->bytes = bytes;
    return truth;
}

static void truth_free(struct truth *truth)
{
    g_array_unref(truth->list);
    g_ptr_array_unref(truth->images);
    g_free(truth);
}

static void truth_add(struct truth *truth, const struct tcgrr_sample *sample, const uint8_t *image)
{
    g_array_append_vals(truth->list, sample, 1);
    g_ptr_array_add(truth->images, g_memdup2(image, truth->bytes));
}

static void assert_sample(const struct truth *truth, guint index, const struct tcgrr_sample_cursor *cursor,
                          bool has_stores)
{
    const struct tcgrr_sample *wanted = &g_array_index(truth->list, struct tcgrr_sample, index);
    assert_int_equal(cursor->sample->icount, wanted->icount);
    assert_int_equal(cursor->sample->exec, wanted->exec);
    assert_int_equal(cursor->sample->vcpu, wanted->vcpu);
    if (has_stores) {
        assert_int_equal(cursor->sample->stores, wanted->stores);
    }
    assert_memory_equal(cursor->image, g_ptr_array_index(truth->images, index), truth->bytes);
}

/* `samples` are numbers first..last of the truth. */
static void assert_samples(const struct truth *truth, const struct tcgrr_samples *samples, guint first, guint end,
                           bool has_stores)
{
    struct tcgrr_sample_cursor cursor;
    guint index = first;
    for (bool more = tcgrr_sample_begin(&cursor, samples); more; more = tcgrr_sample_next(&cursor)) {
        assert_true(index < end);
        assert_sample(truth, index++, &cursor, has_stores);
    }
    tcgrr_sample_end(&cursor);
    assert_int_equal(index, end);
}

static struct tcgrr_samples *make_samples(struct tcgrr_register_table *registers, guint count, uint64_t seed,
                                          bool has_stores, struct truth *truth)
{
    struct tcgrr_samples *samples = tcgrr_samples_new();
    g_autofree uint8_t *image = g_malloc0(truth->bytes);
    struct tcgrr_sample sample = {.icount = ICOUNT};

    samples->has_stores = has_stores;
    for (guint i = 0; i < count; i++) {
        change(image, truth->bytes, &seed);
        sample.stores = (uint64_t)stream_random(&seed) << 33 | stream_random(&seed);
        tcgrr_samples_add(samples, registers, &sample, image);
        truth_add(truth, &sample, image);
        sample.exec += 1 + stream_random(&seed) % 3;
        sample.icount += stream_random(&seed) % 5;
        sample.vcpu = stream_random(&seed) % 2;
    }
    return samples;
}

/* ---- in memory ---- */

static void test_registers(void **state)
{
    struct tcgrr_register_table *registers = make_registers();
    uint32_t offset = 0;

    assert_int_equal(tcgrr_register_table_count(registers), G_N_ELEMENTS(sizes));
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const struct tcgrr_state_register *at = tcgrr_register_table_get(registers, i);
        assert_int_equal(at->size, sizes[i]);
        assert_int_equal(at->offset, offset);
        assert_ptr_equal(tcgrr_register_table_find(registers, at->name), at);
        offset += sizes[i];
    }
    assert_int_equal(tcgrr_register_table_bytes(registers), offset);
    assert_null(tcgrr_register_table_find(registers, "r9"));
    assert_true(tcgrr_register_table_add(registers, "r1", "", 1, NULL));
    assert_true(tcgrr_register_table_add(registers, "r1", "", 1, NULL));
    assert_non_null(tcgrr_register_table_find(registers, "r1#2"));
    assert_non_null(tcgrr_register_table_find(registers, "r1#3"));
    tcgrr_register_table_unref(registers);
}

static void test_register_bounds(void **state)
{
    struct tcgrr_register_table *registers = tcgrr_register_table_new();
    g_autofree char *longest = g_strnfill(TCGRR_MAX_REGISTER_NAME, 'x');
    g_autofree char *longer = g_strnfill(TCGRR_MAX_REGISTER_NAME + 1, 'x');
    GError *error = NULL;

    assert_false(tcgrr_register_table_add(registers, "r", "", 0, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_error_free(error);
    assert_false(tcgrr_register_table_add(registers, "r", "", TCGRR_MAX_REGISTER_BYTES + 1, NULL));
    assert_false(tcgrr_register_table_add(registers, "", "", 8, NULL));
    assert_false(tcgrr_register_table_add(registers, longer, "", 8, NULL));
    assert_false(tcgrr_register_table_add(registers, "r", longer, 8, NULL));
    assert_true(tcgrr_register_table_add(registers, longest, longest, 8, NULL));
    while (tcgrr_register_table_bytes(registers) + TCGRR_MAX_REGISTER_BYTES <= TCGRR_MAX_STATE_BYTES) {
        assert_true(tcgrr_register_table_add(registers, "large", "", TCGRR_MAX_REGISTER_BYTES, NULL));
    }
    assert_false(tcgrr_register_table_add(registers, "large", "", TCGRR_MAX_REGISTER_BYTES, NULL));
    while (tcgrr_register_table_count(registers) < TCGRR_MAX_REGISTERS) {
        assert_true(tcgrr_register_table_add(registers, "small", "", 1, NULL));
    }
    assert_false(tcgrr_register_table_add(registers, "small", "", 1, NULL));
    tcgrr_register_table_unref(registers);
}

static void test_in_memory(void **state)
{
    struct tcgrr_register_table *registers = make_registers();
    struct truth *truth = truth_new(tcgrr_register_table_bytes(registers));
    struct tcgrr_samples *samples = make_samples(registers, 200, 1, true, truth);
    struct tcgrr_samples *part = tcgrr_samples_new();
    guint first = 50;
    guint end = 120;

    assert_samples(truth, samples, 0, 200, true);
    /* Those between two icounts, wherever equal icounts begin and end. */
    const struct tcgrr_sample *list = (const struct tcgrr_sample *)truth->list->data;
    while (list[first - 1].icount == list[first].icount) {
        first++;
    }
    while (list[end - 1].icount == list[end].icount) {
        end++;
    }
    tcgrr_samples_append(part, samples, list[first].icount, list[end - 1].icount);
    assert_samples(truth, part, first, end, true);
    assert_true(part->has_stores);
    tcgrr_samples_clear(part);
    assert_samples(truth, part, 0, 0, true);
    tcgrr_samples_free(part);
    tcgrr_samples_free(samples);
    truth_free(truth);
    tcgrr_register_table_unref(registers);
}

/* ---- encoded ---- */

static void test_codec(void **state)
{
    struct tcgrr_register_table *registers = make_registers();
    g_autoptr(GByteArray) scratch = g_byte_array_new();
    g_autoptr(GByteArray) out = g_byte_array_new();
    struct tcgrr_samples *back = tcgrr_samples_new();

    for (guint count = 1; count < 400; count = count * 2 + 1) {
        bool has_stores = count % 4 == 3;
        struct truth *truth = truth_new(tcgrr_register_table_bytes(registers));
        struct tcgrr_samples *samples = make_samples(registers, count, count, has_stores, truth);
        tcgrr_samples_encode(samples, ICOUNT, scratch, out);
        assert_true(tcgrr_samples_decode(out->data, out->len, registers, EXECS, ICOUNT, scratch, back));
        assert_int_equal(back->has_stores, has_stores);
        assert_samples(truth, back, 0, count, has_stores);
        /* And what was decoded goes on like what was sampled. */
        assert_memory_equal(back->last->data, samples->last->data, samples->last->len);
        /* A chunk that has not so many executions cannot have them. */
        uint32_t last = g_array_index(samples->list, struct tcgrr_sample, count - 1).exec;
        assert_true(tcgrr_samples_decode(out->data, out->len, registers, last + 1, ICOUNT, scratch, back));
        assert_false(tcgrr_samples_decode(out->data, out->len, registers, last, ICOUNT, scratch, back));
        tcgrr_samples_free(samples);
        truth_free(truth);
    }
    tcgrr_samples_free(back);
    tcgrr_register_table_unref(registers);
}

/* What passes for samples has to be usable. */
static void assert_sound(const struct tcgrr_samples *samples)
{
    struct tcgrr_sample_cursor cursor;
    const struct tcgrr_sample *before = NULL;
    for (bool more = tcgrr_sample_begin(&cursor, samples); more; more = tcgrr_sample_next(&cursor)) {
        assert_true(cursor.sample->exec < EXECS);
        assert_true(!before || (cursor.sample->exec > before->exec && cursor.sample->icount >= before->icount));
        before = cursor.sample;
    }
    tcgrr_sample_end(&cursor);
}

static bool decode_plain(const uint8_t *plain, size_t size, struct tcgrr_register_table *registers, GByteArray *scratch,
                         struct tcgrr_samples *samples)
{
    size_t bound = ZSTD_compressBound(size);
    g_autofree uint8_t *packed = g_malloc(bound);
    size_t packed_size = ZSTD_compress(packed, bound, plain, size, 1);
    return tcgrr_samples_decode(packed, packed_size, registers, EXECS, ICOUNT, scratch, samples);
}

static void test_malformed(void **state)
{
    struct tcgrr_register_table *registers = tcgrr_register_table_new();
    g_autoptr(GByteArray) scratch = g_byte_array_new();
    g_autoptr(GByteArray) out = g_byte_array_new();
    struct tcgrr_samples *back = tcgrr_samples_new();
    uint64_t random = 3;

    assert_true(tcgrr_register_table_add(registers, "pc", "", 8, NULL));
    assert_true(tcgrr_register_table_add(registers, "x", "", 4, NULL));
    struct truth *truth = truth_new(tcgrr_register_table_bytes(registers));
    struct tcgrr_samples *samples = make_samples(registers, 20, 7, true, truth);
    tcgrr_samples_encode(samples, ICOUNT, scratch, out);
    size_t size = scratch->len;
    g_autofree uint8_t *plain = g_memdup2(scratch->data, size);

    assert_true(decode_plain(plain, size, registers, scratch, back));
    for (size_t length = 0; length < size; length++) {
        assert_false(decode_plain(plain, length, registers, scratch, back));
    }
    for (size_t length = 0; length < out->len; length++) {
        assert_false(tcgrr_samples_decode(out->data, length, registers, EXECS, ICOUNT, scratch, back));
    }
    for (int i = 0; i < 20000; i++) {
        g_autofree uint8_t *wrong = g_memdup2(plain, size);
        wrong[stream_random(&random) % size] ^= 1u << stream_random(&random) % 8;
        if (decode_plain(wrong, size, registers, scratch, back)) {
            assert_sound(back);
        }
    }
    assert_false(tcgrr_samples_decode(NULL, 0, registers, EXECS, ICOUNT, scratch, back));
    tcgrr_samples_free(samples);
    tcgrr_samples_free(back);
    truth_free(truth);
    tcgrr_register_table_unref(registers);
}

/* ---- in a trace ---- */

struct fixture {
    char *folder;
    char *path;
    struct tcgrr_blocks *blocks;
    struct tcgrr_register_table *registers;
    struct truth *truth;
    GArray *chunk_of; /* of int64_t: of each sample */
};

/* Samples before some of the chunk's executions, with the pc that they have. */
static void sample_chunk(struct fixture *f, struct tcgrr_chunk *chunk, int64_t id, uint8_t *image, uint64_t *random)
{
    struct tcgrr_cursor at;

    chunk->samples->has_stores = true;
    for (bool more = tcgrr_cursor_begin(&at, chunk, f->blocks); more && id % 3 != 1; more = tcgrr_cursor_next(&at)) {
        if (stream_random(random) % 40 > 0) {
            continue;
        }
        struct tcgrr_sample sample = {
            .icount = at.icount, .exec = at.index, .vcpu = at.vcpu, .stores = stream_random(random)};
        uint64_t pc = GUINT64_TO_LE(at.block->pc);
        change(image, f->truth->bytes, random);
        memcpy(image, &pc, sizeof(pc));
        tcgrr_samples_add(chunk->samples, f->registers, &sample, image);
        truth_add(f->truth, &sample, image);
        g_array_append_val(f->chunk_of, id);
    }
}

static void write_trace(struct fixture *f)
{
    static const struct tcgrr_run run = {.command = "[]",
                                         .original_command = "[]",
                                         .qemu_version = "10.0.2",
                                         .target = "riscv64",
                                         .mode = "system",
                                         .level = "state",
                                         .qemu_icount = -1};
    GError *error = NULL;
    GArray *script = stream_script(1, INSNS);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    struct tcgrr_writer *writer = tcgrr_writer_create(f->path, true, &run, &error);
    g_autofree uint8_t *image = g_malloc0(f->truth->bytes);
    uint64_t random = 11;
    int64_t id = 0;

    check(writer, error);
    tcgrr_chunk_follow(chunk, NULL);
    for (guint at = 0; at < script->len; id++) {
        at = stream_cut(script, at, (uint64_t)id, 20, f->blocks, chunk);
        sample_chunk(f, chunk, id, image, &random);
        check(tcgrr_writer_chunk(writer, chunk, f->blocks, &error), error);
        tcgrr_chunk_follow(chunk, chunk);
    }
    check(tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
    tcgrr_chunk_free(chunk);
    g_array_unref(script);
}

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->folder = g_dir_make_tmp("tcgrr-samples-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "trace.tcgrr", NULL);
    f->blocks = tcgrr_blocks_new();
    f->registers = make_registers();
    f->truth = truth_new(tcgrr_register_table_bytes(f->registers));
    f->chunk_of = g_array_new(FALSE, FALSE, sizeof(int64_t));
    write_trace(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    g_unlink(f->path);
    g_rmdir(f->folder);
    g_free(f->folder);
    g_free(f->path);
    tcgrr_blocks_free(f->blocks);
    tcgrr_register_table_unref(f->registers);
    truth_free(f->truth);
    g_array_unref(f->chunk_of);
    g_free(f);
    return 0;
}

static tcgrr_icount icount_at(const struct fixture *f, guint index)
{
    return g_array_index(f->truth->list, struct tcgrr_sample, index).icount;
}

/* The samples of chunk `id`: numbers *first up to *end. */
static void find_chunk(const struct fixture *f, int64_t id, guint *first, guint *end)
{
    for (*first = 0; *first < f->chunk_of->len && g_array_index(f->chunk_of, int64_t, *first) < id; ++*first) {
    }
    for (*end = *first; *end < f->chunk_of->len && g_array_index(f->chunk_of, int64_t, *end) == id; ++*end) {
    }
}

static void test_reading(void **state)
{
    struct fixture *f = *state;
    GError *error = NULL;
    struct tcgrr_samples *samples = tcgrr_samples_new();
    struct tcgrr_reader *reader = tcgrr_reader_open(f->path, &error);
    int64_t id = -1;
    guint seen = 0;
    guint first;
    guint end;

    check(reader, error);
    do {
        check(tcgrr_reader_samples_after(reader, id, samples, &id, &error), error);
        if (id >= 0) {
            find_chunk(f, id, &first, &end);
            assert_int_equal(first, seen);
            assert_samples(f->truth, samples, first, end, true);
            seen = end;
        }
    } while (id >= 0);
    assert_int_equal(seen, f->truth->list->len);
    for (guint i = 0; i < f->truth->list->len; i += 7) {
        check(tcgrr_reader_samples_from(reader, icount_at(f, i), samples, &id, &error), error);
        guint wanted = i;
        while (wanted > 0 && icount_at(f, wanted - 1) == icount_at(f, i)) {
            wanted--;
        }
        assert_int_equal(id, g_array_index(f->chunk_of, int64_t, wanted));
    }
    check(tcgrr_reader_samples_from(reader, icount_at(f, f->truth->list->len - 1) + 1, samples, &id, &error), error);
    assert_int_equal(id, -1);
    check(tcgrr_reader_samples_of(reader, 1, samples, &id, &error), error);
    assert_int_equal(id, -1);
    check(tcgrr_reader_samples_of(reader, 2, samples, &id, &error), error);
    assert_int_equal(id, 2);
    tcgrr_samples_free(samples);
    tcgrr_reader_free(reader);
}

static void count_problem(const char *text, void *data)
{
    g_string_append_printf(data, "%s\n", text);
}

/* What verify has to say of the trace after `sql` was done to it; the seal aside. */
static char *problems_after(const struct fixture *f, const char *sql)
{
    g_autofree char *copy = g_build_filename(f->folder, "copy.tcgrr", NULL);
    g_autofree char *bytes = NULL;
    gsize size;
    sqlite3 *db;
    GError *error = NULL;
    uint64_t count = 0;
    GString *problems = g_string_new(NULL);

    assert_true(g_file_get_contents(f->path, &bytes, &size, NULL));
    assert_true(g_file_set_contents(copy, bytes, (gssize)size, NULL));
    assert_int_equal(sqlite3_open(copy, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(db));
    }
    sqlite3_close(db);
    struct tcgrr_reader *reader = tcgrr_reader_open(copy, &error);
    check(reader, error);
    check(tcgrr_reader_verify(reader, count_problem, problems, &count, &error), error);
    tcgrr_reader_free(reader);
    g_unlink(copy);
    return g_string_free(problems, FALSE);
}

static void assert_problem(const struct fixture *f, const char *sql, const char *wanted)
{
    g_autofree char *problems = problems_after(f, sql);
    if (!strstr(problems, wanted)) {
        fail_msg("%s: '%s' is not in: %s", sql, wanted, problems);
    }
}

static void test_verify(void **state)
{
    struct fixture *f = *state;
    g_autofree char *clean = problems_after(f, "PRAGMA user_version");

    assert_string_equal(clean, "");
    assert_problem(f, "UPDATE sample SET data = x'00' WHERE chunk = 2", "the samples of chunk 2 do not match");
    assert_problem(f, "UPDATE sample SET last_icount = last_icount + 1 WHERE chunk = 3", "the samples of chunk 3");
    assert_problem(f, "UPDATE sample SET chunk = 1 WHERE chunk = 2", "the samples of chunk 1");
    assert_problem(f, "UPDATE sample SET chunk = 100000 WHERE chunk = 2", "samples of chunks that are missing");
    assert_problem(f, "DELETE FROM register WHERE id = 3", "register 3 is missing");
    assert_problem(f, "UPDATE register SET size = 70000 WHERE id = 3", "register 3 is of impossible size");
    assert_problem(f, "UPDATE register SET size = 7 WHERE id = 3", "the samples of chunk 0 are malformed");
}

/* Samples that are sound in themselves but not where the executions are. */
static void test_misplaced(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_reader *reader = tcgrr_reader_open(f->path, NULL);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    bool found;
    int64_t id;

    assert_true(tcgrr_reader_chunk(reader, 3, chunk, &found, NULL) && found);
    assert_true(tcgrr_reader_samples_of(reader, 3, chunk->samples, &id, NULL));
    assert_true(tcgrr_chunk_place_samples(chunk, f->blocks));
    struct tcgrr_sample *sample = &g_array_index(chunk->samples->list, struct tcgrr_sample, 4);
    tcgrr_icount right = sample->icount;
    sample->icount++;
    assert_false(tcgrr_chunk_place_samples(chunk, f->blocks));
    assert_int_equal(sample->icount, right);
    tcgrr_chunk_free(chunk);
    tcgrr_reader_free(reader);
}

/* ---- in SQL ---- */

static sqlite3 *open_sql(const struct fixture *f)
{
    sqlite3 *db;
    GError *error = NULL;
    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    check(tcgrr_sql_register(db, &error) != NULL, error);
    return db;
}

static int64_t number_of(sqlite3 *db, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sql = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static void test_sql(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = open_sql(f);
    guint count = f->truth->list->len;
    guint some = count / 2;
    tcgrr_icount icount = icount_at(f, some);
    int64_t same = 0;
    int64_t before = 0;
    uint32_t word;

    for (guint i = 0; i < count; i++) {
        same += icount_at(f, i) == icount;
        before += icount_at(f, i) < icount;
    }
    assert_int_equal(number_of(db, "SELECT count(*) FROM state"), count * G_N_ELEMENTS(sizes));
    assert_int_equal(number_of(db, "SELECT count(*) FROM state WHERE register = 'r3'"), count);
    assert_int_equal(number_of(db, "SELECT count(*) FROM state WHERE register = 'R3' COLLATE NOCASE"), count);
    assert_int_equal(number_of(db, "SELECT count(*) FROM state WHERE register = 'nothing'"), 0);
    assert_int_equal(
        number_of(db, "SELECT count(*) FROM state WHERE icount < %" G_GUINT64_FORMAT " AND register='r2'", icount),
        before);
    assert_int_equal(number_of(db, "SELECT count(*) FROM state WHERE icount = %" G_GUINT64_FORMAT, icount),
                     same * (int64_t)G_N_ELEMENTS(sizes));
    memcpy(&word, (uint8_t *)g_ptr_array_index(f->truth->images, some) + 16, sizeof(word));
    assert_int_equal(number_of(db,
                               "SELECT count(*) FROM state WHERE icount = %" G_GUINT64_FORMAT
                               " AND register = 'r2' AND value = %u AND size = 4",
                               icount, word),
                     same);
    assert_int_equal(number_of(db,
                               "SELECT count(*) FROM state JOIN exec USING (icount) WHERE register = 'pc' AND "
                               "state.value = exec.pc AND state.icount = %" G_GUINT64_FORMAT,
                               icount),
                     same);
    assert_int_equal(number_of(db, "SELECT min(length(value)) FROM state WHERE register = 'r6'"), 300);
    assert_int_equal(number_of(db, "SELECT count(*) FROM state('main') WHERE stores IS NULL"), 0);
    assert_int_equal(number_of(db, "SELECT count(*) FROM (SELECT icount, lag(icount) OVER () AS b FROM state WHERE "
                                   "register = 'pc' ORDER BY icount) WHERE b > icount"),
                     0);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers), cmocka_unit_test(test_register_bounds), cmocka_unit_test(test_in_memory),
        cmocka_unit_test(test_codec),     cmocka_unit_test(test_malformed),       cmocka_unit_test(test_reading),
        cmocka_unit_test(test_verify),    cmocka_unit_test(test_misplaced),       cmocka_unit_test(test_sql),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
