/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which registers instructions read and write, on m68k, 32-bit Arm, RISC-V and x86. The texts are GNU's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "replay/cause/inputs.h"

#define PC 0x1000

static struct tcgrr_register_layout *m68k_registers(void)
{
    struct tcgrr_register_layout *registers = tcgrr_register_layout_new("m68k");
    static const char *const names[] = {"a0", "a1", "a2", "a3", "a4", "a5", "fp", "sp", "ps", "pc"};

    for (unsigned i = 0; i < 8; i++) {
        char name[4] = {'d', (char)('0' + i), '\0'};
        assert_true(tcgrr_register_layout_add(registers, name, "core", 4));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        assert_true(tcgrr_register_layout_add(registers, names[i], "core", 4));
    }
    for (unsigned i = 0; i < 8; i++) {
        char name[4] = {'f', 'p', (char)('0' + i), '\0'};
        assert_true(tcgrr_register_layout_add(registers, name, "fp", 12));
    }
    assert_true(tcgrr_register_layout_add(registers, "fpcontrol", "fp", 4));
    assert_true(tcgrr_register_layout_add(registers, "fpstatus", "fp", 4));
    assert_true(tcgrr_register_layout_add(registers, "fpiaddr", "fp", 4));
    return registers;
}

static const char *name_at(const struct tcgrr_register_layout *registers, unsigned index)
{
    return ((const struct tcgrr_register *)g_ptr_array_index(registers->list, index))->name;
}

/* "d0 ps:4", in the registers' order: what is read, of ps and fpstatus with the bits. */
static char *reads(const struct tcgrr_register_layout *registers, const struct tcgrr_insn_inputs *inputs)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < registers->list->len; i++) {
        for (guint k = 0; k < inputs->registers->len; k++) {
            const struct tcgrr_insn_input *input = &g_array_index(inputs->registers, struct tcgrr_insn_input, k);
            if (input->index != i) {
                continue;
            }
            g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", name_at(registers, i));
            if (input->mask != UINT64_MAX) {
                g_string_append_printf(text, ":%" G_GINT64_MODIFIER "x", input->mask);
            }
        }
    }
    return g_string_free(text, FALSE);
}

static char *listed(const struct tcgrr_register_layout *registers, const GArray *indexes)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < registers->list->len; i++) {
        for (guint k = 0; k < indexes->len; k++) {
            if (g_array_index(indexes, unsigned, k) == i) {
                g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", name_at(registers, i));
                break;
            }
        }
    }
    return g_string_free(text, FALSE);
}

static struct tcgrr_register_layout *arm_registers(void)
{
    struct tcgrr_register_layout *registers = tcgrr_register_layout_new("arm");
    static const char *const names[] = {"sp", "lr", "pc", "cpsr", "fpscr"};

    for (unsigned i = 0; i < 13; i++) {
        g_autofree char *name = g_strdup_printf("r%u", i);
        assert_true(tcgrr_register_layout_add(registers, name, "core", 4));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        assert_true(tcgrr_register_layout_add(registers, names[i], "core", 4));
    }
    for (unsigned i = 0; i < 32; i++) {
        g_autofree char *name = g_strdup_printf("d%u", i);
        assert_true(tcgrr_register_layout_add(registers, name, "vfp", 8));
    }
    return registers;
}

struct row {
    const char *bytes;
    const char *text;
    const char *reads;
    const char *writes;
    const char *bases;
};

