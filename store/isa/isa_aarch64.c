/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A64, and the blocks of a 64-bit Arm machine that may be AArch32 code instead: nothing but the bytes and lengths says
 * in which state the processor was.
 */
#include "store/isa/isa_words.h"

/*
 * Branches, exceptions and the system group. A guarded control stack (FEAT_GCS, in QEMU from 10.2 on for a guest that
 * enables it) would make bl and blr write memory and ret read it; they are NEVER all the same, because a class that
 * promises an access would lose the end of every block that ends in a call or a return on all other machines.
 */
static const struct tcgrr_isa_row branch_rows[] = {
    {0xfc000000, 0x14000000, NEVER, JUMP, NONE, TCGRR_ISA_IMM26, false},   /* b */
    {0xfc000000, 0x94000000, NEVER, JUMP, NONE, TCGRR_ISA_IMM26, true},    /* bl */
    {0x7e000000, 0x34000000, NEVER, BRANCH, NONE, TCGRR_ISA_IMM19, false}, /* cbz, cbnz */
    {0x7e000000, 0x36000000, NEVER, BRANCH, NONE, TCGRR_ISA_IMM14, false}, /* tbz, tbnz */
    {0xff000000, 0x54000000, NEVER, BRANCH, NONE, TCGRR_ISA_IMM19, false}, /* b.cond, bc.cond */
    {0xfffffc1f, 0xd61f0000, NEVER, INDIRECT, NONE, 0, false},             /* br */
    {0xfffffc1f, 0xd63f0000, NEVER, INDIRECT, NONE, 0, true},              /* blr */
    {0xfffffc1f, 0xd65f0000, NEVER, INDIRECT, NONE, 0, false},             /* ret */
    {0xfefff800, 0xd63f0800, SYSTEM, INDIRECT, NONE, 0, true},  /* blraa and the like: may fail to authenticate */
    {0xfe000000, 0xd6000000, SYSTEM, INDIRECT, NONE, 0, false}, /* retaa, braa, eret, eretaa, drps */
    {0xffe0001f, 0xd4000001, TRAP, INDIRECT, NONE, 0, false},   /* svc */
    {0xffe0001f, 0xd4000002, TRAP, INDIRECT, NONE, 0, false},   /* hvc */
    {0xffe0001f, 0xd4000003, TRAP, INDIRECT, NONE, 0, false},   /* smc */
    {0xffe0001f, 0xd4200000, TRAP, INDIRECT, NONE, 0, false},   /* brk */
    {0xffe0001f, 0xd4400000, TRAP, INDIRECT, NONE, 0, false},   /* hlt */
    {0xffffff7f, 0xd503201f, NEVER, NEXT, NONE, 0, false},      /* nop, sev */
    {0xffffffbf, 0xd503209f, NEVER, NEXT, NONE, 0, false},      /* sev, dgh */
    {0xffffffff, 0xd50320bf, NEVER, NEXT, NONE, 0, false},      /* sevl */
    {0xffffffff, 0xd503229f, NEVER, NEXT, NONE, 0, false},      /* csdb */
    {0xffffff3f, 0xd503241f, NEVER, NEXT, NONE, 0, false},      /* bti */
    {0xfffff01f, 0xd503201f, SYSTEM, NEXT, NONE, 0, false},     /* yield, wfe, wfi, paciasp, autiasp, esb, … */
    {0xfffff0ff, 0xd503305f, NEVER, NEXT, NONE, 0, false},      /* clrex */
    {0xfffff0df, 0xd503309f, NEVER, NEXT, NONE, 0, false},      /* dsb, dmb */
    {0xfffff0ff, 0xd50330df, NEVER, NEXT, NONE, 0, false},      /* isb */
    {0xffffffff, 0xd50330ff, NEVER, NEXT, NONE, 0, false},      /* sb */
    {0xffffffe0, 0xd50b7420, SYSTEM, NEXT, WRITE, 0, false},    /* dc zva */
    {0xffd80000, 0xd5080000, SYSTEM, NEXT, EITHER, 0, false},   /* sys, sysl: caches, TLBs, translations */
    {0xffc00000, 0xd5000000, SYSTEM, NEXT, NONE, 0, false},     /* msr, mrs */
};

/*
 * Data processing. Authentication and what is not allocated yet (it may be by a newer QEMU) is left to the last rows.
 */
