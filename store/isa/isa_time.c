/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/isa/isa_time.h"

#include "store/isa/isa_internal.h"

/* Instructions whose bits under `mask` are `value`. */
struct pattern {
    uint32_t mask;
    uint32_t value;
};
#define FITS(patterns, word) fits(patterns, sizeof(patterns) / sizeof((patterns)[0]), word)

static bool fits(const struct pattern *patterns, size_t count, uint32_t word)
{
    for (size_t i = 0; i < count; i++) {
        if ((word & patterns[i].mask) == patterns[i].value) {
            return true;
        }
    }
    return false;
}

/* ---- RISC-V ---- */

static bool riscv_csr(uint32_t csr)
{
    /* cycle, time, instret and their upper halves; the machine's counters; pending interrupts; the entropy source. */
    return (csr & 0xf60) == 0xc00 || (csr & 0xf60) == 0xb00 || csr == 0x144 || csr == 0x244 || csr == 0x344 ||
           csr == 0x15c || csr == 0x25c || csr == 0x35c || csr == 0xdb0 || csr == 0xeb0 || csr == 0xfb0 || csr == 0x015;
}

static bool riscv_time(uint32_t word)
{
    static const struct pattern waits[] = {
        {0xffffffff, 0x10500073}, /* wfi */
        {0xffffffff, 0x00d00073}, /* wrs.nto */
        {0xffffffff, 0x01d00073}, /* wrs.sto */
        {0xffffffff, 0x0100000f}, /* pause */
    };
    bool csr = (word & 0x7f) == 0x73 && (word >> 12 & 3) != 0;
    return FITS(waits, word) || (csr && riscv_csr(word >> 20));
}

static bool riscv_return(uint32_t word)
{
    static const struct pattern returns[] = {
        {0xffffffff, 0x00200073}, /* uret */
        {0xffffffff, 0x10200073}, /* sret */
        {0xffffffff, 0x30200073}, /* mret */
        {0xffffffff, 0x70200073}, /* mnret */
    };
    return FITS(returns, word);
}

/* ---- AArch64 ---- */

/* `mrs` of op0 3: op1 18:16, CRn 15:12, CRm 11:8, op2 7:5. */
#define MRS(op1, crn, crm, op2) (0xd5380000 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)

static bool aarch64_time(uint32_t word)
{
    static const struct pattern patterns[] = {
        {0xffffffff, 0xd503203f},        /* yield */
        {0xffffffff, 0xd503205f},        /* wfe */
        {0xffffffff, 0xd503207f},        /* wfi */
        {0xffffffc0, 0xd5031000},        /* wfet, wfit */
        {0xfff8fc00, MRS(0, 14, 0, 0)},  /* counts and timers: CRm 0 to 3 */
        {0xfff8fc00, MRS(0, 14, 8, 0)},  /* pmevcntr */
        {0xffffffe0, MRS(3, 9, 12, 3)},  /* pmovsclr */
        {0xffffffe0, MRS(3, 9, 13, 0)},  /* pmccntr */
        {0xffffffe0, MRS(3, 9, 13, 2)},  /* pmxevcntr */
        {0xffffffc0, MRS(3, 2, 4, 0)},   /* rndr, rndrrs */
        {0xffffffe0, MRS(0, 12, 1, 0)},  /* isr */
        {0xffffffe0, MRS(0, 12, 8, 0)},  /* icc_iar0 */
        {0xffffffe0, MRS(0, 12, 8, 2)},  /* icc_hppir0 */
        {0xffffffe0, MRS(0, 12, 11, 3)}, /* icc_rpr */
        {0xffffffe0, MRS(0, 12, 12, 0)}, /* icc_iar1 */
        {0xffffffe0, MRS(0, 12, 12, 2)}, /* icc_hppir1 */
    };
    static const struct pattern constant[] = {
        {0xffffffe0, MRS(3, 14, 0, 0)}, /* cntfrq */
        {0xffffffe0, MRS(0, 14, 1, 0)}, /* cntkctl */
        {0xffffffe0, MRS(4, 14, 1, 0)}, /* cnthctl */
    };
    return FITS(patterns, word) && !FITS(constant, word);
}

static bool aarch64_return(uint32_t word)
{
    static const struct pattern returns[] = {
        {0xffffffff, 0xd69f03e0}, /* eret */
        {0xfffffbff, 0xd69f0bff}, /* eretaa, eretab */
    };
    return FITS(returns, word);
}

/* ---- Arm, 32 bits ---- */

