/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The comparator between two made-up runs whose interrupts come at different instructions: what has to differ is
 * tolerated, counted and listed; all else is a divergence where it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lockstep/align/align.h"
#include "tests/guest.h"
#include "tests/stream.h"

#define STEP TCGRR_CHECKPOINT_STEP

/* ---- interrupts ---- */

/* One interrupt, later on one side; at the start, around a checkpoint, across one, far after. */
static void test_one_shifted(void **state)
{
    static const unsigned places[] = {0,        1,    1000,     STEP - 40,     STEP - 10,
                                      STEP - 1, STEP, STEP + 1, 3 * STEP - 20, 250000};
    static const unsigned shifts[] = {1, 30, 1000, 40000};

    for (size_t i = 0; i < G_N_ELEMENTS(places) * G_N_ELEMENTS(shifts) * 2; i++) {
        unsigned at = places[i / 2 % G_N_ELEMENTS(places)], shift = shifts[i / 2 / G_N_ELEMENTS(places)];
        int late = i % 2;
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            guest_main(&pair.guests[s], at + (s == late ? shift : 0));
            guest_tick(&pair.guests[s]);
            guest_main(&pair.guests[s], 320000 - pair.guests[s].main);
        }
        pair_same(&pair, 1, 0, 0);
        assert_int_equal(pair_place(&pair, 0)->pc, TICK);
        assert_int_equal(pair_place(&pair, 0)->icount[late], at + shift);
        assert_int_equal(pair_place(&pair, 0)->icount[!late], at);
        assert_int_equal(pair_place(&pair, 0)->insns[late], shift);
        assert_int_equal(pair_place(&pair, 0)->insns[!late], 0);
        assert_int_equal(pair_place(&pair, 0)->from_pc[!late], MAIN + 4 * (at % MAIN_INSNS));
        pair_end(&pair);
    }
}

/* Interrupts of two kinds all the time, each somewhat off on both sides; more of them than are listed. */
static void test_many_shifted(void **state)
{
    struct pair pair = pair_start();
    const unsigned count = 4000;

    for (int s = 0; s < 2; s++) {
        uint64_t seed = 5 + (uint64_t)s;
        for (unsigned i = 1; i <= count; i++) {
            guest_main(&pair.guests[s], i * 100 + stream_random(&seed) % 60 - pair.guests[s].main);
            (i % 3 ? guest_tick : guest_key)(&pair.guests[s]);
        }
        guest_main(&pair.guests[s], count * 100 + 1000 - pair.guests[s].main);
    }
    pair_compare(&pair);
    assert_false(pair.result.diverged);
    assert_in_range(pair.result.tolerated[TCGRR_TOLERATED_EVENT], count * 9 / 10, count);
    assert_int_equal(pair.result.places->len, TCGRR_TOLERATED_LISTED);
    pair_end(&pair);
}

/* At the same place on both sides there is nothing to tolerate, however many there are. */
static void test_none_shifted(void **state)
{
    struct pair pair = pair_start();
    for (int s = 0; s < 2; s++) {
        for (unsigned i = 0; i < 100; i++) {
            guest_main(&pair.guests[s], 1777);
            guest_tick(&pair.guests[s]);
        }
    }
    pair_same(&pair, 0, 0, 0);
    pair_end(&pair);
}

/* Two interrupts come in another order, and both at one place. */
static void test_swapped(void **state)
{
    for (int gap = 0; gap < 50; gap += 7) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            guest_main(&pair.guests[s], 5000);
            (s ? guest_tick : guest_key)(&pair.guests[s]);
            guest_main(&pair.guests[s], (unsigned)gap);
            (s ? guest_key : guest_tick)(&pair.guests[s]);
            guest_main(&pair.guests[s], 90000);
        }
        /* At one place the order alone is another. */
        pair_same(&pair, gap ? 2 : 1, 0, 0);
        pair_end(&pair);
    }
}

/* The handler of one interrupt is interrupted by another: early, late, or only the code after it. */
static void run_nested(struct guest *guest, unsigned first, unsigned second)
{
    guest_main(guest, first);
    guest_interrupt(guest, TICK);
    unsigned inside = MIN(second, TICK_INSNS);
    guest_run(guest, TICK, inside);
    if (second < TICK_INSNS) {
        guest_event(guest, TCGRR_EVENT_INTERRUPT, TICK + 4 * second, KEY);
        guest_run(guest, KEY, KEY_INSNS);
        guest_run(guest, TICK + 4 * second, TICK_INSNS - second);
    } else {
        guest_main(guest, second - TICK_INSNS);
        guest_key(guest);
    }
    guest_main(guest, 80000 - guest->main);
}

