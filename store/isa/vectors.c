/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/isa/vectors.h"

#include <stddef.h>
#include <string.h>

/* What a table has from its entry number `first` to `last`. */
struct vector {
    unsigned first;
    unsigned last;
    const char *name;
};

/* Arm ARM, D1.4.1 */
static const struct vector aarch64[] = {
    {0x0, 0x0, "synchronous, same level, SP_EL0"},   {0x1, 0x1, "irq, same level, SP_EL0"},
    {0x2, 0x2, "fiq, same level, SP_EL0"},           {0x3, 0x3, "serror, same level, SP_EL0"},
    {0x4, 0x4, "synchronous, same level, SP_ELx"},   {0x5, 0x5, "irq, same level, SP_ELx"},
    {0x6, 0x6, "fiq, same level, SP_ELx"},           {0x7, 0x7, "serror, same level, SP_ELx"},
    {0x8, 0x8, "synchronous, lower level, AArch64"}, {0x9, 0x9, "irq, lower level, AArch64"},
    {0xa, 0xa, "fiq, lower level, AArch64"},         {0xb, 0xb, "serror, lower level, AArch64"},
    {0xc, 0xc, "synchronous, lower level, AArch32"}, {0xd, 0xd, "irq, lower level, AArch32"},
    {0xe, 0xe, "fiq, lower level, AArch32"},         {0xf, 0xf, "serror, lower level, AArch32"},
};
/* The A profile's. Only where high vectors are (SCTLR.V): elsewhere it could be any function of the M profile. */
static const struct vector arm[] = {
    {0, 0, "reset"},
    {1, 1, "undefined instruction"},
    {2, 2, "supervisor call"},
    {3, 3, "prefetch abort"},
    {4, 4, "data abort"},
    {5, 5, "hypervisor trap"},
    {6, 6, "irq"},
    {7, 7, "fiq"},
};
static const struct vector hppa[] = {
    {1, 1, "high-priority machine check"},
    {2, 2, "power failure"},
    {3, 3, "recovery counter"},
    {4, 4, "external interrupt"},
    {5, 5, "low-priority machine check"},
    {6, 6, "instruction TLB miss"},
    {7, 7, "instruction protection"},
    {8, 8, "illegal instruction"},
    {9, 9, "break"},
    {10, 10, "privileged operation"},
    {11, 11, "privileged register"},
    {12, 12, "overflow"},
    {13, 13, "conditional"},
    {14, 14, "assist exception"},
    {15, 15, "data TLB miss"},
    {16, 16, "non-access instruction TLB miss"},
    {17, 17, "non-access data TLB miss"},
    {18, 18, "data protection"},
    {19, 19, "data break"},
    {20, 20, "TLB dirty bit"},
    {21, 21, "page reference"},
    {22, 22, "assist emulation"},
    {23, 23, "higher-privilege transfer"},
    {24, 24, "lower-privilege transfer"},
    {25, 25, "taken branch"},
    {26, 26, "data access rights"},
    {27, 27, "data protection ID"},
    {28, 28, "unaligned data"},
};
static const struct vector or1k[] = {
    {0x1, 0x1, "reset"},
    {0x2, 0x2, "bus error"},
    {0x3, 0x3, "data page fault"},
    {0x4, 0x4, "instruction page fault"},
    {0x5, 0x5, "tick timer"},
    {0x6, 0x6, "alignment"},
    {0x7, 0x7, "illegal instruction"},
    {0x8, 0x8, "external interrupt"},
    {0x9, 0x9, "data TLB miss"},
    {0xa, 0xa, "instruction TLB miss"},
    {0xb, 0xb, "range"},
    {0xc, 0xc, "system call"},
    {0xd, 0xd, "floating point"},
    {0xe, 0xe, "trap"},
};
/* Power ISA, Book III, 7.5: by 0x20. */
static const struct vector ppc64[] = {
    {0x08, 0x08, "system reset"},
    {0x10, 0x10, "machine check"},
    {0x18, 0x18, "data storage"},
    {0x1c, 0x1c, "data segment"},
    {0x20, 0x20, "instruction storage"},
    {0x24, 0x24, "instruction segment"},
    {0x28, 0x28, "external interrupt"},
    {0x30, 0x30, "alignment"},
    {0x38, 0x38, "program"},
    {0x40, 0x40, "floating point unavailable"},
    {0x48, 0x48, "decrementer"},
    {0x4c, 0x4c, "hypervisor decrementer"},
    {0x50, 0x50, "directed privileged doorbell"},
    {0x60, 0x60, "system call"},
    {0x68, 0x68, "trace"},
    {0x70, 0x70, "hypervisor data storage"},
    {0x71, 0x71, "hypervisor instruction storage"},
    {0x72, 0x72, "hypervisor emulation assistance"},
    {0x73, 0x73, "hypervisor maintenance"},
    {0x74, 0x74, "directed hypervisor doorbell"},
    {0x75, 0x75, "hypervisor virtualization"},
    {0x78, 0x78, "performance monitor"},
    {0x79, 0x79, "vector unavailable"},
    {0x7a, 0x7a, "VSX unavailable"},
    {0x7b, 0x7b, "facility unavailable"},
    {0x7c, 0x7c, "hypervisor facility unavailable"},
};
/* The SPARC Architecture Manual, version 8, table 7-1 */
static const struct vector sparc[] = {
    {0x00, 0x00, "reset"},
    {0x01, 0x01, "instruction access exception"},
    {0x02, 0x02, "illegal instruction"},
    {0x03, 0x03, "privileged instruction"},
    {0x04, 0x04, "floating point disabled"},
    {0x05, 0x05, "window overflow"},
    {0x06, 0x06, "window underflow"},
    {0x07, 0x07, "address not aligned"},
    {0x08, 0x08, "floating point exception"},
    {0x09, 0x09, "data access exception"},
    {0x0a, 0x0a, "tag overflow"},
    {0x11, 0x1f, "interrupt"},
    {0x21, 0x21, "instruction access error"},
    {0x24, 0x24, "coprocessor disabled"},
    {0x25, 0x25, "unimplemented flush"},
    {0x29, 0x29, "data access error"},
    {0x2a, 0x2a, "division by zero"},
    {0x80, 0xff, "software trap"},
};
/* UltraSPARC's, in both halves of the table: at trap level 0, and above. */
static const struct vector sparc64[] = {
    {0x008, 0x008, "instruction access exception"},
    {0x00a, 0x00a, "instruction access error"},
    {0x010, 0x010, "illegal instruction"},
    {0x011, 0x011, "privileged instruction"},
    {0x020, 0x020, "floating point disabled"},
    {0x021, 0x022, "floating point exception"},
    {0x023, 0x023, "tag overflow"},
    {0x024, 0x027, "clean window"},
    {0x028, 0x028, "division by zero"},
    {0x030, 0x030, "data access exception"},
    {0x032, 0x032, "data access error"},
    {0x034, 0x034, "address not aligned"},
    {0x037, 0x037, "privileged action"},
    {0x041, 0x04f, "interrupt"},
    {0x060, 0x060, "interrupt vector"},
    {0x064, 0x067, "instruction TLB miss"},
    {0x068, 0x06b, "data TLB miss"},
    {0x06c, 0x06f, "data protection"},
    {0x080, 0x0bf, "window spill"},
    {0x0c0, 0x0ff, "window fill"},
    {0x100, 0x17f, "software trap"},
};

