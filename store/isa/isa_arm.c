/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A32 and T32. Which of the two a block is, follows from its lengths and, where all are 4, by whether all its words can
 * be T32; if they can, the classes are right for both.
 *
 * T32 code may belong to an M-profile processor, A32 code cannot. There, floating-point instructions can first save the
 * registers of an interrupted thread and fault at that, a division by zero can trap, and arithmetic on the stack
 * pointer is checked against a limit; so these are SYSTEM in T32 and NEVER in A32.
 */
#include "store/isa/isa_words.h"

static uint32_t field(uint32_t word, unsigned low)
{
    return word >> low & 15;
}

static struct tcgrr_insn_class plain(enum tcgrr_leave leave, bool writes_pc)
{
    return tcgrr_isa_class(leave, writes_pc ? INDIRECT : NEXT, NONE);
}

static struct tcgrr_insn_class memory(bool load, bool writes_pc)
{
    return tcgrr_isa_class(MEMORY, writes_pc ? INDIRECT : NEXT, load ? READ : WRITE);
}

static struct tcgrr_insn_class direct(enum tcgrr_flow flow, uint64_t target, bool call)
{
    struct tcgrr_insn_class class = tcgrr_isa_class(NEVER, flow, NONE);

    class.call = call;
    class.target = target & 0xffffffff;
    return class;
}

/* A32 with a condition: the miscellaneous ones among the data processing. */
static const struct tcgrr_isa_row a32_misc_rows[] = {
    {0x0ffffff0, 0x012fff10, NEVER, INDIRECT, NONE, 0, false},  /* bx */
    {0x0ffffff0, 0x012fff20, SYSTEM, INDIRECT, NONE, 0, false}, /* bxj */
    {0x0ffffff0, 0x012fff30, NEVER, INDIRECT, NONE, 0, true},   /* blx */
    {0x0ff000f0, 0x01200070, TRAP, INDIRECT, NONE, 0, false},   /* bkpt */
    {0x0ff000f0, 0x01000070, TRAP, INDIRECT, NONE, 0, false},   /* hlt */
    {0x0ff000f0, 0x01400070, TRAP, INDIRECT, NONE, 0, false},   /* hvc */
    {0x0ff000f0, 0x01600070, TRAP, INDIRECT, NONE, 0, false},   /* smc */
    {0x0ff000f0, 0x01600060, SYSTEM, INDIRECT, NONE, 0, false}, /* eret */
    {0x0fff00f0, 0x016f0010, NEVER, NEXT, NONE, 0, false},      /* clz */
    {0x0f900df0, 0x01000040, NEVER, NEXT, NONE, 0, false},      /* crc32 */
    {0x0f9000f0, 0x01000050, NEVER, NEXT, NONE, 0, false},      /* qadd, qsub, … */
    {0x0f900090, 0x01000080, NEVER, NEXT, NONE, 0, false},      /* smlabb, smulbb, … */
    {0x0f9000f0, 0x01000000, SYSTEM, NEXT, NONE, 0, false},     /* mrs, msr */
};

/* Destinations that are not allowed to be the program counter, but jump there in QEMU if they are. */
static bool names_pc(uint32_t word)
{
    return field(word, 12) == 15 || field(word, 16) == 15;
}

/* Base register of an access that is written back. */
static bool a32_writes_back_pc(uint32_t word)
{
    bool writes_back = (word & 0x01000000) == 0 || (word & 0x00200000) != 0;
    return writes_back && field(word, 16) == 15;
}

/* Bits 27:25 are 0 and bits 7 and 4 are 1: multiplications, exclusive accesses, halfwords and doublewords. */
static struct tcgrr_insn_class a32_multiply_or_extra(uint32_t word)
{
    bool bit20 = (word & 0x00100000) != 0;