static void test_nested(void **state)
{
    static const unsigned seconds[] = {0, 1, 5, TICK_INSNS - 1, TICK_INSNS, TICK_INSNS + 1, TICK_INSNS + 50};
    for (size_t a = 0; a < G_N_ELEMENTS(seconds); a++) {
        for (size_t b = 0; b < G_N_ELEMENTS(seconds); b++) {
            for (unsigned shift = 0; shift < 40; shift += 13) {
                struct pair pair = pair_start();
                run_nested(&pair.guests[0], 2000, seconds[a]);
                run_nested(&pair.guests[1], 2000 + shift, seconds[b]);
                bool key_shifted = a != b || (shift > 0 && seconds[a] >= TICK_INSNS);
                pair_same(&pair, (shift > 0) + key_shifted, 0, 0);
                pair_end(&pair);
            }
        }
    }
}

/* Interrupted again in the same place as soon as the first handler is through. */
static void test_back_to_back(void **state)
{
    for (int late = 0; late < 2; late++) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            guest_main(&pair.guests[s], s == late ? 1030 : 1000);
            guest_tick(&pair.guests[s]);
            guest_tick(&pair.guests[s]);
            guest_key(&pair.guests[s]);
            guest_main(&pair.guests[s], 70000 - pair.guests[s].main);
        }
        pair_same(&pair, 3, 0, 0);
        pair_end(&pair);
    }
}

/* The last interrupt would have come after the other run's end. */
static void test_at_the_end(void **state)
{
    for (int side = 0; side < 2; side++) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            guest_main(&pair.guests[s], 3000);
            if (s == side) {
                guest_tick(&pair.guests[s]);
            }
            guest_main(&pair.guests[s], side ? 10 : 1);
        }
        pair_same(&pair, 1, 0, 0);
        assert_true(pair_place(&pair, 0)->reasons & TCGRR_REASON_END);
        pair_end(&pair);
    }
}

/* QEMUs that do not report interrupts miss one after a return, if its handler was not seen before. */
static void test_unnoticed(void **state)
{
    struct pair pair = pair_start();
    for (int s = 0; s < 2; s++) {
        struct guest *guest = &pair.guests[s];
        guest_main(guest, 500);
        guest_leave_loop(guest, COUNT_LOOP); /* ends with a return */
        if (s == 0) {
            guest_run(guest, TICK, TICK_INSNS);
        }
        guest_main(guest, 30);
        if (s == 1) {
            guest_tick(guest);
        }
        guest_main(guest, 70000);
    }
    pair_same(&pair, 1, 0, 0);
    pair_end(&pair);
}

/* Nor can they say whether an instruction that makes its access under a condition had run before it. */
static void test_uncertain_count(void **state)
{
    for (int side = 0; side < 2; side++) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            struct guest *guest = &pair.guests[s];
            guest_main(guest, s == side ? 700 : 720);
            if (s == side) {
                guest_event(guest, TCGRR_EVENT_EXCEPTION, guest_main_pc(guest), TICK)->inferred = true;
                guest->main++;
                guest_run(guest, TICK, TICK_INSNS);
            } else {
                guest_tick(guest);
            }
            guest_main(guest, 70000 - guest->main);
        }
        pair_compare(&pair);
        assert_false(pair.result.diverged);
        assert_int_equal(pair.result.tolerated[TCGRR_TOLERATED_EVENT], 1);
        assert_true(pair_place(&pair, 0)->reasons & TCGRR_REASON_COUNT);
        pair_end(&pair);
    }
}

/* ---- what is no shifted interrupt ---- */

static void test_strict(void **state)
{
    struct pair pair = pair_start();
    pair.options.strict = true;
    for (int s = 0; s < 2; s++) {
        guest_main(&pair.guests[s], s ? 1001 : 1000);
        guest_tick(&pair.guests[s]);
        guest_main(&pair.guests[s], 2000 - pair.guests[s].main);
    }
    pair_parts(&pair, 1000, 1000);
}

