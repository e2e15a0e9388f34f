/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the description of a run as a whole: how it was made, totals, notes, guest files, QEMU's rr file, symbols. */
#include "store/reader_internal.h"

#include "store/error.h"
#include "store/schema.h"
#include "store/symbols.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zstd.h>

#define MAX_SIGNAL 127 /* what an exit status can tell */

/* The number of the column with this name; -1: there is none. */
static int column_called(sqlite3_stmt *statement, const char *name)
{
    int column = sqlite3_column_count(statement) - 1;

    while (column >= 0 && strcmp(sqlite3_column_name(statement, column), name) != 0) {
        column--;
    }
    return column;
}

static const char *text_column(struct tcgrr_reader *reader, sqlite3_stmt *statement, const char *name)
{
    int column = column_called(statement, name);
    const char *text = column < 0 ? NULL : (const char *)sqlite3_column_text(statement, column);

    return text ? g_string_chunk_insert(reader->texts, text) : NULL;
}

static int64_t number_column(sqlite3_stmt *statement, const char *name, int64_t when_null)
{
    int column = column_called(statement, name);

    return column < 0 || sqlite3_column_type(statement, column) == SQLITE_NULL
               ? when_null
               : sqlite3_column_int64(statement, column);
}

/* Whether each value is of the type that its column was made for: SQLite takes any. */
static bool types_fit(sqlite3_stmt *row)
{
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        const char *declared = sqlite3_column_decltype(row, i);
        int type = sqlite3_column_type(row, i);
        bool fits = type == SQLITE_NULL || (type == SQLITE_INTEGER && g_strcmp0(declared, "INTEGER") == 0) ||
                    (type == SQLITE_FLOAT && g_strcmp0(declared, "REAL") == 0) ||
                    (type == SQLITE_TEXT && g_strcmp0(declared, "TEXT") == 0);
        if (!fits) {
            return false;
        }
    }
    return true;
}

/* Whether the numbers are plausible for a run, so that later computations with them cannot overflow. */
static bool numbers_fit(sqlite3_stmt *row)
{
    static const struct {
        const char *name;
        uint64_t most;
    } bounds[] = {
        {"api_version", INT32_MAX},           {"vcpus", TCGRR_READER_MAX_VCPUS},
        {"icount", TCGRR_READER_MAX_COUNT},   {"qemu_icount", TCGRR_READER_MAX_COUNT},
        {"execs", TCGRR_READER_MAX_COUNT},    {"assumed", TCGRR_READER_MAX_COUNT},
        {"decided", TCGRR_READER_MAX_COUNT},  {"sample_step", UINT32_MAX},
        {"mem_from", TCGRR_READER_MAX_COUNT}, {"mem_until", TCGRR_READER_MAX_COUNT},
        {"tail", TCGRR_READER_MAX_COUNT},     {"logged", TCGRR_READER_MAX_COUNT},
        {"interrupted", MAX_SIGNAL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bounds); i++) {
        int column = column_called(row, bounds[i].name);
        if (column >= 0 && !tcgrr_reader_fits(row, column, bounds[i].most)) {
            return false;
        }
    }
    return true;
}

