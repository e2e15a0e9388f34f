/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accesses that a backward slice keeps: what is found in them, and what happens to too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "replay/cause/access_log.h"

#define MANY (UINT32_C(1) << 22) /* so many are kept */

/* At its own physical address, unless `physical` is 0. */
static void add(struct tcgrr_access_log *log, tcgrr_icount icount, bool store, uint64_t address, uint64_t physical,
                uint8_t size)
{
    struct tcgrr_access access = {.size = size, .address = address, .physical = physical};

    access.flags = (uint8_t)((store ? TCGRR_ACCESS_STORE : 0) | (physical ? TCGRR_ACCESS_PHYSICAL : 0));
    tcgrr_access_log_add(log, icount, &access);
}

static tcgrr_icount last_store(const struct tcgrr_access_log *log, struct tcgrr_memory_range range, tcgrr_icount before)
{
    tcgrr_icount icount = UINT64_MAX;
    return tcgrr_access_log_last_store(log, &range, before, &icount) ? icount : UINT64_MAX;
}

static void test_stores(void **state)
{
    struct tcgrr_access_log *log = tcgrr_access_log_new();
    const struct tcgrr_memory_range range = {0x1000, 0x51000, true, 8};
    const struct tcgrr_memory_range unmapped = {0x1000, 0, false, 8};

    tcgrr_access_log_begin(log, 100, 200);
    add(log, 99, true, 0x1000, 0x51000, 8); /* too early */
    add(log, 110, true, 0x1007, 0x51007, 1);
    add(log, 120, true, 0x9000, 0x51004, 2);  /* the same memory by another name */
    add(log, 130, true, 0x1000, 0x61000, 8);  /* another address space */
    add(log, 140, false, 0x1000, 0x51000, 8); /* a load */
    add(log, 150, true, 0x0ff0, 0x50ff0, 16); /* right before it */
    add(log, 160, true, 0x1008, 0x51008, 4);  /* right after it */
    add(log, 170, true, 0x1000, 0, 4);        /* QEMU does not say where it is */
    add(log, 200, true, 0x1000, 0x51000, 8);  /* too late */
    assert_int_equal(last_store(log, range, 200), 170);
    assert_int_equal(last_store(log, range, 170), 120);
    assert_int_equal(last_store(log, range, 120), 110);
    assert_int_equal(last_store(log, range, 110), UINT64_MAX);
    assert_int_equal(last_store(log, unmapped, 170), 130);
    tcgrr_access_log_free(log);
}

static void test_reach(void **state)
{
    struct tcgrr_access_log *log = tcgrr_access_log_new();
    tcgrr_icount from = 0;

    assert_false(tcgrr_access_log_reaches(log, 0, &from));
    tcgrr_access_log_begin(log, 100, 200);
    assert_false(tcgrr_access_log_reaches(log, 100, &from));
    assert_true(tcgrr_access_log_reaches(log, 101, &from));
    assert_int_equal(from, 100);
    assert_true(tcgrr_access_log_reaches(log, 200, &from));
    assert_false(tcgrr_access_log_reaches(log, 201, &from));
    tcgrr_access_log_free(log);
    tcgrr_access_log_free(NULL);
}

static void note(const struct tcgrr_memory_range *range, void *data)
{
    g_array_append_vals(data, range, 1);
}

static void test_loads(void **state)
{
    struct tcgrr_access_log *log = tcgrr_access_log_new();
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_memory_range));

    tcgrr_access_log_begin(log, 0, 100);
    add(log, 7, false, 0x10, 0x20, 4);
    add(log, 8, false, 0x1000, 0x51000, 8);
    add(log, 8, true, 0x3000, 0x53000, 8);
    add(log, 8, false, 0x2000, 0, 2);
    add(log, 9, false, 0x10, 0x20, 4);
    tcgrr_access_log_loads(log, 8, note, places);
    assert_int_equal(places->len, 2);
    const struct tcgrr_memory_range *found = (const struct tcgrr_memory_range *)places->data;
    assert_true(found[0].mapped && found[0].physical == 0x51000 && found[0].address == 0x1000 && found[0].size == 8);
    assert_true(!found[1].mapped && found[1].address == 0x2000 && found[1].size == 2);
    tcgrr_access_log_loads(log, 50, note, places);
    assert_int_equal(places->len, 2);
    tcgrr_access_log_free(log);
}

/* Two accesses to each instruction: where half of them are forgotten, no instruction keeps only one. */
static void test_too_many(void **state)
{
    struct tcgrr_access_log *log = tcgrr_access_log_new();
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_memory_range));
    tcgrr_icount from = 0;

    tcgrr_access_log_begin(log, 1, UINT64_MAX);
    add(log, 1, true, 0x10, 0x10, 1);
    for (tcgrr_icount i = 2; i < MANY / 2 + 10; i++) {
        add(log, i, false, 0x1000, 0x1000, 8);
        add(log, i, false, 0x2000, 0x2000, 8);
    }
    assert_true(tcgrr_access_log_reaches(log, MANY / 2 + 10, &from));
    assert_true(from > 2 && from < MANY / 2);
    assert_int_equal(last_store(log, (struct tcgrr_memory_range){0x10, 0x10, true, 1}, MANY / 2 + 10), UINT64_MAX);
    tcgrr_access_log_loads(log, from - 1, note, places);
    assert_int_equal(places->len, 0);
    tcgrr_access_log_loads(log, from, note, places);
    assert_int_equal(places->len, 2);
    tcgrr_access_log_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stores),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_loads),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