static const struct row m68k_rows[] = {
    {"d081", "addl %d1,%d0", "d0 d1", "d0", ""},
    {"2200", "movel %d0,%d1", "d0", "d1", ""},
    {"1200", "moveb %d0,%d1", "d0 d1", "d1", ""},
    {"22280004", "movel %a0@(4),%d1", "a0", "d1", "a0"},
    {"2141000c", "movel %d1,%a0@(12)", "d1 a0", "", "a0"},
    {"2f00", "movel %d0,%sp@-", "d0 sp", "sp", "sp"},
    {"12d8", "moveb %a0@+,%a1@+", "a0 a1", "a0 a1", "a0 a1"},
    {"41f01000", "lea %a0@(0,%d1:w),%a0", "d1 a0", "a0", "d1 a0"},
    {"b081", "cmpl %d1,%d0", "d0 d1", "", ""},
    {"4a05", "tstb %d5", "d5", "", ""},
    {"c141", "exg %d0,%d1", "d0 d1", "d0 d1", ""},
    {"d181", "addxl %d1,%d0", "d0 d1 ps:14", "d0", ""},
    {"e390", "roxll #1,%d0", "d0 ps:10", "d0", ""},
    {"66fc", "bnes", "ps:4", "", ""},
    {"60fe", "bras", "", "", ""},
    {"62fc", "bhis", "ps:5", "", ""},
    {"6ffc", "bles", "ps:e", "", ""},
    {"51c8fffc", "dbf %d0", "d0", "d0", ""},
    {"54c0", "scc %d0", "d0 ps:1", "d0", ""},
    {"42c0", "movew %ccr,%d0", "d0 ps", "d0", ""},
    {"44c0", "movew %d0,%ccr", "d0", "ps", ""},
    {"48e7c040", "moveml %d0-%d1/%a1,%sp@-", "d0 d1 a1 sp", "sp", "sp"},
    {"4cdf0201", "moveml %sp@+,%d0/%a1", "sp", "d0 a1 sp", "sp"},
    {"4c411002", "divull %d1,%d2,%d1", "d1", "d1 d2", ""},
    {"4c411402", "divul %d1,%d2,%d1", "d1 d2", "d1 d2", ""},
    {"4c011400", "mulul %d1,%d0,%d1", "d1", "d0 d1", ""},
    {"e9c209c4", "bfextu %d2{%d7:4},%d0", "d2 d7", "d0", ""},
    {"4e75", "rts", "sp", "sp", "sp"},
    {"f2000420", "fdivx %fp1,%fp0", "fp0 fp1 fpcontrol:fff0", "fp0 fpstatus", ""},
    {"f2000500", "fmovex %fp1,%fp2", "fp1 fpcontrol:fff0", "fp2 fpstatus", ""},
    {"f2000504", "fsqrtx %fp1,%fp2", "fp1 fpcontrol:fff0", "fp2 fpstatus", ""},
    {"f20005e2", "fsaddx %fp1,%fp3", "fp1 fp3 fpcontrol:fff0", "fp3 fpstatus", ""},
    {"f2000538", "fcmpx %fp1,%fp2", "fp1 fp2 fpcontrol:fff0", "fpstatus", ""},
    {"f2284422000c", "fadds %a0@(12),%fp0", "a0 fp0 fpcontrol:fff0", "fp0 fpstatus", "a0"},
    {"f2004000", "fmovel %d0,%fp0", "d0 fpcontrol:fff0", "fp0 fpstatus", ""},
    {"f2006080", "fmovel %fp1,%d0", "d0 fp1 fpcontrol:fff0", "d0 fpstatus", ""},
    {"f2005c0b", "fmovecrx #11,%fp0", "fpcontrol:fff0", "fp0 fpstatus", ""},
    {"f200a800", "fmovel %fpsr,%d0", "fpstatus", "d0", ""},
    {"f2009000", "fmovel %d0,%fpcr", "d0", "fpcontrol", ""},
    {"f227e003", "fmovemx %fp0-%fp1,%sp@-", "sp fp0 fp1", "sp", "sp"},
    {"f21fd0c0", "fmovemx %sp@+,%fp0-%fp1", "sp", "sp fp0 fp1", "sp"},
    {"f28e0008", "fbgl", "fpstatus:f000000", "", ""},
};

