/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `tcgrr query`. */
#ifndef TCGRR_CLI_QUERY_H
#define TCGRR_CLI_QUERY_H

#include "store/sql/sql.h"
#include "store/sql/sql_gaps.h"
#include "store/trace.h"

#include <stdbool.h>
#include <stdint.h>

enum query_format { QUERY_TABLE, QUERY_CSV, QUERY_JSON, QUERY_JSONL, QUERY_OBJECT };

struct query {
    sqlite3 *db;
    struct tcgrr_reader *reader; /* of the trace itself */
    char **attached;             /* NAME=TRACE, NULL-terminated, or NULL */
    bool fill;                   /* derive the level that a statement lacks */
    enum tcgrr_level needs;      /* the level that the current statement reads */
    unsigned all;                /* a set of 1 << enum tcgrr_level: the levels of which it reads the whole run */
    struct tcgrr_sql *sql;
    enum query_format format;
    bool page;     /* show long output in the user's pager */
    bool progress; /* show the progress of a long query on standard error */
};

/*
 * Runs all statements of `sql` and prints their rows to standard output, errors to standard error. Returns an exit
 * status: 2 for an error in the SQL, 3 for an error in the trace, 130 or 143 if a signal ended it.
 */
int query_run(struct query *query, const char *sql);

/* The signal that arrived since the last call, or 0. */
int query_take_signal(void);

/* Prints the rows of `statement`, which was stepped to its first row, and steps it to its end. Returns SQLite's code.
 */
int query_print(sqlite3_stmt *statement, enum query_format format);
/* Prints the output for a statement without rows. */
void query_print_nothing(sqlite3_stmt *statement, enum query_format format);
/* Ends the output of QUERY_OBJECT: one object with the rows of all statements, and the error that ended them early, if
 * any. */
void query_print_end(enum query_format format, int status);

/* Runs one of the shell's commands, such as .schema. Returns an exit status. */
int query_command(const struct query *query, const char *line);

/* Reads statements and commands from the terminal until its end. Returns an exit status. */
int query_shell(struct query *query, const char *trace);

#endif
