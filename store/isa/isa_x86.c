/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x86 in its three code sizes. QEMU's name of the target does not say which one a block is in, so a block is decoded
 * as all three; those under which an instruction does not come out at its given length are ruled out, and the classes
 * are right for all that remain.
 */
#include "store/isa/isa_words.h"

/* What an opcode does: the low byte of a table entry. */
enum kind {
    STRANGE,    /* not known, nor how long it is */
    ODD,        /* its length is known and that it is sequential */
    PLAIN,      /* only registers, for any operand */
    LOAD,       /* reads its operand, if that is memory */
    STORE,      /* writes its operand last, if that is memory */
    READS,      /* reads memory that it need not name: pop, lods, … */
    WRITES,     /* writes memory that it need not name: push, stos, … */
    SYS,        /* privileged or intercepted, without an operand in memory */
    SYS_LOAD,   /* the same, reading its operand */
    SYS_READS,  /* the same, reading the stack */
    SYS_WRITES, /* the same, writing the stack */
    SYS_ANY,    /* the same, with accesses of its own: descriptors and the like */
    SYS_GO,     /* the same, and control moves */
    TRAPS,
    FLOAT,       /* x87 */
    STRING_READ, /* may be repeated */
    STRING_WRITE,
    STRING_PORT,
    JUMP_REL,
    BRANCH_REL,
    CALL_REL,
    RETURN,
    GROUP, /* by the reg field of its operand */
};

/* How it is encoded: the high byte of a table entry. */
#define M    0x0100 /* ModRM */
#define I8   0x0200
#define I16  0x0400
#define IZ   0x0800 /* 2 or 4 bytes, by operand size */
#define IV   0x1000 /* 2, 4 or 8 */
#define IO   0x2000 /* an offset: by address size */
#define IP   0x4000 /* a far pointer */
#define NO64 0x8000 /* undefined in 64-bit code */

#define ALU M | STORE, M | STORE, M | LOAD, M | LOAD, I8 | PLAIN, IZ | PLAIN
#define CMP M | LOAD, M | LOAD, M | LOAD, M | LOAD, I8 | PLAIN, IZ | PLAIN

#define FOUR(entry)    entry, entry, entry, entry
#define EIGHT(entry)   FOUR(entry), FOUR(entry)
#define SIXTEEN(entry) EIGHT(entry), EIGHT(entry)

/* Prefixes have no entries: they do not get here. */
/* clang-format off */
static const uint16_t one_byte[256] = {
    /* 00 */ ALU, NO64 | WRITES, NO64 | SYS_ANY, ALU, NO64 | WRITES, STRANGE,
    /* 10 */ ALU, NO64 | WRITES, NO64 | SYS_ANY, ALU, NO64 | WRITES, NO64 | SYS_ANY,
    /* 20 */ ALU, STRANGE, NO64 | PLAIN, ALU, STRANGE, NO64 | PLAIN,
    /* 30 */ ALU, STRANGE, NO64 | PLAIN, CMP, STRANGE, NO64 | PLAIN,
    /* 40 */ SIXTEEN(NO64 | PLAIN),
    /* 50 */ EIGHT(WRITES), EIGHT(READS),
    /* 60 */ NO64 | WRITES, NO64 | READS, NO64 | M | SYS_LOAD, M | GROUP, STRANGE, STRANGE, STRANGE, STRANGE,
    /* 68 */ IZ | WRITES, IZ | M | LOAD, I8 | WRITES, I8 | M | LOAD, FOUR(STRING_PORT),
    /* 70 */ SIXTEEN(I8 | BRANCH_REL),
    /* 80 */ I8 | M | GROUP, IZ | M | GROUP, NO64 | I8 | M | GROUP, I8 | M | GROUP,
    /* 84 */ M | LOAD, M | LOAD, M | STORE, M | STORE,
    /* 88 */ M | STORE, M | STORE, M | LOAD, M | LOAD, M | STORE, M | PLAIN, M | SYS_ANY, M | GROUP,
    /* 90 */ EIGHT(PLAIN),
    /* 98 */ PLAIN, PLAIN, NO64 | IP | SYS_GO, SYS, SYS_WRITES, SYS_READS, PLAIN, PLAIN,
    /* a0 */ IO | READS, IO | READS, IO | WRITES, IO | WRITES, STRING_WRITE, STRING_WRITE, STRING_READ, STRING_READ,
    /* a8 */ I8 | PLAIN, IZ | PLAIN, STRING_WRITE, STRING_WRITE, FOUR(STRING_READ),
    /* b0 */ EIGHT(I8 | PLAIN), EIGHT(IV | PLAIN),
    /* c0 */ I8 | M | STORE, I8 | M | STORE, I16 | RETURN, RETURN,
    /* c4 */ NO64 | M | SYS_ANY, NO64 | M | SYS_ANY, I8 | M | GROUP, IZ | M | GROUP,
    /* c8 */ I16 | I8 | ODD, READS, I16 | SYS_GO, SYS_GO, TRAPS, I8 | TRAPS, NO64 | SYS_GO, SYS_GO,
    /* d0 */ FOUR(M | STORE), NO64 | I8 | SYS, NO64 | I8 | PLAIN, NO64 | PLAIN, READS,
    /* d8 */ EIGHT(M | FLOAT),
    /* e0 */ FOUR(I8 | BRANCH_REL), FOUR(I8 | SYS),
    /* e8 */ IZ | CALL_REL, IZ | JUMP_REL, NO64 | IP | SYS_GO, I8 | JUMP_REL, FOUR(SYS),
    /* f0 */ STRANGE, SYS_GO, STRANGE, STRANGE, SYS, PLAIN, M | GROUP, M | GROUP,
    /* f8 */ PLAIN, PLAIN, SYS, SYS, PLAIN, PLAIN, M | GROUP, M | GROUP,
};
/* clang-format on */

