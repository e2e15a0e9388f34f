/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files behind isa.h share. Like isa.h: no state, no allocation, no library. */
#ifndef TCGRR_EMU_ISA_INTERNAL_H
#define TCGRR_EMU_ISA_INTERNAL_H

#include "store/isa/isa.h"

/* How a row of a decoding table gets its target: where the signed immediate is. */
enum tcgrr_isa_immediate {
    TCGRR_ISA_IMM_NONE,
    TCGRR_ISA_IMM26, /* bits 25:0, in words */
    TCGRR_ISA_IMM19, /* bits 23:5, in words */
    TCGRR_ISA_IMM14, /* bits 18:5, in words */
};

/* Instructions whose bits under `mask` are `value`. In a table the first row that fits decides. */
struct tcgrr_isa_row {
    uint32_t mask;
    uint32_t value;
    uint8_t leave;
    uint8_t flow;
    uint8_t access;
    uint8_t immediate; /* enum tcgrr_isa_immediate */
    bool call;
};

/* Returns the first of `count` rows that fits `word`, NULL if none does. */
const struct tcgrr_isa_row *tcgrr_isa_find(const struct tcgrr_isa_row *rows, size_t count, uint32_t word);

/* The class of a row, without target. */
struct tcgrr_insn_class tcgrr_isa_row_class(const struct tcgrr_isa_row *row);

/* A class that is right whichever of the two is. */
struct tcgrr_insn_class tcgrr_isa_merge(struct tcgrr_insn_class a, struct tcgrr_insn_class b);

/* One architecture each; the arguments are those of tcgrr_isa_classify(). */
void tcgrr_isa_classify_aarch64(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                                struct tcgrr_insn_class *out);
void tcgrr_isa_classify_arm(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                            struct tcgrr_insn_class *out);
void tcgrr_isa_classify_riscv(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                              struct tcgrr_insn_class *out);
void tcgrr_isa_classify_x86(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                            struct tcgrr_insn_class *out);

/* The class of one A64, of one A32, and of one T32 instruction: `word` is a 16-bit one, or a wide one's first half <<
 * 16 | second. */
struct tcgrr_insn_class tcgrr_isa_a64_insn(uint64_t pc, uint32_t word);
struct tcgrr_insn_class tcgrr_isa_a32_insn(uint64_t pc, uint32_t word);
struct tcgrr_insn_class tcgrr_isa_t32_insn(uint64_t pc, uint32_t word, unsigned length);

static inline struct tcgrr_insn_class tcgrr_isa_class(enum tcgrr_leave leave, enum tcgrr_flow flow,
                                                      enum tcgrr_direction access)
{
    return (struct tcgrr_insn_class){.leave = (uint8_t)leave, .flow = (uint8_t)flow, .access = (uint8_t)access};
}

static inline struct tcgrr_insn_class tcgrr_isa_unknown(void)
{
    return tcgrr_isa_class(TCGRR_LEAVE_UNKNOWN, TCGRR_FLOW_INDIRECT, TCGRR_ACCESS_EITHER);
}

static inline uint32_t tcgrr_isa_load16(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static inline uint32_t tcgrr_isa_load32(const uint8_t *bytes)
{
    return tcgrr_isa_load16(bytes) | tcgrr_isa_load16(bytes + 2) << 16;
}

/* The `bits` low bits of `value` as a signed number. */
static inline int64_t tcgrr_isa_signed(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

/* Bits `low` up to `low + count - 1` of `word`. */
static inline uint32_t tcgrr_isa_bits(uint32_t word, unsigned low, unsigned count)
{
    return word >> low & ((1u << count) - 1);
}

#endif
