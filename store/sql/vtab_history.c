/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The executions that began before an icount, newest first. idxNum is enum plan.
 *
 *   SELECT icount, addr(pc), symbol FROM history(1000000, 30);
 */
#include "store/sql/vtab_rows.h"

#include "store/error.h"

enum { SEQ, ICOUNT, VCPU, BLOCK, PC, INSNS, RAN, SYMBOL, LINE, BEFORE, COUNT, SCHEMA };

enum plan { PLAN_BEFORE = 1, PLAN_COUNT = 2, PLAN_SCHEMA = 4 };

#define USUAL_COUNT 20
#define MAX_COUNT   1000000

struct row {
    int64_t seq, icount, pc;
    uint32_t vcpu, block, insns, ran;
};

static const char declaration[] =
    "CREATE TABLE history( -- history(icount, n): the n executions that began before icount, newest first\n"
    "  seq INTEGER,     -- columns as in exec\n"
    "  icount INTEGER,\n"
    "  vcpu INTEGER,\n"
    "  block INTEGER,\n"
    "  pc INTEGER,\n"
    "  insns INTEGER,\n"
    "  ran INTEGER,\n"
    "  symbol TEXT,     -- name+0x10\n"
    "  line TEXT,       -- file.c:12; NULL: no DWARF has it\n"
    "  before INTEGER HIDDEN, -- the arguments: icount (the trace's end),\n"
    "  n INTEGER HIDDEN,      -- how many (20),\n"
    "  schema TEXT HIDDEN     -- and the name under which a trace is attached (main)\n"
    ")";

static bool collect(struct tcgrr_vtab_rows *cursor, int64_t before, int64_t count, GError **error)
{
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    struct tcgrr_exec_walk walk = {0};

    range.last_icount = before == INT64_MAX ? before : before - 1;
    range.descending = true;
    bool good =
        count == 0 || tcgrr_exec_walk_begin(&walk, tcgrr_sql_trace_chunk_cache(cursor->base.trace), &range, error);
    while (good && cursor->rows->len < count && !walk.end) {
        struct row row = {.seq = tcgrr_exec_walk_seq(&walk),
                          .icount = (int64_t)walk.at.icount,
                          .pc = (int64_t)walk.at.block->pc,
                          .vcpu = walk.at.vcpu,
                          .block = tcgrr_exec_walk_block(&walk),
                          .insns = walk.at.block->insns,
                          .ran = walk.at.ran};
        g_array_append_val(cursor->rows, row);
        good = cursor->rows->len == count || tcgrr_exec_walk_next(&walk, error);
    }
    tcgrr_exec_walk_end(&walk);
    return good;
}

static int history_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int argc, sqlite3_value **arguments)
{
    struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    int next = 0;
    int64_t before = tcgrr_vtab_argument(bits & PLAN_BEFORE ? arguments[next++] : NULL, INT64_MAX);
    int64_t count = tcgrr_vtab_argument(bits & PLAN_COUNT ? arguments[next++] : NULL, USUAL_COUNT);
    GError *error = NULL;

    int status = tcgrr_vtab_rows_begin(cursor, bits & PLAN_SCHEMA ? arguments[next] : NULL, 0, -1);
    if (status != SQLITE_OK) {
        return status;
    }
    if (count < 0 || count > MAX_COUNT) {
        g_set_error(
            &error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
            "history() gives 0 to %d executions; for more: SELECT … FROM exec WHERE icount < … ORDER BY seq DESC",
            MAX_COUNT);
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    bool good = collect(cursor, before, count, &error);
    if (good) { /* only now is it known how far back that goes */
        bool all = count > 0 && cursor->rows->len == count;
        int64_t oldest = all ? g_array_index(cursor->rows, struct row, count - 1).icount : 0;
        good =
            tcgrr_sql_trace_need(cursor->base.trace, TCGRR_LEVEL_FLOW, oldest, before - (before < INT64_MAX), &error);
    }
    return good ? SQLITE_OK : tcgrr_vtab_fail(base->pVtab, error);
}

static int history_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    const struct row *row = &g_array_index(cursor->rows, struct row, cursor->at);
    const int64_t values[] = {row->seq, row->icount, row->vcpu, row->block, row->pc, row->insns, row->ran};

    if (column == SYMBOL) {
        return tcgrr_vtab_result_symbol_then(&cursor->base, context, (uint64_t)row->pc, (tcgrr_icount)row->icount);
    }
    if (column == LINE) {
        return tcgrr_vtab_result_line(&cursor->base, context, (uint64_t)row->pc);
    }
    if (column <= RAN) {
        sqlite3_result_int64(context, values[column]);
    }
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_history = {
    .name = "history",
    .declaration = declaration,
    .module = TCGRR_VTAB_ROWS_MODULE(history_filter, history_column),
    .rules = {{BEFORE, TCGRR_VTAB_EQ, PLAN_BEFORE, "before=?", 1, true},
              {COUNT, TCGRR_VTAB_EQ, PLAN_COUNT, "n=?", 1, true},
              {SCHEMA, TCGRR_VTAB_EQ, PLAN_SCHEMA, "of schema", 1, true}},
    .row = sizeof(struct row),
    .rows = USUAL_COUNT,
    .ordered = 1u << SEQ | 1u << ICOUNT,
    .descending = true,
};
