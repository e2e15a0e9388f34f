/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Icounts as tcgrr prints them, and as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/cli.h"

static void test_printed(void **state)
{
    static const uint64_t numbers[] = {0, 7, 999, 1000, 99999, 100000, 1234567, 867281841, INT64_MAX};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        g_autofree char *text = cli_number(numbers[i]);
        uint64_t icount = 1;
        assert_true(cli_parse_icount(text, &icount));
        assert_int_equal(icount, numbers[i]);
    }
}

static void test_written(void **state)
{
    static const struct {
        const char *text;
        uint64_t icount;
    } texts[] = {{"1500M", 1500000000}, {"8k", 8000}, {"2G", 2000000000}, {"0M", 0}, {"0012", 12}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t icount = 1;
        assert_true(cli_parse_icount(texts[i].text, &icount));
        assert_int_equal(icount, texts[i].icount);
    }
}

static void test_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "M",
                                        "1,5",
                                        "1,2345",
                                        ",100",
                                        "100,",
                                        "1,000M",
                                        "-5",
                                        "+5",
                                        "5 M",
                                        "5MB",
                                        "0x10",
                                        "12e6",
                                        "1.5G",
                                        "1,,000",
                                        "K5",
                                        " 12",
                                        "0,012",
                                        "main",
                                        "9999999999999G",
                                        "12345678901234567890",
                                        "9223372036854775808"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t icount = 77;
        assert_false(cli_parse_icount(texts[i], &icount));
        assert_int_equal(icount, 77);
    }
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"1", 1},
                 {"65536", 65536},
                 {"500M", 524288000},
                 {"4g", 4294967296},
                 {"1T", 1ull << 40},
                 {"9223372036854775807", INT64_MAX},
                 {"8388607T", 8388607ull << 40}};
    static const char *const wrong[] = {"",
                                        "0",
                                        "0M",
                                        "M",
                                        "-1",
                                        " 1",
                                        "1 ",
                                        "1MB",
                                        "1.5G",
                                        "0x10",
                                        "+1",
                                        "8388608T",
                                        "9223372036854775808",
                                        "99999999999999999999",
                                        "99999999999999999999G"};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t bytes = 0;
        assert_true(cli_parse_size(sizes[i].text, &bytes));
        assert_int_equal(bytes, sizes[i].bytes);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint64_t bytes = 77;
        if (cli_parse_size(wrong[i], &bytes)) {
            fail_msg("%s is taken", wrong[i]);
        }
        assert_int_equal(bytes, 77);
    }
}

static void test_windows(void **state)
{
    static const char *const wrong[] = {"",
                                        ":",
                                        "5",
                                        "5:",
                                        ":5",
                                        "5:5",
                                        "6:5",
                                        "-5:5",
                                        "0:-1",
                                        "0:5:6",
                                        " 0:5",
                                        "0x0:5",
                                        "0:9223372036854775808",
                                        "0:99999999999999999999",
                                        "0:1M"};
    uint64_t first, end;

    assert_true(cli_parse_window("0:9223372036854775807", &first, &end));
    assert_int_equal(first, 0);
    assert_int_equal(end, INT64_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (cli_parse_window(wrong[i], &first, &end)) {
            fail_msg("%s is taken", wrong[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printed), cmocka_unit_test(test_written), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sizes),   cmocka_unit_test(test_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
