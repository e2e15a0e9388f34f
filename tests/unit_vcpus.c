/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The comparator between two made-up runs with several vCPUs, which take turns at other instructions: where it is
 * known which of them ran what, each is compared with itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lockstep/align/align.h"
#include "lockstep/align/vcpu_schedule.h"
#include "tests/guest.h"
#include "tests/stream.h"

#define VCPUS 3

/* What each vCPU does. Its main loop is where it was when its turn comes. */
struct machine {
    struct guest *guest;
    unsigned main[VCPUS];
};

static void turn(struct machine *machine, tcgrr_vcpu vcpu)
{
    machine->main[machine->guest->vcpu] = machine->guest->main;
    machine->guest->vcpu = vcpu;
    machine->guest->main = machine->main[vcpu];
}

/* Each runs so many instructions of the main loop, in turns of random lengths. */
static void run_turns(struct machine *machine, unsigned vcpus, unsigned insns, uint64_t seed)
{
    unsigned ran[VCPUS] = {0};
    bool more = true;

    while (more) {
        more = false;
        for (tcgrr_vcpu vcpu = 0; vcpu < vcpus; vcpu++) {
            unsigned length = 100 + stream_random(&seed) % 900;
            unsigned now = MIN(length, insns - ran[vcpu]);
            turn(machine, vcpu);
            guest_main(machine->guest, now);
            ran[vcpu] += now;
            more = more || ran[vcpu] < insns;
        }
    }
}

static void start(struct machine machines[2], struct pair *pair)
{
    *pair = pair_start();
    pair->options.vcpus_known = true;
    for (int s = 0; s < 2; s++) {
        machines[s] = (struct machine){.guest = &pair->guests[s]};
    }
}

static void expect_same(struct pair *pair)
{
    pair_compare(pair);
    if (pair->result.diverged || pair->result.undecided) {
        fail_msg("diverged at %lu and %lu: %s", (unsigned long)pair->result.sides[0].icount,
                 (unsigned long)pair->result.sides[1].icount, pair->result.note ? pair->result.note : "");
    }
}

static void test_turns(void **state)
{
    for (unsigned vcpus = 2; vcpus <= VCPUS; vcpus++) {
        struct machine machines[2];
        struct pair pair;
        start(machines, &pair);
        for (int s = 0; s < 2; s++) {
            run_turns(&machines[s], vcpus, 100000, 3 + (uint64_t)s);
        }
        expect_same(&pair);
        assert_in_range(pair.result.tolerated[TCGRR_TOLERATED_EVENT], 100, 1000);
        assert_int_equal(pair_place(&pair, 0)->reasons, TCGRR_REASON_VCPU);
        assert_int_equal(pair.result.compared, vcpus * 100000);
        pair_end(&pair);
    }
}

/* The same turns are nothing to tolerate. */
static void test_same_turns(void **state)
{
    struct machine machines[2];
    struct pair pair;
    start(machines, &pair);
    for (int s = 0; s < 2; s++) {
        run_turns(&machines[s], 2, 100000, 3);
    }
    pair_same(&pair, 0, 0, 0);
    pair_end(&pair);
}

/* It is not known which vCPU ran what, or nothing is to be tolerated. */
static void test_not_told(void **state)
{
    for (int strict = 0; strict < 2; strict++) {
        struct machine machines[2];
        struct pair pair;
        start(machines, &pair);
        pair.options.vcpus_known = strict;
        pair.options.strict = strict;
        for (int s = 0; s < 2; s++) {
            run_turns(&machines[s], 2, 10000, 3 + (uint64_t)s);
        }
        pair_compare(&pair);
        assert_int_equal(pair.result.diverged, strict);
        if (!strict) {
            assert_non_null(strstr(pair.result.undecided, "does not report which of them"));
        }
        pair_end(&pair);
    }
}

/* One of them does something else, which turns taken elsewhere may explain: it is named, and where. */
static void test_divergence(void **state)
{
    for (tcgrr_vcpu vcpu = 0; vcpu < 2; vcpu++) {
        struct machine machines[2];
        struct pair pair;
        uint64_t parted[2];
        start(machines, &pair);
        for (int s = 0; s < 2; s++) {
            run_turns(&machines[s], 2, 80000, 3 + (uint64_t)s);
            turn(&machines[s], vcpu);
            parted[s] = pair.guests[s].steps->len;
            guest_run(&pair.guests[s], DETOUR, s ? 3 : 0);
            run_turns(&machines[s], 2, 80000, 5 + (uint64_t)s);
        }
        pair_compare(&pair);
        assert_non_null(pair.result.undecided);
        assert_int_equal(pair.result.vcpu, vcpu);
        assert_int_equal(pair.result.sides[1].icount, parted[1]);
        assert_in_range(pair.result.sides[0].icount, parted[0], parted[0] + 1000);
        pair_end(&pair);
    }
}

