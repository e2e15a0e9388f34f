/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bookmarks: a table of the trace, which is sealed again after each change. */
#include "cli/browse/run_internal.h"

#include "store/amend.h"

#define CREATE "CREATE TABLE IF NOT EXISTS bookmark(icount INTEGER PRIMARY KEY, text TEXT)"

const GPtrArray *browse_bookmarks(const struct browse_run *run)
{
    return run->bookmarks;
}

static bool has_table(struct browse_run *run, bool *has, GError **error)
{
    sqlite3_stmt *statement =
        browse_prepare(run, "SELECT 1 FROM sqlite_master WHERE name = 'bookmark' OR ?1 < 0", 0, error);
    if (!statement) {
        return false;
    }
    int status = sqlite3_step(statement);
    *has = status == SQLITE_ROW;
    return browse_finish(run, statement, status, error);
}

bool browse_bookmarks_read(struct browse_run *run, GError **error)
{
    bool has;
    int status;

    g_ptr_array_set_size(run->bookmarks, 0);
    if (!has_table(run, &has, error)) {
        return false;
    }
    sqlite3_stmt *statement =
        has ? browse_prepare(run, "SELECT icount, text FROM bookmark WHERE icount >= ? ORDER BY icount", 0, error)
            : NULL;
    if (!statement) {
        return !has;
    }
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 1);
        if (text && sqlite3_column_type(statement, 0) == SQLITE_INTEGER) {
            browse_lines_add(run->bookmarks, (tcgrr_icount)sqlite3_column_int64(statement, 0), g_strdup(text));
        }
    }
    return browse_finish(run, statement, status, error);
}

struct change {
    tcgrr_icount icount;
    const char *text;
};

static bool store(sqlite3 *db, void *data, GError **error)
{
    const struct change *change = data;
    char *sql = *change->text
                    ? sqlite3_mprintf("INSERT OR REPLACE INTO bookmark VALUES(%lld, %Q)", (sqlite3_int64)change->icount,
                                      change->text)
                    : sqlite3_mprintf("DELETE FROM bookmark WHERE icount = %lld", (sqlite3_int64)change->icount);
    bool good = tcgrr_amend_execute(db, CREATE, "keep the bookmark", error) &&
                tcgrr_amend_execute(db, sql, "keep the bookmark", error);
    sqlite3_free(sql);
    return good;
}

bool browse_bookmark(struct browse_run *run, const char *text, GError **error)
{
    struct change change = {run->place.icount, text};

    if (!tcgrr_amend(run->path, store, &change, error)) {
        return false;
    }
    for (guint i = run->bookmarks->len; i-- > 0;) {
        const struct browse_line *line = g_ptr_array_index(run->bookmarks, i);
        if (line->icount == change.icount) {
            g_ptr_array_remove_index(run->bookmarks, i);
        }
    }
    guint at = 0;
    while (at < run->bookmarks->len &&
           ((const struct browse_line *)g_ptr_array_index(run->bookmarks, at))->icount < change.icount) {
        at++;
    }
    if (*text) {
        struct browse_line line = {change.icount, g_strdup(text)};
        g_ptr_array_insert(run->bookmarks, (gint)at, g_memdup2(&line, sizeof(line)));
    }
    return true;
}
