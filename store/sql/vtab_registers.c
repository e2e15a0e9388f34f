/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers as they were last sampled at or before an icount. idxNum is enum plan.
 *
 *   SELECT register, addr(value), icount FROM registers(1000000);
 */
#include "store/sql/vtab_rows.h"

#include "store/error.h"

enum { REGISTER, VALUE, SIZE, ICOUNT, VCPU, AT, SCHEMA };

enum plan { PLAN_AT = 1, PLAN_SCHEMA = 2 };

#define EXPECTED_ROWS 50

struct row {
    const struct tcgrr_state_register *shown; /* of the trace */
    int64_t icount;
    uint32_t vcpu;
    GBytes *image; /* of all registers, one for all rows */
};

static const char declaration[] =
    "CREATE TABLE registers( -- registers(icount): as they were sampled last, then or before (record --level state)\n"
    "  register TEXT,   -- register.name\n"
    "  value,           -- an integer up to 8 bytes, else a blob, lowest byte first\n"
    "  size INTEGER,    -- in bytes\n"
    "  icount INTEGER,  -- instructions before the sample\n"
    "  vcpu INTEGER,    -- that was sampled\n"
    "  at INTEGER HIDDEN,  -- the arguments: icount,\n"
    "  schema TEXT HIDDEN  -- and the name under which a trace is attached (main)\n"
    ")";

static void clear_row(gpointer data)
{
    g_bytes_unref(((struct row *)data)->image);
}

/* Adds the content of the last sample up to `icount`. */
static void add_rows(GArray *rows, const struct tcgrr_samples *samples, int64_t icount)
{
    const struct tcgrr_register_table *table = samples->registers;
    struct tcgrr_sample_cursor at;
    GBytes *image = NULL;
    struct row row = {0};

    for (bool more = tcgrr_sample_begin(&at, samples); more && (int64_t)at.sample->icount <= icount;
         more = tcgrr_sample_next(&at)) {
        g_clear_pointer(&image, g_bytes_unref);
        image = g_bytes_new(at.image, tcgrr_register_table_bytes(table));
        row.icount = (int64_t)at.sample->icount;
        row.vcpu = at.sample->vcpu;
    }
    for (uint32_t i = 0; image && i < tcgrr_register_table_count(table); i++) {
        row.shown = tcgrr_register_table_get(table, i);
        row.image = g_bytes_ref(image);
        g_array_append_val(rows, row);
    }
    g_clear_pointer(&image, g_bytes_unref);
    tcgrr_sample_end(&at);
}

static int registers_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int argc, sqlite3_value **arguments)
{
    struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    int64_t icount = tcgrr_vtab_argument(bits & PLAN_AT ? arguments[0] : NULL, -1);
    GError *error = NULL;
    int64_t id;

    g_array_set_size(cursor->rows, 0);
    cursor->at = 0;
    if (icount < 0) {
        g_set_error(&error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "registers() needs an icount: SELECT * FROM registers(1000000)");
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    int status = tcgrr_vtab_use(&cursor->base, bits & PLAN_SCHEMA ? arguments[argc - 1] : NULL, TCGRR_LEVEL_STATE,
                                icount, icount);
    if (status != SQLITE_OK) {
        return status;
    }
    struct tcgrr_samples *samples = tcgrr_samples_new();
    bool good = tcgrr_reader_samples_before(tcgrr_sql_trace_reader(cursor->base.trace), (tcgrr_icount)icount, samples,
                                            &id, &error);
    if (good && id >= 0) {
        add_rows(cursor->rows, samples, icount);
    }
    tcgrr_samples_free(samples);
    return good ? SQLITE_OK : tcgrr_vtab_fail(base->pVtab, error);
}

static int registers_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    const struct row *row = &g_array_index(cursor->rows, struct row, cursor->at);

    switch (column) {
    case REGISTER:
        sqlite3_result_text(context, row->shown->name, -1, SQLITE_TRANSIENT);
        break;
    case VALUE:
        tcgrr_vtab_result_register(context, row->shown, g_bytes_get_data(row->image, NULL));
        break;
    case SIZE:
        sqlite3_result_int64(context, row->shown->size);
        break;
    case ICOUNT:
        sqlite3_result_int64(context, row->icount);
        break;
    case VCPU:
        sqlite3_result_int64(context, row->vcpu);
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_registers = {
    .name = "registers",
    .declaration = declaration,
    .module = TCGRR_VTAB_ROWS_MODULE(registers_filter, registers_column),
    .rules = {{AT, TCGRR_VTAB_EQ, PLAN_AT, "at=?", 1, true},
              {SCHEMA, TCGRR_VTAB_EQ, PLAN_SCHEMA, "of schema", 1, true}},
    .row = sizeof(struct row),
    .clear = clear_row,
    .rows = EXPECTED_ROWS,
};
