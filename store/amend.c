/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/amend.h"

#include "store/error.h"
#include "store/store_internal.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(sqlite3 *db, const char *what, const char *path, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot %s %s: %s", what, path,
                db ? sqlite3_errmsg(db) : "out of memory");
    return false;
}

bool tcgrr_amend_execute(sqlite3 *db, const char *sql, const char *what, GError **error)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot %s: %s", what, sqlite3_errmsg(db));
    return false;
}

/* Copies page by page, including a journal's content. */
static bool copy(sqlite3 *from, sqlite3 *to, const char *path, GError **error)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int status = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;

    sqlite3_backup_finish(backup);
    return status == SQLITE_DONE || fail(to, "copy", path, error);
}

static bool change_copy(const char *path, const char *part, bool (*change)(sqlite3 *, void *, GError **), void *data,
                        GError **error)
{
    sqlite3 *from = NULL;
    sqlite3 *to = NULL;
    bool good =
        (sqlite3_open_v2(path, &from, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK || fail(from, "open", path, error)) &&
        (sqlite3_open_v2(part, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK ||
         fail(to, "create", part, error)) &&
        copy(from, to, path, error) &&
        tcgrr_amend_execute(to, "PRAGMA journal_mode=DELETE; BEGIN", "begin the change", error) &&
        change(to, data, error) && tcgrr_amend_execute(to, "COMMIT", "store the change", error);

    sqlite3_close(from);
    sqlite3_close(to);
    return good;
}

char *tcgrr_amend_path(const char *path)
{
    char *real = realpath(path, NULL);
    char *whole = real ? g_strdup(real) : g_canonicalize_filename(path, NULL);

    free(real);
    return whole;
}

bool tcgrr_amend(const char *path, bool (*change)(sqlite3 *db, void *data, GError **error), void *data, GError **error)
{
    g_autofree char *whole = tcgrr_amend_path(path);
    g_autofree char *part = g_strdup_printf("%s.%d.part", whole, (int)getpid());
    enum tcgrr_seal_state seal;
    struct stat status;

    if (!tcgrr_seal_check(whole, &seal, error)) {
        return false;
    }
    if (seal == TCGRR_SEAL_BROKEN) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s is damaged and is left unchanged; see tcgrr verify",
                    path);
        return false;
    }
    bool good =
        change_copy(whole, part, change, data, error) && (seal == TCGRR_SEAL_NONE || tcgrr_seal_write(part, error));
    if (good && stat(whole, &status) == 0) {
        (void)chmod(part, status.st_mode & 07777);
    }
    if (good && g_rename(part, whole) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot replace %s: %m", path);
        good = false;
    }
    if (!good) {
        g_unlink(part);
    }
    return good;
}