    if ((word & 0x0f0000f0) == 0x00000090) {
        bool accumulates = (word & 0x00800000) == 0; /* bits 15:12 then are no destination */
        return plain(NEVER, field(word, 16) == 15 || (!accumulates && field(word, 12) == 15));
    }
    if ((word & 0x0fb000f0) == 0x01000090) {
        return memory(false, names_pc(word)); /* swp */
    }
    if ((word & 0x0f800cf0) == 0x01800c90) {
        bool stl = !bit20 && (word & 0x300) == 0;     /* it has no destination, and ones in its place */
        return memory(bit20, !stl && names_pc(word)); /* ldrex, strex, lda, stl */
    }
    if ((word & 0xf0) == 0x90) {
        return tcgrr_isa_unknown();
    }
    bool pair = !bit20 && (word & 0x40) != 0;
    bool load = bit20 || (word & 0x60) == 0x40;
    bool into_pc = load && field(word, 12) >= (pair ? 14u : 15u);
    return memory(load, into_pc || a32_writes_back_pc(word));
}

/* Data processing with an immediate or a register. The comparisons have no destination. */
static struct tcgrr_insn_class a32_data(uint32_t word)
{
    bool sets_flags = (word & 0x00100000) != 0, compares = (word & 0x01900000) == 0x01100000;

    if (compares || field(word, 12) != 15) {
        return plain(NEVER, false);
    }
    return plain(sets_flags ? SYSTEM : NEVER, true); /* with flags: an exception return */
}

static struct tcgrr_insn_class a32_register(uint32_t word)
{
    if ((word & 0x90) == 0x90) {
        return a32_multiply_or_extra(word);
    }
    if ((word & 0x01900000) != 0x01000000) {
        return a32_data(word);
    }
    const struct tcgrr_isa_row *row = FIND(a32_misc_rows, word);
    if (row == NULL) {
        return tcgrr_isa_unknown();
    }
    struct tcgrr_insn_class class = tcgrr_isa_row_class(row);
    bool halves = (word & 0x90) == 0x80; /* smlabb and its like have their destination in bits 19:16 */
    bool long_half = (word & 0x00600000) == 0x00400000;
    bool msr = (word & 0x002000f0) == 0x00200000;
    if (class.flow == NEXT && !msr &&
        (halves ? field(word, 16) == 15 || (long_half && field(word, 12) == 15) : field(word, 12) == 15)) {
        class.flow = INDIRECT;
    }
    return class;
}

/* The hints that share the number in their low bits in A32, T32 and T16. */
static struct tcgrr_insn_class hint(uint32_t number)
{
    bool nothing = number == 0 || number == 4 || number == 5 || number == 0x14; /* nop, sev, sevl, csdb */
    return plain(nothing ? NEVER : SYSTEM, false);
}

static struct tcgrr_insn_class a32_immediate(uint32_t word)
{
    if ((word & 0x01900000) != 0x01000000) {
        return a32_data(word);
    }
    if ((word & 0x00200000) == 0) {
        return plain(NEVER, field(word, 12) == 15); /* movw, movt */
    }
    if ((word & 0x0fffff00) == 0x0320f000) {
        return hint(word & 0xff);
    }
    return plain(SYSTEM, false); /* msr */
}

static struct tcgrr_insn_class a32_media(uint32_t word)
{
    uint32_t operation = tcgrr_isa_bits(word, 20, 5);

    if ((word & 0x0ff000f0) == 0x07f000f0) {
        return tcgrr_isa_class(TRAP, INDIRECT, NONE); /* udf */
    }
    if (operation < 0x10 || operation >= 0x1a) {
        return plain(NEVER, field(word, 12) == 15);
    }
    bool both = operation == 0x14; /* smlald */
    return plain(NEVER, field(word, 16) == 15 || (both && field(word, 12) == 15));
}

static struct tcgrr_insn_class a32_multiple(uint32_t word)
{
    bool load = (word & 0x00100000) != 0, into_pc = load && (word & 0x8000) != 0;
    bool writes_back_pc = (word & 0x00200000) != 0 && field(word, 16) == 15;
    struct tcgrr_insn_class class = memory(load, into_pc || writes_back_pc);

    if ((word & 0x00400000) != 0) {
        class.leave = SYSTEM; /* an exception return, or registers of another mode */
    }
    return class;
}