static void fill_run(struct tcgrr_reader *reader, sqlite3_stmt *statement)
{
    const struct {
        const char **field;
        const char *name;
    } texts[] = {
        {&reader->run.tool_version, "tool_version"},
        {&reader->run.started, "started"},
        {&reader->run.ended, "ended"},
        {&reader->run.host, "host"},
        {&reader->run.directory, "directory"},
        {&reader->run.command, "command"},
        {&reader->run.original_command, "original_command"},
        {&reader->run.qemu_path, "qemu_path"},
        {&reader->run.qemu_version, "qemu_version"},
        {&reader->run.qemu_banner, "qemu_banner"},
        {&reader->run.qemu_build_id, "qemu_build_id"},
        {&reader->run.target, "target"},
        {&reader->run.mode, "mode"},
        {&reader->run.icount_shift, "icount_shift"},
        {&reader->run.level, "level"},
        {&reader->run.exit, "exit"},
        {&reader->run.output, "output"},
        {&reader->run.auxv, "auxv"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        *texts[i].field = text_column(reader, statement, texts[i].name);
    }
    reader->run.duration_s = sqlite3_column_double(statement, column_called(statement, "duration_s"));
    reader->run.api_version = (int)number_column(statement, "api_version", 0);
    reader->run.rr = number_column(statement, "rr", 0) != 0;
    reader->run.vcpus = (uint32_t)number_column(statement, "vcpus", 1);
    reader->run.reports_discontinuities = number_column(statement, "reports_discontinuities", 0) != 0;
    reader->run.guest_shutdown = number_column(statement, "guest_shutdown", 0) != 0;
    reader->run.complete = number_column(statement, "complete", 0) != 0;
    reader->run.icount = (tcgrr_icount)number_column(statement, "icount", 0);
    reader->run.qemu_icount = number_column(statement, "qemu_icount", -1);
    reader->run.execs = (uint64_t)number_column(statement, "execs", 0);
    reader->run.assumed = (uint64_t)number_column(statement, "assumed", 0);
    reader->run.decided = number_column(statement, "decided", -1);
    reader->run.sample_step = (uint32_t)number_column(statement, "sample_step", 0);
    reader->run.has_sample_from = text_column(reader, statement, "sample_from") != NULL;
    reader->run.sample_from = (uint64_t)number_column(statement, "sample_from", 0);
    reader->run.mem_from = number_column(statement, "mem_from", -1);
    reader->run.mem_until = number_column(statement, "mem_until", -1);
    reader->run.tail = (uint64_t)number_column(statement, "tail", 0);
    reader->run.logged = (uint64_t)number_column(statement, "logged", 0);
    reader->run.interrupted = (int)number_column(statement, "interrupted", 0);
}

bool tcgrr_reader_read_run(struct tcgrr_reader *reader, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_prepare(reader, "SELECT * FROM \"%w\".run", 0);
    bool good = statement != NULL;
    if (good && sqlite3_step(statement) == SQLITE_ROW) {
        fill_run(reader, statement);
        const char *needed[] = {reader->run.mode, reader->run.target, reader->run.command, reader->run.qemu_version};
        for (size_t i = 0; i < G_N_ELEMENTS(needed); i++) {
            good = good && needed[i] && g_utf8_validate(needed[i], -1, NULL);
        }
        good =
            (good && types_fit(statement)) ||
            tcgrr_reader_damaged(reader, error, "its run table lacks columns, or they hold values of the wrong kind");
        good = good && (numbers_fit(statement) ||
                        tcgrr_reader_damaged(reader, error, "a number in its run table is out of bounds"));
    } else {
        good = tcgrr_reader_fail(reader, "the run table", error);
    }
    sqlite3_finalize(statement);
    return good;
}

static uint64_t file_bytes(const char *path, const char *suffix)
{
    g_autofree char *name = g_strconcat(path, suffix, NULL);
    struct stat status;
    return stat(name, &status) == 0 ? (uint64_t)status.st_size : 0;
}

enum tcgrr_level tcgrr_run_level(const struct tcgrr_run *run)
{
    enum tcgrr_level level = TCGRR_LEVEL_FLOW;
    tcgrr_level_of(run->level, &level);
    return level;
}

bool tcgrr_reader_totals(struct tcgrr_reader *reader, struct tcgrr_totals *totals, GError **error)
{
    sqlite3_stmt *statement = NULL;
    bool good =
        sqlite3_prepare_v2(
            reader->db,
            "SELECT count(*), total(execs), max(first_icount + insns), (SELECT end_flow FROM chunk"
            " ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM block), (SELECT total(accesses) FROM mem_chunk) FROM"
            " chunk",
            -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW;
    *totals = (struct tcgrr_totals){0};
    if (good) {
        double execs = sqlite3_column_double(statement, 1), accesses = sqlite3_column_double(statement, 5);
        if (!(execs >= 0 && execs <= (double)TCGRR_READER_MAX_COUNT && accesses >= 0 &&
              accesses <= (double)TCGRR_READER_MAX_COUNT && tcgrr_reader_fits(statement, 2, TCGRR_READER_MAX_COUNT))) {
            sqlite3_finalize(statement);
            return tcgrr_reader_damaged(reader, error, "its chunks count more than any run has");
        }
        totals->chunks = (uint64_t)sqlite3_column_int64(statement, 0);
        totals->execs = (uint64_t)execs;
        totals->icount = (uint64_t)sqlite3_column_int64(statement, 2);
        totals->flow = (uint64_t)sqlite3_column_int64(statement, 3);
        totals->blocks = (uint64_t)sqlite3_column_int64(statement, 4);
        totals->accesses = (uint64_t)accesses;
    }
    sqlite3_finalize(statement);
    statement = NULL;
    good = good && sqlite3_prepare_v2(reader->db, "SELECT kind, count(*) FROM event GROUP BY kind", -1, &statement,
                                      NULL) == SQLITE_OK;
    while (good && sqlite3_step(statement) == SQLITE_ROW) {
        uint8_t kind;
        if (tcgrr_event_kind_of((const char *)sqlite3_column_text(statement, 0), &kind)) {
            totals->events[kind] = (uint64_t)sqlite3_column_int64(statement, 1);
        }
    }
    good = sqlite3_finalize(statement) == SQLITE_OK && good;
    if (tcgrr_run_level(&reader->run) == TCGRR_LEVEL_INPUTS) {
        totals->icount = reader->run.icount;
    }
    totals->bytes = file_bytes(reader->path, "") + file_bytes(reader->path, "-wal");
    return good || tcgrr_reader_fail(reader, "the totals", error);
}

bool tcgrr_reader_notes(struct tcgrr_reader *reader, void (*visit)(const char *text, void *data), void *data,
                        GError **error)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(reader->db, "SELECT text FROM note ORDER BY id", -1, &statement, NULL) == SQLITE_OK;
    while (good && sqlite3_step(statement) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        visit(text ? text : "", data);
    }
    good = sqlite3_finalize(statement) == SQLITE_OK && good;
    return good || tcgrr_reader_fail(reader, "the notes", error);
}

bool tcgrr_reader_guest_files(struct tcgrr_reader *reader,
                              void (*visit)(const char *path, uint64_t size, const char *xxh128, void *data),
                              void *data, GError **error)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(reader->db, "SELECT path, size, xxh128 FROM guest_file ORDER BY path", -1,
                                   &statement, NULL) == SQLITE_OK;
    while (good && sqlite3_step(statement) == SQLITE_ROW) {
        const char *path = (const char *)sqlite3_column_text(statement, 0);
        const char *xxh128 = (const char *)sqlite3_column_text(statement, 2);
        if (!path || !xxh128 || !tcgrr_reader_fits(statement, 1, INT64_MAX)) {
            sqlite3_finalize(statement);
            return tcgrr_reader_damaged(reader, error, "a guest file has no path, no digest or an impossible size");
        }
        visit(path, (uint64_t)sqlite3_column_int64(statement, 1), xxh128, data);
    }
    good = sqlite3_finalize(statement) == SQLITE_OK && good;
    return good || tcgrr_reader_fail(reader, "the guest files", error);
}

