/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Symbols of text files: System.map, /proc/kallsyms, what nm prints (with -S, too). A line is an address, perhaps a
 * size, a letter and a name, with kallsyms perhaps the module. Letters t, T, w, W, i are code.
 */
#include "store/symbols.h"

#include "store/error.h"

#include <string.h>

#define MAX_BYTES (256u << 20)

/* Parses one line; a code symbol goes to `label`. False if the line is not valid in such a file. */
static bool parse_line(char *line, struct tcgrr_label *label, bool *code)
{
    char *words[5] = {NULL};
    size_t count = 0;
    guint64 size = 0;
    char *place = NULL;

    for (char *word = strtok_r(line, " \t", &place); word && count < G_N_ELEMENTS(words);
         word = strtok_r(NULL, " \t", &place)) {
        words[count++] = word;
    }
    size_t letter = count > 2 && strlen(words[1]) > 1 ? 2 : 1;
    *code = false;
    if (count == 2 && strlen(words[0]) == 1) {
        return true; /* nm: undefined, without an address */
    }
    if (count < letter + 2 || strlen(words[letter]) != 1 ||
        !g_ascii_string_to_unsigned(words[0], 16, 0, UINT64_MAX, &label->address, NULL) ||
        (letter == 2 && !g_ascii_string_to_unsigned(words[1], 16, 0, UINT64_MAX, &size, NULL))) {
        return false;
    }
    *code = strchr("tTwWi", words[letter][0]) != NULL;
    label->size = size;
    label->global = g_ascii_isupper(words[letter][0]);
    label->name = words[letter + 1];
    return true;
}

static bool refuse(const char *path, const char *why, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s %s", path, why);
    return false;
}

/* Names of mapping symbols and the like; nm prints them, too. */
static bool is_marker(const char *name)
{
    return name[0] == '$' || g_str_has_prefix(name, ".L") || !g_utf8_validate(name, -1, NULL);
}

bool tcgrr_symbols_add_text(struct tcgrr_symbols *table, const char *path, uint64_t offset, GError **error)
{
    g_autoptr(GArray) labels = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_label));
    g_autofree char *text = NULL;
    GError *reason = NULL;
    gsize length;
    bool any = false;
    char *place = NULL;

    if (!g_file_get_contents(path, &text, &length, &reason)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read symbols from %s: %s", path, reason->message);
        g_error_free(reason);
        return false;
    }
    if (length > MAX_BYTES || strlen(text) != length) {
        return refuse(path, "is neither an ELF file nor a list of symbols", error);
    }
    for (char *line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place)) {
        struct tcgrr_label label = {.limit = UINT64_MAX};
        bool code;
        if (!parse_line(line, &label, &code)) {
            return refuse(path,
                          "is neither an ELF file nor a list of symbols like System.map, /proc/kallsyms or nm's output",
                          error);
        }
        any = any || label.address != 0;
        /* Data bounds the code before it, so it is kept as a label without a name. */
        label.name = code && !is_marker(label.name) ? label.name : NULL;
        g_array_append_val(labels, label);
    }
    if (!any) {
        return refuse(path, labels->len ? "has only addresses of 0: read /proc/kallsyms as root" : "has no symbols",
                      error);
    }
    tcgrr_symbols_add_labels(table, labels, path, offset);
    return true;
}
