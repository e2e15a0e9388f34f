/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the reports that need no trace: options, the cache model, classes of instructions. */
#include "cli/report/cache_model.h"
#include "cli/report/howvec.h"
#include "cli/report/report.h"
#include "store/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { NUMBER, SWITCH, CHOICE, TEXT, LIST };

static const struct report_option options[] = {
    {"number", REPORT_NUMBER, "N", "", 7, 1, 100},    {"switch", REPORT_SWITCH, NULL, "", 1, 0, 0},
    {"choice", REPORT_CHOICE, "a|b|bc", "", 1, 0, 0}, {"text", REPORT_TEXT, "PATH", "", 0, 0, 0},
    {"list", REPORT_LIST, "TEXT", "", 0, 0, 0},       {0},
};
static const struct report report = {.name = "test", .options = options};

/* Parses words separated by spaces, which has to fail with `wrong`. */
static void refuse(const char *line, const char *wrong)
{
    struct report_job job = {.report = &report};
    GError *error = NULL;
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    assert_false(report_parse_options(&job, words, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_USAGE));
    if (!strstr(error->message, wrong)) {
        fail_msg("'%s' gave: %s", line, error->message);
    }
    g_error_free(error);
    report_clear_options(&job);
}

static void test_options_have_defaults(void **state)
{
    struct report_job job = {.report = &report};
    char *none[] = {NULL};
    assert_true(report_parse_options(&job, none, NULL));
    assert_int_equal(job.values[NUMBER].number, 7);
    assert_int_equal(job.values[SWITCH].number, 1);
    assert_int_equal(job.values[CHOICE].number, 1);
    assert_null(job.values[TEXT].text);
    assert_int_equal(job.values[LIST].texts->len, 0);
    assert_false(job.values[NUMBER].given);
    report_clear_options(&job);
}

static void test_options_are_taken(void **state)
{
    struct report_job job = {.report = &report};
    char *words[] = {"number=0x10", "switch=off", "choice=bc", "text=a=b", "list=x", "list=y", NULL};
    assert_true(report_parse_options(&job, words, NULL));
    assert_int_equal(job.values[NUMBER].number, 16);
    assert_true(job.values[NUMBER].given);
    assert_int_equal(job.values[SWITCH].number, 0);
    assert_int_equal(job.values[CHOICE].number, 2);
    assert_string_equal(job.values[TEXT].text, "a=b");
    assert_int_equal(job.values[LIST].texts->len, 2);
    assert_string_equal(g_ptr_array_index(job.values[LIST].texts, 1), "y");
    report_clear_options(&job);

    char *alone[] = {"switch", NULL};
    assert_true(report_parse_options(&job, alone, NULL));
    assert_int_equal(job.values[SWITCH].number, 1);
    report_clear_options(&job);
}

static void test_options_are_refused(void **state)
{
    static const struct {
        const char *line;
        const char *wrong;
    } rows[] = {
        {"nothing=1", "test has no option 'nothing'; it has number, switch, choice, text, list"},
        {"numb=1", "no option 'numb'"},
        {"number", "number needs a value: number=N"},
        {"number=0", "from 1 to 100, not '0'"},
        {"number=101", "not '101'"},
        {"number=-1", "not '-1'"},
        {"number=0x", "not '0x'"},
        {"number=0xg", "not '0xg'"},
        {"number=0x-5", "not '0x-5'"},
        {"number=5x", "not '5x'"},
        {"number=", "not ''"},
        {"number=99999999999999999999999", "takes a number"},
        {"switch=maybe", "switch takes on or off, not 'maybe'"},
        {"choice=c", "choice takes one of a|b|bc, not 'c'"},
        {"choice=", "choice takes one of"},
        {"text=", "text takes PATH, not nothing"},
        {"number=1 number=2", "number is given twice"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        refuse(rows[i].line, rows[i].wrong);
    }
}

/* Looks up lines one after the other; '1' for each that was there. */
static char *look_up(enum cache_policy policy, const char *lines)
{
    struct cache_shape shape = {.size = 3 * 16, .line = 16, .ways = 3};
    struct cache cache;
    GString *hits = g_string_new(NULL);
    uint64_t misses = 0;

    assert_true(cache_check(&shape, "cache", NULL));
    cache_init(&cache, &shape, policy);
    for (; *lines; lines++) {
        bool hit = cache_access(&cache, (uint64_t)(*lines - '0') * 16 + 5);
        g_string_append_c(hits, hit ? '1' : '0');
        misses += !hit;
    }
    assert_int_equal(cache.misses, misses);
    assert_int_equal(cache.accesses, hits->len);
    cache_clear(&cache);
    return g_string_free(hits, FALSE);
}

static void test_options_are_listed(void **state)
{
    json_t *list = report_options_json(options);

    assert_int_equal(json_array_size(list), 5);
    json_t *choice = json_array_get(list, CHOICE), *texts = json_array_get(list, LIST);
    assert_string_equal(json_string_value(json_object_get(choice, "values")), "a|b|bc");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, SWITCH), "values")), "on|off");
    assert_true(json_is_false(json_object_get(choice, "repeats")));
    assert_true(json_is_true(json_object_get(texts, "repeats")));
    json_decref(list);
}

static void test_cache_evicts(void **state)
{
    /* Three lines have room. With 1 used again, least recently used is 2, first in is 1. Line 0 is one like others. */
    g_autofree char *lru = look_up(CACHE_LRU, "12314"
                                              "1324"
                                              "0");
    assert_string_equal(lru, "000101"
                             "1"
                             "0"
                             "0"
                             "0");
    g_autofree char *fifo = look_up(CACHE_FIFO, "12314"
                                                "231"
                                                "4");
    assert_string_equal(fifo, "00010"
                              "110"
                              "1");
    g_autofree char *random = look_up(CACHE_RAND, "1231"
                                                  "1232");
    assert_string_equal(random, "00011111");
    g_autofree char *empty = look_up(CACHE_LRU, "00");
    assert_string_equal(empty, "01");
}

