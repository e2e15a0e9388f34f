/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/writer_internal.h"

#include "store/codec/codec.h"
#include "store/codec/codec_access.h"
#include "store/codec/codec_sample.h"
#include "store/codec/varint.h"
#include "store/error.h"
#include "store/new_file.h"
#include "store/schema.h"
#include "store/store_internal.h"
#include "store/summary.h"
#include "store/symbols.h"
#include "store/texts.h"
#include "store/trace.h"

#include <fcntl.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#define BUSY_MS 1000
#define POLL_MS 20

enum statement {
    BEGIN,
    COMMIT,
    ADD_BLOCK,
    ADD_TEXTS,
    ADD_CHUNK,
    ADD_EVENT,
    ADD_CHECKPOINT,
    ADD_REGISTER,
    ADD_MEM,
    ADD_DEVICE,
    ADD_REGION,
    ADD_SAMPLES,
    ADD_NOTE,
    ADD_FILE,
    ADD_SYMBOL,
    FORGET_SYMBOLS,
    SET_RUN,
    SET_LOGGED,
    FIND_CHUNK,
    DROP_CHECKPOINTS,
    LIST_EVENTS,
    CHANGE_EVENT,
    REMOVE_EVENT,
    STATEMENTS,
};

static const char *const statement_sql[STATEMENTS] = {
    [BEGIN] = "BEGIN",
    [COMMIT] = "COMMIT",
    [ADD_BLOCK] = "INSERT INTO block VALUES(?,?,?,?,?,?,?)",
    [ADD_TEXTS] = "INSERT INTO block_text VALUES(?,?,?,?)",
    [ADD_CHUNK] = "INSERT OR REPLACE INTO chunk VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ADD_EVENT] = "INSERT INTO event VALUES(NULL,?,?,?,?,?,?,?,?,?,?)",
    [ADD_CHECKPOINT] = "INSERT INTO checkpoint VALUES(?,?)",
    [ADD_REGISTER] = "INSERT INTO register VALUES(?,?,?,?)",
    [ADD_MEM] = "INSERT OR REPLACE INTO mem_chunk VALUES(?,?,?,?,?)",
    [ADD_DEVICE] = "INSERT INTO device VALUES(?,?)",
    [ADD_REGION] = "INSERT INTO region VALUES(?,?,?,?)",
    [ADD_SAMPLES] = "INSERT OR REPLACE INTO sample VALUES(?,?,?,?,?,?)",
    [ADD_NOTE] = "INSERT INTO note VALUES(NULL,?)",
    [ADD_FILE] = "INSERT OR REPLACE INTO guest_file VALUES(?,?,?)",
    [ADD_SYMBOL] = "INSERT INTO symbol VALUES(?,?,?,?,?,?)",
    [FORGET_SYMBOLS] = "DELETE FROM symbol",
    [SET_RUN] =
        "INSERT OR REPLACE INTO run VALUES(1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
        "?)",
    [SET_LOGGED] = "UPDATE run SET logged = ?",
    [FIND_CHUNK] = "SELECT id FROM chunk WHERE first_seq <= ?1 AND first_seq + execs > ?1"
                   " ORDER BY first_seq DESC, id DESC LIMIT 1",
    [DROP_CHECKPOINTS] = "DELETE FROM checkpoint WHERE icount > ?1",
    [LIST_EVENTS] = "SELECT id, seq, icount, kind, source, from_pc FROM event WHERE source <> 'qemu' OR seq >= ?1"
                    " ORDER BY id",
    [CHANGE_EVENT] = "UPDATE event SET icount = ?2, kind = ?3, source = ?4, from_pc = ?5 WHERE id = ?1",
    [REMOVE_EVENT] = "DELETE FROM event WHERE id = ?1",
};

struct tcgrr_writer {
    char *path;
    int replaced; /* -1, or the file that had the name before */
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct tcgrr_codec *codec;
    struct tcgrr_access_codec *access_codec;
    struct tcgrr_page_set pages; /* of one chunk's accesses */
    GByteArray *data;
    GByteArray *partials;
    GByteArray *switches;
    GByteArray *scratch;
    GByteArray *summary;
    GArray *counts; /* of executions by block, zero between two chunks */
    GArray *uses;
    uint32_t blocks;    /* stored so far */
    uint32_t registers; /* stored so far */
    int64_t chunks;
    bool in_transaction;
    struct tcgrr_writer_sizes sizes;
};

bool tcgrr_writer_fail(const struct tcgrr_writer *writer, const char *what, GError **error)
{
    int code = sqlite3_extended_errcode(writer->db);
    const char *hint = (code & 0xff) == SQLITE_FULL    ? "; free some space, what was committed is kept"
                       : (code & 0xff) == SQLITE_IOERR ? "; the disk may be full, what was committed is kept"
                                                       : "";
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot %s in %s: %s%s", what, writer->path,
                sqlite3_errmsg(writer->db), hint);
    return false;
}

