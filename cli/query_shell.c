/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shell of `tcgrr query` without SQL: statements over several lines, history, completion, and a few commands that
 * begin with a dot. */
#include "cli/query.h"

#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef TCGRR_READLINE
#include <readline/history.h>
#include <readline/readline.h>
#endif

#define HISTORY_LINES 1000

/* ---- names ---- */

static void add_rows(GPtrArray *names, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        g_ptr_array_add(names, g_strdup((const char *)sqlite3_column_text(statement, 0)));
    }
    sqlite3_finalize(statement);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Tables and views by name; those of attached traces with their schema. */
static GPtrArray *table_names(sqlite3 *db)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    add_rows(names, db,
             "SELECT iif(schema IN ('main', 'temp'), name, schema || '.' || name) FROM pragma_table_list"
             " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    for (size_t i = 0; tcgrr_sql_table_name(i); i++) {
        g_ptr_array_add(names, g_strdup(tcgrr_sql_table_name(i)));
    }
    g_ptr_array_sort(names, by_name);
    return names;
}

/* ---- lines ---- */

#ifdef TCGRR_READLINE

static const char *const commands[] = {".format", ".help", ".quit", ".schema", ".tables"};
static const char *const words[] = {"SELECT", "FROM",   "WHERE",     "GROUP BY",    "ORDER BY",
                                    "LIMIT",  "JOIN",   "BETWEEN",   "DESC",        "DISTINCT",
                                    "HAVING", "count",  "sum",       "max",         "min",
                                    "addr",   "hex",    "symbolize", "function_of", "EXPLAIN QUERY PLAN",
                                    "WITH",   "AS",     "ON",        "USING",       "NOT",
                                    "NULL",   "VALUES", "EXISTS",    "UNION ALL",   "EXCEPT"};

static GPtrArray *candidates; /* readline's callbacks get no pointer of ours */

static GPtrArray *completion_names(sqlite3 *db)
{
    GPtrArray *names = table_names(db);
    guint tables = names->len;
    for (guint i = 0; i < tables; i++) {
        const char *name = g_ptr_array_index(names, i);
        const char *dot = strchr(name, '.');
        char *sql = sqlite3_mprintf("SELECT name FROM pragma_table_xinfo(%Q)", dot ? dot + 1 : name);
        add_rows(names, db, sql);
        sqlite3_free(sql);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        g_ptr_array_add(names, g_strdup(words[i]));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_ptr_array_add(names, g_strdup(commands[i]));
    }
    return names;
}

static char *next_candidate(const char *text, int state)
{
    static guint at;
    at = state ? at : 0;
    while (at < candidates->len) {
        const char *name = g_ptr_array_index(candidates, at++);
        if (g_ascii_strncasecmp(name, text, strlen(text)) == 0) {
            return strdup(name);
        }
    }
    return NULL;
}

static char **complete(const char *text, int start, int end)
{
    rl_attempted_completion_over = 1;
    return rl_completion_matches(text, next_candidate);
}

/* Ctrl-C at the prompt gives up the statement, SIGTERM the shell: both end the line. */
static int after_signal(void)
{
    int number = query_take_signal();
    rl_replace_line("", 0);
    rl_done = 1;
    raise(number); /* raised again, for the handler that is installed after readline's */
    return 0;
}

static char *history_path(void)
{
    g_autofree char *folder = g_build_filename(g_get_user_data_dir(), "tcgrr", NULL);
    g_mkdir_with_parents(folder, 0700);
    return g_build_filename(folder, "query_history", NULL);
}

static void begin_lines(sqlite3 *db)
{
    g_autofree char *path = history_path();
    candidates = completion_names(db);
    rl_readline_name = "tcgrr";
    rl_attempted_completion_function = complete;
    rl_basic_word_break_characters = " \t\n\"'`(),;=<>+-*/|";
    rl_signal_event_hook = after_signal;
    using_history();
    stifle_history(HISTORY_LINES);
    read_history(path);
}

static void end_lines(void)
{
    g_autofree char *path = history_path();
    write_history(path);
    g_ptr_array_unref(candidates);
}

/* A line without its end, for free(); NULL at the end of input. */
static char *read_line(const char *prompt)
{
    return readline(prompt);
}

static void remember(const char *text)
{
    add_history(text);
}

#else

static void begin_lines(sqlite3 *db)
{
}

static void end_lines(void)
{
}