/* Both do something else, the second one first: that is the place, and so far they are the same. */
static void test_first_divergence(void **state)
{
    struct machine machines[2];
    struct pair pair;
    uint64_t parted;
    start(machines, &pair);
    for (int s = 0; s < 2; s++) {
        run_turns(&machines[s], 2, 80000, 3 + (uint64_t)s);
        for (tcgrr_vcpu vcpu = VCPUS - 1; vcpu-- > 0;) {
            turn(&machines[s], vcpu);
            parted = pair.guests[s].steps->len;
            guest_run(&pair.guests[s], DETOUR, s ? 3 : 0);
            guest_main(&pair.guests[s], 700);
            if (vcpu == 1) {
                assert_int_equal(parted, 160000);
            }
        }
        run_turns(&machines[s], 2, 80000, 5 + (uint64_t)s);
    }
    pair_compare(&pair);
    assert_non_null(pair.result.undecided);
    assert_int_equal(pair.result.vcpu, 1);
    assert_int_equal(pair.result.icount, 160000);
    assert_int_equal(pair.result.compared, 160000);
    pair_end(&pair);
}

/* A handler that a vCPU runs does something else in one of the runs, after turns that were taken elsewhere: they may be
 * why, and it is named where it does so. */
static void test_other_handler(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        tcgrr_vcpu vcpu = i % 2;
        struct machine machines[2];
        struct pair pair;
        uint64_t parted[2];
        start(machines, &pair);
        if (i >= 2) {
            pair.options.until[0] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, 200000};
        }
        for (int s = 0; s < 2; s++) {
            run_turns(&machines[s], 2, 80000, 3 + (uint64_t)s);
            turn(&machines[s], vcpu);
            guest_main(&pair.guests[s], s ? 1000 : 1025);
            guest_interrupt(&pair.guests[s], TICK);
            guest_run(&pair.guests[s], TICK, 7);
            parted[s] = pair.guests[s].steps->len;
            guest_run(&pair.guests[s], DETOUR, s ? 300 : 0);
            guest_run(&pair.guests[s], TICK + 4 * 7, TICK_INSNS - 7);
            guest_main(&pair.guests[s], s ? 1025 : 1000);
            run_turns(&machines[s], 2, 80000, 5 + (uint64_t)s);
        }
        pair_compare(&pair);
        assert_non_null(pair.result.undecided);
        assert_non_null(strstr(pair.result.undecided, "several vCPUs took turns before: the handlers of"));
        assert_int_equal(pair.result.vcpu, vcpu);
        for (int s = 0; s < 2; s++) {
            assert_int_equal(pair.result.sides[s].icount, parted[s]);
            assert_false(pair.result.sides[s].there);
        }
        assert_int_equal(pair.result.icount, parted[0]);
        assert_null(pair.result.common);
        assert_in_range(pair.result.compared, 100000, parted[0]);
        pair_end(&pair);
    }
}

/* Each has interrupts of its own, which come as its turn begins and go unnoticed. */
static void test_interrupts(void **state)
{
    struct machine machines[2];
    struct pair pair;
    start(machines, &pair);
    for (int s = 0; s < 2; s++) {
        uint64_t seed = 11 + (uint64_t)s;
        for (unsigned round = 1; round <= 60; round++) {
            for (tcgrr_vcpu vcpu = 0; vcpu < 2; vcpu++) {
                turn(&machines[s], vcpu);
                guest_run(&pair.guests[s], TICK, TICK_INSNS);
                guest_main(&pair.guests[s], round * 1000 + stream_random(&seed) % 300 - pair.guests[s].main);
            }
        }
        for (tcgrr_vcpu vcpu = 0; vcpu < 2; vcpu++) {
            turn(&machines[s], vcpu);
            guest_main(&pair.guests[s], 65000 - pair.guests[s].main);
        }
    }
    expect_same(&pair);
    assert_in_range(pair.result.tolerated[TCGRR_TOLERATED_EVENT], 100, 400);
    pair_end(&pair);
}

