/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A row for each execution, as Parquet. DuckDB's library writes it and is looked for only when it is needed: it reads
 * the trace as a table function, a vector of rows at a time, so that memory does not grow with the run. It is told to
 * use one thread, which is the caller's.
 */
#include "cli/export/export.h"

#include "store/error.h"

#include <dlfcn.h>

#define LIBRARY "libduckdb.so"

/* ---- DuckDB's C interface, which is stable from 1.0 on ---- */

typedef void *handle;
enum { DUCKDB_OK = 0, TYPE_UINT32 = 8, TYPE_UINT64 = 9, TYPE_TEXT = 17 };
struct result {
    uint64_t words[6];
};
typedef void (*callback)(handle info);
typedef void (*function_callback)(handle info, handle output);

#define DUCKDB(X)                                                                                                      \
    X(open, int, (const char *path, handle *database))                                                                 \
    X(close, void, (handle * database))                                                                                \
    X(connect, int, (handle database, handle * connection))                                                            \
    X(disconnect, void, (handle * connection))                                                                         \
    X(query, int, (handle connection, const char *sql, struct result *result))                                         \
    X(result_error, const char *, (struct result * result))                                                            \
    X(destroy_result, void, (struct result * result))                                                                  \
    X(create_logical_type, handle, (int type))                                                                         \
    X(destroy_logical_type, void, (handle * type))                                                                     \
    X(create_table_function, handle, (void))                                                                           \
    X(destroy_table_function, void, (handle * function))                                                               \
    X(table_function_set_name, void, (handle function, const char *name))                                              \
    X(table_function_set_extra_info, void, (handle function, void *data, void (*destroy)(void *)))                     \
    X(table_function_set_bind, void, (handle function, callback bind))                                                 \
    X(table_function_set_init, void, (handle function, callback init))                                                 \
    X(table_function_set_function, void, (handle function, function_callback run))                                     \
    X(register_table_function, int, (handle connection, handle function))                                              \
    X(bind_add_result_column, void, (handle info, const char *name, handle type))                                      \
    X(init_set_max_threads, void, (handle info, uint64_t threads))                                                     \
    X(function_get_extra_info, void *, (handle info))                                                                  \
    X(function_set_error, void, (handle info, const char *text))                                                       \
    X(vector_size, uint64_t, (void))                                                                                   \
    X(data_chunk_get_vector, handle, (handle chunk, uint64_t column))                                                  \
    X(data_chunk_set_size, void, (handle chunk, uint64_t rows))                                                        \
    X(vector_get_data, void *, (handle vector))                                                                        \
    X(vector_assign_string_element, void, (handle vector, uint64_t row, const char *text))                             \
    X(vector_ensure_validity_writable, void, (handle vector))                                                          \
    X(vector_get_validity, uint64_t *, (handle vector))

/* Global, because DuckDB's callbacks can reach our data only through it. */
static struct {
    void *library;
#define MEMBER(name, type, arguments) type(*name) arguments;
    DUCKDB(MEMBER)
#undef MEMBER
} duckdb;

/* False with error where it is not installed, or too old. */
static bool load_duckdb(GError **error)
{
    duckdb.library = duckdb.library ? duckdb.library : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!duckdb.library) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "parquet is written by DuckDB's library, which is not installed (%s); put " LIBRARY
                    " where the dynamic loader looks, or its folder into LD_LIBRARY_PATH",
                    dlerror());
        return false;
    }
#define FIND(name, type, arguments)                                                                                    \
    *(void **)&duckdb.name = dlsym(duckdb.library, "duckdb_" #name);                                                   \
    if (!duckdb.name) {                                                                                                \
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, LIBRARY " has no duckdb_%s; it is older than 1.0", #name); \
        return false;                                                                                                  \
    }
    DUCKDB(FIND)
#undef FIND
    return true;
}

/* ---- the trace as a table function ---- */

enum { SEQ, ICOUNT, VCPU, BLOCK, PC, INSNS, RAN, SYMBOL, COLUMNS };

static const struct {
    const char *name;
    int type;
} columns[COLUMNS] = {
    {"seq", TYPE_UINT64}, {"icount", TYPE_UINT64}, {"vcpu", TYPE_UINT32}, {"block", TYPE_UINT32},
    {"pc", TYPE_UINT64},  {"insns", TYPE_UINT32},  {"ran", TYPE_UINT32},  {"symbol", TYPE_TEXT},
};

struct table {
    struct export_job *job;
    struct tcgrr_exec_walk walk;
    char **symbols; /* by block; NULL: not asked for yet, "": there is none */
    GError *error;
};

static void bind(handle info)
{
    for (int i = 0; i < COLUMNS; i++) {
        handle type = duckdb.create_logical_type(columns[i].type);
        duckdb.bind_add_result_column(info, columns[i].name, type);
        duckdb.destroy_logical_type(&type);
    }
}

static void init(handle info)
{
    duckdb.init_set_max_threads(info, 1);
}

