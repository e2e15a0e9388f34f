/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Semihosting: the guest's calls to the host. What the host answers is in no rr log, so that a guest which asks for the
 * time, or for input, may get something else in every run.
 */
#ifndef TCGRR_LOCKSTEP_HOST_CALLS_H
#define TCGRR_LOCKSTEP_HOST_CALLS_H

#include "lockstep/comparison.h"
#include "store/blocks.h"

/*
 * Takes back a divergence if the guest asked the host for such a thing before, or dozes (TCGRR_LEAVE_DOZE), which QEMU
 * replays as little: sets `undecided`, and fails with
 * TCGRR_ERROR_FAILED. `words` are QEMU's command, NULL-terminated; `blocks` what was executed up to there. What is
 * asked for is read from the instructions before the call (Arm's specification of semihosting, which RISC-V's follows);
 * where they do not show it, it may be the time.
 */
bool tcgrr_host_calls_check(struct tcgrr_comparison *found, const char *target, const char *const *words,
                            const struct tcgrr_blocks *blocks, GError **error);

#endif