/* Runs a bound statement that returns no rows. */
static bool step(struct tcgrr_writer *writer, enum statement which, const char *what, GError **error)
{
    sqlite3_stmt *statement = writer->statements[which];
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    if (!done) {
        tcgrr_writer_fail(writer, what, error);
    }
    sqlite3_reset(statement);
    return done;
}

static bool begin(struct tcgrr_writer *writer, GError **error)
{
    if (!writer->in_transaction) {
        writer->in_transaction = step(writer, BEGIN, "begin a transaction", error);
    }
    return writer->in_transaction;
}

static void bind_blob(sqlite3_stmt *statement, int index, const GByteArray *bytes)
{
    sqlite3_bind_blob64(statement, index, bytes->data ? bytes->data : (const guint8 *)"", bytes->len, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    if (text) {
        sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
    } else {
        sqlite3_bind_null(statement, index);
    }
}

/* A number below 0 is not known. */
static void bind_known(sqlite3_stmt *statement, int index, int64_t number)
{
    if (number >= 0) {
        sqlite3_bind_int64(statement, index, number);
    } else {
        sqlite3_bind_null(statement, index);
    }
}

sqlite3 *tcgrr_writer_begin_transaction(struct tcgrr_writer *writer, GError **error)
{
    return begin(writer, error) ? writer->db : NULL;
}

static bool execute(struct tcgrr_writer *writer, const char *sql, const char *what, GError **error)
{
    return sqlite3_exec(writer->db, sql, NULL, NULL, NULL) == SQLITE_OK || tcgrr_writer_fail(writer, what, error);
}

static void close_replaced(int *replaced)
{
    if (*replaced >= 0) {
        close(*replaced);
        *replaced = -1;
    }
}

static bool prepare_statements(struct tcgrr_writer *writer, GError **error)
{
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(writer->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &writer->statements[i],
                               NULL) != SQLITE_OK) {
            return tcgrr_writer_fail(writer, "prepare a statement", error);
        }
    }
    return true;
}

static void close_database(struct tcgrr_writer *writer)
{
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(writer->statements[i]);
        writer->statements[i] = NULL;
    }
    sqlite3_close(writer->db);
    writer->db = NULL;
}

static bool open_database(struct tcgrr_writer *writer, const char *path, GError **error)
{
    bool opened = sqlite3_open_v2(path, &writer->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;

    /* Readers lock the trace for moments: the first one to open it, and each one when it closes it. */
    return (opened && sqlite3_busy_timeout(writer->db, BUSY_MS) == SQLITE_OK) ||
           tcgrr_writer_fail(writer, "open a database", error);
}

/* Memory accesses are many and in large blobs, which take fewer calls to write on large pages. */
static bool make_tables(struct tcgrr_writer *writer, const struct tcgrr_run *run, GError **error)
{
    int page_size = g_strcmp0(run->level, "full") == 0 ? 32768 : 4096;
    g_autofree char *setup = g_strdup_printf("PRAGMA page_size=%d; PRAGMA application_id=%d; PRAGMA user_version=%d",
                                             page_size, TCGRR_TRACE_APPLICATION_ID, TCGRR_TRACE_VERSION);
    return execute(writer, setup, "set up the trace", error) &&
           execute(writer, TCGRR_TRACE_SCHEMA, "create the tables", error) && prepare_statements(writer, error) &&
           tcgrr_writer_run(writer, run, error) && tcgrr_writer_commit(writer, error);
}

/*
 * The trace before anything ran is made in memory, so that a file with the trace's name has all its tables from the
 * first moment on, whatever is killed. It is in WAL mode, which bytes 18 and 19 of a database say
 * (https://sqlite.org/fileformat2.html#file_format_version_numbers).
 */
static bool make_file(struct tcgrr_writer *writer, bool force, const struct tcgrr_run *run, GError **error)
{
    sqlite3_int64 size = 0;

    if (!open_database(writer, ":memory:", error) || !make_tables(writer, run, error)) {
        return false;
    }
    unsigned char *image = sqlite3_serialize(writer->db, "main", &size, 0);
    if (!image || size < 20) {
        return tcgrr_writer_fail(writer, "create the tables", error);
    }
    image[18] = image[19] = 2;
    bool good = tcgrr_new_file(writer->path, force, image, (size_t)size, &writer->replaced, error);
    sqlite3_free(image);
    close_database(writer);
    return good;
}

struct tcgrr_writer *tcgrr_writer_create(const char *path, bool force, const struct tcgrr_run *run, GError **error)
{
    struct tcgrr_writer *writer = g_new0(struct tcgrr_writer, 1);
    writer->replaced = -1;
    writer->path = g_strdup(path);
    writer->codec = tcgrr_codec_new();
    writer->access_codec = tcgrr_access_codec_new();
    tcgrr_page_set_init(&writer->pages);
    writer->data = g_byte_array_new();
    writer->partials = g_byte_array_new();
    writer->switches = g_byte_array_new();
    writer->scratch = g_byte_array_new();
    writer->summary = g_byte_array_new();
    writer->counts = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    writer->uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use));
    if (!make_file(writer, force, run, error)) {
        tcgrr_writer_free(writer);
        return NULL;
    }
    if (!open_database(writer, path, error) ||
        !execute(writer, "PRAGMA synchronous=OFF; PRAGMA cache_size=-8192", "set up the trace", error) ||
        !prepare_statements(writer, error)) {
        tcgrr_writer_free(writer);
        unlink(path);
        return NULL;
    }
    return writer;
}

