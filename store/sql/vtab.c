/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/sql/vtab.h"

#include "store/error.h"
#include "store/layers.h"

#include <math.h>
#include <string.h>

/* ---- plans ---- */

static bool fits(enum tcgrr_vtab_operator relation, unsigned char asked)
{
    switch (relation) {
    case TCGRR_VTAB_EQ:
        return asked == SQLITE_INDEX_CONSTRAINT_EQ;
    case TCGRR_VTAB_LOW:
        return asked == SQLITE_INDEX_CONSTRAINT_GT || asked == SQLITE_INDEX_CONSTRAINT_GE;
    case TCGRR_VTAB_HIGH:
        return asked == SQLITE_INDEX_CONSTRAINT_LT || asked == SQLITE_INDEX_CONSTRAINT_LE;
    }
    return false;
}

int tcgrr_vtab_explain(sqlite3_index_info *info, const char *text)
{
    char *longer = sqlite3_mprintf("%s%s%s", info->idxStr ? info->idxStr : "", info->idxStr ? " " : "", text);
    if (info->needToFreeIdxStr) {
        sqlite3_free(info->idxStr);
    }
    info->idxStr = longer;
    info->needToFreeIdxStr = longer != NULL;
    return longer ? SQLITE_OK : SQLITE_NOMEM;
}

int tcgrr_vtab_plan(sqlite3_index_info *info, const struct tcgrr_vtab_rule *rules, size_t count, double rows)
{
    int arguments = 0;

    info->idxNum = 0;
    for (size_t r = 0; r < count; r++) {
        for (int i = 0; i < info->nConstraint; i++) {
            if (info->aConstraint[i].iColumn != rules[r].column || !fits(rules[r].relation, info->aConstraint[i].op)) {
                continue;
            }
            if (!info->aConstraint[i].usable) {
                if (rules[r].argument) {
                    return SQLITE_CONSTRAINT;
                }
                continue;
            }
            info->aConstraintUsage[i].argvIndex = ++arguments;
            info->aConstraintUsage[i].omit = rules[r].argument;
            info->idxNum |= (int)rules[r].bit;
            rows *= rules[r].selects;
            if (tcgrr_vtab_explain(info, rules[r].text) != SQLITE_OK) {
                return SQLITE_NOMEM;
            }
            break;
        }
    }
    info->estimatedRows = (sqlite3_int64)MAX(rows, 1);
    info->estimatedCost = MAX(rows, 1) + 10;
    return SQLITE_OK;
}

bool tcgrr_vtab_ordered(const sqlite3_index_info *info, unsigned columns, bool *descending)
{
    if (info->nOrderBy == 0) {
        return false;
    }
    *descending = info->aOrderBy[0].desc;
    for (int i = 0; i < info->nOrderBy; i++) {
        int column = info->aOrderBy[i].iColumn;
        if (column >= 32 || (column >= 0 && !(columns & 1u << column)) || info->aOrderBy[i].desc != *descending) {
            return false;
        }
    }
    return true;
}

/* ---- arguments ---- */

static int64_t clamp(double value)
{
    return value >= 9.2e18 ? INT64_MAX : value <= -9.2e18 ? INT64_MIN : (int64_t)value;
}

void tcgrr_vtab_narrow(sqlite3_value *value, enum tcgrr_vtab_operator relation, int64_t *low, int64_t *high)
{
    int type = sqlite3_value_numeric_type(value);
    int64_t least;
    int64_t most;

    if (type == SQLITE_INTEGER) {
        least = most = sqlite3_value_int64(value);
    } else if (type == SQLITE_FLOAT) {
        least = clamp(floor(sqlite3_value_double(value)));
        most = clamp(ceil(sqlite3_value_double(value)));
    } else if (type == SQLITE_NULL || relation == TCGRR_VTAB_EQ) { /* no number equals a text */
        *low = INT64_MAX;
        *high = INT64_MIN;
        return;
    } else {
        return;
    }
    if (relation != TCGRR_VTAB_HIGH) {
        *low = MAX(*low, least);
    }
    if (relation != TCGRR_VTAB_LOW) {
        *high = MIN(*high, most);
    }
}

