/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's registers where they were sampled. idxNum is enum plan.
 *
 *   SELECT icount, value FROM state WHERE register = 'sp' AND icount BETWEEN 1000000 AND 2000000;
 *   SELECT register, addr(value) FROM state WHERE icount = (SELECT max(icount) FROM state WHERE icount <= 5000000);
 */
#include "store/sql/vtab.h"

#include <string.h>

enum { ICOUNT, VCPU, REGISTER, VALUE, SIZE, STORES, SCHEMA };

enum plan {
    PLAN_ICOUNT = 1,
    PLAN_LOW = 2,
    PLAN_HIGH = 4,
    PLAN_REGISTER = 8,
    PLAN_SCHEMA = 16,
};

#define EXPECTED_ROWS 1e6
#define RULE_REGISTER 3 /* in `rules` */
#define NO_COLUMN     (-2)

static const struct tcgrr_vtab_rule rules[] = {
    {ICOUNT, TCGRR_VTAB_EQ, PLAN_ICOUNT, "icount=?", 1e-4, false},
    {ICOUNT, TCGRR_VTAB_LOW, PLAN_LOW, "icount>?", 0.1, false},
    {ICOUNT, TCGRR_VTAB_HIGH, PLAN_HIGH, "icount<?", 0.1, false},
    {REGISTER, TCGRR_VTAB_EQ, PLAN_REGISTER, "register=?", 1e-2, false},
    {SCHEMA, TCGRR_VTAB_EQ, PLAN_SCHEMA, "of schema", 1, true},
};

struct state_cursor {
    struct tcgrr_vtab_cursor base;
    struct tcgrr_samples *samples; /* of `chunk` */
    struct tcgrr_sample_cursor at;
    int64_t chunk;
    int64_t first_icount;
    int64_t last_icount;
    uint32_t first_register; /* those that are wanted */
    uint32_t end_register;
    uint32_t number; /* the current one */
    int64_t row;
    bool end;
};

static const char declaration[] = "CREATE TABLE state( -- registers where they were sampled (record --level state)\n"
                                  "  icount INTEGER,  -- instructions before it\n"
                                  "  vcpu INTEGER,\n"
                                  "  register TEXT,   -- register.name\n"
                                  "  value,           -- an integer up to 8 bytes, else a blob, lowest byte first\n"
                                  "  size INTEGER,    -- of the register, in bytes\n"
                                  "  stores INTEGER,  -- digest of all stores before it; NULL: not known\n"
                                  "  schema TEXT HIDDEN  -- state('other'): of the trace attached as other\n"
                                  ")";

static int state_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    struct tcgrr_vtab_rule usable[G_N_ELEMENTS(rules)];
    bool descending;

    memcpy(usable, rules, sizeof(rules));
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn == REGISTER && strcmp(sqlite3_vtab_collation(info, i), "BINARY") != 0) {
            usable[RULE_REGISTER].column = NO_COLUMN; /* names are found by their exact bytes only */
        }
    }
    int status = tcgrr_vtab_plan(info, usable, G_N_ELEMENTS(usable), EXPECTED_ROWS);
    info->orderByConsumed = tcgrr_vtab_ordered(info, 1u << ICOUNT, &descending) && !descending;
    return status;
}

static int state_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    struct state_cursor *made = sqlite3_malloc(sizeof(*made));
    if (!made) {
        return SQLITE_NOMEM;
    }
    *made = (struct state_cursor){.samples = tcgrr_samples_new()};
    *cursor = &made->base.base;
    return SQLITE_OK;
}

