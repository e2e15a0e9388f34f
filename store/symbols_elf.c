/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Symbols of ELF files, and how far each one reaches. Assembler labels have no size in the file; what they cover is
 * what gdb's `info symbol` says: up to the next symbol or the end of their section, but for what a symbol with a size
 * covers.
 */
#include "store/symbols.h"

#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

/* Whether the name marks data or code in Arm and RISC-V objects ($x, $d, …) or is a compiler's local label: not shown.
 * */
static bool is_marker(const char *name)
{
    bool mapping = name[0] == '$' && name[1] && strchr("adtx", name[1]);
    return mapping || g_str_has_prefix(name, ".L") || g_str_has_prefix(name, "$L") || name[0] == '\0' ||
           strchr(name, '\001') || !g_utf8_validate(name, -1, NULL);
}

/* A symbol's section, if that is code. */
static bool code_section(Elf *elf, const GElf_Sym *symbol, GElf_Shdr *header)
{
    Elf_Scn *section = symbol->st_shndx < SHN_LORESERVE ? elf_getscn(elf, symbol->st_shndx) : NULL;
    return section && gelf_getshdr(section, header) && (header->sh_flags & SHF_EXECINSTR);
}

static void add_table(GArray *labels, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Ehdr file;
    bool arm = gelf_getehdr(elf, &file) && file.e_machine == EM_ARM;
    GElf_Sym symbol;

    for (int i = 0; data && gelf_getsym(data, i, &symbol); i++) {
        int type = GELF_ST_TYPE(symbol.st_info);
        const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
        GElf_Shdr code;
        if (type == STT_SECTION || type == STT_FILE || !name || is_marker(name) || !code_section(elf, &symbol, &code)) {
            continue;
        }
        struct tcgrr_label label = {
            .address = symbol.st_value & (arm ? ~(GElf_Addr)1 : ~(GElf_Addr)0),
            .size = symbol.st_size,
            .limit = code.sh_addr + code.sh_size,
            .global = GELF_ST_BIND(symbol.st_info) != STB_LOCAL,
            .name = name,
        };
        if (label.address >= code.sh_addr && label.address <= label.limit) {
            g_array_append_val(labels, label);
        }
    }
}

static void add_tables_of(GArray *labels, Elf *elf, GElf_Word type)
{
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == type) {
            add_table(labels, elf, section, &header);
        }
    }
}

static void add_tables(struct tcgrr_symbols *table, Elf *elf, const char *path, uint64_t offset)
{
    g_autoptr(GArray) labels = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_label));

    add_tables_of(labels, elf, SHT_SYMTAB);
    if (labels->len == 0) { /* stripped: only exported symbols are left */
        add_tables_of(labels, elf, SHT_DYNSYM);
    }
    tcgrr_symbols_add_labels(table, labels, path, offset);
}

static Elf *open_elf(const char *path, int *fd, GError **error)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read symbols from %s: %s", path, g_strerror(errno));
        return NULL;
    }
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(*fd, ELF_C_READ_MMAP, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF) {
        return elf;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s is not an ELF file", path);
    elf_end(elf);
    close(*fd);
    return NULL;
}

bool tcgrr_symbols_is_elf(const char *path)
{
    int fd;
    GError *error = NULL;
    Elf *elf = open_elf(path, &fd, &error);

    g_clear_error(&error);
    if (elf) {
        elf_end(elf);
        close(fd);
    }
    return elf != NULL;
}

static bool can_move(Elf *elf, uint64_t *lowest)
{
    GElf_Ehdr file;
    GElf_Phdr segment;
    size_t count = 0;

    *lowest = UINT64_MAX;
    if (!gelf_getehdr(elf, &file) || file.e_type != ET_DYN || elf_getphdrnum(elf, &count) != 0) {
        return false;
    }
    for (size_t i = 0; i < count && gelf_getphdr(elf, (int)i, &segment); i++) {
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X)) {
            *lowest = MIN(*lowest, segment.p_vaddr);
        }
    }
    return *lowest != UINT64_MAX;
}

bool tcgrr_symbols_can_move(const char *path, uint64_t *lowest)
{
    int fd;
    Elf *elf = open_elf(path, &fd, NULL);
    bool can = elf && can_move(elf, lowest);

    if (elf) {
        elf_end(elf);
        close(fd);
    }
    return can;
}

bool tcgrr_symbols_is_dynamic(const char *path)
{
    int fd;
    Elf *elf = open_elf(path, &fd, NULL);
    GElf_Phdr segment;
    size_t count = 0;
    bool dynamic = false;

    if (!elf) {
        return false;
    }
    if (elf_getphdrnum(elf, &count) == 0) {
        for (size_t i = 0; i < count && gelf_getphdr(elf, (int)i, &segment); i++) {
            dynamic = dynamic || segment.p_type == PT_INTERP;
        }
    }
    elf_end(elf);
    close(fd);
    return dynamic;
}

