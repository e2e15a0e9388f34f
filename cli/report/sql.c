/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports that are SQL: their statements over the trace's tables (docs/sql.md), without parameters, so that help can
 * show them for `tcgrr query`. */
#include "cli/report/report.h"

#include "store/error.h"
#include "store/sql/sql.h"

#define BUSY_MS 5000

static bool fail(const struct report_job *job, sqlite3 *db, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s: %s", tcgrr_reader_path(job->reader), sqlite3_errmsg(db));
    return false;
}

static bool step_through(const struct report_job *job, sqlite3 *db, const char *sql, report_row_visitor visit,
                         void *data, GError **error)
{
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    if (status == SQLITE_OK) {
        while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
            visit(statement, data);
        }
    }
    bool good = status == SQLITE_DONE || fail(job, db, error);
    sqlite3_finalize(statement);
    return good;
}

bool report_each_row(struct report_job *job, const char *sql, report_row_visitor visit, void *data, GError **error)
{
    /* Absolute, so that no name is taken for a URI. */
    g_autofree char *path = g_canonicalize_filename(tcgrr_reader_path(job->reader), NULL);
    sqlite3 *db = NULL;
    bool good = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK || fail(job, db, error);

    if (good) {
        sqlite3_busy_timeout(db, BUSY_MS);
        good = tcgrr_sql_register(db, error) && step_through(job, db, sql, visit, data, error);
    }
    sqlite3_close(db);
    return good;
}