void tcgrr_writer_free(struct tcgrr_writer *writer)
{
    if (!writer) {
        return;
    }
    close_database(writer);
    close_replaced(&writer->replaced);
    tcgrr_codec_free(writer->codec);
    tcgrr_access_codec_free(writer->access_codec);
    tcgrr_page_set_free(&writer->pages);
    g_byte_array_unref(writer->data);
    g_byte_array_unref(writer->partials);
    g_byte_array_unref(writer->switches);
    g_byte_array_unref(writer->scratch);
    g_byte_array_unref(writer->summary);
    g_array_unref(writer->counts);
    g_array_unref(writer->uses);
    g_free(writer->path);
    g_free(writer);
}

bool tcgrr_writer_commit(struct tcgrr_writer *writer, GError **error)
{
    if (!writer->in_transaction) {
        return true;
    }
    writer->in_transaction = false;
    return step(writer, COMMIT, "commit", error);
}

bool tcgrr_writer_run(struct tcgrr_writer *writer, const struct tcgrr_run *run, GError **error)
{
    sqlite3_stmt *statement = writer->statements[SET_RUN];
    const char *texts[] = {run->tool_version, run->started, run->ended};
    int at = 1;

    if (!begin(writer, error)) {
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        bind_text(statement, at++, texts[i]);
    }
    sqlite3_bind_double(statement, at++, run->duration_s);
    const char *more[] = {run->host,      run->directory,    run->command,     run->original_command,
                          run->qemu_path, run->qemu_version, run->qemu_banner, run->qemu_build_id,
                          run->target,    run->mode};
    for (size_t i = 0; i < G_N_ELEMENTS(more); i++) {
        bind_text(statement, at++, more[i]);
    }
    sqlite3_bind_int(statement, at++, run->api_version);
    sqlite3_bind_int(statement, at++, run->rr);
    bind_text(statement, at++, run->icount_shift);
    sqlite3_bind_int64(statement, at++, run->vcpus);
    sqlite3_bind_int(statement, at++, run->reports_discontinuities);
    bind_text(statement, at++, run->level);
    bind_text(statement, at++, run->exit);
    sqlite3_bind_int(statement, at++, run->guest_shutdown);
    sqlite3_bind_int(statement, at++, run->complete);
    sqlite3_bind_int64(statement, at++, (sqlite3_int64)run->icount);
    bind_known(statement, at++, run->qemu_icount);
    sqlite3_bind_int64(statement, at++, (sqlite3_int64)run->execs);
    sqlite3_bind_int64(statement, at++, (sqlite3_int64)run->assumed);
    bind_known(statement, at++, run->decided);
    sqlite3_bind_int64(statement, at++, run->sample_step);
    if (run->has_sample_from) {
        sqlite3_bind_int64(statement, at++, (sqlite3_int64)run->sample_from);
    } else {
        sqlite3_bind_null(statement, at++);
    }
    bind_known(statement, at++, run->mem_from);
    bind_known(statement, at++, run->mem_until);
    sqlite3_bind_int64(statement, at++, (sqlite3_int64)run->tail);
    bind_text(statement, at++, run->output);
    sqlite3_bind_int64(statement, at++, (sqlite3_int64)run->logged);
    bind_text(statement, at++, run->auxv);
    sqlite3_bind_int(statement, at++, run->interrupted);
    return step(writer, SET_RUN, "store the run's description", error);
}

bool tcgrr_writer_logged(struct tcgrr_writer *writer, tcgrr_icount icount, GError **error)
{
    sqlite3_bind_int64(writer->statements[SET_LOGGED], 1, (sqlite3_int64)icount);
    return begin(writer, error) && step(writer, SET_LOGGED, "store how far the rr log reaches", error);
}

