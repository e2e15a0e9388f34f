/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/inputs.h"
#include "store/reader_internal.h"

static const char *keep(struct tcgrr_reader *reader, sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? g_string_chunk_insert(reader->texts, text) : NULL;
}

bool tcgrr_reader_pinned(struct tcgrr_reader *reader, const struct tcgrr_pinned **pinned, GError **error)
{
    if (!reader->pinned_read) {
        sqlite3_stmt *statement = NULL;
        bool good = sqlite3_prepare_v2(reader->db, "SELECT command, machine, cpu, start_at, start_icount FROM pin", -1,
                                       &statement, NULL) == SQLITE_OK;
        int status = good ? sqlite3_step(statement) : SQLITE_ERROR;
        if (status == SQLITE_ROW) {
            reader->pinned = (struct tcgrr_pinned){
                .command = keep(reader, statement, 0),
                .machine = keep(reader, statement, 1),
                .cpu = keep(reader, statement, 2),
                .start_at = keep(reader, statement, 3),
                .start_icount = (tcgrr_icount)sqlite3_column_int64(statement, 4),
            };
        }
        bool placed = status != SQLITE_ROW || tcgrr_reader_fits(statement, 4, TCGRR_READER_MAX_COUNT);
        sqlite3_finalize(statement);
        if (status != SQLITE_ROW && status != SQLITE_DONE) {
            return tcgrr_reader_fail(reader, "what pins the machine", error);
        }
        const struct tcgrr_pinned *read = &reader->pinned;
        if (status == SQLITE_ROW && (!read->command || !read->machine || !read->cpu || !placed)) {
            return tcgrr_reader_damaged(reader, error, "it does not say how the machine was pinned");
        }
        reader->pinned_read = true;
    }
    *pinned = reader->pinned.command ? &reader->pinned : NULL;
    return true;
}

void tcgrr_reader_set_pinned(struct tcgrr_reader *reader, const struct tcgrr_pinned *pinned)
{
    reader->pinned = (struct tcgrr_pinned){0};
    reader->pinned_read = pinned != NULL;
    if (pinned) {
        reader->pinned = *pinned;
        reader->pinned.command = g_string_chunk_insert(reader->texts, pinned->command);
        reader->pinned.machine = g_string_chunk_insert(reader->texts, pinned->machine);
        reader->pinned.cpu = g_string_chunk_insert(reader->texts, pinned->cpu);
        reader->pinned.start_at = pinned->start_at ? g_string_chunk_insert(reader->texts, pinned->start_at) : NULL;
    }
}
