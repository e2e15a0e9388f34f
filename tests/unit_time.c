/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/isa/isa_time.h by tables of instructions as an assembler gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/isa/isa_time.h"

#define MAYBE 2

struct row {
    enum tcgrr_isa isa;
    const char *hex;
    bool time;
    int returns; /* 0, MAYBE, or 1 */
    const char *text;
};

#define RV  TCGRR_ISA_RISCV
#define A64 TCGRR_ISA_AARCH64
#define ARM TCGRR_ISA_ARM
#define X86 TCGRR_ISA_X86

static const struct row rows[] = {
    {RV, "732510c0", true, 0, "rdtime a0"},
    {RV, "f32500c0", true, 0, "rdcycle a1"},
    {RV, "732620b0", true, 0, "csrr a2, minstret"},
    {RV, "f32640b0", true, 0, "csrr a3, mhpmcounter4"},
    {RV, "73254034", true, 0, "csrr a0, mip"},
    {RV, "73254014", true, 0, "csrr a0, sip"},
    {RV, "73005010", true, 0, "wfi"},
    {RV, "0f000001", true, 0, "fence w, unknown"},
    {RV, "73250030", false, 0, "csrr a0, mstatus"},
    {RV, "732540f1", false, 0, "csrr a0, mhartid"},
    {RV, "73251034", false, 0, "csrr a0, mepc"},
    {RV, "73254030", false, 0, "csrr a0, mie"},
    {RV, "73000000", false, 0, "ecall"},
    {RV, "0f00f00f", false, 0, "fence"},
    {RV, "8861", false, 0, "ld a0, 0(a1)"},
    {RV, "2e95", false, 0, "add a0, a0, a1"},
    {RV, "73002030", false, 1, "mret"},
    {RV, "73002010", false, 1, "sret"},
    {A64, "40e03bd5", true, 0, "mrs x0, CNTVCT_EL0"},
    {A64, "21e03bd5", true, 0, "mrs x1, CNTPCT_EL0"},
    {A64, "21e33bd5", true, 0, "mrs x1, CNTV_CTL_EL0"},
    {A64, "01e33bd5", true, 0, "mrs x1, CNTV_TVAL_EL0"},
    {A64, "21e23bd5", true, 0, "mrs x1, CNTP_CTL_EL0"},
    {A64, "039d3bd5", true, 0, "mrs x3, PMCCNTR_EL0"},
    {A64, "a3e83bd5", true, 0, "mrs x3, PMEVCNTR5_EL0"},
    {A64, "03c138d5", true, 0, "mrs x3, ISR_EL1"},
    {A64, "03cc38d5", true, 0, "mrs x3, ICC_IAR1_EL1"},
    {A64, "03243bd5", true, 0, "mrs x3, S3_3_C2_C4_0"},
    {A64, "23243bd5", true, 0, "mrs x3, S3_3_C2_C4_1"},
    {A64, "a3e03bd5", true, 0, "mrs x3, S3_3_C14_C0_5"},
    {A64, "7f2003d5", true, 0, "wfi"},
    {A64, "5f2003d5", true, 0, "wfe"},
    {A64, "3f2003d5", true, 0, "yield"},
    {A64, "00e03bd5", false, 0, "mrs x0, CNTFRQ_EL0"},
    {A64, "00e138d5", false, 0, "mrs x0, CNTKCTL_EL1"},
    {A64, "a00038d5", false, 0, "mrs x0, MPIDR_EL1"},
    {A64, "204038d5", false, 0, "mrs x0, ELR_EL1"},
    {A64, "00423bd5", false, 0, "mrs x0, NZCV"},
    {A64, "60ec3bd5", false, 0, "mrs x0, PMEVTYPER3_EL0"},
    {A64, "20e31bd5", false, 0, "msr CNTV_CTL_EL0, x0"},
    {A64, "1f2003d5", false, 0, "nop"},
    {A64, "df3f03d5", false, 0, "isb"},
    {A64, "200040f9", false, 0, "ldr x0, [x1]"},
    {A64, "c0035fd6", false, 0, "ret"},
    {A64, "e0039fd6", false, 1, "eret"},
    {ARM, "0e0f51ec", true, 0, "mrrc p15, 0, r0, r1, c14"},
    {ARM, "1e2f53ec", true, 0, "mrrc p15, 1, r2, r3, c14"},
    {ARM, "1e2f531c", true, 0, "mrrcne p15, 1, r2, r3, c14"},
    {ARM, "320f1eee", true, 0, "mrc p15, 0, r0, c14, c2, 1"},
    {ARM, "130f1eee", true, 0, "mrc p15, 0, r0, c14, c3, 0"},
    {ARM, "1d0f19ee", true, 0, "mrc p15, 0, r0, c9, c13, 0"},
    {ARM, "5d0f19ee", true, 0, "mrc p15, 0, r0, c9, c13, 2"},
    {ARM, "110f1cee", true, 0, "mrc p15, 0, r0, c12, c1, 0"},
    {ARM, "1c0f1cee", true, 0, "mrc p15, 0, r0, c12, c12, 0"},
    {ARM, "110e10ee", true, 0, "mrc p14, 0, r0, c0, c1, 0"},
    {ARM, "03f020e3", true, 0, "wfi"},
    {ARM, "02f020e3", true, 0, "wfe"},
    {ARM, "01f020e3", true, 0, "yield"},
    {ARM, "100f1eee", false, 0, "mrc p15, 0, r0, c14, c0, 0"},
    {ARM, "110f1eee", false, 0, "mrc p15, 0, r0, c14, c1, 0"},
    {ARM, "2e2f53ec", false, 0, "mrrc p15, 2, r2, r3, c14"},
    {ARM, "b00f10ee", false, 0, "mrc p15, 0, r0, c0, c0, 5"},
    {ARM, "100f11ee", false, 0, "mrc p15, 0, r0, c1, c0, 0"},
    {ARM, "320f0eee", false, 0, "mcr p15, 0, r0, c14, c2, 1"},
    {ARM, "00000fe1", false, 0, "mrs r0, apsr"},
    {ARM, "00f020e3", false, 0, "nop"},
    {ARM, "000091e5", false, 0, "ldr r0, [r1]"},
    {ARM, "1eff2fe1", false, 0, "bx lr"},
    {ARM, "1080bde8", false, 0, "pop {r4, pc}"},
    {ARM, "010050e1", false, 0, "cmp r0, r1"},
    {ARM, "020091e0", false, 0, "adds r0, r1, r2"},
    {ARM, "0ef0a0e1", false, 0, "mov pc, lr"},
    {ARM, "04f05ee2", false, 1, "subs pc, lr, 4"},
    {ARM, "0ef0b0e1", false, 1, "movs pc, lr"},
    {ARM, "0f80fde8", false, 1, "ldm sp!, {r0, r1, r2, r3, pc} ^"},
    {ARM, "000abdf8", false, 1, "rfeia sp!"},
    {ARM, "53ec1e2f", true, 0, "mrrc p15, 1, r2, r3, c14"},
    {ARM, "1eee130f", true, 0, "mrc p15, 0, r0, c14, c3, 0"},
    {ARM, "30bf", true, 0, "wfi"},
    {ARM, "20bf", true, 0, "wfe"},
    {ARM, "10bf", true, 0, "yield"},
    {ARM, "aff30380", true, 0, "wfi.w"},
    {ARM, "aff30280", true, 0, "wfe.w"},
    {ARM, "aff30180", true, 0, "yield.w"},
    {ARM, "00bf", false, 0, "nop"},
    {ARM, "aff30080", false, 0, "nop.w"},
    {ARM, "eff30580", false, 0, "mrs r0, ipsr"},
    {ARM, "0868", false, 0, "ldr r0, [r1]"},
    {ARM, "d1f80800", false, 0, "ldr.w r0, [r1, 8]"},
    {ARM, "00f000f8", false, 0, "bl 0x2e <$t.0+0x2e>        @ imm = 0"},
    {ARM, "9847", false, 0, "blx r3"},
    {ARM, "7047", false, MAYBE, "bx lr"},
    {ARM, "10bd", false, MAYBE, "pop {r4, pc}"},
    {ARM, "bde8f08f", false, MAYBE, "pop.w {r4, r5, r6, r7, r8, r9, r10, r11, pc}"},
    {ARM, "5df804fb", false, MAYBE, "ldr pc, [sp], 4"},
    {X86, "0f31", true, 0, "rdtsc"},
    {X86, "0f01f9", true, 0, "rdtscp"},
    {X86, "0f33", true, 0, "rdpmc"},
    {X86, "0f32", true, 0, "rdmsr"},
    {X86, "e460", true, 0, "inb $96, %al"},
    {X86, "ec", true, 0, "inb %dx, %al"},
    {X86, "66ed", true, 0, "inw %dx, %ax"},
    {X86, "ed", true, 0, "inl %dx, %eax"},
    {X86, "6c", true, 0, "insb %dx, %es:(%rdi)"},
    {X86, "f36d", true, 0, "rep"},
    {X86, "f4", true, 0, "hlt"},
    {X86, "f390", true, 0, "pause"},
    {X86, "480fc7f0", true, 0, "rdrandq %rax"},
    {X86, "490fc7f0", true, 0, "rdrandq %r8"},
    {X86, "0fc7f9", true, 0, "rdseedl %ecx"},
    {X86, "f20faef1", true, 0, "umwait %ecx"},
    {X86, "0f01c9", true, 0, "mwait"},
    {X86, "ee", false, 0, "outb %al, %dx"},
    {X86, "90", false, 0, "nop"},
    {X86, "4990", false, 0, "xchgq %r8, %rax"},
    {X86, "0fc708", false, 0, "cmpxchg8b (%rax)"},
    {X86, "480fc708", false, 0, "cmpxchg16b (%rax)"},
    {X86, "0faef0", false, 0, "mfence"},
    {X86, "0faee8", false, 0, "lfence"},
    {X86, "0fae00", false, 0, "fxsave (%rax)"},
    {X86, "0f0100", false, 0, "sgdtq (%rax)"},
    {X86, "0fa2", false, 0, "cpuid"},
    {X86, "0f30", false, 0, "wrmsr"},
    {X86, "c3", false, 0, "retq"},
    {X86, "ffd0", false, 0, "callq *%rax"},
    {X86, "488b18", false, 0, "movq (%rax), %rbx"},
    {X86, "48cf", false, 1, "iretq"},
    {X86, "cf", false, 1, "iretl"},
    {X86, "66cf", false, 1, "iretw"},
    {X86, "480f07", false, 1, "sysretq"},
    {X86, "480f35", false, 1, "sysexitq"},
    {A64, "ff0b9fd6", false, 1, "eretaa"},
    {A64, "ff0f9fd6", false, 1, "eretab"},
    {ARM, "def3048f", false, 1, "T32 subs pc, lr, 4"},
    {ARM, "bde900c0", false, 1, "T32 rfeia sp!"},
    {X86, "40", false, 0, "inc eax"},
    {X86, "f3", false, 0, "a prefix alone"},
    {X86, "0f", false, 0, "half an instruction"},
    {ARM, "30", false, 0, "half an instruction"},
    {RV, "7325", false, 0, "half an instruction"},
    {TCGRR_ISA_UNKNOWN, "7300", false, MAYBE, "anything"},
};

