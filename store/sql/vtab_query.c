/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/sql/vtab_query.h"

#include <string.h>

#define RULES TCGRR_VTAB_QUERY_RULES

static void make_rules(const struct tcgrr_vtab_columns *columns, struct tcgrr_vtab_rule *rules)
{
    const struct tcgrr_vtab_rule made[RULES] = {
        {columns->seq, TCGRR_VTAB_EQ, TCGRR_VTAB_SEQ, "seq=?", 1e-8, false},
        {columns->seq, TCGRR_VTAB_LOW, TCGRR_VTAB_SEQ_LOW, "seq>?", 1e-2, false},
        {columns->seq, TCGRR_VTAB_HIGH, TCGRR_VTAB_SEQ_HIGH, "seq<?", 1e-2, false},
        {columns->icount, TCGRR_VTAB_EQ, TCGRR_VTAB_ICOUNT, "icount=?", 1e-8, false},
        {columns->icount, TCGRR_VTAB_LOW, TCGRR_VTAB_ICOUNT_LOW, "icount>?", 1e-2, false},
        {columns->icount, TCGRR_VTAB_HIGH, TCGRR_VTAB_ICOUNT_HIGH, "icount<?", 1e-2, false},
        {columns->vcpu, TCGRR_VTAB_EQ, TCGRR_VTAB_VCPU, "vcpu=?", 0.5, false},
        {columns->pc, TCGRR_VTAB_EQ, TCGRR_VTAB_PC, "pc=?", 1e-4, false},
        {columns->pc, TCGRR_VTAB_LOW, TCGRR_VTAB_PC_LOW, "pc>?", 0.2, false},
        {columns->pc, TCGRR_VTAB_HIGH, TCGRR_VTAB_PC_HIGH, "pc<?", 0.2, false},
        {columns->block, TCGRR_VTAB_EQ, TCGRR_VTAB_BLOCK, "block=?", 1e-4, false},
        {columns->schema, TCGRR_VTAB_EQ, TCGRR_VTAB_SCHEMA, "of schema", 1, true},
    };
    memcpy(rules, made, sizeof(made));
}

int tcgrr_vtab_query_arguments(int bits)
{
    return __builtin_popcount((unsigned)bits & ((1u << RULES) - 1));
}

int tcgrr_vtab_query_plan(sqlite3_index_info *info, const struct tcgrr_vtab_columns *columns,
                          const struct tcgrr_vtab_rule *more, size_t more_count, double rows)
{
    struct tcgrr_vtab_rule rules[RULES + TCGRR_VTAB_QUERY_MORE];
    bool descending;

    make_rules(columns, rules);
    if (more_count > 0) {
        memcpy(rules + RULES, more, more_count * sizeof(*more));
    }
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn == -1) {
            for (int r = 0; r < RULES; r++) { /* rowid is another name of a column */
                if (rules[r].column == columns->rowid) {
                    rules[r].column = -1;
                }
            }
            break;
        }
    }
    int status = tcgrr_vtab_plan(info, rules, RULES + more_count, rows);
    if (status != SQLITE_OK) {
        return status;
    }
    if (tcgrr_vtab_ordered(info, 1u << columns->seq | 1u << columns->icount, &descending)) {
        info->orderByConsumed = 1;
        if (descending) {
            info->idxNum |= TCGRR_VTAB_DESCENDING;
            return tcgrr_vtab_explain(info, "backwards");
        }
    }
    return SQLITE_OK;
}

static bool any_pc(const struct tcgrr_block *block, bool inside, int64_t first, int64_t last)
{
    uint64_t pc = block->pc;
    for (uint32_t i = 0; i < (inside ? block->insns : 1); i++) {
        if ((int64_t)pc >= first && (int64_t)pc <= last) {
            return true;
        }
        pc += block->lengths[i];
    }
    return false;
}

