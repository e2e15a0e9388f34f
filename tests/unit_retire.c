/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's rules of what counts when a block is left early, one row for each way of leaving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "emu/live/retire.h"

#define AT      0x1000u
#define HANDLER 0x9000u
#define UNKNOWN UINT64_MAX /* where it went on is not known */

enum { MAX_INSNS = 6 };

/* RISC-V unless said otherwise; all of four bytes. */
#define NOP   "13000000"
#define LOAD  "03a50500" /* lw a0, 0(a1) */
#define CSR   "732540f1" /* csrr a0, mhartid */
#define ECALL "73000000"
#define WFI   "73005010"
#define SC    "2fa5a518" /* sc.w a0, a0, (a1) */
#define RET   "67800000"
#define DIV   "48f7f1" /* x86: div rcx */

struct row {
    const char *what;
    const char *insns[MAX_INSNS]; /* from AT on */
    uint32_t mark;
    uint64_t next;
    bool rerun, inside, log_decides;
    enum tcgrr_discontinuity discon; /* only looked at where QEMU reports */
    uint64_t from;
    uint32_t ran, counted;
    enum tcgrr_discontinuity inferred;
    uint64_t inferred_from;
    bool assumed;
    enum tcgrr_isa isa;
};

#define INTERRUPT TCGRR_DISCON_INTERRUPT
#define EXCEPTION TCGRR_DISCON_EXCEPTION

