/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "store/error.h"

struct machine {
    const char *target;
    int class;
    unsigned char data;
    GElf_Half machine;
};

static const struct machine machines[] = {
    {"aarch64", ELFCLASS64, ELFDATA2LSB, EM_AARCH64},
    {"alpha", ELFCLASS64, ELFDATA2LSB, EM_ALPHA},
    {"arm", ELFCLASS32, ELFDATA2LSB, EM_ARM},
    {"avr", ELFCLASS32, ELFDATA2LSB, EM_AVR},
    {"hppa", ELFCLASS32, ELFDATA2MSB, EM_PARISC},
    {"i386", ELFCLASS32, ELFDATA2LSB, EM_386},
    {"loongarch64", ELFCLASS64, ELFDATA2LSB, EM_LOONGARCH},
    {"m68k", ELFCLASS32, ELFDATA2MSB, EM_68K},
    {"microblaze", ELFCLASS32, ELFDATA2MSB, EM_MICROBLAZE},
    {"microblazeel", ELFCLASS32, ELFDATA2LSB, EM_MICROBLAZE},
    {"mips", ELFCLASS32, ELFDATA2MSB, EM_MIPS},
    {"mips64", ELFCLASS64, ELFDATA2MSB, EM_MIPS},
    {"mips64el", ELFCLASS64, ELFDATA2LSB, EM_MIPS},
    {"mipsel", ELFCLASS32, ELFDATA2LSB, EM_MIPS},
    {"or1k", ELFCLASS32, ELFDATA2MSB, EM_OPENRISC},
    {"ppc", ELFCLASS32, ELFDATA2MSB, EM_PPC},
    {"ppc64", ELFCLASS64, ELFDATA2MSB, EM_PPC64},
    {"riscv32", ELFCLASS32, ELFDATA2LSB, EM_RISCV},
    {"riscv64", ELFCLASS64, ELFDATA2LSB, EM_RISCV},
    {"rx", ELFCLASS32, ELFDATA2LSB, EM_RX},
    {"s390x", ELFCLASS64, ELFDATA2MSB, EM_S390},
    {"sh4", ELFCLASS32, ELFDATA2LSB, EM_SH},
    {"sh4eb", ELFCLASS32, ELFDATA2MSB, EM_SH},
    {"sparc", ELFCLASS32, ELFDATA2MSB, EM_SPARC},
    {"sparc64", ELFCLASS64, ELFDATA2MSB, EM_SPARCV9},
    {"tricore", ELFCLASS32, ELFDATA2LSB, EM_TRICORE},
    {"x86_64", ELFCLASS64, ELFDATA2LSB, EM_X86_64},
    {"xtensa", ELFCLASS32, ELFDATA2LSB, EM_XTENSA},
    {"xtensaeb", ELFCLASS32, ELFDATA2MSB, EM_XTENSA},
};

enum section { SECTION_TEXT = 1, SECTION_SYMBOLS, SECTION_NAMES, SECTION_SECTION_NAMES };

/* The names of the sections, in their order. */
static const char section_names[] = "\0.text\0.symtab\0.strtab\0.shstrtab";
static const GElf_Word name_offsets[] = {0, 1, 7, 15, 23};

/* What the file consists of. */
struct contents {
    const struct machine *machine;
    GString *names;  /* of the symbols */
    GArray *symbols; /* GElf_Sym */
    uint64_t first;  /* of their addresses */
    uint64_t last;
};

static void collect(struct contents *contents, struct tcgrr_symbols *symbols)
{
    const GArray *list = tcgrr_symbols_list(symbols);
    const uint64_t top = contents->machine->class == ELFCLASS32 ? UINT32_MAX : UINT64_MAX;
    GElf_Sym none = {0};

    g_string_append_c(contents->names, '\0');
    g_array_append_val(contents->symbols, none);
    contents->first = UINT64_MAX;
    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_symbol *symbol = &g_array_index(list, struct tcgrr_symbol, i);
        if (symbol->address > top) {
            continue;
        }
        uint64_t size = MIN(symbol->size, top - symbol->address); /* the last label reaches up to 2^64 */
        GElf_Sym entry = {.st_name = (GElf_Word)contents->names->len,
                          .st_info = GELF_ST_INFO(STB_GLOBAL, STT_FUNC),
                          .st_shndx = SECTION_TEXT,
                          .st_value = symbol->address,
                          .st_size = size};
        g_string_append_len(contents->names, symbol->name, (gssize)strlen(symbol->name) + 1);
        g_array_append_val(contents->symbols, entry);
        contents->first = MIN(contents->first, symbol->address);
        contents->last = MAX(contents->last, symbol->address + size);
    }
    contents->first = MIN(contents->first, contents->last);
}

