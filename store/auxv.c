/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/auxv.h"

#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>

#define MAX_TEXT (16u << 10) /* bytes; no real vector has as many: the guest and the trace are untrusted */

struct entry {
    uint64_t type;
    uint64_t value;
};

/* Those that any Linux has; the others have numbers. */
static const struct {
    uint64_t type;
    const char *name;
    bool address;
} known[] = {
    {AT_PHDR, "AT_PHDR", true},
    {AT_PHENT, "AT_PHENT", false},
    {AT_PHNUM, "AT_PHNUM", false},
    {AT_PAGESZ, "AT_PAGESZ", false},
    {AT_BASE, "AT_BASE", true},
    {AT_FLAGS, "AT_FLAGS", false},
    {AT_ENTRY, "AT_ENTRY", true},
    {AT_NOTELF, "AT_NOTELF", false},
    {AT_UID, "AT_UID", false},
    {AT_EUID, "AT_EUID", false},
    {AT_GID, "AT_GID", false},
    {AT_EGID, "AT_EGID", false},
    {AT_PLATFORM, "AT_PLATFORM", true},
    {AT_HWCAP, "AT_HWCAP", false},
    {AT_CLKTCK, "AT_CLKTCK", false},
    {AT_FPUCW, "AT_FPUCW", false},
    {AT_DCACHEBSIZE, "AT_DCACHEBSIZE", false},
    {AT_ICACHEBSIZE, "AT_ICACHEBSIZE", false},
    {AT_UCACHEBSIZE, "AT_UCACHEBSIZE", false},
    {AT_IGNOREPPC, "AT_IGNOREPPC", false},
    {AT_SECURE, "AT_SECURE", false},
    {AT_BASE_PLATFORM, "AT_BASE_PLATFORM", true},
    {AT_RANDOM, "AT_RANDOM", true},
    {AT_HWCAP2, "AT_HWCAP2", false},
    {AT_EXECFN, "AT_EXECFN", true},
    {AT_SYSINFO, "AT_SYSINFO", true},
    {AT_SYSINFO_EHDR, "AT_SYSINFO_EHDR (vDSO)", true},
    {AT_MINSIGSTKSZ, "AT_MINSIGSTKSZ", false},
};

void tcgrr_auxv_add(GString *auxv, uint64_t type, uint64_t value)
{
    if (auxv->len < MAX_TEXT) {
        g_string_append_printf(auxv, "%s%" G_GUINT64_FORMAT "=0x%" G_GINT64_MODIFIER "x", auxv->len > 0 ? " " : "",
                               type, value);
    }
}

static GArray *parse(const char *text)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
    g_autofree char *beginning = g_strndup(text, MAX_TEXT);
    g_auto(GStrv) words = g_strsplit(beginning, " ", -1);

    for (char **word = words; *word; word++) {
        char *end;
        struct entry entry = {.type = g_ascii_strtoull(*word, &end, 10)};
        if (*end == '=') {
            entry.value = g_ascii_strtoull(end + 1, NULL, 16);
            g_array_append_val(entries, entry);
        }
    }
    return entries;
}

/* The first entry of that type; *found: there is one. */
static uint64_t value_of(const GArray *entries, uint64_t type, bool *found)
{
    for (guint i = 0; i < entries->len; i++) {
        const struct entry *entry = &g_array_index(entries, struct entry, i);
        if (entry->type == type) {
            *found = true;
            return entry->value;
        }
    }
    *found = false;
    return 0;
}

static bool is_address(uint64_t type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        if (known[i].type == type) {
            return known[i].address;
        }
    }
    return false;
}

static void add_name(GString *text, uint64_t type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        if (known[i].type == type) {
            g_string_append(text, known[i].name);
            return;
        }
    }
    g_string_append_printf(text, "entry %" G_GUINT64_FORMAT, type);
}

/* Adds what differs in the entries of a type, if addresses that both have, or anything else, are wanted. */
static void describe(GString *text, uint64_t type, const GArray *const both[2], bool addresses)
{
    bool there[2];
    uint64_t values[2];

    for (int i = 0; i < 2; i++) {
        values[i] = value_of(both[i], type, &there[i]);
    }
    if ((there[0] && there[1] && is_address(type)) != addresses || (there[0] == there[1] && values[0] == values[1])) {
        return;
    }
    g_string_append(text, text->len > 0 ? ", " : "");
    add_name(text, type);
    if (there[0] && there[1]) {
        g_string_append_printf(text, " 0x%" G_GINT64_MODIFIER "x and 0x%" G_GINT64_MODIFIER "x", values[0], values[1]);
    } else {
        g_string_append_printf(text, " 0x%" G_GINT64_MODIFIER "x in %s only", values[there[1]], there[0] ? "A" : "B");
    }
}

/* Each type once, in the order of A, then of B. */
static GArray *types_of(const GArray *const both[2])
{
    GArray *types = g_array_new(FALSE, FALSE, sizeof(struct entry));

    for (int side = 0; side < 2; side++) {
        for (guint i = 0; i < both[side]->len; i++) {
            struct entry entry = g_array_index(both[side], struct entry, i);
            bool there;
            value_of(types, entry.type, &there);
            if (!there) {
                g_array_append_val(types, entry);
            }
        }
    }
    return types;
}

char *tcgrr_auxv_difference(const char *a, const char *b)
{
    if (!a || !b || !*a || !*b) {
        return NULL;
    }
    g_autoptr(GArray) first = parse(a);
    g_autoptr(GArray) second = parse(b);
    const GArray *const both[] = {first, second};
    g_autoptr(GArray) types = types_of(both);
    GString *text = g_string_new(NULL);

    for (int addresses = 0; addresses < 2; addresses++) {
        for (guint i = 0; i < types->len; i++) {
            describe(text, g_array_index(types, struct entry, i).type, both, addresses);
        }
    }
    return g_string_free(text, text->len == 0);
}

bool tcgrr_auxv_moved(const char *a, const char *b)
{
    static const uint64_t types[] = {AT_PHDR, AT_ENTRY, AT_BASE};
    g_autoptr(GArray) first = parse(a ? a : "");
    g_autoptr(GArray) second = parse(b ? b : "");

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        bool there[2];
        uint64_t values[] = {value_of(first, types[i], &there[0]), value_of(second, types[i], &there[1])};
        if (there[0] && there[1] && values[0] != values[1]) {
            return true;
        }
    }
    return false;
}