static const struct tcgrr_isa_row data_rows[] = {
    {0x1f000000, 0x10000000, NEVER, NEXT, NONE, 0, false}, /* adr, adrp */
    {0x1f800000, 0x11000000, NEVER, NEXT, NONE, 0, false}, /* add, sub (immediate) */
    {0x1f000000, 0x12000000, NEVER, NEXT, NONE, 0, false}, /* and, orr, eor, ands (immediate), movn, movz, movk */
    {0x1f800000, 0x13000000, NEVER, NEXT, NONE, 0, false}, /* sbfm, bfm, ubfm */
    {0x7fa00000, 0x13800000, NEVER, NEXT, NONE, 0, false}, /* extr */
    {0x1f000000, 0x0a000000, NEVER, NEXT, NONE, 0, false}, /* and, bic, orr, orn, eor, eon, ands, bics (register) */
    {0x1f000000, 0x0b000000, NEVER, NEXT, NONE, 0, false}, /* add, sub (register) */
    {0x1fe0fc00, 0x1a000000, NEVER, NEXT, NONE, 0, false}, /* adc, sbc */
    {0xffe07c10, 0xba000400, NEVER, NEXT, NONE, 0, false}, /* rmif */
    {0xffffbc1f, 0x3a00080d, NEVER, NEXT, NONE, 0, false}, /* setf8, setf16 */
    {0x3fe00410, 0x3a400000, NEVER, NEXT, NONE, 0, false}, /* ccmn, ccmp */
    {0x3fe00800, 0x1a800000, NEVER, NEXT, NONE, 0, false}, /* csel, csinc, csinv, csneg */
    {0x7fe0f800, 0x1ac00800, NEVER, NEXT, NONE, 0, false}, /* udiv, sdiv: a division by zero gives zero */
    {0x7fe0f000, 0x1ac02000, NEVER, NEXT, NONE, 0, false}, /* lslv, lsrv, asrv, rorv */
    {0x7fe0e000, 0x1ac04000, NEVER, NEXT, NONE, 0, false}, /* crc32, crc32c */
    {0x7fffe000, 0x5ac00000, NEVER, NEXT, NONE, 0, false}, /* rbit, rev16, rev32, rev, clz, cls, ctz, cnt */
    {0x1f000000, 0x1b000000, NEVER, NEXT, NONE, 0, false}, /* madd, msub, smaddl, smulh, … */
    {0x0e000000, 0x0e000000, NEVER, NEXT, NONE, 0, false}, /* floating point and SIMD: exceptions are only flagged */
    {0x1c000000, 0x10000000, UNKNOWN, NEXT, NONE, 0, false},
    {0x0e000000, 0x0a000000, SYSTEM, NEXT, NONE, 0, false}, /* pacia, autia, pacga, irg, subp, … */
};

