/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What explains that two runs of the same guest take different ways: instructions whose result depends on when they
 * run, and those by which an interrupt's handler goes back. Told from one instruction's bytes; no state.
 */
#ifndef TCGRR_EMU_ISA_TIME_H
#define TCGRR_EMU_ISA_TIME_H

#include "store/isa/isa.h"

/*
 * Whether the instruction reads a clock, a counter, pending interrupts or a random number, waits for something to
 * happen, or reads a device in a way that its bytes show (x86 `in`). False for all of a machine that is not known.
 */
bool tcgrr_isa_depends_on_time(enum tcgrr_isa isa, const uint8_t *bytes, unsigned length);

enum tcgrr_isa_return {
    TCGRR_ISA_RETURN_NO,
    TCGRR_ISA_RETURN_MAYBE, /* a plain return, which an M-profile Arm's handlers also use */
    TCGRR_ISA_RETURN_YES,   /* a return from an interrupt or exception, and nothing else */
};

/*
 * Whether the instruction at `pc`, after which the vCPU went to `next`, is one by which a handler returns. `next`
 * matters where the instruction's bytes alone do not decide it. UNKNOWN machines: MAYBE for every instruction.
 */
enum tcgrr_isa_return tcgrr_isa_returns(enum tcgrr_isa isa, uint64_t pc, const uint8_t *bytes, unsigned length,
                                        uint64_t next);

#endif