/* ---- methods ---- */

int tcgrr_vtab_connect(sqlite3 *db, void *data, int argc, const char *const *argv, sqlite3_vtab **table, char **message)
{
    const struct tcgrr_vtab_table *described = tcgrr_vtab_find(argv[0]);
    int status = sqlite3_declare_vtab(db, described->declaration);
    if (status != SQLITE_OK) {
        *message = sqlite3_mprintf("%s", sqlite3_errmsg(db));
        return status;
    }
    struct tcgrr_vtab *made = sqlite3_malloc(sizeof(*made));
    if (!made) {
        return SQLITE_NOMEM;
    }
    *made = (struct tcgrr_vtab){.table = described, .sql = tcgrr_sql_ref(data)};
    tcgrr_sql_connected(made->sql, true);
    sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    *table = &made->base;
    return SQLITE_OK;
}

int tcgrr_vtab_disconnect(sqlite3_vtab *table)
{
    struct tcgrr_vtab *made = (struct tcgrr_vtab *)table;
    tcgrr_sql_connected(made->sql, false);
    tcgrr_sql_unref(made->sql);
    sqlite3_free(made);
    return SQLITE_OK;
}

int tcgrr_vtab_use(struct tcgrr_vtab_cursor *cursor, sqlite3_value *schema, enum tcgrr_level level, int64_t first,
                   int64_t last)
{
    struct tcgrr_vtab *table = (struct tcgrr_vtab *)cursor->base.pVtab;
    const char *name = schema ? (const char *)sqlite3_value_text(schema) : "main";
    GError *error = NULL;

    tcgrr_sql_trace_unref(cursor->trace);
    cursor->trace = NULL;
    if (!name || !sqlite3_db_filename(tcgrr_sql_db(table->sql), name)) {
        g_set_error(&error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "no database is attached as '%s'", name ? name : "NULL");
        return tcgrr_vtab_fail(&table->base, error);
    }
    cursor->trace = tcgrr_sql_trace_get(table->sql, name, &error);
    if (!cursor->trace || !tcgrr_sql_trace_need(cursor->trace, level, first, last, &error)) {
        return tcgrr_vtab_fail(&table->base, error);
    }
    return SQLITE_OK;
}

int tcgrr_vtab_fail(sqlite3_vtab *table, GError *error)
{
    sqlite3 *db = tcgrr_sql_db(((struct tcgrr_vtab *)table)->sql);
    int code = error->code == TCGRR_ERROR_STOPPED   ? SQLITE_INTERRUPT
               : error->code == TCGRR_ERROR_DAMAGED ? SQLITE_CORRUPT_VTAB
               : error->code == TCGRR_ERROR_FAILED || error->code >= TCGRR_ERROR_LACKS
                   ? SQLITE_IOERR /* the query is right, the trace is not */
               : sqlite3_errcode(db) == SQLITE_NOMEM ? SQLITE_NOMEM
                                                     : SQLITE_ERROR;
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", error->message);
    g_error_free(error);
    return code;
}

void tcgrr_vtab_result_text(sqlite3_context *context, char *text)
{
    if (text) {
        sqlite3_result_text(context, text, -1, g_free);
    } else {
        sqlite3_result_null(context);
    }
}

void tcgrr_vtab_result_schema(sqlite3_context *context, const struct tcgrr_vtab_cursor *cursor)
{
    sqlite3_result_text(context, tcgrr_sql_trace_reader(cursor->trace)->schema, -1, SQLITE_TRANSIENT);
}

/* The bytes are in the order of the guest, which is lowest first for all that can be sampled. */
void tcgrr_vtab_result_register(sqlite3_context *context, const struct tcgrr_state_register *shown,
                                const uint8_t *image)
{
    const uint8_t *bytes = image + shown->offset;
    if (shown->size > sizeof(uint64_t)) {
        sqlite3_result_blob(context, bytes, (int)shown->size, SQLITE_TRANSIENT);
    } else {
        uint64_t value = 0;
        memcpy(&value, bytes, shown->size);
        sqlite3_result_int64(context, (sqlite3_int64)GUINT64_FROM_LE(value));
    }
}
