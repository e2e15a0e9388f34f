/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RV32 and RV64 with the compressed instructions; the name of the target does not get here, so where the two differ
 * both are right. */
#include "store/isa/isa_words.h"

/*
 * Wide instructions without a target. What follows from the order: a fence that is a pause, and the landing pad among
 * the auipc, come before the rest of their kind. Misaligned branch targets are raised by translated code, which counts
 * as retired.
 */
static const struct tcgrr_isa_row rows[] = {
    {0x00000fff, 0x00000017, SYSTEM, NEXT, NONE, 0, false},    /* lpad: auipc x0 */
    {0x0000007f, 0x00000017, NEVER, NEXT, NONE, 0, false},     /* auipc */
    {0x0000007f, 0x00000037, NEVER, NEXT, NONE, 0, false},     /* lui */
    {0x0000007f, 0x00000013, NEVER, NEXT, NONE, 0, false},     /* addi and the like, prefetches */
    {0x0000007f, 0x0000001b, NEVER, NEXT, NONE, 0, false},     /* addiw and the like */
    {0x0000007f, 0x00000033, NEVER, NEXT, NONE, 0, false},     /* add and the like, mul, div (which never traps) */
    {0x0000007f, 0x0000003b, NEVER, NEXT, NONE, 0, false},     /* addw and the like */
    {0x0000007f, 0x00000003, MEMORY, NEXT, READ, 0, false},    /* lb to ld */
    {0x0000407f, 0x00000023, MEMORY, NEXT, WRITE, 0, false},   /* sb to sd */
    {0x0000707f, 0x00001007, MEMORY, NEXT, READ, 0, false},    /* flh */
    {0x0000607f, 0x00002007, MEMORY, NEXT, READ, 0, false},    /* flw, fld */
    {0x0000707f, 0x00001027, MEMORY, NEXT, WRITE, 0, false},   /* fsh */
    {0x0000607f, 0x00002027, MEMORY, NEXT, WRITE, 0, false},   /* fsw, fsd */
    {0x0000007f, 0x00000007, UNKNOWN, NEXT, EITHER, 0, false}, /* vector loads */
    {0x0000007f, 0x00000027, UNKNOWN, NEXT, EITHER, 0, false}, /* vector stores */
    {0xf9f0607f, 0x1000202f, MEMORY, NEXT, READ, 0, false},    /* lr */
    {0xf800607f, 0x1800202f, MEMORY, NEXT, WRITE, 0, false},   /* sc: none if the reservation was lost */
    {0xf800607f, 0x0800202f, MEMORY, NEXT, WRITE, 0, false},   /* amoswap */
    {0x1800607f, 0x0000202f, MEMORY, NEXT, WRITE, 0, false},   /* amoadd, amoxor, amoand, amoor, amomin, … */
    {0x0000007f, 0x0000002f, UNKNOWN, NEXT, EITHER, 0, false}, /* amocas, ssamoswap, … */
    {0xffffffff, 0x0100000f, SYSTEM, NEXT, NONE, 0, false},    /* pause */
    {0x0000607f, 0x0000000f, NEVER, NEXT, NONE, 0, false},     /* fence, fence.i */
    {0x0000007f, 0x0000000f, SYSTEM, NEXT, EITHER, 0, false},  /* cbo.zero and the like */
    {0x0000007f, 0x00000057, UNKNOWN, NEXT, EITHER, 0, false}, /* vector arithmetic */
    {0xffffffff, 0x00000073, TRAP, INDIRECT, NONE, 0, false},  /* ecall */
    {0xffffffff, 0x00100073, TRAP, INDIRECT, NONE, 0, false},  /* ebreak */
    {0xffffffff, 0x10500073, TCGRR_LEAVE_WAIT, NEXT, NONE, 0, false}, /* wfi */
    {0xfe007fff, 0x12000073, SYSTEM, NEXT, NONE, 0, false},           /* sfence.vma */
    {0x0000707f, 0x00000073, SYSTEM, INDIRECT, NONE, 0, false},       /* mret, sret, … */
    {0x0000707f, 0x00004073, SYSTEM, NEXT, EITHER, 0, false},         /* hypervisor loads and stores, shadow stack */
    {0x0000007f, 0x00000073, SYSTEM, NEXT, NONE, 0, false},           /* csrrw and the like */
};