static bool is_float_coprocessor(uint32_t word)
{
    return field(word, 8) >= 9 && field(word, 8) <= 11;
}

/* Coprocessor instructions, the encodings of which A32 and T32 share. `leave` is what floating point may do. */
static struct tcgrr_insn_class coprocessor(uint32_t word, enum tcgrr_leave leave)
{
    bool load = (word & 0x00100000) != 0, to_pc = load && field(word, 12) == 15;
    bool two_registers = (word & 0x0fe00000) == 0x0c400000;

    if (field(word, 8) >= 14) { /* system registers */
        if (two_registers) {
            return plain(SYSTEM, names_pc(word));
        }
        return (word & 0x0f000000) == 0x0e000000 ? plain(SYSTEM, false) : tcgrr_isa_unknown();
    }
    if (!is_float_coprocessor(word)) {
        return tcgrr_isa_unknown();
    }
    if (two_registers) {
        return plain(leave, load && names_pc(word));
    }
    if ((word & 0x0e000000) == 0x0c000000) {
        if ((word & 0x01800000) == 0 || (field(word, 16) == 15 && (word & 0x00200000) != 0)) {
            return tcgrr_isa_unknown();
        }
        struct tcgrr_insn_class class = memory(load, false);
        class.leave = leave == NEVER ? MEMORY : leave;
        return class;
    }
    if ((word & 0x0fe00f10) == 0x0ee00a10) { /* vmrs, vmsr; of these the FPSCR is plain to read */
        bool status = load && field(word, 16) == 1;
        return plain(status ? leave : SYSTEM, false);
    }
    return plain(leave, (word & 0x10) != 0 && to_pc);
}

static const struct tcgrr_isa_row a32_unconditional_rows[] = {
    {0x0e000000, 0x02000000, NEVER, NEXT, NONE, 0, false},      /* Advanced SIMD */
    {0x0f70f000, 0x0450f000, NEVER, NEXT, NONE, 0, false},      /* pli */
    {0x0f30f000, 0x0510f000, NEVER, NEXT, NONE, 0, false},      /* pld, pldw */
    {0x0f70f010, 0x0650f000, NEVER, NEXT, NONE, 0, false},      /* pli (register) */
    {0x0f30f010, 0x0710f000, NEVER, NEXT, NONE, 0, false},      /* pld, pldw (register) */
    {0x0fffffff, 0x057ff01f, NEVER, NEXT, NONE, 0, false},      /* clrex */
    {0x0fffffe0, 0x057ff040, NEVER, NEXT, NONE, 0, false},      /* dsb, dmb */
    {0x0ffffff0, 0x057ff060, NEVER, NEXT, NONE, 0, false},      /* isb */
    {0x0fffffff, 0x057ff070, NEVER, NEXT, NONE, 0, false},      /* sb */
    {0x0ff00020, 0x01000000, SYSTEM, NEXT, NONE, 0, false},     /* cps, setend */
    {0x0ff000f0, 0x01100000, SYSTEM, NEXT, NONE, 0, false},     /* setpan */
    {0x0e500000, 0x08100000, SYSTEM, INDIRECT, READ, 0, false}, /* rfe */
    {0x0e500000, 0x08400000, SYSTEM, NEXT, WRITE, 0, false},    /* srs */
};

static struct tcgrr_insn_class a32_unconditional(uint64_t pc, uint32_t word)
{
    if ((word & 0x0e000000) == 0x0a000000) {
        int64_t offset = tcgrr_isa_signed(word, 24) * 4 + (word & 0x01000000 ? 2 : 0);
        return direct(JUMP, pc + 8 + (uint64_t)offset, true); /* blx */
    }
    if ((word & 0x0f100000) == 0x04000000) { /* vld1 to vld4, vst1 to vst4 */
        return memory((word & 0x00200000) != 0, field(word, 16) == 15);
    }
    if ((word & 0x0f000010) == 0x0e000000 && is_float_coprocessor(word)) {
        return plain(NEVER, false); /* vsel, vmaxnm, vrint, … */
    }
    const struct tcgrr_isa_row *row = FIND(a32_unconditional_rows, word);
    return row != NULL ? tcgrr_isa_row_class(row) : tcgrr_isa_unknown();
}