/* Coprocessor accesses, which A32 (always executed) and T32 encode alike. */
static bool coprocessor_time(uint32_t word)
{
    static const struct pattern patterns[] = {
        {0xff100f10, 0xee100e10}, /* mrc p14: the debugger's channel */
        {0xff1f0f1f, 0xee1e0f12}, /* mrc p15 c14 c2: the physical timer */
        {0xff1f0f1f, 0xee1e0f13}, /* mrc p15 c14 c3: the virtual timer */
        {0xfff00f6f, 0xec500f0e}, /* mrrc p15 c14: counts */
        {0xfff00fff, 0xec500f09}, /* mrrc p15 c9: the cycle counter */
        {0xffff0fbf, 0xee190f1d}, /* mrc p15 c9 c13: cycle and event counters */
        {0xffff0fff, 0xee1c0f11}, /* isr */
        {0xffff0fbb, 0xee1c0f18}, /* icc_iar, icc_hppir */
    };
    return FITS(patterns, word);
}

static bool a32_time(uint32_t word)
{
    static const struct pattern waits[] = {
        {0x0fffffff, 0x0320f001}, /* yield */
        {0x0fffffff, 0x0320f002}, /* wfe */
        {0x0fffffff, 0x0320f003}, /* wfi */
    };
    bool conditional = word >> 28 != 0xf;
    return conditional && (FITS(waits, word) || coprocessor_time((word & 0x0fffffff) | 0xe0000000));
}

static bool t32_time(uint32_t word, unsigned length)
{
    static const struct pattern narrow[] = {{0xffff, 0xbf10}, {0xffff, 0xbf20}, {0xffff, 0xbf30}};
    static const struct pattern wide[] = {
        {0xffffffff, 0xf3af8001}, /* yield */
        {0xffffffff, 0xf3af8002}, /* wfe */
        {0xffffffff, 0xf3af8003}, /* wfi */
    };
    return length == 2 ? FITS(narrow, word) : FITS(wide, word) || coprocessor_time(word);
}

static bool a32_return(uint32_t word)
{
    static const struct pattern returns[] = {
        {0xfe50ffff, 0xf8100a00}, /* rfe */
        {0x0e508000, 0x08508000}, /* ldm with pc and the saved status */
        {0x0fffffff, 0x0160006e}, /* eret */
    };
    /* Arithmetic that sets flags and writes the pc: subs pc, lr, and movs pc, lr; not tst, teq, cmp, cmn. */
    bool arithmetic = (word & 0x0c10f000) == 0x0010f000 && (word & 0x01800000) != 0x01000000;
    bool unconditional = word >> 28 == 0xf;
    return unconditional ? (word & returns[0].mask) == returns[0].value : arithmetic || fits(returns + 1, 2, word);
}

static enum tcgrr_isa_return t32_return(uint32_t word, unsigned length)
{
    static const struct pattern narrow[] = {
        {0xffff, 0x4770}, /* bx lr */
        {0xff00, 0xbd00}, /* pop with pc */
    };
    static const struct pattern wide[] = {
        {0xfe508000, 0xe8108000}, /* ldm with pc */
        {0xff7ff000, 0xf85df000}, /* ldr pc from the stack */
    };
    static const struct pattern returns[] = {
        {0xffffff00, 0xf3de8f00}, /* subs pc, lr */
        {0xffd0ffff, 0xe810c000}, /* rfe, before */
        {0xffd0ffff, 0xe990c000}, /* rfe, after */
    };
    if (length == 2) {
        return FITS(narrow, word) ? TCGRR_ISA_RETURN_MAYBE : TCGRR_ISA_RETURN_NO;
    }
    return FITS(returns, word) ? TCGRR_ISA_RETURN_YES : FITS(wide, word) ? TCGRR_ISA_RETURN_MAYBE : TCGRR_ISA_RETURN_NO;
}

/* A wide T32 instruction's first half comes first. */
static uint32_t t32_word(const uint8_t *bytes, unsigned length)
{
    uint32_t half = tcgrr_isa_load16(bytes);
    return length == 2 ? half : half << 16 | tcgrr_isa_load16(bytes + 2);
}

/* An instruction that can go to a few places only, and went to one of them. */
static bool goes_there(const struct tcgrr_insn_class *class, uint64_t following, uint64_t next)
{
    bool has_target = class->flow == TCGRR_FLOW_JUMP || class->flow == TCGRR_FLOW_BRANCH;
    bool can_follow = class->flow == TCGRR_FLOW_NEXT || class->flow == TCGRR_FLOW_BRANCH;
    return (has_target && class->target == next) || (can_follow && following == next);
}

/* It is not always known whether code is A32 or T32: if the other instruction could lead there, too, it does not count
 * as a return. */
static enum tcgrr_isa_return arm_returns(uint64_t pc, const uint8_t *bytes, unsigned length, uint64_t next)
{
    struct tcgrr_insn_class class;