/* Where capstone's lists have gaps. */
static const struct row arm_rows[] = {
    {"080ba3ec", "vstmia r3!, {d0-d3}", "r3 d0 d1 d2 d3", "r3", ""},
    {"040bb3ec", "vldmia r3!, {d0-d1}", "r3", "r3 d0 d1", ""},
    {"048b2ded", "vpush {d8-d9}", "sp d8 d9", "sp", ""},
    {"50817de1", "cmn sp, r0, asr r1", "r0 r1 sp", "cpsr", ""},
    {"0c306de6", "strbt r3, [sp], -r12", "r3 r12 sp", "sp", "sp"},
    {"140023e9", "stmdb r3!, {r2, r4}", "r2 r3 r4", "r3", ""},
    {"9f2fb0e1", "ldrexd r2, r3, [r0]", "r0", "r2 r3", "r0"},
    {"000b81ed", "vstr d0, [r1]", "r1 d0", "", "r1"},
    {"8100b2f3", "vtrn.8 d0, d1", "d0 d1", "d0 d1", ""},
    {"0100b2f3", "vswp d0, d1", "d0 d1", "d0 d1", ""},
    {"9203a1e0", "umlal r0, r1, r2, r3", "r0 r1 r2 r3", "r0 r1", ""},
    {"120081e6", "pkhbt r0, r1, r2", "r1 r2", "r0", ""},
    {"1100a2e6", "ssat r0, #3, r1", "r1", "r0", ""},
    {"6100a0e1", "rrx r0, r1", "r1 cpsr:20000000", "r0", ""},
    {"b20f81e6", "sel r0, r1, r2", "r1 r2 cpsr:f0000", "r0", ""},
    {"1eff2fe1", "bx lr", "lr", "pc", ""},
    {"00000fe1", "mrs r0, cpsr", "cpsr", "r0", ""},
    {"10faf1ee", "vmrs apsr_nzcv, fpscr", "fpscr", "cpsr", ""},
    {"410bb4ee", "vcmp.f64 d0, d1", "fpscr:7ff9f00 d0 d1", "fpscr", ""},
    {"020b31ee", "vadd.f64 d0, d1, d2", "fpscr:7ff9f00 d1 d2", "d0", ""},
    {"020b310e", "vaddeq.f64 d0, d1, d2", "cpsr:f80f0000 fpscr:7ff9f00 d1 d2", "d0", ""},
};

static struct tcgrr_register_layout *riscv_registers(void)
{
    struct tcgrr_register_layout *registers = tcgrr_register_layout_new("riscv64");

    for (unsigned i = 0; i < 65; i++) { /* as gdb's stub numbers them */
        g_autofree char *name = g_strdup_printf("%c%u", i < 32 ? 'x' : 'f', i < 32 ? i : i - 33);
        assert_true(tcgrr_register_layout_add(registers, i == 32 ? "pc" : name, "core", 8));
    }
    return registers;
}

static const struct row riscv_rows[] = {
    {"33856502", "add a0, a1, t1", "x6 x11", "x10", ""},
    {"759e", "c.not a2", "x12", "x12", ""},
    {"698d", "c.and a0, a0, a0", "x10", "x10", ""},
    {"9880", "c.lbu a4, 0(s1)", "x9", "x14", "x9"},
    {"9889", "c.sb a4, 0(a1)", "x11 x14", "", "x11"},
    {"0290", "c.ebreak", "", "", ""},
    {"0295", "c.jalr a0", "x10", "x1", ""},
    {"538115f2", "fli.d ft2, 0.4375", "", "f2", ""},
    {"538105d2", "fcvt.d.w ft2, a1", "x11", "f2", ""},
};

static struct tcgrr_register_layout *x86_registers(void)
{
    struct tcgrr_register_layout *registers = tcgrr_register_layout_new("i386");
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eflags", "mxcsr"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        assert_true(tcgrr_register_layout_add(registers, names[i], "core", 4));
    }
    for (unsigned i = 0; i < 8; i++) {
        g_autofree char *name = g_strdup_printf("xmm%u", i);
        assert_true(tcgrr_register_layout_add(registers, name, "sse", 16));
    }
    return registers;
}

/* Where capstone's lists have gaps, or too much. */
static const struct row x86_rows[] = {
    {"a90c000000", "test eax, 12", "eax", "eflags", ""},
    {"0fb1d9", "cmpxchg ecx, ebx", "eax ecx ebx", "eax ecx eflags", ""},
    {"19d1", "sbb ecx, edx", "ecx edx eflags:1", "ecx eflags", ""},
    {"150c000000", "adc eax, 12", "eax eflags:1", "eax eflags", ""},
    {"d1d9", "rcr ecx, 1", "ecx eflags:1", "ecx eflags", ""},
    {"f5", "cmc", "eflags:1", "eflags", ""},
    {"0fc2c800", "cmpeqps xmm1, xmm0", "mxcsr:ffc0 xmm0 xmm1", "xmm1", ""},
    {"c5f92ec8", "vucomisd xmm1, xmm0", "mxcsr:ffc0 xmm0 xmm1", "eflags", ""},
};

