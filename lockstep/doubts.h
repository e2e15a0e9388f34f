/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reasons to doubt a divergence: the guest may have received an input that QEMU does not record, or waited in a way
 * that QEMU does not replay.
 */
#ifndef TCGRR_LOCKSTEP_DOUBTS_H
#define TCGRR_LOCKSTEP_DOUBTS_H

#include "lockstep/comparison.h"
#include "store/blocks.h"

/* One of the two runs that were compared, and facts about both. */
struct tcgrr_doubts_run {
    const char *target;
    const char *const *versions;       /* of the two QEMUs; NULL: not known */
    const char *const *words;          /* QEMU and its arguments, NULL-terminated */
    const struct tcgrr_blocks *blocks; /* the blocks executed up to the divergence */
    bool translated;                   /* B's rr log is of another release */
    bool system;                       /* system mode rather than user mode */
    bool repeats;   /* B is the same QEMU with the same command and files, and is given A's rr log or system calls */
    bool unchanged; /* a program, with its libraries, is the same in both runs, as far as is known */
};

/*
 * Takes back a divergence for which there is another reason than the guest or QEMU's code generator: sets `undecided`,
 * and fails with TCGRR_ERROR_FAILED, which names it. That is the case if the guest
 * - can get input, or has a device that works at times, which QEMU does not record (emu/qemu/unlogged.h),
 * - asked the host for the time or the like (lockstep/semihosting.h),
 * - dozes (TCGRR_LEAVE_DOZE),
 * - waits where B hangs, whose rr log was translated,
 * - is a program that has just read a clock which it is not given again,
 * or if B only repeats A and does not: whatever it is, it is in no log, unless QEMU is gone.
 */
bool tcgrr_doubts_check(struct tcgrr_comparison *found, const struct tcgrr_doubts_run *run, GError **error);

/* The same for a program whose files are known to be unchanged, if it has just read a clock. */
bool tcgrr_doubts_check_clock(struct tcgrr_comparison *found, GError **error);

#define TCGRR_DOUBTS_FURTHER                                                                                           \
    1000000 /* instructions after a divergence that a control runs: the same fault of a device                         \
             * need not show at the same place */

/*
 * Judges a control, in which a QEMU repeats its own run: `own` is the comparison, `problem` (taken over) its error. If
 * the QEMU did not repeat its run, withdraws `found`: sets `undecided`, and fails with TCGRR_ERROR_FAILED. Also returns
 * false if the control was stopped. `who` names the QEMU in a sentence, such as "A"; `system`: it runs a machine.
 */
bool tcgrr_doubts_judge_control(struct tcgrr_comparison *found, const struct tcgrr_comparison *own, GError *problem,
                                const char *who, bool system, GError **error);

#endif
