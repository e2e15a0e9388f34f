/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What exec, insn and mem share: the same constraints, on columns of different places. */
#ifndef TCGRR_STORE_VTAB_QUERY_H
#define TCGRR_STORE_VTAB_QUERY_H

#include "store/exec_walk.h"
#include "store/sql/vtab.h"

/* idxNum. The first twelve say which arguments xFilter has, in this order; further ones come after them. */
enum tcgrr_vtab_query_bit {
    TCGRR_VTAB_SEQ = 1 << 0,
    TCGRR_VTAB_SEQ_LOW = 1 << 1,
    TCGRR_VTAB_SEQ_HIGH = 1 << 2,
    TCGRR_VTAB_ICOUNT = 1 << 3,
    TCGRR_VTAB_ICOUNT_LOW = 1 << 4,
    TCGRR_VTAB_ICOUNT_HIGH = 1 << 5,
    TCGRR_VTAB_VCPU = 1 << 6,
    TCGRR_VTAB_PC = 1 << 7,
    TCGRR_VTAB_PC_LOW = 1 << 8,
    TCGRR_VTAB_PC_HIGH = 1 << 9,
    TCGRR_VTAB_BLOCK = 1 << 10,
    TCGRR_VTAB_SCHEMA = 1 << 11,
    TCGRR_VTAB_DESCENDING = 1 << 12,
    TCGRR_VTAB_GROUPED = 1 << 13, /* exec only: rows come block by block, from chunk.blocks */
    TCGRR_VTAB_BY_PC = 1 << 14,   /* the blocks in the order of their pcs */
    TCGRR_VTAB_ONCE = 1 << 15,    /* one row a block is enough */
    TCGRR_VTAB_MORE = 1 << 16,    /* the first bit that a table's further rules may take */
};
#define TCGRR_VTAB_QUERY_RULES 12

/* The columns' indexes. SQLite's rowid is the column with index `rowid`; TCGRR_VTAB_NO_COLUMN: it is none of them. */
struct tcgrr_vtab_columns {
    int seq, icount, vcpu, pc, block, schema;
    int rowid;
};
#define TCGRR_VTAB_NO_COLUMN (-2)

/* `more`: the table's further rules, at most TCGRR_VTAB_QUERY_MORE; NULL: none. */
#define TCGRR_VTAB_QUERY_MORE 8
int tcgrr_vtab_query_plan(sqlite3_index_info *info, const struct tcgrr_vtab_columns *columns,
                          const struct tcgrr_vtab_rule *more, size_t more_count, double rows);
/* Index of the first further argument. */
int tcgrr_vtab_query_arguments(int bits);

/* What xFilter's arguments ask for. */
struct tcgrr_vtab_query {
    struct tcgrr_exec_range range; /* range.wanted is what `wanted` points to, or NULL */
    int64_t first_pc, last_pc;
    GArray *wanted;
};

/*
 * Opens the trace, which must have something of `level`, and fills `query`; a block is wanted if its pc, with `inside`
 * that of any of its instructions, is. What was in `query` before is freed. Returns SQLite's code.
 */
int tcgrr_vtab_query_read(struct tcgrr_vtab_query *query, struct tcgrr_vtab_cursor *cursor, enum tcgrr_level level,
                          int bits, bool inside, sqlite3_value **arguments);
void tcgrr_vtab_query_clear(struct tcgrr_vtab_query *query);

#endif