    if (length != 2 && length != 4) {
        return TCGRR_ISA_RETURN_NO;
    }
    enum tcgrr_isa_return found = t32_return(t32_word(bytes, length), length);
    if (length == 4) {
        found = a32_return(tcgrr_isa_load32(bytes)) ? TCGRR_ISA_RETURN_YES : found;
        class = tcgrr_isa_a32_insn(pc, tcgrr_isa_load32(bytes));
        if (pc % 4 == 0 && goes_there(&class, pc + length, next)) {
            return TCGRR_ISA_RETURN_NO;
        }
    }
    class = tcgrr_isa_t32_insn(pc, t32_word(bytes, length), length);
    return goes_there(&class, pc + length, next) ? TCGRR_ISA_RETURN_NO : found;
}

/* ---- x86 ---- */

/* Skips prefixes; `prefix` is the last of those that choose between instructions. A lone byte of 40 to 4f is an
 * instruction outside of 64-bit code; before others it is a prefix. */
static unsigned x86_opcode(const uint8_t *bytes, unsigned length, uint8_t *prefix)
{
    unsigned at = 0;
    *prefix = 0;
    for (; at + 1 < length; at++) {
        uint8_t byte = bytes[at];
        bool segment = (byte & 0xe7) == 0x26 || byte == 0x64 || byte == 0x65;
        bool rex = (byte & 0xf0) == 0x40;
        bool other = byte == 0x66 || byte == 0x67 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3;
        if (!segment && !rex && !other) {
            break;
        }
        *prefix = byte == 0x66 || byte >= 0xf2 ? byte : *prefix;
    }
    return at;
}

static bool x86_time_0f(const uint8_t *bytes, unsigned length, uint8_t prefix)
{
    uint8_t third = length > 1 ? bytes[1] : 0;
    switch (bytes[0]) {
    case 0x31: /* rdtsc */
    case 0x32: /* rdmsr: the counter, the interrupt controller */
    case 0x33: /* rdpmc */
        return true;
    case 0x01:
        return third == 0xf9 || third == 0xc9; /* rdtscp, mwait */
    case 0xc7:
        return third >= 0xf0; /* rdrand, rdseed */
    case 0xae:
        return third >= 0xf0 && third <= 0xf7 && (prefix == 0xf2 || prefix == 0x66); /* umwait, tpause */
    default:
        return false;
    }
}

static bool x86_time(const uint8_t *bytes, unsigned length)
{
    uint8_t prefix;
    unsigned at = x86_opcode(bytes, length, &prefix);
    switch (bytes[at]) {
    case 0x6c:
    case 0x6d: /* ins */
    case 0xe4:
    case 0xe5:
    case 0xec:
    case 0xed: /* in */
    case 0xf4: /* hlt */
        return true;
    case 0x90: /* pause */
        return prefix == 0xf3;
    case 0x0f:
        return at + 1 < length && x86_time_0f(bytes + at + 1, length - at - 1, prefix);
    default:
        return false;
    }
}

static bool x86_return(const uint8_t *bytes, unsigned length)
{
    uint8_t prefix;
    unsigned at = x86_opcode(bytes, length, &prefix);
    uint8_t second = at + 1 < length ? bytes[at + 1] : 0;
    /* iret; sysret, sysexit, rsm */
    return bytes[at] == 0xcf || (bytes[at] == 0x0f && (second == 0x07 || second == 0x35 || second == 0xaa));
}

/* ---- all ---- */

bool tcgrr_isa_depends_on_time(enum tcgrr_isa isa, const uint8_t *bytes, unsigned length)
{
    switch (isa) {
    case TCGRR_ISA_AARCH64:
        return length == 4 && aarch64_time(tcgrr_isa_load32(bytes));
    case TCGRR_ISA_ARM:
        return (length == 4 && a32_time(tcgrr_isa_load32(bytes))) ||
               ((length == 2 || length == 4) && t32_time(t32_word(bytes, length), length));
    case TCGRR_ISA_RISCV:
        return length == 4 && riscv_time(tcgrr_isa_load32(bytes));
    case TCGRR_ISA_X86:
        return length > 0 && x86_time(bytes, length);
    default:
        return false;
    }
}

enum tcgrr_isa_return tcgrr_isa_returns(enum tcgrr_isa isa, uint64_t pc, const uint8_t *bytes, unsigned length,
                                        uint64_t next)
{
    bool returns;
    switch (isa) {
    case TCGRR_ISA_AARCH64:
        returns = length == 4 && aarch64_return(tcgrr_isa_load32(bytes));
        break;
    case TCGRR_ISA_ARM:
        return arm_returns(pc, bytes, length, next);
    case TCGRR_ISA_RISCV:
        returns = length == 4 && riscv_return(tcgrr_isa_load32(bytes));
        break;
    case TCGRR_ISA_X86:
        returns = length > 0 && x86_return(bytes, length);
        break;
    default:
        return TCGRR_ISA_RETURN_MAYBE;
    }
    return returns ? TCGRR_ISA_RETURN_YES : TCGRR_ISA_RETURN_NO;
}
