/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/reader_internal.h"

#include "store/codec/codec.h"
#include "store/codec/varint.h"
#include "store/error.h"
#include "store/inputs.h"
#include "store/isa/disasm.h"
#include "store/schema.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#define SAMPLES                                                                                                        \
    "SELECT sample.*, chunk.execs, chunk.first_icount FROM \"%w\".sample JOIN \"%w\".chunk ON chunk.id = "             \
    "sample.chunk "                                                                                                    \
    "WHERE "

/* Every %w is the schema. */
static const char *const query_sql[TCGRR_QUERIES] = {
    [TCGRR_QUERY_CHUNK_AT] =
        "SELECT * FROM \"%w\".chunk WHERE first_icount <= ?1 ORDER BY first_icount DESC, id DESC LIMIT 1",
    [TCGRR_QUERY_CHUNK] = "SELECT * FROM \"%w\".chunk WHERE id = ?1",
    [TCGRR_QUERY_CHUNK_SUMMARY] = "SELECT blocks FROM \"%w\".chunk WHERE id = ?1",
    [TCGRR_QUERY_ID_OF_ICOUNT] =
        "SELECT id FROM \"%w\".chunk WHERE first_icount < ?1 ORDER BY first_icount DESC, id DESC LIMIT 1",
    [TCGRR_QUERY_ID_OF_SEQ] =
        "SELECT id FROM \"%w\".chunk WHERE first_seq <= ?1 ORDER BY first_seq DESC, id DESC LIMIT 1",
    [TCGRR_QUERY_BLOCKS] = "SELECT * FROM \"%w\".block ORDER BY id",
    [TCGRR_QUERY_BLOCK] = "SELECT * FROM \"%w\".block WHERE id = ?1",
    [TCGRR_QUERY_BLOCK_LIMIT] = "SELECT max(id) + 1 FROM \"%w\".block",
    [TCGRR_QUERY_TEXTS] = "SELECT * FROM \"%w\".block_text ORDER BY first",
    [TCGRR_QUERY_TEXT_OF] = "SELECT * FROM \"%w\".block_text WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
    [TCGRR_QUERY_EVENTS] = ("SELECT seq, icount, vcpu, kind, source, from_pc, to_pc, number, arguments, result"
                            " FROM \"%w\".event WHERE icount BETWEEN ?1 AND ?2 ORDER BY icount, id"),
    [TCGRR_QUERY_CHECKPOINT] = "SELECT flow FROM \"%w\".checkpoint WHERE icount = ?1",
    [TCGRR_QUERY_REGISTERS] = "SELECT id, name, feature, size FROM \"%w\".register ORDER BY id",
    [TCGRR_QUERY_SAMPLES_FROM] = SAMPLES "last_icount >= ?1 ORDER BY last_icount, sample.chunk LIMIT 1",
    [TCGRR_QUERY_SAMPLES_AFTER] = SAMPLES "sample.chunk > ?1 ORDER BY sample.chunk LIMIT 1",
    [TCGRR_QUERY_SAMPLES_OF] = SAMPLES "sample.chunk = ?1",
    [TCGRR_QUERY_SAMPLES_BEFORE] = SAMPLES "sample.first_icount <= ?1 ORDER BY sample.chunk DESC LIMIT 1",
    [TCGRR_QUERY_MEM] = "SELECT accesses, data, digest FROM \"%w\".mem_chunk WHERE chunk = ?1",
    [TCGRR_QUERY_MEM_PAGES] = "SELECT pages FROM \"%w\".chunk LEFT JOIN \"%w\".mem_chunk ON chunk = id WHERE id = ?1",
    [TCGRR_QUERY_DEVICES] = "SELECT id, name FROM \"%w\".device ORDER BY id",
    [TCGRR_QUERY_REGIONS] = "SELECT first, last, name FROM \"%w\".region ORDER BY rowid",
    [TCGRR_QUERY_SYMBOLS] = "SELECT * FROM \"%w\".symbol ORDER BY address, size, rowid",
};

