/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instructions of a block, whether they ran or not. idxNum is enum plan.
 *
 *   SELECT addr(pc), disasm FROM disassemble(17);
 *   SELECT hot.execs, d.* FROM (SELECT * FROM hot_block ORDER BY execs DESC LIMIT 5) AS hot, disassemble(hot.block) AS
 * d;
 */
#include "store/sql/vtab_rows.h"

#include "store/error.h"

enum { POSITION, PC, BYTES, DISASM, SYMBOL, LINE, BLOCK, SCHEMA };

enum plan { PLAN_BLOCK = 1, PLAN_SCHEMA = 2 };

#define EXPECTED_ROWS 10

struct row {
    uint32_t block;
    uint32_t index;
    uint32_t offset;
};

static const char declaration[] = "CREATE TABLE disassemble( -- disassemble(block): the instructions of a block\n"
                                  "  position INTEGER, -- 0 for the block's first\n"
                                  "  pc INTEGER,\n"
                                  "  bytes BLOB,\n"
                                  "  disasm TEXT,\n"
                                  "  symbol TEXT,      -- name+0x10\n"
                                  "  line TEXT,        -- file.c:12; NULL: no DWARF has it\n"
                                  "  block INTEGER HIDDEN, -- the arguments: block.id,\n"
                                  "  schema TEXT HIDDEN    -- and the name under which a trace is attached (main)\n"
                                  ")";

static int disassemble_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int argc,
                              sqlite3_value **arguments)
{
    struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    int64_t number = tcgrr_vtab_argument(bits & PLAN_BLOCK ? arguments[0] : NULL, -1);
    GError *error = NULL;

    if (!(bits & PLAN_BLOCK)) {
        g_set_error(&error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "disassemble takes a block: disassemble(block.id)");
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    int status = tcgrr_vtab_rows_begin(cursor, bits & PLAN_SCHEMA ? arguments[argc - 1] : NULL, 0, -1);
    if (status != SQLITE_OK) {
        return status;
    }
    const struct tcgrr_blocks *blocks = tcgrr_reader_reserve(tcgrr_sql_trace_reader(cursor->base.trace), &error);
    if (!blocks) {
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    if (number < 0 || number >= tcgrr_blocks_count(blocks)) {
        return SQLITE_OK; /* there is no such block: no rows */
    }
    if (!tcgrr_sql_trace_disasm(cursor->base.trace, (uint32_t)number, &error)) {
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    const struct tcgrr_block *block = tcgrr_blocks_get(blocks, (uint32_t)number);
    struct row row = {.block = (uint32_t)number};
    for (; row.index < block->insns; row.offset += block->lengths[row.index++]) {
        g_array_append_val(cursor->rows, row);
    }
    return SQLITE_OK;
}

static int result_disasm(const struct tcgrr_vtab_rows *cursor, sqlite3_context *context, const struct row *row)
{
    GError *error = NULL;
    char **texts = tcgrr_sql_trace_disasm(cursor->base.trace, row->block, &error);
    if (!texts) {
        return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
    }
    sqlite3_result_text(context, texts[row->index], -1, SQLITE_TRANSIENT);
    return SQLITE_OK;
}

static int disassemble_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    const struct row *row = &g_array_index(cursor->rows, struct row, cursor->at);
    const struct tcgrr_block *block = tcgrr_blocks_get(tcgrr_sql_trace_reader(cursor->base.trace)->blocks, row->block);

    switch (column) {
    case POSITION:
        sqlite3_result_int64(context, row->index);
        break;
    case PC:
        sqlite3_result_int64(context, (sqlite3_int64)(block->pc + row->offset));
        break;
    case BYTES:
        sqlite3_result_blob(context, block->bytes + row->offset, block->lengths[row->index], SQLITE_TRANSIENT);
        break;
    case DISASM:
        return result_disasm(cursor, context, row);
    case SYMBOL:
        return tcgrr_vtab_result_symbol(&cursor->base, context, block->pc + row->offset);
    case LINE:
        return tcgrr_vtab_result_line(&cursor->base, context, block->pc + row->offset);
    default:
        break;
    }
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_disassemble = {
    .name = "disassemble",
    .declaration = declaration,
    .module = TCGRR_VTAB_ROWS_MODULE(disassemble_filter, disassemble_column),
    .rules = {{BLOCK, TCGRR_VTAB_EQ, PLAN_BLOCK, "block=?", 1, true},
              {SCHEMA, TCGRR_VTAB_EQ, PLAN_SCHEMA, "of schema", 1, true}},
    .row = sizeof(struct row),
    .rows = EXPECTED_ROWS,
    .ordered = 1u << POSITION | 1u << PC,
};
