/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executions of blocks, decoded from the chunks as they are asked for. idxNum is enum tcgrr_vtab_query_bit: constraints
 * on seq, icount, vcpu, pc and block, and ORDER BY seq or icount in both directions, are the walk's work. Where only
 * block, pc, insns and ran are asked for, as when executions are counted by block, the rows come from chunk.blocks.
 * Only chunks in which a block was left early are then decoded, and only if `ran` is asked for.
 *
 *   SELECT * FROM exec WHERE icount <= 1000000 ORDER BY icount DESC LIMIT 1;  -- the one that runs instruction 1000000
 *   SELECT count(*) FROM exec WHERE pc = 0x80000000;
 */
#include "store/sql/vtab_query.h"
#include "store/summary.h"

enum { SEQ, ICOUNT, VCPU, BLOCK, PC, INSNS, RAN, SCHEMA, COUNTED };

#define EXPECTED_ROWS 1e8
/* With TCGRR_VTAB_GROUPED: */
#define ASKS_RAN      TCGRR_VTAB_MORE /* of each row what ran */
#define ASKS_NOTHING                                                                                                   \
    (TCGRR_VTAB_MORE << 1) /* but how many rows there are; or, which SQLite does not say, their rowids */

/* Executions that look the same. */
struct tally {
    uint32_t block;
    uint32_t ran;
    int64_t pc;
    uint64_t execs;
};

/* What filter_grouped() counts. */
struct count {
    const struct tcgrr_blocks *blocks;
    uint64_t *execs;   /* complete ones, by block number */
    GHashTable *early; /* the others: set of struct early; NULL: `ran` is not asked for, all count as complete */
};

struct early {
    gint64 key; /* block << 32 | ran */
    uint64_t execs;
};

struct exec_cursor {
    struct tcgrr_vtab_cursor base;
    struct tcgrr_vtab_query query;
    struct tcgrr_exec_walk walk;
    /* TCGRR_VTAB_GROUPED; NULL otherwise */
    GArray *tallies; /* struct tally */
    guint at;
    uint64_t left;  /* rows of this tally after this one */
    uint64_t total; /* ASKS_NOTHING: rows of the only tally, which are all executions in their order; 0 otherwise */
};

static const char declaration[] =
    "CREATE TABLE exec( -- executions of blocks; the view exec_count has their number at once\n"
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

/* Without ORDER BY or GROUP BY, a query that reads more than one value of a column expects execution order. */
static bool is_order_seen(const sqlite3_index_info *info)
{
    sqlite3_uint64 fixed = 1u << SCHEMA;
    if (info->idxNum & TCGRR_VTAB_PC) {
        fixed |= 1u << PC;
    }
    if (info->idxNum & TCGRR_VTAB_BLOCK) {
        fixed |= 1u << BLOCK | 1u << PC | 1u << INSNS;
    }
    return info->nOrderBy == 0 && (info->colUsed & ~fixed);
}

/* Chooses rows by block where nothing is asked for that distinguishes two executions of a block. */
static int plan_grouped(sqlite3_index_info *info)
{
    const int allowed = TCGRR_VTAB_PC | TCGRR_VTAB_PC_LOW | TCGRR_VTAB_PC_HIGH | TCGRR_VTAB_BLOCK | TCGRR_VTAB_SCHEMA;
    const sqlite3_uint64 columns = 1u << BLOCK | 1u << PC | 1u << INSNS | 1u << RAN | 1u << SCHEMA;
    int by = info->nOrderBy == 1 ? info->aOrderBy[0].iColumn : BLOCK;

    if ((info->idxNum & ~allowed) || (info->colUsed & ~columns) || info->nOrderBy > 1 || (by != BLOCK && by != PC) ||
        is_order_seen(info)) {
        return SQLITE_OK;
    }
    if (info->nOrderBy == 0 && (info->idxNum & ~TCGRR_VTAB_SCHEMA) == 0) {
        info->idxNum |= ASKS_NOTHING;
    }
    info->idxNum |= TCGRR_VTAB_GROUPED | (by == PC ? TCGRR_VTAB_BY_PC : 0);
    info->orderByConsumed = info->nOrderBy == 1;
    if (info->colUsed & 1u << RAN) {
        info->idxNum |= ASKS_RAN;
    }
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
    tcgrr_exec_walk_end(&cursor->walk);
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
    if (left->block != right->block) {
        return left->block < right->block ? -1 : 1;
    }
    return left->ran < right->ran ? -1 : left->ran > right->ran;
}

