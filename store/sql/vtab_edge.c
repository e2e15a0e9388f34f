/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which block followed which on the same vCPU, and how often: the control-flow graph as it ran. All executions in
 * question are decoded for it. idxNum is enum plan.
 *
 *   SELECT addr(f.pc), addr(t.pc), execs FROM edge JOIN block AS f ON f.id = from_block JOIN block AS t ON t.id =
 * to_block ORDER BY execs DESC LIMIT 10; SELECT * FROM edge(1000000, 2000000);  -- within an interval of icount
 */
#include "store/sql/vtab_rows.h"

enum { FROM, TO, EXECS, SINCE, UNTIL, SCHEMA };

enum plan { PLAN_SINCE = 1, PLAN_UNTIL = 2, PLAN_SCHEMA = 4 };

#define EXPECTED_ROWS 1e5
#define NO_BLOCK      UINT32_MAX

struct row {
    uint32_t from;
    uint32_t to;
    uint64_t execs;
};

/* What is needed while counting. */
struct count {
    GArray *rows;        /* struct row */
    GHashTable *by_edge; /* from << 28 | to → index in `rows` + 1 */
    GArray *last;     /* of uint32_t by block: index + 1 of the edge last taken from it, most often the next one, too */
    GArray *previous; /* of uint32_t by vCPU: its last block */
};

static const char declaration[] =
    "CREATE TABLE edge( -- edge(since, until): which block followed which on the same vCPU\n"
    "  from_block INTEGER, -- block.id\n"
    "  to_block INTEGER,\n"
    "  execs INTEGER,      -- how often\n"
    "  since INTEGER HIDDEN, -- the arguments: only executions that begin at this icount or later,\n"
    "  until INTEGER HIDDEN, -- and at this one or earlier,\n"
    "  schema TEXT HIDDEN    -- and the name under which a trace is attached (main)\n"
    ")";

/* ---- counting ---- */

static guint hash_edge(gconstpointer key)
{
    return (guint)(((uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* Element `index` of an array of uint32_t, which grows with `fill` where it is shorter. */
static uint32_t *slot(GArray *array, uint32_t index, uint32_t fill)
{
    while (array->len <= index) {
        g_array_append_val(array, fill);
    }
    return &g_array_index(array, uint32_t, index);
}

static void count_edge(struct count *count, uint32_t from, uint32_t to)
{
    uint32_t *last = slot(count->last, from, 0);
    if (*last && g_array_index(count->rows, struct row, *last - 1).to == to) {
        g_array_index(count->rows, struct row, *last - 1).execs++;
        return;
    }
    gpointer key = (gpointer)(uintptr_t)((uint64_t)from << 28 | to); /* block numbers have 28 bits */
    *last = GPOINTER_TO_UINT(g_hash_table_lookup(count->by_edge, key));
    if (!*last) {
        struct row row = {.from = from, .to = to};
        g_array_append_val(count->rows, row);
        *last = count->rows->len;
        g_hash_table_insert(count->by_edge, key, GUINT_TO_POINTER(*last));
    }
    g_array_index(count->rows, struct row, *last - 1).execs++;
}

static bool count_all(struct tcgrr_vtab_rows *cursor, const struct tcgrr_exec_range *range, GError **error)
{
    struct count count = {.rows = cursor->rows, .by_edge = g_hash_table_new(hash_edge, g_direct_equal)};
    struct tcgrr_exec_walk walk = {0};
    bool good = tcgrr_exec_walk_begin(&walk, tcgrr_sql_trace_chunk_cache(cursor->base.trace), range, error);

    count.last = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    count.previous = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    while (good && !walk.end) {
        uint32_t *previous = slot(count.previous, MIN(walk.at.vcpu, 4095u), NO_BLOCK);
        uint32_t block = tcgrr_exec_walk_block(&walk);
        if (*previous != NO_BLOCK && (int64_t)walk.at.icount >= range->first_icount) {
            count_edge(&count, *previous, block);
        }
        *previous = block;
        good = tcgrr_exec_walk_next(&walk, error);
    }
    tcgrr_exec_walk_end(&walk);
    g_hash_table_unref(count.by_edge);
    g_array_unref(count.last);
    g_array_unref(count.previous);
    return good;
}

static int edge_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int argc, sqlite3_value **arguments)
{
    struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    GError *error = NULL;
    int next = 0;

    range.first_icount = tcgrr_vtab_argument(bits & PLAN_SINCE ? arguments[next++] : NULL, 0);
    range.last_icount = tcgrr_vtab_argument(bits & PLAN_UNTIL ? arguments[next++] : NULL, INT64_MAX);
    int status = tcgrr_vtab_rows_begin(cursor, bits & PLAN_SCHEMA ? arguments[next] : NULL, range.first_icount,
                                       range.last_icount);
    if (status != SQLITE_OK) {
        return status;
    }
    return count_all(cursor, &range, &error) ? SQLITE_OK : tcgrr_vtab_fail(base->pVtab, error);
}

static int edge_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    const struct row *row = &g_array_index(cursor->rows, struct row, cursor->at);
    const int64_t values[] = {row->from, row->to, (int64_t)row->execs};
    if (column <= EXECS) {
        sqlite3_result_int64(context, values[column]);
    }
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_edge = {
    .name = "edge",
    .declaration = declaration,
    .module = TCGRR_VTAB_ROWS_MODULE(edge_filter, edge_column),
    .rules = {{SINCE, TCGRR_VTAB_EQ, PLAN_SINCE, "since=?", 1, true},
              {UNTIL, TCGRR_VTAB_EQ, PLAN_UNTIL, "until=?", 1, true},
              {SCHEMA, TCGRR_VTAB_EQ, PLAN_SCHEMA, "of schema", 1, true}},
    .row = sizeof(struct row),
    .rows = EXPECTED_ROWS,
    .cost = 1e8,
};
