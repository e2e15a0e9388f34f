/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest gets from the host without QEMU recording it, so that it may get something else in every run: by
 * semihosting the time or input; input through some devices, or at some time (emu/qemu/unlogged.h).
 */
#ifndef TCGRR_LOCKSTEP_HOST_CALLS_H
#define TCGRR_LOCKSTEP_HOST_CALLS_H

#include "lockstep/comparison.h"
#include "store/blocks.h"

/* What was compared: one of the two runs, and what is known of both. */
struct tcgrr_host_calls_run {
    const char *target;
    const char *const *versions;       /* of the two QEMUs; NULL: not known */
    const char *const *words;          /* QEMU's command, NULL-terminated */
    const struct tcgrr_blocks *blocks; /* what was executed up to there */
    bool translated;                   /* B's rr log is of another release */
};

/*
 * Takes back a divergence if the guest may have got such a thing before, or dozes (TCGRR_LEAVE_DOZE), which QEMU cannot
 * replay either, or if B hangs where the guest waits, which it may if its rr log was translated: sets `undecided`, and
 * fails with TCGRR_ERROR_FAILED. What is asked for by semihosting is read from the instructions before the call (Arm's
 * specification of it, which RISC-V's follows); where they do not show it, it may be the time.
 */
bool tcgrr_host_calls_check(struct tcgrr_comparison *found, const struct tcgrr_host_calls_run *run, GError **error);

#endif
