/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In which entries two auxiliary vectors differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/auxv.h"

static void check(const char *a, const char *b, const char *wanted)
{
    g_autofree char *found = tcgrr_auxv_difference(a, b);
    if (wanted) {
        assert_string_equal(found, wanted);
    } else {
        assert_null(found);
    }
}

static void names_what_differs(void **state)
{
    check("3=0x40 16=0x2", "3=0x40 16=0x2", NULL);
    check("16=0x2", "16=0x6", "AT_HWCAP 0x2 and 0x6");
    check("3=0x40 16=0x2 17=0x64", "16=0x6 3=0x50 17=0x64", "AT_HWCAP 0x2 and 0x6, AT_PHDR 0x40 and 0x50");
    check("25=0x1", "25=0x2 33=0x7000", "AT_SYSINFO_EHDR (vDSO) 0x7000 in B only, AT_RANDOM 0x1 and 0x2");
    check("99=0xffffffffffffffff 8=0x0", "8=0x0", "entry 99 0xffffffffffffffff in A only");
    check("22=0x16 22=0x16", "22=0x16 22=0x16", NULL);
}

static void knows_what_is_not_known(void **state)
{
    check(NULL, "3=0x40", NULL);
    check("3=0x40", "", NULL);
    check("damaged", "3", NULL);
}

static void writes_what_it_reads(void **state)
{
    GString *text = g_string_new(NULL);
    tcgrr_auxv_add(text, 3, 0x40);
    tcgrr_auxv_add(text, 33, UINT64_MAX);
    assert_string_equal(text->str, "3=0x40 33=0xffffffffffffffff");
    g_string_free(text, TRUE);
}

static void knows_what_has_moved(void **state)
{
    assert_false(tcgrr_auxv_moved("3=0x40 7=0x1000 9=0x80 25=0x1", "3=0x40 7=0x1000 9=0x80 25=0x2 33=0x7000"));
    assert_true(tcgrr_auxv_moved("3=0x40 7=0x1000 9=0x80", "3=0x40 7=0x2000 9=0x80"));
    assert_true(tcgrr_auxv_moved("9=0x80", "9=0x90"));
    assert_false(tcgrr_auxv_moved("9=0x80", "7=0x90"));
    assert_false(tcgrr_auxv_moved(NULL, "9=0x80"));
    assert_false(tcgrr_auxv_moved("9=0x80", ""));
}

/* No ring makes the text grow without an end, and none that a trace holds is compared for hours. */
static void bounded(void **state)
{
    GString *text = g_string_new("16=0x2");
    GString *other = g_string_new("16=0x6");

    for (uint64_t type = 100; type < 1000000; type++) {
        tcgrr_auxv_add(text, type, 5);
    }
    assert_in_range(text->len, 16 << 10, 17 << 10);
    while (other->len < 32u << 20) {
        g_string_append(other, " 7=0x1");
    }
    g_autofree char *found = tcgrr_auxv_difference(text->str, other->str);
    assert_true(g_str_has_prefix(found, "AT_HWCAP 0x2 and 0x6, entry 100 0x5 in A only, "));
    g_string_free(text, TRUE);
    g_string_free(other, TRUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_what_differs), cmocka_unit_test(knows_what_is_not_known),
                                       cmocka_unit_test(knows_what_has_moved), cmocka_unit_test(writes_what_it_reads),
                                       cmocka_unit_test(bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
