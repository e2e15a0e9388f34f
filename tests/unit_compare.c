/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparator between two made-up sides: the same instructions never differ, and a difference is named where it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lockstep/compare.h"
#include "lockstep/run_source_internal.h"
#include "store/digest.h"
#include "store/error.h"
#include "tests/made_up.h"
#include "tests/stream.h"

#define INSNS    200000
#define CAPACITY 500000
#define STEP     TCGRR_CHECKPOINT_STEP
#define HISTORY  5

static bool unreadable(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_stretch *stretch,
                       GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "unreadable");
    return false;
}

/* Frees what any made-up run has. */
static void free_run(struct tcgrr_run_source *side)
{
    side->ops->free(side);
}
/* Cuts its script into blocks, which `cut` chooses. */
static void cut_run(struct made_up *run, uint64_t cut)
{
    made_up_reset(run);
    assert_int_equal(stream_cut(run->script, 0, cut, 1 + (uint32_t)(cut * 13 % 40), run->blocks, run->chunk),
                     run->script->len);
}

/* The same guest each time, of `insns` instructions that are to be cut. */
static struct made_up *make_script(guint insns, enum tcgrr_run_source_state end)
{
    struct made_up *run = made_up_new(CAPACITY, end);
    run->script = stream_script(1, insns);
    return run;
}

static struct made_up *make_run(guint insns, uint64_t cut, enum tcgrr_run_source_state end)
{
    struct made_up *run = make_script(insns, end);
    cut_run(run, cut);
    return run;
}

/* The script goes elsewhere from instruction `at` on: to an address where nothing else is. */
static void lead_astray(struct made_up *run, guint at)
{
    for (guint i = at; i < run->script->len; i++) {
        g_array_index(run->script, uint64_t, i) += 0x40000000;
    }
}

static void compare(struct made_up *a, struct made_up *b, const struct tcgrr_compare_options *told,
                    struct tcgrr_comparison *comparison)
{
    const struct tcgrr_compare_options plain = {.history = HISTORY};
    GError *error = NULL;
    if (!tcgrr_compare(&a->base, &b->base, told ? told : &plain, comparison, &error)) {
        fail_msg("%s", error->message);
    }
}

/* Compares and frees; wants no divergence and so many instructions in common. */
static void expect_same(struct made_up *a, struct made_up *b, const struct tcgrr_compare_options *options,
                        tcgrr_icount compared)
{
    struct tcgrr_comparison comparison;
    compare(a, b, options, &comparison);
    assert_false(comparison.diverged);
    assert_int_equal(comparison.compared, compared);
    tcgrr_comparison_clear(&comparison);
    free_run(&a->base);
    free_run(&b->base);
}

static void check_history(const struct tcgrr_comparison *comparison)
{
    tcgrr_icount newest = comparison->icount;
    assert_in_range(comparison->common->len, comparison->icount > 0, HISTORY);
    for (guint i = 0; i < comparison->common->len; i++) {
        const struct tcgrr_exec *exec = &g_array_index(comparison->common, struct tcgrr_exec, i);
        assert_int_equal(exec->icount + exec->ran, newest);
        newest = exec->icount;
    }
    for (int i = 0; i < 2; i++) {
        const struct tcgrr_divergence_side *side = &comparison->sides[i];
        assert_int_equal(side->there, side->history->len > 0);
        assert_true(side->history->len <= HISTORY);
        if (side->there) {
            assert_int_equal(side->exec.icount + side->insn, comparison->icount);
            assert_int_equal(side->pc, tcgrr_block_pc(side->exec.block, side->insn));
        }
    }
}

/* Compares and frees; wants this divergence after `icount` instructions. */
static void expect_divergence(struct made_up *a, struct made_up *b, tcgrr_icount icount,
                              enum tcgrr_divergence_kind kind)
{
    struct made_up *runs[2] = {a, b};
    struct tcgrr_comparison comparison;

