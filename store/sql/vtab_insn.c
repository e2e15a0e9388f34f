/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that ran to their end, in the order in which they did. idxNum is enum tcgrr_vtab_query_bit, as for exec.
 *
 *   SELECT icount, addr(pc), disasm FROM insn WHERE icount < 1000000 ORDER BY icount DESC LIMIT 20;
 *   SELECT count(*) FROM insn WHERE pc = 0x80000010;
 */
#include "store/sql/vtab_query.h"
#include "store/sql/vtab_rows.h"

enum { ICOUNT, VCPU, PC, BYTES, DISASM, SYMBOL, SEQ, BLOCK, SCHEMA };

#define EXPECTED_ROWS 1e9

struct insn_cursor {
    struct tcgrr_vtab_cursor base;
    struct tcgrr_vtab_query query;
    struct tcgrr_exec_walk walk;
    uint32_t index;  /* of the instruction in the execution's block */
    uint32_t offset; /* of its first byte */
};

static const char declaration[] = "CREATE TABLE insn( -- instructions that ran to their end\n"
                                  "  icount INTEGER,  -- instructions before it; also its rowid\n"
                                  "  vcpu INTEGER,\n"
                                  "  pc INTEGER,\n"
                                  "  bytes BLOB,\n"
                                  "  disasm TEXT,\n"
                                  "  symbol TEXT,     -- name+0x10\n"
                                  "  seq INTEGER,     -- exec.seq of the execution it belongs to\n"
                                  "  block INTEGER,   -- block.id\n"
                                  "  schema TEXT HIDDEN  -- insn('other'): of the trace attached as other\n"
                                  ")";

static int insn_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    static const struct tcgrr_vtab_columns columns = {
        .seq = SEQ, .icount = ICOUNT, .vcpu = VCPU, .pc = PC, .block = BLOCK, .schema = SCHEMA, .rowid = ICOUNT};
    return tcgrr_vtab_query_plan(info, &columns, NULL, 0, EXPECTED_ROWS);
}

static int insn_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    struct insn_cursor *made = sqlite3_malloc(sizeof(*made));
    if (!made) {
        return SQLITE_NOMEM;
    }
    *made = (struct insn_cursor){0};
    *cursor = &made->base.base;
    return SQLITE_OK;
}