static uint8_t from_hex(const char *hex, uint8_t bytes[16])
{
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
    }
    return (uint8_t)length;
}

static void check_row(struct tcgrr_decoder *decoder, const struct tcgrr_register_layout *registers,
                      const struct row *row)
{
    static const uint8_t state[1024];
    struct tcgrr_insn_inputs inputs;
    uint8_t bytes[16], length = from_hex(row->bytes, bytes);

    tcgrr_insn_inputs_init(&inputs);
    tcgrr_decoder_inputs(decoder, registers, state, PC, bytes, length, &inputs);
    g_autofree char *read = reads(registers, &inputs);
    g_autofree char *written = listed(registers, inputs.written);
    g_autofree char *bases = listed(registers, inputs.bases);
    if (!inputs.known || strcmp(read, row->reads) != 0 || strcmp(written, row->writes) != 0 ||
        strcmp(bases, row->bases) != 0) {
        fail_msg("%s: %s reads '%s', writes '%s', addresses by '%s'", row->text, inputs.known ? "" : "unknown,", read,
                 written, bases);
    }
    assert_null(inputs.hidden);
    tcgrr_insn_inputs_clear(&inputs);
}

static void check_rows(const char *target, struct tcgrr_register_layout *registers, const struct row *rows,
                       size_t count)
{
    struct tcgrr_decoder *decoder = tcgrr_decoder_new(target);

    for (size_t i = 0; i < count; i++) {
        check_row(decoder, registers, &rows[i]);
    }
    tcgrr_decoder_free(decoder);
    tcgrr_register_layout_unref(registers);
}

static void test_m68k(void **state)
{
    check_rows("m68k", m68k_registers(), m68k_rows, G_N_ELEMENTS(m68k_rows));
}

static void test_arm(void **state)
{
    check_rows("arm", arm_registers(), arm_rows, G_N_ELEMENTS(arm_rows));
}

static void test_riscv(void **state)
{
    check_rows("riscv64", riscv_registers(), riscv_rows, G_N_ELEMENTS(riscv_rows));
}

/* A state of zeros is real mode, in which operands of 32 bits would have a prefix. */
static void test_x86(void **state)
{
    check_rows("i386", x86_registers(), x86_rows, G_N_ELEMENTS(x86_rows));
}

/* What is read and not shown leaves no verdict. */
static void test_m68k_hidden(void **state)
{
    static const char *const hidden[] = {"4e7a0801" /* movec %vbr,%d0 */, "4e42" /* trap #2 */,
                                         "f327" /* fsave %sp@- */, "f200a400" /* fmovel %fpi,%d0 */};
    struct tcgrr_register_layout *registers = m68k_registers();
    struct tcgrr_decoder *decoder = tcgrr_decoder_new("m68k");
    static const uint8_t values[1024];
    struct tcgrr_insn_inputs inputs;
    uint8_t bytes[16];

    tcgrr_insn_inputs_init(&inputs);
    for (size_t i = 0; i < G_N_ELEMENTS(hidden); i++) {
        uint8_t length = from_hex(hidden[i], bytes);
        tcgrr_decoder_inputs(decoder, registers, values, PC, bytes, length, &inputs);
        assert_true(inputs.known);
        assert_non_null(inputs.hidden);
    }
    /* One that nobody knows. */
    tcgrr_decoder_inputs(decoder, registers, values, PC, bytes, from_hex("ffff", bytes), &inputs);
    assert_false(inputs.known);
    tcgrr_insn_inputs_clear(&inputs);
    tcgrr_decoder_free(decoder);
    tcgrr_register_layout_unref(registers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_m68k), cmocka_unit_test(test_arm),         cmocka_unit_test(test_riscv),
        cmocka_unit_test(test_x86),  cmocka_unit_test(test_m68k_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
