/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executions of blocks, decoded from the chunks as they are asked for. idxNum is enum tcgrr_vtab_query_bit: constraints
 * on seq, icount, vcpu, pc and block, and ORDER BY seq or icount in both directions, are the walk's work. Where only
 * block, pc and insns are asked for, as when executions are counted by block, the rows come from chunk.blocks and
 * nothing is decoded.
 *
 *   SELECT * FROM exec WHERE icount <= 1000000 ORDER BY icount DESC LIMIT 1;  -- the one that runs instruction 1000000
 *   SELECT count(*) FROM exec WHERE pc = 0x80000000;
 */
#include "store/summary.h"
#include "store/vtab_query.h"

enum { SEQ, ICOUNT, VCPU, BLOCK, PC, INSNS, RAN, SCHEMA, COUNTED };

#define EXPECTED_ROWS 1e8

struct tally {
    uint32_t block;
    int64_t pc;
    uint64_t execs;
};

struct exec_cursor {
    struct tcgrr_vtab_cursor base;
    struct tcgrr_vtab_query query;
    struct tcgrr_sql_walk walk;
    /* TCGRR_VTAB_GROUPED; NULL otherwise */
    GArray *tallies; /* struct tally */
    guint at;
    uint64_t left; /* rows of this tally behind this one */
};

static const char declaration[] = "CREATE TABLE exec( -- executions of blocks\n"
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

static int exec_connect(sqlite3 *db, void *data, int argc, const char *const *argv, sqlite3_vtab **table,
                        char **message)
{
    return tcgrr_vtab_connect(db, data, declaration, table, message);
}

/* Chooses rows by block where nothing is asked for that tells two executions of a block apart. */
static int plan_grouped(sqlite3_index_info *info)
{
    const int allowed = TCGRR_VTAB_PC | TCGRR_VTAB_PC_LOW | TCGRR_VTAB_PC_HIGH | TCGRR_VTAB_BLOCK | TCGRR_VTAB_SCHEMA;
    const sqlite3_uint64 columns = 1u << BLOCK | 1u << PC | 1u << INSNS | 1u << SCHEMA;
    int by = info->nOrderBy == 1 ? info->aOrderBy[0].iColumn : BLOCK;

    if ((info->idxNum & ~allowed) || (info->colUsed & ~columns) || info->nOrderBy > 1 || (by != BLOCK && by != PC)) {
        return SQLITE_OK;
    }
    info->idxNum |= TCGRR_VTAB_GROUPED | (by == PC ? TCGRR_VTAB_BY_PC : 0);
    info->orderByConsumed = info->nOrderBy == 1;
    if (info->nOrderBy == 1 && info->aOrderBy[0].desc) { /* GROUP BY asks so where ORDER BY of something else is DESC */
        info->idxNum |= TCGRR_VTAB_DESCENDING;
    }
    if (info->nOrderBy == 1 && sqlite3_vtab_distinct(info) >= 2) {
        info->idxNum |= TCGRR_VTAB_ONCE;
    }
    return tcgrr_vtab_explain(info, "by block");
}

static int exec_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    static const struct tcgrr_vtab_columns columns = {
        .seq = SEQ, .icount = ICOUNT, .vcpu = VCPU, .pc = PC, .block = BLOCK, .schema = SCHEMA, .rowid = SEQ};
    int status = tcgrr_vtab_query_plan(info, &columns, NULL, 0, EXPECTED_ROWS);
    return status == SQLITE_OK ? plan_grouped(info) : status;
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
    g_clear_pointer(&cursor->tallies, g_array_unref);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int by_number(const void *a, const void *b)
{
    const struct tally *left = a;
    const struct tally *right = b;
    return left->block < right->block ? -1 : left->block > right->block;
}

static int by_pc(const void *a, const void *b)
{
    const struct tally *left = a;
    const struct tally *right = b;
    return left->pc < right->pc ? -1 : left->pc > right->pc;
}

/* Adds up the chunks' lists: `counts` by block number. */
static bool add_up(struct exec_cursor *cursor, const struct tcgrr_blocks *blocks, uint64_t *counts, GError **error)
{
    struct tcgrr_reader *reader = tcgrr_sql_trace_reader(cursor->base.trace);
    g_autoptr(GArray) uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use));
    bool found = true;

    for (int64_t id = 0;; id++) {
        if (!tcgrr_reader_summary(reader, id, uses, &found, error)) {
            return false;
        }
        if (!found) {
            return true;
        }
        for (guint i = 0; i < uses->len; i++) {
            const struct tcgrr_block_use *use = &g_array_index(uses, struct tcgrr_block_use, i);
            if (use->block >= tcgrr_blocks_count(blocks)) {
                return tcgrr_reader_damaged(reader, error, "chunk %" G_GINT64_FORMAT " lists a block that is not there",
                                            id);
            }
            counts[use->block] += use->execs;
        }
    }
}