/* It never comes on the other side, or another one does: that may be due to when devices act. */
static void test_missing(void **state)
{
    for (int i = 0; i < 4; i++) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            guest_main(&pair.guests[s], 70000);
            if (s == i % 2) {
                guest_tick(&pair.guests[s]);
            } else if (i >= 2) {
                guest_main(&pair.guests[s], 30);
                guest_key(&pair.guests[s]);
            }
            guest_main(&pair.guests[s], 200000 - pair.guests[s].main);
        }
        pair_doubts(&pair, 70000, 70000);
    }
}

/* One side is ahead of the other by many interrupts, and still by some where the runs end. */
static void test_far_ahead(void **state)
{
    for (int ahead = 0; ahead < 2; ahead++) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            for (unsigned i = 1; i <= 400; i++) {
                unsigned at = i * 2000 + (s == ahead ? 0 : i * 150);
                if (at > 800000) {
                    break;
                }
                guest_main(&pair.guests[s], at - pair.guests[s].main);
                (i % 5 ? guest_tick : guest_key)(&pair.guests[s]);
            }
            guest_main(&pair.guests[s], 810000 - pair.guests[s].main);
        }
        pair_compare(&pair);
        assert_false(pair.result.diverged);
        assert_null(pair.result.undecided);
        assert_in_range(pair.result.tolerated[TCGRR_TOLERATED_EVENT], 390, 400);
        pair_end(&pair);
    }
}

/* An exception is none, wherever it comes. */
static void test_exception(void **state)
{
    struct pair pair = pair_start();
    for (int s = 0; s < 2; s++) {
        guest_main(&pair.guests[s], s ? 1030 : 1000);
        guest_event(&pair.guests[s], TCGRR_EVENT_EXCEPTION, guest_main_pc(&pair.guests[s]), TICK);
        guest_run(&pair.guests[s], TICK, TICK_INSNS);
        guest_main(&pair.guests[s], 2000 - pair.guests[s].main);
    }
    pair_parts(&pair, 1000, 1000);
}

/* The handler does something else on one side, later than on the other: it is named, not where the interrupt came. */
static void test_other_handler(void **state)
{
    for (int side = 0; side < 2; side++) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            guest_main(&pair.guests[s], s ? 1000 : 1025);
            guest_interrupt(&pair.guests[s], TICK);
            guest_run(&pair.guests[s], TICK, 7);
            guest_run(&pair.guests[s], s == side ? DETOUR : TICK + 4 * 7, TICK_INSNS - 8);
            guest_run(&pair.guests[s], TICK + 4 * (TICK_INSNS - 1), 1);
            guest_main(&pair.guests[s], 80000 - pair.guests[s].main);
        }
        pair_compare(&pair);
        /* It is in a shifted handler, and ends like it, so that is a transient. */
        assert_false(pair.result.diverged);
        assert_int_equal(pair.result.tolerated[TCGRR_TOLERATED_TRANSIENT], 1);
        assert_int_equal(pair_place(&pair, 0)->icount[0], 1032);
        pair_end(&pair);

        pair = pair_start();
        for (int s = 0; s < 2; s++) {
            guest_main(&pair.guests[s], s ? 1000 : 1025);
            guest_interrupt(&pair.guests[s], TICK);
            guest_run(&pair.guests[s], TICK, 7);
            if (s == side) {
                guest_run(&pair.guests[s], DETOUR, 300);
            }
            guest_run(&pair.guests[s], TICK + 4 * 7, TICK_INSNS - 7);
            guest_main(&pair.guests[s], 80000 - pair.guests[s].main);
        }
        pair_doubts(&pair, 1032, 1007);
    }
}

/* A handler that goes on elsewhere: bounded, and no verdict. */
static void test_no_return(void **state)
{
    struct pair pair = pair_start();
    for (int s = 0; s < 2; s++) {
        guest_main(&pair.guests[s], s ? 1000 : 1025);
        guest_interrupt(&pair.guests[s], TICK);
        guest_run(&pair.guests[s], TICK, TICK_INSNS);
        pair.guests[s].main += 5;
        guest_main(&pair.guests[s], 200000 + (s ? 0 : 11));
    }
    pair_compare(&pair);
    assert_false(pair.result.diverged);
    assert_non_null(strstr(pair.result.undecided, "does not return"));
    assert_int_equal(pair.result.sides[1].icount, 1000);
    pair_end(&pair);
}

/* A fault in the generated code: another way for three instructions, for one, or none, and together again. After an
 * interrupt came at different instructions it may be due to that. */