bool tcgrr_reader_fail(struct tcgrr_reader *reader, const char *what, GError **error)
{
    int code = sqlite3_errcode(reader->db);
    if (code == SQLITE_INTERRUPT) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
        return false;
    }
    g_set_error(error, TCGRR_ERROR,
                code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? TCGRR_ERROR_DAMAGED : TCGRR_ERROR_FAILED,
                "cannot read %s of %s: %s", what, reader->path, sqlite3_errmsg(reader->db));
    return false;
}

bool tcgrr_reader_damaged(struct tcgrr_reader *reader, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "%s is damaged: %s", reader->path, what);
    return false;
}

bool tcgrr_reader_fits(sqlite3_stmt *row, int column, uint64_t most)
{
    int type = sqlite3_column_type(row, column);
    sqlite3_int64 number = sqlite3_column_int64(row, column);
    return type == SQLITE_NULL || (type == SQLITE_INTEGER && number >= 0 && (uint64_t)number <= most);
}

/* ---- opening ---- */

sqlite3_stmt *tcgrr_reader_prepare(struct tcgrr_reader *reader, const char *format, unsigned flags)
{
    sqlite3_stmt *statement = NULL;
    char *sql = sqlite3_mprintf(format, reader->schema, reader->schema);
    if (!sql) {
        g_error("out of memory for SQL");
    }
    sqlite3_prepare_v3(reader->db, sql, -1, flags, &statement, NULL);
    sqlite3_free(sql);
    return statement;
}

static bool pragma_is(struct tcgrr_reader *reader, const char *sql, int *value)
{
    sqlite3_stmt *statement = tcgrr_reader_prepare(reader, sql, 0);
    bool good = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (good) {
        *value = sqlite3_column_int(statement, 0);
    }
    sqlite3_finalize(statement);
    return good;
}

bool tcgrr_reader_check_identity(struct tcgrr_reader *reader, GError **error)
{
    int application = 0;
    int version = 0;

    if (!pragma_is(reader, "PRAGMA \"%w\".application_id", &application) ||
        !pragma_is(reader, "PRAGMA \"%w\".user_version", &version)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "%s is not a tcgrr trace: %s", reader->path,
                    sqlite3_errmsg(reader->db));
        return false;
    }
    if (application != TCGRR_TRACE_APPLICATION_ID) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "%s is an SQLite database but not a tcgrr trace",
                    reader->path);
        return false;
    }
    if (version != TCGRR_TRACE_VERSION) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s has trace format %d, this tcgrr reads format %d; use the tcgrr that recorded it", reader->path,
                    version, TCGRR_TRACE_VERSION);
        return false;
    }
    return true;
}

sqlite3_stmt *tcgrr_reader_query(struct tcgrr_reader *reader, enum tcgrr_reader_query which, GError **error)
{
    if (!reader->queries[which]) {
        reader->queries[which] = tcgrr_reader_prepare(reader, query_sql[which], SQLITE_PREPARE_PERSISTENT);
        if (!reader->queries[which]) {
            tcgrr_reader_fail(reader, "the tables", error);
        }
    }
    return reader->queries[which];
}

void tcgrr_reader_finalize(struct tcgrr_reader *reader)
{
    for (int i = 0; i < TCGRR_QUERIES; i++) {
        sqlite3_finalize(reader->queries[i]);
        reader->queries[i] = NULL;
    }
}

static bool prepare(struct tcgrr_reader *reader, GError **error)
{
    for (int i = 0; i < TCGRR_QUERIES; i++) {
        if (!tcgrr_reader_query(reader, i, error)) {
            return false;
        }
    }
    return true;
}

struct tcgrr_reader *tcgrr_reader_new(const char *path, const char *schema)
{
    struct tcgrr_reader *reader = g_new0(struct tcgrr_reader, 1);
    reader->path = g_strdup(path);
    reader->schema = g_strdup(schema);
    reader->texts = g_string_chunk_new(1024);
    reader->codec = tcgrr_codec_new();
    reader->scratch = g_byte_array_new();
    return reader;
}