/*
 * After 0f. MMX and SSE arithmetic only flags its exceptions in QEMU (mxcsr is not looked at), so it is like all
 * arithmetic. 7e is a load with f3, which correct_kind() sees to.
 */
/* clang-format off */
static const uint16_t two_byte[256] = {
    /* 00 */ M | SYS_ANY, M | GROUP, M | SYS_ANY, M | SYS_ANY, STRANGE, SYS_GO, SYS, SYS_GO,
    /* 08 */ SYS, SYS, STRANGE, TRAPS, STRANGE, M | PLAIN, STRANGE, STRANGE,
    /* 10 */ M | LOAD, M | STORE, M | LOAD, M | STORE, M | LOAD, M | LOAD, M | LOAD, M | STORE,
    /* 18 */ M | PLAIN, M | PLAIN, M | ODD, M | ODD, FOUR(M | PLAIN),
    /* 20 */ FOUR(M | SYS), FOUR(STRANGE),
    /* 28 */ M | LOAD, M | STORE, M | LOAD, M | STORE, FOUR(M | LOAD),
    /* 30 */ FOUR(SYS), SYS_GO, SYS_GO, STRANGE, STRANGE, EIGHT(STRANGE),
    /* 40 */ SIXTEEN(M | LOAD),
    /* 50 */ SIXTEEN(M | LOAD),
    /* 60 */ SIXTEEN(M | LOAD),
    /* 70 */ FOUR(I8 | M | LOAD), M | LOAD, M | LOAD, M | LOAD, PLAIN,
    /* 78 */ FOUR(STRANGE), M | LOAD, M | LOAD, M | STORE, M | STORE,
    /* 80 */ SIXTEEN(IZ | BRANCH_REL),
    /* 90 */ SIXTEEN(M | STORE),
    /* a0 */ WRITES, SYS_ANY, SYS, M | LOAD, I8 | M | STORE, M | STORE, STRANGE, STRANGE,
    /* a8 */ WRITES, SYS_ANY, SYS_GO, M | STORE, I8 | M | STORE, M | STORE, M | GROUP, M | LOAD,
    /* b0 */ M | STORE, M | STORE, M | SYS_ANY, M | STORE, M | SYS_ANY, M | SYS_ANY, M | LOAD, M | LOAD,
    /* b8 */ M | LOAD, M | TRAPS, I8 | M | GROUP, M | STORE, FOUR(M | LOAD),
    /* c0 */ M | STORE, M | STORE, I8 | M | LOAD, M | STORE, I8 | M | LOAD, I8 | M | LOAD, I8 | M | LOAD, M | GROUP,
    /* c8 */ EIGHT(PLAIN),
    /* d0 */ FOUR(M | LOAD), M | LOAD, M | LOAD, M | STORE, M | LOAD,
    /* d8 */ EIGHT(M | LOAD),
    /* e0 */ FOUR(M | LOAD), M | LOAD, M | LOAD, M | LOAD, M | STORE,
    /* e8 */ EIGHT(M | LOAD),
    /* f0 */ FOUR(M | LOAD), M | LOAD, M | LOAD, M | LOAD, M | ODD,
    /* f8 */ FOUR(M | LOAD), M | LOAD, M | LOAD, M | LOAD, STRANGE,
};
/* clang-format on */

