/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/sql/sql.h"

#include "store/error.h"
#include "store/isa/vectors.h"
#include "store/sql/vtab.h"

#include <string.h>
#include <xxhash.h>

/* ---- functions ---- */

/* addr(x): '0x…', unsigned, because SQL's integers are signed. */
static void addr(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (sqlite3_value_type(values[0]) != SQLITE_NULL) {
        tcgrr_vtab_result_text(context,
                               g_strdup_printf("0x%" G_GINT64_MODIFIER "x", (guint64)sqlite3_value_int64(values[0])));
    }
}

/* A text that describes an address, from a trace. */
typedef char *(*address_text)(struct tcgrr_sql_trace *trace, uint64_t pc, GError **error);

static void result_of_address(sqlite3_context *context, int count, sqlite3_value **values, address_text text)
{
    struct tcgrr_sql *sql = sqlite3_user_data(context);
    const char *schema = count > 1 ? (const char *)sqlite3_value_text(values[1]) : "main";
    GError *error = NULL;

    if (sqlite3_value_type(values[0]) == SQLITE_NULL || !schema) {
        return;
    }
    struct tcgrr_sql_trace *trace = tcgrr_sql_trace_get(sql, schema, &error);
    char *result = trace ? text(trace, (uint64_t)sqlite3_value_int64(values[0]), &error) : NULL;
    if (error) {
        sqlite3_result_error(context, error->message, -1);
        g_error_free(error);
    } else {
        tcgrr_vtab_result_text(context, result);
    }
    tcgrr_sql_trace_unref(trace);
    tcgrr_sql_finalize(sql);
}

static char *place_text(struct tcgrr_sql_trace *trace, uint64_t pc, GError **error)
{
    return tcgrr_sql_trace_symbol(trace, pc, true, error);
}

static char *function_text(struct tcgrr_sql_trace *trace, uint64_t pc, GError **error)
{
    return tcgrr_sql_trace_symbol(trace, pc, false, error);
}

static char *line_text(struct tcgrr_sql_trace *trace, uint64_t pc, GError **error)
{
    return tcgrr_sql_trace_source(trace, pc, false, error);
}

static char *inlined_text(struct tcgrr_sql_trace *trace, uint64_t pc, GError **error)
{
    return tcgrr_sql_trace_source(trace, pc, true, error);
}

static char *vector_text(struct tcgrr_sql_trace *trace, uint64_t pc, GError **error)
{
    return g_strdup(tcgrr_vector_name(tcgrr_reader_run(tcgrr_sql_trace_reader(trace))->target, pc));
}

/* symbolize(pc [, schema]): 'name+0x10'. */
static void symbolize(sqlite3_context *context, int count, sqlite3_value **values)
{
    result_of_address(context, count, values, place_text);
}

/* function_of(pc [, schema]): 'name'. */
static void function_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    result_of_address(context, count, values, function_text);
}

/* line_of(pc [, schema]): 'file.c:12'. */
static void line_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    result_of_address(context, count, values, line_text);
}

/* inlined_at(pc [, schema]): 'inner < outer', the functions that the compiler inlined there. */
static void inlined_at(sqlite3_context *context, int count, sqlite3_value **values)
{
    result_of_address(context, count, values, inlined_text);
}

/* vector_name(event.to_pc [, schema]): what an interrupt or exception was, where its entry says so. */
static void vector_name(sqlite3_context *context, int count, sqlite3_value **values)
{
    result_of_address(context, count, values, vector_text);
}

#define PAGE 4096u /* code that moves as a whole, such as a kernel with KASLR, moves by whole pages */

/* code_key(pc, bytes): of a piece of code, wherever the file that it comes from was loaded. */
static void code_key(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (sqlite3_value_type(values[0]) != SQLITE_NULL && sqlite3_value_type(values[1]) == SQLITE_BLOB) {
        const void *bytes = sqlite3_value_blob(values[1]);
        size_t size = (size_t)sqlite3_value_bytes(values[1]);
        uint64_t key = XXH3_64bits_withSeed(bytes, size, (uint64_t)sqlite3_value_int64(values[0]) % PAGE);
        sqlite3_result_int64(context, (sqlite3_int64)key);
    }
}

/* tcgrr_chunks_decoded(): on this connection so far. */
static void chunks_decoded(sqlite3_context *context, int count, sqlite3_value **values)
{
    sqlite3_result_int64(context, (sqlite3_int64)tcgrr_sql_chunks_decoded(sqlite3_user_data(context)));
}

