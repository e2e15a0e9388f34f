/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/query.h"

#include "cli/cli.h"
#include "cli/fill.h"
#include "store/error.h"
#include "store/layers.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_SQL_BYTES   (16 << 20)
#define MAX_VALUE_BYTES (64 << 20)
#define STEPS_PER_LOOK  200000 /* steps of SQLite's virtual machine between two checks of the clock */

/* ---- what the user's SQL may do ---- */

static bool is_harmless_pragma(const char *name, const char *argument)
{
    static const char *const with_argument[] = {"table_info",  "table_xinfo",     "index_list",  "index_info",
                                                "index_xinfo", "integrity_check", "quick_check", "table_list"};
    static const char *const without[] = {"table_list",  "database_list",   "function_list",  "module_list",
                                          "pragma_list", "compile_options", "collation_list", "user_version",
                                          "page_size",   "page_count",      "application_id", "integrity_check",
                                          "quick_check", "encoding",        "data_version"};
    for (size_t i = 0; argument && i < G_N_ELEMENTS(with_argument); i++) {
        if (g_ascii_strcasecmp(name, with_argument[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; !argument && i < G_N_ELEMENTS(without); i++) {
        if (g_ascii_strcasecmp(name, without[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The level that a statement needs for each table that it reads, because an empty table would look like an answer. */
static const struct need {
    const char *table;
    enum tcgrr_level level;
    bool places; /* its rows belong to places in the run, and SQLite reads them directly */
} needs[] = {
    {"block", TCGRR_LEVEL_FLOW, false},    {"chunk", TCGRR_LEVEL_FLOW, true},
    {"event", TCGRR_LEVEL_FLOW, true},     {"checkpoint", TCGRR_LEVEL_FLOW, true},
    {"exec", TCGRR_LEVEL_FLOW, false},     {"insn", TCGRR_LEVEL_FLOW, false},
    {"edge", TCGRR_LEVEL_FLOW, false},     {"callstack", TCGRR_LEVEL_FLOW, false},
    {"history", TCGRR_LEVEL_FLOW, false},  {"chunk_block", TCGRR_LEVEL_FLOW, false},
    {"state", TCGRR_LEVEL_STATE, false},   {"register", TCGRR_LEVEL_STATE, false},
    {"sample", TCGRR_LEVEL_STATE, true},   {"mem", TCGRR_LEVEL_FULL, false},
    {"mem_chunk", TCGRR_LEVEL_FULL, true},
};

static void note_need(struct query *query, const char *table, const char *schema)
{
    bool main = table && (!schema || strcmp(schema, "main") == 0);

    /* A QEMU that reports its events does so at level inputs, too. */
    if (main && g_ascii_strcasecmp(table, "event") == 0 && tcgrr_reader_run(query->reader)->reports_discontinuities) {
        return;
    }
    for (size_t i = 0; main && i < G_N_ELEMENTS(needs); i++) {
        if (g_ascii_strcasecmp(table, needs[i].table) == 0) {
            query->needs = MAX(query->needs, needs[i].level);
            query->all |= needs[i].places ? 1u << needs[i].level : 0;
        }
    }
}

/* Reading and nothing else: not even temporary tables, no other files, no code. */
static int authorize(void *data, int action, const char *first, const char *second, const char *schema, const char *by)
{
    switch (action) {
    case SQLITE_READ:
        note_need(data, first, schema);
        return SQLITE_OK;
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return g_ascii_strcasecmp(second, "load_extension") == 0 || g_ascii_strcasecmp(second, "fts3_tokenizer") == 0
                   ? SQLITE_DENY
                   : SQLITE_OK;
    case SQLITE_UPDATE: /* SQLite asks so when it declares a virtual table; a user's UPDATE of that table it always
                           refuses */
        return strcmp(first, "sqlite_master") == 0 ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_PRAGMA:
        return is_harmless_pragma(first, second) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static void harden(struct query *query, int attached)
{
    sqlite3 *db = query->db;

    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES);
    sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, attached);
    sqlite3_set_authorizer(db, authorize, query);
}

/* ---- opening ---- */

/* Attaches "NAME=TRACE". */
static bool attach(sqlite3 *db, const char *given, GError **error)
{
    const char *equals = strchr(given, '=');
    g_autofree char *name = equals ? g_strndup(given, (gsize)(equals - given)) : NULL;
    if (!name || !*name || !equals[1] || g_ascii_strcasecmp(name, "main") == 0 ||
        g_ascii_strcasecmp(name, "temp") == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "--attach takes NAME=TRACE, where NAME is the trace's name in SQL (not main or temp), not '%s'",
                    given);
        return false;
    }
    struct tcgrr_reader *reader =
        tcgrr_reader_open(equals + 1, error); /* has the best error message for an invalid file */
    if (!reader) {
        return false;
    }
    tcgrr_reader_free(reader);
    g_autofree char *path = g_canonicalize_filename(equals + 1, NULL);
    char *sql = sqlite3_mprintf("ATTACH %Q AS \"%w\"", path, name);
    bool good = sql && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_free(sql);
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot attach %s: %s", path, sqlite3_errmsg(db));
    }
    return good;
}

/* The connection is opened read-only, which attached traces inherit. */
static bool open_trace(struct query *query, const char *path, char **attached, GError **error)
{
    query->reader = tcgrr_reader_open(path, error);
    if (!query->reader) {
        return false;
    }
    g_autofree char *absolute = g_canonicalize_filename(path, NULL); /* so that no name is taken for a URI */
    bool good = sqlite3_open_v2(absolute, &query->db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot open %s: %s", path, sqlite3_errmsg(query->db));
    }
    query->sql = good ? tcgrr_sql_register(query->db, error) : NULL;
    good = query->sql != NULL;
    for (char **given = attached; good && given && *given; given++) {
        good = attach(query->db, *given, error);
    }
    if (good) {
        sqlite3_busy_timeout(query->db, 5000);
        harden(query, attached ? (int)g_strv_length(attached) : 0);
    } else {
        sqlite3_close(query->db);
        query->db = NULL;
    }
    return good;
}

/* ---- running ---- */

static sqlite3 *interruptible; /* a signal handler can reach nothing else */
static volatile sig_atomic_t caught;

static void catch (int number)
{
    if (caught) {
        signal(number, SIG_DFL);
        raise(number);
    }
    caught = number;
    if (interruptible) {
        sqlite3_interrupt(interruptible); /* sets a flag, no more */
    }
}

/* From now on SIGINT and SIGTERM end the statement that runs on `db`. */
static void catch_signals(sqlite3 *db)
{
    struct sigaction action = {.sa_handler = catch};
    sigemptyset(&action.sa_mask);
    interruptible = db;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int query_take_signal(void)
{
    int number = caught;
    caught = 0;
    return number;
}

struct progress {
    gint64 started; /* microseconds */
    gint64 next;
    const struct tcgrr_sql *sql;
};

static int show_progress(void *data)
{
    struct progress *progress = data;
    gint64 now = g_get_monotonic_time();
    if (caught) {
        return 1;
    }
    if (now >= progress->next && !cli_paging()) {
        g_autofree char *chunks = cli_number(tcgrr_sql_chunks_decoded(progress->sql));
        cli_progress("%.0f s, %s chunks of the trace decoded", (double)(now - progress->started) / 1e6, chunks);
        progress->next = now + G_USEC_PER_SEC;
    }
    return 0;
}

/* Says what SQLite says. Whose fault it is decides the exit status. */
static int say_error(sqlite3 *db, int status)
{
    int primary = status & 0xff;
    bool outside = primary == SQLITE_CORRUPT || primary == SQLITE_IOERR || primary == SQLITE_FULL ||
                   primary == SQLITE_BUSY || primary == SQLITE_CANTOPEN || primary == SQLITE_NOMEM;
    if (primary == SQLITE_INTERRUPT && caught) {
        return cli_stopped_status(caught);
    }
    if (primary == SQLITE_AUTH) {
        cli_say_error("%s: tcgrr query only reads; use sqlite3 to change a copy of the trace", sqlite3_errmsg(db));
    } else {
        cli_say_error("%s", sqlite3_errmsg(db));
    }
    return outside ? CLI_FAILED : CLI_USAGE;
}

/* The trace has become another file. */
static bool open_again(struct query *query, GError **error)
{
    sqlite3_progress_handler(query->db, 0, NULL, NULL);
    interruptible = NULL;
    sqlite3_close(query->db);
    g_autofree char *path = g_strdup(tcgrr_reader_path(query->reader));
    g_clear_pointer(&query->reader, tcgrr_reader_free);
    if (!open_trace(query, path, query->attached, error)) {
        return false;
    }
    catch_signals(query->db);
    return true;
}

/* ---- what the trace does not have ---- */

/* Starts collecting the gaps of the current statement. */
static void begin_gaps(const struct query *query, unsigned all)
{
    tcgrr_sql_note_gaps(query->sql);
    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        if (all & 1u << level) {
            tcgrr_sql_ask_all(query->sql, level);
        }
    }
}

/* Fails if the trace has nothing at all of something that was asked for. */
static int check_gaps(const struct query *query)
{
    g_autoptr(GArray) gaps = tcgrr_sql_gaps(query->sql);

    for (guint i = 0; i < gaps->len; i++) {
        const struct tcgrr_sql_gap *gap = &g_array_index(gaps, struct tcgrr_sql_gap, i);
        if (!gap->any_present) {
            cli_say_error("%s", gap->text);
            return CLI_FAILED;
        }
    }
    return CLI_OK;
}

/* Rows were printed, and there would be more. */
static void say_gaps(const struct query *query)
{
    g_autoptr(GArray) gaps = tcgrr_sql_gaps(query->sql);

    for (guint i = 0; i < gaps->len; i++) {
        cli_note("note: rows are missing: %s", g_array_index(gaps, struct tcgrr_sql_gap, i).text);
    }
}

/* Derives what the statement turns out to lack when it runs. AGAIN if that has changed the trace. */
#define AGAIN (-1)
static int fill_gaps(struct query *query, sqlite3_stmt *statement)
{
    int status = CLI_OK;

    while (sqlite3_step(statement) == SQLITE_ROW) {
    }
    sqlite3_reset(statement); /* an error will be reported again */
    g_autoptr(GArray) gaps = tcgrr_sql_gaps(query->sql);
    for (guint i = 0; i < gaps->len && status <= CLI_OK; i++) {
        const struct tcgrr_sql_gap *gap = &g_array_index(gaps, struct tcgrr_sql_gap, i);
        if (gap->main) {
            int filled = cli_fill_window(tcgrr_reader_path(query->reader), gap->level, gap->span);
            status = filled == CLI_OK ? AGAIN : filled;
        }
    }
    return status;
}

/*
 * If requested, makes sure that the trace has what the statement, which has just been prepared, reads. Returns an exit
 * status, or AGAIN if the trace has changed and the statement has to be prepared again.
 */
static int supply(struct query *query, sqlite3_stmt *statement)
{
    unsigned all = query->all; /* the tables' own statements are authorized, too */
    GError *error = NULL;
    int status = CLI_OK;

    if (!tcgrr_reader_need_level(query->reader, query->needs, false, &error)) {
        return cli_fill_lack(tcgrr_reader_path(query->reader), query->fill, error, &status) ? AGAIN : status;
    }
    begin_gaps(query, all);
    if (query->fill && !tcgrr_reader_has_all(query->reader, query->needs)) {
        status = fill_gaps(query, statement);
        begin_gaps(query, all);
    }
    return status;
}

/* ---- statements ---- */

/* Returns SQLite's code; sets *lacks if the trace has nothing of the requested level. */
static int run_statement(const struct query *query, sqlite3_stmt *statement, bool *lacks)
{
    int status = sqlite3_step(statement);
    *lacks = (status == SQLITE_ROW || status == SQLITE_DONE) && check_gaps(query) != CLI_OK;
    if (*lacks) {
        return SQLITE_OK;
    }
    if (status == SQLITE_ROW) {
        if (query->page) {
            cli_page();
        }
        status = query_print(statement, query->format);
    } else if (status == SQLITE_DONE) {
        query_print_nothing(statement, query->format);
    }
    fflush(stdout);
    say_gaps(query);
    return status == SQLITE_DONE ? SQLITE_OK : status;
}

/* Runs the statement that *sql begins with, and moves *sql after it. Returns an exit status. */
static int run_next(struct query *query, const char **sql, struct progress *progress)
{
    sqlite3_stmt *statement = NULL;
    const char *end = *sql;
    bool lacks = false;

    query->needs = TCGRR_LEVEL_INPUTS;
    query->all = 0;
    int status = sqlite3_prepare_v2(query->db, *sql, -1, &statement, &end);
    if (status == SQLITE_OK && statement) {
        int supplied = supply(query, statement);
        if (supplied != CLI_OK) {
            GError *error = NULL;
            sqlite3_finalize(statement);
            return supplied != AGAIN || open_again(query, &error) ? MAX(supplied, CLI_OK) : cli_fail(error);
        }
        status = run_statement(query, statement, &lacks);
    }
    *sql = end;
    cli_progress_clear();
    int result = lacks ? CLI_FAILED : status == SQLITE_OK ? CLI_OK : say_error(query->db, status);
    sqlite3_finalize(statement);
    return result;
}

int query_run(struct query *query, const char *sql)
{
    struct progress progress = {.started = g_get_monotonic_time(), .sql = query->sql};
    int status = CLI_OK;

    progress.next = progress.started + G_USEC_PER_SEC;
    while (status == CLI_OK && !caught && *sql) {
        progress.sql = query->sql;
        if (query->progress) {
            sqlite3_progress_handler(query->db, STEPS_PER_LOOK, show_progress, &progress);
        }
        status = run_next(query, &sql, &progress);
    }
    if (query->db) {
        sqlite3_progress_handler(query->db, 0, NULL, NULL);
    }
    return status == CLI_OK && caught ? cli_stopped_status(caught) : status;
}

/* ---- command ---- */

static bool parse_format(const char *name, enum query_format *format)
{
    static const char *const known[] = {"table", "csv", "json", "jsonl"};
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        if (g_strcmp0(name, known[i]) == 0) {
            *format = (enum query_format)i;
            return true;
        }
    }
    return name == NULL;
}

/* All of `file`, or NULL after having said why not. */
static char *read_sql(FILE *file, const char *name, int *status)
{
    GString *text = g_string_new(NULL);
    char buffer[65536];
    for (size_t size; (size = fread(buffer, 1, sizeof(buffer), file)) > 0 && text->len <= MAX_SQL_BYTES;) {
        g_string_append_len(text, buffer, (gssize)size);
    }
    if (ferror(file) || text->len > MAX_SQL_BYTES) {
        cli_say_error("%s %s", name, ferror(file) ? "cannot be read" : "is longer than 16 MiB of SQL");
        g_string_free(text, TRUE);
        *status = CLI_FAILED;
        return NULL;
    }
    return g_string_free(text, FALSE);
}

static char *read_sql_file(const char *path, int *status)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        cli_say_error("cannot read %s: %m", path);
        *status = CLI_FAILED;
        return NULL;
    }
    char *text = read_sql(file, path, status);
    fclose(file);
    return text;
}

static int execute(struct query *query, const char *trace, const char *sql, const char *path)
{
    g_autofree char *text = NULL;
    int status = CLI_OK;

    catch_signals(query->db);
    if (!sql && !path && query->format != QUERY_OBJECT && isatty(STDIN_FILENO)) {
        return query_shell(query, trace);
    }
    if (!sql) {
        text = path ? read_sql_file(path, &status) : read_sql(stdin, "standard input", &status);
        sql = text;
    }
    if (!sql) {
        return status;
    }
    if (sql[strspn(sql, " \t\r\n;")] == '\0') {
        return cli_usage(&cli_query, "the SQL is empty");
    }
    query->page = true;
    return *sql == '.' ? query_command(query, sql) : query_run(query, sql);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    g_autofree char *path = NULL;
    g_autofree char *format = NULL;
    g_auto(GStrv) attached = NULL;
    gboolean progress = FALSE, fill = FALSE, json = FALSE;
    const GOptionEntry options[] = {
        {"file", 'f', 0, G_OPTION_ARG_FILENAME, &path, "read the SQL from a file", "FILE"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &format, "table (the default), csv, json or jsonl (one object per line)",
         "FORMAT"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object, {\"rows\": [{…}, …]}", NULL},
        {"attach", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &attached,
         "also open TRACE, for SQL NAME.block, exec('NAME') and so on (repeatable)", "NAME=TRACE"},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &progress, "show progress even if standard error is not a terminal",
         NULL},
        CLI_FILL_OPTION(fill),
        {0},
    };
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    struct query query = {.progress = progress || isatty(STDERR_FILENO), .fill = fill, .attached = attached};
    if (argc < 2 || argc > 3) {
        return cli_usage(command, "query takes a trace and one string of SQL");
    }
    if (argc == 3 && path) {
        return cli_usage(command, "query takes its SQL from the command line or from -f, not both");
    }
    if (!parse_format(format, &query.format)) {
        return cli_usage(command, "unknown format '%s'; use table, csv, json or jsonl", format);
    }
    if (json && (format || (argc == 3 && *argv[2] == '.'))) {
        return cli_usage(command, "--json goes with SQL, and not with --format");
    }
    query.format = json ? QUERY_OBJECT : query.format;
    GError *error = NULL;
    if (!open_trace(&query, argv[1], attached, &error)) {
        return cli_fail(error);
    }
    int status = execute(&query, argv[1], argc == 3 ? argv[2] : NULL, path);
    query_print_end(query.format, status);
    interruptible = NULL;
    sqlite3_close(query.db);
    tcgrr_reader_free(query.reader);
    return status;
}

const struct cli_command cli_query = {
    "query",
    "TRACE [SQL]",
    "Query a trace with SQL",
    "Without SQL, reads it from standard input, or on a terminal from a prompt ('.help' explains it).\n\n"
    "Tables: exec and insn (what ran), event, block, edge, callstack(icount), history(icount, n), mem (--level full),\n"
    "state (--level state), run, symbol and more; views: hot_block, hot_function, exec_count and more. '.tables'\n"
    "instead of SQL lists all, '.schema' and '.schema mem' explain their columns, docs/sql.md says what is "
    "fast.\n"
    "Functions: addr(pc), symbolize(pc), function_of(pc).\n\n"
    "Examples:\n"
    "  tcgrr query boot.tcgrr \"SELECT kind, count(*) FROM event GROUP BY kind\"\n"
    "  tcgrr query boot.tcgrr \"SELECT icount, addr(pc), disasm FROM insn WHERE icount < 5000000 ORDER BY icount DESC "
    "LIMIT 20\"\n"
    "  tcgrr query boot.tcgrr \"SELECT function, ran FROM hot_function ORDER BY ran DESC LIMIT 10\"\n"
    "  tcgrr query boot.tcgrr \"SELECT icount, addr(pc), value FROM mem WHERE covers = 0xffff000012345678\n"
    "      AND kind = 'store' ORDER BY icount DESC LIMIT 1\"\n"
    "  tcgrr query a.tcgrr --attach b=b.tcgrr \"SELECT addr(pc) FROM block WHERE hash NOT IN (SELECT hash FROM "
    "b.block)\"\n",
    run,
};