static Elf_Data *add_section(Elf *elf, enum section section, GElf_Word type, const GElf_Shdr *rest)
{
    Elf_Scn *scn = elf_newscn(elf);
    Elf_Data *data = scn ? elf_newdata(scn) : NULL;
    GElf_Shdr header;

    if (!data || !gelf_getshdr(scn, &header)) {
        return NULL;
    }
    header.sh_name = name_offsets[section];
    header.sh_type = type;
    header.sh_flags = rest->sh_flags;
    header.sh_addr = rest->sh_addr;
    header.sh_link = rest->sh_link;
    header.sh_info = rest->sh_info;
    header.sh_entsize = rest->sh_entsize;
    data->d_align = 1;
    data->d_version = EV_CURRENT;
    return gelf_update_shdr(scn, &header) ? data : NULL;
}

static bool add_bytes(Elf *elf, enum section section, const char *bytes, size_t size)
{
    Elf_Data *data = add_section(elf, section, SHT_STRTAB, &(GElf_Shdr){0});

    if (data) {
        data->d_buf = (void *)bytes;
        data->d_size = size;
    }
    return data != NULL;
}

/* Whether all that is code, which has no bytes in the file. */
static bool add_text(Elf *elf, const struct contents *contents)
{
    Elf_Data *data = add_section(elf, SECTION_TEXT, SHT_NOBITS,
                                 &(GElf_Shdr){.sh_flags = SHF_ALLOC | SHF_EXECINSTR, .sh_addr = contents->first});
    if (data) {
        data->d_size = contents->last - contents->first;
    }
    return data != NULL;
}

/* `table` is room for them, owned by the caller. */
static bool add_symbols(Elf *elf, const struct contents *contents, void *table)
{
    size_t each = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    Elf_Data *data = add_section(elf, SECTION_SYMBOLS, SHT_SYMTAB,
                                 &(GElf_Shdr){.sh_link = SECTION_NAMES, .sh_info = 1, .sh_entsize = each});
    if (!data) {
        return false;
    }
    data->d_type = ELF_T_SYM;
    data->d_buf = table;
    data->d_size = each * contents->symbols->len;
    for (guint i = 0; i < contents->symbols->len; i++) {
        if (!gelf_update_sym(data, (int)i, &g_array_index(contents->symbols, GElf_Sym, i))) {
            return false;
        }
    }
    return true;
}

static bool write_elf(Elf *elf, const struct contents *contents, void *table)
{
    GElf_Ehdr header;

    if (!gelf_newehdr(elf, contents->machine->class) || !gelf_getehdr(elf, &header)) {
        return false;
    }
    header.e_ident[EI_DATA] = contents->machine->data;
    header.e_type = ET_EXEC;
    header.e_machine = contents->machine->machine;
    header.e_version = EV_CURRENT;
    header.e_shstrndx = SECTION_SECTION_NAMES;
    return gelf_update_ehdr(elf, &header) && add_text(elf, contents) && add_symbols(elf, contents, table) &&
           add_bytes(elf, SECTION_NAMES, contents->names->str, contents->names->len) &&
           add_bytes(elf, SECTION_SECTION_NAMES, section_names, sizeof(section_names)) &&
           elf_update(elf, ELF_C_WRITE) >= 0;
}

static const struct machine *find_machine(const char *target)
{
    for (size_t i = 0; i < G_N_ELEMENTS(machines); i++) {
        if (strcmp(machines[i].target, target) == 0) {
            return &machines[i];
        }
    }
    return NULL;
}

bool tcgrr_symbols_write(struct tcgrr_symbols *symbols, const char *target, const char *path, bool *written,
                         GError **error)
{
    struct contents contents = {.machine = find_machine(target)};

    *written = contents.machine && tcgrr_symbols_list(symbols)->len > 0;
    if (!*written) {
        return true;
    }
    contents.names = g_string_new(NULL);
    contents.symbols = g_array_new(FALSE, FALSE, sizeof(GElf_Sym));
    collect(&contents, symbols);
    g_autofree void *table = g_malloc0(sizeof(Elf64_Sym) * contents.symbols->len);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    Elf *elf = fd >= 0 && elf_version(EV_CURRENT) != EV_NONE ? elf_begin(fd, ELF_C_WRITE, NULL) : NULL;
    bool good = elf && write_elf(elf, &contents, table);
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s: %s", path,
                    fd < 0 ? g_strerror(errno) : elf_errmsg(-1));
    }
    elf_end(elf);
    if (fd >= 0) {
        close(fd);
    }
    g_string_free(contents.names, TRUE);
    g_array_unref(contents.symbols);
    return good;
}
