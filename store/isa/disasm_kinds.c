/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of instructions, from the groups and operands that capstone gives. */
#include "store/isa/disasm_internal.h"

#include <string.h>

/* Groups of an instruction that decide its kind; the first row that fits does. */
struct row {
    enum tcgrr_insn_kind kind;
    int first; /* capstone's groups first..last */
    int last;
};

static const struct row common_rows[] = {
    {TCGRR_INSN_CALL, CS_GRP_CALL, CS_GRP_CALL},
    {TCGRR_INSN_RETURN, CS_GRP_RET, CS_GRP_RET},
    {TCGRR_INSN_TRAP, CS_GRP_INT, CS_GRP_IRET},
    {TCGRR_INSN_BRANCH, CS_GRP_JUMP, CS_GRP_JUMP},
    {TCGRR_INSN_SYSTEM, CS_GRP_PRIVILEGE, CS_GRP_PRIVILEGE},
};

static const struct row x86_rows[] = {
    {TCGRR_INSN_SYSTEM, X86_GRP_VM, X86_GRP_VM},         {TCGRR_INSN_CRYPTO, X86_GRP_AES, X86_GRP_AES},
    {TCGRR_INSN_CRYPTO, X86_GRP_SHA, X86_GRP_SHA},       {TCGRR_INSN_CRYPTO, X86_GRP_PCLMUL, X86_GRP_PCLMUL},
    {TCGRR_INSN_AVX512, X86_GRP_AVX512, X86_GRP_AVX512}, {TCGRR_INSN_AVX512, X86_GRP_CDI, X86_GRP_ERI},
    {TCGRR_INSN_AVX512, X86_GRP_DQI, X86_GRP_VLX},       {TCGRR_INSN_AVX, X86_GRP_AVX, X86_GRP_AVX2},
    {TCGRR_INSN_AVX, X86_GRP_F16C, X86_GRP_FMA4},        {TCGRR_INSN_AVX, X86_GRP_XOP, X86_GRP_XOP},
    {TCGRR_INSN_SSE, X86_GRP_SSE1, X86_GRP_SSSE3},       {TCGRR_INSN_MMX, X86_GRP_MMX, X86_GRP_MMX},
    {TCGRR_INSN_MMX, X86_GRP_3DNOW, X86_GRP_3DNOW},      {TCGRR_INSN_FLOAT, X86_GRP_FPU, X86_GRP_FPU},
    {TCGRR_INSN_BITS, X86_GRP_BMI, X86_GRP_BMI2},        {TCGRR_INSN_BITS, X86_GRP_TBM, X86_GRP_TBM},
};

static const struct row arm_rows[] = {
    {TCGRR_INSN_CRYPTO, ARM_GRP_CRYPTO, ARM_GRP_CRYPTO},  {TCGRR_INSN_CRYPTO, ARM_GRP_CRC, ARM_GRP_CRC},
    {TCGRR_INSN_NEON, ARM_GRP_NEON, ARM_GRP_NEON},        {TCGRR_INSN_FLOAT, ARM_GRP_VFP2, ARM_GRP_VFP4},
    {TCGRR_INSN_FLOAT, ARM_GRP_FPARMV8, ARM_GRP_FPARMV8}, {TCGRR_INSN_FLOAT, ARM_GRP_DPVFP, ARM_GRP_DPVFP},
    {TCGRR_INSN_MULDIV, ARM_GRP_DIVIDE, ARM_GRP_DIVIDE},  {TCGRR_INSN_MULDIV, ARM_GRP_MULOPS, ARM_GRP_MULOPS},
};

static bool in_groups(const cs_insn *insn, const struct row *row)
{
    for (uint8_t i = 0; i < insn->detail->groups_count; i++) {
        if (insn->detail->groups[i] >= row->first && insn->detail->groups[i] <= row->last) {
            return true;
        }
    }
    return false;
}

static bool find_row(const cs_insn *insn, const struct row *rows, size_t count, enum tcgrr_insn_kind *kind)
{
    for (size_t i = 0; i < count; i++) {
        if (in_groups(insn, &rows[i])) {
            *kind = rows[i].kind;
            return true;
        }
    }
    return false;
}

static bool x86_accesses(const cs_insn *insn)
{
    const cs_x86 *x86 = &insn->detail->x86;
    if (insn->id == X86_INS_LEA || insn->id == X86_INS_NOP) {
        return false; /* their memory operand is an address, no access */
    }
    for (uint8_t i = 0; i < x86->op_count; i++) {
        if (x86->operands[i].type == X86_OP_MEM) {
            return true;
        }
    }
    return g_str_has_prefix(insn->mnemonic, "push") || g_str_has_prefix(insn->mnemonic, "pop");
}

static bool arm_accesses(const cs_insn *insn)
{
    static const char *const names[] = {"ld", "st", "push", "pop", "swp", "tb", "rfe", "srs"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_has_prefix(insn->mnemonic, names[i])) {
            return true;
        }
    }
    return false;
}

