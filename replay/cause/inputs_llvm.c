/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inputs by LLVM, which knows the operands on every target. This file has QEMU's names of LLVM's registers, and the few
 * inputs that are not operands.
 */
#include "replay/cause/inputs_internal.h"

#include <stdlib.h>
#include <string.h>

/* A register by LLVM's name, in which %u stands for a number, and QEMU's name of the register that contains it. */
struct name {
    const char *llvm;
    const char *qemu; /* "": one that always has the same value */
    uint64_t mask;    /* 0: all of it */
    unsigned step;    /* number of bits by which the mask is lower for each further number */
};

static const struct name names_ppc[] = {
    {"R%u", "r%u", 0, 0},
    {"X%u", "r%u", 0, 0},
    {"F%u", "f%u", 0, 0},
    {"V%u", "vr%u", 0, 0},
    {"VF%u", "vr%u", 0, 0},
    {"VSL%u", "f%u", 0, 0},
    {"VSL%u", "vs%uh", 0, 0},
    {"CR%u", "cr", 0xf0000000, 4},
    {"LR", "lr", 0, 0},
    {"LR8", "lr", 0, 0},
    {"CTR", "ctr", 0, 0},
    {"CTR8", "ctr", 0, 0},
    {"CARRY", "xer", 1 << 29 | 1 << 18, 0},
    {"XER", "xer", 0, 0},
    {"VRSAVE", "vrsave", 0, 0},
    {"RM", "fpscr", 0xff, 0},
    {"ZERO", "", 0, 0},
    {"ZERO8", "", 0, 0},
    {NULL, NULL, 0, 0},
};
static const struct name names_s390x[] = {
    {"R%uD", "r%u", 0, 0}, {"R%uL", "r%u", 0, 0}, {"R%uH", "r%u", 0, 0},
    {"F%uD", "f%u", 0, 0}, {"F%uS", "f%u", 0, 0}, {"F%uH", "f%u", 0, 0},
    {"F%uD", "v%u", 0, 0}, {"F%uS", "v%u", 0, 0}, {"V%u", "v%u", 0, 0},
    {"V%u", "f%u", 0, 0},  {"V%u", "v%ul", 0, 0}, {"A%u", "acr%u", 0, 0},
    {"C%u", "cr%u", 0, 0}, {"FPC", "fpc", 0, 0},  {"CC", "pswm", UINT64_C(3) << 44, 0},
    {NULL, NULL, 0, 0},
};
static const struct name names_mips[] = {
    {"F%u", "f%u", 0, 0},
    {"D%u_64", "f%u", 0, 0},
    {"HI0", "hi", 0, 0},
    {"HI0_64", "hi", 0, 0},
    {"LO0", "lo", 0, 0},
    {"LO0_64", "lo", 0, 0},
    {"FCC%u", "fcsr", 0xfe800000, 0},
    {"FCR31", "fcsr", 0, 0},
    {"FCR0", "fir", 0, 0},
    {"COP012", "status", 0, 0},
    {"COP013", "cause", 0, 0},
    {"COP08", "badvaddr", 0, 0},
    {"ZERO", "", 0, 0},
    {"ZERO_64", "", 0, 0},
    {NULL, NULL, 0, 0},
};
static const struct name names_sparc[] = {
    {"G0", "", 0, 0},
    {"O6", "sp", 0, 0},
    {"I6", "fp", 0, 0},
    {"G%u", "g%u", 0, 0},
    {"O%u", "o%u", 0, 0},
    {"L%u", "l%u", 0, 0},
    {"I%u", "i%u", 0, 0},
    {"F%u", "f%u", 0, 0},
    {"Y", "y", 0, 0},
    {"PSR", "psr", 0, 0},
    {"WIM", "wim", 0, 0},
    {"TBR", "tbr", 0, 0},
    {"FSR", "fsr", 0, 0},
    {"FCC%u", "fsr", UINT64_C(0x3f00000c00), 0},
    {"ICC", "psr", 0xf00000, 0},
    {"ICC", "state", UINT64_C(0xff) << 32, 0},
    {NULL, NULL, 0, 0},
};
static const struct name names_aarch64[] = {
    {"X%u", "x%u", 0, 0},
    {"W%u", "x%u", 0, 0},
    {"FP", "x29", 0, 0},
    {"LR", "x30", 0, 0},
    {"SP", "sp", 0, 0},
    {"WSP", "sp", 0, 0},
    {"Z%u", "z%u", 0, 0},
    {"Z%u", "v%u", 0, 0},
    {"Q%u", "v%u", 0, 0},
    {"Q%u", "z%u", 0, 0},
    {"D%u", "v%u", 0, 0},
    {"D%u", "z%u", 0, 0},
    {"S%u", "v%u", 0, 0},
    {"S%u", "z%u", 0, 0},
    {"H%u", "v%u", 0, 0},
    {"H%u", "z%u", 0, 0},
    {"B%u", "v%u", 0, 0},
    {"B%u", "z%u", 0, 0},
    {"P%u", "p%u", 0, 0},
    {"FFR", "ffr", 0, 0},
    {"VG", "vg", 0, 0},
    {"XZR", "", 0, 0},
    {"WZR", "", 0, 0},
    {"FPCR", "fpcr", 0, 0},
    {"NZCV", "cpsr", 0xf0000000, 0},
    {NULL, NULL, 0, 0},
};

