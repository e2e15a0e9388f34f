/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as people read and write them. */
#include "cli/cli.h"

#include <string.h>

char *cli_number(uint64_t number)
{
    g_autofree char *digits = g_strdup_printf("%" G_GUINT64_FORMAT, number);
    size_t length = strlen(digits);
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            g_string_append_c(text, ',');
        }
        g_string_append_c(text, digits[i]);
    }
    return g_string_free(text, FALSE);
}

/* 1000 to the power of a unit's place here. */
static uint64_t unit_of(char unit)
{
    static const char units[] = "KMG";
    const char *place = unit ? strchr(units, g_ascii_toupper(unit)) : NULL;
    uint64_t factor = 1;

    for (const char *at = units; place && at <= place; at++) {
        factor *= 1000;
    }
    return factor;
}

bool cli_parse_icount(const char *text, uint64_t *icount)
{
    g_auto(GStrv) groups = g_strsplit(text, ",", -1);
    g_autofree char *digits = g_strjoinv("", groups);
    size_t length = strlen(digits);
    uint64_t unit = unit_of(length > 0 ? digits[length - 1] : '\0');
    guint64 value;

    if (unit > 1) {
        digits[length - 1] = '\0';
    }
    if (!g_ascii_string_to_unsigned(digits, 10, 0, INT64_MAX / unit, &value, NULL)) {
        return false;
    }
    g_autofree char *printed = cli_number(value);
    if (groups[1] && (unit > 1 || strcmp(text, printed) != 0)) {
        return false; /* "1,5" may be meant for something else */
    }
    *icount = value * unit;
    return true;
}

bool cli_parse_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    size_t length = strlen(text);
    const char *unit = length > 0 ? strchr(units, g_ascii_toupper(text[length - 1])) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    g_autofree char *digits = g_strndup(text, unit ? length - 1 : length);
    guint64 value;

    if (!g_ascii_string_to_unsigned(digits, 10, 1, (guint64)INT64_MAX >> shift, &value, NULL)) {
        return false;
    }
    *bytes = value << shift;
    return true;
}

bool cli_parse_window(const char *text, uint64_t *first, uint64_t *end)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", -1);
    guint64 numbers[2];

    for (int i = 0; i < 2; i++) {
        if (!parts[0] || !parts[1] || parts[2] ||
            !g_ascii_string_to_unsigned(parts[i], 10, 0, INT64_MAX, &numbers[i], NULL)) {
            return false;
        }
    }
    *first = numbers[0];
    *end = numbers[1];
    return *first < *end;
}

bool cli_timeout_is_good(int seconds)
{
    return seconds >= 1 && seconds <= CLI_TIMEOUT_MAX;
}

char *cli_bytes(uint64_t bytes)
{
    return g_format_size_full(bytes, G_FORMAT_SIZE_DEFAULT);
}
