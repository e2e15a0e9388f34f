/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for files of symbols: ELF, System.map, kallsyms, nm. The first byte selects a machine whose ELF header is
 * put before the rest, or none, so that the fuzzer need not find one.
 */
#include "store/symbols.h"

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A header whose tables stand right after it, with as many sections as fit. */
static Elf64_Ehdr header(uint8_t choice, size_t rest)
{
    static const Elf64_Half machines[] = {EM_X86_64, EM_AARCH64, EM_RISCV, EM_ARM};
    Elf64_Ehdr made = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = machines[choice % 4],
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_shoff = sizeof(Elf64_Ehdr),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = (Elf64_Half)(rest / sizeof(Elf64_Shdr) < 16 ? rest / sizeof(Elf64_Shdr) : 16),
    };
    return made;
}

/* Looking up has to agree with the list. */
static void check(struct tcgrr_symbols *symbols)
{
    const GArray *list = tcgrr_symbols_list(symbols);
    for (guint i = 0; i < list->len && i < 100; i++) {
        const struct tcgrr_symbol *symbol = &g_array_index(list, struct tcgrr_symbol, i);
        if (i > 0 && g_array_index(list, struct tcgrr_symbol, i - 1).address > symbol->address) {
            abort();
        }
        const struct tcgrr_symbol *found = tcgrr_symbols_at(symbols, symbol->address);
        if (found && found->address > symbol->address) {
            abort();
        }
        g_free(tcgrr_symbols_name(symbols, symbol->address));
    }
}

static void ignore(uint64_t address, const void *bytes, size_t size, void *data)
{
    uint8_t *sum = data;
    for (size_t i = 0; i < size; i++) {
        *sum ^= ((const uint8_t *)bytes)[i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    int fd = memfd_create("symbols", MFD_CLOEXEC);
    Elf64_Ehdr elf = header(data[0], size - 1);
    bool as_elf = data[0] & 0x80;
    bool written = (!as_elf || write(fd, &elf, sizeof(elf)) == (ssize_t)sizeof(elf)) &&
                   write(fd, data + 1, size - 1) == (ssize_t)(size - 1);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    struct tcgrr_symbols *symbols = tcgrr_symbols_new();
    uint8_t sum = 0;

    if (written && tcgrr_symbols_add_file(symbols, path, 0x1000, NULL)) {
        check(symbols);
    }
    if (written && tcgrr_symbols_is_elf(path)) {
        tcgrr_symbols_elf_code(path, ignore, &sum, NULL);
    }
    tcgrr_symbols_free(symbols);
    close(fd);
    return 0;
}
