/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replaces the machine in our command line by another QEMU's. */
#include <string.h>

#include "emu/qemu/command_options.h"
#include "emu/qemu/pin.h"
#include "store/error.h"

static bool check_text(const char *what, const char *pattern, const char *text, GError **error)
{
    if (g_regex_match_simple(pattern, text, 0, 0)) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side's %s is malformed: '%s'", what, text);
    return false;
}

/* Whether they are two versions of one machine, or one. */
static bool same_family(const char *a, const char *b)
{
    g_autoptr(GRegex) version = g_regex_new("-[0-9.]+$", 0, 0, NULL);
    g_autofree char *left = g_regex_replace_literal(version, a, -1, 0, "", 0, NULL);
    g_autofree char *right = g_regex_replace_literal(version, b, -1, 0, "", 0, NULL);
    return strcmp(left, right) == 0;
}

static void put(char **word, char *text)
{
    g_free(*word);
    *word = text;
}

static char *with_machine(const char *value, const char *machine)
{
    g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(value, "type");
    if (tcgrr_suboptions_get(inside, "type")) {
        tcgrr_suboptions_set(inside, "type", machine);
    }
    return tcgrr_suboptions_format(inside);
}

/* *alike: both users named the same CPU, or neither named one. */
static void adopt_option(struct tcgrr_pins *pins, const struct tcgrr_option *option, const char *machine,
                         const char *cpu, const char *clock, bool *alike)
{
    char **word = &pins->words[option->first + option->words - 1];

    if (strcmp(option->name, "M") == 0 || strcmp(option->name, "machine") == 0) {
        put(word, with_machine(option->value, machine));
    } else if (strcmp(option->name, "rtc") == 0) {
        put(word, g_strdup(clock));
    } else if (strcmp(option->name, "cpu") == 0 && option->first < pins->given_end) {
        *alike = strcmp(option->value, cpu) == 0;
    } else if (strcmp(option->name, "cpu") == 0) {
        *alike = strchr(cpu, ',') == NULL;
        put(word, g_strdup(cpu));
    }
}

bool tcgrr_pins_adopt(struct tcgrr_pins *pins, const char *machine, const char *cpu, const char *clock, GError **error)
{
    if (!check_text("machine", "^[A-Za-z0-9._+-]+$", machine, error) ||
        !check_text("CPU", "^[A-Za-z0-9._+-]*(,[A-Za-z0-9._+=-]+)*$", cpu, error) ||
        !check_text("clock", "^base=[0-9T:-]+,clock=(vm|host|rt)(,driftfix=[a-z]+)?$", clock, error)) {
        return false;
    }
    bool alike = same_family(pins->machine, machine);
    g_autoptr(GArray) given = tcgrr_options_scan_system((const char *const *)pins->words);
    for (guint i = 0; alike && i < given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(given, struct tcgrr_option, i);
        if (option->value) {
            adopt_option(pins, option, machine, cpu, clock, &alike);
        }
    }
    if (!alike) {
        g_set_error(
            error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
            "the two sides make different machines: %s with CPU %s here, %s with CPU %s on the other side; give "
            "both the same -M and -cpu",
            pins->machine, pins->cpu, machine, cpu);
        return false;
    }
    put(&pins->machine, g_strdup(machine));
    put(&pins->cpu, g_strdup(cpu));
    put(&pins->clock, g_strdup(clock));
    return true;
}

void tcgrr_pins_unpin_clock(struct tcgrr_pins *pins, const char *const *arguments)
{
    g_autoptr(GArray) pinned = tcgrr_options_scan_system((const char *const *)pins->words);
    g_autoptr(GArray) given = tcgrr_options_scan_system(arguments);
    guint next = 0;

    for (guint i = 0; i < pinned->len; i++) {
        const struct tcgrr_option *option = &g_array_index(pinned, struct tcgrr_option, i);
        if (strcmp(option->name, "rtc") != 0) {
            continue;
        }
        while (next < given->len && strcmp(g_array_index(given, struct tcgrr_option, next).name, "rtc") != 0) {
            next++;
        }
        if (next < given->len) {
            const struct tcgrr_option *own = &g_array_index(given, struct tcgrr_option, next++);
            put(&pins->words[option->first + option->words - 1], g_strdup(arguments[own->first + own->words - 1]));
            continue;
        }
        char **word = &pins->words[option->first]; /* a default, and the only one */
        g_free(word[0]);
        g_free(word[1]);
        do {
            word[0] = word[2];
        } while (*word++);
        break;
    }
}