    compare(a, b, NULL, &comparison);
    assert_true(comparison.diverged);
    assert_int_equal(comparison.icount, icount);
    assert_int_equal(comparison.compared, icount);
    assert_int_equal(comparison.kind, kind);
    check_history(&comparison);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(comparison.sides[i].there, icount < runs[i]->script->len);
        if (comparison.sides[i].there) {
            assert_int_equal(comparison.sides[i].pc, g_array_index(runs[i]->script, uint64_t, icount));
        }
    }
    tcgrr_comparison_clear(&comparison);
    free_run(&a->base);
    free_run(&b->base);
}

static void test_cuts_make_no_difference(void **state)
{
    static const guint lengths[] = {1, 100, STEP - 1, STEP, STEP + 1, 2 * STEP, INSNS};
    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        expect_same(make_run(lengths[i], 2, TCGRR_SOURCE_ENDED), make_run(lengths[i], 3, TCGRR_SOURCE_ENDED), NULL,
                    lengths[i]);
    }
}

static void test_nothing_ran(void **state)
{
    const struct tcgrr_compare_options options = {.history = HISTORY};
    struct made_up *a = make_run(0, 2, TCGRR_SOURCE_ENDED);
    struct made_up *b = make_run(0, 3, TCGRR_SOURCE_ENDED);
    struct tcgrr_comparison comparison;
    GError *error = NULL;

    /* Nothing compared is no agreement. */
    assert_false(tcgrr_compare(&a->base, &b->base, &options, &comparison, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_error_free(error);
    tcgrr_comparison_clear(&comparison);
    free_run(&a->base);
    free_run(&b->base);
    expect_divergence(make_run(0, 2, TCGRR_SOURCE_ENDED), make_run(5, 3, TCGRR_SOURCE_ENDED), 0,
                      TCGRR_DIVERGENCE_ENDED);
}

/* Once the user interrupts there is no verdict, whatever the two did. */
static void test_interrupted(void **state)
{
    const volatile int stop = 2;
    const struct tcgrr_compare_options options = {.history = HISTORY, .stop = &stop};

    for (guint shorter = 0; shorter < 2; shorter++) {
        struct made_up *a = make_run(5, 2, TCGRR_SOURCE_ENDED);
        struct made_up *b = make_run(5 - shorter, 3, TCGRR_SOURCE_ENDED);
        struct tcgrr_comparison comparison;
        GError *error = NULL;
        assert_false(tcgrr_compare(&a->base, &b->base, &options, &comparison, &error));
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED));
        g_error_free(error);
        tcgrr_comparison_clear(&comparison);
        free_run(&a->base);
        free_run(&b->base);
    }
}

static void test_divergence_anywhere(void **state)
{
    /* First and last instruction, both sides of checkpoints, and just after where the second stretch of blocks begins.
     */
    static const guint places[] = {0,
                                   1,
                                   77,
                                   STEP - 2,
                                   STEP - 1,
                                   STEP,
                                   STEP + 1,
                                   2 * STEP - 1,
                                   2 * STEP,
                                   2 * STEP + 1,
                                   3 * STEP - 1,
                                   3 * STEP,
                                   INSNS - 2,
                                   INSNS - 1};
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        guint insns = MIN(places[i] + STEP + 1, INSNS);
        struct made_up *a = make_script(insns, TCGRR_SOURCE_ENDED), *b = make_script(insns, TCGRR_SOURCE_ENDED);
        lead_astray(i % 2 ? a : b, places[i]);
        cut_run(a, 4 + i);
        cut_run(b, 5 + i);
        expect_divergence(a, b, places[i], TCGRR_DIVERGENCE_FLOW);
    }
}

/* The digests agree on instructions, not on who ran them. */
static void test_other_vcpu(void **state)
{
    struct made_up *a = make_run(1000, 2, TCGRR_SOURCE_ENDED), *b = make_run(1000, 2, TCGRR_SOURCE_ENDED);
    struct tcgrr_switch change = {.index = 50, .vcpu = 1};
    struct tcgrr_cursor cursor;

    g_array_append_val(b->chunk->switches, change);
    assert_true(tcgrr_cursor_begin(&cursor, b->chunk, b->blocks));
    while (cursor.index < change.index) {
        assert_true(tcgrr_cursor_next(&cursor));
    }
    expect_divergence(a, b, cursor.icount, TCGRR_DIVERGENCE_FLOW);
}

