/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reader on another owner's connection. It loads only the blocks that are requested, so that one row of a long trace
 * is available at once, and checks for new ones, because the trace may still be growing.
 */
#include "store/reader_internal.h"

#include "store/summary.h"

/* Number of decoded chunks after which all blocks are loaded at once: a caller that reads so many will read more, and
 * loading blocks one by one takes longer. */
#define PATIENCE 4

struct tcgrr_reader *tcgrr_reader_attach(sqlite3 *db, const char *schema, GError **error)
{
    const char *path = sqlite3_db_filename(db, schema);
    struct tcgrr_reader *reader = tcgrr_reader_new(path && *path ? path : schema, schema);
    reader->db = db;
    reader->borrowed = true;
    if (!tcgrr_reader_check_identity(reader, error) || !tcgrr_reader_read_run(reader, error)) {
        tcgrr_reader_free(reader);
        return NULL;
    }
    return reader;
}

/* ---- blocks ---- */

const struct tcgrr_blocks *tcgrr_reader_reserve(struct tcgrr_reader *reader, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_BLOCK_LIMIT, error);
    if (!statement) {
        return NULL;
    }
    int status = sqlite3_step(statement);
    sqlite3_int64 limit = status == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    bool good = status == SQLITE_ROW || tcgrr_reader_fail(reader, "the blocks", error);
    sqlite3_reset(statement);
    if (good && (limit < 0 || limit > TCGRR_MAX_BLOCKS)) {
        good = tcgrr_reader_damaged(reader, error, "its blocks are numbered up to %" G_GINT64_FORMAT, (gint64)limit);
    }
    if (!good) {
        return NULL;
    }
    if (!reader->blocks) {
        reader->blocks = tcgrr_blocks_new();
    }
    tcgrr_blocks_reserve(reader->blocks, (uint32_t)limit);
    return reader->blocks;
}

const struct tcgrr_blocks *tcgrr_reader_need_all(struct tcgrr_reader *reader, GError **error)
{
    if (!tcgrr_reader_reserve(reader, error)) {
        return NULL;
    }
    uint32_t count = tcgrr_blocks_count(reader->blocks);
    if (count == reader->loaded_to) {
        return reader->blocks;
    }
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_BLOCKS, error);
    int status = SQLITE_DONE;
    bool good = statement != NULL;
    uint32_t found = 0;
    while (good && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        sqlite3_int64 id = sqlite3_column_int64(statement, 0);
        bool known = id >= 0 && id < count && tcgrr_blocks_is_set(reader->blocks, (uint32_t)id);
        good = known || tcgrr_reader_load_block(reader, statement, error);
        found++;
    }
    if (good && status != SQLITE_DONE) {
        good = tcgrr_reader_fail(reader, "the blocks", error);
    } else if (good && found != count) {
        good = tcgrr_reader_damaged(reader, error, "%u of its %u blocks are missing", count - MIN(found, count), count);
    }
    sqlite3_reset(statement);
    reader->loaded_to = good ? count : 0;
    return good ? reader->blocks : NULL;
}

static bool load_one(struct tcgrr_reader *reader, uint32_t number, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_BLOCK, error);
    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 1, number);
    int status = sqlite3_step(statement);
    bool good = status == SQLITE_ROW    ? tcgrr_reader_load_block(reader, statement, error)
                : status == SQLITE_DONE ? tcgrr_reader_damaged(reader, error, "block %u is missing", number)
                                        : tcgrr_reader_fail(reader, "a block", error);
    sqlite3_reset(statement);
    return good;
}

bool tcgrr_reader_need(struct tcgrr_reader *reader, const uint32_t *numbers, uint32_t count, GError **error)
{
    if (count > 1 && reader->needed++ >= PATIENCE) {
        return tcgrr_reader_need_all(reader, error) != NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!tcgrr_blocks_is_set(reader->blocks, numbers[i]) && !load_one(reader, numbers[i], error)) {
            return false;
        }
    }
    return true;
}

/* ---- chunks ---- */

static bool find_chunk(struct tcgrr_reader *reader, enum tcgrr_reader_query which, uint64_t key, int64_t *id,
                       GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, which, error);
    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)MIN(key, (uint64_t)INT64_MAX));
    int status = sqlite3_step(statement);
    *id = status == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    bool good = status == SQLITE_ROW || status == SQLITE_DONE || tcgrr_reader_fail(reader, "the chunks", error);
    sqlite3_reset(statement);
    return good;
}

bool tcgrr_reader_chunk_before(struct tcgrr_reader *reader, tcgrr_icount icount, int64_t *id, GError **error)
{
    return find_chunk(reader, TCGRR_QUERY_ID_OF_ICOUNT, icount, id, error);
}

bool tcgrr_reader_chunk_of_seq(struct tcgrr_reader *reader, tcgrr_seq seq, int64_t *id, GError **error)
{
    return find_chunk(reader, TCGRR_QUERY_ID_OF_SEQ, seq, id, error);
}

bool tcgrr_reader_summary(struct tcgrr_reader *reader, int64_t id, GArray *uses, bool *found, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_CHUNK_SUMMARY, error);
    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 1, id);
    int status = sqlite3_step(statement);
    bool good = status == SQLITE_ROW || status == SQLITE_DONE || tcgrr_reader_fail(reader, "a chunk", error);
    *found = status == SQLITE_ROW;
    if (*found && !tcgrr_summary_decode(sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0),
                                        reader->scratch, uses)) {
        good = tcgrr_reader_damaged(reader, error, "chunk %" G_GINT64_FORMAT " has a malformed list of its blocks", id);
    }
    sqlite3_reset(statement);
    return good;
}
