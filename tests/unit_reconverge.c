/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The comparator between two made-up runs with loops that turn more often in one of them, and short ways apart: there
 * has to be a reason for them, or they are a divergence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lockstep/align/align.h"
#include "tests/guest.h"

#define STEP TCGRR_CHECKPOINT_STEP

/* ---- loops ---- */

static void run_waiting(struct guest *guest, uint64_t loop, unsigned turns, bool device)
{
    guest_main(guest, 1000);
    guest_loop(guest, loop, turns, device);
    guest_leave_loop(guest, loop);
    guest_main(guest, 70000);
    guest_loop(guest, loop, turns / 2, device);
    guest_leave_loop(guest, loop);
    guest_main(guest, 500);
}

static void test_polling(void **state)
{
    static const unsigned turns[][2] = {{3, 5}, {5, 3}, {10, 400}, {200, 11}, {2, 10000}};
    for (size_t i = 0; i < G_N_ELEMENTS(turns) * 2; i++) {
        struct pair pair = pair_start();
        const unsigned *each = turns[i / 2];
        bool device = i % 2;
        for (int s = 0; s < 2; s++) {
            run_waiting(&pair.guests[s], device ? LOAD_LOOP : CLOCK_LOOP, each[s], device);
        }
        pair_same(&pair, 0, 2, 0);
        assert_int_equal(pair_place(&pair, 0)->reasons, device ? TCGRR_REASON_DEVICE : TCGRR_REASON_CLOCK);
        assert_int_equal(pair_place(&pair, 0)->pc, device ? LOAD_LOOP : CLOCK_LOOP);
        assert_int_equal(pair_place(&pair, 0)->icount[0], 1000 + LOOP_INSNS * MIN(each[0], each[1]));
        for (int s = 0; s < 2; s++) {
            unsigned more = each[s] > each[!s] ? each[s] - each[!s] : 0;
            assert_int_equal(pair_place(&pair, 0)->insns[s], LOOP_INSNS * more);
        }
        pair_end(&pair);
    }
}

/* A loop that waits for nothing: a load from memory, or counting. */
static void test_not_polling(void **state)
{
    static const uint64_t loops[] = {LOAD_LOOP, COUNT_LOOP};
    for (int i = 0; i < 4; i++) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            run_waiting(&pair.guests[s], loops[i / 2], s == i % 2 ? 6 : 9, false);
        }
        pair_parts(&pair, 1000 + 6 * LOOP_INSNS, 1000 + 6 * LOOP_INSNS);
    }
}

/* Polling is no excuse for going elsewhere after the loop, nor for what is not of the loop. */
static void test_polling_and_astray(void **state)
{
    struct pair pair = pair_start();
    for (int s = 0; s < 2; s++) {
        guest_main(&pair.guests[s], 1000);
        guest_loop(&pair.guests[s], CLOCK_LOOP, s ? 5 : 8, false);
        if (s == 0) {
            guest_run(&pair.guests[s], DETOUR, 300);
        } else {
            guest_leave_loop(&pair.guests[s], CLOCK_LOOP);
        }
        pair.guests[s].main += s ? 0 : 9;
        guest_main(&pair.guests[s], 70000);
    }
    pair_doubts(&pair, 1000 + 5 * LOOP_INSNS, 1000 + 5 * LOOP_INSNS);
}

/* A loop waits for what an interrupt's handler does: it ends a turn after the interrupt, wherever that comes. */
static void test_waiting_for_interrupt(void **state)
{
    for (int i = 0; i < 2; i++) {
        static const unsigned turns[][2] = {{4, 9}, {9, 4}};
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            struct guest *guest = &pair.guests[s];
            guest_main(guest, 1000);
            guest_loop(guest, COUNT_LOOP, turns[i][s], false);
            guest_event(guest, TCGRR_EVENT_INTERRUPT, COUNT_LOOP, TICK);
            guest_run(guest, TICK, TICK_INSNS);
            guest_loop(guest, COUNT_LOOP, 1, false);
            guest_leave_loop(guest, COUNT_LOOP);
            guest_main(guest, 70000);
        }
        pair_same(&pair, 1, 1, 0);
        assert_int_equal(pair_place(&pair, 1)->reasons, TCGRR_REASON_INTERRUPT);
        pair_end(&pair);
    }
}

/* An interrupt that came on both sides before the loop is no reason. */
static void test_interrupt_elsewhere(void **state)
{
    struct pair pair = pair_start();
    for (int s = 0; s < 2; s++) {
        struct guest *guest = &pair.guests[s];
        guest_main(guest, s ? 900 : 920);
        guest_tick(guest);
        guest_main(guest, 1000 - guest->main);
        guest_loop(guest, COUNT_LOOP, s ? 5 : 7, false);
        guest_leave_loop(guest, COUNT_LOOP);
        guest_main(guest, 70000);
    }
    pair_doubts(&pair, 1000 + TICK_INSNS + 5 * LOOP_INSNS, 1000 + TICK_INSNS + 5 * LOOP_INSNS);
}