static void test_one_ends(void **state)
{
    static const guint lengths[] = {0, 1, 1000, STEP - 1, STEP, STEP + 1, 2 * STEP, INSNS - 1};
    static const struct {
        enum tcgrr_run_source_state end;
        enum tcgrr_divergence_kind kind;
    } ends[] = {{TCGRR_SOURCE_ENDED, TCGRR_DIVERGENCE_ENDED},
                {TCGRR_SOURCE_CUT, TCGRR_DIVERGENCE_CUT},
                {TCGRR_SOURCE_HUNG, TCGRR_DIVERGENCE_HUNG}};
    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        guint longer = MIN(lengths[i] + STEP + 1, INSNS);
        for (size_t e = 0; e < G_N_ELEMENTS(ends); e++) {
            expect_divergence(make_run(longer, 2, TCGRR_SOURCE_ENDED), make_run(lengths[i], 3, ends[e].end), lengths[i],
                              ends[e].kind);
            expect_divergence(make_run(lengths[i], 2, ends[e].end), make_run(longer, 3, TCGRR_SOURCE_ENDED), lengths[i],
                              ends[e].kind);
        }
    }
}

/* Both did the same, but one was killed or hangs where the other ended. */
static void test_same_but_not_in_order(void **state)
{
    expect_divergence(make_run(5000, 2, TCGRR_SOURCE_ENDED), make_run(5000, 3, TCGRR_SOURCE_HUNG), 5000,
                      TCGRR_DIVERGENCE_HUNG);
    expect_divergence(make_run(5000, 2, TCGRR_SOURCE_ENDED), make_run(5000, 3, TCGRR_SOURCE_CUT), 5000,
                      TCGRR_DIVERGENCE_CUT);
}

static void test_recording_cut_short(void **state)
{
    const struct tcgrr_compare_options tolerant = {.history = HISTORY, .tolerate_cut_a = true};
    expect_same(make_run(70000, 2, TCGRR_SOURCE_CUT), make_run(INSNS, 3, TCGRR_SOURCE_ENDED), &tolerant, 70000);
    expect_same(make_run(70000, 2, TCGRR_SOURCE_CUT), make_run(60000, 3, TCGRR_SOURCE_CUT), &tolerant, 60000);
    expect_same(make_run(STEP, 2, TCGRR_SOURCE_CUT), make_run(STEP, 3, TCGRR_SOURCE_ENDED), &tolerant, STEP);
}

/* After the guest's shutdown the vCPU runs on until QEMU stops it, sooner or later. */
static void test_shutdown(void **state)
{
    struct made_up *a = make_run(70010, 2, TCGRR_SOURCE_ENDED), *b = make_run(70000, 3, TCGRR_SOURCE_SHUTDOWN);
    struct tcgrr_comparison comparison;

    compare(a, b, NULL, &comparison);
    assert_false(comparison.diverged);
    assert_int_equal(comparison.compared, 70000);
    assert_int_equal(comparison.surplus[0], 10);
    assert_int_equal(comparison.surplus[1], 0);
    tcgrr_comparison_clear(&comparison);
    free_run(&a->base);
    free_run(&b->base);
    /* But not tens of thousands of instructions. */
    expect_divergence(make_run(INSNS, 2, TCGRR_SOURCE_ENDED), make_run(70000, 3, TCGRR_SOURCE_SHUTDOWN), 70000,
                      TCGRR_DIVERGENCE_ENDED);
    expect_divergence(make_run(70000, 2, TCGRR_SOURCE_SHUTDOWN), make_run(INSNS, 3, TCGRR_SOURCE_SHUTDOWN), 70000,
                      TCGRR_DIVERGENCE_ENDED);
    expect_same(make_run(INSNS, 2, TCGRR_SOURCE_ENDED), make_run(70000, 3, TCGRR_SOURCE_STOPPED), NULL, 70000);
}

