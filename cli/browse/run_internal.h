/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_CLI_BROWSE_RUN_INTERNAL_H
#define TCGRR_CLI_BROWSE_RUN_INTERNAL_H

#include "cli/browse/run.h"
#include "store/exec_walk.h"
#include "store/sql/callstack.h"
#include "store/symbols.h"

/* Which blocks a move wants, and which instruction of each. */
struct browse_selection {
    GArray *wanted;  /* bool by block */
    GArray *offsets; /* uint32_t by block */
};

struct browse_run {
    char *path;
    sqlite3 *db;
    struct tcgrr_sql *sql; /* for walks; the tables of the connection have their own */
    struct tcgrr_sql_trace *trace;
    struct tcgrr_symbols *symbols;
    struct tcgrr_callstacks *stacks;
    tcgrr_icount length;
    struct browse_place place;
    char *searched; /* what `found` is about, in small letters; NULL: nothing */
    enum browse_direction searched_in;
    struct browse_selection found;
    GPtrArray *bookmarks; /* struct browse_line */
};

/* The number and address of the walk's current instruction. */
void browse_place_of(const struct tcgrr_exec_walk *walk, uint32_t insn, struct browse_place *place);

/* Prepares a statement and binds `icount` to its first parameter; NULL with an error. */
sqlite3_stmt *browse_prepare(struct browse_run *run, const char *sql, tcgrr_icount icount, GError **error);
/* Finalizes the statement. False with an error if `status`, the result of the last step, is an error. */
bool browse_finish(struct browse_run *run, sqlite3_stmt *statement, int status, GError **error);

/* An empty list of struct browse_line. The second function adds a line and takes ownership of `text`. */
GPtrArray *browse_lines_new(void);
void browse_lines_add(GPtrArray *lines, tcgrr_icount icount, char *text);

/* Reads the trace's bookmarks again. */
bool browse_bookmarks_read(struct browse_run *run, GError **error);

#endif