bool tcgrr_writer_note(struct tcgrr_writer *writer, const char *text, GError **error)
{
    bind_text(writer->statements[ADD_NOTE], 1, text);
    return begin(writer, error) && step(writer, ADD_NOTE, "store a note", error);
}

bool tcgrr_writer_guest_file(struct tcgrr_writer *writer, const char *path, uint64_t size, const char *xxh128,
                             GError **error)
{
    bind_text(writer->statements[ADD_FILE], 1, path);
    sqlite3_bind_int64(writer->statements[ADD_FILE], 2, (sqlite3_int64)size);
    bind_text(writer->statements[ADD_FILE], 3, xxh128);
    return begin(writer, error) && step(writer, ADD_FILE, "store a guest file's digest", error);
}

bool tcgrr_writer_symbol(struct tcgrr_writer *writer, const struct tcgrr_symbol *symbol, GError **error)
{
    sqlite3_stmt *statement = writer->statements[ADD_SYMBOL];
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)symbol->address);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)symbol->size);
    bind_text(statement, 3, symbol->name);
    bind_text(statement, 4, symbol->file);
    bind_known(statement, 5, symbol->limited ? symbol->since : UINT64_MAX);
    bind_known(statement, 6, symbol->limited ? symbol->until : UINT64_MAX);
    return begin(writer, error) && step(writer, ADD_SYMBOL, "store a symbol", error);
}

bool tcgrr_writer_forget_symbols(struct tcgrr_writer *writer, GError **error)
{
    return begin(writer, error) && step(writer, FORGET_SYMBOLS, "store symbols", error);
}

bool tcgrr_writer_region(struct tcgrr_writer *writer, uint64_t first, uint64_t last, const char *kind, const char *name,
                         GError **error)
{
    sqlite3_stmt *statement = writer->statements[ADD_REGION];
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)first);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)last);
    bind_text(statement, 3, kind);
    bind_text(statement, 4, name);
    return begin(writer, error) && step(writer, ADD_REGION, "store a part of the memory map", error);
}

static bool add_block(struct tcgrr_writer *writer, uint32_t number, const struct tcgrr_block *block, GError **error)
{
    sqlite3_stmt *statement = writer->statements[ADD_BLOCK];
    sqlite3_bind_int64(statement, 1, number);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)block->hash);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)block->pc);
    sqlite3_bind_int64(statement, 4, block->insns);
    sqlite3_bind_int64(statement, 5, block->size);
    sqlite3_bind_blob64(statement, 6, block->lengths, block->insns, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 7, block->bytes, block->size, SQLITE_STATIC);
    return step(writer, ADD_BLOCK, "store a block", error);
}

/* Of the blocks that come below `end`, which few targets have. */
static bool add_texts(struct tcgrr_writer *writer, const struct tcgrr_blocks *blocks, uint32_t end, GError **error)
{
    sqlite3_stmt *statement = writer->statements[ADD_TEXTS];
    uint32_t count;

    for (uint32_t first = writer->blocks; first < end; first += count) {
        count = tcgrr_texts_encode(blocks, first, end, writer->scratch, writer->data);
        if (writer->data->len == 0) {
            continue;
        }
        sqlite3_bind_int64(statement, 1, first);
        sqlite3_bind_int64(statement, 2, count);
        bind_blob(statement, 3, writer->data);
        sqlite3_bind_int64(statement, 4, (sqlite3_int64)XXH3_64bits(writer->data->data, writer->data->len));
        if (!step(writer, ADD_TEXTS, "store texts of blocks", error)) {
            return false;
        }
    }
    return true;
}

static char *arguments_json(const struct tcgrr_event *event)
{
    GString *text = g_string_new("[");
    for (int i = 0; i < 8; i++) {
        g_string_append_printf(text, "%s\"0x%" G_GINT64_MODIFIER "x\"", i ? "," : "", event->arguments[i]);
    }
    return g_string_free(g_string_append_c(text, ']'), FALSE);
}

static void bind_pc(sqlite3_stmt *statement, int index, const struct tcgrr_event *event, uint64_t pc)
{
    if (event->has_pcs && pc != TCGRR_NO_PC) {
        sqlite3_bind_int64(statement, index, (sqlite3_int64)pc);
    } else {
        sqlite3_bind_null(statement, index);
    }
}

static const char *source_of(const struct tcgrr_event *event)
{
    return event->confirmed ? "rr" : event->inferred ? "inferred" : "qemu";
}