/* One waits for a lock until the other had its turn; on the other side it gets it at once. */
static void run_lock(struct machine *machine, bool waits, bool turns)
{
    run_turns(machine, 2, 5000, 3);
    turn(machine, 1);
    guest_loop(machine->guest, LOAD_LOOP, waits ? 50 : 1, false);
    if (turns) {
        turn(machine, 0);
        guest_main(machine->guest, 100);
        turn(machine, 1);
    }
    guest_loop(machine->guest, LOAD_LOOP, 1, false);
    guest_leave_loop(machine->guest, LOAD_LOOP);
    run_turns(machine, 2, 80000, 4);
}

static void test_lock(void **state)
{
    for (int late = 0; late < 2; late++) {
        for (int turns = 0; turns < 2; turns++) {
            struct machine machines[2];
            struct pair pair;
            start(machines, &pair);
            for (int s = 0; s < 2; s++) {
                run_lock(&machines[s], s == late, turns);
            }
            if (turns) {
                expect_same(&pair);
                assert_int_equal(pair.result.tolerated[TCGRR_TOLERATED_LOOP], 1);
                pair_end(&pair);
                continue;
            }
            pair_compare(&pair);
            assert_non_null(pair.result.undecided);
            assert_int_equal(pair.result.vcpu, 1);
            pair_end(&pair);
        }
    }
}

/* A vCPU that does not go on any more in one of the runs: bounded, and no verdict. */
static void test_left_behind(void **state)
{
    struct machine machines[2];
    struct pair pair;
    start(machines, &pair);
    for (int s = 0; s < 2; s++) {
        run_turns(&machines[s], 2, 30000, 3 + (uint64_t)s);
        turn(&machines[s], 0);
        if (s == 0) {
            guest_main(&pair.guests[s], 3000000);
        } else {
            run_turns(&machines[s], 2, 1500000, 9);
        }
    }
    pair_compare(&pair);
    assert_non_null(pair.result.undecided);
    pair_end(&pair);
}

/* The one that ends the run does so in both; the others are stopped somewhere. */
static void test_end(void **state)
{
    struct machine machines[2];
    struct pair pair;
    start(machines, &pair);
    for (int s = 0; s < 2; s++) {
        run_turns(&machines[s], 2, 30000, 3 + (uint64_t)s);
        turn(&machines[s], 1);
        guest_main(&pair.guests[s], s ? 5000 : 700);
        turn(&machines[s], 0);
        guest_main(&pair.guests[s], 90);
    }
    expect_same(&pair);
    pair_end(&pair);
}

/* One side changes between two vCPUs all the time, the other one never does: what waits for a counterpart is bounded.
 */
static void test_bounded(void **state)
{
    struct tcgrr_block block = {.pc = 0x1000};
    struct tcgrr_stretch stretches[2];
    struct tcgrr_exec_window windows[2] = {0};
    struct tcgrr_comparison comparison = {.places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_tolerated))};
    struct tcgrr_align align = {.comparison = &comparison};
    struct tcgrr_vcpu_schedule schedule;

    for (int i = 0; i < 2; i++) {
        tcgrr_stretch_init(&stretches[i]);
        windows[i].stretch = stretches[i];
    }
    tcgrr_vcpu_schedule_init(&schedule, windows, (tcgrr_icount[]){0, 0});
    for (tcgrr_icount icount = 0; icount < 400000; icount++) {
        for (int i = 0; i < 2; i++) {
            struct tcgrr_exec exec = {.block = &block, .ran = 1, .vcpu = i == 0 ? icount % 2 : 0, .icount = icount};
            g_array_append_val(windows[i].stretch.execs, exec);
        }
        if (icount % 1000 == 999) {
            tcgrr_vcpu_schedule_look(&schedule, windows, &align);
            assert_true(schedule.ends[0]->len <= 70000);
        }
    }
    assert_true(comparison.tolerated[TCGRR_TOLERATED_EVENT] > 0);
    tcgrr_vcpu_schedule_clear(&schedule);
    for (int i = 0; i < 2; i++) {
        tcgrr_stretch_clear(&windows[i].stretch);
    }
    g_array_unref(comparison.places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_divergence),
        cmocka_unit_test(test_other_handler),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_same_turns),
        cmocka_unit_test(test_not_told),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