static void test_rows(void **state)
{
    size_t wrong = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned length = (unsigned)strlen(rows[i].hex) / 2;
        uint8_t *bytes = malloc(length);
        for (unsigned b = 0; b < length; b++) {
            char digits[3] = {rows[i].hex[2 * b], rows[i].hex[2 * b + 1], 0};
            bytes[b] = (uint8_t)strtoul(digits, NULL, 16);
        }
        bool time = tcgrr_isa_depends_on_time(rows[i].isa, bytes, length);
        enum tcgrr_isa_return found = tcgrr_isa_returns(rows[i].isa, 0x8000, bytes, length, 0x100);
        enum tcgrr_isa_return wanted = rows[i].returns == MAYBE ? TCGRR_ISA_RETURN_MAYBE
                                       : rows[i].returns        ? TCGRR_ISA_RETURN_YES
                                                                : TCGRR_ISA_RETURN_NO;
        if (time != rows[i].time || found != wanted) {
            print_error("%s (%s): time %d returns %d\n", rows[i].text, rows[i].hex, time, found);
            wrong++;
        }
        free(bytes);
    }
    assert_int_equal(wrong, 0);
}

/* Bytes that are an A32 ldm with pc, or a T32 b.w: where it went decides. */
static void test_either(void **state)
{
    const uint8_t bytes[] = {0x00, 0xf0, 0x72, 0xb8};
    assert_int_equal(tcgrr_isa_returns(ARM, 0x2d4, bytes, 4, 0x3bc), TCGRR_ISA_RETURN_NO);
    assert_int_equal(tcgrr_isa_returns(ARM, 0x2d4, bytes, 4, 0x3c0), TCGRR_ISA_RETURN_YES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
