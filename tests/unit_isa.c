/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/isa/isa.h: single instructions by tables, then what depends on the block around them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "store/isa/isa.h"
#include "tests/isa_rows.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MAX_INSNS = 16 };

/* A block, put together from the hexadecimal digits of its instructions. */
struct block {
    uint8_t bytes[MAX_INSNS * 16];
    uint8_t lengths[MAX_INSNS];
    size_t size;
    size_t count;
};

static void append(struct block *block, const char *hex)
{
    size_t length = strlen(hex) / 2;

    for (size_t i = 0; i < length; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        block->bytes[block->size++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    block->lengths[block->count++] = (uint8_t)length;
}

/* Classifies the instructions named, up to a NULL, as one block. The bytes are copied to where a reader beyond their
 * end is noticed. */
static void classify(enum tcgrr_isa isa, uint64_t pc, const char *const *insns, struct tcgrr_insn_class *out)
{
    struct block block = {0};

    for (size_t i = 0; insns[i] != NULL; i++) {
        append(&block, insns[i]);
    }
    uint8_t *bytes = malloc(block.size), *lengths = malloc(block.count);
    memcpy(bytes, block.bytes, block.size);
    memcpy(lengths, block.lengths, block.count);
    memset(out, 0xee, block.count * sizeof(*out));
    tcgrr_isa_classify(isa, pc, bytes, lengths, block.count, out);
    free(bytes);
    free(lengths);
}

/* Where and after what the instructions of a table are tried. */
struct place {
    enum tcgrr_isa isa;
    uint64_t pc;
    const char *before[3];
};

static bool row_holds(const struct place *place, const struct row *row)
{
    const char *insns[4] = {NULL};
    struct tcgrr_insn_class out[4];
    uint64_t pc = place->pc;
    size_t n = 0;

    for (; place->before[n] != NULL; n++) {
        insns[n] = place->before[n];
        pc += strlen(insns[n]) / 2;
    }
    insns[n] = row->hex;
    classify(place->isa, place->pc, insns, out);
    const struct tcgrr_insn_class *got = &out[n];
    bool targets = row->flow == JUMP || row->flow == BRANCH;
    if (got->leave == row->leave && got->flow == row->flow && got->access == row->access && got->call == row->call &&
        (!targets || got->target == pc + (uint64_t)row->offset)) {
        return true;
    }
    print_error("%s (%s): leave %u flow %u access %u call %d target %+lld, not %u %u %u %d %+lld\n", row->text,
                row->hex, got->leave, got->flow, got->access, got->call, (long long)(got->target - pc), row->leave,
                row->flow, row->access, row->call, (long long)row->offset);
    return false;
}

static void check_rows(const struct place *place, const struct row *rows, size_t count)
{
    size_t wrong = 0;

    for (size_t i = 0; i < count; i++) {
        wrong += !row_holds(place, &rows[i]);
    }
    assert_int_equal(wrong, 0);
}

static void test_aarch64(void **state)
{
    (void)state;
    struct place place = {TCGRR_ISA_AARCH64, 0xffff800008010000, {NULL}};
    check_rows(&place, aarch64_rows, COUNT(aarch64_rows));
}

static void test_a32(void **state)
{
    (void)state;
    struct place place = {TCGRR_ISA_ARM, 0x40001000, {"0000a0e1", NULL}}; /* nop: no T32 instruction */
    check_rows(&place, a32_rows, COUNT(a32_rows));
}

static void test_t32(void **state)
{
    (void)state;
    struct place place = {TCGRR_ISA_ARM, 0x40001000, {"00bf", NULL}};
    check_rows(&place, t32_rows, COUNT(t32_rows));
    place.isa = TCGRR_ISA_AARCH64;
    check_rows(&place, t32_rows, COUNT(t32_rows));
}

static void test_riscv(void **state)
{
    (void)state;
    struct place place = {TCGRR_ISA_RISCV, 0xffffffff80200000, {NULL}};
    check_rows(&place, riscv_rows, COUNT(riscv_rows));
    check_rows(&place, rvc_rows, COUNT(rvc_rows));
    place.pc = 0x80000000;
    check_rows(&place, riscv_rows, COUNT(riscv_rows));
}

static void test_x86_64(void **state)
{
    (void)state;
    struct place place = {TCGRR_ISA_X86, 0xffffffff81000000, {NULL}};
    check_rows(&place, x86_64_rows, COUNT(x86_64_rows));
}

static void test_i386(void **state)
{
    (void)state;
    struct place place = {TCGRR_ISA_X86, 0x08048000, {"40", "b878563412", NULL}}; /* inc eax; mov eax, 0x12345678 */
    check_rows(&place, i386_rows, COUNT(i386_rows));
}

static void test_targets(void **state)
{
    (void)state;
    assert_int_equal(tcgrr_isa_of_target("aarch64"), TCGRR_ISA_AARCH64);
    assert_int_equal(tcgrr_isa_of_target("arm"), TCGRR_ISA_ARM);
    assert_int_equal(tcgrr_isa_of_target("riscv64"), TCGRR_ISA_RISCV);
    assert_int_equal(tcgrr_isa_of_target("riscv32"), TCGRR_ISA_RISCV);
    assert_int_equal(tcgrr_isa_of_target("x86_64"), TCGRR_ISA_X86);
    assert_int_equal(tcgrr_isa_of_target("i386"), TCGRR_ISA_X86);
    assert_int_equal(tcgrr_isa_of_target("aarch64_be"), TCGRR_ISA_UNKNOWN);
    assert_int_equal(tcgrr_isa_of_target("armeb"), TCGRR_ISA_UNKNOWN);
    assert_int_equal(tcgrr_isa_of_target("ppc64"), TCGRR_ISA_UNKNOWN);
    assert_int_equal(tcgrr_isa_of_target(""), TCGRR_ISA_UNKNOWN);
}

static void test_waits(void **state)
{
    (void)state;
    static const struct {
        const char *target, *bytes;
        uint8_t length;
        const char *text;
        enum tcgrr_leave leave;
    } rows[] = {
        {"sh4", "\x1b\x00", 2, "sleep", TCGRR_LEAVE_WAIT},
        {"sh4", "\x00\x1b", 2, "sleep", UNKNOWN},
        {"sh4eb", "\x00\x1b", 2, NULL, TCGRR_LEAVE_WAIT},
        {"sh4eb", "\x00\x09", 2, NULL, UNKNOWN}, /* nop */
        {"rx", "\x7f\x96", 2, NULL, TCGRR_LEAVE_WAIT},
        {"rx", "\x7f\x95", 2, NULL, UNKNOWN}, /* rte */
        {"rx", NULL, 0, "wait\nnop", TCGRR_LEAVE_WAIT},
        {"rx", NULL, 0, "waits", UNKNOWN},
        {"rx", NULL, 0, NULL, UNKNOWN},
        {"sh4", NULL, 0, "wait", UNKNOWN},
        {"sparc", "\xa7\x80\x00\x00", 4, NULL, TCGRR_LEAVE_WAIT}, /* wr %g0, %asr19 */
        {"sparc", "\xa7\x80\x20\x05", 4, NULL, TCGRR_LEAVE_WAIT}, /* wr %g0, 5, %asr19 */
        {"sparc", "\xa5\x80\x00\x00", 4, NULL, UNKNOWN},          /* wr %g0, %asr18 */
        {"sparc64", "\xa7\x80\x00\x00", 4, NULL, UNKNOWN},
        {"or1k", "\xc1\x00\x18\x00", 4, NULL, TCGRR_LEAVE_DOZE},
        {"or1k", "\xc1\x40\x18\x00", 4, NULL, UNKNOWN},    /* TTMR */
        {"aarch64", "\x7f\x20\x03\xd5", 4, NULL, UNKNOWN}, /* QEMU ends its block with it */
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(tcgrr_isa_waits(rows[i].target, (const uint8_t *)rows[i].bytes, rows[i].length, rows[i].text),
                         rows[i].leave);
    }
}

static void test_only_goes_on(void **state)
{
    (void)state;
    static const struct {
        const char *target, *bytes;
        bool goes_on;
    } rows[] = {
        {"avr", "\x00\x93\x81\x00", true}, /* sts 129, r16 */
        {"avr", "\x0f\x93", true},         /* push r16 */
        {"avr", "\x8f\x91", true},         /* pop r24 */
        {"avr", "\x88\x83", true},         /* st Y, r24 */
        {"avr", "\x8a\xa1", true},         /* ldd r24, Y+34 */
        {"avr", "\x08\x95", false},        /* ret */
        {"avr", "\xff\xcf", false},        /* rjmp .-2 */
        {"avr", "\x0f\xef", false},        /* ldi r16, 255, which accesses nothing */
        {"sh4", "\x00\x93", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t length = i == 0 ? 4 : 2;
        assert_int_equal(tcgrr_isa_only_goes_on(rows[i].target, (const uint8_t *)rows[i].bytes, length),
                         rows[i].goes_on);
    }
    assert_false(tcgrr_isa_only_goes_on("avr", NULL, 0));
}

static void test_lengths(void **state)
{
    (void)state;
    const uint8_t odd[] = {0x01, 0}, even[] = {0x10, 0};

    assert_int_equal(tcgrr_isa_length("microblaze", even, NULL), 4);
    assert_int_equal(tcgrr_isa_length("loongarch64", even, "lu12i.w"), 4);
    assert_int_equal(tcgrr_isa_length("xtensa", even, "movi.n a2, 64"), 1);
    assert_int_equal(tcgrr_isa_length("tricore", odd, NULL), 4);
    assert_int_equal(tcgrr_isa_length("tricore", even, NULL), 2);
    assert_int_equal(tcgrr_isa_length("rx", even, "fb 82 00 80 08 00 mov.l #0x00088000, r8"), 6);
    assert_int_equal(tcgrr_isa_length("rx", even, "03 nop"), 1);
    assert_int_equal(tcgrr_isa_length("rx", even, "add #1, r1"), 0);
    assert_int_equal(tcgrr_isa_length("rx", even, NULL), 0);
    assert_int_equal(tcgrr_isa_length("cris", even, "00 00 nop"), 0);
}

static void test_unknown(void **state)
{
    (void)state;
    struct tcgrr_insn_class out[2];

    classify(TCGRR_ISA_UNKNOWN, 0, (const char *[]){"00000000", "6000", NULL}, out);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(out[i].leave, UNKNOWN);
        assert_int_equal(out[i].flow, INDIRECT);
        assert_int_equal(out[i].access, EITHER);
    }
    for (int isa = TCGRR_ISA_UNKNOWN; isa <= TCGRR_ISA_X86; isa++) {
        tcgrr_isa_classify((enum tcgrr_isa)isa, 0, NULL, NULL, 0, NULL);
    }
}

/* Words that may be A32 or T32 get a class that holds for both. */
static void test_a32_or_t32(void **state)
{
    (void)state;
    struct tcgrr_insn_class out[2];

    classify(TCGRR_ISA_ARM, 0x8000, (const char *[]){"1eff2fe1", NULL}, out); /* bx lr, or Advanced SIMD */
    assert_int_equal(out[0].leave, UNKNOWN);
    assert_int_equal(out[0].flow, INDIRECT);
    classify(TCGRR_ISA_ARM, 0x8000, (const char *[]){"0000a0e1", "1eff2fe1", NULL}, out); /* A32 for sure */
    assert_int_equal(out[1].leave, NEVER);
    assert_int_equal(out[1].flow, INDIRECT);
    classify(TCGRR_ISA_ARM, 0x8000, (const char *[]){"4ff00100", NULL}, out); /* mov.w r0, #1, or andeq */
    assert_int_equal(out[0].leave, NEVER);
    assert_int_equal(out[0].flow, INDIRECT);                                  /* the andeq is to pc */
    classify(TCGRR_ISA_ARM, 0x8002, (const char *[]){"4ff00100", NULL}, out); /* T32 by its address */
    assert_int_equal(out[0].leave, NEVER);
    assert_int_equal(out[0].flow, NEXT);
}

/* AArch32 code of a 64-bit machine, and A64 code that lies where AArch32 code could. */
static void test_aarch64_low(void **state)
{
    (void)state;
    struct tcgrr_insn_class out[4];

    classify(TCGRR_ISA_AARCH64, 0x40080000, (const char *[]){"1f0001eb", "41000054", NULL}, out); /* cmp; b.ne */
    assert_int_equal(out[0].leave, NEVER); /* in A32 it would be bl, which ends a block */
    assert_int_equal(out[0].flow, NEXT);
    assert_int_equal(out[1].flow, BRANCH);
    assert_int_equal(out[1].target, 0x4008000c);
    classify(TCGRR_ISA_AARCH64, 0x40080000, (const char *[]){"200040f9", "000080d2", "c0035fd6", NULL}, out);
    assert_int_equal(out[0].leave, MEMORY); /* ldr; mov; ret */
    assert_int_equal(out[1].leave, NEVER);
    assert_int_equal(out[2].leave, NEVER);

    classify(TCGRR_ISA_AARCH64, 0x8000, (const char *[]){"0100a0e3", "041080e5", "1eff2fe1", NULL}, out);
    assert_int_not_equal(out[1].leave, NEVER); /* mov r0, #1; str r1, [r0, #4]; bx lr */
    assert_int_equal(out[1].access & WRITE, WRITE);
    assert_int_equal(out[2].flow, INDIRECT);
    classify(TCGRR_ISA_AARCH64, 0x8000, (const char *[]){"000051e3", "0200001a", NULL}, out); /* cmp r1, #0; bne */
    assert_int_equal(out[1].flow, BRANCH);
    assert_int_equal(out[1].target, 0x8014);
    classify(TCGRR_ISA_AARCH64, 0x8000, (const char *[]){"0200000a", NULL}, out); /* beq, or and w0, w0, w0 */
    assert_int_equal(out[0].flow, BRANCH);
    assert_int_equal(out[0].target, 0x8010);
    classify(TCGRR_ISA_AARCH64, 0x8000, (const char *[]){"0868", "7047", NULL}, out); /* ldr r0, [r1]; bx lr */
    assert_int_equal(out[0].leave, MEMORY);
    assert_int_equal(out[1].flow, INDIRECT);
}

/* c.jal of RV32 is c.addiw in RV64. */
static void test_riscv_widths(void **state)
{
    (void)state;
    struct tcgrr_insn_class out[2];

    classify(TCGRR_ISA_RISCV, 0x80000000, (const char *[]){"0120", NULL}, out); /* c.jal 0, or c.addiw zero */
    assert_int_equal(out[0].leave, NEVER);
    assert_int_equal(out[0].flow, BRANCH);
    assert_int_equal(out[0].target, 0x80000000);
    assert_false(out[0].call);
    classify(TCGRR_ISA_RISCV, 0x80000000, (const char *[]){"0125", "8280", NULL}, out); /* c.addiw a0, 0; ret */
    assert_int_equal(out[0].flow, NEXT);
    classify(TCGRR_ISA_RISCV, 0xffffffff80000000, (const char *[]){"0125", NULL}, out);
    assert_int_equal(out[0].flow, NEXT);
    classify(TCGRR_ISA_RISCV, 0x10, (const char *[]){"6ff0dffc", NULL}, out); /* jal x0, -0x34: the two differ */
    assert_int_equal(out[0].flow, INDIRECT);
    classify(TCGRR_ISA_RISCV, 0x10, (const char *[]){"1300", NULL}, out); /* half of an addi */
    assert_int_equal(out[0].leave, UNKNOWN);
}

/* The size of the code is told by the block. */
static void test_x86_modes(void **state)
{
    (void)state;
    struct tcgrr_insn_class out[4];

    classify(TCGRR_ISA_X86, 0x7c00, (const char *[]){"7410", NULL}, out); /* je in code of any size */
    assert_int_equal(out[0].leave, NEVER);
    assert_int_equal(out[0].flow, INDIRECT);
    classify(TCGRR_ISA_X86, 0x100007c00, (const char *[]){"7410", NULL}, out); /* 64-bit by its address */
    assert_int_equal(out[0].flow, BRANCH);
    assert_int_equal(out[0].target, 0x100007c12);
    classify(TCGRR_ISA_X86, 0x7c00, (const char *[]){"b878563412", "7410", NULL}, out); /* mov eax: 32 or 64 bits */
    assert_int_equal(out[1].flow, BRANCH);
    assert_int_equal(out[1].target, 0x7c17);
    classify(TCGRR_ISA_X86, 0x7c00, (const char *[]){"b878563412", "e900f0ffff", NULL}, out);
    assert_int_equal(out[1].flow, JUMP);
    assert_int_equal(out[1].target, 0x6c0a);
    classify(TCGRR_ISA_X86, 0x100, (const char *[]){"b878563412", "e900f0ffff", NULL}, out); /* they wrap differently */
    assert_int_equal(out[1].flow, INDIRECT);
    classify(TCGRR_ISA_X86, 0x100, (const char *[]){"40", "b878563412", "e900f0ffff", NULL}, out); /* 32 bits */
    assert_int_equal(out[2].flow, JUMP);
    assert_int_equal(out[2].target, 0xfffff10b);
    classify(TCGRR_ISA_X86, 0x7c00, (const char *[]){"b83412", "e80100", NULL}, out); /* 16 bits */
    assert_int_equal(out[0].leave, NEVER);
    assert_int_equal(out[1].leave, MEMORY);
    assert_int_equal(out[1].flow, INDIRECT);
    assert_true(out[1].call);
    classify(TCGRR_ISA_X86, 0x7c00, (const char *[]){"8ed8", "8b4604", "668b4604", NULL},
             out); /* mov ds; mov ax, [bp+4] */
    assert_int_equal(out[0].leave, SYSTEM);
    assert_int_equal(out[1].leave, MEMORY);
    assert_int_equal(out[2].leave, MEMORY);
    classify(TCGRR_ISA_X86, 0x100007c00, (const char *[]){"89c0", "0fb9", NULL},
             out); /* ud1, of which QEMU reads less */
    assert_int_equal(out[0].leave, NEVER);
    assert_int_equal(out[1].leave, UNKNOWN);
    classify(TCGRR_ISA_X86, 0x100007c00, (const char *[]){"488b", "0f", NULL}, out); /* nonsense */
    assert_int_equal(out[0].leave, UNKNOWN);
    assert_int_equal(out[1].leave, UNKNOWN);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Any bytes and lengths give some class and touch nothing else. */
static void test_any_bytes(void **state)
{
    (void)state;
    uint32_t seed = 1;

    for (int round = 0; round < 20000; round++) {
        enum tcgrr_isa isa = (enum tcgrr_isa)(next_random(&seed) % 5);
        size_t count = next_random(&seed) % 5, size = 0;
        uint8_t *lengths = malloc(count + 1);
        for (size_t i = 0; i < count; i++) {
            size += lengths[i] = next_random(&seed) % 3 ? 2 + next_random(&seed) % 2 * 2 : next_random(&seed) % 16;
        }
        uint8_t *bytes = malloc(size);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)next_random(&seed);
        }
        struct tcgrr_insn_class out[5];
        memset(out, 0xee, sizeof(out));
        tcgrr_isa_classify(isa, next_random(&seed), bytes, lengths, count, out);
        for (size_t i = 0; i < count; i++) {
            assert_in_range(out[i].leave, NEVER, UNKNOWN);
            assert_in_range(out[i].flow, NEXT, INDIRECT);
            assert_in_range(out[i].access, NONE, EITHER);
            assert_true(out[i].leave != MEMORY || out[i].access != NONE);
            assert_true(out[i].leave != NEVER || out[i].access == NONE);
        }
        assert_int_equal(out[count].leave, 0xee);
        free(lengths);
        free(bytes);
    }
}

struct transfer {
    enum tcgrr_isa isa;
    bool thumb;
    const char *insn;
    bool transfers;
};

/* Told by the instruction alone: what can fail, or be something else in another mode, is not one. */
static void test_transfers(void **state)
{
    static const struct transfer rows[] = {
        {TCGRR_ISA_AARCH64, false, "00000014", true},  /* b */
        {TCGRR_ISA_AARCH64, false, "e0ffff54", true},  /* b.eq */
        {TCGRR_ISA_AARCH64, false, "00000094", true},  /* bl */
        {TCGRR_ISA_AARCH64, false, "c0035fd6", true},  /* ret */
        {TCGRR_ISA_AARCH64, false, "a1fcff54", true},  /* b.ne: as A32, ldrb */
        {TCGRR_ISA_AARCH64, false, "1f2003d5", false}, /* nop */
        {TCGRR_ISA_AARCH64, false, "000000ea", false}, /* ands: as A32, b */
        {TCGRR_ISA_AARCH64, false, "010000d4", false}, /* svc */
        {TCGRR_ISA_AARCH64, false, "e0039fd6", false}, /* eret */
        {TCGRR_ISA_ARM, false, "feffffea", true},      /* b: as T32, a coprocessor instruction */
        {TCGRR_ISA_ARM, true, "feffffea", false},      {TCGRR_ISA_ARM, true, "fff7febf", true}, /* b.w */
        {TCGRR_ISA_ARM, false, "fff7febf", false},                                              /* as A32, svclt */
        {TCGRR_ISA_ARM, true, "7047", true},                                                    /* bx lr */
        {TCGRR_ISA_ARM, true, "00bf", false},                                                   /* nop */
        {TCGRR_ISA_ARM, true, "00bd", false},         /* pop {pc}: it can fault */
        {TCGRR_ISA_RISCV, false, "6f000000", true},   /* j */
        {TCGRR_ISA_RISCV, false, "e30a05fe", true},   /* beqz */
        {TCGRR_ISA_RISCV, false, "67800000", true},   /* ret */
        {TCGRR_ISA_RISCV, false, "01a0", true},       /* c.j */
        {TCGRR_ISA_RISCV, false, "8280", true},       /* c.jr ra */
        {TCGRR_ISA_RISCV, false, "0125", false},      /* c.jal of RV32 is c.addiw of RV64 */
        {TCGRR_ISA_RISCV, false, "73000000", false},  /* ecall */
        {TCGRR_ISA_RISCV, false, "73002030", false},  /* mret */
        {TCGRR_ISA_X86, false, "ebfe", true},         /* jmp */
        {TCGRR_ISA_X86, false, "75fe", true},         /* jne */
        {TCGRR_ISA_X86, false, "0f8500000000", true}, /* jne */
        {TCGRR_ISA_X86, false, "41ffe4", true},       /* jmp *%r12 */
        {TCGRR_ISA_X86, false, "ff20", false},        /* jmp *(%rax) */
        {TCGRR_ISA_X86, false, "e800000000", false},  /* call */
        {TCGRR_ISA_X86, false, "c3", false},          /* ret */
        {TCGRR_ISA_X86, false, "f3a4", false},        /* rep movsb */
        {TCGRR_ISA_X86, false, "90", false},          /* nop */
        {TCGRR_ISA_UNKNOWN, false, "00000014", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct block block = {0};
        append(&block, rows[i].insn);
        if (tcgrr_isa_transfers(rows[i].isa, rows[i].thumb, 0x80000000, block.bytes, block.lengths[0]) !=
            rows[i].transfers) {
            fail_msg("%s in row %zu", rows[i].insn, i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aarch64),     cmocka_unit_test(test_a32),          cmocka_unit_test(test_t32),
        cmocka_unit_test(test_riscv),       cmocka_unit_test(test_x86_64),       cmocka_unit_test(test_i386),
        cmocka_unit_test(test_targets),     cmocka_unit_test(test_waits),        cmocka_unit_test(test_only_goes_on),
        cmocka_unit_test(test_lengths),     cmocka_unit_test(test_unknown),      cmocka_unit_test(test_a32_or_t32),
        cmocka_unit_test(test_aarch64_low), cmocka_unit_test(test_riscv_widths), cmocka_unit_test(test_x86_modes),
        cmocka_unit_test(test_any_bytes),   cmocka_unit_test(test_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
