/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/sql/sql_trace.h"

#include "store/error.h"
#include "store/isa/disasm.h"
#include "store/addr2line.h"
#include "store/symbols.h"

#include <string.h>

#define CACHED_CHUNKS 4
#define MAX_TEXTS     8192 /* blocks whose texts are kept */

/* The parts of a level that a trace has, and those that were requested since the last check. */
struct parts {
    GArray *spans;          /* struct tcgrr_span; NULL before they are asked for */
    struct tcgrr_span lack; /* from the first to the last instruction that is not there; end 0: none */
    bool any_present;
};

struct tcgrr_sql_trace {
    struct tcgrr_sql *sql;
    unsigned references;
    struct tcgrr_reader *reader;
    struct tcgrr_chunk_cache *chunks;
    struct tcgrr_disasm *disasm;
    GHashTable *texts;               /* block number → char ** */
    struct tcgrr_symbols *symbols;   /* NULL before they are asked for */
    struct tcgrr_addr2line *sources; /* likewise */
    struct parts parts[TCGRR_LEVEL_COUNT];
};

struct tcgrr_sql {
    sqlite3 *db;
    unsigned references;
    unsigned connected;
    bool watched;      /* somebody asks for gaps */
    GPtrArray *traces; /* struct tcgrr_sql_trace */
};

/* ---- connection ---- */

struct tcgrr_sql *tcgrr_sql_new(sqlite3 *db)
{
    struct tcgrr_sql *sql = g_new0(struct tcgrr_sql, 1);
    sql->db = db;
    sql->references = 1;
    sql->traces = g_ptr_array_new();
    return sql;
}

struct tcgrr_sql *tcgrr_sql_ref(struct tcgrr_sql *sql)
{
    sql->references++;
    return sql;
}

void tcgrr_sql_unref(void *data)
{
    struct tcgrr_sql *sql = data;
    if (--sql->references > 0) {
        return;
    }
    for (guint i = 0; i < sql->traces->len; i++) {
        tcgrr_sql_trace_unref(g_ptr_array_index(sql->traces, i));
    }
    g_ptr_array_unref(sql->traces);
    g_free(sql);
}

sqlite3 *tcgrr_sql_db(const struct tcgrr_sql *sql)
{
    return sql->db;
}

uint64_t tcgrr_sql_decoded(const struct tcgrr_sql *sql)
{
    uint64_t decoded = 0;
    for (guint i = 0; i < sql->traces->len; i++) {
        const struct tcgrr_sql_trace *trace = g_ptr_array_index(sql->traces, i);
        decoded += tcgrr_chunk_cache_decoded(trace->chunks);
    }
    return decoded;
}

void tcgrr_sql_finalize(struct tcgrr_sql *sql)
{
    for (guint i = 0; sql->connected == 0 && i < sql->traces->len; i++) {
        struct tcgrr_sql_trace *trace = g_ptr_array_index(sql->traces, i);
        tcgrr_reader_finalize(trace->reader);
    }
}

void tcgrr_sql_connected(struct tcgrr_sql *sql, bool connected)
{
    sql->connected += connected ? 1 : -1u;
    tcgrr_sql_finalize(sql);
}

/* ---- traces ---- */

static bool is_current(struct tcgrr_sql *sql, const struct tcgrr_sql_trace *trace, const char *schema)
{
    const char *path = sqlite3_db_filename(sql->db, schema);
    return g_strcmp0(trace->reader->path, path && *path ? path : schema) == 0;
}

struct tcgrr_sql_trace *tcgrr_sql_trace_get(struct tcgrr_sql *sql, const char *schema, GError **error)
{
    for (guint i = 0; i < sql->traces->len; i++) {
        struct tcgrr_sql_trace *trace = g_ptr_array_index(sql->traces, i);
        if (sqlite3_stricmp(trace->reader->schema, schema) == 0) {
            if (is_current(sql, trace, schema)) {
                trace->references++;
                return trace;
            }
            g_ptr_array_remove_index_fast(sql->traces, i); /* another file is attached under that name now */
            tcgrr_sql_trace_unref(trace);
            break;
        }
    }
    struct tcgrr_reader *reader = tcgrr_reader_attach(sql->db, schema, error);
    if (!reader) {
        return NULL;
    }
    struct tcgrr_sql_trace *trace = g_new0(struct tcgrr_sql_trace, 1);
    trace->sql = sql;
    trace->references = 2; /* the list's, the caller's */
    trace->reader = reader;
    trace->chunks = tcgrr_chunk_cache_new(reader, CACHED_CHUNKS);
    trace->disasm = tcgrr_disasm_new(reader->run.target);
    trace->texts = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_strfreev);
    g_ptr_array_add(sql->traces, trace);
    return trace;
}