/* One row of rr_file, checked and unpacked into reader->scratch. */
bool tcgrr_reader_rr_part(struct tcgrr_reader *reader, sqlite3_stmt *statement, int64_t expected, GError **error)
{
    const void *packed = sqlite3_column_blob(statement, 2);
    size_t packed_size = (size_t)sqlite3_column_bytes(statement, 2);
    sqlite3_int64 size = sqlite3_column_int64(statement, 1);

    bool good = sqlite3_column_int64(statement, 0) == expected && size > 0 && size <= TCGRR_TRACE_RR_PART && packed &&
                XXH3_64bits(packed, packed_size) == (uint64_t)sqlite3_column_int64(statement, 3);
    if (good) {
        g_byte_array_set_size(reader->scratch, (guint)size);
        good = ZSTD_decompress(reader->scratch->data, (size_t)size, packed, packed_size) == (size_t)size;
    }
    return good || tcgrr_reader_damaged(reader, error, "part %" G_GINT64_FORMAT " of QEMU's rr file", expected);
}

bool tcgrr_reader_extract_rr(struct tcgrr_reader *reader, const char *path, GError **error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(reader->db, "SELECT part, size, data, digest FROM rr_file ORDER BY part", -1, &statement,
                           NULL) != SQLITE_OK) {
        return tcgrr_reader_fail(reader, "QEMU's rr file", error);
    }
    FILE *file = NULL;
    bool good = true;
    int64_t part = 0;
    while (good && sqlite3_step(statement) == SQLITE_ROW) {
        good = tcgrr_reader_rr_part(reader, statement, part++, error);
        if (good && !file) {
            file = fopen(path, "wbe");
        }
        if (good && (!file || fwrite(reader->scratch->data, 1, reader->scratch->len, file) != reader->scratch->len)) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s: %s", path, g_strerror(errno));
            good = false;
        }
    }
    if (sqlite3_finalize(statement) != SQLITE_OK && good) {
        good = tcgrr_reader_fail(reader, "QEMU's rr file", error);
    }
    if (file && fclose(file) != 0 && good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s: %s", path, g_strerror(errno));
        good = false;
    }
    if (good && part == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s holds no rr file of QEMU%s", reader->path,
                    reader->run.complete ? "; it was recorded without rr" : "; its recording was cut short");
        good = false;
    }
    return good;
}

bool tcgrr_reader_symbols(struct tcgrr_reader *reader, void (*visit)(const struct tcgrr_symbol *symbol, void *data),
                          void *data, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_SYMBOLS, error);
    int status;

    if (!statement) {
        return false;
    }
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        bool times = sqlite3_column_count(statement) > 5; /* traces of older versions have none */
        if (times && (!tcgrr_reader_fits(statement, 4, INT64_MAX) || !tcgrr_reader_fits(statement, 5, INT64_MAX))) {
            sqlite3_reset(statement);
            return tcgrr_reader_damaged(reader, error, "a symbol is there at impossible times");
        }
        struct tcgrr_symbol symbol = {
            .address = (uint64_t)sqlite3_column_int64(statement, 0),
            .size = (uint64_t)sqlite3_column_int64(statement, 1),
            .name = (const char *)sqlite3_column_text(statement, 2),
            .file = (const char *)sqlite3_column_text(statement, 3),
            .until = UINT64_MAX,
        };
        symbol.limited = times && sqlite3_column_type(statement, 4) != SQLITE_NULL;
        if (symbol.limited) {
            symbol.since = (uint64_t)sqlite3_column_int64(statement, 4);
            symbol.until = sqlite3_column_type(statement, 5) != SQLITE_NULL
                               ? (uint64_t)sqlite3_column_int64(statement, 5)
                               : UINT64_MAX;
        }
        visit(&symbol, data);
    }
    bool good = status == SQLITE_DONE || tcgrr_reader_fail(reader, "the symbols", error);
    sqlite3_reset(statement);
    return good;
}