struct tcgrr_reader *tcgrr_reader_open(const char *path, GError **error)
{
    const struct tcgrr_pinned *pinned;
    struct stat status;
    if (stat(path, &status) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot open %s: %s", path, g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) { // SQLite calls a folder an I/O error, and waits for who writes to a pipe
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s is %s, not a trace", path,
                    S_ISDIR(status.st_mode) ? "a directory" : "a device, pipe or socket");
        return NULL;
    }
    struct tcgrr_reader *reader = tcgrr_reader_new(path, "main");
    bool opened = sqlite3_open_v2(path, &reader->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;
    if (opened) {
        sqlite3_exec(reader->db, "PRAGMA trusted_schema=OFF; PRAGMA query_only=ON;", NULL, NULL, NULL);
        sqlite3_limit(reader->db, SQLITE_LIMIT_LENGTH, 64 << 20);
        sqlite3_busy_timeout(reader->db, 5000);
    }
    if ((!opened && !tcgrr_reader_fail(reader, "anything", error)) || !tcgrr_reader_check_identity(reader, error) ||
        !tcgrr_reader_read_run(reader, error) || !prepare(reader, error) ||
        !tcgrr_reader_pinned(reader, &pinned,
                             error)) { /* read now, so that an error is not mistaken for an unpinned machine later */
        tcgrr_reader_free(reader);
        return NULL;
    }
    return reader;
}

void tcgrr_reader_free(struct tcgrr_reader *reader)
{
    if (!reader) {
        return;
    }
    tcgrr_reader_finalize(reader);
    if (!reader->borrowed) {
        sqlite3_close(reader->db);
    }
    tcgrr_blocks_free(reader->blocks);
    tcgrr_register_table_unref(reader->registers);
    tcgrr_codec_free(reader->codec);
    tcgrr_reader_free_accesses(reader);
    g_byte_array_unref(reader->scratch);
    g_string_chunk_free(reader->texts);
    g_free(reader->path);
    g_free(reader->schema);
    g_free(reader);
}

const struct tcgrr_run *tcgrr_reader_run(const struct tcgrr_reader *reader)
{
    return &reader->run;
}

const char *tcgrr_reader_path(const struct tcgrr_reader *reader)
{
    return reader->path;
}

/* ---- blocks ---- */

bool tcgrr_reader_load_block(struct tcgrr_reader *reader, sqlite3_stmt *statement, GError **error)
{
    sqlite3_int64 id = sqlite3_column_int64(statement, 0);
    uint64_t pc = (uint64_t)sqlite3_column_int64(statement, 2);
    const uint8_t *lengths = sqlite3_column_blob(statement, 5);
    const uint8_t *bytes = sqlite3_column_blob(statement, 6);
    int insns = sqlite3_column_bytes(statement, 5);
    int size = sqlite3_column_bytes(statement, 6);
    uint32_t count = tcgrr_blocks_count(reader->blocks);
    bool placed = reader->borrowed ? id >= 0 && id < count : id == count;

    if (!placed || insns != sqlite3_column_int64(statement, 3) || size != sqlite3_column_int64(statement, 4)) {
        return tcgrr_reader_damaged(reader, error, "block %" G_GINT64_FORMAT " is out of place or of the wrong size",
                                    (gint64)id);
    }
    uint32_t number = (uint32_t)id;
    bool good =
        reader->borrowed
            ? tcgrr_blocks_set(reader->blocks, number, pc, (uint32_t)insns, lengths, (uint32_t)size, bytes, error)
            : (number = tcgrr_blocks_add(reader->blocks, pc, (uint32_t)insns, lengths, (uint32_t)size, bytes, error)) !=
                  UINT32_MAX;
    if (good && (number != id ||
                 tcgrr_blocks_get(reader->blocks, number)->hash != (uint64_t)sqlite3_column_int64(statement, 1))) {
        return tcgrr_reader_damaged(reader, error, "block %" G_GINT64_FORMAT " does not match its hash", (gint64)id);
    }
    return good;
}