static const struct tcgrr_isa_row load_store_rows[] = {
    {0x3fe00000, 0x08000000, MEMORY, NEXT, WRITE, 0, false},  /* stxr: none if the monitor was lost */
    {0x3fe00000, 0x08400000, MEMORY, NEXT, READ, 0, false},   /* ldxr */
    {0x3fe00000, 0x08800000, MEMORY, NEXT, WRITE, 0, false},  /* stlr */
    {0x3fe00000, 0x08c00000, MEMORY, NEXT, READ, 0, false},   /* ldar */
    {0xbfe00000, 0x88200000, MEMORY, NEXT, EITHER, 0, false}, /* stxp: some versions only read if it fails */
    {0xbfe00000, 0x88600000, MEMORY, NEXT, READ, 0, false},   /* ldxp */
    {0xbfa07c00, 0x08207c00, MEMORY, NEXT, WRITE, 0, false},  /* casp */
    {0x3fa07c00, 0x08a07c00, MEMORY, NEXT, WRITE, 0, false},  /* cas: writes whether equal or not */
    {0xff000000, 0xd8000000, NEVER, NEXT, NONE, 0, false},    /* prfm (literal) */
    {0xff000000, 0xdc000000, UNKNOWN, NEXT, EITHER, 0, false},
    {0x3b000000, 0x18000000, MEMORY, NEXT, READ, 0, false},   /* ldr (literal) */
    {0x3fe00c00, 0x19000000, MEMORY, NEXT, WRITE, 0, false},  /* stlur */
    {0x3fe00c00, 0x19400000, MEMORY, NEXT, READ, 0, false},   /* ldapur */
    {0xbfa00c00, 0x19800000, MEMORY, NEXT, READ, 0, false},   /* ldapursb, ldapursh */
    {0xffe00c00, 0x99800000, MEMORY, NEXT, READ, 0, false},   /* ldapursw */
    {0xff200000, 0xd9200000, SYSTEM, NEXT, EITHER, 0, false}, /* stg, ldg, … */
    {0xfa000000, 0xe8000000, UNKNOWN, NEXT, EITHER, 0, false},
    {0xfe400000, 0x68000000, SYSTEM, NEXT, WRITE, 0, false}, /* stgp */
    {0x3a400000, 0x28000000, MEMORY, NEXT, WRITE, 0, false}, /* stp, stnp */
    {0x3a400000, 0x28400000, MEMORY, NEXT, READ, 0, false},  /* ldp, ldnp, ldpsw */
    {0xffc00000, 0xf9800000, NEVER, NEXT, NONE, 0, false},   /* prfm */
    {0xffe00c00, 0xf8800000, NEVER, NEXT, NONE, 0, false},   /* prfum */
    {0xffe00c00, 0xf8a00800, NEVER, NEXT, NONE, 0, false},   /* prfm (register) */
    {0x3ffffc00, 0x38bfc000, MEMORY, NEXT, READ, 0, false},  /* ldapr */
    {0x3f208c00, 0x38200000, MEMORY, NEXT, WRITE, 0, false}, /* ldadd, ldclr, ldeor, ldset, ldsmax, … */
    {0x3f20fc00, 0x38208000, MEMORY, NEXT, WRITE, 0, false}, /* swp */
    {0xff200400, 0xf8200400, SYSTEM, NEXT, READ, 0, false},  /* ldraa, ldrab */
    {0xbfbf0000, 0x0c000000, MEMORY, NEXT, WRITE, 0, false}, /* st1 to st4: the direction is bit 22 */
    {0xbfa00000, 0x0c800000, MEMORY, NEXT, WRITE, 0, false},
    {0xbf9f0000, 0x0d000000, MEMORY, NEXT, WRITE, 0, false},
    {0xbf800000, 0x0d800000, MEMORY, NEXT, WRITE, 0, false},
};

/* Loads and stores of one register: sizes and directions are spread over bits 31:30, 26 and 23:22. */
static struct tcgrr_insn_class single_register(uint32_t word)
{
    bool scaled = (word & 0x01000000) != 0, vector = (word & 0x04000000) != 0;
    uint32_t size = word >> 30, opc = tcgrr_isa_bits(word, 22, 2);
    bool allocated = scaled || (word & 0x00200000) == 0 || (word & 0xc00) == 0x800;

    if (vector) {
        allocated = allocated && (opc < 2 || size == 0);
    } else {
        allocated = allocated && (opc < 2 || size < (opc == 2 ? 3u : 2u));
    }
    /* Unprivileged loads and stores have no vector form. */
    if (!scaled && vector && (word & 0x00200c00) == 0x800) {
        allocated = false;
    }
    if (!allocated) {
        return tcgrr_isa_class(UNKNOWN, NEXT, EITHER);
    }
    bool store = opc == 0 || (vector && opc == 2);
    return tcgrr_isa_class(MEMORY, NEXT, store ? WRITE : READ);
}

static struct tcgrr_insn_class load_store(uint32_t word)
{
    const struct tcgrr_isa_row *row = FIND(load_store_rows, word);

    if (row == NULL) {
        bool single = (word & 0x3a000000) == 0x38000000;
        return single ? single_register(word) : tcgrr_isa_class(UNKNOWN, NEXT, EITHER);
    }
    struct tcgrr_insn_class class = tcgrr_isa_row_class(row);
    if ((word & 0xbe000000) == 0x0c000000) {
        class.access = word & 0x00400000 ? READ : WRITE;
    }
    return class;
}

static struct tcgrr_insn_class branch_or_system(uint64_t pc, uint32_t word)
{
    const struct tcgrr_isa_row *row = FIND(branch_rows, word);

    if (row == NULL) {
        return tcgrr_isa_unknown();
    }
    struct tcgrr_insn_class class = tcgrr_isa_row_class(row);
    switch (row->immediate) {
    case TCGRR_ISA_IMM26:
        class.target = pc + (uint64_t)(tcgrr_isa_signed(word, 26) * 4);
        break;
    case TCGRR_ISA_IMM19:
        class.target = pc + (uint64_t)(tcgrr_isa_signed(word >> 5, 19) * 4);
        break;
    case TCGRR_ISA_IMM14:
        class.target = pc + (uint64_t)(tcgrr_isa_signed(word >> 5, 14) * 4);
        break;
    default:
        break;
    }
    return class;
}

