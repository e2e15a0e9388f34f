/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which registers an instruction takes in and writes, derived from its bytes and the state before it: by capstone,
 * whose knowledge has gaps, for RISC-V by its encoding, and by LLVM where it is here. What memory an instruction
 * accesses is asked of QEMU (emu/plugin/peek.h), and derived here only for x86, where QEMU does not report it all.
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
    bool known;            /* otherwise nothing below means anything: it may read whatever programs compute with */
    GArray *registers;     /* struct tcgrr_insn_input */
    GArray *bases;         /* unsigned: indexes of those of them that only make up addresses, bases first */
    bool loads;            /* it loads from memory, whatever the state is */
    bool delayed;          /* it leads elsewhere, but not before one more instruction has run */
    bool unreported;       /* QEMU does not report what it accesses: `memory` counts */
    GArray *memory;        /* struct tcgrr_operand, on x86 */
    GArray *written;       /* unsigned: indexes of the registers that it writes, the flags register among them */
    bool outside;          /* it also takes in what is no guest state: a port, a clock, chance, QEMU's own properties */
    bool unseen;           /* a register that it takes in is none of those that QEMU shows, or shows by this name */
    const char *hidden;    /* a register that it takes in and that QEMU does not show; NULL: none is known of */
    bool flags_known;      /* the two below are known: on x86 */
    uint64_t flags;        /* bits of the flags register that it writes */
    uint64_t undefined;    /* those of them for which the architecture promises no value */
    const char *condition; /* name of the flags register, NULL if there is none */
};

struct tcgrr_decoder;

/* `target` is QEMU's target name; for one that nothing is known about, no instruction will be known. */
struct tcgrr_decoder *tcgrr_decoder_new(const char *target);
/* NULL is allowed. */
void tcgrr_decoder_free(struct tcgrr_decoder *decoder);

/* Fills `inputs`, which tcgrr_insn_inputs_init() made, for the instruction of `length` bytes at `pc`. One thread at a
 * time.
 */
void tcgrr_decoder_inputs(struct tcgrr_decoder *decoder, const struct tcgrr_register_layout *registers,
                          const uint8_t *state, uint64_t pc, const uint8_t *bytes, uint8_t length,
                          struct tcgrr_insn_inputs *inputs);

/* Whether a register that it reads is no part of the values that it computes: it only says where memory is, or is the
 * program counter. `index` is one of `registers`. */
bool tcgrr_insn_inputs_is_place(const struct tcgrr_insn_inputs *inputs, const struct tcgrr_register_layout *registers,
                                unsigned index);

void tcgrr_insn_inputs_init(struct tcgrr_insn_inputs *inputs);
void tcgrr_insn_inputs_clear(struct tcgrr_insn_inputs *inputs);

#endif