/* Ranges of opcodes after 0f 38 and 0f 3a that read their operand; correct_kind() identifies those that write it. */
struct range {
    uint8_t first;
    uint8_t last;
};
static const struct range map_38[] = {{0x00, 0x0b}, {0x10, 0x10}, {0x14, 0x15}, {0x17, 0x17}, {0x1c, 0x1e},
                                      {0x20, 0x25}, {0x28, 0x2b}, {0x30, 0x35}, {0x37, 0x41}, {0xc8, 0xcd},
                                      {0xcf, 0xcf}, {0xdb, 0xdf}, {0xf0, 0xf1}, {0xf6, 0xf6}};
static const struct range map_3a[] = {{0x08, 0x0f}, {0x14, 0x17}, {0x20, 0x22}, {0x40, 0x42}, {0x44, 0x44},
                                      {0x60, 0x63}, {0xcc, 0xcc}, {0xce, 0xcf}, {0xdf, 0xdf}};
/* With VEX there are more; masked loads and stores (2c to 2f, 8c, 8e) and gathers are left out. */
static const struct range map_vex_38[] = {
    {0x00, 0x0f}, {0x13, 0x13}, {0x16, 0x1a}, {0x1c, 0x1e}, {0x20, 0x25}, {0x28, 0x2b}, {0x30, 0x41}, {0x45, 0x47},
    {0x58, 0x5a}, {0x78, 0x79}, {0x96, 0x9f}, {0xa6, 0xaf}, {0xb6, 0xbf}, {0xdb, 0xdf}, {0xf2, 0xf3}, {0xf5, 0xf7}};
static const struct range map_vex_3a[] = {{0x00, 0x02}, {0x04, 0x06}, {0x08, 0x0f}, {0x14, 0x19}, {0x1d, 0x1d},
                                          {0x20, 0x22}, {0x38, 0x39}, {0x40, 0x42}, {0x44, 0x44}, {0x46, 0x46},
                                          {0x4a, 0x4c}, {0x60, 0x63}, {0xdf, 0xdf}, {0xf0, 0xf0}};

#define IN(ranges, opcode) in_ranges(ranges, sizeof(ranges) / sizeof((ranges)[0]), opcode)