#define ANYWHERE UINT64_MAX

/* A table of `size` bytes whose entries are `step` bytes apart. */
static const struct table {
    const char *target;
    uint64_t base; /* ANYWHERE: wherever the guest puts it, at a multiple of its size, which is a power of two */
    uint64_t size;
    uint64_t step;
    const struct vector *vectors;
    size_t count;
} tables[] = {
#define VECTORS(list) list, sizeof(list) / sizeof((list)[0])
    {"aarch64", ANYWHERE, 0x800, 0x80, VECTORS(aarch64)},
    {"arm", 0xffff0000, 0x20, 0x4, VECTORS(arm)},
    {"hppa", ANYWHERE, 0x800, 0x20, VECTORS(hppa)},
    {"or1k", ANYWHERE, 0x2000, 0x100, VECTORS(or1k)},
    {"ppc64", 0, 0x1000, 0x20, VECTORS(ppc64)},
    {"ppc64", UINT64_C(0xc000000000004000), 0x1000, 0x20, VECTORS(ppc64)}, /* with address translation (AIL) */
    {"sparc", ANYWHERE, 0x1000, 0x10, VECTORS(sparc)},
    {"sparc64", ANYWHERE, 0x4000, 0x20, VECTORS(sparc64)},
#undef VECTORS
};

static const char *name_in(const struct table *table, uint64_t offset)
{
    uint64_t number = offset / table->step;

    for (size_t i = 0; i < table->count && offset % table->step == 0; i++) {
        if (number >= table->vectors[i].first && number <= table->vectors[i].last) {
            return table->vectors[i].name;
        }
    }
    return NULL;
}

const char *tcgrr_vector_name(const char *target, uint64_t entry)
{
    const char *name = NULL;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !name; i++) {
        const struct table *table = &tables[i];
        uint64_t offset = table->base == ANYWHERE ? entry % table->size : entry - table->base;
        if (strcmp(table->target, target) == 0 && offset < table->size) {
            name = name_in(table, offset);
        }
    }
    return name;
}
