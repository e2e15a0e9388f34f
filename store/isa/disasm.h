/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions as text, by capstone. Where capstone does not know the target (RISC-V before capstone 5) it is how QEMU
 * disassembled the instruction, if the block says so. What neither knows is asked of LLVM, if it is there, and else the
 * text is an assembler directive that gives its bytes: ".4byte 0x00a50533". One thread at a time uses a disassembler.
 */
#ifndef TCGRR_STORE_DISASM_H
#define TCGRR_STORE_DISASM_H

#include "store/blocks.h"

struct tcgrr_disasm;

/* `target` is QEMU's target name, run.target of a trace; any name works. Never NULL; owned by the caller. */
struct tcgrr_disasm *tcgrr_disasm_new(const char *target);
/* Whether capstone knows this target, so that texts by QEMU are not needed. */
bool tcgrr_disasm_knows(const char *target);
/* NULL is allowed. */
void tcgrr_disasm_free(struct tcgrr_disasm *disasm);

/*
 * Learns from all blocks known in which mode the code of each page runs (x86: 64, 32 or 16 bits; arm: Thumb or not),
 * because one block alone does not always show it: "push" has the same bytes in all three. Worth calling before the
 * first text, and again when there are more blocks; without it each block is judged alone. Does nothing for other
 * targets.
 */
void tcgrr_disasm_survey(struct tcgrr_disasm *disasm, const struct tcgrr_blocks *blocks, uint32_t count);

/* Whether a survey is of use to it. */
bool tcgrr_disasm_wants_survey(const struct tcgrr_disasm *disasm);

/*
 * The text of each of the block's instructions: `insns` strings and a NULL after them, for g_strfreev(). Never fails:
 * what cannot be decoded is shown as bytes. The mode is the first in which all instructions have the lengths that QEMU
 * saw.
 */
char **tcgrr_disasm_block(struct tcgrr_disasm *disasm, const struct tcgrr_block *block);

/*
 * The purpose of an instruction, as far as capstone's groups and operands show it, each with a short name and a title.
 * An instruction that fits several kinds is of the first of them.
 */
#define TCGRR_INSN_KINDS(X)                                                                                            \
    X(CALL, "call", "Calls")                                                                                           \
    X(RETURN, "ret", "Returns")                                                                                        \
    X(TRAP, "int", "Traps & Interrupt Returns")                                                                        \
    X(BRANCH, "branch", "Branches")                                                                                    \
    X(SYSTEM, "priv", "Privileged")                                                                                    \
    X(CRYPTO, "crypto", "Cryptography & CRC")                                                                          \
    X(AVX512, "avx512", "AVX-512")                                                                                     \
    X(AVX, "avx", "AVX")                                                                                               \
    X(SSE, "sse", "SSE")                                                                                               \
    X(MMX, "mmx", "MMX")                                                                                               \
    X(NEON, "neon", "Advanced SIMD")                                                                                   \
    X(FLOAT, "fp", "Floating Point")                                                                                   \
    X(BITS, "bmi", "Bit Manipulation")                                                                                 \
    X(MULDIV, "muldiv", "Multiply & Divide")                                                                           \
    X(MEMORY, "ldst", "Loads & Stores")                                                                                \
    X(OTHER, "dpr", "Data Proc")                                                                                       \
    X(UNKNOWN, "unclas", "Unclassified")

#define TCGRR_INSN_KIND_ENUM(id, name, title) TCGRR_INSN_##id,
enum tcgrr_insn_kind { TCGRR_INSN_KINDS(TCGRR_INSN_KIND_ENUM) TCGRR_INSN_KIND_COUNT };

/* Fills `kinds` with the kind of each of the block's instructions (enum tcgrr_insn_kind). For x86 and arm, and by
 * LLVM, if it is there, for other targets with fewer kinds; all are UNKNOWN otherwise. */
void tcgrr_disasm_kinds(struct tcgrr_disasm *disasm, const struct tcgrr_block *block, uint8_t *kinds);
/* Whether instructions of this kind can be found on this target. */
bool tcgrr_disasm_has_kind(struct tcgrr_disasm *disasm, enum tcgrr_insn_kind kind);

/* Whether the block ends with a call: an instruction that keeps the address after it for a return. */
bool tcgrr_disasm_ends_with_call(struct tcgrr_disasm *disasm, const struct tcgrr_block *block);

#endif