static bool add_event(struct tcgrr_writer *writer, const struct tcgrr_event *event, GError **error)
{
    sqlite3_stmt *statement = writer->statements[ADD_EVENT];
    bool numbered = event->kind == TCGRR_EVENT_SYSCALL || event->kind == TCGRR_EVENT_SYSCALL_RETURN ||
                    (event->kind == TCGRR_EVENT_SIGNAL && event->number != 0);
    g_autofree char *arguments = event->kind == TCGRR_EVENT_SYSCALL ? arguments_json(event) : NULL;

    sqlite3_clear_bindings(statement);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)event->seq);
    bind_known(statement, 2, (int64_t)event->icount);
    sqlite3_bind_int64(statement, 3, event->vcpu);
    bind_text(statement, 4, tcgrr_event_name(event->kind));
    bind_text(statement, 5, source_of(event));
    bind_pc(statement, 6, event, event->from_pc);
    bind_pc(statement, 7, event, event->to_pc);
    if (numbered) {
        sqlite3_bind_int64(statement, 8, event->number);
    }
    bind_text(statement, 9, arguments);
    if (event->kind == TCGRR_EVENT_SYSCALL_RETURN) {
        sqlite3_bind_int64(statement, 10, event->result);
    }
    return step(writer, ADD_EVENT, "store an event", error);
}

/* The varints in writer->scratch after zstd; none make an empty blob. */
static void pack(struct tcgrr_writer *writer, GByteArray *out)
{
    const GByteArray *plain = writer->scratch;
    size_t bound = ZSTD_compressBound(plain->len);

    g_byte_array_set_size(out, plain->len ? (guint)bound : 0);
    if (plain->len) {
        g_byte_array_set_size(out, (guint)ZSTD_compress(out->data, bound, plain->data, plain->len, 1));
    }
}

/* For each: the distance of its index to the one before, `ran`, and by how much `counted` exceeds it. */
static void encode_partials(struct tcgrr_writer *writer, const GArray *partials)
{
    uint32_t before = 0;
    g_byte_array_set_size(writer->scratch, 0);
    for (guint i = 0; i < partials->len; i++) {
        const struct tcgrr_partial *partial = &g_array_index(partials, struct tcgrr_partial, i);
        tcgrr_varint_put(writer->scratch, partial->index - before);
        tcgrr_varint_put(writer->scratch, partial->ran);
        tcgrr_varint_put(writer->scratch, partial->counted - partial->ran);
        before = partial->index;
    }
    pack(writer, writer->partials);
}

/* For each: the distance of its index to the one before, and the vCPU. */
static void encode_switches(struct tcgrr_writer *writer, const GArray *switches)
{
    uint32_t before = 0;
    g_byte_array_set_size(writer->scratch, 0);
    for (guint i = 0; i < switches->len; i++) {
        const struct tcgrr_switch *change = &g_array_index(switches, struct tcgrr_switch, i);
        tcgrr_varint_put(writer->scratch, change->index - before);
        tcgrr_varint_put(writer->scratch, change->vcpu);
        before = change->index;
    }
    pack(writer, writer->switches);
}

static bool add_registers(struct tcgrr_writer *writer, const struct tcgrr_register_table *registers, GError **error)
{
    sqlite3_stmt *statement = writer->statements[ADD_REGISTER];

    for (; writer->registers < tcgrr_register_table_count(registers); writer->registers++) {
        const struct tcgrr_state_register *added = tcgrr_register_table_get(registers, writer->registers);
        sqlite3_bind_int64(statement, 1, writer->registers);
        bind_text(statement, 2, added->name);
        bind_text(statement, 3, added->feature);
        sqlite3_bind_int64(statement, 4, added->size);
        if (!step(writer, ADD_REGISTER, "store a register's name", error)) {
            return false;
        }
    }
    return true;
}

/* The samples of chunk `id`, if it has any. writer->data is written over. */
static bool put_samples(struct tcgrr_writer *writer, int64_t id, const struct tcgrr_chunk *chunk, GError **error)
{
    sqlite3_stmt *statement = writer->statements[ADD_SAMPLES];
    const GArray *list = chunk->samples->list;

    if (list->len == 0) {
        return true;
    }
    struct tcgrr_sample_row row = {
        .chunk = (uint64_t)id,
        .samples = list->len,
        .first_icount = g_array_index(list, struct tcgrr_sample, 0).icount,
        .last_icount = g_array_index(list, struct tcgrr_sample, list->len - 1).icount,
    };
    tcgrr_samples_encode(chunk->samples, chunk->first_icount, writer->scratch, writer->data);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)row.chunk);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)row.samples);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)row.first_icount);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)row.last_icount);
    bind_blob(statement, 5, writer->data);
    sqlite3_bind_int64(statement, 6,
                       (sqlite3_int64)tcgrr_sample_row_digest(&row, writer->data->data, writer->data->len));
    writer->sizes.samples += writer->data->len;
    return add_registers(writer, chunk->samples->registers, error) &&
           step(writer, ADD_SAMPLES, "store the samples of a chunk", error);
}

