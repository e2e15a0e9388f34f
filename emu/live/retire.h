/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Computes how many instructions of a block retired, by QEMU's own rules, from what the plugin saw. A block's callback
 * fires at its head; a device access, an exception or QEMU itself may leave the block early. Pure functions without
 * state.
 */
#ifndef TCGRR_EMU_RETIRE_H
#define TCGRR_EMU_RETIRE_H

#include "store/blocks.h"
#include "store/isa/isa.h"

enum tcgrr_discontinuity { /* QEMU's numbers */
                           TCGRR_DISCON_NONE = 0,
                           TCGRR_DISCON_INTERRUPT = 1,
                           TCGRR_DISCON_EXCEPTION = 2,
                           TCGRR_DISCON_HOSTCALL = 4,
};

/* What is known about the execution of `block` once the next block begins. */
struct tcgrr_departure {
    const struct tcgrr_block *block;
    enum tcgrr_isa isa;
    const struct tcgrr_insn_class *classes; /* of its instructions, if already known; NULL: they are determined */
    uint32_t mark;                          /* instructions that certainly retired; block->insns if the end was seen */
    bool rerun;                      /* the device access at `mark` was repeated in a separate block, so it retired */
    bool died;                       /* a signal ended the program here, so there is no next block */
    bool reports_discon;             /* this QEMU reports discontinuities: none reported means there was none */
    enum tcgrr_discontinuity discon; /* the first after the block's head, if any */
    uint64_t discon_from;
    bool log_decides; /* QEMU's rr log is or will be available, and decides what is uncertain */
    bool inside;      /* QEMU ended from inside the instruction at `mark`, which it counts */
    bool has_next;    /* it is known where the same vCPU continued */
    uint64_t next_pc;
};

struct tcgrr_retirement {
    uint32_t ran;     /* instructions that retired */
    uint32_t counted; /* what QEMU adds to its icount: `ran`, unless it counts instructions that it did not run */
    /*
     * Not certain on this QEMU: the block's last instruction, and it alone, may have retired or not. `ran` and
     * `counted` are the more likely of the two, and so is what was inferred.
     */
    bool assumed;
    /* An event that is only visible in the control flow; only if !reports_discon. */
    enum tcgrr_discontinuity inferred;
    bool has_from;
    uint64_t from_pc;
};

/*
 * Whether QEMU `to` counts as QEMU `from` does where an instruction waits, so that it can use an rr log of `from` that
 * counts instructions after such a wait although they did not run. Releases from 11.0 on do not count them after
 * RISC-V's wfi, so everything later has another icount there, and another time. For other targets all releases count
 * alike.
 */
bool tcgrr_retire_same_wait_count(const char *target, const char *from, const char *to);

/*
 * Whether this QEMU runs the first block of a `target` without counting it: it starts that CPU without having reset it,
 * so the flags of the first block do not ask for icount. That ends with the first instruction that is repeated for a
 * device, which is counted. Seen with alpha on 7.2 and 10.0, not on 11.1; with hppa on 7.2, not on 10.0.
 */
bool tcgrr_retire_starts_uncounted(const char *target, const char *version);

/* Allocates nothing, any thread. */
void tcgrr_retire(const struct tcgrr_departure *departure, struct tcgrr_retirement *retirement);

#endif