static void free_trace(struct tcgrr_sql_trace *trace)
{
    tcgrr_chunk_cache_free(trace->chunks);
    tcgrr_disasm_free(trace->disasm);
    g_hash_table_unref(trace->texts);
    tcgrr_symbols_free(trace->symbols);
    tcgrr_addr2line_free(trace->sources);
    for (size_t i = 0; i < TCGRR_LEVEL_COUNT; i++) {
        g_clear_pointer(&trace->parts[i].spans, g_array_unref);
    }
    tcgrr_reader_free(trace->reader);
    g_free(trace);
}

void tcgrr_sql_trace_unref(struct tcgrr_sql_trace *trace)
{
    if (trace && --trace->references == 0) {
        free_trace(trace);
    }
}

struct tcgrr_reader *tcgrr_sql_trace_reader(const struct tcgrr_sql_trace *trace)
{
    return trace->reader;
}

struct tcgrr_chunk_cache *tcgrr_sql_trace_chunk_cache(const struct tcgrr_sql_trace *trace)
{
    return trace->chunks;
}

const struct tcgrr_blocks *tcgrr_sql_trace_blocks(struct tcgrr_sql_trace *trace, GError **error)
{
    return tcgrr_reader_blocks(trace->reader, error);
}

/* ---- what the trace does not have ---- */

bool tcgrr_sql_trace_need(struct tcgrr_sql_trace *trace, enum tcgrr_level level, int64_t first, int64_t last,
                          GError **error)
{
    const struct tcgrr_run *run = &trace->reader->run;
    tcgrr_icount end = run->complete ? run->icount : INT64_MAX;
    struct tcgrr_span asked = {(tcgrr_icount)MAX(first, 0), (tcgrr_icount)MAX(last, -1)};
    struct parts *parts = &trace->parts[level];
    bool any_present;

    if (!parts->spans) {
        parts->spans = tcgrr_reader_need_level(trace->reader, level, false, error)
                           ? tcgrr_reader_spans(trace->reader, level, error)
                           : NULL;
    }
    if (!parts->spans) {
        return false;
    }
    asked.end = asked.end < end ? asked.end + 1 : end;
    if (asked.first >= asked.end) {
        return true;
    }
    struct tcgrr_span lack = tcgrr_spans_lack(parts->spans, asked, &any_present);
    parts->any_present = parts->any_present || any_present;
    if (lack.first >= lack.end) {
        return true;
    }
    if (!any_present && !trace->sql->watched) {
        g_autofree char *text = tcgrr_reader_lack_text(trace->reader, level, lack);
        g_set_error(error, TCGRR_ERROR, (int)TCGRR_ERROR_LACKS + (int)level, "%s", text);
        return false;
    }
    parts->lack.first = parts->lack.end ? MIN(parts->lack.first, lack.first) : lack.first;
    parts->lack.end = MAX(parts->lack.end, lack.end);
    return true;
}

void tcgrr_sql_note_gaps(struct tcgrr_sql *sql)
{
    sql->watched = true;
    for (guint i = 0; i < sql->traces->len; i++) {
        struct tcgrr_sql_trace *trace = g_ptr_array_index(sql->traces, i);
        for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
            trace->parts[level].lack = (struct tcgrr_span){0};
            trace->parts[level].any_present = false;
        }
    }
}

static void add_gaps(const struct tcgrr_sql_trace *trace, GArray *gaps)
{
    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        const struct parts *parts = &trace->parts[level];
        struct tcgrr_sql_gap gap = {.level = level, .span = parts->lack, .any_present = parts->any_present};
        if (parts->lack.end) {
            gap.main = sqlite3_stricmp(trace->reader->schema, "main") == 0;
            gap.text = tcgrr_reader_lack_text(trace->reader, level, parts->lack);
            g_array_append_val(gaps, gap);
        }
    }
}

static void clear_gap(gpointer data)
{
    g_free(((struct tcgrr_sql_gap *)data)->text);
}

GArray *tcgrr_sql_gaps(const struct tcgrr_sql *sql)
{
    GArray *gaps = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_sql_gap));

    g_array_set_clear_func(gaps, clear_gap);
    for (guint i = 0; i < sql->traces->len; i++) {
        add_gaps(g_ptr_array_index(sql->traces, i), gaps);
    }
    return gaps;
}