struct tcgrr_insn_class tcgrr_isa_a64_insn(uint64_t pc, uint32_t word)
{
    if (word >> 16 == 0) {
        return tcgrr_isa_class(TRAP, INDIRECT, NONE); /* udf */
    }
    if ((word & 0x0a000000) == 0x08000000) {
        return load_store(word);
    }
    if ((word & 0x1c000000) == 0x14000000) {
        return branch_or_system(pc, word);
    }
    const struct tcgrr_isa_row *row = FIND(data_rows, word);
    if (row != NULL) {
        return tcgrr_isa_row_class(row);
    }
    if ((word & 0x1e000000) == 0x04000000 || (word & 0x9e000000) == 0x80000000) {
        return tcgrr_isa_class(UNKNOWN, NEXT, EITHER); /* SVE and SME, which have no branches */
    }
    return tcgrr_isa_unknown();
}

/* Which instruction sets the words of a block can belong to. */
struct candidates {
    bool a64;
    bool a32;
    bool t32;
};

/* A wide T32 instruction's first half in the order of isa_internal.h. */
static uint32_t swap_halves(uint32_t word)
{
    return word << 16 | word >> 16;
}

static bool may_be_t32(uint32_t word)
{
    return (word & 0xf800) >= 0xe800;
}

/* Whether QEMU certainly ends a block with such an instruction. */
static bool ends_block(const struct tcgrr_insn_class *class)
{
    return class->flow == JUMP || class->flow == BRANCH || class->leave == TRAP;
}

/*
 * Rules out what cannot be: AArch32 has 32-bit addresses, and no block goes on after a branch. The rest is likelihood.
 * A32 is taken for possible only if at least half of the words have the condition "always", as most A32 instructions
 * do, or if the last word is an A32 branch and something sequential in A64, which seldom ends a block.
 */
static struct candidates find_candidates(uint64_t pc, const uint8_t *bytes, size_t count)
{
    struct candidates can = {.a64 = (pc & 3) == 0, .a32 = pc >> 32 == 0 && (pc & 3) == 0, .t32 = pc >> 32 == 0};
    struct tcgrr_insn_class a64 = {0}, a32 = {0}, t32 = {0};
    size_t always = 0;

    for (size_t i = 0; i < count; i++, pc += 4) {
        uint32_t word = tcgrr_isa_load32(bytes + 4 * i);
        a64 = tcgrr_isa_a64_insn(pc, word);
        a32 = tcgrr_isa_a32_insn(pc, word);
        t32 = tcgrr_isa_t32_insn(pc, swap_halves(word), 4);
        always += word >> 28 == 14;
        can.t32 = can.t32 && may_be_t32(word);
        if (i + 1 < count) {
            can.a64 = can.a64 && !ends_block(&a64);
            can.a32 = can.a32 && !ends_block(&a32);
            can.t32 = can.t32 && !ends_block(&t32);
        }
    }
    if (can.a64) {
        bool sequential = a64.flow == NEXT && a64.leave != SYSTEM;
        bool a32_ends = ends_block(&a32) || (a32.leave != UNKNOWN && a32.flow == INDIRECT);
        can.a32 = can.a32 && (2 * always >= count || (sequential && a32_ends));
        can.t32 = can.t32 && (sequential || t32.flow != NEXT);
    }
    return can;
}

static struct tcgrr_insn_class classify_word(struct candidates can, uint64_t pc, uint32_t word)
{
    struct tcgrr_insn_class class = {0};
    bool any = false;

    if (can.a64) {
        class = tcgrr_isa_a64_insn(pc, word);
        any = true;
    }
    if (can.a32) {
        struct tcgrr_insn_class a32 = tcgrr_isa_a32_insn(pc, word);
        class = any ? tcgrr_isa_merge(class, a32) : a32;
        any = true;
    }
    if (can.t32) {
        struct tcgrr_insn_class t32 = tcgrr_isa_t32_insn(pc, swap_halves(word), 4);
        class = any ? tcgrr_isa_merge(class, t32) : t32;
        any = true;
    }
    return any ? class : tcgrr_isa_unknown();
}

void tcgrr_isa_classify_aarch64(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                                struct tcgrr_insn_class *out)
{
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] != 4) {
            tcgrr_isa_classify_arm(pc, bytes, lengths, count, out);
            return;
        }
    }
    struct candidates can = find_candidates(pc, bytes, count);
    for (size_t i = 0; i < count; i++) {
        out[i] = classify_word(can, pc + 4 * i, tcgrr_isa_load32(bytes + 4 * i));
    }
}