static int64_t jump_offset(uint32_t word)
{
    uint32_t offset = tcgrr_isa_bits(word, 31, 1) << 20 | tcgrr_isa_bits(word, 12, 8) << 12 |
                      tcgrr_isa_bits(word, 20, 1) << 11 | tcgrr_isa_bits(word, 21, 10) << 1;
    return tcgrr_isa_signed(offset, 21);
}

static int64_t branch_offset(uint32_t word)
{
    uint32_t offset = tcgrr_isa_bits(word, 31, 1) << 12 | tcgrr_isa_bits(word, 7, 1) << 11 |
                      tcgrr_isa_bits(word, 25, 6) << 5 | tcgrr_isa_bits(word, 8, 4) << 1;
    return tcgrr_isa_signed(offset, 13);
}

static int64_t compressed_jump_offset(uint32_t half)
{
    uint32_t offset = tcgrr_isa_bits(half, 12, 1) << 11 | tcgrr_isa_bits(half, 8, 1) << 10 |
                      tcgrr_isa_bits(half, 9, 2) << 8 | tcgrr_isa_bits(half, 6, 1) << 7 |
                      tcgrr_isa_bits(half, 7, 1) << 6 | tcgrr_isa_bits(half, 2, 1) << 5 |
                      tcgrr_isa_bits(half, 11, 1) << 4 | tcgrr_isa_bits(half, 3, 3) << 1;
    return tcgrr_isa_signed(offset, 12);
}

static int64_t compressed_branch_offset(uint32_t half)
{
    uint32_t offset = tcgrr_isa_bits(half, 12, 1) << 8 | tcgrr_isa_bits(half, 5, 2) << 6 |
                      tcgrr_isa_bits(half, 2, 1) << 5 | tcgrr_isa_bits(half, 10, 2) << 3 |
                      tcgrr_isa_bits(half, 3, 2) << 1;
    return tcgrr_isa_signed(offset, 9);
}

/* A direct jump or branch. One across the end of the low 4 GB goes to different addresses in RV32 and in RV64. */
static struct tcgrr_insn_class direct(enum tcgrr_flow flow, uint64_t pc, int64_t offset, bool call)
{
    struct tcgrr_insn_class class = tcgrr_isa_class(NEVER, flow, NONE);

    class.call = call;
    class.target = pc + (uint64_t)offset;
    if (pc >> 32 == 0 && class.target >> 32 != 0) {
        class.flow = INDIRECT;
        class.target = 0;
    }
    return class;
}

static bool is_link(uint32_t reg)
{
    return reg == 1 || reg == 5;
}

/*
 * Floating-point arithmetic only flags its exceptions, but a rounding mode that comes from the fcsr, or that is not
 * allocated, is looked at by a helper which can raise an illegal instruction.
 */
static struct tcgrr_insn_class floating_point(uint32_t word)
{
    uint32_t rounding = tcgrr_isa_bits(word, 12, 3), operation = word >> 27;
    bool unrounded =
        operation == 0x04 || operation == 0x05 || operation == 0x14 || operation == 0x1c || operation == 0x1e;

    if ((word & 0x7f) == 0x53 && unrounded) { /* fsgnj, fmin, fmax, feq, flt, fle, fmv, fclass */
        return tcgrr_isa_class(NEVER, NEXT, NONE);
    }
    return tcgrr_isa_class(rounding <= 4 ? NEVER : SYSTEM, NEXT, NONE);
}

static struct tcgrr_insn_class wide(uint64_t pc, uint32_t word)
{
    uint32_t opcode = word & 0x7f;

    if (opcode == 0x6f) {
        return direct(JUMP, pc, jump_offset(word), is_link(tcgrr_isa_bits(word, 7, 5)));
    }
    if (opcode == 0x63 && (word & 0x6000) != 0x2000) {
        return direct(BRANCH, pc, branch_offset(word), false);
    }
    if ((word & 0x707f) == 0x67) {
        struct tcgrr_insn_class class = tcgrr_isa_class(NEVER, INDIRECT, NONE);
        class.call = is_link(tcgrr_isa_bits(word, 7, 5));
        return class;
    }
    if (opcode == 0x53 || (opcode & 0x73) == 0x43) {
        return floating_point(word);
    }
    const struct tcgrr_isa_row *row = FIND(rows, word);
    return row != NULL ? tcgrr_isa_row_class(row) : tcgrr_isa_unknown();
}

