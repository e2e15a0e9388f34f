/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/query.h"

#include "cli/cli.h"

#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A table's widths are those of its first rows; it is printed as it comes from then on, however long it is. */
#define MEASURED_ROWS 500
#define MAX_WIDTH     120

/* ---- values ---- */

static char *blob_text(sqlite3_stmt *statement, int column)
{
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    GString *text = g_string_new(NULL);
    for (int i = 0; i < size; i++) {
        g_string_append_printf(text, "%02x", bytes[i]);
    }
    return g_string_free(text, FALSE);
}

/* The value as text, blobs in hexadecimal; NULL for SQL's NULL. Owned by the caller. */
static char *value_text(sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return NULL;
    case SQLITE_BLOB:
        return blob_text(statement, column);
    default: {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        return g_utf8_make_valid(text ? text : "", -1);
    }
    }
}

/* ---- table ---- */

static bool is_address(const char *name)
{
    return strcmp(name, "pc") == 0 || g_str_has_suffix(name, "_pc") || strcmp(name, "address") == 0;
}

/* For people: addresses as such, and nothing that could steer a terminal. */
static char *cell_text(sqlite3_stmt *statement, int column)
{
    int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_INTEGER && is_address(sqlite3_column_name(statement, column))) {
        return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", (guint64)sqlite3_column_int64(statement, column));
    }
    g_autofree char *text = value_text(statement, column);
    GString *shown = g_string_new(NULL);
    for (const char *at = text; at && *at; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);
        if (character == '\n') {
            g_string_append(shown, "\\n");
        } else if (g_unichar_iscntrl(character)) {
            g_string_append_printf(shown, "\\x%02x", character);
        } else {
            g_string_append_unichar(shown, character);
        }
    }
    return g_string_free(shown, FALSE);
}

static void print_cell(const char *text, int width, bool right, bool last)
{
    int padding = MAX(width - (int)g_utf8_strlen(text, -1), 0);
    if (right) {
        printf("%*s%s", padding, "", text);
    } else {
        printf("%s%*s", text, last ? 0 : padding, "");
    }
    fputs(last ? "\n" : "  ", stdout);
}

struct column {
    int width;
    bool right; /* numbers only, so far */
};

static void print_row(char **cells, const struct column *columns, int count)
{
    for (int i = 0; i < count; i++) {
        print_cell(cells[i], columns[i].width, columns[i].right, i == count - 1);
    }
}

static char **read_cells(sqlite3_stmt *statement, int count)
{
    char **cells = g_new0(char *, (gsize)count + 1);
    for (int i = 0; i < count; i++) {
        cells[i] = cell_text(statement, i);
    }
    return cells;
}

static char **names(sqlite3_stmt *statement, int count)
{
    char **cells = g_new0(char *, (gsize)count + 1);
    for (int i = 0; i < count; i++) {
        cells[i] = g_strdup(sqlite3_column_name(statement, i));
    }
    return cells;
}

static void measure(sqlite3_stmt *statement, char **cells, struct column *columns, int count, bool values)
{
    for (int i = 0; i < count; i++) {
        int type = values ? sqlite3_column_type(statement, i) : SQLITE_NULL;
        columns[i].width = MAX(columns[i].width, MIN((int)g_utf8_strlen(cells[i], -1), MAX_WIDTH));
        columns[i].right = columns[i].right && type != SQLITE_TEXT && type != SQLITE_BLOB;
    }
}

static void print_heading(sqlite3_stmt *statement, const struct column *columns, int count)
{
    g_auto(GStrv) heading = names(statement, count);
    print_row(heading, columns, count);
    for (int i = 0; i < count; i++) {
        g_autofree char *line = g_strnfill((gsize)columns[i].width, '-');
        print_cell(line, columns[i].width, false, i == count - 1);
    }
}

static int print_table(sqlite3_stmt *statement)
{
    int count = sqlite3_column_count(statement);
    g_autofree struct column *columns = g_new0(struct column, (gsize)count);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    g_auto(GStrv) heading = names(statement, count);
    int status = SQLITE_ROW;

    for (int i = 0; i < count; i++) {
        columns[i].right = true;
    }
    measure(statement, heading, columns, count, false);
    while (status == SQLITE_ROW && rows->len < MEASURED_ROWS) {
        char **cells = read_cells(statement, count);
        measure(statement, cells, columns, count, true);
        g_ptr_array_add(rows, cells);
        status = sqlite3_step(statement);
    }
    print_heading(statement, columns, count);
    for (guint i = 0; i < rows->len; i++) {
        print_row(g_ptr_array_index(rows, i), columns, count);
    }
    for (; status == SQLITE_ROW; status = sqlite3_step(statement)) {
        g_auto(GStrv) cells = read_cells(statement, count);
        print_row(cells, columns, count);
    }
    return status;
}

