/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What queries on a connection asked for and its traces do not have, of those with a level in parts of their run only.
 */
#ifndef TCGRR_STORE_SQL_GAPS_H
#define TCGRR_STORE_SQL_GAPS_H

#include "store/layers.h"

struct tcgrr_sql; /* store/sql/sql.h */

/* A part of the run that was asked for at a level that the trace has only for other parts of its run. */
struct tcgrr_sql_gap {
    enum tcgrr_level level;
    struct tcgrr_span span; /* from the first to the last instruction */
    bool any_present;       /* the trace has others that were asked for */
    bool main;              /* it is the connection's main database */
    char *text;             /* one line with the command that makes it */
};

/* From now on, asking for a part that the trace lacks does not fail but is noted. Earlier notes are discarded. */
void tcgrr_sql_note_gaps(struct tcgrr_sql *sql);
/* What was noted: struct tcgrr_sql_gap, at most one for each trace and level. Owned by the caller. */
GArray *tcgrr_sql_gaps(const struct tcgrr_sql *sql);
/* Notes that all of the main trace was asked for at `level`, through a table that is not virtual. */
void tcgrr_sql_ask_all(struct tcgrr_sql *sql, enum tcgrr_level level);

#endif
