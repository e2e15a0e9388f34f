/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest asks the host for by semihosting; the answer is in no rr log. */
#ifndef TCGRR_LOCKSTEP_SEMIHOSTING_H
#define TCGRR_LOCKSTEP_SEMIHOSTING_H

#include "store/blocks.h"

/*
 * What code of `target` (QEMU's name) that ran asks the host for and is answered differently in each run ("the time");
 * NULL: nothing. *pc: where. It is read from the instructions before the call (Arm's specification of semihosting,
 * which RISC-V's follows); where they do not show it, it may be the time.
 */
const char *tcgrr_semihosting_asked(const char *target, const struct tcgrr_blocks *blocks, uint64_t *pc);

#endif
