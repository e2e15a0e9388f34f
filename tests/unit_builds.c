/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search among builds: whatever is good, bad and cannot be tried, the answer is right and the trials are few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib.h>

#include "replay/builds.h"

/* A made-up list: builds from `first_bad` on are bad; those for which `skipped` says so cannot be tried. */
struct world {
    int count;
    int first_bad;
    const bool *skipped;
};

struct outcome {
    struct tcgrr_build_search_state state;
    int trials;
    int skips;
};

static void find(const struct world *world, struct outcome *outcome)
{
    g_autofree int *verdicts = g_new(int, (gsize)world->count);
    struct tcgrr_build_search search = {verdicts, world->count};

    *outcome = (struct outcome){0};
    for (int i = 0; i < world->count; i++) {
        verdicts[i] = TCGRR_BUILD_UNTRIED;
    }
    for (;;) {
        tcgrr_build_search_next(&search, &outcome->state);
        int next = outcome->state.next;
        if (next < 0) {
            return;
        }
        assert_in_range(next, 0, world->count - 1);
        assert_int_equal(verdicts[next], TCGRR_BUILD_UNTRIED);
        assert_true(next > outcome->state.last_good && next < outcome->state.first_bad);
        outcome->trials++;
        outcome->skips += world->skipped[next];
        verdicts[next] = world->skipped[next]       ? TCGRR_VERDICT_SKIPPED
                         : next >= world->first_bad ? TCGRR_VERDICT_BAD
                                                    : TCGRR_VERDICT_GOOD;
    }
}

/* The answer as far as there is one: the builds next to the change that can be tried. */
static void check(const struct world *world, const struct outcome *outcome)
{
    int good = world->first_bad - 1;
    int bad = world->first_bad;
    while (good >= 0 && world->skipped[good]) {
        good--;
    }
    while (bad < world->count && world->skipped[bad]) {
        bad++;
    }
    assert_int_equal(outcome->state.last_good, good);
    assert_int_equal(outcome->state.first_bad, bad);
}

static int ceil_log2(int n)
{
    int bits = 0;
    while (1 << bits < n) {
        bits++;
    }
    return bits;
}

static void test_every_small_list(void **state)
{
    bool skipped[9];
    for (int count = 1; count <= 9; count++) {
        for (int mask = 0; mask < 1 << count; mask++) {
            for (int i = 0; i < count; i++) {
                skipped[i] = mask >> i & 1;
            }
            for (int first_bad = 0; first_bad <= count; first_bad++) {
                struct world world = {count, first_bad, skipped};
                struct outcome outcome;
                find(&world, &outcome);
                check(&world, &outcome);
            }
        }
    }
}

/* The last one, to see whether there is anything to find, then halvings of the others. */
static void test_few_trials(void **state)
{
    static const bool skipped[300];
    for (int count = 1; count <= 300; count++) {
        struct tcgrr_build_search_state start;
        g_autofree int *untried = g_new(int, (gsize)count);
        for (int i = 0; i < count; i++) {
            untried[i] = TCGRR_BUILD_UNTRIED;
        }
        tcgrr_build_search_next(&(struct tcgrr_build_search){untried, count}, &start);
        assert_int_equal(start.next, count - 1);
        assert_int_equal(start.most, 1 + ceil_log2(count));
        for (int first_bad = 0; first_bad < count; first_bad++) {
            struct outcome outcome;
            find(&(struct world){count, first_bad, skipped}, &outcome);
            assert_int_equal(outcome.state.first_bad, first_bad);
            assert_in_range(outcome.trials, 1, start.most);
        }
    }
}

/* All good: one trial says so. */
static void test_nothing_bad(void **state)
{
    static const bool skipped[100];
    struct outcome outcome;
    find(&(struct world){100, 100, skipped}, &outcome);
    assert_int_equal(outcome.trials, 1);
    assert_int_equal(outcome.state.last_good, 99);
    assert_int_equal(outcome.state.first_bad, 100);
}

/* A long row of builds that do not work costs a few trials, not all of them, unless the change is in it. */
static void test_row_of_skipped(void **state)
{
    bool skipped[1000] = {false};
    for (int i = 300; i < 600; i++) {
        skipped[i] = true;
    }
    for (int first_bad = 1; first_bad < 1000; first_bad += 7) {
        struct world world = {1000, first_bad, skipped};
        struct outcome outcome;
        find(&world, &outcome);
        check(&world, &outcome);
        if (first_bad < 300 || first_bad > 600) {
            assert_in_range(outcome.trials, 1, 30);
        } else {
            assert_int_equal(outcome.skips, 300);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_small_list),
        cmocka_unit_test(test_few_trials),
        cmocka_unit_test(test_nothing_bad),
        cmocka_unit_test(test_row_of_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
