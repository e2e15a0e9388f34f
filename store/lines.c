/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/lines.h"

#ifdef TCGRR_DWARF
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <unistd.h>
#endif

struct tcgrr_lines {
    GArray *list; /* struct tcgrr_line */
    GStringChunk *files;
    bool sorted;
};

struct tcgrr_lines *tcgrr_lines_new(void)
{
    struct tcgrr_lines *lines = g_new0(struct tcgrr_lines, 1);
    lines->list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_line));
    lines->files = g_string_chunk_new(4096);
    return lines;
}

void tcgrr_lines_free(struct tcgrr_lines *lines)
{
    if (lines) {
        g_array_unref(lines->list);
        g_string_chunk_free(lines->files);
        g_free(lines);
    }
}

#ifdef TCGRR_DWARF

bool tcgrr_lines_available(void)
{
    return true;
}

static const char *file_of(struct tcgrr_lines *lines, Dwarf_Die *unit, Dwarf_Line *line)
{
    Dwarf_Attribute attribute;
    const char *name = dwarf_linesrc(line, NULL, NULL);
    const char *folder = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));

    if (!name) {
        return NULL;
    }
    g_autofree char *full = g_path_is_absolute(name) || !folder ? g_strdup(name) : g_build_filename(folder, name, NULL);
    return g_string_chunk_insert_const(lines->files, full);
}

/* Each row of a unit's table reaches to the next; the last row of a sequence only ends it. */
static void add_unit(struct tcgrr_lines *lines, Dwarf_Die *unit, uint64_t offset)
{
    Dwarf_Lines *table;
    size_t count;
    struct tcgrr_line open = {0};

    if (dwarf_getsrclines(unit, &table, &count) != 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        Dwarf_Line *line = dwarf_onesrcline(table, i);
        Dwarf_Addr address;
        bool ends = true;
        int number = 0;
        if (dwarf_lineaddr(line, &address) != 0 || dwarf_lineendsequence(line, &ends) != 0 ||
            dwarf_lineno(line, &number) != 0) {
            open.file = NULL;
            continue;
        }
        open.end = address + offset;
        if (open.file && open.number > 0 && open.end > open.address) {
            g_array_append_val(lines->list, open);
        }
        open = (struct tcgrr_line){.address = address + offset,
                                   .file = ends ? NULL : file_of(lines, unit, line),
                                   .number = (uint32_t)MAX(number, 0)};
    }
}

bool tcgrr_lines_add_elf(struct tcgrr_lines *lines, const char *path, uint64_t offset)
{
    guint before = lines->list->len;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Dwarf *dwarf = fd >= 0 ? dwarf_begin(fd, DWARF_C_READ) : NULL;
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;

    while (dwarf && dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0) {
        add_unit(lines, &die, offset);
    }
    dwarf_end(dwarf);
    if (fd >= 0) {
        close(fd);
    }
    lines->sorted = false;
    return lines->list->len > before;
}

#else

bool tcgrr_lines_available(void)
{
    return false;
}

bool tcgrr_lines_add_elf(struct tcgrr_lines *lines, const char *path, uint64_t offset)
{
    return false;
}

#endif

static int by_address(const void *a, const void *b)
{
    uint64_t left = ((const struct tcgrr_line *)a)->address;
    uint64_t right = ((const struct tcgrr_line *)b)->address;
    return left < right ? -1 : left > right;
}

const GArray *tcgrr_lines_list(struct tcgrr_lines *lines)
{
    if (!lines->sorted) {
        g_array_sort(lines->list, by_address);
        lines->sorted = true;
    }
    return lines->list;
}

const struct tcgrr_line *tcgrr_lines_at(struct tcgrr_lines *lines, uint64_t pc)
{
    const GArray *list = tcgrr_lines_list(lines);
    guint low = 0;
    guint high = list->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(list, struct tcgrr_line, middle).address <= pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct tcgrr_line *line = low > 0 ? &g_array_index(list, struct tcgrr_line, low - 1) : NULL;
    return line && pc < line->end ? line : NULL;
}
