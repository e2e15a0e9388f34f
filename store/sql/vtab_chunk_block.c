/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often each chunk executes each block, from chunk.blocks: nothing is decoded. idxNum is enum plan.
 *
 *   SELECT block, sum(execs) FROM chunk_block GROUP BY block;  -- in milliseconds what takes seconds from exec
 */
#include "store/sql/vtab.h"

#include "store/summary.h"

enum { CHUNK, BLOCK, EXECS, RAN, SCHEMA };

enum plan { PLAN_CHUNK = 1, PLAN_LOW = 2, PLAN_HIGH = 4, PLAN_SCHEMA = 8 };

#define EXPECTED_ROWS 1e6

static const struct tcgrr_vtab_rule rules[] = {
    {CHUNK, TCGRR_VTAB_EQ, PLAN_CHUNK, "chunk=?", 1e-2, false},
    {CHUNK, TCGRR_VTAB_LOW, PLAN_LOW, "chunk>?", 0.3, false},
    {CHUNK, TCGRR_VTAB_HIGH, PLAN_HIGH, "chunk<?", 0.3, false},
    {SCHEMA, TCGRR_VTAB_EQ, PLAN_SCHEMA, "of schema", 1, true},
};

struct use_cursor {
    struct tcgrr_vtab_cursor base;
    const struct tcgrr_blocks *blocks;
    GArray *uses;
    int64_t chunk;
    int64_t last_chunk;
    guint index;
    bool end;
};

static const char declaration[] = "CREATE TABLE chunk_block( -- executions of blocks, summed up by chunk\n"
                                  "  chunk INTEGER,  -- chunk.id\n"
                                  "  block INTEGER,  -- block.id\n"
                                  "  execs INTEGER,  -- executions of the block in the chunk\n"
                                  "  ran INTEGER,    -- instructions that ran in them\n"
                                  "  schema TEXT HIDDEN  -- chunk_block('other'): of the trace attached as other\n"
                                  ")";

static int use_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    bool descending;
    int status = tcgrr_vtab_plan(info, rules, G_N_ELEMENTS(rules), EXPECTED_ROWS);
    info->orderByConsumed = tcgrr_vtab_ordered(info, 1u << CHUNK, &descending) && !descending && info->nOrderBy == 1;
    return status;
}

static int use_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    struct use_cursor *made = sqlite3_malloc(sizeof(*made));
    if (!made) {
        return SQLITE_NOMEM;
    }
    *made = (struct use_cursor){.uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use))};
    *cursor = &made->base.base;
    return SQLITE_OK;
}

static int use_close(sqlite3_vtab_cursor *base)
{
    struct use_cursor *cursor = (struct use_cursor *)base;
    tcgrr_sql_trace_unref(cursor->base.trace);
    g_array_unref(cursor->uses);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* Reads chunks from cursor->chunk on until one has a block. */
static int settle(struct use_cursor *cursor)
{
    struct tcgrr_reader *reader = tcgrr_sql_trace_reader(cursor->base.trace);
    GError *error = NULL;
    bool found = true;

    cursor->index = 0;
    for (; cursor->chunk <= cursor->last_chunk; cursor->chunk++) {
        if (!tcgrr_reader_summary(reader, cursor->chunk, cursor->uses, &found, &error)) {
            return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
        }
        if (!found || cursor->uses->len > 0) {
            break;
        }
    }
    cursor->end = !found || cursor->chunk > cursor->last_chunk;
    if (!cursor->end) {
        const struct tcgrr_block_use *last =
            &g_array_index(cursor->uses, struct tcgrr_block_use, cursor->uses->len - 1);
        if (last->block >= tcgrr_blocks_count(cursor->blocks)) {
            tcgrr_reader_damaged(reader, &error, "chunk %" G_GINT64_FORMAT " lists a block that is missing",
                                 cursor->chunk);
            return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
        }
    }
    return SQLITE_OK;
}

static int use_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int count, sqlite3_value **arguments)
{
    struct use_cursor *cursor = (struct use_cursor *)base;
    sqlite3_value *schema = bits & PLAN_SCHEMA ? arguments[count - 1] : NULL;
    GError *error = NULL;
    int64_t first = 0;

    cursor->last_chunk = INT64_MAX - 1;
    cursor->end = true;
    for (size_t i = 0, next = 0; i < G_N_ELEMENTS(rules) - 1; i++) {
        if (bits & (int)rules[i].bit) {
            tcgrr_vtab_narrow(arguments[next++], rules[i].relation, &first, &cursor->last_chunk);
        }
    }
    int status = tcgrr_vtab_use(&cursor->base, schema, TCGRR_LEVEL_FLOW, 0, INT64_MAX);
    if (status != SQLITE_OK) {
        return status;
    }
    cursor->blocks = tcgrr_sql_trace_blocks(cursor->base.trace, &error);
    if (!cursor->blocks) {
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    cursor->chunk = first;
    return settle(cursor);
}

static int use_next(sqlite3_vtab_cursor *base)
{
    struct use_cursor *cursor = (struct use_cursor *)base;
    if (++cursor->index < cursor->uses->len) {
        return SQLITE_OK;
    }
    cursor->chunk++;
    return settle(cursor);
}

static int use_eof(sqlite3_vtab_cursor *base)
{
    return ((struct use_cursor *)base)->end;
}

static int use_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct use_cursor *cursor = (struct use_cursor *)base;
    const struct tcgrr_block_use *use = &g_array_index(cursor->uses, struct tcgrr_block_use, cursor->index);

    switch (column) {
    case CHUNK:
        sqlite3_result_int64(context, cursor->chunk);
        break;
    case BLOCK:
        sqlite3_result_int64(context, use->block);
        break;
    case EXECS:
        sqlite3_result_int64(context, use->execs);
        break;
    case RAN:
        sqlite3_result_int64(
            context,
            (sqlite3_int64)((uint64_t)use->execs * tcgrr_blocks_get(cursor->blocks, use->block)->insns - use->lost));
        break;
    case SCHEMA:
        tcgrr_vtab_result_schema(context, &cursor->base);
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

static int use_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    const struct use_cursor *cursor = (struct use_cursor *)base;
    *rowid = cursor->chunk << 20 | cursor->index;
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_chunk_block = {
    .name = "chunk_block",
    .declaration = declaration,
    .module =
        {
            .iVersion = 0,
            .xConnect = tcgrr_vtab_connect,
            .xBestIndex = use_best_index,
            .xDisconnect = tcgrr_vtab_disconnect,
            .xOpen = use_open,
            .xClose = use_close,
            .xFilter = use_filter,
            .xNext = use_next,
            .xEof = use_eof,
            .xColumn = use_column,
            .xRowid = use_rowid,
        },
};