static void test_until(void **state)
{
    static const guint limits[] = {1, 1000, STEP - 1, STEP, STEP + 1, INSNS - 1};
    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        const struct tcgrr_compare_options options = {.until[0] = {TCGRR_POSITION_ICOUNT, limits[i]},
                                                      .history = HISTORY};
        guint insns = MIN(limits[i] + STEP + 1, INSNS);
        struct made_up *a = make_run(insns, 2, TCGRR_SOURCE_ENDED), *b = make_script(insns, TCGRR_SOURCE_ENDED);
        lead_astray(b, limits[i]);
        cut_run(b, 9);
        expect_same(a, b, &options, limits[i]);
    }
}

/* Another `count` instructions run before it, of another script. */
static void put_before(struct made_up *run, guint count)
{
    GArray *before = stream_script(77, count);
    g_array_prepend_vals(run->script, before->data, count);
    g_array_unref(before);
}

/* Instruction `at` is one at an address where nothing else is. */
static void mark(struct made_up *run, guint at, uint64_t pc)
{
    g_array_insert_val(run->script, at, pc);
}

static void test_from(void **state)
{
    static const guint before[][2] = {{0, 0}, {0, 1}, {10, 3000}, {STEP - 1, 5}, {2 * STEP + 7, STEP + 9}};
    static const guint places[] = {0, 1, STEP - 1, STEP, STEP + 1, 120000};
    const uint64_t main_pc = 0x90000000;

    for (size_t i = 0; i < G_N_ELEMENTS(before); i++) {
        for (size_t p = 0; p < G_N_ELEMENTS(places); p++) {
            struct tcgrr_compare_options options = {.history = HISTORY};
            struct tcgrr_comparison comparison;
            struct made_up *runs[2];
            for (int s = 0; s < 2; s++) {
                runs[s] = make_script(places[p] + STEP + 1, TCGRR_SOURCE_ENDED);
                if (s == 1) {
                    lead_astray(runs[s], places[p]);
                }
                mark(runs[s], 0, main_pc);
                put_before(runs[s], before[i][s]);
                cut_run(runs[s], 9 + i + (uint64_t)s);
                options.from[s] = p % 2 ? (struct tcgrr_position){TCGRR_POSITION_PC, main_pc}
                                        : (struct tcgrr_position){TCGRR_POSITION_ICOUNT, before[i][s]};
            }
            compare(runs[0], runs[1], &options, &comparison);
            assert_true(comparison.diverged);
            assert_int_equal(comparison.compared, places[p] + 1);
            for (int s = 0; s < 2; s++) {
                assert_int_equal(comparison.start[s], before[i][s]);
                assert_int_equal(comparison.sides[s].icount, before[i][s] + places[p] + 1);
            }
            for (guint h = 0; h < comparison.common->len; h++) {
                const struct tcgrr_exec *exec = &g_array_index(comparison.common, struct tcgrr_exec, h);
                assert_true(exec->icount + exec->ran > before[i][0]);
            }
            tcgrr_comparison_clear(&comparison);
            free_run(&runs[0]->base);
            free_run(&runs[1]->base);
        }
    }
}

static void test_until_pc(void **state)
{
    static const guint places[] = {1, 5, STEP - 1, STEP, STEP + 1, 2 * STEP, INSNS - 1};
    const struct tcgrr_position end = {TCGRR_POSITION_PC, 0x90000000};

    for (size_t i = 0; i < G_N_ELEMENTS(places) * 2; i++) {
        guint insns = MIN(places[i / 2] + STEP + 1, INSNS);
        struct made_up *a = make_script(insns, TCGRR_SOURCE_ENDED), *b = make_script(insns, TCGRR_SOURCE_ENDED);
        struct tcgrr_compare_options options = {.history = HISTORY};
        mark(a, places[i / 2], end.value);
        mark(b, places[i / 2], end.value);
        options.until[i % 2] = end;
        /* It ends there, and not where the comparison starts. */
        mark(a, 0, end.value);
        mark(b, 0, end.value);
        lead_astray(b, places[i / 2] + 2);
        cut_run(a, 6);
        cut_run(b, 8);
        expect_same(a, b, &options, places[i / 2] + 1);
    }
}