/* MIPS's integer registers have names of their own. */
static const char *const mips_integers[] = {"ZERO", "AT", "V0", "V1", "A0", "A1", "A2", "A3", "T0", "T1", "T2",
                                            "T3",   "T4", "T5", "T6", "T7", "S0", "S1", "S2", "S3", "S4", "S5",
                                            "S6",   "S7", "T8", "T9", "K0", "K1", "GP", "SP", "FP", "RA"};

enum what { OUTSIDE, HIDDEN, READS, RANGE, WINDOW };

/* Inputs of some instructions that their operands do not show, by prefixes of LLVM's names. */
struct quirk {
    const char *begins;
    enum what what;
    const char
        *text; /* HIDDEN: what it reads; READS: a register; WINDOW: the first letter of the eight that it rotates */
};

static const char special[] = "a special-purpose register";
static const char windows[] = "the other register windows";

static const struct quirk quirks_ppc[] = {
    {"MFTB", OUTSIDE, NULL},    {"MFMSR", READS, "msr"},
    {"RFI", READS, "srr0"},     {"RFI", READS, "srr1"},
    {"STMW", RANGE, NULL},      {"STSW", HIDDEN, "as many registers as it has bytes to store"},
    {"CMP", READS, "xer"},      {"MFSPR", HIDDEN, special},
    {"MFDCR", OUTSIDE, NULL},   {"MFSR", HIDDEN, "a segment register"},
    {"TLB", HIDDEN, "the TLB"}, {"DARN", OUTSIDE, NULL},
    {NULL, OUTSIDE, NULL},
};
static const struct quirk quirks_s390x[] = {
    {"STCK", OUTSIDE, NULL},
    {"STPT", OUTSIDE, NULL},
    {"STIDP", OUTSIDE, NULL},
    {"STSI", OUTSIDE, NULL},
    {"STFL", OUTSIDE, NULL},
    {"TSCH", OUTSIDE, NULL},
    {"TPI", OUTSIDE, NULL},
    {"STSCH", OUTSIDE, NULL},
    {"PRNO", OUTSIDE, NULL},
    {"EPSW", READS, "pswm"},
    {"STNSM", READS, "pswm"},
    {"STOSM", READS, "pswm"},
    {"EX", HIDDEN, "what the instruction that it executes reads"},
    {"DIAG", OUTSIDE, NULL},
    {"STM", RANGE, NULL},
    {"VSTM", RANGE, NULL},
    {"STAM", RANGE, NULL},
    {"STCT", RANGE, NULL},
    {NULL, OUTSIDE, NULL},
};
static const struct quirk quirks_mips[] = {
    {"RDHWR", OUTSIDE, NULL},
    {"ERET", HIDDEN, "EPC"},
    {"TLB", HIDDEN, "the TLB"},
    {NULL, OUTSIDE, NULL},
};
static const struct quirk quirks_sparc[] = {
    {"SAVE", WINDOW, "o"},
    {"RESTORE", WINDOW, "i"},
    {"SAVE", HIDDEN, windows},
    {"RESTORE", HIDDEN, windows},
    {"RETT", HIDDEN, windows},
    {"FLUSHW", HIDDEN, windows},
    {"RDPR", HIDDEN, "a privileged register"},
    {"RDTICK", OUTSIDE, NULL},
    {NULL, OUTSIDE, NULL},
};
static const struct quirk quirks_aarch64[] = {
    {"RDFFR", READS, "ffr"},
    {NULL, OUTSIDE, NULL},
};

