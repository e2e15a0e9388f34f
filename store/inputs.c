/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/inputs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "store/error.h"
#include "store/reader_internal.h"
#include "store/schema.h"
#include "store/writer_internal.h"

#define LEVEL 3

/* ---- writing ---- */

static bool cannot_read(const char *path, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read %s: %s", path, g_strerror(errno));
    return false;
}

static char *hex_of(XXH3_state_t *state)
{
    XXH128_hash_t digest = XXH3_128bits_digest(state);
    return g_strdup_printf("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64)digest.high64,
                           (guint64)digest.low64);
}

/* What becomes of each piece of a file. */
typedef bool piece_function(const uint8_t *bytes, size_t size, int64_t part, void *data, GError **error);

/* Reads a file piece by piece. Its digest is owned by the caller; NULL with error. */
static char *read_pieces(const char *path, uint64_t *size, piece_function *piece, void *data, GError **error)
{
    FILE *file = fopen(path, "rbe");
    if (!file) {
        cannot_read(path, error);
        return NULL;
    }
    g_autofree uint8_t *bytes = g_malloc(TCGRR_TRACE_CONTENT_PART);
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    bool good = true;
    int64_t part = 0;
    *size = 0;
    for (size_t got; good && (got = fread(bytes, 1, TCGRR_TRACE_CONTENT_PART, file)) > 0; *size += got) {
        XXH3_128bits_update(state, bytes, got);
        good = !piece || piece(bytes, got, part++, data, error);
    }
    if (good && ferror(file)) {
        good = cannot_read(path, error);
    }
    fclose(file);
    char *hex = good ? hex_of(state) : NULL;
    XXH3_freeState(state);
    return hex;
}

char *tcgrr_content_digest(const char *path, uint64_t *size, GError **error)
{
    return read_pieces(path, size, NULL, NULL, error);
}

/* Runs one statement with these texts and then numbers; a NULL text is NULL. */
static bool insert(struct tcgrr_writer *writer, const char *sql, const char *const *texts, int count, int64_t number,
                   GError **error)
{
    sqlite3 *db = tcgrr_writer_begin_transaction(writer, error);
    sqlite3_stmt *statement = NULL;
    if (!db) {
        return false;
    }
    bool good = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK;
    for (int i = 0; good && i < count; i++) {
        sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
    }
    good =
        good && sqlite3_bind_int64(statement, count + 1, number) == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE;
    if (!good) {
        tcgrr_writer_fail(writer, "store what pins the machine", error);
    }
    sqlite3_finalize(statement);
    return good;
}

bool tcgrr_writer_pinned(struct tcgrr_writer *writer, const struct tcgrr_pinned *pinned, GError **error)
{
    const char *const texts[] = {pinned->command, pinned->machine, pinned->cpu, pinned->start_at};
    return insert(writer, "INSERT INTO pin VALUES(1,?,?,?,?,?)", texts, G_N_ELEMENTS(texts),
                  (int64_t)pinned->start_icount, error);
}

/* A content on its way into the trace. */
struct packing {
    struct tcgrr_writer *writer;
    sqlite3 *db;
    sqlite3_stmt *statement;
    GByteArray *packed;
};

static bool pack_piece(const uint8_t *bytes, size_t size, int64_t part, void *data, GError **error)
{
    struct packing *packing = data;
    GByteArray *packed = packing->packed;
    size_t bound = ZSTD_compressBound(size);

    g_byte_array_set_size(packed, (guint)bound);
    g_byte_array_set_size(packed, (guint)ZSTD_compress(packed->data, bound, bytes, size, LEVEL));
    sqlite3_bind_int64(packing->statement, 2, part);
    sqlite3_bind_int64(packing->statement, 3, (sqlite3_int64)size);
    sqlite3_bind_blob64(packing->statement, 4, packed->data, packed->len, SQLITE_STATIC);
    sqlite3_bind_int64(packing->statement, 5, (sqlite3_int64)XXH3_64bits(packed->data, packed->len));
    bool good = sqlite3_step(packing->statement) == SQLITE_DONE;
    if (!good) {
        tcgrr_writer_fail(packing->writer, "store an embedded file", error);
    }
    sqlite3_reset(packing->statement);
    return good;
}

