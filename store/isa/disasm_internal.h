/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disassembler's inside, for disasm.c and disasm_kinds.c. */
#ifndef TCGRR_STORE_DISASM_INTERNAL_H
#define TCGRR_STORE_DISASM_INTERNAL_H

#include "store/isa/disasm.h"
#include "store/isa/llvm/module.h"

#include <capstone/capstone.h>

enum tcgrr_family {
    TCGRR_FAMILY_OTHER,
    TCGRR_FAMILY_AARCH64,
    TCGRR_FAMILY_ARM,
    TCGRR_FAMILY_RISCV,
    TCGRR_FAMILY_X86,
};

enum tcgrr_family tcgrr_disasm_family(const struct tcgrr_disasm *disasm);

/*
 * Calls `visit` for each of the block's instructions with what capstone knows of it, operands and groups included; with
 * NULL where it cannot decode it.
 */
void tcgrr_disasm_each(struct tcgrr_disasm *disasm, const struct tcgrr_block *block,
                       void (*visit)(uint32_t index, const cs_insn *insn, void *data), void *data);

/* The same of what LLVM knows. */
void tcgrr_disasm_each_llvm(struct tcgrr_disasm *disasm, const struct tcgrr_block *block,
                            void (*visit)(uint32_t index, const struct tcgrr_llvm_insn *insn, void *data), void *data);
/* Whether LLVM is here and knows the target. */
bool tcgrr_disasm_has_llvm(struct tcgrr_disasm *disasm);

#endif