/* The memory accesses of chunk `id`, and the devices that they are the first to go to. writer->data is written over. */
static bool put_accesses(struct tcgrr_writer *writer, int64_t id, const struct tcgrr_chunk *chunk, GError **error)
{
    sqlite3_stmt *statement = writer->statements[ADD_MEM];
    guint count = chunk->accesses->len;

    for (guint i = 0; i < chunk->devices->len; i++) {
        const struct tcgrr_device *device = &g_array_index(chunk->devices, struct tcgrr_device, i);
        sqlite3_bind_int64(writer->statements[ADD_DEVICE], 1, device->number);
        bind_text(writer->statements[ADD_DEVICE], 2, device->name);
        if (!step(writer, ADD_DEVICE, "store a device's name", error)) {
            return false;
        }
    }
    if (count == 0) {
        return true;
    }
    g_byte_array_set_size(writer->data, 0);
    tcgrr_access_encode(writer->access_codec, chunk, &writer->pages, writer->data);
    tcgrr_pages_encode(tcgrr_page_set_sort(&writer->pages), writer->scratch, writer->summary);
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, count);
    bind_blob(statement, 3, writer->summary);
    bind_blob(statement, 4, writer->data);
    sqlite3_bind_int64(statement, 5,
                       (sqlite3_int64)tcgrr_mem_row_digest((uint64_t)id, count, writer->data->data, writer->data->len));
    writer->sizes.mem += writer->data->len + writer->summary->len;
    return step(writer, ADD_MEM, "store the memory accesses of a chunk", error);
}

static bool put_chunk(struct tcgrr_writer *writer, int64_t id, const struct tcgrr_chunk *chunk,
                      const struct tcgrr_blocks *blocks, GError **error)
{
    sqlite3_stmt *statement = writer->statements[ADD_CHUNK];
    struct tcgrr_chunk_row row = {
        .id = (uint64_t)id,
        .first_seq = chunk->first_seq,
        .execs = chunk->count,
        .first_icount = chunk->first_icount,
        .insns = chunk->end_icount - chunk->first_icount,
        .vcpu = chunk->vcpu,
        .first_flow = chunk->first_flow,
        .end_flow = chunk->end_flow,
        .codec = TCGRR_TRACE_CODEC,
    };
    g_byte_array_set_size(writer->data, 0);
    tcgrr_codec_encode(writer->codec, chunk->blocks, chunk->count, writer->data);
    encode_partials(writer, chunk->partials);
    encode_switches(writer, chunk->switches);
    tcgrr_summary_collect(chunk, blocks, writer->counts, writer->uses);
    tcgrr_summary_encode(writer->uses, writer->scratch, writer->summary);
    uint64_t digest = tcgrr_chunk_row_digest(&row, writer->data->data, writer->data->len, writer->partials->data,
                                             writer->partials->len, writer->switches->data, writer->switches->len);
    const uint64_t numbers[] = {row.id,   row.first_seq,  row.execs,    row.first_icount, row.insns,
                                row.vcpu, row.first_flow, row.end_flow, row.codec};
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        sqlite3_bind_int64(statement, (int)i + 1, (sqlite3_int64)numbers[i]);
    }
    bind_blob(statement, 10, writer->data);
    bind_blob(statement, 11, writer->partials);
    bind_blob(statement, 12, writer->switches);
    sqlite3_bind_int64(statement, 13, (sqlite3_int64)digest);
    bind_blob(statement, 14, writer->summary);
    return step(writer, ADD_CHUNK, "store a chunk", error);
}

static bool add_chunk(struct tcgrr_writer *writer, const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks,
                      GError **error)
{
    if (!put_accesses(writer, writer->chunks, chunk, error) ||
        !put_chunk(writer, writer->chunks, chunk, blocks, error)) {
        return false;
    }
    writer->sizes.execs += writer->data->len;
    writer->sizes.sides += writer->partials->len + writer->switches->len + writer->summary->len;
    writer->sizes.chunks++;
    writer->chunks++;
    return put_samples(writer, writer->chunks - 1, chunk, error);
}

static bool add_checkpoints(struct tcgrr_writer *writer, const struct tcgrr_chunk *chunk, GError **error)
{
    for (guint i = 0; i < chunk->checkpoints->len; i++) {
        const struct tcgrr_checkpoint *checkpoint = &g_array_index(chunk->checkpoints, struct tcgrr_checkpoint, i);
        sqlite3_bind_int64(writer->statements[ADD_CHECKPOINT], 1, (sqlite3_int64)checkpoint->icount);
        sqlite3_bind_int64(writer->statements[ADD_CHECKPOINT], 2, (sqlite3_int64)checkpoint->flow);
        if (!step(writer, ADD_CHECKPOINT, "store a checkpoint", error)) {
            return false;
        }
    }
    return true;
}

