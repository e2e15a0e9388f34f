/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/man.h"

#include <stdio.h>
#include <string.h>

/* Text as roff takes it: nothing in it is a request, a hyphen stays one, and other characters than ASCII have names. */
static void put(const char *text)
{
    if (*text == '.' || *text == '\'') {
        fputs("\\&", stdout);
    }
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar letter = g_utf8_get_char(text);
        if (letter == '\\') {
            fputs("\\e", stdout);
        } else if (letter == '-') {
            fputs("\\-", stdout);
        } else if (letter == '\'') {
            fputs("\\(aq", stdout);
        } else if (letter >= 0x80) {
            printf("\\[u%04X]", letter);
        } else {
            putchar((int)letter);
        }
    }
}

void cli_man_section(const char *title)
{
    g_autofree char *upper = g_ascii_strup(title, -1);
    printf(".SH \"");
    put(upper);
    printf("\"\n");
}

void cli_man_begin(const char *name, const char *synopsis, const char *summary)
{
    g_autofree char *page = g_strdelimit(g_strdup(name), " ", '-');
    g_autofree char *title = g_ascii_strup(page, -1);

    printf(".TH \"");
    put(title);
    printf("\" 1 \"\" \"tcgrr " TCGRR_VERSION "\" \"tcgrr\"\n");
    cli_man_section("Name");
    put(page);
    printf(" \\- ");
    put(summary);
    printf("\n");
    cli_man_section("Synopsis");
    printf("\\fB");
    put(name);
    printf(*synopsis ? "\\fR " : "\\fR");
    put(synopsis);
    printf("\n");
}

void cli_man_item(const char *option, const char *value, const char *text)
{
    printf(".TP\n\\fB");
    put(option);
    printf("\\fR");
    if (value) {
        printf("=\\fI");
        put(value);
        printf("\\fR");
    }
    printf("\n");
    put(text);
    printf("\n");
}

static bool is_indented(const char *line)
{
    return line && *line == ' ';
}

void cli_man_text(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool as_is = false, after_blank = false; /* an empty line came before */

    for (char **line = lines; *line; line++) {
        if (is_indented(*line) != as_is) {
            as_is = !as_is;
            printf(as_is ? ".EX\n" : ".EE\n");
        }
        size_t length = strlen(*line);
        bool title = length > 0 && (*line)[length - 1] == ':' && is_indented(line[1]);
        if (after_blank && length > 0 && !title) {
            printf(".PP\n");
        }
        after_blank = length == 0;
        if (title) {
            (*line)[length - 1] = '\0';
            cli_man_section(*line);
        } else if (length > 0) {
            put(*line);
            printf("\n");
        }
    }
}

void cli_man_command(const struct cli_command *command, const GOptionEntry *options)
{
    g_autofree char *name = g_strdup_printf("tcgrr %s", command->name);

    cli_man_begin(name, command->synopsis, command->summary);
    if (options->long_name) {
        cli_man_section("Options");
    }
    for (; options->long_name; options++) {
        g_autofree char *letter = options->short_name ? g_strdup_printf("-%c, ", options->short_name) : g_strdup("");
        g_autofree char *option = g_strdup_printf("%s--%s", letter, options->long_name);
        if (!(options->flags & G_OPTION_FLAG_HIDDEN)) {
            cli_man_item(option, options->arg_description, options->description);
        }
    }
    if (!g_str_has_prefix(command->examples, "Examples:")) {
        cli_man_section("Description");
    }
    cli_man_text(command->examples);
    cli_man_section("See also");
    printf(".BR tcgrr (1)\n");
}
