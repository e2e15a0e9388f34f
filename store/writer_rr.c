/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stores QEMU's rr file in the trace, in separately compressed parts. */
#include "store/error.h"
#include "store/schema.h"
#include "store/trace.h"
#include "store/writer_internal.h"

#include <errno.h>
#include <stdio.h>
#include <xxhash.h>
#include <zstd.h>

static bool add_part(const struct tcgrr_writer *writer, sqlite3_stmt *statement, const uint8_t *bytes, size_t size,
                     GError **error)
{
    size_t bound = ZSTD_compressBound(size);
    g_autofree uint8_t *packed = g_malloc(bound);
    size_t packed_size = ZSTD_compress(packed, bound, bytes, size, 3);

    sqlite3_bind_int64(statement, 2, (sqlite3_int64)size);
    sqlite3_bind_blob64(statement, 3, packed, packed_size, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)XXH3_64bits(packed, packed_size));
    bool good = sqlite3_step(statement) == SQLITE_DONE || tcgrr_writer_fail(writer, "store QEMU's rr file", error);
    sqlite3_reset(statement);
    return good;
}

static bool add_parts(struct tcgrr_writer *writer, FILE *file, const char *path, GError **error)
{
    sqlite3_stmt *statement;
    sqlite3 *database = tcgrr_writer_begin_transaction(writer, error);
    if (!database) {
        return false;
    }
    if (sqlite3_prepare_v2(database, "INSERT OR REPLACE INTO rr_file VALUES(?,?,?,?)", -1, &statement, NULL) !=
        SQLITE_OK) {
        return tcgrr_writer_fail(writer, "store QEMU's rr file", error);
    }
    g_autofree uint8_t *bytes = g_malloc(TCGRR_TRACE_RR_PART);
    bool good = true;
    int64_t part = 0;
    for (size_t size; good && (size = fread(bytes, 1, TCGRR_TRACE_RR_PART, file)) > 0;) {
        sqlite3_bind_int64(statement, 1, part++);
        good = add_part(writer, statement, bytes, size, error);
    }
    sqlite3_finalize(statement);
    if (good && ferror(file)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read QEMU's rr file %s", path);
        good = false;
    }
    return good;
}

bool tcgrr_writer_rr_file(struct tcgrr_writer *writer, const char *path, GError **error)
{
    FILE *file = fopen(path, "rbe");
    if (!file) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read QEMU's rr file %s: %s", path,
                    g_strerror(errno));
        return false;
    }
    bool good = add_parts(writer, file, path, error);
    fclose(file);
    return good;
}
