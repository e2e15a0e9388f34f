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
    bool fill;                   /* make what a statement lacks */
    enum tcgrr_level needs;      /* what the statement at hand reads of it */
    unsigned all;                /* of which levels, 1 << enum tcgrr_level, it reads all that there is */
    struct tcgrr_sql *sql;
    enum query_format format;
    bool page;     /* show long output by the user's pager */
    bool progress; /* say on standard error how far a long query is */
};

/*
 * Runs all statements of `sql` and prints their rows on standard output. Errors are said on standard error. Returns an
 * exit status: 2 for what is wrong with the SQL, 3 for what is wrong with the trace, 130 or 143 if a signal ended it.
 */
int query_run(struct query *query, const char *sql);

/* The signal that came since this was asked last, or 0. */
int query_take_signal(void);

/* Prints the rows of `statement`, which was stepped to its first row, and steps it to its end. Returns SQLite's code.
 */
int query_print(sqlite3_stmt *statement, enum query_format format);
/* What is printed where there are no rows. */
void query_print_nothing(sqlite3_stmt *statement, enum query_format format);
/* Ends what QUERY_OBJECT prints, one object with the rows of all statements, and the error that ended them early. */
void query_print_end(enum query_format format, int status);

/* Does what one of the shell's commands, such as .schema, says. Returns an exit status. */
int query_command(const struct query *query, const char *line);

/* Reads statements and commands from the terminal until its end. Returns an exit status. */
int query_shell(struct query *query, const char *trace);

#endif
