/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The classes of the instructions of blocks, determined once for each block. */
#ifndef TCGRR_LOCKSTEP_CODES_H
#define TCGRR_LOCKSTEP_CODES_H

#include "lockstep/insn_cursor.h"
#include "store/isa/isa_time.h"

struct tcgrr_codes {
    enum tcgrr_isa isa;
    GHashTable *classes; /* struct tcgrr_block * → array of struct tcgrr_insn_class */
    GHashTable *entries; /* set of uint64_t: addresses to which interrupts led */
};

void tcgrr_codes_init(struct tcgrr_codes *codes, enum tcgrr_isa isa);
void tcgrr_codes_clear(struct tcgrr_codes *codes);

/* The classes of the block's instructions, owned by `codes`. */
const struct tcgrr_insn_class *tcgrr_codes_classes(struct tcgrr_codes *codes, const struct tcgrr_block *block);

/* Whether the execution reached its block's last instruction, and that can lead anywhere. */
bool tcgrr_codes_indirect(struct tcgrr_codes *codes, const struct tcgrr_exec *exec);

/* tcgrr_codes_clock(): whether the instruction's result depends on when it runs. tcgrr_codes_device(): whether it is
 * known to have accessed a device, which is visible only in the middle of a block, because QEMU leaves the block there
 * and continues right after it. */
bool tcgrr_codes_clock(const struct tcgrr_codes *codes, const struct tcgrr_insn_cursor *walk);
bool tcgrr_codes_device(struct tcgrr_codes *codes, const struct tcgrr_insn_cursor *walk);

#endif