struct tcgrr_insn_class tcgrr_isa_a32_insn(uint64_t pc, uint32_t word)
{
    bool load = (word & 0x00100000) != 0;

    if (word >> 28 == 15) {
        return a32_unconditional(pc, word);
    }
    switch (tcgrr_isa_bits(word, 25, 3)) {
    case 0:
        return a32_register(word);
    case 1:
        return a32_immediate(word);
    case 3:
        if ((word & 0x10) != 0) {
            return a32_media(word);
        }
        return memory(load, (load && field(word, 12) == 15) || a32_writes_back_pc(word));
    case 2:
        return memory(load, (load && field(word, 12) == 15) || a32_writes_back_pc(word));
    case 4:
        return a32_multiple(word);
    case 5:
        return direct(word >> 28 == 14 ? JUMP : BRANCH, pc + 8 + (uint64_t)(tcgrr_isa_signed(word, 24) * 4),
                      (word & 0x01000000) != 0);
    case 6:
        return coprocessor(word, NEVER);
    default:
        return word & 0x01000000 ? tcgrr_isa_class(TRAP, INDIRECT, NONE) : coprocessor(word, NEVER);
    }
}

/* A T32 result in the stack pointer may be checked, one in the program counter is a jump. */
static struct tcgrr_insn_class t32_result(uint32_t reg)
{
    return plain(reg == 13 ? SYSTEM : NEVER, reg == 15);
}

/* 0100 01: additions, moves and comparisons of all registers, and register branches. */
static struct tcgrr_insn_class t16_special(uint32_t half)
{
    switch (tcgrr_isa_bits(half, 8, 2)) {
    case 1:
        return plain(NEVER, false);
    case 3:
        if ((half & 7) != 0) {
            return tcgrr_isa_unknown(); /* bxns, blxns */
        }
        struct tcgrr_insn_class class = plain(NEVER, true);
        class.call = (half & 0x80) != 0;
        return class;
    default:
        return t32_result(tcgrr_isa_bits(half, 7, 1) << 3 | (half & 7));
    }
}

/* 1011: the miscellaneous ones. */
static struct tcgrr_insn_class t16_misc(uint64_t pc, uint32_t half)
{
    if ((half & 0xf500) == 0xb100) { /* cbz, cbnz */
        uint32_t offset = tcgrr_isa_bits(half, 9, 1) << 6 | tcgrr_isa_bits(half, 3, 5) << 1;
        return direct(BRANCH, pc + 4 + offset, false);
    }
    switch (tcgrr_isa_bits(half, 8, 4)) {
    case 0x0:
        return t32_result(13);
    case 0x2:
        return plain(NEVER, false); /* sxth, uxtb, … */
    case 0x4:
    case 0x5:
        return memory(false, false);
    case 0x6:
        return plain(SYSTEM, false); /* cps, setend */
    case 0xa:
        return (half & 0xc0) == 0x80 ? tcgrr_isa_class(TRAP, INDIRECT, NONE) : plain(NEVER, false); /* hlt, rev */
    case 0xc:
    case 0xd:
        return memory(true, (half & 0x100) != 0);
    case 0xe:
        return tcgrr_isa_class(TRAP, INDIRECT, NONE);
    case 0xf:
        return (half & 15) != 0 ? plain(NEVER, false) : hint(tcgrr_isa_bits(half, 4, 4)); /* it */
    default:
        return tcgrr_isa_unknown();
    }
}

/* 1101 to 1111: branches, and the two halves of bl on processors that have no other wide instruction. */
static struct tcgrr_insn_class t16_branch(uint64_t pc, uint32_t half)
{
    struct tcgrr_insn_class class = plain(NEVER, (half & 0x1000) == 0 || (half & 0x0800) != 0);