/* An interrupt comes while one side turns on, and later on the other. */
static void test_interrupt_while_polling(void **state)
{
    for (int late = 0; late < 2; late++) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            struct guest *guest = &pair.guests[s];
            guest_main(guest, 1000);
            if (s == late) {
                guest_loop(guest, CLOCK_LOOP, 5, false);
                guest_event(guest, TCGRR_EVENT_INTERRUPT, CLOCK_LOOP, TICK);
                guest_run(guest, TICK, TICK_INSNS);
                guest_loop(guest, CLOCK_LOOP, 3, false);
            } else {
                guest_loop(guest, CLOCK_LOOP, 2, false);
            }
            guest_leave_loop(guest, CLOCK_LOOP);
            guest_main(guest, 40);
            if (s != late) {
                guest_tick(guest);
            }
            guest_main(guest, 70000 - guest->main);
        }
        pair_same(&pair, 1, 1, 0);
        pair_end(&pair);
    }
}

/* Rounds of a loop that counts, each of which waits for the clock: one more on one side is no waiting. */
static void test_rounds_with_waiting(void **state)
{
    static const unsigned turns[] = {3, 10, 300};
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(turns); i++) {
        struct pair pair = pair_start();
        unsigned rounds = 6, round = 20 + turns[i / 2] * LOOP_INSNS + 8;
        for (int s = 0; s < 2; s++) {
            struct guest *guest = &pair.guests[s];
            guest_main(guest, 1000);
            for (unsigned r = 0; r < rounds + (s == (int)i % 2); r++) {
                guest_run(guest, DETOUR, 20);
                guest_loop(guest, CLOCK_LOOP, turns[i / 2], false);
                guest_leave_loop(guest, CLOCK_LOOP);
            }
            guest_main(guest, 70000);
        }
        pair_doubts(&pair, 1000 + rounds * round, 1000 + rounds * round);
    }
}

/* The loop inside is the one that turns more, though the one around it reads the clock as well. */
static void test_inner_loop(void **state)
{
    struct pair pair = pair_start();
    for (int s = 0; s < 2; s++) {
        struct guest *guest = &pair.guests[s];
        guest_main(guest, 1000);
        for (unsigned r = 0; r < 9; r++) {
            guest_run(guest, DETOUR, 20);
            guest_loop(guest, CLOCK_LOOP, r == 4 && s ? 17 : 20, false);
            guest_leave_loop(guest, CLOCK_LOOP);
        }
        guest_main(guest, 70000);
    }
    pair_same(&pair, 0, 1, 0);
    assert_int_equal(pair_place(&pair, 0)->insns[0], 3 * LOOP_INSNS);
    pair_end(&pair);
}

/* ---- transients ---- */

/* After a read of the clock one side takes another way. */
static void run_transient(struct guest *guest, unsigned behind, bool other)
{
    guest_main(guest, 1000);
    guest_run(guest, CLOCK_LOOP, 2);
    guest_main(guest, behind);
    if (other) {
        guest_run(guest, DETOUR, 9);
    }
    guest_main(guest, 70000);
}

static void test_transient(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct pair pair = pair_start();
        run_transient(&pair.guests[0], 10, i == 0);
        run_transient(&pair.guests[1], 10, i == 1);
        pair_same(&pair, 0, 0, 1);
        assert_int_equal(pair_place(&pair, 0)->insns[i], 9);
        assert_int_equal(pair_place(&pair, 0)->reasons, TCGRR_REASON_CLOCK);
        pair_end(&pair);

        pair = pair_start();
        run_transient(&pair.guests[0], 100, i == 0);
        run_transient(&pair.guests[1], 100, i == 1);
        pair_doubts(&pair, 1102, 1102);
    }
}

/* In the handler of an interrupt that came at the same place the same rules hold as anywhere. */
static void test_transient_in_handler(void **state)
{
    for (int shift = 0; shift < 2; shift++) {
        struct pair pair = pair_start();
        for (int s = 0; s < 2; s++) {
            struct guest *guest = &pair.guests[s];
            guest_main(guest, s && shift ? 1010 : 1000);
            guest_interrupt(guest, TICK);
            guest_run(guest, TICK, 5);
            guest_run(guest, DETOUR, s ? 4 : 0);
            guest_run(guest, TICK + 20, TICK_INSNS - 5);
            guest_main(guest, 70000 - guest->main);
        }
        if (shift) {
            pair_same(&pair, 1, 0, 1);
            assert_int_equal(pair_place(&pair, 0)->reasons, TCGRR_REASON_HANDLER);
            pair_end(&pair);
        } else {
            pair_parts(&pair, 1005, 1005);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_polling),
        cmocka_unit_test(test_not_polling),
        cmocka_unit_test(test_polling_and_astray),
        cmocka_unit_test(test_waiting_for_interrupt),
        cmocka_unit_test(test_interrupt_elsewhere),
        cmocka_unit_test(test_interrupt_while_polling),
        cmocka_unit_test(test_rounds_with_waiting),
        cmocka_unit_test(test_inner_loop),
        cmocka_unit_test(test_transient),
        cmocka_unit_test(test_transient_in_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