bool tcgrr_writer_chunk(struct tcgrr_writer *writer, const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks,
                        GError **error)
{
    close_replaced(&writer->replaced);
    if (!begin(writer, error)) {
        return false;
    }
    if (!add_texts(writer, blocks, chunk->end_blocks, error)) {
        return false;
    }
    for (; writer->blocks < chunk->end_blocks; writer->blocks++) {
        if (!add_block(writer, writer->blocks, tcgrr_blocks_get(blocks, writer->blocks), error)) {
            return false;
        }
    }
    for (guint i = 0; i < chunk->events->len; i++) {
        if (!add_event(writer, &g_array_index(chunk->events, struct tcgrr_event, i), error)) {
            return false;
        }
    }
    return add_checkpoints(writer, chunk, error) && (chunk->count == 0 || add_chunk(writer, chunk, blocks, error));
}

/* ---- changing what was stored ---- */

int64_t tcgrr_writer_chunk_of(struct tcgrr_writer *writer, tcgrr_seq seq, GError **error)
{
    sqlite3_stmt *statement = writer->statements[FIND_CHUNK];
    int64_t id = -1;

    sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    int status = sqlite3_step(statement);
    if (status == SQLITE_ROW) {
        id = sqlite3_column_int64(statement, 0);
    } else if (status != SQLITE_DONE) {
        tcgrr_writer_fail(writer, "find a chunk", error);
    } else {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s has no execution %" G_GUINT64_FORMAT, writer->path,
                    seq);
    }
    sqlite3_reset(statement);
    return id;
}

bool tcgrr_writer_replace(struct tcgrr_writer *writer, int64_t id, const struct tcgrr_chunk *chunk,
                          const struct tcgrr_blocks *blocks, GError **error)
{
    return begin(writer, error) && add_checkpoints(writer, chunk, error) &&
           put_chunk(writer, id, chunk, blocks, error) && put_samples(writer, id, chunk, error);
}

/* Removes what belongs to chunk `id` and all after it, and the events that came after `chunk`. */
static bool remove_rest(struct tcgrr_writer *writer, int64_t id, const struct tcgrr_chunk *chunk, GError **error)
{
    g_autofree char *sql = g_strdup_printf(
        "DELETE FROM chunk WHERE id >= %" G_GINT64_FORMAT "; DELETE FROM sample WHERE chunk >= %" G_GINT64_FORMAT
        "; DELETE FROM mem_chunk WHERE chunk >= %" G_GINT64_FORMAT
        "; DELETE FROM event WHERE icount > %" G_GUINT64_FORMAT " OR seq > %" G_GUINT64_FORMAT,
        id, id, id, chunk->end_icount, chunk->first_seq + chunk->count);
    return execute(writer, sql, "remove what ran after the end", error);
}

bool tcgrr_writer_cut(struct tcgrr_writer *writer, int64_t id, const struct tcgrr_chunk *chunk,
                      const struct tcgrr_blocks *blocks, GError **error)
{
    writer->chunks = id + 1;
    return tcgrr_writer_drop_checkpoints(writer, chunk->first_icount, error) && remove_rest(writer, id, chunk, error) &&
           add_checkpoints(writer, chunk, error) && put_accesses(writer, id, chunk, error) &&
           put_chunk(writer, id, chunk, blocks, error) && put_samples(writer, id, chunk, error);
}

bool tcgrr_writer_drop_checkpoints(struct tcgrr_writer *writer, tcgrr_icount icount, GError **error)
{
    sqlite3_bind_int64(writer->statements[DROP_CHECKPOINTS], 1, (sqlite3_int64)icount);
    return begin(writer, error) && step(writer, DROP_CHECKPOINTS, "remove checkpoints", error);
}

static void load_event(sqlite3_stmt *statement, struct tcgrr_event *event)
{
    const char *source = (const char *)sqlite3_column_text(statement, 4);
    *event = (struct tcgrr_event){
        .seq = (uint64_t)sqlite3_column_int64(statement, 1),
        .icount = sqlite3_column_type(statement, 2) == SQLITE_NULL ? TCGRR_NO_ICOUNT
                                                                   : (uint64_t)sqlite3_column_int64(statement, 2),
        .inferred = source && strcmp(source, "qemu") != 0,
        .confirmed = source && strcmp(source, "rr") == 0,
        .has_pcs = sqlite3_column_type(statement, 5) != SQLITE_NULL,
        .from_pc = (uint64_t)sqlite3_column_int64(statement, 5),
    };
    tcgrr_event_kind_of((const char *)sqlite3_column_text(statement, 3), &event->kind);
}