const struct tcgrr_blocks *tcgrr_reader_blocks(struct tcgrr_reader *reader, GError **error)
{
    if (reader->borrowed) {
        return tcgrr_reader_need_all(reader, error);
    }
    if (reader->blocks) {
        return reader->blocks;
    }
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_BLOCKS, error);
    int status = SQLITE_DONE;
    bool good = statement != NULL;
    reader->blocks = tcgrr_blocks_new();
    while (good && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        good = tcgrr_reader_load_block(reader, statement, error);
    }
    if (good && status != SQLITE_DONE) {
        good = tcgrr_reader_fail(reader, "the blocks", error);
    }
    sqlite3_reset(statement);
    good = good && (tcgrr_disasm_knows(reader->run.target) || tcgrr_reader_need_texts(reader, error));
    if (!good) {
        tcgrr_blocks_free(reader->blocks);
        reader->blocks = NULL;
    }
    return reader->blocks;
}

/* ---- chunks ---- */

static bool take_small(const uint8_t **at, const uint8_t *end, uint32_t *value)
{
    uint64_t number;
    if (!tcgrr_varint_take(at, end, &number) || number > UINT32_MAX) {
        return false;
    }
    *value = (uint32_t)number;
    return true;
}

/* Unpacks a blob of varints into reader->scratch: at most `most` bytes. */
static bool unpack(struct tcgrr_reader *reader, const void *blob, size_t size, uint64_t most)
{
    g_byte_array_set_size(reader->scratch, 0);
    if (size == 0) {
        return true;
    }
    unsigned long long plain_size = ZSTD_getFrameContentSize(blob, size);
    if (plain_size > most) { /* the two error values are larger, too */
        return false;
    }
    g_byte_array_set_size(reader->scratch, (guint)plain_size);
    return ZSTD_decompress(reader->scratch->data, plain_size, blob, size) == plain_size;
}

/* The next index of an ascending list of indices below `count`. */
static bool take_index(const uint8_t **at, const uint8_t *end, bool first, uint32_t count, uint32_t *index)
{
    uint32_t distance;
    if (!take_small(at, end, &distance) || (!first && distance == 0) || distance >= count - *index) {
        return false;
    }
    *index += distance;
    return true;
}

static bool decode_partials(struct tcgrr_reader *reader, const void *blob, size_t size, struct tcgrr_chunk *chunk)
{
    struct tcgrr_partial partial = {0};
    uint32_t more;

    g_array_set_size(chunk->partials, 0);
    if (!unpack(reader, blob, size, (uint64_t)chunk->count * 15)) {
        return false;
    }
    const uint8_t *at = reader->scratch->data;
    const uint8_t *end = at + reader->scratch->len;
    while (at < end) {
        if (!take_index(&at, end, chunk->partials->len == 0, chunk->count, &partial.index) ||
            !take_small(&at, end, &partial.ran) || !take_small(&at, end, &more)) {
            return false;
        }
        uint32_t insns = tcgrr_blocks_get(reader->blocks, chunk->blocks[partial.index])->insns;
        if (partial.ran >= insns || more > insns - partial.ran) {
            return false;
        }
        partial.counted = partial.ran + more;
        g_array_append_val(chunk->partials, partial);
    }
    return true;
}

static bool decode_switches(struct tcgrr_reader *reader, const void *blob, size_t size, struct tcgrr_chunk *chunk)
{
    struct tcgrr_switch change = {0};

    g_array_set_size(chunk->switches, 0);
    if (!unpack(reader, blob, size, (uint64_t)chunk->count * 10)) {
        return false;
    }
    const uint8_t *at = reader->scratch->data;
    const uint8_t *end = at + reader->scratch->len;
    while (at < end) {
        if (!take_index(&at, end, chunk->switches->len == 0, chunk->count, &change.index) ||
            !take_small(&at, end, &change.vcpu)) {
            return false;
        }
        g_array_append_val(chunk->switches, change);
    }
    return true;
}

static void read_row(sqlite3_stmt *statement, struct tcgrr_chunk_row *row)
{
    uint64_t *numbers[] = {&row->id,   &row->first_seq,  &row->execs,    &row->first_icount, &row->insns,
                           &row->vcpu, &row->first_flow, &row->end_flow, &row->codec};
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        *numbers[i] = (uint64_t)sqlite3_column_int64(statement, (int)i);
    }
}

/* Instructions that a chunk can count beyond those its blocks have: QEMU counts some for a guest that idles. */
#define MAX_IDLE ((uint64_t)1 << 36)