static char *read_line(const char *prompt)
{
    char *line = NULL;
    size_t capacity = 0;

    fputs(prompt, stdout);
    fflush(stdout);
    ssize_t length = getline(&line, &capacity, stdin);
    if (length < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static void remember(const char *text)
{
}

#endif

/* ---- commands ---- */

static void print_help(void)
{
    puts("SQL ends with a semicolon and may take several lines; Ctrl-C ends a query that runs. Addresses are signed in "
         "SQL:\n"
         "addr(pc) shows them as 0x…, and you can write 0xffff800008000000 in SQL.\n"
         "  .tables            tables and "
         "views\n"
         "  .schema [NAME]     how they are declared, with what each column means\n"
         "  .format FORMAT     table, csv, json or jsonl\n"
         "  .quit              (or Ctrl-D)\n"
         "Try: SELECT icount, addr(pc), disasm FROM insn LIMIT 10;");
}

static void print_tables(sqlite3 *db)
{
    g_autoptr(GPtrArray) names = table_names(db);
    for (guint i = 0; i < names->len; i++) {
        printf("%-24s%s", (const char *)g_ptr_array_index(names, i), i % 4 == 3 || i + 1 == names->len ? "\n" : " ");
    }
}

/* Returns whether there is such a table. */
static bool print_schema(sqlite3 *db, const char *name)
{
    sqlite3_stmt *statement = NULL;
    bool any = false;

    for (size_t i = 0; tcgrr_sql_table_name(i); i++) {
        if (!name || g_ascii_strcasecmp(name, tcgrr_sql_table_name(i)) == 0) {
            printf("%s;\n", tcgrr_sql_table_schema(i));
            any = true;
        }
    }
    sqlite3_prepare_v2(db,
                       "SELECT sql FROM (SELECT sql, name, tbl_name FROM main.sqlite_schema UNION ALL"
                       " SELECT sql, name, tbl_name FROM temp.sqlite_schema)"
                       " WHERE sql IS NOT NULL AND (?1 IS NULL OR name LIKE ?1 OR tbl_name LIKE ?1)",
                       -1, &statement, NULL);
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        g_autofree char *text = g_utf8_make_valid((const char *)sqlite3_column_text(statement, 0), -1);
        for (char *at = text; *at; at++) {
            putchar((unsigned char)*at < 0x20 && *at != '\n' ? ' ' : *at);
        }
        puts(";");
        any = true;
    }
    sqlite3_finalize(statement);
    if (!any) {
        cli_say_error("there is no table '%s'; .tables lists them", name);
    }
    return any;
}

static bool set_format(struct query *query, const char *name)
{
    static const char *const formats[] = {"table", "csv", "json", "jsonl"};
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (g_strcmp0(name, formats[i]) == 0) {
            query->format = (enum query_format)i;
            return true;
        }
    }
    fputs("tcgrr: the formats are table, csv, json and jsonl\n", stderr);
    return false;
}

/* Sets `*quit` if the shell has to end. Returns whether the command succeeded. */
static bool run_command(struct query *query, const char *line, bool *quit)
{
    g_autofree char *stripped = g_strstrip(g_strdup(line));
    g_auto(GStrv) parts = g_strsplit_set(stripped, " \t", 2);
    const char *argument = parts[1] && *g_strstrip(parts[1]) ? parts[1] : NULL;

    if (strcmp(parts[0], ".quit") == 0 || strcmp(parts[0], ".exit") == 0) {
        *quit = true;
    } else if (strcmp(parts[0], ".help") == 0) {
        print_help();
    } else if (strcmp(parts[0], ".tables") == 0) {
        print_tables(query->db);
    } else if (strcmp(parts[0], ".schema") == 0) {
        return print_schema(query->db, argument);
    } else if (strcmp(parts[0], ".format") == 0) {
        return set_format(query, argument);
    } else {
        cli_say_error("there is no command '%s'; see .help", parts[0]);
        return false;
    }
    return true;
}

int query_command(const struct query *given, const char *line)
{
    struct query query = *given;
    bool quit = false;
    return run_command(&query, line, &quit) ? CLI_OK : CLI_USAGE;
}

/* ---- shell ---- */

int query_shell(struct query *query, const char *trace)
{
    GString *sql = g_string_new(NULL);
    int signal_seen = 0;
    bool quit = false;

    printf("%s; SQL, or .help\n", trace);
    begin_lines(query->db);
    while (!quit) {
        char *line = read_line(sql->len ? "  ...> " : "tcgrr> ");
        signal_seen = query_take_signal();
        if (!line || signal_seen == SIGTERM) {
            free(line);
            break;
        }
        if (signal_seen) {
            putchar('\n');
            g_string_truncate(sql, 0);
        } else if (sql->len == 0 && line[0] == '.') {
            remember(line);
            run_command(query, line, &quit);
        } else if (*line || sql->len) {
            g_string_append(g_string_append(sql, line), "\n");
        }
        free(line);
        if (sql->len && sqlite3_complete(sql->str)) {
            g_autofree char *text = g_strstrip(g_strdup(sql->str));
            remember(text);
            query_run(query, sql->str);
            query_take_signal();
            g_string_truncate(sql, 0);
        }
    }
    end_lines();
    g_string_free(sql, TRUE);
    putchar('\n');
    return signal_seen == SIGTERM ? cli_stopped_status(SIGTERM) : CLI_OK;
}
