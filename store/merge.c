/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/merge.h"

#include "store/error.h"
#include "store/writer_internal.h"

#include <unistd.h>

/* No transaction may be open when a database is attached. */
static bool copy(struct tcgrr_writer *writer, const char *trace, const char *sql, const char *what, GError **error)
{
    sqlite3 *db = tcgrr_writer_begin_transaction(writer, error);
    if (!db || !tcgrr_writer_commit(writer, error)) {
        return false;
    }
    char *attach = sqlite3_mprintf("ATTACH %Q AS merged", trace);
    bool good = attach && sqlite3_exec(db, attach, NULL, NULL, NULL) == SQLITE_OK;
    bool attached = good;

    good =
        good && tcgrr_writer_begin_transaction(writer, error) && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
    if (!good && error && !*error) {
        tcgrr_writer_fail(writer, what, error);
    }
    sqlite3_free(attach);
    good = tcgrr_writer_commit(writer, good ? error : NULL) && good;
    if (attached) {
        sqlite3_exec(db, "DETACH merged", NULL, NULL, NULL);
    }
    return good;
}

bool tcgrr_writer_merge_inputs(struct tcgrr_writer *writer, const char *trace, GError **error)
{
    static const char sql[] = "INSERT INTO note SELECT * FROM merged.note ORDER BY id;"
                              "INSERT INTO guest_file SELECT * FROM merged.guest_file;"
                              "INSERT INTO symbol(address, size, name, file)"
                              " SELECT address, size, name, file FROM merged.symbol ORDER BY rowid;"
                              "INSERT INTO region SELECT * FROM merged.region ORDER BY rowid;"
                              "INSERT INTO rr_file SELECT * FROM merged.rr_file;"
                              "INSERT INTO pin SELECT * FROM merged.pin;"
                              "INSERT INTO input SELECT * FROM merged.input;"
                              "INSERT INTO content SELECT * FROM merged.content ORDER BY rowid;";
    return copy(writer, trace, sql, "copy what the run needs", error);
}

bool tcgrr_writer_merge_regions(struct tcgrr_writer *writer, const char *trace, GError **error)
{
    static const char sql[] = "INSERT INTO region SELECT * FROM merged.region AS new WHERE NOT EXISTS (SELECT 1 FROM"
                              " main.region AS old WHERE old.first = new.first AND old.last = new.last AND old.kind IS"
                              " new.kind AND old.name IS new.name) ORDER BY rowid;";
    return copy(writer, trace, sql, "copy the memory map", error);
}

bool tcgrr_writer_layer(struct tcgrr_writer *writer, enum tcgrr_level level, const struct tcgrr_span *span,
                        GError **error)
{
    sqlite3 *db = tcgrr_writer_begin_transaction(writer, error);
    char *sql = sqlite3_mprintf("INSERT INTO layer VALUES(%Q, %lld, %lld)", tcgrr_level_name(level),
                                (sqlite3_int64)span->first, (sqlite3_int64)span->end);
    bool good = db && sql && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;

    if (db && !good) {
        tcgrr_writer_fail(writer, "store a layer", error);
    }
    sqlite3_free(sql);
    return good;
}

bool tcgrr_writer_fold_journal(const char *trace, GError **error)
{
    g_autofree char *journal = g_strconcat(trace, "-wal", NULL);
    sqlite3 *db = NULL;

    if (access(journal, F_OK) != 0) {
        return true;
    }
    bool good = sqlite3_open_v2(trace, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
                sqlite3_exec(db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) == SQLITE_OK &&
                access(journal, F_OK) != 0;
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s is still being recorded, or read by another program",
                    trace);
    }
    sqlite3_close(db);
    return good;
}
