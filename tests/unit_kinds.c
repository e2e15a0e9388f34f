/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of instructions, of x86 and arm, by encodings that are known; names of vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "store/isa/disasm.h"
#include "store/isa/vectors.h"

struct row {
    const char *bytes;
    uint8_t length;
    enum tcgrr_insn_kind kind;
    const char *text; /* for whoever reads this */
};

static const struct row x86[] = {
    {"\xe8\x00\x00\x00\x00", 5, TCGRR_INSN_CALL, "call"},
    {"\xc3", 1, TCGRR_INSN_RETURN, "ret"},
    {"\xcc", 1, TCGRR_INSN_TRAP, "int3"},
    {"\x48\xcf", 2, TCGRR_INSN_TRAP, "iretq"},
    {"\xeb\xfe", 2, TCGRR_INSN_BRANCH, "jmp"},
    {"\x74\x00", 2, TCGRR_INSN_BRANCH, "je"},
    {"\xf4", 1, TCGRR_INSN_SYSTEM, "hlt"},
    {"\x66\x0f\x38\xdc\xc1", 5, TCGRR_INSN_CRYPTO, "aesenc xmm0, xmm1"},
    {"\xc5\xfc\x58\xc1", 4, TCGRR_INSN_AVX, "vaddps ymm0, ymm0, ymm1"},
    {"\x0f\x58\xc1", 3, TCGRR_INSN_SSE, "addps xmm0, xmm1"},
    {"\x0f\x58\x00", 3, TCGRR_INSN_SSE, "addps xmm0, [rax]"},
    {"\x0f\xfc\xc1", 3, TCGRR_INSN_MMX, "paddb mm0, mm1"},
    {"\xd9\xe8", 2, TCGRR_INSN_FLOAT, "fld1"},
    {"\xc4\xe2\x78\xf3\xd9", 5, TCGRR_INSN_BITS, "blsi eax, ecx"},
    {"\x0f\xaf\xc1", 3, TCGRR_INSN_MULDIV, "imul eax, ecx"},
    {"\xf7\xf1", 2, TCGRR_INSN_MULDIV, "div ecx"},
    {"\x48\x8b\x00", 3, TCGRR_INSN_MEMORY, "mov rax, [rax]"},
    {"\x55", 1, TCGRR_INSN_MEMORY, "push rbp"},
    {"\x48\x8d\x04\x08", 4, TCGRR_INSN_OTHER, "lea rax, [rax + rcx]"},
    {"\x01\xc8", 2, TCGRR_INSN_OTHER, "add eax, ecx"},
};

static const struct row thumb[] = {
    {"\x00\xf0\x00\xf8", 4, TCGRR_INSN_CALL, "bl"},
    {"\x01\xdf", 2, TCGRR_INSN_TRAP, "svc #1"},
    {"\xfe\xe7", 2, TCGRR_INSN_BRANCH, "b"},
    {"\x08\x68", 2, TCGRR_INSN_MEMORY, "ldr r0, [r1]"},
    {"\x10\xb5", 2, TCGRR_INSN_MEMORY, "push {r4, lr}"},
    {"\x48\x43", 2, TCGRR_INSN_MULDIV, "muls r0, r1, r0"},
    {"\xb1\xfb\xf2\xf0", 4, TCGRR_INSN_MULDIV, "udiv r0, r1, r2"},
    {"\x40\x18", 2, TCGRR_INSN_OTHER, "adds r0, r0, r1"},
    {"\x30\xee\x20\x0a", 4, TCGRR_INSN_FLOAT, "vadd.f32 s0, s0, s1"},
    {"\x00\xef\x42\x08", 4, TCGRR_INSN_NEON, "vadd.i8 q0, q0, q1"},
};

static void check(const char *target, const struct row *rows, size_t count)
{
    struct tcgrr_disasm *disasm = tcgrr_disasm_new(target);
    for (size_t i = 0; i < count; i++) {
        /* The first row again says which mode it is. */
        uint8_t lengths[] = {rows[i].length, rows[0].length};
        uint8_t bytes[32];
        uint8_t kinds[2];
        memcpy(bytes, rows[i].bytes, rows[i].length);
        memcpy(bytes + rows[i].length, rows[0].bytes, rows[0].length);
        struct tcgrr_block block = {.pc = 0x1000,
                                    .insns = 2,
                                    .size = (uint32_t)rows[i].length + rows[0].length,
                                    .lengths = lengths,
                                    .bytes = bytes};
        tcgrr_disasm_kinds(disasm, &block, kinds);
        if (kinds[0] != rows[i].kind) {
            fail_msg("%s is of kind %u, not %u", rows[i].text, kinds[0], rows[i].kind);
        }
        assert_int_equal(kinds[1], rows[0].kind);
        assert_true(tcgrr_disasm_has_kind(disasm, rows[i].kind));
    }
    tcgrr_disasm_free(disasm);
}

static void test_x86(void **state)
{
    check("x86_64", x86, G_N_ELEMENTS(x86));
}

static void test_arm(void **state)
{
    check("arm", thumb, G_N_ELEMENTS(thumb));
}