    if (half < 0xde00) {
        return direct(BRANCH, pc + 4 + (uint64_t)(tcgrr_isa_signed(half, 8) * 2), false);
    }
    if (half < 0xe000) {
        return tcgrr_isa_class(TRAP, INDIRECT, NONE); /* udf, svc */
    }
    if (half < 0xe800) { /* an it in an earlier block can make it conditional */
        return direct(BRANCH, pc + 4 + (uint64_t)(tcgrr_isa_signed(half, 11) * 2), false);
    }
    class.call = class.flow == INDIRECT;
    return class;
}

static struct tcgrr_insn_class t16_insn(uint64_t pc, uint32_t half)
{
    switch (half >> 12) {
    case 0x4:
        if ((half & 0x0800) != 0) {
            return memory(true, false); /* ldr (literal) */
        }
        return half & 0x0400 ? t16_special(half) : plain(NEVER, false);
    case 0x5:
        return memory(tcgrr_isa_bits(half, 9, 3) >= 3, false);
    case 0x6:
    case 0x7:
    case 0x8:
    case 0x9:
    case 0xc:
        return memory((half & 0x0800) != 0, false);
    case 0xb:
        return t16_misc(pc, half);
    case 0xd:
    case 0xe:
    case 0xf:
        return t16_branch(pc, half);
    default:
        return plain(NEVER, false); /* shifts, additions, moves, comparisons, adr */
    }
}

/* 1110 100x x1: doublewords, exclusive accesses and table branches. */
static struct tcgrr_insn_class t32_double_or_exclusive(uint32_t word)
{
    bool load = (word & 0x00100000) != 0, exclusive = (word & 0x01200000) == 0;
    bool into_pc = load && field(word, 12) == 15;
    uint32_t kind = field(word, 4);

    if (!exclusive) { /* with the secure gateway of M in between */
        bool writes_back = (word & 0x00200000) != 0;
        bool pc = (load && (into_pc || field(word, 8) == 15)) || (writes_back && field(word, 16) == 15);
        return word == 0xe97fe97f ? tcgrr_isa_unknown() : memory(load, pc);
    }
    if ((word & 0x00800000) == 0) {
        bool test_target = !load && field(word, 12) == 15; /* tt of M */
        return test_target ? plain(SYSTEM, false) : memory(load, into_pc);
    }
    if (load && kind < 2) {
        return memory(true, true); /* tbb, tbh */
    }
    bool pair = (kind & 3) == 3, allocated = kind >= 4 && kind != 6 && kind != 11;
    return allocated ? memory(load, into_pc || (pair && load && field(word, 8) == 15)) : tcgrr_isa_unknown();
}

/* 1110 100x x0: several registers, and the exception entries and returns that A32 has too. */
static struct tcgrr_insn_class t32_multiple(uint32_t word)
{
    bool load = (word & 0x00100000) != 0;
    uint32_t mode = tcgrr_isa_bits(word, 23, 2);

    if (mode == 0 || mode == 3) {
        return load ? tcgrr_isa_class(SYSTEM, INDIRECT, READ) : tcgrr_isa_class(SYSTEM, NEXT, WRITE); /* rfe, srs */
    }
    if (field(word, 16) == 15) {
        return tcgrr_isa_unknown(); /* clrm */
    }
    return memory(load, load && (word & 0x8000) != 0);
}

/* Data processing with a shifted register or a modified immediate: the comparisons have 15 as destination. */
static struct tcgrr_insn_class t32_data(uint32_t word)
{
    uint32_t operation = tcgrr_isa_bits(word, 21, 4);
    bool can_compare = operation == 0 || operation == 4 || operation == 8 || operation == 13;

    if (can_compare && (word & 0x00100000) != 0 && field(word, 8) == 15) {
        return plain(NEVER, false);
    }
    return t32_result(field(word, 8));
}

/* T32's coprocessors and what of Advanced SIMD and of M's vectors lies among them. */
static struct tcgrr_insn_class t32_coprocessor(uint32_t word)
{
    if ((word & 0x0f000000) == 0x0f000000) {
        return plain(SYSTEM, false);
    }
    if ((word & 0x10000000) != 0) {
        bool floating = (word & 0x0f000010) == 0x0e000000 && is_float_coprocessor(word);
        return floating ? plain(SYSTEM, false) : tcgrr_isa_unknown();
    }
    if ((word & 0x0e1f0000) == 0x0c1f0000 && (word & 0x01000000) == 0) {
        return tcgrr_isa_unknown(); /* vscclrm */
    }
    return coprocessor(word, SYSTEM);
}