/* ---- CSV ---- */

static void print_csv_field(const char *text, bool last)
{
    if (text && (strpbrk(text, ",\"\r\n") || *text == '\0')) {
        putchar('"');
        for (; *text; text++) {
            fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, stdout);
        }
        putchar('"');
    } else if (text) {
        fputs(text, stdout);
    }
    fputs(last ? "\n" : ",", stdout);
}

static int print_csv(sqlite3_stmt *statement)
{
    int count = sqlite3_column_count(statement);
    int status;

    for (int i = 0; i < count; i++) {
        print_csv_field(sqlite3_column_name(statement, i), i == count - 1);
    }
    do {
        for (int i = 0; i < count; i++) {
            g_autofree char *text = value_text(statement, i);
            print_csv_field(text, i == count - 1);
        }
        status = sqlite3_step(statement);
    } while (status == SQLITE_ROW);
    return status;
}

/* ---- JSON ---- */

static void print_json_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            putchar('\\');
            putchar(byte);
        } else if (byte < 0x20) {
            printf("\\u%04x", byte);
        } else {
            putchar(byte);
        }
    }
    putchar('"');
}

static void print_json_value(sqlite3_stmt *statement, int column)
{
    int type = sqlite3_column_type(statement, column);
    g_autofree char *text = value_text(statement, column);

    if (!text || (type == SQLITE_FLOAT && !isfinite(sqlite3_column_double(statement, column)))) {
        fputs("null", stdout);
    } else if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
        fputs(text, stdout);
    } else {
        print_json_string(text);
    }
}

static void print_json_row(sqlite3_stmt *statement, int count)
{
    for (int i = 0; i < count; i++) {
        fputs(i ? ", " : "{", stdout);
        print_json_string(sqlite3_column_name(statement, i));
        fputs(": ", stdout);
        print_json_value(statement, i);
    }
    putchar('}');
}

static int print_json(sqlite3_stmt *statement, bool lines)
{
    int count = sqlite3_column_count(statement);
    int status = SQLITE_ROW;

    fputs(lines ? "" : "[", stdout);
    while (status == SQLITE_ROW) {
        print_json_row(statement, count);
        status = sqlite3_step(statement);
        fputs(lines ? "\n" : status == SQLITE_ROW ? ",\n " : "", stdout);
    }
    fputs(lines ? "" : "]\n", stdout);
    return status;
}

static bool object_begun; /* the object of this process, which the rows of all its statements go to */

static int print_object(sqlite3_stmt *statement)
{
    int count = sqlite3_column_count(statement);
    int status = SQLITE_ROW;

    while (status == SQLITE_ROW) {
        fputs(object_begun ? ",\n  " : "{\"rows\": [\n  ", stdout);
        object_begun = true;
        cli_json_begun();
        print_json_row(statement, count);
        status = sqlite3_step(statement);
    }
    return status;
}

void query_print_end(enum query_format format, int status)
{
    if (format != QUERY_OBJECT || (!object_begun && status != CLI_OK)) { /* an error alone is said elsewhere */
        return;
    }
    fputs(object_begun ? "]" : "{\"rows\": []", stdout);
    if (status != CLI_OK) {
        json_t *error = cli_json_error(status);
        fputs(", \"error\": ", stdout);
        json_dumpf(error, stdout, JSON_COMPACT);
        json_decref(error);
    }
    puts("}");
}

int query_print(sqlite3_stmt *statement, enum query_format format)
{
    switch (format) {
    case QUERY_OBJECT:
        return print_object(statement);
    case QUERY_CSV:
        return print_csv(statement);
    case QUERY_JSON:
    case QUERY_JSONL:
        return print_json(statement, format == QUERY_JSONL);
    default:
        return print_table(statement);
    }
}

void query_print_nothing(sqlite3_stmt *statement, enum query_format format)
{
    int count = sqlite3_column_count(statement);
    if (format == QUERY_JSON && count > 0) {
        puts("[]");
    }
    for (int i = 0; format == QUERY_CSV && i < count; i++) {
        print_csv_field(sqlite3_column_name(statement, i), i == count - 1);
    }
}