/* Where capstone is not asked, nothing is known; what does not have the length that QEMU saw is not, either. */
static void test_unknown(void **state)
{
    uint8_t kinds[1] = {0};
    const struct tcgrr_block block = {
        .insns = 1, .size = 2, .lengths = (const uint8_t[]){2}, .bytes = (const uint8_t *)"\x90\x90"};
    struct tcgrr_disasm *none = tcgrr_disasm_new("nomachine");
    tcgrr_disasm_kinds(none, &block, kinds);
    assert_int_equal(kinds[0], TCGRR_INSN_UNKNOWN);
    assert_false(tcgrr_disasm_has_kind(none, TCGRR_INSN_CALL));
    tcgrr_disasm_free(none);

    struct tcgrr_disasm *x86_64 = tcgrr_disasm_new("x86_64");
    kinds[0] = 0;
    tcgrr_disasm_kinds(x86_64, &block, kinds);
    assert_int_equal(kinds[0], TCGRR_INSN_UNKNOWN);
    assert_false(tcgrr_disasm_has_kind(x86_64, TCGRR_INSN_NEON));
    tcgrr_disasm_free(x86_64);
}

static const struct row mips[] = {
    {"\x0c\x00\x04\x00", 4, TCGRR_INSN_CALL, "jal"},
    {"\x03\xe0\x00\x08", 4, TCGRR_INSN_RETURN, "jr $ra"},
    {"\x10\x43\x00\x01", 4, TCGRR_INSN_BRANCH, "beq $2, $3"},
    {"\x8c\x62\x00\x08", 4, TCGRR_INSN_MEMORY, "lw $2, 8($3)"},
    {"\x00\x64\x10\x21", 4, TCGRR_INSN_OTHER, "addu $2, $3, $4"},
};

static const struct row s390x[] = {
    {"\xc0\xe5\x00\x00\x00\x04", 6, TCGRR_INSN_CALL, "brasl %r14"},
    {"\x07\xfe", 2, TCGRR_INSN_RETURN, "br %r14"},
    {"\xa7\x84\x00\x04", 4, TCGRR_INSN_BRANCH, "je"},
    {"\xe3\x23\x40\x08\x00\x04", 6, TCGRR_INSN_MEMORY, "lg %r2, 8(%r3,%r4)"},
    {"\xb9\x08\x00\x23", 4, TCGRR_INSN_OTHER, "agr %r2, %r3"},
};

static bool calls(const char *target, const char *bytes, uint8_t first, uint8_t second)
{
    struct tcgrr_disasm *disasm = tcgrr_disasm_new(target);
    const uint8_t lengths[] = {first, second};
    struct tcgrr_block block = {.pc = 0x1000,
                                .insns = second ? 2 : 1,
                                .size = (uint32_t)first + second,
                                .lengths = lengths,
                                .bytes = (const uint8_t *)bytes};
    bool found = tcgrr_disasm_ends_with_call(disasm, &block);
    tcgrr_disasm_free(disasm);
    return found;
}

/* By LLVM, which has no kinds of its own. */
static void test_llvm(void **state)
{
    struct tcgrr_disasm *disasm = tcgrr_disasm_new("s390x");
    bool there = tcgrr_disasm_has_kind(disasm, TCGRR_INSN_CALL);
    tcgrr_disasm_free(disasm);
    if (!there) {
        skip();
    }
    check("mips", mips, G_N_ELEMENTS(mips));
    check("s390x", s390x, G_N_ELEMENTS(s390x));
    assert_true(calls("s390x", "\xc0\xe5\x00\x00\x00\x04", 6, 0));
    assert_false(calls("s390x", "\x07\xfe", 2, 0));
    /* The call stands before its delay slot. */
    assert_true(calls("mips", "\x0c\x00\x04\x00\x00\x00\x00\x00", 4, 4));
    assert_false(calls("mips", "\x00\x64\x10\x21\x00\x00\x00\x00", 4, 4));
    assert_true(calls("ppc64", "\x48\x00\x00\x01", 4, 0));
    assert_true(calls("ppc64", "\x01\x00\x00\x48", 4, 0)); /* little-endian */
}

static void expect_vector(const char *target, uint64_t entry, const char *name)
{
    const char *found = tcgrr_vector_name(target, entry);

    assert_string_equal(found ? found : "none", name);
}

/* As the manuals have them; where a table may stand anywhere, wherever it stands. */
static void test_vectors(void **state)
{
    expect_vector("aarch64", UINT64_C(0xffff800010081280), "irq, same level, SP_ELx");
    expect_vector("aarch64", UINT64_C(0xffff800010081284), "none");
    expect_vector("arm", 0xffff0018, "irq");
    expect_vector("arm", 0x8018, "none"); /* may be a handler of the M profile, at any address */
    expect_vector("hppa", 0x10004 << 11 | 4 << 5, "external interrupt");
    expect_vector("or1k", 0x500, "tick timer");
    expect_vector("or1k", 0xc0002000 + 0x800, "external interrupt");
    expect_vector("or1k", 0xf00, "none");
    expect_vector("ppc64", 0x900, "decrementer");
    expect_vector("ppc64", UINT64_C(0xc000000000004500), "external interrupt");
    expect_vector("ppc64", UINT64_C(0xc000000000104500), "none");
    expect_vector("sparc", 0xf0041000 + (0x1a << 4), "interrupt");
    expect_vector("sparc64", 0x420000 + (0x64 << 5), "instruction TLB miss");
    expect_vector("sparc64", 0x420000 + 0x4000 + (0x68 << 5), "data TLB miss"); /* above trap level 0 */
    expect_vector("riscv64", 0x80000100, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x86),  cmocka_unit_test(test_arm),     cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_llvm), cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