static const struct tcgrr_isa_row t32_control_rows[] = {
    {0xfff0d000, 0xf3808000, SYSTEM, NEXT, NONE, 0, false},     /* msr */
    {0xfff0d000, 0xf3908000, SYSTEM, NEXT, NONE, 0, false},     /* msr */
    {0xfffffff0, 0xf3bf8f20, NEVER, NEXT, NONE, 0, false},      /* clrex */
    {0xffffffe0, 0xf3bf8f40, NEVER, NEXT, NONE, 0, false},      /* dsb, dmb */
    {0xffffffe0, 0xf3bf8f60, NEVER, NEXT, NONE, 0, false},      /* isb, sb */
    {0xffe0d000, 0xf3c08000, SYSTEM, INDIRECT, NONE, 0, false}, /* bxj, eret, subs pc */
    {0xffe0df00, 0xf3e08f00, SYSTEM, INDIRECT, NONE, 0, false}, /* mrs pc, not allowed */
    {0xffe0d000, 0xf3e08000, SYSTEM, NEXT, NONE, 0, false},     /* mrs */
    {0xfff0f000, 0xf7e08000, TRAP, INDIRECT, NONE, 0, false},   /* hvc */
    {0xfff0f000, 0xf7f08000, TRAP, INDIRECT, NONE, 0, false},   /* smc */
    {0xfff0f000, 0xf7f0a000, TRAP, INDIRECT, NONE, 0, false},   /* udf */
};

static struct tcgrr_insn_class t32_control(uint32_t word)
{
    if ((word & 0xfffff800) == 0xf3af8000) {
        return (word & 0x700) == 0 ? hint(word & 0xff) : plain(SYSTEM, false); /* cps */
    }
    const struct tcgrr_isa_row *row = FIND(t32_control_rows, word);
    return row != NULL ? tcgrr_isa_row_class(row) : tcgrr_isa_unknown();
}

/* 1111 0, bit 15 set: branches and control. All branches count as conditional, because an it in an earlier block cannot
 * be seen. */
static struct tcgrr_insn_class t32_branch(uint64_t pc, uint32_t word)
{
    uint32_t s = tcgrr_isa_bits(word, 26, 1), j1 = tcgrr_isa_bits(word, 13, 1), j2 = tcgrr_isa_bits(word, 11, 1);
    uint32_t low = tcgrr_isa_bits(word, 0, 11) << 1;

    if ((word & 0x5000) == 0) {
        if ((word & 0x03800000) == 0x03800000) {
            return t32_control(word);
        }
        uint32_t near = s << 20 | j2 << 19 | j1 << 18 | tcgrr_isa_bits(word, 16, 6) << 12 | low;
        return direct(BRANCH, pc + 4 + (uint64_t)tcgrr_isa_signed(near, 21), false);
    }
    uint32_t i1 = !(j1 ^ s), i2 = !(j2 ^ s);
    uint32_t far = s << 24 | i1 << 23 | i2 << 22 | tcgrr_isa_bits(word, 16, 10) << 12 | low;
    uint64_t offset = (uint64_t)tcgrr_isa_signed(far, 25);
    if ((word & 0x1000) != 0) {
        return direct(BRANCH, pc + 4 + offset, (word & 0x4000) != 0);
    }
    if ((word & 1) != 0) {
        return tcgrr_isa_unknown(); /* the loops of M */
    }
    return direct(BRANCH, (pc & ~UINT64_C(3)) + 4 + offset, true); /* blx */
}

/* 1111 100: single registers, hints to prefetch, and the vectors of Advanced SIMD. */
static struct tcgrr_insn_class t32_single(uint32_t word)
{
    bool load = (word & 0x00100000) != 0, is_signed = (word & 0x01000000) != 0;
    uint32_t size = tcgrr_isa_bits(word, 21, 2);