static const struct target {
    const char *begins; /* of QEMU's target's name */
    const struct name *names;
    const struct quirk *quirks;
    const char *condition; /* the register with the flags; NULL: there is none */
    const char *mode;      /* the one that says how floating-point numbers are rounded, and */
    uint64_t mode_mask;    /* the bits of it that do */
} targets[] = {
    {"ppc", names_ppc, quirks_ppc, "cr", "fpscr", 0xff},
    {"s390x", names_s390x, quirks_s390x, "pswm", "fpc", 0xf8000007},
    {"mips", names_mips, quirks_mips, NULL, "fcsr", 0x01040f83},
    {"sparc64", names_sparc, quirks_sparc, "state", "fsr", 0xcfc00000},
    {"sparc", names_sparc, quirks_sparc, "psr", "fsr", 0xcfc00000},
    {"aarch64", names_aarch64, quirks_aarch64, "cpsr", "fpcr", UINT64_MAX},
};

struct operands {
    struct tcgrr_decoding *decoding;
    const struct target *target;
    struct tcgrr_llvm_insn insn;
    unsigned registers[2]; /* numbers of the first two operands that have one: a range */
    unsigned count;
    const char *range; /* LLVM's name of those */
    bool computes;     /* with a floating-point register */
};

static void note(struct operands *operands, const char *name, uint64_t mask, unsigned access)
{
    struct tcgrr_decoding *decoding = operands->decoding;

    if (access & TCGRR_LLVM_READS) {
        tcgrr_decoding_read(decoding, name, mask ? mask : TCGRR_INPUT_ALL);
    }
    if (access & TCGRR_LLVM_WRITES) {
        tcgrr_decoding_write(decoding, name);
    }
    if (access & TCGRR_LLVM_ADDRESS) {
        tcgrr_decoding_base(decoding, name);
    }
    operands->computes |= name[0] == 'f' && g_ascii_isdigit(name[1]);
}

/* Whether LLVM's name fits a pattern, and the number in it. */
static bool fits(const char *name, const char *pattern, unsigned *number)
{
    const char *at = strchr(pattern, '%');
    size_t before = at ? (size_t)(at - pattern) : strlen(pattern);
    char *end;

    *number = 0;
    if (!at || strncmp(name, pattern, before) != 0 || !g_ascii_isdigit(name[before])) {
        return strcmp(name, pattern) == 0;
    }
    *number = (unsigned)strtoul(name + before, &end, 10);
    return strcmp(end, at + 2) == 0;
}

/* `pattern` with the number in place of its "%u", if it has one; owned by the caller. */
static char *with_number(const char *pattern, unsigned number)
{
    const char *at = strchr(pattern, '%');

    return at ? g_strdup_printf("%.*s%u%s", (int)(at - pattern), pattern, number, at + 2) : g_strdup(pattern);
}

static bool note_other_operand(struct operands *operands, const char *llvm, unsigned access)
{
    bool taken = false;
    const char *pattern = NULL; /* that it fits, with a number */
    unsigned number, its_number = 0;

    for (const struct name *row = operands->target->names; row->llvm; row++) {
        if (!fits(llvm, row->llvm, &number) || (taken && !*row->qemu)) {
            continue;
        }
        g_autofree char *name = with_number(row->qemu, number);
        bool shown = tcgrr_register_layout_find(operands->decoding->registers, name) != NULL;
        if (shown) {
            note(operands, name, row->mask >> (row->step * number), access);
        }
        if (shown && strchr(row->qemu, '%')) {
            pattern = row->llvm;
            its_number = number;
        }
        if (!*row->qemu) {
            return true; /* before names that it fits, too */
        }
        taken |= shown;
    }
    if (pattern && operands->count < G_N_ELEMENTS(operands->registers)) {
        operands->registers[operands->count++] = its_number;
        operands->range = operands->range ? operands->range : pattern;
    }
    return taken;
}

static bool note_mips_operand(struct operands *operands, const char *llvm, unsigned access)
{
    size_t length = g_str_has_suffix(llvm, "_64") ? strlen(llvm) - 3 : strlen(llvm);

    for (unsigned i = 1; i < G_N_ELEMENTS(mips_integers); i++) {
        if (strlen(mips_integers[i]) == length && strncmp(llvm, mips_integers[i], length) == 0) {
            g_autofree char *name = g_strdup_printf("r%u", i);
            /* Branches are said to write $at, which assemblers do for them. */
            bool spare = i == 1 && operands->insn.properties & TCGRR_LLVM_BRANCH;
            note(operands, name, 0, spare ? access & ~(unsigned)TCGRR_LLVM_WRITES : access);
            return true;
        }
    }
    return false;
}

