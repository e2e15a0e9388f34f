/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/sql/vtab_rows.h"

int tcgrr_vtab_rows_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct tcgrr_vtab_table *table = ((struct tcgrr_vtab *)base)->table;
    bool by_rowid = info->nOrderBy > 0 && info->aOrderBy[0].iColumn < 0;
    size_t rules = 0;
    bool descending;

    while (rules < TCGRR_VTAB_MAX_RULES && table->rules[rules].text) {
        rules++;
    }
    int status = tcgrr_vtab_plan(info, table->rules, rules, table->rows);
    info->orderByConsumed =
        !by_rowid && tcgrr_vtab_ordered(info, table->ordered, &descending) && descending == table->descending;
    if (table->cost > 0) {
        info->estimatedCost = table->cost;
    }
    return status;
}

int tcgrr_vtab_rows_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    const struct tcgrr_vtab_table *described = ((struct tcgrr_vtab *)table)->table;
    struct tcgrr_vtab_rows *made = sqlite3_malloc(sizeof(*made));
    if (!made) {
        return SQLITE_NOMEM;
    }
    *made = (struct tcgrr_vtab_rows){.rows = g_array_new(FALSE, TRUE, (guint)described->row)};
    g_array_set_clear_func(made->rows, described->clear);
    *cursor = &made->base.base;
    return SQLITE_OK;
}

int tcgrr_vtab_rows_close(sqlite3_vtab_cursor *base)
{
    struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    g_array_unref(cursor->rows);
    tcgrr_sql_trace_unref(cursor->base.trace);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

int tcgrr_vtab_rows_next(sqlite3_vtab_cursor *base)
{
    ((struct tcgrr_vtab_rows *)base)->at++;
    return SQLITE_OK;
}

int tcgrr_vtab_rows_eof(sqlite3_vtab_cursor *base)
{
    const struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    return cursor->at >= cursor->rows->len;
}

int tcgrr_vtab_rows_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = ((struct tcgrr_vtab_rows *)base)->at;
    return SQLITE_OK;
}

int tcgrr_vtab_rows_begin(struct tcgrr_vtab_rows *cursor, sqlite3_value *schema, int64_t first, int64_t last)
{
    g_array_set_size(cursor->rows, 0);
    cursor->at = 0;
    return tcgrr_vtab_use(&cursor->base, schema, TCGRR_LEVEL_FLOW, first, last);
}

int64_t tcgrr_vtab_argument(sqlite3_value *value, int64_t missing)
{
    int64_t low = INT64_MIN;
    int64_t high = INT64_MAX;
    if (!value || sqlite3_value_type(value) == SQLITE_NULL) {
        return missing;
    }
    tcgrr_vtab_narrow(value, TCGRR_VTAB_EQ, &low, &high);
    return low > high ? missing : low;
}

static int result_name(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, char *symbol, GError *error)
{
    if (error) {
        return tcgrr_vtab_fail(cursor->base.pVtab, error);
    }
    tcgrr_vtab_result_text(context, symbol);
    return SQLITE_OK;
}

int tcgrr_vtab_result_symbol(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, uint64_t pc)
{
    GError *error = NULL;
    char *symbol = tcgrr_sql_trace_symbol(cursor->trace, pc, true, &error);
    return result_name(cursor, context, symbol, error);
}

int tcgrr_vtab_result_symbol_then(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, uint64_t pc,
                                  tcgrr_icount icount)
{
    GError *error = NULL;
    char *symbol = tcgrr_sql_trace_symbol_then(cursor->trace, pc, icount, &error);
    return result_name(cursor, context, symbol, error);
}

static int result_source(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, uint64_t pc, bool inlined)
{
    GError *error = NULL;
    char *text = tcgrr_sql_trace_source(cursor->trace, pc, inlined, &error);
    if (error) {
        return tcgrr_vtab_fail(cursor->base.pVtab, error);
    }
    tcgrr_vtab_result_text(context, text);
    return SQLITE_OK;
}

int tcgrr_vtab_result_line(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, uint64_t pc)
{
    return result_source(cursor, context, pc, false);
}

int tcgrr_vtab_result_inlined(const struct tcgrr_vtab_cursor *cursor, sqlite3_context *context, uint64_t pc)
{
    return result_source(cursor, context, pc, true);
}
