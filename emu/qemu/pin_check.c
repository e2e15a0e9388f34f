/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks whether a QEMU has a machine and a CPU, and suggests others if it does not. */
#include <stdlib.h>
#include <string.h>

#include "emu/qemu/pin.h"
#include "store/error.h"

/* The names in the output of "-machine help" or "-cpu help", one or more words a line. Owned by the caller. */
static GHashTable *names_in(const char *text)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n()'", -1);
    for (char **word = words; *word; word++) {
        if (**word) {
            g_hash_table_add(names, g_strdup(*word));
        }
    }
    return names;
}

/* QEMU's list of machines, or of one machine's CPUs. Owned by the caller. */
static char *list_machines(const struct tcgrr_qemu *qemu, GError **error)
{
    const char *words[] = {qemu->path, "-machine", "help", NULL};
    return tcgrr_qemu_list((char *const *)words, NULL, error);
}

static char *list_models(const struct tcgrr_qemu *qemu, const char *machine, GError **error)
{
    const char *words[] = {qemu->path, "-machine", machine, "-cpu", "help", NULL};
    return tcgrr_qemu_list((char *const *)words, NULL, error);
}

/* Whether the list has the model. Older releases list some as 'NAME', as NAME-TARGET-cpu, or with spaces for dashes,
 * but accept all of them as NAME. */
static bool lists_model(const char *list, const char *model)
{
    g_auto(GStrv) pieces = g_strsplit(model, "-", -1);
    for (char **piece = pieces; *piece; piece++) {
        char *escaped = g_regex_escape_string(*piece, -1);
        g_free(*piece);
        *piece = escaped;
    }
    g_autofree char *name = g_strjoinv("[ -]", pieces);
    g_autofree char *pattern = g_strdup_printf("(^|[^\\w.-])%s(-\\w+-cpu)?($|[^\\w.-])", name);
    return g_regex_match_simple(pattern, list, G_REGEX_MULTILINE, 0);
}

/* The length of a machine's name without its version: 5 for "virt-7.2"; the whole length if it has none. */
static size_t family_length(const char *machine)
{
    const char *dash = strrchr(machine, '-');
    return dash && g_ascii_isdigit(dash[1]) ? (size_t)(dash + 1 - machine) : strlen(machine);
}

static double version_in(const char *machine)
{
    char *end;
    const char *text = machine + family_length(machine);
    long major = strtol(text, &end, 10);
    return (double)major + (*end == '.' ? (double)strtol(end + 1, NULL, 10) / 1000 : 0);
}

/* The newest machine of the same family that is not newer; NULL if there is none. Belongs to `names`. */
static const char *older_machine(GHashTable *names, const char *machine)
{
    size_t family = family_length(machine);
    const char *best = NULL;
    GHashTableIter iterator;
    gpointer name;
    g_hash_table_iter_init(&iterator, names);
    while (g_hash_table_iter_next(&iterator, &name, NULL)) {
        if (family_length(name) == family && strncmp(name, machine, family) == 0 &&
            version_in(name) <= version_in(machine) && (!best || version_in(name) > version_in(best))) {
            best = name;
        }
    }
    return best;
}

static bool check_machine(const struct tcgrr_qemu *qemu, const char *machine, GError **error)
{
    g_autofree char *list = list_machines(qemu, error);
    g_autoptr(GHashTable) names = list ? names_in(list) : NULL;
    if (!names || g_hash_table_contains(names, machine)) {
        return names != NULL;
    }
    const char *older = older_machine(names, machine);
    g_autofree char *advice = older ? g_strdup_printf("record with -M %s, which it has", older)
                                    : g_strdup("record on a machine that both have (-M help)");
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s (QEMU %s) has no machine %s: %s", qemu->path, qemu->version,
                machine, advice);
    return false;
}

/* The name with the longest prefix in common with `model`, which mostly means the same vendor. NULL if none is similar.
 * Owned by `names`. */
static const char *similar_model(GHashTable *names, const char *model)
{
    const char *best = NULL;
    size_t most = 2;
    GHashTableIter iterator;
    gpointer key;
    g_hash_table_iter_init(&iterator, names);
    while (g_hash_table_iter_next(&iterator, &key, NULL)) {
        const char *name = key;
        size_t same = 0;
        while (name[same] && name[same] == model[same]) {
            same++;
        }
        if (same > most || (same == most && best && strcmp(name, best) > 0)) {
            most = same;
            best = name;
        }
    }
    return best;
}

bool tcgrr_pin_check(const struct tcgrr_qemu *qemu, const char *machine, const char *cpu, GError **error)
{
    if (!check_machine(qemu, machine, error)) {
        return false;
    }
    g_autofree char *model = g_strndup(cpu, strcspn(cpu, ","));
    g_autofree char *list = *model ? list_models(qemu, machine, error) : NULL;
    if (!*model || !list) {
        return !*model;
    }
    g_autoptr(GHashTable) names = names_in(list);
    if (g_hash_table_size(names) == 0 || lists_model(list, model)) {
        return true;
    }
    const char *similar = similar_model(names, model);
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s (QEMU %s) has no CPU %s: record with %s%s%s", qemu->path,
                qemu->version, model, similar ? "-cpu " : "one that both have (-cpu help)", similar ? similar : "",
                similar ? ", which it has" : "");
    return false;
}