    if (is_signed && !load) {
        return memory((word & 0x00200000) != 0, field(word, 16) == 15); /* vld1 to vld4, vst1 to vst4 */
    }
    if (size == 3 || (is_signed && size == 2)) {
        return tcgrr_isa_unknown();
    }
    if (!load || field(word, 12) != 15) {
        return memory(load, false);
    }
    if (size == 2) {
        return memory(true, true); /* ldr pc */
    }
    bool prefetch = (word & 0x00800000) != 0 || field(word, 16) == 15 || (word & 0xfc0) == 0 || (word & 0xf00) == 0xc00;
    return prefetch ? plain(NEVER, false) : tcgrr_isa_unknown();
}

/* 1111 101: register data processing and multiplications. */
static struct tcgrr_insn_class t32_register(uint32_t word)
{
    bool is_long = (word & 0x01800000) == 0x01800000;

    if ((word & 0xffd000f0) == 0xfb9000f0) {
        return plain(SYSTEM, field(word, 8) == 15); /* sdiv, udiv */
    }
    if (is_long && field(word, 12) == 15) {
        return plain(NEVER, true);
    }
    return t32_result(field(word, 8));
}

static struct tcgrr_insn_class t32_wide(uint64_t pc, uint32_t word)
{
    switch (word >> 25) {
    case 0x74: /* 1110 100 */
        return word & 0x00400000 ? t32_double_or_exclusive(word) : t32_multiple(word);
    case 0x75:
        return t32_data(word);
    case 0x76:
    case 0x77:
    case 0x7e:
    case 0x7f:
        return t32_coprocessor(word);
    case 0x78: /* 1111 00 */
    case 0x79:
    case 0x7a:
    case 0x7b:
        if ((word & 0x8000) != 0) {
            return t32_branch(pc, word);
        }
        return word & 0x02000000 ? t32_result(field(word, 8)) : t32_data(word);
    case 0x7c:
        return t32_single(word);
    case 0x7d:
        return t32_register(word);
    default:
        return tcgrr_isa_unknown();
    }
}

struct tcgrr_insn_class tcgrr_isa_t32_insn(uint64_t pc, uint32_t word, unsigned length)
{
    return length == 2 ? t16_insn(pc, word) : t32_wide(pc, word);
}

static void classify_t32(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                         struct tcgrr_insn_class *out)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t word = 0;
        if (lengths[i] == 2) {
            word = tcgrr_isa_load16(bytes);
        } else if (lengths[i] == 4) {
            word = tcgrr_isa_load16(bytes) << 16 | tcgrr_isa_load16(bytes + 2);
        }
        out[i] = lengths[i] == 2 || lengths[i] == 4 ? tcgrr_isa_t32_insn(pc, word, lengths[i]) : tcgrr_isa_unknown();
        bytes += lengths[i];
        pc += lengths[i];
    }
}

/* Whether every word of a block of words has a wide T32 instruction's first half. */
static bool all_can_be_t32(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((tcgrr_isa_load16(bytes + 4 * i) & 0xf800) < 0xe800) {
            return false;
        }
    }
    return true;
}

void tcgrr_isa_classify_arm(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                            struct tcgrr_insn_class *out)
{
    bool thumb = (pc & 2) != 0;

    for (size_t i = 0; i < count; i++) {
        thumb = thumb || lengths[i] != 4;
    }
    if (thumb) {
        classify_t32(pc, bytes, lengths, count, out);
        return;
    }
    bool both = all_can_be_t32(bytes, count);
    for (size_t i = 0; i < count; i++, bytes += 4, pc += 4) {
        out[i] = tcgrr_isa_a32_insn(pc, tcgrr_isa_load32(bytes));
        if (both) {
            uint32_t word = tcgrr_isa_load16(bytes) << 16 | tcgrr_isa_load16(bytes + 2);
            out[i] = tcgrr_isa_merge(out[i], tcgrr_isa_t32_insn(pc, word, 4));
        }
    }
}