/* Quadrant 0: loads and stores, but for c.addi4spn and the all-zero instruction. */
static struct tcgrr_insn_class quadrant0(uint32_t half)
{
    switch (half >> 13) {
    case 0:
        return half == 0 ? tcgrr_isa_class(TRAP, INDIRECT, NONE) : tcgrr_isa_class(NEVER, NEXT, NONE);
    case 1:
    case 2:
    case 3:
        return tcgrr_isa_class(MEMORY, NEXT, READ);
    case 4: /* c.lbu, c.lhu, c.lh, c.sb, c.sh */
        if (tcgrr_isa_bits(half, 10, 3) < 4) {
            return tcgrr_isa_class(MEMORY, NEXT, half & 0x800 ? WRITE : READ);
        }
        return tcgrr_isa_unknown();
    default:
        return tcgrr_isa_class(MEMORY, NEXT, WRITE);
    }
}

/*
 * Quadrant 1: arithmetic and branches. c.jal of RV32 is c.addiw in RV64; it is the latter if the block goes on after
 * it or lies above what RV32 can address. c.lui with no immediate is a c.mop, whose code points the shadow stack uses.
 */
static struct tcgrr_insn_class quadrant1(uint64_t pc, uint32_t half, bool last)
{
    struct tcgrr_insn_class plain = tcgrr_isa_class(NEVER, NEXT, NONE);

    switch (half >> 13) {
    case 1:
        if (last && pc >> 32 == 0) {
            return tcgrr_isa_merge(plain, direct(JUMP, pc, compressed_jump_offset(half), true));
        }
        return plain;
    case 3:
        return (half & 0x107c) == 0 ? tcgrr_isa_class(UNKNOWN, NEXT, EITHER) : plain;
    case 5:
        return direct(JUMP, pc, compressed_jump_offset(half), false);
    case 6:
    case 7:
        return direct(BRANCH, pc, compressed_branch_offset(half), false);
    default:
        return plain;
    }
}

/* c.jr, c.mv, c.ebreak, c.jalr and c.add. */
static struct tcgrr_insn_class register_move(uint32_t half)
{
    struct tcgrr_insn_class class = tcgrr_isa_class(NEVER, NEXT, NONE);

    if ((half & 0x7c) != 0) {
        return class;
    }
    if ((half & 0xf80) == 0) {
        return half & 0x1000 ? tcgrr_isa_class(TRAP, INDIRECT, NONE) : tcgrr_isa_unknown();
    }
    class.flow = INDIRECT;
    class.call = (half & 0x1000) != 0;
    return class;
}

/* c.fsdsp, in whose place a processor without it can have cm.push, cm.pop, cm.jt and cm.mvsa01. */
static struct tcgrr_insn_class store_double_or_push(uint32_t half, bool last)
{
    uint32_t kind = tcgrr_isa_bits(half, 8, 5);
    bool jump = kind >> 2 == 0 || kind == 0x1c || kind == 0x1e;

    if (kind == 0x18) {
        return tcgrr_isa_class(MEMORY, NEXT, WRITE); /* cm.push */
    }
    if (jump || kind == 0x1a || kind >> 2 == 3) {
        return tcgrr_isa_class(UNKNOWN, jump && last ? INDIRECT : NEXT, EITHER);
    }
    return tcgrr_isa_class(MEMORY, NEXT, WRITE);
}

/* Quadrant 2: loads and stores relative to the stack pointer, register moves and jumps. */
static struct tcgrr_insn_class quadrant2(uint32_t half, bool last)
{
    switch (half >> 13) {
    case 0:
        return tcgrr_isa_class(NEVER, NEXT, NONE);
    case 4:
        return register_move(half);
    case 5:
        return store_double_or_push(half, last);
    case 6:
    case 7:
        return tcgrr_isa_class(MEMORY, NEXT, WRITE);
    default:
        return tcgrr_isa_class(MEMORY, NEXT, READ);
    }
}

static struct tcgrr_insn_class compressed(uint64_t pc, uint32_t half, bool last)
{
    switch (half & 3) {
    case 0:
        return quadrant0(half);
    case 1:
        return quadrant1(pc, half, last);
    case 2:
        return quadrant2(half, last);
    default:
        return tcgrr_isa_unknown();
    }
}

void tcgrr_isa_classify_riscv(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                              struct tcgrr_insn_class *out)
{
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] == 2) {
            out[i] = compressed(pc, tcgrr_isa_load16(bytes), i + 1 == count);
        } else if (lengths[i] == 4 && (bytes[0] & 3) == 3) {
            out[i] = wide(pc, tcgrr_isa_load32(bytes));
        } else {
            out[i] = tcgrr_isa_unknown();
        }
        bytes += lengths[i];
        pc += lengths[i];
    }
}
