/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reasons to doubt a divergence: what the guest asked the host for, as the instructions before show it, devices, waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lockstep/doubts.h"
#include "store/error.h"

struct row {
    const char *target;
    const char *bytes;   /* in hexadecimal */
    const char *lengths; /* a digit for each instruction */
    const char *asked;   /* NULL: for nothing that differs between runs */
};

static const struct row rows[] = {
    {"aarch64",
     "00028052"
     "0000 5ed4",
     "44", "the time"}, /* mov w0, #0x10; hlt #0xf000 */
    {"aarch64",
     "a0008052"
     "00005ed4",
     "44", NULL}, /* #5: SYS_WRITE */
    {"aarch64",
     "e2008052"
     "e003022a"
     "00005ed4",
     "444", "input"}, /* mov w2, #7; mov w0, w2 */
    {"aarch64",
     "e00302aa"
     "00005ed4",
     "44", "something, perhaps the time"}, /* mov x0, x2, from elsewhere */
    {"aarch64",
     "00028052"
     "1f2003d5",
     "44", NULL}, /* no call */
    {"x86_64",
     "00028052"
     "00005ed4",
     "44", NULL},
    {"arm",
     "1023"
     "1846"
     "0021"
     "abbe",
     "2222", "the time"}, /* movs r3, #16; mov r0, r3; movs r1, #0; bkpt */
    {"arm",
     "0520"
     "abdf",
     "22", NULL}, /* movs r0, #5; svc 0xab */
    {"arm",
     "0500a0e3"
     "563412ef"
     "1140a0e3"
     "0400a0e1"
     "563412ef",
     "44444", "the time"},
    {"arm",
     "1200a0e3"
     "70000fe1",
     "44", "a command's result"}, /* mov r0, #18; hlt 0xf000 */
    {"riscv64",
     "93070003"
     "3e85"
     "1310f001"
     "73001000",
     "4244", "the time"}, /* li a5, 0x30; mv a0, a5; slli; ebreak */
    {"riscv32",
     "93070003"
     "13850700"
     "1310f001"
     "73001000",
     "4444", "the time"},
    {"riscv64",
     "3545"
     "1310f001"
     "73001000",
     "244", "a temporary name"}, /* c.li a0, 13 */
    {"riscv64",
     "1545"
     "1310f001"
     "73001000",
     "244", NULL}, /* c.li a0, 5 */
    {"riscv64",
     "4145"
     "73001000",
     "24", NULL}, /* ebreak alone */
};

static const char *const versions[] = {"11.1.3", "7.2.22"};

static bool check(struct tcgrr_comparison *found, const char *target, const char *const *words,
                  const struct tcgrr_blocks *blocks, bool translated, GError **error)
{
    struct tcgrr_doubts_run run = {target, versions, words, blocks, translated, true, false, true};
    return tcgrr_doubts_check(found, &run, error);
}

static uint32_t unhex(const char *text, uint8_t *bytes)
{
    uint32_t size = 0;
    for (; *text; text++) {
        if (*text != ' ') {
            bytes[size++] = (uint8_t)(g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]));
            text++;
        }
    }
    return size;
}

static void check_row(const struct row *row, const char *const *words, const char *asked)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_comparison found = {.diverged = true, .icount = 77};
    uint8_t bytes[64];
    uint8_t lengths[16];
    uint32_t insns = (uint32_t)strlen(row->lengths);
    GError *error = NULL;

    for (uint32_t i = 0; i < insns; i++) {
        lengths[i] = (uint8_t)(row->lengths[i] - '0');
    }
    uint32_t size = unhex(row->bytes, bytes);
    assert_int_equal(tcgrr_blocks_add(blocks, 0x1000, insns, lengths, size, bytes, NULL), 0);
    assert_int_equal(check(&found, row->target, words, blocks, false, &error), !asked);
    assert_int_equal(found.diverged, !asked);
    assert_int_equal(found.undecided != NULL, asked != NULL);
    if (asked) {
        g_autofree char *wanted = g_strdup_printf("asked the host for %s (", asked);
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
        assert_non_null(strstr(error->message, wanted));
        g_error_free(error);
    }
    tcgrr_comparison_clear(&found);
    tcgrr_blocks_free(blocks);
}

static void knows_what_dozes(void **state)
{
    static const uint8_t bytes[] = {0x15, 0, 0, 0, 0xc1, 0x00, 0x18, 0x00}; /* l.nop; l.mtspr r0, r3, 0x4000 */
    static const char *const words[] = {"qemu", NULL};

    for (uint32_t insns = 1; insns <= 2; insns++) {
        struct tcgrr_blocks *blocks = tcgrr_blocks_new();
        struct tcgrr_comparison found = {.diverged = true, .icount = 77};
        g_autoptr(GError) error = NULL;
        tcgrr_blocks_add(blocks, 0x1000, insns, (const uint8_t[]){4, 4}, 4 * insns, bytes, NULL);
        assert_true(check(&found, "or1k", words, blocks, false, &error) == (insns == 1));
        assert_int_equal(found.diverged, insns == 1);
        assert_true(insns == 1 || strstr(error->message, "dozes (at 0x1004)"));
        tcgrr_comparison_clear(&found);
        tcgrr_blocks_free(blocks);
    }
}