static bool is_multiplication(const cs_insn *insn)
{
    static const char *const names[] = {"mul", "imul", "div", "idiv", "mla", "mls", "smul", "umul", "smla", "umla"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_has_prefix(insn->mnemonic, names[i])) {
            return true;
        }
    }
    return false;
}

static enum tcgrr_insn_kind kind_of(const struct tcgrr_disasm *disasm, const cs_insn *insn)
{
    bool x86 = tcgrr_disasm_family(disasm) == TCGRR_FAMILY_X86;
    enum tcgrr_insn_kind kind;

    if (find_row(insn, common_rows, G_N_ELEMENTS(common_rows), &kind) ||
        (x86 && find_row(insn, x86_rows, G_N_ELEMENTS(x86_rows), &kind)) ||
        (!x86 && find_row(insn, arm_rows, G_N_ELEMENTS(arm_rows), &kind))) {
        return kind;
    }
    if (is_multiplication(insn)) {
        return TCGRR_INSN_MULDIV;
    }
    return (x86 ? x86_accesses(insn) : arm_accesses(insn)) ? TCGRR_INSN_MEMORY : TCGRR_INSN_OTHER;
}

/* Returns that LLVM knows as jumps only. */
static bool is_return(const char *text)
{
    static const char *const texts[] = {"jr $ra", "ret", "retl", "br %r14", "blr", NULL};
    return g_strv_contains(texts, text);
}

/* For targets without groups of their own. */
static enum tcgrr_insn_kind kind_of_llvm(const struct tcgrr_llvm_insn *insn)
{
    uint32_t properties = insn->properties;
    bool transfers = properties & (TCGRR_LLVM_CALL | TCGRR_LLVM_RETURN | TCGRR_LLVM_BRANCH);

    if (properties & TCGRR_LLVM_CALL || g_str_has_prefix(insn->text, "call ")) {
        return TCGRR_INSN_CALL;
    }
    if (properties & TCGRR_LLVM_RETURN || is_return(insn->text)) {
        return TCGRR_INSN_RETURN;
    }
    return transfers                                             ? TCGRR_INSN_BRANCH
           : properties & (TCGRR_LLVM_LOADS | TCGRR_LLVM_STORES) ? TCGRR_INSN_MEMORY
                                                                 : TCGRR_INSN_OTHER;
}

static bool is_llvm_kind(enum tcgrr_insn_kind kind)
{
    return kind == TCGRR_INSN_CALL || kind == TCGRR_INSN_RETURN || kind == TCGRR_INSN_BRANCH ||
           kind == TCGRR_INSN_MEMORY || kind == TCGRR_INSN_OTHER;
}

bool tcgrr_disasm_has_kind(struct tcgrr_disasm *disasm, enum tcgrr_insn_kind kind)
{
    enum tcgrr_family family = tcgrr_disasm_family(disasm);
    if (family == TCGRR_FAMILY_OTHER) {
        return is_llvm_kind(kind) && tcgrr_disasm_has_llvm(disasm);
    }
    bool x86 = kind == TCGRR_INSN_AVX512 || kind == TCGRR_INSN_AVX || kind == TCGRR_INSN_SSE ||
               kind == TCGRR_INSN_MMX || kind == TCGRR_INSN_BITS;
    bool arm = kind == TCGRR_INSN_NEON;
    return (family == TCGRR_FAMILY_X86 && !arm) || (family == TCGRR_FAMILY_ARM && !x86);
}

struct kinds {
    const struct tcgrr_disasm *disasm;
    uint8_t *kinds;
};

static void take_kind(uint32_t index, const cs_insn *insn, void *data)
{
    const struct kinds *kinds = data;
    kinds->kinds[index] = (uint8_t)(insn ? kind_of(kinds->disasm, insn) : TCGRR_INSN_UNKNOWN);
}

static void take_llvm_kind(uint32_t index, const struct tcgrr_llvm_insn *insn, void *data)
{
    const struct kinds *kinds = data;
    kinds->kinds[index] = (uint8_t)(insn ? kind_of_llvm(insn) : TCGRR_INSN_UNKNOWN);
}

void tcgrr_disasm_kinds(struct tcgrr_disasm *disasm, const struct tcgrr_block *block, uint8_t *kinds)
{
    struct kinds taken = {disasm, kinds};
    if (tcgrr_disasm_family(disasm) == TCGRR_FAMILY_OTHER) {
        tcgrr_disasm_each_llvm(disasm, block, take_llvm_kind, &taken);
    } else if (tcgrr_disasm_has_kind(disasm, TCGRR_INSN_OTHER)) {
        tcgrr_disasm_each(disasm, block, take_kind, &taken);
    } else {
        memset(kinds, TCGRR_INSN_UNKNOWN, block->insns);
    }
}
