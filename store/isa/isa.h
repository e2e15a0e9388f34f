/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instruction can do to the flow of its block, derived from its bytes alone. The plugin uses it to decide where
 * marks are needed to count exactly, the recorder to recognize impossible transitions between blocks. It has no state,
 * allocates nothing and uses no library, because it runs inside QEMU. Whatever is not known for sure is answered with
 * the class that costs more but is never wrong.
 */
#ifndef TCGRR_EMU_ISA_H
#define TCGRR_EMU_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tcgrr_isa {
    TCGRR_ISA_UNKNOWN, /* every instruction may leave its block and go anywhere */
    TCGRR_ISA_AARCH64,
    TCGRR_ISA_ARM, /* A32 and T32 */
    TCGRR_ISA_RISCV,
    TCGRR_ISA_X86,
};

/* How an instruction can end the execution of its block before the block's end. */
enum tcgrr_leave {
    TCGRR_LEAVE_NEVER,  /* plain arithmetic, moves, branches: once started it retires, whatever the machine's state */
    TCGRR_LEAVE_MEMORY, /* it accesses memory, so that it can fault or be a device access; nothing else */
    TCGRR_LEAVE_SYSTEM, /* its run-time helper can raise an exception without retiring it: CSR or MSR accesses, division
                           on x86, x87, … */
    TCGRR_LEAVE_TRAP,   /* it always raises an exception, known when it was translated (svc, ecall, int n, syscall,
                           undefined): QEMU counts it as retired */
    TCGRR_LEAVE_WAIT,   /* RISC-V's wfi, and what tcgrr_isa_waits() knows: QEMU may leave the block right after it and
                           yet count the block's rest */
    TCGRR_LEAVE_DOZE,   /* it ends its block and waits, and QEMU does not count it */
    TCGRR_LEAVE_UNKNOWN,
};

/* Where the next instruction is if nothing interrupts. */
enum tcgrr_flow {
    TCGRR_FLOW_NEXT,     /* only the one that follows */
    TCGRR_FLOW_JUMP,     /* only `target` */
    TCGRR_FLOW_BRANCH,   /* `target` or the one that follows */
    TCGRR_FLOW_INDIRECT, /* anywhere: register jumps, returns, exception returns, traps, and all that is unknown */
};

enum tcgrr_direction { /* the direction of the instruction's LAST memory access, if it makes any */
                       TCGRR_ACCESS_NONE = 0,
                       TCGRR_ACCESS_READ = 1, /* same values as QEMU_PLUGIN_MEM_* */
                       TCGRR_ACCESS_WRITE = 2,
                       TCGRR_ACCESS_EITHER = 3, /* not known, or more accesses of both kinds in an order not known */
};

struct tcgrr_insn_class {
    uint8_t leave;   /* enum tcgrr_leave */
    uint8_t flow;    /* enum tcgrr_flow */
    uint8_t access;  /* enum tcgrr_direction */
    bool call;       /* it is a call (branch and link) */
    uint64_t target; /* for JUMP and BRANCH: absolute, in the target's address width */
};

/* `target` is QEMU's target name: "aarch64", "arm", "riscv64", "riscv32", "x86_64", "i386"; anything else is UNKNOWN.
 */
enum tcgrr_isa tcgrr_isa_of_target(const char *target);

/* The bits that an address of this target can have: in some places QEMU sign-extends 32-bit ones. */
uint64_t tcgrr_isa_address_mask(const char *target);

/*
 * Classifies the `count` instructions of one translated block, which starts at `pc`: `lengths[i]` bytes each, one after
 * the other in `bytes`. Fills `out[0..count)`.
 */
void tcgrr_isa_classify(enum tcgrr_isa isa, uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                        struct tcgrr_insn_class *out);

/*
 * How an instruction waits, of a target whose set is TCGRR_ISA_UNKNOWN: TCGRR_LEAVE_WAIT if QEMU does not end its block
 * with it, TCGRR_LEAVE_DOZE; TCGRR_LEAVE_UNKNOWN: nothing is known about it. `length` is 0 where QEMU gave no bytes;
 * `text`, of any length, is then what QEMU disassembled (NULL: nothing).
 */
enum tcgrr_leave tcgrr_isa_waits(const char *target, const uint8_t *bytes, uint8_t length, const char *text);

/*
 * Whether an instruction of a target whose set is TCGRR_ISA_UNKNOWN can go to nothing but the next one, so that it
 * starts over where the vCPU is found at it again. Known of AVR's accesses to memory: QEMU leaves a block before one
 * that turns out to be a device's, and repeats it in a block of its own that begins like any other.
 */
bool tcgrr_isa_only_goes_on(const char *target, const uint8_t *bytes, uint8_t length);

/*
 * The length in bytes of the instruction of `target` that begins with these two bytes; 0: not known. For targets whose
 * lengths QEMU 7.2 does not report. `text` is QEMU's disassembly, which for RX begins with the bytes; NULL: none.
 */
uint8_t tcgrr_isa_length(const char *target, const uint8_t *bytes, const char *text);

/*
 * Whether it is, for certain, a branch or jump that cannot fail, after which every QEMU ends its block. Unlike
 * tcgrr_isa_classify() it looks at the instruction alone, so the answer does not depend on how blocks are cut; `thumb`
 * says whether 32-bit Arm code is T32.
 */
bool tcgrr_isa_transfers(enum tcgrr_isa isa, bool thumb, uint64_t pc, const uint8_t *bytes, uint8_t length);

#endif
