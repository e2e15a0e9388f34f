/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts in a run: where they are delivered, and where their handlers go back. */
#ifndef TCGRR_LOCKSTEP_HANDLER_H
#define TCGRR_LOCKSTEP_HANDLER_H

#include "lockstep/align/codes.h"

/* Instructions of a handler, with all that interrupts it, at most. */
#define TCGRR_HANDLER_MAX ((tcgrr_icount)65536)

struct tcgrr_interrupt {
    uint64_t to_pc;   /* its handler */
    uint64_t from_pc; /* the interrupted instruction, which has not run; TCGRR_NO_PC: not known */
    bool certain;     /* it is an interrupt; otherwise QEMU did not say so, and it may be an exception at `from_pc` */
    unsigned number;  /* of the discontinuities that come right before the instruction; from 1, 0: it went unnoticed */
};

/*
 * Whether an interrupt was delivered right before the instruction that the walk is on: the first one after
 * discontinuity number `number` there, which was looked at already (0: none was).
 */
bool tcgrr_interrupt_at(const struct tcgrr_insn_cursor *walk, unsigned number, struct tcgrr_interrupt *interrupt);

/*
 * The same where QEMU does not report interrupts and this one went unnoticed: after an instruction that can go
 * anywhere, if the walk is where other interrupts lead, in one of the `windows`; and, where the walk follows one vCPU,
 * after one that cannot go there, because what comes between two turns of a vCPU is not looked at.
 */
bool tcgrr_interrupt_unnoticed(struct tcgrr_codes *codes, const struct tcgrr_insn_cursor *walk,
                               const struct tcgrr_exec_window windows[2], struct tcgrr_interrupt *interrupt);

/*
 * Takes the walk from a handler's first instruction to the first one after its return to where it interrupted. Returns
 * false, with the walk anywhere, if it does not go back there within TCGRR_HANDLER_MAX.
 */
bool tcgrr_handler_leave(struct tcgrr_codes *codes, const struct tcgrr_interrupt *interrupt,
                         struct tcgrr_insn_cursor *walk);

#endif
