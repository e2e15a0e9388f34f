/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a register is, derived from the name that QEMU gives it. No state, no allocation, no library: for the plugin,
 * too.
 */
#ifndef TCGRR_STORE_ISA_REGISTERS_H
#define TCGRR_STORE_ISA_REGISTERS_H

#include <stdbool.h>

enum tcgrr_register_kind {
    TCGRR_REGISTER_PLAIN,
    TCGRR_REGISTER_PC,      /* QEMU brings it up to date only now and then */
    TCGRR_REGISTER_COUNTER, /* of instructions, cycles, events or time: QEMUs may advance it differently */
    TCGRR_REGISTER_TIMER,   /* when, or whether, a clock raises its next interrupt */
};

enum tcgrr_register_kind tcgrr_register_kind(const char *name);

/* Whether it holds the flags that comparisons set. */
bool tcgrr_register_is_flags(const char *name);

#endif