static int fill_wanted(struct tcgrr_vtab_query *query, struct tcgrr_vtab_cursor *cursor, int64_t first_block,
                       int64_t last_block, bool inside)
{
    GError *error = NULL;
    const struct tcgrr_blocks *blocks = tcgrr_sql_trace_blocks(cursor->trace, &error);
    bool any = false;

    if (!blocks) {
        return tcgrr_vtab_fail(cursor->base.pVtab, error);
    }
    uint32_t count = tcgrr_blocks_count(blocks);
    query->wanted = g_array_sized_new(FALSE, TRUE, sizeof(bool), count);
    g_array_set_size(query->wanted, count);
    for (int64_t i = MAX(first_block, 0); i < count && i <= last_block; i++) {
        bool wanted = any_pc(tcgrr_blocks_get(blocks, (uint32_t)i), inside, query->first_pc, query->last_pc);
        g_array_index(query->wanted, bool, i) = wanted;
        any = any || wanted;
    }
    query->range.wanted = query->wanted;
    if (!any) {
        query->range.last_seq = -1;
    }
    return SQLITE_OK;
}

int tcgrr_vtab_query_read(struct tcgrr_vtab_query *query, struct tcgrr_vtab_cursor *cursor, enum tcgrr_level level,
                          int bits, bool inside, sqlite3_value **arguments)
{
    sqlite3_value *values[RULES] = {NULL};
    struct tcgrr_vtab_rule rules[RULES];
    int64_t first_vcpu = 0, last_vcpu = INT64_MAX, first_block = 0, last_block = INT64_MAX;
    struct tcgrr_exec_range *range = &query->range;
    int64_t *const lows[] = {&range->first_seq,    &range->first_seq,    &range->first_seq, &range->first_icount,
                             &range->first_icount, &range->first_icount, &first_vcpu,       &query->first_pc,
                             &query->first_pc,     &query->first_pc,     &first_block};
    int64_t *const highs[] = {&range->last_seq,    &range->last_seq,    &range->last_seq, &range->last_icount,
                              &range->last_icount, &range->last_icount, &last_vcpu,       &query->last_pc,
                              &query->last_pc,     &query->last_pc,     &last_block};

    make_rules(&(struct tcgrr_vtab_columns){0}, rules); /* for bits and operators; columns do not matter here */
    tcgrr_vtab_query_clear(query);
    *range = (struct tcgrr_exec_range)TCGRR_EXEC_RANGE_ALL;
    range->descending = bits & TCGRR_VTAB_DESCENDING;
    query->first_pc = INT64_MIN;
    query->last_pc = INT64_MAX;
    for (int i = 0, next = 0; i < RULES; i++) {
        if (bits & (int)rules[i].bit) {
            values[i] = arguments[next++];
        }
        if (i < RULES - 1 && values[i]) {
            tcgrr_vtab_narrow(values[i], rules[i].relation, lows[i], highs[i]);
        }
    }
    /* Numbers of executions are those of what is there. */
    bool numbered = bits & (TCGRR_VTAB_SEQ | TCGRR_VTAB_SEQ_LOW | TCGRR_VTAB_SEQ_HIGH);
    int status = tcgrr_vtab_use(cursor, values[RULES - 1], level, range->first_icount,
                                numbered ? range->first_icount - 1 : range->last_icount);
    if (status != SQLITE_OK) {
        return status;
    }
    if (bits & TCGRR_VTAB_VCPU) {
        range->vcpu = first_vcpu;
        range->last_seq = first_vcpu > last_vcpu ? -1 : range->last_seq;
    }
    if (bits & (TCGRR_VTAB_PC | TCGRR_VTAB_PC_LOW | TCGRR_VTAB_PC_HIGH | TCGRR_VTAB_BLOCK)) {
        return fill_wanted(query, cursor, first_block, last_block, inside);
    }
    return SQLITE_OK;
}

void tcgrr_vtab_query_clear(struct tcgrr_vtab_query *query)
{
    if (query->wanted) {
        g_array_unref(query->wanted);
    }
    *query = (struct tcgrr_vtab_query){0};
}