/* Whether the numbers are plausible for a run, so that later computations with them cannot overflow. */
static bool plausible(const struct tcgrr_chunk_row *row, const struct tcgrr_chunk *chunk)
{
    return row->codec == TCGRR_TRACE_CODEC && row->execs > 0 && row->execs <= chunk->capacity &&
           row->first_seq <= TCGRR_READER_MAX_COUNT && row->first_icount <= TCGRR_READER_MAX_COUNT &&
           row->vcpu < TCGRR_READER_MAX_VCPUS && row->insns <= row->execs * TCGRR_MAX_INSNS + MAX_IDLE;
}

static bool decode_row(struct tcgrr_reader *reader, sqlite3_stmt *statement, struct tcgrr_chunk *chunk, GError **error)
{
    const struct tcgrr_blocks *blocks =
        reader->borrowed ? tcgrr_reader_reserve(reader, error) : tcgrr_reader_blocks(reader, error);
    struct tcgrr_chunk_row row;
    const void *data[3];
    int size[3];

    if (!blocks) {
        return false;
    }
    read_row(statement, &row);
    for (int i = 0; i < 3; i++) {
        data[i] = sqlite3_column_blob(statement, 9 + i);
        size[i] = sqlite3_column_bytes(statement, 9 + i);
    }
    if (!plausible(&row, chunk)) {
        return tcgrr_reader_damaged(reader, error, "chunk %" G_GUINT64_FORMAT " is malformed", row.id);
    }
    if (tcgrr_chunk_row_digest(&row, data[0], (size_t)size[0], data[1], (size_t)size[1], data[2], (size_t)size[2]) !=
        (uint64_t)sqlite3_column_int64(statement, 12)) {
        return tcgrr_reader_damaged(reader, error, "chunk %" G_GUINT64_FORMAT " does not match its digest", row.id);
    }
    chunk->first_seq = row.first_seq;
    chunk->count = (uint32_t)row.execs;
    chunk->first_icount = row.first_icount;
    chunk->end_icount = row.first_icount + row.insns;
    chunk->vcpu = (tcgrr_vcpu)row.vcpu;
    chunk->first_flow = row.first_flow;
    chunk->end_flow = row.end_flow;
    chunk->end_blocks = tcgrr_blocks_count(blocks);
    g_array_set_size(chunk->events, 0);
    g_array_set_size(chunk->checkpoints, 0);
    tcgrr_samples_clear(chunk->samples);
    g_array_set_size(chunk->accesses, 0);
    g_array_set_size(chunk->devices, 0);
    if (!tcgrr_codec_decode(reader->codec, data[0], (size_t)size[0], chunk->blocks, chunk->count, chunk->end_blocks,
                            error)) {
        g_prefix_error(error, "%s: chunk %" G_GUINT64_FORMAT ": ", reader->path, row.id);
        return false;
    }
    if (reader->borrowed && !tcgrr_reader_need(reader, chunk->blocks, chunk->count, error)) {
        return false;
    }
    if (!decode_partials(reader, data[1], (size_t)size[1], chunk) ||
        !decode_switches(reader, data[2], (size_t)size[2], chunk)) {
        return tcgrr_reader_damaged(reader, error, "chunk %" G_GUINT64_FORMAT " has malformed side lists", row.id);
    }
    return true;
}

static bool read_chunk(struct tcgrr_reader *reader, enum tcgrr_reader_query which, int64_t key,
                       struct tcgrr_chunk *chunk, bool *found, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, which, error);
    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 1, key);
    int status = sqlite3_step(statement);
    bool good = true;

    *found = status == SQLITE_ROW;
    if (*found) {
        good = decode_row(reader, statement, chunk, error);
    } else if (status != SQLITE_DONE) {
        good = tcgrr_reader_fail(reader, "a chunk", error);
    }
    sqlite3_reset(statement);
    return good;
}

