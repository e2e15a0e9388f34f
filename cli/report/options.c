/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

#include <string.h>

static bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool refuse(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, text);
    return false;
}

/* ---- values ---- */

static bool parse_switch(const char *text, uint64_t *number)
{
    static const char *const words[] = {"off", "no", "false", "on", "yes", "true"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *number = i / 3;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *choices, const char *text, uint64_t *number)
{
    g_auto(GStrv) words = g_strsplit(choices, "|", -1);
    for (uint64_t i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *text, uint64_t *number)
{
    guint64 value;

    if (!g_str_has_prefix(text, "0x")) {
        return cli_parse_icount(text, number);
    }
    if (!g_ascii_string_to_unsigned(text + 2, 16, 0, UINT64_MAX, &value, NULL)) {
        return false;
    }
    *number = value;
    return true;
}

static bool take_value(const struct report_option *option, const char *text, struct report_value *value, GError **error)
{
    switch (option->kind) {
    case REPORT_NUMBER:
        if (!parse_number(text, &value->number) || value->number < option->least || value->number > option->most) {
            return refuse(error, "%s takes a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ", not '%s'",
                          option->name, option->least, option->most, text);
        }
        return true;
    case REPORT_WITHOUT:
    case REPORT_SWITCH:
        return parse_switch(text, &value->number) || refuse(error, "%s takes on or off, not '%s'", option->name, text);
    case REPORT_CHOICE:
        return parse_choice(option->values, text, &value->number) ||
               refuse(error, "%s takes one of %s, not '%s'", option->name, option->values, text);
    default:
        if (!*text) {
            return refuse(error, "%s takes %s, not nothing", option->name, option->values);
        }
        if (option->kind == REPORT_LIST) {
            g_ptr_array_add(value->texts, (char *)text);
        } else {
            value->text = text;
        }
        return true;
    }
}

/* ---- words ---- */

static char *names_of(const struct report_option *options)
{
    GString *names = g_string_new(NULL);
    for (; options->name; options++) {
        g_string_append_printf(names, "%s%s", names->len ? ", " : "", options->name);
    }
    return g_string_free(names, FALSE);
}

static bool take_word(struct report_job *job, const char *word, GError **error)
{
    const struct report_option *options = job->report->options;
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);

    for (int i = 0; options[i].name; i++) {
        if (strlen(options[i].name) != length || strncmp(options[i].name, word, length) != 0) {
            continue;
        }
        bool is_switch = options[i].kind == REPORT_SWITCH || options[i].kind == REPORT_WITHOUT;
        if (!equals && !is_switch) {
            return refuse(error, "%s needs a value: %s=%s", options[i].name, options[i].name, options[i].values);
        }
        if (job->values[i].given && options[i].kind != REPORT_LIST) {
            return refuse(error, "%s is given twice", options[i].name);
        }
        job->values[i].given = true;
        return take_value(&options[i], equals ? equals + 1 : "on", &job->values[i], error);
    }
    g_autofree char *names = names_of(options);
    return refuse(error, "%s has no option '%.*s'; it has %s", job->report->name, (int)length, word,
                  *names ? names : "none");
}

bool report_parse_options(struct report_job *job, char **words, GError **error)
{
    const struct report_option *options = job->report->options;
    for (int i = 0; options[i].name; i++) {
        job->values[i] = (struct report_value){.number = options[i].fallback};
        job->values[i].texts = options[i].kind == REPORT_LIST ? g_ptr_array_new() : NULL;
    }
    for (; *words; words++) {
        if (!take_word(job, *words, error)) {
            return false;
        }
    }
    return true;
}

void report_clear_options(struct report_job *job)
{
    for (int i = 0; i < REPORT_MAX_OPTIONS; i++) {
        g_clear_pointer(&job->values[i].texts, g_ptr_array_unref);
    }
}

/* ---- help ---- */

static const char *shown_values(const struct report_option *option)
{
    return option->kind == REPORT_SWITCH || option->kind == REPORT_WITHOUT ? "on|off" : option->values;
}

void report_print_options(const struct report_option *options)
{
    for (; options->name; options++) {
        g_autofree char *name = g_strdup_printf("%s=%s", options->name, shown_values(options));
        printf("  %-32s %s", name,
               options->kind == REPORT_WITHOUT ? "exists in the plugin; has no effect here" : options->text);
        printf("%s\n", options->kind == REPORT_LIST ? " (repeatable)" : "");
    }
}

json_t *report_options_json(const struct report_option *options)
{
    json_t *list = json_array();
    for (; options->name; options++) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "name", options->name, "values", shown_values(options),
                                              "repeats", options->kind == REPORT_LIST));
    }
    return list;
}
