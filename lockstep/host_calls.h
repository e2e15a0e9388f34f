/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest gets from the host without QEMU recording it, so that it may get something else in every run: by
 * semihosting the time or input; input through some devices, or at some time (emu/qemu/unlogged.h).
 */
#ifndef TCGRR_LOCKSTEP_HOST_CALLS_H
#define TCGRR_LOCKSTEP_HOST_CALLS_H

#include "lockstep/comparison.h"
#include "store/blocks.h"

/*
 * Takes back a divergence if the guest may have got such a thing before, or dozes (TCGRR_LEAVE_DOZE), which QEMU cannot
 * replay either: sets `undecided`, and fails with TCGRR_ERROR_FAILED. `versions` are those of the two QEMUs that are
 * compared (NULL: not known); `words` are QEMU's command, NULL-terminated; `blocks` what was executed up to there. What
 * is asked for by semihosting is read from the instructions before the call (Arm's specification of it, which RISC-V's
 * follows); where they do not show it, it may be the time.
 */
bool tcgrr_host_calls_check(struct tcgrr_comparison *found, const char *target, const char *const *versions,
                            const char *const *words, const struct tcgrr_blocks *blocks, GError **error);

#endif
