/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/addr2line.h"

#ifdef TCGRR_DWARF
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct file {
    Dwarf *dwarf;
    int fd;
    uint64_t offset;
};
#endif

struct tcgrr_addr2line {
    GArray *files; /* struct file */
};

/* Adds the ELF file at `path`, which ran `offset` higher than it was linked; one that cannot be read is left out. */
static void add_file(struct tcgrr_addr2line *sources, const char *path, uint64_t offset);

void tcgrr_addr2line_add_files(struct tcgrr_addr2line *sources, struct tcgrr_symbols *symbols,
                               const struct tcgrr_blocks *blocks, uint32_t count)
{
    const GArray *list = tcgrr_symbols_list(symbols);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < list->len; i++) {
        const char *path = g_array_index(list, struct tcgrr_symbol, i).file;
        uint64_t offset = 0;
        if (path && g_hash_table_add(seen, (char *)path) && tcgrr_symbols_is_elf(path)) {
            if (!tcgrr_symbols_find_offset(path, blocks, count, &offset, NULL)) {
                offset = 0; /* too little of it ran to say so: as it was linked */
            }
            add_file(sources, path, offset);
        }
    }
}

#ifdef TCGRR_DWARF

struct tcgrr_addr2line *tcgrr_addr2line_new(void)
{
    struct tcgrr_addr2line *sources = g_new0(struct tcgrr_addr2line, 1);
    sources->files = g_array_new(FALSE, FALSE, sizeof(struct file));
    return sources;
}

void tcgrr_addr2line_free(struct tcgrr_addr2line *sources)
{
    if (!sources) {
        return;
    }
    for (guint i = 0; i < sources->files->len; i++) {
        const struct file *file = &g_array_index(sources->files, struct file, i);
        dwarf_end(file->dwarf);
        close(file->fd);
    }
    g_array_unref(sources->files);
    g_free(sources);
}

static void add_file(struct tcgrr_addr2line *sources, const char *path, uint64_t offset)
{
    struct file file = {.fd = open(path, O_RDONLY | O_CLOEXEC), .offset = offset};

    file.dwarf = file.fd >= 0 ? dwarf_begin(file.fd, DWARF_C_READ) : NULL;
    if (file.dwarf) {
        g_array_append_val(sources->files, file);
    } else if (file.fd >= 0) {
        close(file.fd);
    }
}

/* By the file's index of addresses, or, where the compiler wrote none for it, by asking each unit. */
static bool find_unit(Dwarf *dwarf, uint64_t address, Dwarf_Die *found)
{
    Dwarf_CU *unit = NULL;

    if (dwarf_addrdie(dwarf, address, found)) {
        return true;
    }
    while (dwarf_get_units(dwarf, unit, &unit, NULL, NULL, found, NULL) == 0) {
        if (dwarf_haspc(found, address) == 1) {
            return true;
        }
    }
    return false;
}

static char *line_text(Dwarf_Die *unit, uint64_t address)
{
    Dwarf_Line *line = dwarf_getsrc_die(unit, address);
    const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
    int number = 0;

    return file && dwarf_lineno(line, &number) == 0 && number > 0 ? g_strdup_printf("%s:%d", file, number) : NULL;
}

static char *inlined_text(Dwarf_Die *unit, uint64_t address)
{
    Dwarf_Die *scopes = NULL;
    int count = dwarf_getscopes(unit, address, &scopes);
    GString *text = g_string_new(NULL);

    for (int i = 0; i < count; i++) {
        const char *name = dwarf_tag(&scopes[i]) == DW_TAG_inlined_subroutine ? dwarf_diename(&scopes[i]) : NULL;
        if (name) {
            g_string_append_printf(text, "%s%s", text->len ? " < " : "", name);
        }
    }
    free(scopes);
    return g_string_free(text, text->len == 0);
}

static char *ask(struct tcgrr_addr2line *sources, uint64_t pc, char *(*text)(Dwarf_Die *unit, uint64_t address))
{
    for (guint i = 0; i < sources->files->len; i++) {
        const struct file *file = &g_array_index(sources->files, struct file, i);
        uint64_t address = pc - file->offset;
        Dwarf_Die unit;
        char *found = find_unit(file->dwarf, address, &unit) ? text(&unit, address) : NULL;
        if (found) {
            return found;
        }
    }
    return NULL;
}

char *tcgrr_addr2line_line(struct tcgrr_addr2line *sources, uint64_t pc)
{
    return ask(sources, pc, line_text);
}

char *tcgrr_addr2line_inlined(struct tcgrr_addr2line *sources, uint64_t pc)
{
    return ask(sources, pc, inlined_text);
}

#else

struct tcgrr_addr2line *tcgrr_addr2line_new(void)
{
    return g_new0(struct tcgrr_addr2line, 1);
}

void tcgrr_addr2line_free(struct tcgrr_addr2line *sources)
{
    g_free(sources);
}

static void add_file(struct tcgrr_addr2line *sources, const char *path, uint64_t offset)
{
}

char *tcgrr_addr2line_line(struct tcgrr_addr2line *sources, uint64_t pc)
{
    return NULL;
}

char *tcgrr_addr2line_inlined(struct tcgrr_addr2line *sources, uint64_t pc)
{
    return NULL;
}

#endif