bool tcgrr_reader_seek(struct tcgrr_reader *reader, tcgrr_icount icount, struct tcgrr_chunk *chunk, bool *found,
                       GError **error)
{
    int64_t key = icount > INT64_MAX ? INT64_MAX : (int64_t)icount;
    if (!read_chunk(reader, TCGRR_QUERY_CHUNK_AT, key, chunk, found, error)) {
        return false;
    }
    *found = *found && (icount == UINT64_MAX || icount < chunk->end_icount);
    return true;
}

bool tcgrr_reader_chunk(struct tcgrr_reader *reader, int64_t id, struct tcgrr_chunk *chunk, bool *found, GError **error)
{
    return read_chunk(reader, TCGRR_QUERY_CHUNK, id, chunk, found, error);
}

bool tcgrr_reader_checkpoint(struct tcgrr_reader *reader, tcgrr_icount icount, struct tcgrr_checkpoint *checkpoint,
                             bool *found, GError **error)
{
    sqlite3_stmt *statement = reader->queries[TCGRR_QUERY_CHECKPOINT];
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)icount);
    int status = sqlite3_step(statement);
    *found = status == SQLITE_ROW;
    if (*found) {
        checkpoint->icount = icount;
        checkpoint->flow = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    return status == SQLITE_ROW || status == SQLITE_DONE || tcgrr_reader_fail(reader, "a checkpoint", error);
}

/* ---- events ---- */

static uint64_t pc_column(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? TCGRR_NO_PC
                                                                 : (uint64_t)sqlite3_column_int64(statement, column);
}

static bool read_event(struct tcgrr_reader *reader, sqlite3_stmt *statement, struct tcgrr_event *event, GError **error)
{
    const char *source = (const char *)sqlite3_column_text(statement, 4);
    if (!tcgrr_reader_fits(statement, 0, TCGRR_READER_MAX_COUNT) ||
        !tcgrr_reader_fits(statement, 1, TCGRR_READER_MAX_COUNT) ||
        !tcgrr_reader_fits(statement, 2, TCGRR_READER_MAX_VCPUS - 1)) {
        return tcgrr_reader_damaged(reader, error, "an event's place is out of bounds");
    }
    *event = (struct tcgrr_event){
        .seq = (uint64_t)sqlite3_column_int64(statement, 0),
        .icount = (uint64_t)sqlite3_column_int64(statement, 1),
        .vcpu = (uint32_t)sqlite3_column_int64(statement, 2),
        .inferred = source && strcmp(source, "qemu") != 0,
        .confirmed = source && strcmp(source, "rr") == 0,
        .from_pc = pc_column(statement, 5),
        .to_pc = pc_column(statement, 6),
        .number = sqlite3_column_int64(statement, 7),
        .result = sqlite3_column_int64(statement, 9),
    };
    event->has_pcs = event->from_pc != TCGRR_NO_PC || event->to_pc != TCGRR_NO_PC;
    const char *arguments = (const char *)sqlite3_column_text(statement, 8);
    for (int i = 0; arguments && i < 8; i++) {
        const char *hex = strstr(arguments, "0x");
        event->arguments[i] = hex ? g_ascii_strtoull(hex, NULL, 16) : 0;
        arguments = hex ? hex + 2 : NULL;
    }
    return tcgrr_event_kind_of((const char *)sqlite3_column_text(statement, 3), &event->kind) ||
           tcgrr_reader_damaged(reader, error, "an event of unknown kind");
}

bool tcgrr_reader_events(struct tcgrr_reader *reader, tcgrr_icount first, tcgrr_icount last,
                         void (*visit)(const struct tcgrr_event *event, void *data), void *data, GError **error)
{
    sqlite3_stmt *statement = reader->queries[TCGRR_QUERY_EVENTS];
    struct tcgrr_event event;
    bool good = true;
    int status;

    sqlite3_bind_int64(statement, 1, (sqlite3_int64)MIN(first, (tcgrr_icount)INT64_MAX));
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)MIN(last, (tcgrr_icount)INT64_MAX));
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        good = read_event(reader, statement, &event, error);
        if (!good) {
            break;
        }
        visit(&event, data);
    }
    if (good && status != SQLITE_DONE) {
        good = tcgrr_reader_fail(reader, "the events", error);
    }
    sqlite3_reset(statement);
    return good;
}
