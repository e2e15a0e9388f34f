/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers that an instruction reads and writes, derived from its bytes and the state before it: by capstone,
 * whose data have gaps, for RISC-V from its encoding, and by LLVM if it is available. The memory that an instruction
 * accesses is reported by QEMU (emu/plugin/peek.h), and derived here only for x86, for which QEMU does not report all
 * of it.
 */
#ifndef TCGRR_REPLAY_INPUTS_H
#define TCGRR_REPLAY_INPUTS_H

#include "emu/qemu/gdb_features.h"

struct tcgrr_insn_input {
    unsigned index; /* of the register in the list */
    uint64_t mask;  /* the bits that are read, of its lowest 64; all ones: the whole register */
};

struct tcgrr_operand {
    uint64_t address; /* the vCPU's own, with segments resolved */
    uint16_t size;    /* in bytes; at least as much as is accessed */
    bool load;
    bool store;
};

struct tcgrr_insn_inputs {
    bool known;        /* if false, the fields below are not valid: it may read any register that programs use */
    GArray *registers; /* struct tcgrr_insn_input */
    GArray *bases;     /* unsigned: indexes of those that are used only for addresses, base registers first */
    bool loads;        /* it loads from memory in any state */
    bool delayed;      /* it branches, but only after one more instruction (a delay slot) */
    bool unreported;   /* QEMU does not report what it accesses: `memory` counts */
    GArray *memory;    /* struct tcgrr_operand, on x86 */
    GArray *written;   /* unsigned: indexes of the registers that it writes, including the flags register */
    bool outside; /* it also reads something outside the guest's state: a port, a clock, a random number, QEMU's own
                     properties */
    bool unseen;  /* it reads a register that QEMU does not show, or not by this name */
    const char *hidden;    /* a register that it reads and that QEMU does not show; NULL: none is known */
    bool flags_known;      /* the two below are known: on x86 */
    uint64_t flags;        /* bits of the flags register that it writes */
    uint64_t undefined;    /* those of them for which the architecture promises no value */
    const char *condition; /* name of the flags register, NULL if there is none */
};

struct tcgrr_decoder;

/* `target` is QEMU's target name. For an unknown target, no instruction is known. */
struct tcgrr_decoder *tcgrr_decoder_new(const char *target);
/* NULL is allowed. */
void tcgrr_decoder_free(struct tcgrr_decoder *decoder);

/* Fills `inputs`, which tcgrr_insn_inputs_init() made, for the instruction of `length` bytes at `pc`. One thread at a
 * time.
 */
void tcgrr_decoder_inputs(struct tcgrr_decoder *decoder, const struct tcgrr_register_layout *registers,
                          const uint8_t *state, uint64_t pc, const uint8_t *bytes, uint8_t length,
                          struct tcgrr_insn_inputs *inputs);

/* Whether a register that it reads does not contribute to its results: it is only used for an address, or is the
 * program counter. `index` is one of `registers`. */
bool tcgrr_insn_inputs_is_place(const struct tcgrr_insn_inputs *inputs, const struct tcgrr_register_layout *registers,
                                unsigned index);

void tcgrr_insn_inputs_init(struct tcgrr_insn_inputs *inputs);
void tcgrr_insn_inputs_clear(struct tcgrr_insn_inputs *inputs);

#endif
