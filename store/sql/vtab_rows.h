/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tables share whose rows are all made when they are asked for. */
#ifndef TCGRR_STORE_VTAB_ROWS_H
#define TCGRR_STORE_VTAB_ROWS_H

#include "store/exec_walk.h"
#include "store/sql/vtab.h"

struct tcgrr_vtab_rows {
    struct tcgrr_vtab_cursor base;
    GArray *rows;
    guint at;
};

/* The methods of such a table, except the two given; xBestIndex and xOpen use the rest of struct tcgrr_vtab_table. */
#define TCGRR_VTAB_ROWS_MODULE(filter, column)                                                                         \
    {                                                                                                                  \
        .iVersion = 0, .xConnect = tcgrr_vtab_connect, .xBestIndex = tcgrr_vtab_rows_best_index,                       \
        .xDisconnect = tcgrr_vtab_disconnect, .xOpen = tcgrr_vtab_rows_open, .xClose = tcgrr_vtab_rows_close,          \
        .xFilter = filter, .xNext = tcgrr_vtab_rows_next, .xEof = tcgrr_vtab_rows_eof, .xColumn = column,              \
        .xRowid = tcgrr_vtab_rows_rowid,                                                                               \
    }

int tcgrr_vtab_rows_best_index(sqlite3_vtab *table, sqlite3_index_info *info);
int tcgrr_vtab_rows_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor);
int tcgrr_vtab_rows_close(sqlite3_vtab_cursor *cursor);
int tcgrr_vtab_rows_next(sqlite3_vtab_cursor *cursor);
int tcgrr_vtab_rows_eof(sqlite3_vtab_cursor *cursor);
int tcgrr_vtab_rows_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid);

/* xFilter's beginning: no rows, and the trace under the name in `schema`, NULL for "main", of which the flow from
 * icount `first` to `last` is asked for. */
int tcgrr_vtab_rows_begin(struct tcgrr_vtab_rows *cursor, sqlite3_value *schema, int64_t first, int64_t last);

/* An integer argument; `missing` if there is none or it is not a number. */
int64_t tcgrr_vtab_argument(sqlite3_value *value, int64_t missing);

/* A result with the symbol that covers `pc`. SQLite's code. */
int tcgrr_vtab_result_symbol(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, uint64_t pc);
int tcgrr_vtab_result_symbol_then(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, uint64_t pc,
                                  tcgrr_icount icount);
/* A result with the source line of `pc`, or with the functions inlined there. SQLite's code. */
int tcgrr_vtab_result_line(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, uint64_t pc);
int tcgrr_vtab_result_inlined(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, uint64_t pc);

#endif