static int by_pc(const void *a, const void *b)
{
    const struct tally *left = a;
    const struct tally *right = b;
    return left->pc != right->pc ? (left->pc < right->pc ? -1 : 1) : by_number(a, b);
}

/* False: an execution is not in the lists. */
static bool add_early(struct count *count, const struct tcgrr_chunk *chunk)
{
    for (guint i = 0; i < chunk->partials->len; i++) {
        const struct tcgrr_partial *partial = &g_array_index(chunk->partials, struct tcgrr_partial, i);
        uint32_t block = chunk->blocks[partial->index];
        gint64 key = (gint64)block << 32 | partial->ran;
        if (count->execs[block]-- == 0) {
            return false;
        }
        struct early *early = g_hash_table_lookup(count->early, &key);
        if (!early) {
            early = g_new(struct early, 1);
            *early = (struct early){.key = key};
            g_hash_table_add(count->early, early);
        }
        early->execs++;
    }
    return true;
}

/* Adds the executions of chunk `id`, whose list is `uses`. */
static bool add_chunk(struct exec_cursor *cursor, struct count *count, int64_t id, const GArray *uses, GError **error)
{
    bool complete = true;
    bool found;

    for (guint i = 0; i < uses->len; i++) {
        const struct tcgrr_block_use *use = &g_array_index(uses, struct tcgrr_block_use, i);
        if (use->block >= tcgrr_blocks_count(count->blocks)) {
            return tcgrr_reader_damaged(tcgrr_sql_trace_reader(cursor->base.trace), error,
                                        "chunk %" G_GINT64_FORMAT " lists a block that is missing", id);
        }
        count->execs[use->block] += use->execs;
        complete = complete && use->lost == 0;
    }
    if (complete || !count->early) {
        return true;
    }
    struct tcgrr_cached_chunk *chunk =
        tcgrr_chunk_cache_get(tcgrr_sql_trace_chunk_cache(cursor->base.trace), id, &found, error);
    if (!chunk) {
        return false;
    }
    bool good = add_early(count, chunk->chunk);
    tcgrr_chunk_cache_unpin(chunk);
    return good || tcgrr_reader_damaged(tcgrr_sql_trace_reader(cursor->base.trace), error,
                                        "chunk %" G_GINT64_FORMAT " executes a block that it does not list", id);
}

/* Adds up the chunks' lists. */
static bool add_up(struct exec_cursor *cursor, struct count *count, GError **error)
{
    g_autoptr(GArray) uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use));
    bool found = true;

    for (int64_t id = 0;; id++) {
        if (!tcgrr_reader_summary(tcgrr_sql_trace_reader(cursor->base.trace), id, uses, &found, error)) {
            return false;
        }
        if (!found) {
            return true;
        }
        if (!add_chunk(cursor, count, id, uses, error)) {
            return false;
        }
    }
}

static void add_tally(struct exec_cursor *cursor, const struct count *count, uint32_t block, uint32_t ran,
                      uint64_t execs, bool once)
{
    const GArray *wanted = cursor->query.wanted;
    struct tally tally = {block, ran, (int64_t)tcgrr_blocks_get(count->blocks, block)->pc, once ? 1 : execs};
    if (execs && (!wanted || (block < wanted->len && g_array_index(wanted, bool, block)))) {
        g_array_append_val(cursor->tallies, tally);
    }
}

