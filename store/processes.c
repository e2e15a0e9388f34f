/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/processes.h"

#include "store/error.h"
#include "store/reader_internal.h"
#include "store/writer_internal.h"

#include <string.h>

bool tcgrr_writer_process(struct tcgrr_writer *writer, const struct tcgrr_recorded_process *process, GError **error)
{
    sqlite3 *db = tcgrr_writer_begin_transaction(writer, error);
    sqlite3_stmt *statement = NULL;

    if (!db) {
        return false;
    }
    if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO process VALUES(?,?,?,?,?,?,?)", -1, &statement, NULL) ==
        SQLITE_OK) {
        sqlite3_bind_text(statement, 1, process->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, process->pid);
        sqlite3_bind_text(statement, 3, process->program, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, process->trace, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 5, (sqlite3_int64)process->icount);
        sqlite3_bind_text(statement, 6, process->exit, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 7, process->complete);
        sqlite3_step(statement);
    }
    bool good = sqlite3_finalize(statement) == SQLITE_OK;
    return good || tcgrr_writer_fail(writer, "store a process", error);
}

bool tcgrr_reader_processes(struct tcgrr_reader *reader,
                            void (*visit)(const struct tcgrr_recorded_process *process, void *data), void *data,
                            GError **error)
{
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(
        reader->db, "SELECT name, pid, program, trace, icount, exit, complete FROM process ORDER BY rowid", -1,
        &statement, NULL);

    if (status != SQLITE_OK) {
        return true; /* made before there were any */
    }
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        struct tcgrr_recorded_process process = {
            .name = (const char *)sqlite3_column_text(statement, 0),
            .pid = sqlite3_column_int64(statement, 1),
            .program = (const char *)sqlite3_column_text(statement, 2),
            .trace = (const char *)sqlite3_column_text(statement, 3),
            .icount = (tcgrr_icount)sqlite3_column_int64(statement, 4),
            .exit = (const char *)sqlite3_column_text(statement, 5),
            .complete = sqlite3_column_int(statement, 6) != 0,
        };
        if (!process.name || !process.program || !process.trace || !tcgrr_reader_fits(statement, 1, INT32_MAX) ||
            !tcgrr_reader_fits(statement, 4, TCGRR_READER_MAX_COUNT)) {
            sqlite3_finalize(statement);
            return tcgrr_reader_damaged(reader, error, "a process has no name or an impossible count");
        }
        if (process.exit) { /* or it was killed before tcgrr learned how it ended */
            visit(&process, data);
        }
    }
    sqlite3_finalize(statement);
    return status == SQLITE_DONE || tcgrr_reader_fail(reader, "the processes", error);
}

static void note_name(const struct tcgrr_recorded_process *process, void *data)
{
    char **name = data;
    if (!*name || strcmp(process->name, TCGRR_FIRST_PROCESS) == 0) {
        g_free(*name);
        *name = g_strdup(process->name);
    }
}

bool tcgrr_reader_check_start(struct tcgrr_reader *reader, GError **error)
{
    g_autofree char *name = NULL;

    if (!tcgrr_reader_processes(reader, note_name, &name, error)) {
        return false;
    }
    if (!name || strcmp(name, TCGRR_FIRST_PROCESS) == 0) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "%s is of process %s, whose run begins where another one forked it, and cannot be replayed; only the "
                "first process can",
                reader->path, name);
    return false;
}