static int state_close(sqlite3_vtab_cursor *base)
{
    struct state_cursor *cursor = (struct state_cursor *)base;
    tcgrr_sample_end(&cursor->at);
    tcgrr_samples_free(cursor->samples);
    tcgrr_sql_trace_unref(cursor->base.trace);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* Moves from the current sample, if `more`, to the first one that is wanted, in this chunk or another. */
static int settle(struct state_cursor *cursor, bool more)
{
    struct tcgrr_reader *reader = tcgrr_sql_trace_reader(cursor->base.trace);
    GError *error = NULL;

    while (cursor->chunk >= 0) {
        for (; more; more = tcgrr_sample_next(&cursor->at)) {
            int64_t icount = (int64_t)cursor->at.sample->icount;
            if (icount >= cursor->first_icount) {
                cursor->end = icount > cursor->last_icount;
                cursor->number = cursor->first_register;
                return SQLITE_OK;
            }
        }
        tcgrr_sample_end(&cursor->at);
        if (!tcgrr_reader_samples_after(reader, cursor->chunk, cursor->samples, &cursor->chunk, &error)) {
            return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
        }
        more = tcgrr_sample_begin(&cursor->at, cursor->samples);
    }
    cursor->end = true;
    return SQLITE_OK;
}

/* Which registers are wanted: one, none, or all. */
static int choose_registers(struct state_cursor *cursor, bool one, sqlite3_value *value)
{
    GError *error = NULL;
    struct tcgrr_register_table *registers = tcgrr_reader_registers(tcgrr_sql_trace_reader(cursor->base.trace), &error);
    if (!registers) {
        return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
    }
    cursor->first_register = 0;
    cursor->end_register = tcgrr_register_table_count(registers);
    if (one) {
        const char *name = (const char *)sqlite3_value_text(value);
        const struct tcgrr_state_register *found = name ? tcgrr_register_table_find(registers, name) : NULL;
        cursor->first_register = found ? (uint32_t)(found - tcgrr_register_table_get(registers, 0)) : 0;
        cursor->end_register = found ? cursor->first_register + 1 : 0;
    }
    return SQLITE_OK;
}

static int state_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int count, sqlite3_value **arguments)
{
    struct state_cursor *cursor = (struct state_cursor *)base;
    sqlite3_value *schema = bits & PLAN_SCHEMA ? arguments[count - 1] : NULL;
    GError *error = NULL;
    int next = 0;

    tcgrr_sample_end(&cursor->at);
    cursor->first_icount = 0;
    cursor->last_icount = INT64_MAX;
    cursor->end = true;
    cursor->row = 0;
    for (size_t i = 0; i < 3; i++) {
        if (bits & (int)rules[i].bit) {
            tcgrr_vtab_narrow(arguments[next++], rules[i].relation, &cursor->first_icount, &cursor->last_icount);
        }
    }
    int status = tcgrr_vtab_use(&cursor->base, schema, TCGRR_LEVEL_STATE, cursor->first_icount, cursor->last_icount);
    if (status == SQLITE_OK) {
        status = choose_registers(cursor, bits & PLAN_REGISTER, bits & PLAN_REGISTER ? arguments[next] : NULL);
    }
    if (status != SQLITE_OK || cursor->first_register == cursor->end_register ||
        cursor->first_icount > cursor->last_icount) {
        return status;
    }
    if (!tcgrr_reader_samples_from(tcgrr_sql_trace_reader(cursor->base.trace), (tcgrr_icount)cursor->first_icount,
                                   cursor->samples, &cursor->chunk, &error)) {
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    return settle(cursor, tcgrr_sample_begin(&cursor->at, cursor->samples));
}

static int state_next(sqlite3_vtab_cursor *base)
{
    struct state_cursor *cursor = (struct state_cursor *)base;
    cursor->row++;
    if (++cursor->number < cursor->end_register) {
        return SQLITE_OK;
    }
    return settle(cursor, tcgrr_sample_next(&cursor->at));
}

static int state_eof(sqlite3_vtab_cursor *base)
{
    return ((struct state_cursor *)base)->end;
}

static int state_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct state_cursor *cursor = (struct state_cursor *)base;
    const struct tcgrr_state_register *shown = tcgrr_register_table_get(cursor->samples->registers, cursor->number);

    switch (column) {
    case ICOUNT:
        sqlite3_result_int64(context, (sqlite3_int64)cursor->at.sample->icount);
        break;
    case VCPU:
        sqlite3_result_int64(context, cursor->at.sample->vcpu);
        break;
    case REGISTER:
        sqlite3_result_text(context, shown->name, -1, SQLITE_TRANSIENT);
        break;
    case VALUE:
        tcgrr_vtab_result_register(context, shown, cursor->at.image);
        break;
    case SIZE:
        sqlite3_result_int64(context, shown->size);
        break;
    case STORES:
        if (cursor->samples->has_stores) {
            sqlite3_result_int64(context, (sqlite3_int64)cursor->at.sample->stores);
        }
        break;
    case SCHEMA:
        tcgrr_vtab_result_schema(context, &cursor->base);
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

static int state_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = ((struct state_cursor *)base)->row;
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_state = {
    .name = "state",
    .declaration = declaration,
    .module =
        {
            .iVersion = 0,
            .xConnect = tcgrr_vtab_connect,
            .xBestIndex = state_best_index,
            .xDisconnect = tcgrr_vtab_disconnect,
            .xOpen = state_open,
            .xClose = state_close,
            .xFilter = state_filter,
            .xNext = state_next,
            .xEof = state_eof,
            .xColumn = state_column,
            .xRowid = state_rowid,
        },
};
