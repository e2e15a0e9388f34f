/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_INPUTS_INTERNAL_H
#define TCGRR_REPLAY_INPUTS_INTERNAL_H

#include "replay/cause/inputs.h"

#include "store/isa/llvm/llvm.h"

#include <capstone/capstone.h>

/* An instruction while its inputs are found. */
struct tcgrr_decoding {
    const struct tcgrr_register_layout *registers;
    const uint8_t *state;
    uint64_t pc;
    const uint8_t *bytes;
    uint8_t length;
    struct tcgrr_insn_inputs *inputs;
    csh handle;          /* capstone's, of the mode that fits; not for RISC-V */
    const cs_insn *insn; /* likewise */
    uint64_t address_mask;
    struct tcgrr_llvm *llvm; /* LLVM's decoder for this code; NULL: not known or not available */
};

#define TCGRR_INPUT_ALL UINT64_MAX

/* Notes that a register is read; a register that the machine does not show is ignored. */
void tcgrr_decoding_read(struct tcgrr_decoding *decoding, const char *name, uint64_t mask);
/* Notes that a register is written; likewise. */
void tcgrr_decoding_write(struct tcgrr_decoding *decoding, const char *name);
/* Notes memory that is accessed. */
void tcgrr_decoding_access(struct tcgrr_decoding *decoding, uint64_t address, unsigned size, bool load, bool store);
/* Notes that an address takes this register; likewise. */
void tcgrr_decoding_base(struct tcgrr_decoding *decoding, const char *name);
/* A register's value; 0 if it is not known. */
uint64_t tcgrr_decoding_value(const struct tcgrr_decoding *decoding, const char *name);

void tcgrr_insn_inputs_x86(struct tcgrr_decoding *decoding);
void tcgrr_insn_inputs_aarch64(struct tcgrr_decoding *decoding);
void tcgrr_insn_inputs_aarch64_unknown(struct tcgrr_decoding *decoding);
void tcgrr_insn_inputs_arm(struct tcgrr_decoding *decoding);
void tcgrr_insn_inputs_riscv(struct tcgrr_decoding *decoding);
/* `insn` may be NULL if it is one of the floating-point unit's. */
void tcgrr_insn_inputs_m68k(struct tcgrr_decoding *decoding);
bool tcgrr_insn_inputs_is_m68k_fpu(const uint8_t *bytes, uint8_t length);
/* By LLVM. False, and nothing noted, if it does not know the instruction. */
bool tcgrr_insn_inputs_llvm(struct tcgrr_decoding *decoding, const char *target);

#endif