static bool in_ranges(const struct range *ranges, size_t count, uint8_t opcode)
{
    for (size_t i = 0; i < count; i++) {
        if (opcode >= ranges[i].first && opcode <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

enum map { MAP_ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A };

/* An instruction that is being decoded. */
struct x86_insn {
    const uint8_t *bytes;
    unsigned length;
    unsigned at;        /* the next byte */
    unsigned mode;      /* 16, 32 or 64 */
    bool other_operand; /* 66 */
    bool other_address; /* 67 */
    bool repeat;        /* f3 */
    bool repeat_not;    /* f2 */
    bool wide;          /* REX.W */
    bool vex;
    bool has_operand;
    uint8_t map;
    uint8_t opcode;
    uint8_t modrm;
};

/* The next byte; 0 after the end, where `at` will then be too far. */
static uint8_t take(struct x86_insn *insn)
{
    uint8_t byte = insn->at < insn->length ? insn->bytes[insn->at] : 0;

    insn->at++;
    return byte;
}

static uint8_t peek(const struct x86_insn *insn)
{
    return insn->at < insn->length ? insn->bytes[insn->at] : 0;
}

static bool is_memory(const struct x86_insn *insn)
{
    return insn->has_operand && insn->modrm < 0xc0;
}

static unsigned reg_field(const struct x86_insn *insn)
{
    return insn->modrm >> 3 & 7;
}

/* Takes prefixes and returns the first byte of the opcode. */
static uint8_t take_prefixes(struct x86_insn *insn)
{
    while (insn->at < insn->length) {
        uint8_t byte = take(insn);
        switch (byte) {
        case 0x66:
            insn->other_operand = true;
            break;
        case 0x67:
            insn->other_address = true;
            break;
        case 0xf2:
            insn->repeat_not = true;
            break;
        case 0xf3:
            insn->repeat = true;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
        case 0xf0:
            break;
        default:
            if (insn->mode != 64 || byte >> 4 != 4) {
                return byte;
            }
            insn->wide = (byte & 8) != 0;
            continue;
        }
        insn->wide = false; /* a REX counts only right before the opcode */
    }
    insn->at = insn->length + 1;
    return 0;
}

/* After c4 or c5 that is no les or lds. */
static void take_vex(struct x86_insn *insn, uint8_t first)
{
    insn->vex = true;
    insn->map = MAP_0F;
    uint8_t byte = take(insn);
    if (first == 0xc4) {
        unsigned map = byte & 31;
        insn->map = map >= 1 && map <= 3 ? (uint8_t)map : MAP_ONE_BYTE;
        byte = take(insn);
    }
    insn->other_operand = (byte & 3) == 1;
    insn->repeat = (byte & 3) == 2;
    insn->repeat_not = (byte & 3) == 3;
    insn->opcode = take(insn);
}

static void take_opcode(struct x86_insn *insn)
{
    uint8_t byte = take_prefixes(insn);

    if ((byte == 0xc4 || byte == 0xc5) && (insn->mode == 64 || peek(insn) >= 0xc0)) {
        take_vex(insn, byte);
        return;
    }
    if (byte == 0x0f) {
        insn->map = MAP_0F;
        byte = take(insn);
        if (byte == 0x38 || byte == 0x3a) {
            insn->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
            byte = take(insn);
        }
    }
    insn->opcode = byte;
}

/* The table's entry for the opcode. */
static uint16_t find_entry(const struct x86_insn *insn)
{
    bool known;

    switch (insn->map) {
    case MAP_0F:
        if (insn->vex && (insn->opcode < 0x10 || (insn->opcode >= 0x18 && insn->opcode < 0x28) ||
                          (insn->opcode >= 0x30 && insn->opcode < 0x50) ||
                          (insn->opcode >= 0x80 && insn->opcode < 0xc2 && insn->opcode != 0xae))) {
            return STRANGE;
        }
        return two_byte[insn->opcode];
    case MAP_0F38:
        known = insn->vex ? IN(map_vex_38, insn->opcode) : IN(map_38, insn->opcode);
        return known ? M | LOAD : M | ODD;
    case MAP_0F3A:
        known = insn->vex ? IN(map_vex_3a, insn->opcode) : IN(map_3a, insn->opcode);
        return I8 | M | (known ? LOAD : ODD);
    default:
        return insn->vex ? (uint16_t)STRANGE : one_byte[insn->opcode];
    }
}

static unsigned operand_size(const struct x86_insn *insn)
{
    return (insn->mode == 16) == insn->other_operand || insn->wide ? 4 : 2;
}

static unsigned address_size(const struct x86_insn *insn)
{
    if (insn->mode == 64) {
        return insn->other_address ? 4 : 8;
    }
    return (insn->mode == 16) == insn->other_address ? 4 : 2;
}

static void take_modrm(struct x86_insn *insn)
{
    insn->modrm = take(insn);
    insn->has_operand = true;
    unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;

    if (mod == 3) {
        return;
    }
    if (address_size(insn) == 2) {
        insn->at += mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
        return;
    }
    if (rm == 4) {
        rm = take(insn) & 7; /* of the SIB byte: its base */
    }
    insn->at += mod == 1 ? 1 : mod == 2 || rm == 5 ? 4 : 0;
}

static void take_rest(struct x86_insn *insn, uint16_t entry)
{
    bool tests = (entry & 0xff) == GROUP && insn->map == MAP_ONE_BYTE && insn->opcode >= 0xf6 && insn->opcode <= 0xf7;

    if ((entry & M) != 0) {
        take_modrm(insn);
        if (tests && reg_field(insn) < 2) {
            insn->at += insn->opcode == 0xf6 ? 1 : operand_size(insn);
        }
    }
    insn->at += (entry & I8 ? 1 : 0) + (entry & I16 ? 2 : 0);
    insn->at += entry & IZ ? operand_size(insn) : 0;
    insn->at += entry & IV ? (insn->wide ? 8 : operand_size(insn)) : 0;
    insn->at += entry & IO ? address_size(insn) : 0;
    insn->at += entry & IP ? operand_size(insn) + 2 : 0;
}

static struct tcgrr_insn_class plain(void)
{
    return tcgrr_isa_class(NEVER, NEXT, NONE);
}

static struct tcgrr_insn_class operand(const struct x86_insn *insn, enum tcgrr_leave leave, enum tcgrr_direction access)
{
    return is_memory(insn) ? tcgrr_isa_class(leave == NEVER ? MEMORY : leave, NEXT, access)
                           : tcgrr_isa_class(leave, NEXT, NONE);
}

static struct tcgrr_insn_class odd(void)
{
    return tcgrr_isa_class(UNKNOWN, NEXT, EITHER);
}

/* d8 to df with an operand in memory: which of them store. */
static struct tcgrr_insn_class floating(const struct x86_insn *insn)
{
    static const uint8_t stores[8] = {0x00, 0xcc, 0x00, 0x8e, 0x00, 0xce, 0x00, 0xce}; /* bit n: reg field n */
    bool store = (stores[insn->opcode & 7] >> reg_field(insn) & 1) != 0;

    return operand(insn, SYSTEM, store ? WRITE : READ);
}

/* fe and ff. */
static struct tcgrr_insn_class group5(const struct x86_insn *insn)
{
    struct tcgrr_insn_class class;

    if (insn->opcode == 0xfe && reg_field(insn) > 1) {
        return tcgrr_isa_unknown();
    }
    switch (reg_field(insn)) {
    case 0:
    case 1:
        return operand(insn, NEVER, WRITE);
    case 2:
        class = tcgrr_isa_class(MEMORY, INDIRECT, WRITE);
        class.call = true;
        return class;
    case 3:
        class = tcgrr_isa_class(SYSTEM, INDIRECT, EITHER);
        class.call = true;
        return class;
    case 4:
        class = operand(insn, NEVER, READ);
        class.flow = INDIRECT;
        return class;
    case 5:
        return tcgrr_isa_class(SYSTEM, INDIRECT, EITHER);
    case 6:
        return tcgrr_isa_class(MEMORY, NEXT, WRITE);
    default:
        return tcgrr_isa_unknown();
    }
}

static struct tcgrr_insn_class group_one_byte(const struct x86_insn *insn)
{
    unsigned reg = reg_field(insn);

    switch (insn->opcode) {
    case 0x63: /* movsxd, or arpl */
        return insn->mode == 64 ? operand(insn, NEVER, READ) : odd();
    case 0x8f: /* pop; others are AMD's XOP */
        return reg == 0 ? tcgrr_isa_class(MEMORY, NEXT, is_memory(insn) ? WRITE : READ) : tcgrr_isa_unknown();
    case 0xc6:
    case 0xc7: /* mov; others are transactions */
        return reg == 0 ? operand(insn, NEVER, WRITE) : tcgrr_isa_unknown();
    case 0xf6:
    case 0xf7: /* test, not, neg, mul, imul, div, idiv */
        return reg >= 6 ? operand(insn, SYSTEM, READ) : operand(insn, NEVER, reg == 2 || reg == 3 ? WRITE : READ);
    case 0xfe:
    case 0xff:
        return group5(insn);
    default: /* 80 to 83: arithmetic and cmp */
        return operand(insn, NEVER, reg == 7 ? READ : WRITE);
    }
}

/* 0f 01: descriptor tables, virtual machines. */
static struct tcgrr_insn_class group7(const struct x86_insn *insn)
{
    static const uint8_t sequential[] = {0xc8, 0xc9, 0xca, 0xcb, 0xd0, 0xd1, 0xee, 0xef, 0xf8, 0xf9};

    for (size_t i = 0; i < sizeof(sequential); i++) { /* monitor, mwait, clac, stac, xgetbv, …, swapgs, rdtscp */
        if (insn->modrm == sequential[i]) {
            return tcgrr_isa_class(SYSTEM, NEXT, EITHER);
        }
    }
    bool moves = !is_memory(insn) && reg_field(insn) != 4 && reg_field(insn) != 6; /* no smsw, lmsw */
    return tcgrr_isa_class(SYSTEM, moves ? INDIRECT : NEXT, EITHER);
}

/* 0f ae: fences, and the states of the floating-point units. */
static struct tcgrr_insn_class group15(const struct x86_insn *insn)
{
    unsigned reg = reg_field(insn);

    if (is_memory(insn)) {
        return tcgrr_isa_class(SYSTEM, NEXT, reg == 2 ? READ : reg == 3 ? WRITE : EITHER); /* ldmxcsr, stmxcsr */
    }
    bool fence = reg >= 5 && !insn->repeat && !insn->repeat_not && !insn->other_operand;
    return tcgrr_isa_class(fence ? NEVER : SYSTEM, NEXT, NONE);
}

static struct tcgrr_insn_class group_two_byte(const struct x86_insn *insn)
{
    unsigned reg = reg_field(insn);

    switch (insn->opcode) {
    case 0x01:
        return group7(insn);
    case 0xae:
        return group15(insn);
    case 0xba: /* bt, bts, btr, btc */
        return reg < 4 ? tcgrr_isa_unknown() : operand(insn, NEVER, reg == 4 ? READ : WRITE);
    default: /* c7: cmpxchg8b; cmpxchg16b checks its alignment; rdrand, rdseed, rdpid */
        if (is_memory(insn)) {
            return reg == 1 ? tcgrr_isa_class(insn->wide ? SYSTEM : MEMORY, NEXT, WRITE) : odd();
        }
        return reg >= 6 ? tcgrr_isa_class(SYSTEM, NEXT, NONE) : tcgrr_isa_unknown();
    }
}

/* The signed displacement of a relative branch, which are the last bytes. */
static int64_t displacement(const struct x86_insn *insn, uint16_t entry)
{
    const uint8_t *end = insn->bytes + insn->length;

    return entry & I8 ? tcgrr_isa_signed(end[-1], 8) : tcgrr_isa_signed(tcgrr_isa_load32(end - 4), 32);
}

/* A relative branch. Its target is only sure with 32-bit and 64-bit instruction pointers: 16-bit ones wrap in their
 * segment. */
static struct tcgrr_insn_class relative(const struct x86_insn *insn, uint16_t entry, uint64_t pc)
{
    enum kind kind = entry & 0xff;
    struct tcgrr_insn_class class = tcgrr_isa_class(NEVER, kind == BRANCH_REL ? BRANCH : JUMP, NONE);

    if (kind == CALL_REL) {
        class = tcgrr_isa_class(MEMORY, JUMP, WRITE);
        class.call = true;
    }
    if (insn->mode == 16 || insn->other_operand) {
        class.flow = INDIRECT;
        return class;
    }
    class.target = pc + insn->length + (uint64_t)displacement(insn, entry);
    if (insn->mode == 32) {
        class.target &= 0xffffffff;
    }
    return class;
}

static struct tcgrr_insn_class string(const struct x86_insn *insn, enum kind kind, uint64_t pc)
{
    struct tcgrr_insn_class class = kind == STRING_PORT   ? tcgrr_isa_class(SYSTEM, NEXT, EITHER)
                                    : kind == STRING_READ ? tcgrr_isa_class(MEMORY, NEXT, READ)
                                                          : tcgrr_isa_class(MEMORY, NEXT, WRITE);

    if (insn->repeat || insn->repeat_not) { /* QEMU runs one round and comes back to the same address */
        class.flow = BRANCH;
        class.target = pc;
    }
    return class;
}

/* Opcodes whose prefixes or maps make them something other than their table's entry says. */
static enum kind correct_kind(const struct x86_insn *insn, enum kind kind)
{
    if (insn->map == MAP_ONE_BYTE && insn->opcode == 0x90 && insn->repeat) {
        return SYS; /* pause */
    }
    if (insn->map == MAP_0F && insn->opcode == 0x7e && insn->repeat) {
        return LOAD; /* movq */
    }
    if (insn->map == MAP_0F38 && insn->opcode == 0xf1 && !insn->vex && !insn->repeat_not) {
        return STORE; /* movbe; with f2 it is crc32 */
    }
    if (insn->map == MAP_0F3A && kind == LOAD) {
        bool extracts = insn->opcode >= 0x14 && insn->opcode <= 0x17;
        bool vex_extracts = insn->opcode == 0x19 || insn->opcode == 0x1d || insn->opcode == 0x39;
        return extracts || (insn->vex && vex_extracts) ? STORE : LOAD;
    }
    return kind;
}

static struct tcgrr_insn_class class_of_kind(const struct x86_insn *insn, enum kind kind)
{
    switch (kind) {
    case PLAIN:
        return plain();
    case LOAD:
        return operand(insn, NEVER, READ);
    case STORE:
        return operand(insn, NEVER, WRITE);
    case READS:
        return tcgrr_isa_class(MEMORY, NEXT, READ);
    case WRITES:
        return tcgrr_isa_class(MEMORY, NEXT, WRITE);
    case SYS:
        return tcgrr_isa_class(SYSTEM, NEXT, NONE);
    case SYS_LOAD:
    case SYS_READS:
        return tcgrr_isa_class(SYSTEM, NEXT, READ);
    case SYS_WRITES:
        return tcgrr_isa_class(SYSTEM, NEXT, WRITE);
    case SYS_ANY:
        return tcgrr_isa_class(SYSTEM, NEXT, EITHER);
    case SYS_GO:
        return tcgrr_isa_class(SYSTEM, INDIRECT, EITHER);
    case TRAPS:
        return tcgrr_isa_class(TRAP, INDIRECT, NONE);
    case FLOAT:
        return floating(insn);
    case RETURN:
        return tcgrr_isa_class(MEMORY, INDIRECT, READ);
    case ODD:
        return odd();
    case GROUP:
        return insn->map == MAP_ONE_BYTE ? group_one_byte(insn) : group_two_byte(insn);
    default:
        return tcgrr_isa_unknown();
    }
}

/*
 * Decodes one instruction in code of `mode` bits. Returns whether it can be one; what is not known can be anything, and
 * so can the undefined at a block's end.
 */
static bool decode(unsigned mode, uint64_t pc, const uint8_t *bytes, unsigned length, bool last,
                   struct tcgrr_insn_class *class)
{
    struct x86_insn insn = {.bytes = bytes, .length = length, .mode = mode};

    *class = tcgrr_isa_unknown();
    take_opcode(&insn);
    if (insn.at > length) {
        return false;
    }
    uint16_t entry = find_entry(&insn);
    enum kind kind = correct_kind(&insn, entry & 0xff);
    if (kind == STRANGE) {
        return true;
    }
    if (mode == 64 && (entry & NO64) != 0 && !insn.vex) {
        return last;
    }
    take_rest(&insn, entry);
    if (insn.at != length) {
        return false;
    }
    if (kind == JUMP_REL || kind == BRANCH_REL || kind == CALL_REL) {
        *class = relative(&insn, entry, pc);
    } else if (kind == STRING_READ || kind == STRING_WRITE || kind == STRING_PORT) {
        *class = string(&insn, kind, pc);
    } else {
        *class = class_of_kind(&insn, kind);
    }
    return true;
}

/* Whether a block can be code of `mode` bits. */
static bool fits(unsigned mode, uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count)
{
    struct tcgrr_insn_class class;

    for (size_t i = 0; i < count; i++) {
        if (!decode(mode, pc, bytes, lengths[i], i + 1 == count, &class)) {
            return false;
        }
        bytes += lengths[i];
    }
    return true;
}

static const unsigned modes[3] = {64, 32, 16};

/* Finds the sizes that the code of a block can have. Returns whether there is any. */
static bool find_modes(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count, bool possible[3])
{
    bool any = false;

    for (size_t m = 0; m < 3; m++) { /* only 64-bit code lies above 4 GB */
        possible[m] = (modes[m] == 64 || pc >> 32 == 0) && fits(modes[m], pc, bytes, lengths, count);
        any = any || possible[m];
    }
    return any;
}

void tcgrr_isa_classify_x86(uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                            struct tcgrr_insn_class *out)
{
    bool possible[3];

    if (count > 0 && !find_modes(pc, bytes, lengths, count, possible)) {
        find_modes(pc, bytes, lengths, count - 1, possible); /* how much QEMU reads of an undefined one is its affair */
    }
    for (size_t i = 0; i < count; i++) {
        bool any = false;
        out[i] = tcgrr_isa_unknown();
        for (size_t m = 0; m < 3; m++) {
            struct tcgrr_insn_class class;
            if (possible[m]) {
                decode(modes[m], pc, bytes, lengths[i], i + 1 == count, &class);
                out[i] = any ? tcgrr_isa_merge(out[i], class) : class;
                any = true;
            }
        }
        bytes += lengths[i];
        pc += lengths[i];
    }
}
