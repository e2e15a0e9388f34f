/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/reader_internal.h"
#include "store/texts.h"

#include <xxhash.h>

/* Takes over a row of block_text. */
static bool take_row(struct tcgrr_reader *reader, sqlite3_stmt *statement, GError **error)
{
    sqlite3_int64 first = sqlite3_column_int64(statement, 0);
    sqlite3_int64 count = sqlite3_column_int64(statement, 1);
    const void *data = sqlite3_column_blob(statement, 2);
    size_t size = (size_t)sqlite3_column_bytes(statement, 2);

    bool good = first >= 0 && first < TCGRR_MAX_BLOCKS && count > 0 && count <= TCGRR_TEXTS_BLOCKS && data &&
                XXH3_64bits(data, size) == (uint64_t)sqlite3_column_int64(statement, 3) &&
                tcgrr_texts_decode(data, size, (uint32_t)first, (uint32_t)count, reader->scratch, reader->blocks);
    return good || tcgrr_reader_damaged(reader, error, "the texts of blocks from %" G_GINT64_FORMAT " on are malformed",
                                        (gint64)first);
}

bool tcgrr_reader_need_texts(struct tcgrr_reader *reader, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_TEXTS, error);
    int status = SQLITE_DONE;
    bool good = statement != NULL;

    while (good && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        good = take_row(reader, statement, error);
    }
    if (good && status != SQLITE_DONE) {
        good = tcgrr_reader_fail(reader, "the texts of blocks", error);
    }
    sqlite3_reset(statement);
    return good;
}

bool tcgrr_reader_need_text(struct tcgrr_reader *reader, uint32_t number, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_TEXT_OF, error);
    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 1, number);
    int status = sqlite3_step(statement);
    bool good = status == SQLITE_DONE || (status == SQLITE_ROW ? take_row(reader, statement, error)
                                                               : tcgrr_reader_fail(reader, "a block's text", error));
    sqlite3_reset(statement);
    return good;
}
