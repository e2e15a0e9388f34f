/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts in a run: where they are delivered, and where their handlers return. */
#ifndef TCGRR_LOCKSTEP_HANDLER_H
#define TCGRR_LOCKSTEP_HANDLER_H

#include "lockstep/align/codes.h"

/* Maximum number of instructions of a handler, including those of handlers that interrupt it. */
#define TCGRR_HANDLER_MAX ((tcgrr_icount)65536)

struct tcgrr_interrupt {
    uint64_t to_pc;   /* its handler */
    uint64_t from_pc; /* the interrupted instruction, which has not run; TCGRR_NO_PC: not known */
    bool certain;     /* QEMU reported an interrupt; otherwise it may also be an exception at `from_pc` */
    unsigned
        number; /* its number, from 1, among the discontinuities right before the instruction; 0: it went unnoticed */
};

/*
 * Whether an interrupt was delivered right before the cursor's instruction: the first one after discontinuity number
 * `number` there, which has been handled already (0: none was).
 */
bool tcgrr_interrupt_at(const struct tcgrr_insn_cursor *walk, unsigned number, struct tcgrr_interrupt *interrupt);

/*
 * The same for a QEMU that does not report interrupts, if this one went unnoticed: after an instruction that can lead
 * anywhere, if the cursor is at an address to which other interrupts lead in one of the `windows`; and, if the cursor
 * follows one vCPU, after an instruction that cannot lead there, because what happens between two turns of a vCPU is
 * ignored.
 */
bool tcgrr_interrupt_unnoticed(struct tcgrr_codes *codes, const struct tcgrr_insn_cursor *walk,
                               const struct tcgrr_exec_window windows[2], struct tcgrr_interrupt *interrupt);

/*
 * Moves the cursor from a handler's first instruction to the first one after its return to the interrupted code.
 * Returns false, with the cursor anywhere, if it does not return there within TCGRR_HANDLER_MAX instructions.
 */
bool tcgrr_handler_leave(struct tcgrr_codes *codes, const struct tcgrr_interrupt *interrupt,
                         struct tcgrr_insn_cursor *walk);

#endif