/* On a QEMU before 10.2, which reports nothing. */
static const struct row silent_rows[] = {
    {"ran to its end", {NOP, LOAD, NOP}, 3, AT + 12, .ran = 3, .counted = 3},
    {"jumped at its end", {NOP, RET}, 2, HANDLER, .ran = 2, .counted = 2},
    {"access inside faulted",
     {NOP, LOAD, NOP},
     1,
     HANDLER,
     .ran = 1,
     .counted = 1,
     .inferred = EXCEPTION,
     .inferred_from = AT + 4},
    {"first access of the block faulted",
     {LOAD, NOP},
     0,
     HANDLER,
     .ran = 0,
     .counted = 0,
     .inferred = EXCEPTION,
     .inferred_from = AT},
    {"device access inside, run again, went on", {NOP, LOAD, NOP}, 1, AT + 8, .rerun = true, .ran = 2, .counted = 2},
    {"device access inside, run again, then an interrupt",
     {NOP, LOAD, NOP},
     1,
     HANDLER,
     .rerun = true,
     .ran = 2,
     .counted = 2,
     .inferred = INTERRUPT,
     .inferred_from = AT + 8},
    {"left after an access inside", {NOP, LOAD, NOP}, 1, AT + 8, .ran = 2, .counted = 2},
    {"rolled back to an access inside", {NOP, LOAD, NOP}, 1, AT + 4, .ran = 1, .counted = 1},
    {"left inside for nobody knows where", {NOP, LOAD, NOP}, 1, UNKNOWN, .ran = 1, .counted = 1},
    {"waited inside",
     {NOP, WFI, NOP},
     1,
     HANDLER,
     .ran = 2,
     .counted = 3,
     .inferred = INTERRUPT,
     .inferred_from = AT + 8},
    {"waited inside and went on", {NOP, WFI, NOP}, 1, AT + 8, .ran = 2, .counted = 3},
    {"QEMU ended inside an instruction", {NOP, LOAD, NOP}, 1, UNKNOWN, .inside = true, .ran = 2, .counted = 2},
    {"QEMU ended inside the last instruction", {NOP, LOAD}, 1, UNKNOWN, .inside = true, .ran = 2, .counted = 2},
    {"last access, then the next block", {NOP, LOAD}, 1, AT + 8, .ran = 2, .counted = 2},
    {"last access faulted",
     {NOP, LOAD},
     1,
     HANDLER,
     .ran = 1,
     .counted = 1,
     .inferred = EXCEPTION,
     .inferred_from = AT + 4},
    {"last access began again", {NOP, LOAD}, 1, AT + 4, .ran = 1, .counted = 1},
    {"last access run again as a device's", {NOP, LOAD}, 1, HANDLER, .rerun = true, .ran = 2, .counted = 2},
    {"last access, and it ends there", {NOP, LOAD}, 1, UNKNOWN, .ran = 2, .counted = 2},
    {"lost store-conditional, or a fault",
     {NOP, SC},
     1,
     HANDLER,
     .ran = 1,
     .counted = 1,
     .inferred = EXCEPTION,
     .inferred_from = AT + 4,
     .assumed = true},
    {"trapped", {NOP, ECALL}, 1, HANDLER, .ran = 2, .counted = 2, .inferred = EXCEPTION, .inferred_from = AT + 4},
    {"trapped, the end having been seen",
     {NOP, ECALL},
     2,
     HANDLER,
     .ran = 2,
     .counted = 2,
     .inferred = EXCEPTION,
     .inferred_from = AT + 4},
    {"an access that is the last faulted, or was refused, as the log may say",
     {NOP, LOAD},
     1,
     HANDLER,
     .log_decides = true,
     .ran = 1,
     .counted = 1,
     .assumed = true,
     .inferred = EXCEPTION,
     .inferred_from = AT + 4},
    {"last one raised an exception, or an interrupt came after it",
     {NOP, CSR},
     1,
     HANDLER,
     .ran = 2,
     .counted = 2,
     .inferred = INTERRUPT,
     .inferred_from = AT + 8,
     .assumed = true},
    {"last one, then the next block", {NOP, CSR}, 1, AT + 8, .ran = 2, .counted = 2},
    {"last one began again", {NOP, CSR}, 1, AT + 4, .ran = 1, .counted = 1},
    {"x86: division inside faulted",
     {DIV, DIV, DIV},
     1,
     HANDLER,
     .ran = 1,
     .counted = 1,
     .inferred = EXCEPTION,
     .inferred_from = AT + 3,
     .isa = TCGRR_ISA_X86},
    {"no ISA known: left inside",
     {NOP, NOP, NOP},
     1,
     HANDLER,
     .ran = 1,
     .counted = 1,
     .inferred = EXCEPTION,
     .inferred_from = AT + 4,
     .isa = TCGRR_ISA_UNKNOWN},
    {"no ISA known: branched to itself", {NOP, NOP}, 1, AT + 4, .ran = 2, .counted = 2, .isa = TCGRR_ISA_UNKNOWN},
    {"no ISA known: went elsewhere", {NOP, NOP}, 1, HANDLER, .ran = 2, .counted = 2, .assumed = true},
    {"went on after the block, the rest unseen", {NOP, LOAD, LOAD, NOP}, 1, AT + 16, .ran = 4, .counted = 4},
};