static int insn_close(sqlite3_vtab_cursor *base)
{
    struct insn_cursor *cursor = (struct insn_cursor *)base;
    tcgrr_exec_walk_end(&cursor->walk);
    tcgrr_vtab_query_clear(&cursor->query);
    tcgrr_sql_trace_unref(cursor->base.trace);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* Whether instruction `index` of the execution is one of those asked for. */
static bool in_range(const struct insn_cursor *cursor)
{
    const struct tcgrr_cursor *at = &cursor->walk.at;
    int64_t icount = (int64_t)(at->icount + cursor->index);
    int64_t pc = (int64_t)(at->block->pc + cursor->offset);

    return icount >= cursor->query.range.first_icount && icount <= cursor->query.range.last_icount &&
           pc >= cursor->query.first_pc && pc <= cursor->query.last_pc;
}

/* Moves one instruction on in the execution; false at its end. */
static bool step(struct insn_cursor *cursor)
{
    const struct tcgrr_cursor *at = &cursor->walk.at;

    if (cursor->query.range.descending) {
        if (cursor->index == 0) {
            return false;
        }
        cursor->offset -= at->block->lengths[--cursor->index];
        return true;
    }
    cursor->offset += at->block->lengths[cursor->index++];
    return cursor->index < at->ran;
}

/* Puts the cursor on the execution's first instruction, its last if descending; false if none of it ran. */
static bool enter(struct insn_cursor *cursor)
{
    const struct tcgrr_cursor *at = &cursor->walk.at;

    cursor->index = 0;
    cursor->offset = 0;
    while (cursor->query.range.descending && cursor->index + 1 < at->ran) {
        cursor->offset += at->block->lengths[cursor->index++];
    }
    return at->ran > 0;
}

/* From the current instruction on, which exists if `more`, to the next that is asked for. */
static int settle(struct insn_cursor *cursor, bool more)
{
    GError *error = NULL;
    while (!cursor->walk.end) {
        for (; more; more = step(cursor)) {
            if (in_range(cursor)) {
                return SQLITE_OK;
            }
        }
        if (!tcgrr_exec_walk_next(&cursor->walk, &error)) {
            return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
        }
        more = !cursor->walk.end && enter(cursor);
    }
    return SQLITE_OK;
}

static int insn_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int count, sqlite3_value **arguments)
{
    struct insn_cursor *cursor = (struct insn_cursor *)base;
    GError *error = NULL;

    tcgrr_exec_walk_end(&cursor->walk);
    int status = tcgrr_vtab_query_read(&cursor->query, &cursor->base, TCGRR_LEVEL_FLOW, bits, true, arguments);
    if (status != SQLITE_OK) {
        return status;
    }
    if (!tcgrr_exec_walk_begin(&cursor->walk, tcgrr_sql_trace_chunk_cache(cursor->base.trace), &cursor->query.range,
                               &error)) {
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    return settle(cursor, !cursor->walk.end && enter(cursor));
}

static int insn_next(sqlite3_vtab_cursor *base)
{
    struct insn_cursor *cursor = (struct insn_cursor *)base;
    return settle(cursor, step(cursor));
}

static int insn_eof(sqlite3_vtab_cursor *base)
{
    return ((struct insn_cursor *)base)->walk.end;
}

static int result_disasm(const struct insn_cursor *cursor, sqlite3_context *context)
{
    GError *error = NULL;
    char **texts = tcgrr_sql_trace_disasm(cursor->base.trace, tcgrr_exec_walk_block(&cursor->walk), &error);
    if (!texts) {
        return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
    }
    sqlite3_result_text(context, texts[cursor->index], -1, SQLITE_TRANSIENT);
    return SQLITE_OK;
}

static int insn_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct insn_cursor *cursor = (struct insn_cursor *)base;
    const struct tcgrr_cursor *at = &cursor->walk.at;
    uint64_t pc = at->block->pc + cursor->offset;

    switch (column) {
    case ICOUNT:
        sqlite3_result_int64(context, (sqlite3_int64)(at->icount + cursor->index));
        break;
    case VCPU:
        sqlite3_result_int64(context, at->vcpu);
        break;
    case PC:
        sqlite3_result_int64(context, (sqlite3_int64)pc);
        break;
    case BYTES: /* blocks stay where they are as long as the trace is in use, but the result may outlive the cursor */
        sqlite3_result_blob(context, at->block->bytes + cursor->offset, at->block->lengths[cursor->index],
                            SQLITE_TRANSIENT);
        break;
    case DISASM:
        return result_disasm(cursor, context);
    case SYMBOL:
        return tcgrr_vtab_result_symbol_then(&cursor->base, context, pc, at->icount + cursor->index);
    case SEQ:
        sqlite3_result_int64(context, tcgrr_exec_walk_seq(&cursor->walk));
        break;
    case BLOCK:
        sqlite3_result_int64(context, tcgrr_exec_walk_block(&cursor->walk));
        break;
    case SCHEMA:
        tcgrr_vtab_result_schema(context, &cursor->base);
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

static int insn_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    const struct insn_cursor *cursor = (struct insn_cursor *)base;
    *rowid = (sqlite3_int64)(cursor->walk.at.icount + cursor->index);
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_insn = {
    .name = "insn",
    .declaration = declaration,
    .module =
        {
            .iVersion = 0,
            .xConnect = tcgrr_vtab_connect,
            .xBestIndex = insn_best_index,
            .xDisconnect = tcgrr_vtab_disconnect,
            .xOpen = insn_open,
            .xClose = insn_close,
            .xFilter = insn_filter,
            .xNext = insn_next,
            .xEof = insn_eof,
            .xColumn = insn_column,
            .xRowid = insn_rowid,
        },
};