/* The load offset of the file, if the mapping contains its code. On the host a program's code is mapped like its
 * constants, in one mapping with them. */
static bool find_bias(Elf *elf, const struct tcgrr_mapping *mapping, uint64_t *bias)
{
    GElf_Phdr segment;
    size_t count = 0;

    if (elf_getphdrnum(elf, &count) != 0) {
        return false;
    }
    for (size_t i = 0; i < count && gelf_getphdr(elf, (int)i, &segment); i++) {
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) &&
            mapping->offset < segment.p_offset + segment.p_filesz &&
            segment.p_offset < mapping->offset + mapping->size) {
            *bias = mapping->first - mapping->offset - (segment.p_vaddr - segment.p_offset);
            return true;
        }
    }
    return false;
}

/* What no symbol covers is called by the file and where it is in it, as it was linked. */
static void add_rest(struct tcgrr_symbols *table, const struct tcgrr_mapping *mapping, uint64_t bias)
{
    g_autofree char *name = g_path_get_basename(mapping->path);
    uint64_t from = bias != 0 && bias <= mapping->first ? bias : mapping->first;
    struct tcgrr_symbol rest = {
        .address = from, .size = mapping->first + mapping->size - from, .name = name, .file = mapping->path};

    tcgrr_symbols_add(table, &rest);
}

void tcgrr_symbols_add_mapped_elf(struct tcgrr_symbols *table, const struct tcgrr_mapping *mapping)
{
    int fd;
    uint64_t bias;
    bool readable = mapping->path && g_file_test(mapping->path, G_FILE_TEST_IS_REGULAR);
    Elf *elf = readable ? open_elf(mapping->path, &fd, NULL) : NULL;

    if (!elf) {
        return;
    }
    if (find_bias(elf, mapping, &bias)) {
        struct tcgrr_symbols *all = tcgrr_symbols_new();
        add_tables(all, elf, mapping->path, bias);
        add_rest(all, mapping, bias);
        const GArray *list = tcgrr_symbols_list(all);
        for (guint i = 0; i < list->len; i++) {
            const struct tcgrr_symbol *symbol = &g_array_index(list, struct tcgrr_symbol, i);
            if (symbol->address - mapping->first < mapping->size || symbol->address == bias) {
                tcgrr_symbols_add(table, symbol);
            }
        }
        tcgrr_symbols_free(all);
    }
    elf_end(elf);
    close(fd);
}

static bool add_elf(struct tcgrr_symbols *table, const char *path, uint64_t offset, bool required, GError **error)
{
    int fd;
    Elf *elf = open_elf(path, &fd, error);

    if (!elf) {
        return !required && (g_clear_error(error), true);
    }
    guint before = tcgrr_symbols_list(table)->len;
    add_tables(table, elf, path, offset);
    bool good = !required || tcgrr_symbols_list(table)->len > before;
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s has no symbols of code; was it stripped?", path);
    }
    elf_end(elf);
    close(fd);
    return good;
}

bool tcgrr_symbols_elf_code(const char *path,
                            void (*visit)(uint64_t address, const void *bytes, size_t size, void *data), void *data,
                            GError **error)
{
    int fd;
    Elf *elf = open_elf(path, &fd, error);

    if (!elf) {
        return false;
    }
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && (header.sh_flags & SHF_EXECINSTR) && header.sh_type == SHT_PROGBITS) {
            Elf_Data *code = elf_getdata(section, NULL);
            if (code && code->d_buf && code->d_size > 0) {
                visit(header.sh_addr, code->d_buf, code->d_size, data);
            }
        }
    }
    elf_end(elf);
    close(fd);
    return true;
}

bool tcgrr_symbols_add_elf(struct tcgrr_symbols *table, const char *path, bool required, GError **error)
{
    return add_elf(table, path, 0, required, error);
}

bool tcgrr_symbols_add_file(struct tcgrr_symbols *table, const char *path, uint64_t offset, GError **error)
{
    bool exists = g_file_test(path, G_FILE_TEST_EXISTS);
    return !exists || tcgrr_symbols_is_elf(path) ? add_elf(table, path, offset, true, error)
                                                 : tcgrr_symbols_add_text(table, path, offset, error);
}

void tcgrr_symbols_add_program(struct tcgrr_symbols *table, const char *path, uint64_t start_code)
{
    int fd;
    Elf *elf = open_elf(path, &fd, NULL);

    if (elf) {
        uint64_t lowest;
        bool moved = start_code != 0 && can_move(elf, &lowest);
        add_tables(table, elf, path, moved ? start_code - lowest : 0);
        elf_end(elf);
        close(fd);
    }
}