static bool note_operand(const char *name, unsigned access, bool last, void *data)
{
    struct operands *operands = data;
    bool mips = operands->target->names == names_mips;

    if (last && access & TCGRR_LLVM_READS) {
        operands->decoding->inputs->unseen = true;
        operands->decoding->inputs->hidden = g_str_has_prefix(name, "ZA") ? "za" : name;
    }
    return !last && ((mips && note_mips_operand(operands, name, access)) || note_other_operand(operands, name, access));
}

/* Instructions that store all registers from one to another name only those two; after the last comes the first. */
static void read_range(struct operands *operands)
{
    bool to_end = operands->target->names == names_ppc;

    if (!operands->range || !strchr(operands->range, '%') || (operands->count < 2 && !to_end)) {
        return;
    }
    /* Only vectors are more than 16, and their range does not wrap. */
    unsigned last = to_end ? 31 : operands->registers[1], all = *operands->range == 'V' || to_end ? 32 : 16;
    for (unsigned i = operands->registers[0];; i = (i + 1) % all) {
        g_autofree char *name = with_number(operands->range, i);
        note_other_operand(operands, name, TCGRR_LLVM_READS);
        if (i == last) {
            break;
        }
    }
}

/* What one window has as its outs is the next one's ins. */
static void read_window(struct tcgrr_decoding *decoding, const char *letter)
{
    for (unsigned i = 0; i < 8; i++) {
        g_autofree char *name = g_strdup_printf("%s%u", letter, i);
        tcgrr_decoding_read(decoding, i != 6 ? name : *letter == 'o' ? "sp" : "fp", TCGRR_INPUT_ALL);
    }
}

static void add_quirks(struct operands *operands, const char *name)
{
    struct tcgrr_insn_inputs *inputs = operands->decoding->inputs;

    for (const struct quirk *quirk = operands->target->quirks; quirk->begins; quirk++) {
        if (!g_str_has_prefix(name, quirk->begins)) {
            continue;
        }
        switch (quirk->what) {
        case OUTSIDE:
            inputs->outside = true;
            break;
        case HIDDEN:
            inputs->hidden = quirk->text;
            break;
        case READS:
            tcgrr_decoding_read(operands->decoding, quirk->text, TCGRR_INPUT_ALL);
            break;
        case RANGE:
            read_range(operands);
            break;
        case WINDOW:
            read_window(operands->decoding, quirk->text);
            break;
        }
    }
}

/* LLVM does not say which of SPARC's operands make up an address: all of a load's, and the first of a store's. */
static void add_bases(struct operands *operands)
{
    const struct tcgrr_insn_inputs *inputs = operands->decoding->inputs;
    bool loads = operands->insn.properties & TCGRR_LLVM_LOADS;
    bool stores = operands->insn.properties & TCGRR_LLVM_STORES;
    guint count = operands->target->names != names_sparc || !(loads || stores) ? 0
                  : stores                                                     ? 1
                                                                               : inputs->registers->len;

    for (guint i = 0; i < MIN(count, inputs->registers->len); i++) {
        g_array_append_val(inputs->bases, g_array_index(inputs->registers, struct tcgrr_insn_input, i).index);
    }
}

bool tcgrr_insn_inputs_llvm(struct tcgrr_decoding *decoding, const char *target)
{
    struct operands operands = {.decoding = decoding};
    const struct tcgrr_llvm_insn *insn = &operands.insn;

    for (size_t i = 0; i < G_N_ELEMENTS(targets) && !operands.target; i++) {
        operands.target = g_str_has_prefix(target, targets[i].begins) ? &targets[i] : NULL;
    }
    if (!operands.target || !tcgrr_llvm_decode(decoding->llvm, decoding->pc, decoding->bytes, decoding->length,
                                               &operands.insn, note_operand, &operands)) {
        return false;
    }
    decoding->inputs->condition = operands.target->condition;
    decoding->inputs->loads = insn->properties & TCGRR_LLVM_LOADS;
    bool transfers = insn->properties & (TCGRR_LLVM_CALL | TCGRR_LLVM_RETURN | TCGRR_LLVM_BRANCH) ||
                     g_str_has_prefix(insn->name, "JMPL");
    decoding->inputs->delayed =
        transfers && (operands.target->names == names_mips || operands.target->names == names_sparc);
    add_bases(&operands);
    add_quirks(&operands, insn->name);
    if (operands.computes && !(insn->properties & (TCGRR_LLVM_LOADS | TCGRR_LLVM_STORES))) {
        tcgrr_decoding_read(decoding, operands.target->mode, operands.target->mode_mask);
    }
    return true;
}
