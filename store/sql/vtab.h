/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the virtual tables have in common: the connection's traces, plans made of constraints, arguments, errors. */
#ifndef TCGRR_STORE_VTAB_H
#define TCGRR_STORE_VTAB_H

#include "store/sql/sql_trace.h"

struct tcgrr_vtab {
    sqlite3_vtab base;
    const struct tcgrr_vtab_table *table;
    struct tcgrr_sql *sql;
};

/* The part of a cursor that all tables have. */
struct tcgrr_vtab_cursor {
    sqlite3_vtab_cursor base;
    struct tcgrr_sql_trace *trace; /* from xFilter on */
};

/* ---- plans ---- */

enum tcgrr_vtab_operator { TCGRR_VTAB_EQ, TCGRR_VTAB_LOW, TCGRR_VTAB_HIGH }; /* =; > or >=; < or <= */

/* A constraint that a table can use. Rules stand in the order of their bits, which is that of xFilter's arguments. */
struct tcgrr_vtab_rule {
    int column;
    enum tcgrr_vtab_operator relation;
    unsigned bit;
    const char *text; /* for EXPLAIN QUERY PLAN */
    double selects;   /* the share of the rows that fulfill it */
    bool argument;    /* a hidden column, the argument of a table-valued function: has to be usable where it is there */
};

/*
 * Chooses the rules for which `info` has usable constraints, numbers xFilter's arguments, and sets info->idxNum to
 * their bits. SQLite checks each constraint again, so rules may let more rows through than the constraint does. `rows`
 * is the size of the whole table. Returns SQLITE_OK, SQLITE_CONSTRAINT if an argument is there but not usable, or
 * SQLITE_NOMEM.
 */
int tcgrr_vtab_plan(sqlite3_index_info *info, const struct tcgrr_vtab_rule *rules, size_t count, double rows);

/*
 * Whether the rows are to be ordered, and only by columns in the bit mask `columns` or by the rowid, all in the same
 * direction; *descending says which.
 */
bool tcgrr_vtab_ordered(const sqlite3_index_info *info, unsigned columns, bool *descending);

/* Adds to the text that EXPLAIN QUERY PLAN shows. SQLITE_OK or SQLITE_NOMEM. */
int tcgrr_vtab_explain(sqlite3_index_info *info, const char *text);

/* ---- arguments ---- */

/*
 * Narrows *low and *high to the values for which `column relation value` holds, or to a wider range: values that are
 * not integers are compared by SQL's own rules, which is left to SQLite where possible. For NULL the range becomes
 * empty.
 */
void tcgrr_vtab_narrow(sqlite3_value *value, enum tcgrr_vtab_operator relation, int64_t *low, int64_t *high);

/* ---- methods that tables share ---- */

/* xConnect and xDisconnect of all tables: declare it and make a struct tcgrr_vtab. `data` is the struct tcgrr_sql. */
int tcgrr_vtab_connect(sqlite3 *db, void *data, int argc, const char *const *argv, sqlite3_vtab **table,
                       char **message);
int tcgrr_vtab_disconnect(sqlite3_vtab *table);

/* Makes the cursor's trace the one attached under the name in `schema`, NULL for "main". What is asked of it is
 * `level`, from icount `first` to `last` (tcgrr_sql_trace_need()): no rows would look like an answer. */
int tcgrr_vtab_use(struct tcgrr_vtab_cursor *cursor, sqlite3_value *schema, enum tcgrr_level level, int64_t first,
                   int64_t last);

/* Hands `error` to SQLite as the table's message and frees it. Returns SQLite's code for it. */
int tcgrr_vtab_fail(sqlite3_vtab *table, GError *error);

/* A text result, NULL for SQL's NULL; takes over `text`. */
void tcgrr_vtab_result_text(sqlite3_context *context, char *text);

/* The value of a register within an image of the state: an integer, or a blob if it does not fit. */
void tcgrr_vtab_result_register(sqlite3_context *context, const struct tcgrr_state_register *shown,
                                const uint8_t *image);

/* The name under which the cursor's trace is attached. */
void tcgrr_vtab_result_schema(sqlite3_context *context, const struct tcgrr_vtab_cursor *cursor);

/* ---- the tables ---- */

#define TCGRR_VTAB_MAX_RULES 3

struct tcgrr_vtab_table {
    const char *name;
    const char *declaration; /* what SQLite gets, with comments: users read it, too */
    sqlite3_module module;   /* registered with a struct tcgrr_sql */
    /* The rest is for tables that make all rows at once (store/sql/vtab_rows.h). */
    struct tcgrr_vtab_rule rules[TCGRR_VTAB_MAX_RULES]; /* its arguments; a row without text ends them */
    size_t row;                                         /* bytes of one */
    GDestroyNotify clear;                               /* frees what one owns; NULL: nothing */
    double rows;                                        /* expected number of rows */
    double cost;                                        /* of making them; 0: the cost of reading that many */
    unsigned ordered;                                   /* columns, as bits, by which they are in order, */
    bool descending;                                    /* from the highest on */
};

extern const struct tcgrr_vtab_table tcgrr_vtab_exec;
extern const struct tcgrr_vtab_table tcgrr_vtab_insn;
extern const struct tcgrr_vtab_table tcgrr_vtab_chunk_block;
extern const struct tcgrr_vtab_table tcgrr_vtab_edge;
extern const struct tcgrr_vtab_table tcgrr_vtab_history;
extern const struct tcgrr_vtab_table tcgrr_vtab_callstack;
extern const struct tcgrr_vtab_table tcgrr_vtab_disassemble;
extern const struct tcgrr_vtab_table tcgrr_vtab_state;
extern const struct tcgrr_vtab_table tcgrr_vtab_function;
extern const struct tcgrr_vtab_table tcgrr_vtab_registers;
extern const struct tcgrr_vtab_table tcgrr_vtab_mem;

/* The one with this name, which there is. */
const struct tcgrr_vtab_table *tcgrr_vtab_find(const char *name);

#endif