/* Whether a content is in the trace already. */
static bool has_content(sqlite3 *db, const char *xxh128)
{
    sqlite3_stmt *statement = NULL;
    bool found =
        sqlite3_prepare_v2(db, "SELECT 1 FROM content WHERE xxh128 = ? LIMIT 1", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_text(statement, 1, xxh128, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
    return found;
}

static bool add_content(struct tcgrr_writer *writer, const char *path, const char *xxh128, GError **error)
{
    struct packing packing = {.writer = writer, .db = tcgrr_writer_begin_transaction(writer, error)};
    if (!packing.db) {
        return false;
    }
    if (has_content(packing.db, xxh128)) {
        return true;
    }
    if (sqlite3_prepare_v2(packing.db, "INSERT INTO content VALUES(?,?,?,?,?)", -1, &packing.statement, NULL) !=
        SQLITE_OK) {
        return tcgrr_writer_fail(writer, "store an embedded file", error);
    }
    sqlite3_bind_text(packing.statement, 1, xxh128, -1, SQLITE_STATIC);
    packing.packed = g_byte_array_new();
    uint64_t size;
    g_autofree char *stored = read_pieces(path, &size, pack_piece, &packing, error);
    bool good = stored != NULL;
    if (good && strcmp(stored, xxh128) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s changed while it was embedded in the trace", path);
        good = false;
    }
    sqlite3_finalize(packing.statement);
    g_byte_array_unref(packing.packed);
    return good;
}

bool tcgrr_writer_input(struct tcgrr_writer *writer, const struct tcgrr_embedded *input, const char *content,
                        GError **error)
{
    uint64_t size;
    g_autofree char *xxh128 = tcgrr_content_digest(content, &size, error);
    if (!xxh128 || !add_content(writer, content, xxh128, error)) {
        return false;
    }
    const char *const texts[] = {input->name, input->role, input->path, xxh128};
    return insert(writer, "INSERT INTO input(name, role, path, xxh128, size) VALUES(?,?,?,?,?)", texts,
                  G_N_ELEMENTS(texts), (int64_t)size, error);
}

/* ---- reading ---- */

bool tcgrr_reader_inputs(struct tcgrr_reader *reader, void (*visit)(const struct tcgrr_embedded *input, void *data),
                         void *data, GError **error)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(reader->db, "SELECT name, role, path, size, xxh128 FROM input ORDER BY name", -1,
                                   &statement, NULL) == SQLITE_OK;
    int status = SQLITE_ERROR;
    while (good && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        struct tcgrr_embedded input = {
            .name = (const char *)sqlite3_column_text(statement, 0),
            .role = (const char *)sqlite3_column_text(statement, 1),
            .path = (const char *)sqlite3_column_text(statement, 2),
            .size = (uint64_t)sqlite3_column_int64(statement, 3),
            .xxh128 = (const char *)sqlite3_column_text(statement, 4),
        };
        if (!input.name || !input.role || !input.path || !input.xxh128 || !tcgrr_reader_fits(statement, 3, INT64_MAX)) {
            sqlite3_finalize(statement);
            return tcgrr_reader_damaged(reader, error, "an embedded file has no name or an impossible size");
        }
        visit(&input, data);
    }
    sqlite3_finalize(statement);
    return status == SQLITE_DONE || tcgrr_reader_fail(reader, "the embedded files", error);
}

/* A content on its way out of the trace. */
struct unpacking {
    struct tcgrr_reader *reader;
    const char *folder; /* NULL: it is only checked */
    GError *error;
};

/* A name that stays within the folder. */
static bool is_plain_name(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* One row (part, size, data, digest), unpacked into reader->scratch. */
static bool unpack_part(struct tcgrr_reader *reader, sqlite3_stmt *statement, int64_t expected)
{
    const void *packed = sqlite3_column_blob(statement, 2);
    size_t packed_size = (size_t)sqlite3_column_bytes(statement, 2);
    sqlite3_int64 size = sqlite3_column_int64(statement, 1);

    if (sqlite3_column_int64(statement, 0) != expected || size <= 0 || size > TCGRR_TRACE_CONTENT_PART || !packed ||
        XXH3_64bits(packed, packed_size) != (uint64_t)sqlite3_column_int64(statement, 3)) {
        return false;
    }
    g_byte_array_set_size(reader->scratch, (guint)size);
    return ZSTD_decompress(reader->scratch->data, (size_t)size, packed, packed_size) == (size_t)size;
}

/* Writes a content to `file`, which may be NULL, and checks it against the input's size and digest. */
static bool unpack_content(struct tcgrr_reader *reader, const struct tcgrr_embedded *input, FILE *file, GError **error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(reader->db, "SELECT part, size, data, digest FROM content WHERE xxh128 = ? ORDER BY part",
                           -1, &statement, NULL) != SQLITE_OK) {
        return tcgrr_reader_fail(reader, "an embedded file", error);
    }
    sqlite3_bind_text(statement, 1, input->xxh128, -1, SQLITE_STATIC);
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    uint64_t size = 0;
    bool good = true;
    bool written = true;
    for (int64_t part = 0; good && written && sqlite3_step(statement) == SQLITE_ROW; part++) {
        good = unpack_part(reader, statement, part);
        const GByteArray *bytes = reader->scratch;
        if (good) {
            XXH3_128bits_update(state, bytes->data, bytes->len);
            size += bytes->len;
            written = !file || fwrite(bytes->data, 1, bytes->len, file) == bytes->len;
        }
    }
    bool read = sqlite3_finalize(statement) == SQLITE_OK;
    g_autofree char *hex = hex_of(state);
    XXH3_freeState(state);
    if (!read && good && written) {
        return tcgrr_reader_fail(reader, "an embedded file", error);
    }
    if (!written) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s: %s", input->name, g_strerror(errno));
        return false;
    }
    good = good && size == input->size && strcmp(hex, input->xxh128) == 0;
    return good || tcgrr_reader_damaged(reader, error, "its copy of %s is not what was recorded", input->name);
}

static void unpack_input(const struct tcgrr_embedded *input, void *data)
{
    struct unpacking *unpacking = data;
    if (unpacking->error) {
        return;
    }
    if (!is_plain_name(input->name)) {
        tcgrr_reader_damaged(unpacking->reader, &unpacking->error, "an embedded file is called \"%s\"", input->name);
        return;
    }
    g_autofree char *path = unpacking->folder ? g_build_filename(unpacking->folder, input->name, NULL) : NULL;
    FILE *file = NULL;
    if (path) {
        remove(path); /* or a link there would be followed */
        file = fopen(path, "wbxe");
    }
    bool good = !path || file;
    if (good) {
        good = unpack_content(unpacking->reader, input, file, &unpacking->error);
    }
    if ((file && fclose(file) != 0 && good) || (path && !file)) {
        g_set_error(&unpacking->error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s: %s", path, g_strerror(errno));
    }
}

bool tcgrr_reader_extract_inputs(struct tcgrr_reader *reader, const char *folder, GError **error)
{
    struct unpacking unpacking = {.reader = reader, .folder = folder};
    if (!tcgrr_reader_inputs(reader, unpack_input, &unpacking, error)) {
        return false;
    }
    if (unpacking.error) {
        g_propagate_error(error, unpacking.error);
        return false;
    }
    return true;
}
