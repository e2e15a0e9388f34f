/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/gdb_layout.h"

#include <stdlib.h>
#include <string.h>

/* Names of registers; "PREFIX*COUNT" stands for several, numbered from 0; a number alone is the size in bits of those
 * that follow. */
#define MIPS     "r*32 status lo hi badvaddr cause pc f*32 fcsr fir"
#define INTEGERS "g*8 o*6 sp o7 l*8 i*6 fp i7 "
static const struct layout {
    const char *target;
    const char *words;
} layouts[] = {
    {"mips", "32 " MIPS},
    {"mipsel", "32 " MIPS},
    {"mips64", "64 " MIPS},
    {"mips64el", "64 " MIPS},
    {"sparc", "32 " INTEGERS "f*32 y psr wim tbr pc npc fsr csr"},
    {"sparc64", "64 " INTEGERS "32 f*32 64 f32 f34 f36 f38 f40 f42 f44 f46 f48 f50 f52 f54 f56 f58 f60 f62 "
                "pc npc state fsr fprs y"},
};

static void add(GString *text, const char *name, unsigned bits)
{
    g_string_append_printf(text, "<reg name=\"%s\" bitsize=\"%u\"/>", name, bits);
}

char *tcgrr_gdb_layout(const char *target)
{
    const char *words = NULL;
    unsigned bits = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
        words = strcmp(layouts[i].target, target) == 0 ? layouts[i].words : words;
    }
    if (!words) {
        return NULL;
    }
    g_auto(GStrv) list = g_strsplit(words, " ", -1);
    GString *text = g_string_new("<target>");
    for (char **word = list; *word; word++) {
        char *star = strchr(*word, '*');
        unsigned count = star ? (unsigned)strtoul(star + 1, NULL, 10) : 0;
        if (g_ascii_isdigit(**word)) {
            bits = (unsigned)strtoul(*word, NULL, 10);
        } else if (**word && !star) {
            add(text, *word, bits);
        }
        for (unsigned i = 0; i < count; i++) {
            g_autofree char *name = g_strdup_printf("%.*s%u", (int)(star - *word), *word, i);
            add(text, name, bits);
        }
    }
    g_string_append(text, "</target>");
    return g_string_free(text, FALSE);
}
