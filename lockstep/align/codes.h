/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the instructions of blocks can do, found out once for each block. */
#ifndef TCGRR_LOCKSTEP_CODES_H
#define TCGRR_LOCKSTEP_CODES_H

#include "lockstep/insn_cursor.h"
#include "store/isa/isa_time.h"

struct tcgrr_codes {
    enum tcgrr_isa isa;
    GHashTable *classes; /* struct tcgrr_block * → array of struct tcgrr_insn_class */
    GHashTable *entries; /* set of uint64_t: where interrupts were seen to lead */
};

void tcgrr_codes_init(struct tcgrr_codes *codes, enum tcgrr_isa isa);
void tcgrr_codes_clear(struct tcgrr_codes *codes);

/* The classes of the block's instructions, owned by `codes`. */
const struct tcgrr_insn_class *tcgrr_codes_classes(struct tcgrr_codes *codes, const struct tcgrr_block *block);

/* Whether the execution reached its block's last instruction, which can go anywhere. */
bool tcgrr_codes_indirect(struct tcgrr_codes *codes, const struct tcgrr_exec *exec);

/* Whether the instruction's result depends on when it runs; `tcgrr_codes_device`: whether it was seen to access a
 * device, which shows in the middle of a block only: QEMU leaves the block there, and goes on right after it. */
bool tcgrr_codes_clock(const struct tcgrr_codes *codes, const struct tcgrr_insn_cursor *walk);
bool tcgrr_codes_device(struct tcgrr_codes *codes, const struct tcgrr_insn_cursor *walk);

#endif