void tcgrr_sql_ask_all(struct tcgrr_sql *sql, enum tcgrr_level level)
{
    struct tcgrr_sql_trace *trace = tcgrr_sql_trace_get(sql, "main", NULL);
    if (trace) {
        tcgrr_sql_trace_need(trace, level, 0, INT64_MAX, NULL);
        tcgrr_sql_trace_unref(trace);
    }
}

/* ---- texts ---- */

/* Block `number`, with what its disassembly needs to know of the others. */
static const struct tcgrr_block *surveyed(struct tcgrr_sql_trace *trace, uint32_t number, GError **error)
{
    struct tcgrr_reader *reader = trace->reader;
    if (tcgrr_disasm_wants_survey(trace->disasm)) {
        if (!tcgrr_reader_need_all(reader, error)) {
            return NULL;
        }
        tcgrr_disasm_survey(trace->disasm, reader->blocks, tcgrr_blocks_count(reader->blocks));
    } else if (!tcgrr_reader_need(reader, &number, 1, error)) {
        return NULL;
    }
    const struct tcgrr_block *block = tcgrr_blocks_get(reader->blocks, number);
    bool named = block->text || tcgrr_disasm_knows(reader->run.target);
    return named || tcgrr_reader_need_text(reader, number, error) ? block : NULL;
}

char **tcgrr_sql_trace_disasm(struct tcgrr_sql_trace *trace, uint32_t number, GError **error)
{
    char **texts = g_hash_table_lookup(trace->texts, GUINT_TO_POINTER(number));
    const struct tcgrr_block *block = texts ? NULL : surveyed(trace, number, error);
    if (block) {
        if (g_hash_table_size(trace->texts) >= MAX_TEXTS) {
            g_hash_table_remove_all(trace->texts);
        }
        texts = tcgrr_disasm_block(trace->disasm, block);
        g_hash_table_insert(trace->texts, GUINT_TO_POINTER(number), texts);
    }
    return texts;
}

bool tcgrr_sql_trace_calls(struct tcgrr_sql_trace *trace, uint32_t number, bool *calls, GError **error)
{
    const struct tcgrr_block *block = surveyed(trace, number, error);
    *calls = block && tcgrr_disasm_ends_with_call(trace->disasm, block);
    return block != NULL;
}

/* ---- symbols ---- */

static bool need_symbols(struct tcgrr_sql_trace *trace, GError **error)
{
    if (!trace->symbols) {
        trace->symbols = tcgrr_symbols_new();
        if (!tcgrr_symbols_add_trace(trace->symbols, trace->reader, error)) {
            g_clear_pointer(&trace->symbols, tcgrr_symbols_free);
        }
    }
    return trace->symbols != NULL;
}

const struct tcgrr_symbol *tcgrr_sql_trace_symbol_at(struct tcgrr_sql_trace *trace, uint64_t pc, GError **error)
{
    return need_symbols(trace, error) ? tcgrr_symbols_at(trace->symbols, pc) : NULL;
}

char *tcgrr_sql_trace_symbol(struct tcgrr_sql_trace *trace, uint64_t pc, bool offset, GError **error)
{
    if (offset) {
        return need_symbols(trace, error) ? tcgrr_symbols_name(trace->symbols, pc) : NULL;
    }
    const struct tcgrr_symbol *symbol = tcgrr_sql_trace_symbol_at(trace, pc, error);
    return symbol ? g_strdup(symbol->name) : NULL;
}

char *tcgrr_sql_trace_symbol_then(struct tcgrr_sql_trace *trace, uint64_t pc, tcgrr_icount icount, GError **error)
{
    return need_symbols(trace, error) ? tcgrr_symbols_name_at(trace->symbols, pc, icount) : NULL;
}

char *tcgrr_sql_trace_source(struct tcgrr_sql_trace *trace, uint64_t pc, bool inlined, GError **error)
{
    if (!trace->sources) {
        const struct tcgrr_blocks *blocks = need_symbols(trace, error) ? tcgrr_sql_trace_blocks(trace, error) : NULL;
        if (!blocks) {
            return NULL;
        }
        trace->sources = tcgrr_addr2line_new();
        tcgrr_addr2line_add_files(trace->sources, trace->symbols, blocks, tcgrr_blocks_count(blocks));
    }
    return inlined ? tcgrr_addr2line_inlined(trace->sources, pc) : tcgrr_addr2line_line(trace->sources, pc);
}