/* On one from 10.2 on, which reports interrupts and exceptions. Nothing is left to be inferred. */
static const struct row telling_rows[] = {
    {"ran to its end", {NOP, LOAD, NOP}, 3, AT + 12, .ran = 3, .counted = 3},
    {"ran to its end, then an interrupt",
     {NOP, LOAD, NOP},
     3,
     HANDLER,
     .discon = INTERRUPT,
     .from = AT + 12,
     .ran = 3,
     .counted = 3},
    {"access inside faulted",
     {NOP, LOAD, NOP},
     1,
     HANDLER,
     .discon = EXCEPTION,
     .from = AT + 4,
     .ran = 1,
     .counted = 1},
    {"device access inside, run again, then an interrupt",
     {NOP, LOAD, NOP},
     1,
     HANDLER,
     .rerun = true,
     .discon = INTERRUPT,
     .from = AT + 8,
     .ran = 2,
     .counted = 2},
    {"rolled back to an access inside", {NOP, LOAD, NOP}, 1, AT + 4, .ran = 1, .counted = 1},
    {"waited inside", {NOP, WFI, NOP}, 1, HANDLER, .discon = INTERRUPT, .from = AT + 8, .ran = 2, .counted = 3},
    {"must not wait", {NOP, WFI, NOP}, 1, HANDLER, .discon = EXCEPTION, .from = AT + 4, .ran = 1, .counted = 1},
    {"last access, then an interrupt after it",
     {NOP, LOAD},
     1,
     HANDLER,
     .discon = INTERRUPT,
     .from = AT + 8,
     .ran = 2,
     .counted = 2},
    {"last access, an interrupt before it",
     {NOP, LOAD},
     1,
     HANDLER,
     .discon = INTERRUPT,
     .from = AT + 4,
     .ran = 1,
     .counted = 1},
    {"last access faulted", {NOP, LOAD}, 1, HANDLER, .discon = EXCEPTION, .from = AT + 4, .ran = 1, .counted = 1},
    {"last access faulted after one that did not",
     {NOP, LOAD},
     2,
     HANDLER,
     .discon = EXCEPTION,
     .from = AT + 4,
     .ran = 1,
     .counted = 1},
    {"last access began again", {NOP, LOAD}, 1, AT + 4, .ran = 1, .counted = 1},
    {"lost store-conditional", {NOP, SC}, 1, AT + 8, .ran = 2, .counted = 2},
    {"trapped", {NOP, ECALL}, 1, HANDLER, .discon = EXCEPTION, .from = AT + 4, .ran = 2, .counted = 2},
    {"an access that is the last faulted, or was refused, as the log may say",
     {NOP, LOAD},
     1,
     HANDLER,
     .discon = EXCEPTION,
     .from = AT + 4,
     .log_decides = true,
     .ran = 1,
     .counted = 1,
     .assumed = true},
    {"last one raised an exception",
     {NOP, CSR},
     1,
     HANDLER,
     .discon = EXCEPTION,
     .from = AT + 4,
     .ran = 1,
     .counted = 1,
     .assumed = true},
    {"interrupt after the last one",
     {NOP, CSR},
     1,
     HANDLER,
     .discon = INTERRUPT,
     .from = AT + 8,
     .ran = 2,
     .counted = 2},
    {"no ISA known: branched to itself", {NOP}, 0, AT, .ran = 1, .counted = 1},
    {"no ISA known: an exception reported from the branch before it",
     {NOP, NOP},
     1,
     HANDLER,
     .discon = EXCEPTION,
     .from = AT,
     .ran = 2,
     .counted = 2,
     .assumed = true},
    {"x86: division at the end faulted",
     {DIV, DIV},
     1,
     HANDLER,
     .discon = EXCEPTION,
     .from = AT + 3,
     .ran = 1,
     .counted = 1,
     .assumed = true,
     .isa = TCGRR_ISA_X86},
};

static const struct tcgrr_block *make_block(struct tcgrr_blocks *blocks, const struct row *row)
{
    uint8_t lengths[MAX_INSNS], bytes[MAX_INSNS * 4];
    uint32_t size = 0, count = 0;

    for (; count < MAX_INSNS && row->insns[count]; count++) {
        const char *hex = row->insns[count];
        lengths[count] = (uint8_t)(strlen(hex) / 2);
        for (uint8_t i = 0; i < lengths[count]; i++) {
            char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
            bytes[size++] = (uint8_t)strtoul(digits, NULL, 16);
        }
    }
    return tcgrr_blocks_get(blocks, tcgrr_blocks_add(blocks, AT, count, lengths, size, bytes, NULL));
}

