/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Semihosting calls of a guest; their results are not in the rr log. */
#ifndef TCGRR_LOCKSTEP_SEMIHOSTING_H
#define TCGRR_LOCKSTEP_SEMIHOSTING_H

#include "store/blocks.h"

/*
 * What the executed code of `target` (QEMU's name) asks the host for and receives differently in each run ("the time");
 * NULL: nothing. *pc is the address of the call. The operation is derived from the instructions before the call (Arm's
 * specification of semihosting, which RISC-V's follows); if they do not show it, it may be the time.
 */
const char *tcgrr_semihosting_asked(const char *target, const struct tcgrr_blocks *blocks, uint64_t *pc);

#endif