static void test_unexplained(void **state)
{
    for (unsigned other = 0; other < 4; other++) {
        for (unsigned own = other == 0; own < 4; own++) {
            for (int shift = 0; shift < 2; shift++) {
                struct pair pair = pair_start();
                for (int s = 0; s < 2; s++) {
                    guest_main(&pair.guests[s], 600);
                    if (shift && s == 0) {
                        guest_tick(&pair.guests[s]);
                    }
                    guest_main(&pair.guests[s], 10);
                    guest_run(&pair.guests[s], s ? DETOUR : DETOUR + 0x100, s ? other : own);
                    guest_main(&pair.guests[s], 20);
                    if (shift && s == 1) {
                        guest_tick(&pair.guests[s]);
                    }
                    guest_main(&pair.guests[s], 80000 - pair.guests[s].main);
                }
                (shift ? pair_doubts : pair_parts)(&pair, shift ? 610 + TICK_INSNS : 610, 610);
            }
        }
    }
}

/* Another instruction at the same address. */
static void test_other_bytes(void **state)
{
    struct pair pair = pair_start();
    for (int s = 0; s < 2; s++) {
        guest_run(&pair.guests[s], CLOCK_LOOP, 2);
        guest_main(&pair.guests[s], 1000);
        g_array_index(pair.guests[s].steps, struct guest_step, 2).other = s == 1;
    }
    pair_parts(&pair, 2, 2);
}

/* ---- all together ---- */

/* Whatever is tolerated before it, a difference without a reason is named where it is. */
static void test_difference_behind_tolerated(void **state)
{
    for (unsigned gap = 0; gap < 3; gap++) {
        struct pair pair = pair_start();
        tcgrr_icount parted[2];
        for (int s = 0; s < 2; s++) {
            struct guest *guest = &pair.guests[s];
            uint64_t seed = 3 + (uint64_t)s;
            for (unsigned i = 1; i <= 50; i++) {
                guest_main(guest, i * 700 + stream_random(&seed) % 60 - guest->main);
                guest_tick(guest);
            }
            guest_main(guest, 35100 - guest->main);
            guest_loop(guest, CLOCK_LOOP, s ? 30 : 40, false);
            guest_leave_loop(guest, CLOCK_LOOP);
            guest_main(guest, 36000 + gap * 2 * STEP - guest->main);
            parted[s] = guest->steps->len;
            guest_run(guest, DETOUR, s ? 3 : 0);
            guest_main(guest, 2000);
        }
        pair_doubts(&pair, parted[0], parted[1]);
    }
}

/* Comparing goes on from its start to its end by each side's own counts. */
static void test_from_until(void **state)
{
    struct pair pair = pair_start();
    for (int s = 0; s < 2; s++) {
        struct guest *guest = &pair.guests[s];
        guest_run(guest, DETOUR, s ? 10 : 500);
        guest_main(guest, 3000);
        if (s == 1) {
            guest_tick(guest);
        }
        guest_main(guest, 20);
        if (s == 0) {
            guest_tick(guest);
        }
        guest_main(guest, 4000);
        guest_run(guest, COUNT_LOOP, 3);
        guest_run(guest, DETOUR, s ? 0 : 7);
        guest_main(guest, 4000);
        pair.options.from[s] = (struct tcgrr_position){TCGRR_POSITION_PC, MAIN};
        pair.options.until[s] = (struct tcgrr_position){TCGRR_POSITION_PC, COUNT_LOOP + 8};
    }
    pair_compare(&pair);
    assert_false(pair.result.diverged);
    assert_int_equal(pair.result.compared, 7022 + TICK_INSNS);
    assert_int_equal(pair.result.tolerated[TCGRR_TOLERATED_EVENT], 1);
    pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_shifted),     cmocka_unit_test(test_many_shifted),
        cmocka_unit_test(test_none_shifted),    cmocka_unit_test(test_swapped),
        cmocka_unit_test(test_nested),          cmocka_unit_test(test_back_to_back),
        cmocka_unit_test(test_at_the_end),      cmocka_unit_test(test_unnoticed),
        cmocka_unit_test(test_uncertain_count), cmocka_unit_test(test_strict),
        cmocka_unit_test(test_missing),         cmocka_unit_test(test_far_ahead),
        cmocka_unit_test(test_exception),       cmocka_unit_test(test_other_handler),
        cmocka_unit_test(test_no_return),       cmocka_unit_test(test_unexplained),
        cmocka_unit_test(test_other_bytes),     cmocka_unit_test(test_difference_behind_tolerated),
        cmocka_unit_test(test_from_until),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