static bool check_row(struct tcgrr_blocks *blocks, const struct row *row, bool reports)
{
    bool unknown = strncmp(row->what, "no ISA", 6) == 0;
    const struct tcgrr_departure departure = {
        .block = make_block(blocks, row),
        .isa = unknown || row->isa ? row->isa : TCGRR_ISA_RISCV,
        .mark = row->mark,
        .rerun = row->rerun,
        .reports_discon = reports,
        .discon = row->discon,
        .discon_from = row->from,
        .inside = row->inside,
        .log_decides = row->log_decides,
        .has_next = row->next != UNKNOWN,
        .next_pc = row->next,
    };
    struct tcgrr_retirement found;

    tcgrr_retire(&departure, &found);
    bool good = found.ran == row->ran && found.counted == row->counted && found.assumed == row->assumed &&
                found.inferred == row->inferred &&
                (!row->inferred || (found.has_from && found.from_pc == row->inferred_from));
    if (!good) {
        print_message("%s: ran %u counted %u assumed %d inferred %d from 0x%lx, not %u %u %d %d 0x%lx\n", row->what,
                      found.ran, found.counted, found.assumed, found.inferred, (unsigned long)found.from_pc, row->ran,
                      row->counted, row->assumed, row->inferred, (unsigned long)row->inferred_from);
    }
    return good;
}

static void check_rows(const struct row *rows, size_t count, bool reports)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    size_t bad = 0;

    for (size_t i = 0; i < count; i++) {
        bad += !check_row(blocks, &rows[i], reports);
    }
    tcgrr_blocks_free(blocks);
    assert_int_equal(bad, 0);
}

static void test_silent(void **state)
{
    check_rows(silent_rows, sizeof(silent_rows) / sizeof(silent_rows[0]), false);
}

static void test_telling(void **state)
{
    check_rows(telling_rows, sizeof(telling_rows) / sizeof(telling_rows[0]), true);
}