static int filter_grouped(struct exec_cursor *cursor, int bits)
{
    const GArray *wanted = cursor->query.wanted;
    GError *error = NULL;
    const struct tcgrr_blocks *blocks = tcgrr_sql_trace_blocks(cursor->base.trace, &error);
    g_autofree uint64_t *counts = g_new0(uint64_t, blocks ? tcgrr_blocks_count(blocks) : 0);

    cursor->tallies = g_array_new(FALSE, FALSE, sizeof(struct tally));
    cursor->at = 0;
    cursor->left = 0;
    if (!blocks || !add_up(cursor, blocks, counts, &error)) {
        return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
    }
    for (uint32_t i = 0; i < tcgrr_blocks_count(blocks); i++) {
        struct tally tally = {i, (int64_t)tcgrr_blocks_get(blocks, i)->pc, bits & TCGRR_VTAB_ONCE ? 1 : counts[i]};
        if (counts[i] && (!wanted || (i < wanted->len && g_array_index(wanted, bool, i)))) {
            g_array_append_val(cursor->tallies, tally);
        }
    }
    g_array_sort(cursor->tallies, bits & TCGRR_VTAB_BY_PC ? by_pc : by_number);
    for (guint i = 0; bits & TCGRR_VTAB_DESCENDING && i < cursor->tallies->len / 2; i++) {
        struct tally *low = &g_array_index(cursor->tallies, struct tally, i);
        struct tally *high = &g_array_index(cursor->tallies, struct tally, cursor->tallies->len - 1 - i);
        struct tally swap = *low;
        *low = *high;
        *high = swap;
    }
    if (cursor->tallies->len) {
        cursor->left = g_array_index(cursor->tallies, struct tally, 0).execs - 1;
    }
    return SQLITE_OK;
}

static int exec_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int count, sqlite3_value **arguments)
{
    struct exec_cursor *cursor = (struct exec_cursor *)base;
    GError *error = NULL;

    tcgrr_sql_walk_end(&cursor->walk);
    g_clear_pointer(&cursor->tallies, g_array_unref);
    int status = tcgrr_vtab_query_read(&cursor->query, &cursor->base, bits, false, arguments);
    if (status == SQLITE_OK && bits & TCGRR_VTAB_GROUPED) {
        return filter_grouped(cursor, bits);
    }
    if (status == SQLITE_OK && !tcgrr_sql_walk_begin(&cursor->walk, cursor->base.trace, &cursor->query.range, &error)) {
        status = tcgrr_vtab_fail(base->pVtab, error);
    }
    return status;
}

static int exec_next(sqlite3_vtab_cursor *base)
{
    struct exec_cursor *cursor = (struct exec_cursor *)base;
    GError *error = NULL;
    if (cursor->tallies) {
        if (cursor->left > 0) {
            cursor->left--;
        } else if (++cursor->at < cursor->tallies->len) {
            cursor->left = g_array_index(cursor->tallies, struct tally, cursor->at).execs - 1;
        }
        return SQLITE_OK;
    }
    return tcgrr_sql_walk_next(&cursor->walk, &error) ? SQLITE_OK : tcgrr_vtab_fail(base->pVtab, error);
}

static int exec_eof(sqlite3_vtab_cursor *base)
{
    const struct exec_cursor *cursor = (struct exec_cursor *)base;
    return cursor->tallies ? cursor->at >= cursor->tallies->len : cursor->walk.end;
}

static int grouped_column(const struct exec_cursor *cursor, sqlite3_context *context, int column)
{
    const struct tally *tally = &g_array_index(cursor->tallies, struct tally, cursor->at);
    if (column == BLOCK) {
        sqlite3_result_int64(context, tally->block);
    } else if (column == PC) {
        sqlite3_result_int64(context, tally->pc);
    } else if (column == INSNS) {
        const struct tcgrr_blocks *blocks = tcgrr_sql_trace_reader(cursor->base.trace)->blocks;
        sqlite3_result_int64(context, tcgrr_blocks_get(blocks, tally->block)->insns);
    } else if (column == SCHEMA) {
        tcgrr_vtab_result_schema(context, &cursor->base);
    }
    return SQLITE_OK;
}

static int exec_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct exec_cursor *cursor = (struct exec_cursor *)base;
    const struct tcgrr_cursor *at = &cursor->walk.at;

    if (cursor->tallies) {
        return grouped_column(cursor, context, column);
    }
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
    .module =
        {
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
