/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace's SQL has beyond its own tables: the virtual tables exec, insn, chunk_block, edge, history, callstack
 * and disassemble, functions, and views on them. docs/sql.md describes them for users. The same code is linked into
 * tcgrr and makes the loadable extension.
 */
#ifndef TCGRR_STORE_SQL_H
#define TCGRR_STORE_SQL_H

#include "store/sqlite_api.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What all of it shares on one connection. It lives until the connection is closed. */
struct tcgrr_sql;

/*
 * Registers everything on a connection, for its thread. The connection's main database need not be a trace: if it is
 * not, tables fail when they are used. NULL with error if SQLite refuses.
 */
struct tcgrr_sql *tcgrr_sql_register(sqlite3 *db, GError **error);

/*
 * Chunks decoded so far on that connection. May be called from any code that runs in the connection's thread, including
 * a progress handler.
 */
uint64_t tcgrr_sql_chunks_decoded(const struct tcgrr_sql *sql);

/* Name of virtual table number `index`, NULL after the last; and its documented declaration, "CREATE TABLE …". */
const char *tcgrr_sql_table_name(size_t index);
const char *tcgrr_sql_table_schema(size_t index);

#endif