/* What waits and is not counted, as the last instruction of its block. */
static void test_dozes(void **state)
{
    static const struct row block_row = {.insns = {NOP, NOP, NOP}};
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_insn_class classes[3] = {{.leave = TCGRR_LEAVE_UNKNOWN, .flow = TCGRR_FLOW_INDIRECT},
                                          {.leave = TCGRR_LEAVE_UNKNOWN, .flow = TCGRR_FLOW_INDIRECT},
                                          {.leave = TCGRR_LEAVE_DOZE, .flow = TCGRR_FLOW_NEXT}};
    struct tcgrr_departure departure = {.block = make_block(blocks, &block_row),
                                        .isa = TCGRR_ISA_UNKNOWN,
                                        .classes = classes,
                                        .mark = 2,
                                        .has_next = true};
    const struct {
        bool reports;
        enum tcgrr_discontinuity discon;
        uint64_t from, next;
        uint32_t ran;
        enum tcgrr_discontinuity inferred;
    } rows[] = {
        {false, 0, 0, HANDLER, 2, INTERRUPT},      {false, 0, 0, AT + 12, 2, 0},
        {true, INTERRUPT, AT + 12, HANDLER, 2, 0}, {true, 0, 0, AT + 12, 2, 0},
        {true, EXCEPTION, AT + 8, HANDLER, 2, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tcgrr_retirement found;
        departure.reports_discon = rows[i].reports;
        departure.discon = rows[i].discon;
        departure.discon_from = rows[i].from;
        departure.next_pc = rows[i].next;
        tcgrr_retire(&departure, &found);
        assert_int_equal(found.ran, rows[i].ran);
        assert_int_equal(found.counted, rows[i].ran);
        assert_int_equal(found.inferred, rows[i].inferred);
        assert_true(!found.inferred || found.from_pc == AT + 12);
        assert_false(found.assumed);
    }
    tcgrr_blocks_free(blocks);
}

/* Nothing is known of the last instruction, but that it goes to the next one: found at it again, it did not run. */
static void test_starts_over(void **state)
{
    static const struct row block_row = {.insns = {NOP, NOP}};
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_insn_class classes[2] = {{.leave = TCGRR_LEAVE_UNKNOWN, .flow = TCGRR_FLOW_NEXT},
                                          {.leave = TCGRR_LEAVE_UNKNOWN, .flow = TCGRR_FLOW_NEXT}};
    struct tcgrr_departure departure = {.block = make_block(blocks, &block_row),
                                        .isa = TCGRR_ISA_UNKNOWN,
                                        .classes = classes,
                                        .mark = 1,
                                        .has_next = true,
                                        .next_pc = AT + 4};

    for (int reports = 0; reports < 2; reports++) {
        struct tcgrr_retirement found;
        departure.reports_discon = reports;
        classes[1].flow = TCGRR_FLOW_NEXT;
        tcgrr_retire(&departure, &found);
        assert_int_equal(found.ran, 1);
        assert_false(found.assumed);
        classes[1].flow = TCGRR_FLOW_INDIRECT; /* a branch to itself */
        tcgrr_retire(&departure, &found);
        assert_int_equal(found.ran, 2);
    }
    tcgrr_blocks_free(blocks);
}

/* Whatever is claimed to have been seen, the result stays within the block. */
static void test_never_beyond_the_block(void **state)
{
    static const struct row block_row = {.insns = {NOP, LOAD, CSR, WFI, ECALL, SC}};
    static const enum tcgrr_discontinuity kinds[] = {TCGRR_DISCON_NONE, INTERRUPT, EXCEPTION, TCGRR_DISCON_HOSTCALL};
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_departure departure = {.block = make_block(blocks, &block_row)};

    for (uint32_t bits = 0; bits < 1u << 15; bits++) {
        struct tcgrr_retirement found;
        departure.isa = bits & 7;
        departure.mark = bits >> 3 & 7;
        departure.rerun = bits & 64;
        departure.reports_discon = bits & 128;
        departure.discon = kinds[bits >> 8 & 3];
        departure.discon_from = AT + 4 * (bits >> 10 & 7);
        departure.has_next = bits & 8192;
        departure.next_pc = bits & 16384 ? HANDLER : AT + 4 * (departure.mark + 1);
        if (departure.isa > TCGRR_ISA_X86) {
            continue;
        }
        tcgrr_retire(&departure, &found);
        assert_in_range(found.ran, departure.mark > 0 ? MIN(departure.mark, 6) - 1 : 0, MIN(departure.mark + 1, 6));
        assert_in_range(found.counted, found.ran, 6);
        assert_true(!departure.reports_discon || !found.inferred);
    }
    tcgrr_blocks_free(blocks);
}

static void knows_who_counts_what_did_not_run(void **data)
{
    assert_true(tcgrr_retire_same_wait_count("riscv64", "7.2.22", "10.2.0"));
    assert_true(tcgrr_retire_same_wait_count("riscv64", "11.1.3", "7.2.22"));
    assert_true(tcgrr_retire_same_wait_count("riscv64", "11.1.3", "11.1.4"));
    assert_false(tcgrr_retire_same_wait_count("riscv64", "10.0.2", "11.1.3"));
    assert_false(tcgrr_retire_same_wait_count("riscv64", "7.2.22", "10.2.50"));
    assert_true(tcgrr_retire_same_wait_count("sh4", "7.2.22", "11.1.3"));
}

static void knows_who_counts_from_the_start(void **data)
{
    assert_true(tcgrr_retire_starts_uncounted("alpha", "10.0.2"));
    assert_false(tcgrr_retire_starts_uncounted("alpha", "11.1.3"));
    assert_true(tcgrr_retire_starts_uncounted("hppa", "7.2.22"));
    assert_false(tcgrr_retire_starts_uncounted("hppa", "10.0.2"));
    assert_false(tcgrr_retire_starts_uncounted("ppc", "7.2.22"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_telling),
        cmocka_unit_test(test_dozes),
        cmocka_unit_test(test_starts_over),
        cmocka_unit_test(test_never_beyond_the_block),
        cmocka_unit_test(knows_who_counts_what_did_not_run),
        cmocka_unit_test(knows_who_counts_from_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
