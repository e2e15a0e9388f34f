/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executions of blocks, decoded from the chunks as they are asked for. idxNum is enum tcgrr_vtab_query_bit: constraints on seq, icount, vcpu,
 * pc and block, and ORDER BY seq or icount in both directions, are the walk's work.
 *
 *   SELECT * FROM exec WHERE icount <= 1000000 ORDER BY icount DESC LIMIT 1;  -- the one that runs instruction 1000000
 *   SELECT count(*) FROM exec WHERE pc = 0x80000000;
 */
#include "store/vtab_query.h"

enum { SEQ, ICOUNT, VCPU, BLOCK, PC, INSNS, RAN, SCHEMA, COUNTED };

#define EXPECTED_ROWS 1e8

struct exec_cursor {
    struct tcgrr_vtab_cursor base;
    struct tcgrr_vtab_query query;
    struct tcgrr_sql_walk walk;
};

static const char declaration[] =
    "CREATE TABLE exec( -- executions of blocks\n"
    "  seq INTEGER,     -- executions before it; also its rowid\n"
    "  icount INTEGER,  -- instructions before it\n"
    "  vcpu INTEGER,\n"
    "  block INTEGER,   -- block.id\n"
    "  pc INTEGER,      -- where the block starts\n"
    "  insns INTEGER,   -- instructions that the block has\n"
    "  ran INTEGER,     -- instructions of them that ran\n"
    "  schema TEXT HIDDEN,     -- exec('other'): of the trace attached as other\n"
    "  counted INTEGER HIDDEN  -- by how much the icount moved on\n"
    ")";

static int exec_connect(sqlite3 *db, void *data, int argc, const char *const *argv, sqlite3_vtab **table, char **message)
{
    return tcgrr_vtab_connect(db, data, declaration, table, message);
}

static int exec_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    static const struct tcgrr_vtab_columns columns = {
        .seq = SEQ, .icount = ICOUNT, .vcpu = VCPU, .pc = PC, .block = BLOCK, .schema = SCHEMA, .rowid = SEQ};
    return tcgrr_vtab_query_plan(info, &columns, EXPECTED_ROWS);
}

static int exec_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    struct exec_cursor *made = sqlite3_malloc(sizeof(*made));
    if (!made) {
        return SQLITE_NOMEM;
    }
    *made = (struct exec_cursor){0};
    *cursor = &made->base.base;
    return SQLITE_OK;
}

static int exec_close(sqlite3_vtab_cursor *base)
{
    struct exec_cursor *cursor = (struct exec_cursor *)base;
    tcgrr_sql_walk_end(&cursor->walk);
    tcgrr_vtab_query_clear(&cursor->query);
    tcgrr_sql_trace_unref(cursor->base.trace);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int exec_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int count, sqlite3_value **arguments)
{
    struct exec_cursor *cursor = (struct exec_cursor *)base;
    GError *error = NULL;

    tcgrr_sql_walk_end(&cursor->walk);
    int status = tcgrr_vtab_query_read(&cursor->query, &cursor->base, bits, false, arguments);
    if (status == SQLITE_OK && !tcgrr_sql_walk_begin(&cursor->walk, cursor->base.trace, &cursor->query.range, &error)) {
        status = tcgrr_vtab_fail(base->pVtab, error);
    }
    return status;
}

static int exec_next(sqlite3_vtab_cursor *base)
{
    struct exec_cursor *cursor = (struct exec_cursor *)base;
    GError *error = NULL;
    return tcgrr_sql_walk_next(&cursor->walk, &error) ? SQLITE_OK : tcgrr_vtab_fail(base->pVtab, error);
}

static int exec_eof(sqlite3_vtab_cursor *base)
{
    return ((struct exec_cursor *)base)->walk.end;
}

static int exec_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct exec_cursor *cursor = (struct exec_cursor *)base;
    const struct tcgrr_cursor *at = &cursor->walk.at;

    switch (column) {
    case SEQ:
        sqlite3_result_int64(context, tcgrr_sql_walk_seq(&cursor->walk));
        break;
    case ICOUNT:
        sqlite3_result_int64(context, (sqlite3_int64)at->icount);
        break;
    case VCPU:
        sqlite3_result_int64(context, at->vcpu);
        break;
    case BLOCK:
        sqlite3_result_int64(context, tcgrr_sql_walk_block(&cursor->walk));
        break;
    case PC:
        sqlite3_result_int64(context, (sqlite3_int64)at->block->pc);
        break;
    case INSNS:
        sqlite3_result_int64(context, at->block->insns);
        break;
    case RAN:
        sqlite3_result_int64(context, at->ran);
        break;
    case SCHEMA:
        tcgrr_vtab_result_schema(context, &cursor->base);
        break;
    case COUNTED:
        sqlite3_result_int64(context, at->counted);
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

static int exec_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = tcgrr_sql_walk_seq(&((struct exec_cursor *)base)->walk);
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_exec = {
    .name = "exec",
    .declaration = declaration,
    .module = {
        .iVersion = 0,
        .xConnect = exec_connect, /* no xCreate: the table is there without CREATE VIRTUAL TABLE */
        .xBestIndex = exec_best_index,
        .xDisconnect = tcgrr_vtab_disconnect,
        .xOpen = exec_open,
        .xClose = exec_close,
        .xFilter = exec_filter,
        .xNext = exec_next,
        .xEof = exec_eof,
        .xColumn = exec_column,
        .xRowid = exec_rowid,
    },
};
