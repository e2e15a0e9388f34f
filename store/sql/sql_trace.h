/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace as the virtual tables see it: the reader on the user's own connection, the last few decoded chunks, texts of
 * instructions, and symbols. Memory is bounded whatever is asked.
 */
#ifndef TCGRR_STORE_SQL_TRACE_H
#define TCGRR_STORE_SQL_TRACE_H

#include "store/chunk_cache.h"
#include "store/reader_internal.h"
#include "store/sql/sql_gaps.h"
#include "store/sqlite_api.h"
#include "store/symbols.h"

struct tcgrr_sql_trace;

/* Counted references: each table and function has one. One thread at a time, as SQLite gives it to them. */
struct tcgrr_sql *tcgrr_sql_new(sqlite3 *db);
struct tcgrr_sql *tcgrr_sql_ref(struct tcgrr_sql *sql);
void tcgrr_sql_unref(void *sql);
sqlite3 *tcgrr_sql_db(const struct tcgrr_sql *sql);
/* Chunks decoded so far. */
uint64_t tcgrr_sql_decoded(const struct tcgrr_sql *sql);

/*
 * Tables that are connected keep statements prepared; with the last one all are finalized, so that the connection can
 * be closed. A function that used a trace calls tcgrr_sql_finalize() when it is done, which does so if no table is
 * connected.
 */
void tcgrr_sql_connected(struct tcgrr_sql *sql, bool connected);
void tcgrr_sql_finalize(struct tcgrr_sql *sql);

/* The trace attached as `schema`, opened at first use; a new reference, or NULL with error. */
struct tcgrr_sql_trace *tcgrr_sql_trace_get(struct tcgrr_sql *sql, const char *schema, GError **error);
/* NULL is allowed. */
void tcgrr_sql_trace_unref(struct tcgrr_sql_trace *trace);

struct tcgrr_reader *tcgrr_sql_trace_reader(const struct tcgrr_sql_trace *trace);
/*
 * Whether the trace has anything of `level` between the icounts `first` and `last`, both included: false with
 * TCGRR_ERROR_LACKS + level if not. If gaps are noted (sql_gaps.h), only a trace without anything of that level fails;
 * other gaps are noted.
 */
bool tcgrr_sql_trace_need(struct tcgrr_sql_trace *trace, enum tcgrr_level level, int64_t first, int64_t last,
                          GError **error);
/* All blocks that the trace has now; those that are missing in memory are loaded. NULL with error. */
const struct tcgrr_blocks *tcgrr_sql_trace_blocks(struct tcgrr_sql_trace *trace, GError **error);

/* The chunks decoded last; for walks (store/exec_walk.h). */
struct tcgrr_chunk_cache *tcgrr_sql_trace_chunk_cache(const struct tcgrr_sql_trace *trace);
/* The text of each instruction of block `number`, valid until the next call. NULL with error. */
char **tcgrr_sql_trace_disasm(struct tcgrr_sql_trace *trace, uint32_t number, GError **error);
/* Whether block `number` ends with a call. False: an error. */
bool tcgrr_sql_trace_calls(struct tcgrr_sql_trace *trace, uint32_t number, bool *calls, GError **error);

/* "name+0x10", without `offset` "name"; NULL if no symbol covers `pc`. Owned by the caller. *error is set if they
 * cannot be read. */
char *tcgrr_sql_trace_symbol(struct tcgrr_sql_trace *trace, uint64_t pc, bool offset, GError **error);
/* The same with its offset when `icount` instructions have run. */
char *tcgrr_sql_trace_symbol_then(struct tcgrr_sql_trace *trace, uint64_t pc, tcgrr_icount icount, GError **error);
/* That symbol; owned by the trace. */
const struct tcgrr_symbol *tcgrr_sql_trace_symbol_at(struct tcgrr_sql_trace *trace, uint64_t pc, GError **error);
/* "file.c:12", or with `inlined` the functions inlined there (store/addr2line.h); NULL likewise. */
char *tcgrr_sql_trace_source(struct tcgrr_sql_trace *trace, uint64_t pc, bool inlined, GError **error);

#endif