static const char *symbol(struct table *table, uint32_t number)
{
    char **known = &table->symbols[number];
    if (!*known) {
        char *name = report_place(table->job->report, tcgrr_blocks_get(table->job->report->blocks, number)->pc);
        *known = name ? name : g_strdup("");
    }
    return *known;
}

static void put_row(struct table *table, handle *vectors, void **data, uint64_t row)
{
    const struct tcgrr_cursor *at = &table->walk.at;
    uint32_t number = tcgrr_exec_walk_block(&table->walk);
    const char *name = symbol(table, number);

    ((uint64_t *)data[SEQ])[row] = (uint64_t)tcgrr_exec_walk_seq(&table->walk);
    ((uint64_t *)data[ICOUNT])[row] = at->icount;
    ((uint32_t *)data[VCPU])[row] = at->vcpu;
    ((uint32_t *)data[BLOCK])[row] = number;
    ((uint64_t *)data[PC])[row] = at->block->pc;
    ((uint32_t *)data[INSNS])[row] = at->block->insns;
    ((uint32_t *)data[RAN])[row] = at->ran;
    if (*name) {
        duckdb.vector_assign_string_element(vectors[SYMBOL], row, name);
    } else {
        duckdb.vector_ensure_validity_writable(vectors[SYMBOL]);
        duckdb.vector_get_validity(vectors[SYMBOL])[row / 64] &= ~(UINT64_C(1) << row % 64);
    }
}

static void rows(handle info, handle chunk)
{
    struct table *table = duckdb.function_get_extra_info(info);
    handle vectors[COLUMNS];
    void *data[COLUMNS];
    uint64_t count = 0;

    for (int i = 0; i < COLUMNS; i++) {
        vectors[i] = duckdb.data_chunk_get_vector(chunk, (uint64_t)i);
        data[i] = duckdb.vector_get_data(vectors[i]);
    }
    while (count < duckdb.vector_size() && !table->walk.end) {
        put_row(table, vectors, data, count++);
        tcgrr_exec_walk_next(&table->walk, &table->error);
    }
    duckdb.data_chunk_set_size(chunk, count);
    if (table->error) {
        duckdb.function_set_error(info, table->error->message);
    }
}

static bool add_table(handle connection, struct table *table)
{
    handle function = duckdb.create_table_function();
    duckdb.table_function_set_name(function, "trace");
    duckdb.table_function_set_extra_info(function, table, NULL);
    duckdb.table_function_set_bind(function, bind);
    duckdb.table_function_set_init(function, init);
    duckdb.table_function_set_function(function, rows);
    bool good = duckdb.register_table_function(connection, function) == DUCKDB_OK;
    duckdb.destroy_table_function(&function);
    return good;
}

/* ---- writing ---- */

static bool execute(handle connection, const char *sql, struct table *table, GError **error)
{
    struct result result = {{0}};
    bool good = duckdb.query(connection, sql, &result) == DUCKDB_OK;

    if (table->error) {
        g_propagate_error(error, g_steal_pointer(&table->error));
        good = false;
    } else if (!good) {
        const char *text = duckdb.result_error(&result);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "DuckDB: %s", text ? text : "unknown error");
    }
    duckdb.destroy_result(&result);
    return good;
}

static bool write_file(struct table *table, handle connection, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(table->job->path, "'", -1);
    g_autofree char *quoted = g_strjoinv("''", parts);
    g_autofree char *sql =
        g_strdup_printf("COPY (SELECT * FROM trace()) TO '%s' (FORMAT parquet, COMPRESSION zstd)", quoted);
    return execute(connection, "SET threads = 1", table, error) && execute(connection, sql, table, error);
}

static bool run(struct export_job *job, GError **error)
{
    FILE *file = NULL; /* shows that it can be written, and is not the trace */
    if (!load_duckdb(error) || !(file = report_create(job->report, job->path, error)) ||
        !report_close(file, job->path, error)) {
        return false;
    }
    struct table table = {.job = job, .symbols = g_new0(char *, job->report->block_count + 1)};
    struct tcgrr_exec_range range = report_range(job->from, job->until);
    handle database = NULL;
    handle connection = NULL;
    bool good = duckdb.open(NULL, &database) == DUCKDB_OK && duckdb.connect(database, &connection) == DUCKDB_OK &&
                add_table(connection, &table);

    if (good) {
        good = report_walk_begin(job->report, &table.walk, &range, error) && write_file(&table, connection, error);
        report_walk_end(&table.walk);
    } else {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "DuckDB cannot be started");
    }
    duckdb.disconnect(&connection);
    duckdb.close(&database);
    for (uint32_t i = 0; i < job->report->block_count; i++) {
        g_free(table.symbols[i]);
    }
    g_free(table.symbols);
    if (!good) {
        report_discard(job->path);
    }
    return good;
}

const struct export_format export_parquet = {
    .name = "parquet",
    .summary = "one row for each execution of a block: DuckDB, ClickHouse, Spark",
    .own_files = true,
    .run = run,
};