/* A place where a run never comes is said, whether comparing was to start or to end there. */
static void test_never_reached(void **state)
{
    const struct tcgrr_position places[] = {{TCGRR_POSITION_PC, 0x90000000}, {TCGRR_POSITION_ICOUNT, STEP + 2}};
    for (int i = 0; i < 8; i++) {
        struct made_up *a = make_run(STEP + 1, 2, TCGRR_SOURCE_ENDED), *b = make_run(STEP + 1, 3, TCGRR_SOURCE_ENDED);
        struct tcgrr_compare_options options = {.history = HISTORY};
        struct tcgrr_comparison comparison;
        GError *error = NULL;
        (i & 1 ? options.from : options.until)[i >> 1 & 1] = places[i >> 2];
        assert_false(tcgrr_compare(&a->base, &b->base, &options, &comparison, &error));
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
        assert_non_null(strstr(error->message, i & 2 ? "side B never executed" : "side A never executed"));
        g_error_free(error);
        tcgrr_comparison_clear(&comparison);
        free_run(&a->base);
        free_run(&b->base);
    }
}

static void test_unreadable_side(void **state)
{
    struct made_up *a = make_run(5000, 2, TCGRR_SOURCE_ENDED), *b = make_script(5000, TCGRR_SOURCE_ENDED);
    const struct tcgrr_compare_options options = {.history = HISTORY};
    struct tcgrr_comparison comparison;
    GError *error = NULL;

    lead_astray(b, 100);
    cut_run(b, 4);
    struct tcgrr_run_source_ops broken = *b->base.ops;
    broken.stretch = unreadable;
    b->base.ops = &broken;
    assert_false(tcgrr_compare(&a->base, &b->base, &options, &comparison, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_error_free(error);
    tcgrr_comparison_clear(&comparison);
    free_run(&a->base);
    free_run(&b->base);
}

/* A damaged trace whose digests differ though its instructions do not: an error, neither the same nor a divergence. */
static void test_wrong_digest(void **state)
{
    struct made_up *a = make_run(INSNS, 2, TCGRR_SOURCE_ENDED), *b = make_run(INSNS, 3, TCGRR_SOURCE_ENDED);
    const struct tcgrr_compare_options options = {.history = HISTORY};
    struct tcgrr_comparison comparison;
    GError *error = NULL;

    b->damaged = 2 * STEP;
    assert_false(tcgrr_compare(&a->base, &b->base, &options, &comparison, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_error_free(error);
    tcgrr_comparison_clear(&comparison);
    free_run(&a->base);
    free_run(&b->base);
}

/* Digests of parts, put together, are the digest of the whole, wherever they are cut; and instructions are found. */
static void test_parts(void **state)
{
    struct made_up *run = make_run(STEP, 2, TCGRR_SOURCE_ENDED);
    const guint cuts[] = {0, 1, 2, 77, 1000, 1001, STEP - 1, STEP};
    uint64_t flow = 0;

    for (size_t i = 0; i + 1 < G_N_ELEMENTS(cuts); i++) {
        struct tcgrr_run_source_position part;
        uint64_t pc = g_array_index(run->script, uint64_t, cuts[i]);
        tcgrr_icount icount;
        assert_true(run->base.ops->advance(&run->base, cuts[i], cuts[i + 1], &part, NULL));
        flow = tcgrr_digest_append(flow, tcgrr_digest_power(cuts[i + 1] - cuts[i]), part.flow);
        assert_true(tcgrr_run_source_find(made_up_start(run), pc, cuts[i], STEP, &icount));
        assert_int_equal(icount, cuts[i]);
        if (tcgrr_run_source_find(made_up_start(run), pc, cuts[i] + 1, STEP, &icount)) {
            assert_int_equal(g_array_index(run->script, uint64_t, icount), pc);
        }
    }
    assert_int_equal(flow, run->chunk->end_flow);
    free_run(&run->base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts_make_no_difference),
        cmocka_unit_test(test_nothing_ran),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_divergence_anywhere),
        cmocka_unit_test(test_other_vcpu),
        cmocka_unit_test(test_one_ends),
        cmocka_unit_test(test_same_but_not_in_order),
        cmocka_unit_test(test_recording_cut_short),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_from),
        cmocka_unit_test(test_until_pc),
        cmocka_unit_test(test_never_reached),
        cmocka_unit_test(test_unreadable_side),
        cmocka_unit_test(test_wrong_digest),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
