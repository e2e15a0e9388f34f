/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libtcgrr_sqlite.so: tcgrr's tables for any program that uses SQLite.
 *   sqlite3 -cmd ".load libtcgrr_sqlite" boot.tcgrr "SELECT * FROM exec LIMIT 5"
 */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

#include "store/sql/sql.h"

/* SQLite makes the name from the file's: its letters after "lib". */
__attribute__((visibility("default"))) int sqlite3_tcgrrsqlite_init(sqlite3 *db, char **message,
                                                                    const sqlite3_api_routines *api);

int sqlite3_tcgrrsqlite_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    GError *error = NULL;
    SQLITE_EXTENSION_INIT2(api);
    if (tcgrr_sql_register(db, &error)) {
        return SQLITE_OK;
    }
    *message = sqlite3_mprintf("%s", error->message);
    g_error_free(error);
    return SQLITE_ERROR;
}
