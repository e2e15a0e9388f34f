/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that had not returned at an icount, innermost first; store/sql/callstack.h says how they are found. The
 * trace is read from its beginning for it. idxNum is enum plan.
 *
 *   SELECT depth, addr(pc), function, kind FROM callstack(1000000);
 */
#include "store/sql/callstack.h"
#include "store/sql/vtab_rows.h"

#include "store/error.h"

enum { DEPTH, KIND, PC, FUNCTION, ENTRY, ENTERED, VCPU, LINE, INLINED, AT, SCHEMA };

enum plan { PLAN_AT = 1, PLAN_SCHEMA = 2 };

#define EXPECTED_ROWS 20

struct row {
    struct tcgrr_frame frame;
    uint64_t pc;
    tcgrr_vcpu vcpu;
};

static const char declaration[] =
    "CREATE TABLE callstack( -- callstack(icount): the functions that had not returned then, innermost first\n"
    "  depth INTEGER,   -- 0 is the one that runs\n"
    "  kind TEXT,       -- how it was entered: call, interrupt, exception, or start: not known\n"
    "  pc INTEGER,      -- where it is: the instruction at icount, or the call or instruction it is held up in\n"
    "  function TEXT,   -- name+0x10 of pc\n"
    "  entry_pc INTEGER, -- its first\n"
    "  entered INTEGER, -- icount at which it was entered\n"
    "  vcpu INTEGER,\n"
    "  line TEXT,       -- file.c:12 of pc; NULL: no DWARF has it\n"
    "  inlined TEXT,    -- the functions that the compiler inlined there, innermost < outer\n"
    "  at INTEGER HIDDEN,  -- the arguments: icount,\n"
    "  schema TEXT HIDDEN  -- and the name under which a trace is attached (main)\n"
    ")";

static int callstack_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int argc, sqlite3_value **arguments)
{
    struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    int64_t icount = tcgrr_vtab_argument(bits & PLAN_AT ? arguments[0] : NULL, -1);
    g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_frame));
    struct tcgrr_callstack found = {.frames = frames};
    GError *error = NULL;
    struct row row = {0};

    int status = tcgrr_vtab_rows_begin(cursor, bits & PLAN_SCHEMA ? arguments[argc - 1] : NULL, 0, icount);
    if (status != SQLITE_OK) {
        return status;
    }
    if (icount < 0) {
        g_set_error(&error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "callstack() needs an icount: SELECT * FROM callstack(1000000)");
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    if (!tcgrr_callstack(cursor->base.trace, (tcgrr_icount)icount, &found, &error)) {
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    row.pc = found.pc;
    row.vcpu = found.vcpu;
    for (guint i = frames->len; i-- > 0;) {
        row.frame = g_array_index(frames, struct tcgrr_frame, i);
        g_array_append_val(cursor->rows, row);
        row.pc = row.frame.from; /* where the next outer function is held up */
    }
    return SQLITE_OK;
}

static int callstack_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    static const char *const kinds[] = {"start", "call", "interrupt", "exception"};
    const struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    const struct row *row = &g_array_index(cursor->rows, struct row, cursor->at);

    switch (column) {
    case DEPTH:
        sqlite3_result_int64(context, cursor->at);
        break;
    case KIND:
        sqlite3_result_text(context, kinds[row->frame.kind], -1, SQLITE_STATIC);
        break;
    case PC:
        sqlite3_result_int64(context, (sqlite3_int64)row->pc);
        break;
    case FUNCTION:
        return tcgrr_vtab_result_symbol_then(&cursor->base, context, row->pc, row->frame.icount);
    case LINE:
        return tcgrr_vtab_result_line(&cursor->base, context, row->pc);
    case INLINED:
        return tcgrr_vtab_result_inlined(&cursor->base, context, row->pc);
    case ENTRY:
        sqlite3_result_int64(context, (sqlite3_int64)row->frame.entry);
        break;
    case ENTERED:
        sqlite3_result_int64(context, (sqlite3_int64)row->frame.icount);
        break;
    case VCPU:
        sqlite3_result_int64(context, row->vcpu);
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_callstack = {
    .name = "callstack",
    .declaration = declaration,
    .module = TCGRR_VTAB_ROWS_MODULE(callstack_filter, callstack_column),
    .rules = {{AT, TCGRR_VTAB_EQ, PLAN_AT, "at=?", 1, true},
              {SCHEMA, TCGRR_VTAB_EQ, PLAN_SCHEMA, "of schema", 1, true}},
    .row = sizeof(struct row),
    .rows = EXPECTED_ROWS,
    .cost = 1e8,
    .ordered = 1u << DEPTH,
};