static const struct {
    const char *name;
    int arguments;
    int flags;
    void (*function)(sqlite3_context *context, int count, sqlite3_value **values);
} functions[] = {
    {"addr", 1, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, addr},
    {"symbolize", 1, SQLITE_INNOCUOUS, symbolize},
    {"symbolize", 2, SQLITE_INNOCUOUS, symbolize},
    {"function_of", 1, SQLITE_INNOCUOUS, function_of},
    {"function_of", 2, SQLITE_INNOCUOUS, function_of},
    {"line_of", 1, SQLITE_INNOCUOUS, line_of},
    {"line_of", 2, SQLITE_INNOCUOUS, line_of},
    {"inlined_at", 1, SQLITE_INNOCUOUS, inlined_at},
    {"inlined_at", 2, SQLITE_INNOCUOUS, inlined_at},
    {"vector_name", 1, SQLITE_INNOCUOUS, vector_name},
    {"vector_name", 2, SQLITE_INNOCUOUS, vector_name},
    {"code_key", 2, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, code_key},
    {"tcgrr_chunks_decoded", 0, SQLITE_INNOCUOUS, chunks_decoded},
};

/* ---- tables and views ---- */

static const struct tcgrr_vtab_table *const tables[] = {
    &tcgrr_vtab_exec,    &tcgrr_vtab_insn,      &tcgrr_vtab_chunk_block, &tcgrr_vtab_edge,
    &tcgrr_vtab_history, &tcgrr_vtab_callstack, &tcgrr_vtab_disassemble, &tcgrr_vtab_state,
    &tcgrr_vtab_mem,     &tcgrr_vtab_function,  &tcgrr_vtab_registers,
};

const char *tcgrr_sql_table_name(size_t index)
{
    return index < G_N_ELEMENTS(tables) ? tables[index]->name : NULL;
}

const char *tcgrr_sql_table_schema(size_t index)
{
    return index < G_N_ELEMENTS(tables) ? tables[index]->declaration : NULL;
}

/*
 * They use tables that are only here with this code, which is why they are temporary: in the trace they would be in the
 * way of a program without it. The views that can do without are part of the trace (store/schema.h).
 */
static const char views[] =
    "CREATE TEMP VIEW IF NOT EXISTS hot_block AS -- how often each block ran\n"
    "SELECT\n"
    "  use.block,                     -- block.id\n"
    "  block.pc,\n"
    "  symbolize(block.pc) AS symbol, -- name+0x10\n"
    "  sum(use.execs) AS execs,       -- executions\n"
    "  sum(use.ran) AS ran            -- instructions that ran in them\n"
    "FROM chunk_block AS use JOIN main.block ON block.id = use.block GROUP BY use.block;"
    "CREATE TEMP VIEW IF NOT EXISTS hot_function AS -- instructions that ran in each function; NULL: no symbol covers "
    "them\n"
    "SELECT\n"
    "  function_of(pc) AS function,\n"
    "  sum(execs) AS execs,      -- executions of its blocks\n"
    "  sum(ran) AS ran,          -- instructions, a block's all counted where the block begins\n"
    "  count(*) AS blocks        -- of its blocks that ran\n"
    "FROM hot_block GROUP BY function;"
    "CREATE TEMP VIEW IF NOT EXISTS hot_edge AS -- which block followed which, and how often\n"
    "SELECT\n"
    "  edge.from_block, edge.to_block, -- block.id\n"
    "  before.pc AS from_pc, after.pc AS to_pc,\n"
    "  symbolize(before.pc) AS from_symbol, symbolize(after.pc) AS to_symbol,\n"
    "  edge.execs                      -- how often\n"
    "FROM edge JOIN main.block AS before ON before.id = edge.from_block\n"
    "JOIN main.block AS after ON after.id = edge.to_block;";

const struct tcgrr_vtab_table *tcgrr_vtab_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        if (strcmp(tables[i]->name, name) == 0) {
            return tables[i];
        }
    }
    g_assert_not_reached(); /* SQLite passes the name that it was registered under */
}

struct tcgrr_sql *tcgrr_sql_register(sqlite3 *db, GError **error)
{
    struct tcgrr_sql *sql = tcgrr_sql_new(db);
    int status = SQLITE_OK;

    for (size_t i = 0; status == SQLITE_OK && i < G_N_ELEMENTS(tables); i++) {
        status = sqlite3_create_module_v2(db, tables[i]->name, &tables[i]->module, tcgrr_sql_ref(sql), tcgrr_sql_unref);
    }
    for (size_t i = 0; status == SQLITE_OK && i < G_N_ELEMENTS(functions); i++) {
        status =
            sqlite3_create_function_v2(db, functions[i].name, functions[i].arguments, SQLITE_UTF8 | functions[i].flags,
                                       tcgrr_sql_ref(sql), functions[i].function, NULL, NULL, tcgrr_sql_unref);
    }
    if (status == SQLITE_OK) {
        status = sqlite3_exec(db, views, NULL, NULL, NULL);
    }
    if (status != SQLITE_OK) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot set up tcgrr's tables: %s", sqlite3_errmsg(db));
    }
    tcgrr_sql_unref(sql);
    return status == SQLITE_OK ? sql : NULL; /* the modules keep it */
}

uint64_t tcgrr_sql_chunks_decoded(const struct tcgrr_sql *sql)
{
    return tcgrr_sql_decoded(sql);
}