static void test_cache_has_sets(void **state)
{
    struct cache_shape shape = {.size = 4 * 2 * 16, .line = 16, .ways = 2};
    struct cache cache;
    cache_init(&cache, &shape, CACHE_LRU);
    for (uint64_t line = 0; line < 8; line++) { /* two in each of four sets */
        assert_false(cache_access(&cache, line * 16));
    }
    for (uint64_t line = 0; line < 8; line++) {
        assert_true(cache_access(&cache, line * 16 + 15));
    }
    assert_false(cache_access(&cache, 8 * 16)); /* takes the place of line 0 alone */
    assert_true(cache_access(&cache, 1 * 16));
    assert_false(cache_access(&cache, 0));
    cache_clear(&cache);
}

static void test_cache_shapes(void **state)
{
    static const struct {
        struct cache_shape shape;
        const char *wrong; /* NULL: fine */
    } rows[] = {
        {{16384, 64, 8}, NULL},
        {{64, 64, 1}, NULL},
        {{16384, 48, 8}, "block size must be a power of two"},
        {{1000, 64, 8}, "a multiple of block size"},
        {{24576, 64, 8}, "number of sets"},
        {{64, 64, 8}, "a multiple of block size"},
        {{UINT64_C(1) << 36, UINT64_C(1) << 36, 65535}, "a multiple of block size"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        assert_int_equal(cache_check(&rows[i].shape, "cache", &error), rows[i].wrong == NULL);
        if (rows[i].wrong) {
            assert_non_null(strstr(error->message, rows[i].wrong));
            g_error_free(error);
        }
    }
}

static const char *class_of(const char *target, uint32_t opcode, bool strict)
{
    size_t count;
    const struct howvec_class *table = howvec_table(target, &count);
    for (size_t i = 0; i < count; i++) {
        if (howvec_fits(&table[i], opcode, strict)) {
            return table[i].name;
        }
    }
    return "none";
}

static void test_classes(void **state)
{
    static const struct {
        const char *target;
        uint32_t opcode;
        const char *class;
        const char *strict;
    } rows[] = {
        {"aarch64", 0xd503201f, "nop", "nop"},       /* nop */
        {"aarch64", 0xd5384100, "sreg", "sreg"},     /* mrs x0, sp_el0 */
        {"aarch64", 0xa9bf7bfd, "ldstp", "ldstp"},   /* stp x29, x30, [sp, #-16]! */
        {"aarch64", 0xaa0103e0, "ldstp", "dprr"},    /* mov x0, x1 */
        {"aarch64", 0xf8408400, "ldlit", "ldstr"},   /* ldr x0, [x0], #8 */
        {"aarch64", 0x580000c0, "ldlit", "ldlit"},   /* ldr x0, label */
        {"aarch64", 0xf8626820, "ldlit", "ldstro"},  /* ldr x0, [x1, x2] */
        {"aarch64", 0xf9400000, "ldsti", "ldsti"},   /* ldr x0, [x0] */
        {"aarch64", 0xd65f03c0, "breg", "breg"},     /* ret */
        {"aarch64", 0x1e202800, "fpsimd", "fpsimd"}, /* fadd s0, s0, s0 */
        {"riscv64", 0x00000013, "nop", "nop"},
        {"riscv64", 0x02b50533, "muldiv", "muldiv"}, /* mul a0, a0, a1 */
        {"riscv64", 0x00b50533, "op", "op"},         /* add a0, a0, a1 */
        {"riscv64", 0x30200073, "excp", "excp"},     /* mret */
        {"riscv64", 0x34202573, "csr", "csr"},       /* csrr a0, mcause */
        {"riscv64", 0x00053503, "ld", "ld"},         /* ld a0, 0(a0) */
        {"riscv64", 0x8082, "cjr", "cjr"},           /* ret */
        {"riscv64", 0x9002, "cexcp", "cexcp"},       /* ebreak */
        {"riscv64", 0x852e, "cop", "cop"},           /* mv a0, a1 */
        {"riscv64", 0x6108, "cld", "cld"},           /* ld a0, 0(a0) */
        {"riscv64", 0xe108, "cst", "cst"},           /* sd a0, 0(a0) */
        {"riscv64", 0x60a2, "cld", "cld"},           /* ld ra, 8(sp) */
        {"riscv64", 0xe406, "cst", "cst"},           /* sd ra, 8(sp) */
        {"riscv64", 0xa001, "cj", "cj"},             /* j . */
        {"riscv64", 0xc111, "ccndb", "ccndb"},       /* beqz a0, .+4 */
        {"riscv64", 0x2505, "cop", "cop"},           /* addiw a0, a0, 1 */
        {"riscv32", 0x2011, "cj", "cj"},             /* jal .+4 */
        {"riscv64", 0x0000007f, "unclas", "unclas"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_string_equal(class_of(rows[i].target, rows[i].opcode, false), rows[i].class);
        assert_string_equal(class_of(rows[i].target, rows[i].opcode, true), rows[i].strict);
    }
    size_t count;
    assert_null(howvec_table("x86_64", &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_have_defaults), cmocka_unit_test(test_options_are_taken),
        cmocka_unit_test(test_options_are_refused),   cmocka_unit_test(test_options_are_listed),
        cmocka_unit_test(test_cache_evicts),          cmocka_unit_test(test_cache_has_sets),
        cmocka_unit_test(test_cache_shapes),          cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
