/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instruction takes in and writes: registers and memory, told from its bytes and the state before it. By
 * capstone, whose knowledge has gaps, and for RISC-V by its encoding.
 */
#ifndef TCGRR_REPLAY_INPUTS_H
#define TCGRR_REPLAY_INPUTS_H

#include "emu/qemu/gdb_features.h"

struct tcgrr_input {
    unsigned index; /* of the register in the list */
    uint64_t mask;  /* the bits that are read, of its lowest 64; all ones: the whole register */
};

#define TCGRR_NO_BASE UINT16_MAX

struct tcgrr_operand {
    uint64_t address; /* the vCPU's own, with segments resolved */
    uint16_t size;    /* in bytes; at least as much as is accessed */
    uint16_t base;    /* index of the register that the address is relative to; TCGRR_NO_BASE: none */
    uint16_t index;   /* of a second one that only the address takes; likewise */
    bool load;
    bool store;
};

struct tcgrr_inputs {
    bool known;            /* otherwise nothing below means anything: it may read whatever programs compute with */
    GArray *registers;     /* struct tcgrr_input */
    GArray *memory;        /* struct tcgrr_operand */
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

/* Fills `inputs`, which tcgrr_inputs_init() made, for the instruction of `length` bytes at `pc`. One thread at a time.
 */
void tcgrr_decoder_inputs(struct tcgrr_decoder *decoder, const struct tcgrr_registers *registers, const uint8_t *state,
                          uint64_t pc, const uint8_t *bytes, uint8_t length, struct tcgrr_inputs *inputs);

void tcgrr_inputs_init(struct tcgrr_inputs *inputs);
void tcgrr_inputs_clear(struct tcgrr_inputs *inputs);

#endif