static void knows_what_waits(void **state)
{
    static const uint8_t bytes[] = {0x09, 0x00, 0x1b, 0x00}; /* nop; sleep */
    static const char *const words[] = {"qemu", NULL};
    static const struct {
        enum tcgrr_divergence_kind kind;
        uint32_t insn;
        bool translated, withdrawn;
    } cases[] = {
        {TCGRR_DIVERGENCE_HUNG, 1, true, true},
        {TCGRR_DIVERGENCE_HUNG, 1, false, false},
        {TCGRR_DIVERGENCE_HUNG, 0, true, false},
        {TCGRR_DIVERGENCE_FLOW, 1, true, false},
    };
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    uint32_t block = tcgrr_blocks_add(blocks, 0x1000, 2, (const uint8_t[]){2, 2}, sizeof(bytes), bytes, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct tcgrr_comparison found = {.diverged = true, .kind = cases[i].kind, .icount = 77};
        g_autoptr(GError) error = NULL;
        found.sides[0].there = true;
        found.sides[0].exec.block = tcgrr_blocks_get(blocks, block);
        found.sides[0].insn = cases[i].insn;
        found.sides[0].pc = 0x1000 + 2 * cases[i].insn;
        assert_true(check(&found, "sh4", words, blocks, cases[i].translated, &error) != cases[i].withdrawn);
        assert_int_equal(found.diverged, !cases[i].withdrawn);
        assert_true(!cases[i].withdrawn || strstr(error->message, "waits (at 0x1002)"));
        tcgrr_comparison_clear(&found);
    }
    tcgrr_blocks_free(blocks);
}

/* A QEMU that only repeats what it did itself is no reason for a difference, unless it is gone. */
static void knows_what_repeats(void **state)
{
    static const char *const words[] = {"qemu", NULL};
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();

    for (int kind = TCGRR_DIVERGENCE_FLOW; kind <= TCGRR_DIVERGENCE_CALL; kind++) {
        for (int which = 0; which < 4; which++) {
            bool repeats = which & 1, system = which & 2;
            struct tcgrr_comparison found = {.diverged = true, .kind = kind, .icount = 77};
            struct tcgrr_doubts_run run = {"riscv64", versions, words, blocks, false, system, repeats, true};
            g_autoptr(GError) error = NULL;
            bool stays = !repeats || kind == TCGRR_DIVERGENCE_CUT;
            assert_true(tcgrr_doubts_check(&found, &run, &error) == stays);
            assert_true(found.diverged == stays);
            assert_true(stays || strstr(error->message, "no verdict"));
            assert_true(stays || strstr(error->message, system ? "devices" : "the program gets"));
            tcgrr_comparison_clear(&found);
        }
    }
    tcgrr_blocks_free(blocks);
}

/* A clock that was read right before is a reason, unless the program is another one or QEMU is gone. */
static void knows_a_clock(void **state)
{
    static const char *const words[] = {"qemu", NULL};
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();

    for (int which = 0; which < 8; which++) {
        bool read = which & 1, unchanged = which & 2, gone = which & 4;
        struct tcgrr_comparison found = {.diverged = true, .icount = 77, .clock_read = read, .clock_pc = 0x1002};
        struct tcgrr_doubts_run run = {"riscv64", versions, words, blocks, false, false, false, unchanged};
        g_autoptr(GError) error = NULL;
        found.kind = gone ? TCGRR_DIVERGENCE_HUNG : TCGRR_DIVERGENCE_FLOW;
        bool stays = !read || !unchanged || gone;
        assert_true(tcgrr_doubts_check(&found, &run, &error) == stays);
        assert_true(found.diverged == stays);
        assert_true(stays || strstr(error->message, "reads a clock or waits (at 0x1002)"));
        tcgrr_comparison_clear(&found);
    }
    tcgrr_blocks_free(blocks);
}

static void reads_the_call(void **state)
{
    static const char *const with[] = {"qemu", "-semihosting-config", "enable=on", NULL};
    static const char *const without[] = {"qemu", "-append", "semihosting", NULL};

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        check_row(&rows[i], with, rows[i].asked);
        check_row(&rows[i], without, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_the_call), cmocka_unit_test(knows_what_dozes),
                                       cmocka_unit_test(knows_what_waits), cmocka_unit_test(knows_what_repeats),
                                       cmocka_unit_test(knows_a_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