static void make_tallies(struct exec_cursor *cursor, const struct count *count, int bits)
{
    bool once = bits & TCGRR_VTAB_ONCE;
    GHashTableIter iterator;
    gpointer key;

    for (uint32_t i = 0; i < tcgrr_blocks_count(count->blocks); i++) {
        add_tally(cursor, count, i, tcgrr_blocks_get(count->blocks, i)->insns, count->execs[i], once);
    }
    if (count->early) {
        g_hash_table_iter_init(&iterator, count->early);
        while (g_hash_table_iter_next(&iterator, &key, NULL)) {
            const struct early *early = key;
            add_tally(cursor, count, (uint32_t)(early->key >> 32), (uint32_t)early->key, early->execs, once);
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
}

static void make_one_tally(struct exec_cursor *cursor, const struct count *count)
{
    struct tally tally = {0};
    for (uint32_t i = 0; i < tcgrr_blocks_count(count->blocks); i++) {
        tally.execs += count->execs[i];
    }
    cursor->total = tally.execs;
    if (tally.execs) {
        g_array_append_val(cursor->tallies, tally);
    }
}

static int filter_grouped(struct exec_cursor *cursor, int bits)
{
    GError *error = NULL;
    struct count count = {.blocks = tcgrr_sql_trace_blocks(cursor->base.trace, &error)};

    cursor->tallies = g_array_new(FALSE, FALSE, sizeof(struct tally));
    cursor->at = 0;
    cursor->left = 0;
    cursor->total = 0;
    if (!count.blocks) {
        return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
    }
    count.execs = g_new0(uint64_t, tcgrr_blocks_count(count.blocks));
    count.early = bits & ASKS_RAN ? g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL) : NULL;
    bool good = add_up(cursor, &count, &error);
    if (good && bits & ASKS_NOTHING) {
        make_one_tally(cursor, &count);
    } else if (good) {
        make_tallies(cursor, &count, bits);
    }
    g_free(count.execs);
    g_clear_pointer(&count.early, g_hash_table_unref);
    if (cursor->tallies->len) {
        cursor->left = g_array_index(cursor->tallies, struct tally, 0).execs - 1;
    }
    return good ? SQLITE_OK : tcgrr_vtab_fail(cursor->base.base.pVtab, error);
}

static int exec_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int count, sqlite3_value **arguments)
{
    struct exec_cursor *cursor = (struct exec_cursor *)base;
    GError *error = NULL;

    tcgrr_exec_walk_end(&cursor->walk);
    g_clear_pointer(&cursor->tallies, g_array_unref);
    int status = tcgrr_vtab_query_read(&cursor->query, &cursor->base, TCGRR_LEVEL_FLOW, bits, false, arguments);
    if (status == SQLITE_OK && bits & TCGRR_VTAB_GROUPED) {
        return filter_grouped(cursor, bits);
    }
    if (status == SQLITE_OK && !tcgrr_exec_walk_begin(&cursor->walk, tcgrr_sql_trace_chunk_cache(cursor->base.trace),
                                                      &cursor->query.range, &error)) {
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
    return tcgrr_exec_walk_next(&cursor->walk, &error) ? SQLITE_OK : tcgrr_vtab_fail(base->pVtab, error);
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
    } else if (column == RAN) {
        sqlite3_result_int64(context, tally->ran);
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
        sqlite3_result_int64(context, tcgrr_exec_walk_seq(&cursor->walk));
        break;
    case ICOUNT:
        sqlite3_result_int64(context, (sqlite3_int64)at->icount);
        break;
    case VCPU:
        sqlite3_result_int64(context, at->vcpu);
        break;
    case BLOCK:
        sqlite3_result_int64(context, tcgrr_exec_walk_block(&cursor->walk));
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
    const struct exec_cursor *cursor = (struct exec_cursor *)base;
    if (!cursor->tallies) {
        *rowid = tcgrr_exec_walk_seq(&cursor->walk);
    } else if (cursor->total) {
        *rowid = (sqlite3_int64)(cursor->total - 1 - cursor->left);
    } else {
        sqlite3_free(base->pVtab->zErrMsg);
        base->pVtab->zErrMsg = sqlite3_mprintf("rows of exec by block have no rowid: ask for seq");
        return SQLITE_ERROR;
    }
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_exec = {
    .name = "exec",
    .declaration = declaration,
    .module =
        {
            .iVersion = 0,
            .xConnect = tcgrr_vtab_connect, /* no xCreate: the table exists without CREATE VIRTUAL TABLE */
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
