/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/symbols.h"

#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names that tell data from code in Arm and RISC-V objects ($x, $d, …) and compilers' local labels. */
static bool is_marker(const char *name)
{
    return name[0] == '$' || name[0] == '.' || name[0] == '\0';
}

static bool in_code(Elf *elf, const GElf_Sym *symbol)
{
    GElf_Shdr header;
    Elf_Scn *section = symbol->st_shndx < SHN_LORESERVE ? elf_getscn(elf, symbol->st_shndx) : NULL;
    return section && gelf_getshdr(section, &header) && (header.sh_flags & SHF_EXECINSTR);
}

static int by_address(const void *a, const void *b)
{
    const GElf_Sym *left = a;
    const GElf_Sym *right = b;
    return left->st_value < right->st_value ? -1 : left->st_value > right->st_value;
}

/* Assembly labels often have no size: they reach to the next symbol. */
static void fill_sizes(GArray *symbols)
{
    qsort(symbols->data, symbols->len, sizeof(GElf_Sym), by_address);
    for (guint i = 0; i + 1 < symbols->len; i++) {
        GElf_Sym *symbol = &g_array_index(symbols, GElf_Sym, i);
        if (symbol->st_size == 0) {
            symbol->st_size = g_array_index(symbols, GElf_Sym, i + 1).st_value - symbol->st_value;
        }
    }
}

static void add_table(struct tcgrr_symbols *table, Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                      const char *path)
{
    g_autoptr(GArray) symbols = g_array_new(FALSE, FALSE, sizeof(GElf_Sym));
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Ehdr file;
    bool arm = gelf_getehdr(elf, &file) && file.e_machine == EM_ARM;
    GElf_Sym symbol;

    for (int i = 0; data && gelf_getsym(data, i, &symbol); i++) {
        int type = GELF_ST_TYPE(symbol.st_info);
        if ((type == STT_FUNC || type == STT_NOTYPE) && in_code(elf, &symbol)) {
            symbol.st_value &= arm ? ~(GElf_Addr)1 : ~(GElf_Addr)0;
            g_array_append_val(symbols, symbol);
        }
    }
    fill_sizes(symbols);
    for (guint i = 0; i < symbols->len; i++) {
        const GElf_Sym *found = &g_array_index(symbols, GElf_Sym, i);
        const char *name = elf_strptr(elf, header->sh_link, found->st_name);
        if (name && !is_marker(name) && g_utf8_validate(name, -1, NULL)) {
            const struct tcgrr_symbol symbol_found = {found->st_value, found->st_size, name, path};
            tcgrr_symbols_add(table, &symbol_found);
        }
    }
}

static void add_tables(struct tcgrr_symbols *table, Elf *elf, const char *path)
{
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB) {
            add_table(table, elf, section, &header, path);
        }
    }
}

bool tcgrr_symbols_add_elf(struct tcgrr_symbols *table, const char *path, bool required, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read symbols from %s: %s", path, g_strerror(errno));
        return !required && (g_clear_error(error), true);
    }
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    bool good = true;
    if (elf && elf_kind(elf) == ELF_K_ELF) {
        add_tables(table, elf, path);
    } else if (required) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s is not an ELF file, so it has no symbols", path);
        good = false;
    }
    elf_end(elf);
    close(fd);
    return good;
}