static bool change_event(struct tcgrr_writer *writer, int64_t id, enum tcgrr_event_change what,
                         const struct tcgrr_event *event, GError **error)
{
    sqlite3_stmt *statement = writer->statements[CHANGE_EVENT];

    if (what == TCGRR_EVENT_KEEP) {
        return true;
    }
    if (what == TCGRR_EVENT_REMOVE) {
        sqlite3_bind_int64(writer->statements[REMOVE_EVENT], 1, id);
        return step(writer, REMOVE_EVENT, "remove an event", error);
    }
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)event->icount);
    bind_text(statement, 3, tcgrr_event_name(event->kind));
    bind_text(statement, 4, source_of(event));
    bind_pc(statement, 5, event, event->from_pc);
    return step(writer, CHANGE_EVENT, "change an event", error);
}

bool tcgrr_writer_change_events(struct tcgrr_writer *writer, tcgrr_seq first,
                                enum tcgrr_event_change (*change)(struct tcgrr_event *event, void *data), void *data,
                                GError **error)
{
    sqlite3_stmt *statement = writer->statements[LIST_EVENTS];
    struct tcgrr_event event;
    bool good = begin(writer, error);
    int status = SQLITE_DONE;

    /* The list is ordered by ids, which do not change; SQLite allows deleting the current row. */
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)MIN(first, (tcgrr_seq)INT64_MAX));
    while (good && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        load_event(statement, &event);
        enum tcgrr_event_change what = change(&event, data);
        good = change_event(writer, sqlite3_column_int64(statement, 0), what, &event, error);
    }
    if (good && status != SQLITE_DONE) {
        good = tcgrr_writer_fail(writer, "list the events", error);
    }
    sqlite3_reset(statement);
    return good;
}

bool tcgrr_writer_insert_events(struct tcgrr_writer *writer, const GArray *events, GError **error)
{
    /* New ones come first among those of the same seq; negative numbers are not in use. */
    static const char renumber[] =
        "UPDATE event SET id = -place FROM (SELECT id AS old, row_number() OVER (ORDER BY seq, id <= %" G_GINT64_FORMAT
        ", id) AS place FROM event) WHERE id = old; UPDATE event SET id = -id";
    g_autofree char *sql = NULL;

    if (events->len == 0) {
        return true;
    }
    for (guint i = 0; i < events->len; i++) {
        if (!begin(writer, error) || !add_event(writer, &g_array_index(events, struct tcgrr_event, i), error)) {
            return false;
        }
        if (i == 0) {
            sql = g_strdup_printf(renumber, (gint64)sqlite3_last_insert_rowid(writer->db) - 1);
        }
    }
    return execute(writer, sql, "put events in order", error);
}

/* ---- the end ---- */

void tcgrr_writer_sizes(const struct tcgrr_writer *writer, struct tcgrr_writer_sizes *sizes)
{
    *sizes = writer->sizes;
}

/* Leaving WAL mode changes one page. If its journal were a file, a process that is killed now would leave one that a
 * read-only reader could not roll back. *open: another process keeps the trace open. */
static bool fold_journal(struct tcgrr_writer *writer, bool *open, GError **error)
{
    int status;

    /* SQLite does not wait for this lock on its own. */
    for (int waited = 0;
         (status = sqlite3_exec(writer->db, "PRAGMA journal_mode=MEMORY", NULL, NULL, NULL)) == SQLITE_BUSY &&
         waited < BUSY_MS;
         waited += POLL_MS) {
        g_usleep(POLL_MS * 1000);
    }
    *open = status == SQLITE_BUSY;
    return status == SQLITE_OK || *open || tcgrr_writer_fail(writer, "fold the journal", error);
}

/* Replaces the trace by a copy; processes that have it open keep the old file. */
static bool replace_by_copy(struct tcgrr_writer *writer, GError **error)
{
    g_autofree char *part = g_strconcat(writer->path, ".part", NULL);
    char *copy = sqlite3_mprintf("VACUUM INTO %Q", part);

    unlink(part);
    bool good = execute(writer, copy, "copy the trace, which another program has open,", error);
    sqlite3_free(copy);
    if (good) {
        /* So that a kill before the rename loses nothing with the journal, unless a reader is in a transaction. */
        sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        tcgrr_remove_leftovers(writer->path);
        good = rename(part, writer->path) == 0 || tcgrr_writer_fail(writer, "replace the trace", error);
    }
    if (!good) {
        unlink(part);
    }
    return good;
}

bool tcgrr_writer_finish(struct tcgrr_writer *writer, GError **error)
{
    bool open = false;

    if (!tcgrr_writer_commit(writer, error) || !fold_journal(writer, &open, error) ||
        (open && !replace_by_copy(writer, error))) {
        return false;
    }
    close_database(writer);
    return tcgrr_seal_write(writer->path, error);
}
