/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbols that are written as an ELF file, and those of text files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "store/error.h"
#include "store/symbols.h"

static const struct tcgrr_symbol symbols[] = {
    {.address = 0x1000, .size = 0x20, .name = "reset", .file = "/kernel"},
    {.address = 0x1020, .size = 4, .name = "halt", .file = "/kernel"},
    {.address = 0x80002000, .size = 0x100, .name = "main", .file = "/kernel"}};

struct scratch {
    char *folder;
    char *path;
};

static int make_folder(void **state)
{
    struct scratch *scratch = g_new0(struct scratch, 1);

    scratch->folder = g_dir_make_tmp("tcgrr-unit-XXXXXX", NULL);
    assert_non_null(scratch->folder);
    scratch->path = g_build_filename(scratch->folder, "symbols", NULL);
    *state = scratch;
    return 0;
}

static int remove_folder(void **state)
{
    struct scratch *scratch = *state;

    g_unlink(scratch->path);
    g_rmdir(scratch->folder);
    g_free(scratch->folder);
    g_free(scratch->path);
    g_free(scratch);
    return 0;
}

static void round_trip(const char *target, const char *path)
{
    struct tcgrr_symbols *written = tcgrr_symbols_new();
    struct tcgrr_symbols *read = tcgrr_symbols_new();
    GError *error = NULL;
    bool done = false;

    for (size_t i = 0; i < G_N_ELEMENTS(symbols); i++) {
        tcgrr_symbols_add(written, &symbols[i]);
    }
    assert_true(tcgrr_symbols_write(written, target, path, &done, &error));
    assert_true(done);
    assert_true(tcgrr_symbols_is_elf(path));
    assert_true(tcgrr_symbols_add_elf(read, path, true, &error));
    const GArray *list = tcgrr_symbols_list(read);
    assert_int_equal(list->len, G_N_ELEMENTS(symbols));
    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_symbol *symbol = &g_array_index(list, struct tcgrr_symbol, i);
        assert_string_equal(symbol->name, symbols[i].name);
        assert_int_equal(symbol->address, symbols[i].address);
        assert_int_equal(symbol->size, symbols[i].size);
    }
    tcgrr_symbols_free(written);
    tcgrr_symbols_free(read);
}

static void test_written_is_read(void **state)
{
    static const char *const targets[] = {"aarch64", "arm",   "i386",    "x86_64", "riscv32", "riscv64",
                                          "ppc64",   "s390x", "sparc64", "mips",   "m68k",    "loongarch64"};
    const struct scratch *scratch = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(targets); i++) {
        round_trip(targets[i], scratch->path);
    }
}

/* A label without a size reaches up to 2^64, which a file of a 32-bit machine cannot say. */
static void test_last_label(void **state)
{
    const struct scratch *scratch = *state;
    const struct tcgrr_symbol label = {.name = "label", .address = 0x5fec, .size = UINT64_MAX - 0x5fec};
    const struct tcgrr_symbol far = {.name = "far", .address = UINT64_MAX - 16, .size = 16};
    static const char *const targets[] = {"sparc", "riscv64"};

    for (size_t i = 0; i < G_N_ELEMENTS(targets); i++) {
        struct tcgrr_symbols *written = tcgrr_symbols_new();
        struct tcgrr_symbols *read = tcgrr_symbols_new();
        GError *error = NULL;
        bool done = false;
        tcgrr_symbols_add(written, &label);
        tcgrr_symbols_add(written, &far);
        assert_true(tcgrr_symbols_write(written, targets[i], scratch->path, &done, &error));
        assert_true(done);
        assert_true(tcgrr_symbols_add_elf(read, scratch->path, true, &error));
        const GArray *list = tcgrr_symbols_list(read);
        assert_int_equal(list->len, i == 0 ? 1 : 2);
        assert_string_equal(g_array_index(list, struct tcgrr_symbol, 0).name, "label");
        assert_int_equal(g_array_index(list, struct tcgrr_symbol, 0).address, label.address);
        tcgrr_symbols_free(written);
        tcgrr_symbols_free(read);
    }
}

static void test_nothing_to_write(void **state)
{
    const struct scratch *scratch = *state;
    struct tcgrr_symbols *table = tcgrr_symbols_new();
    GError *error = NULL;
    bool done = true;

    assert_true(tcgrr_symbols_write(table, "riscv64", scratch->path, &done, &error));
    assert_false(done);
    tcgrr_symbols_add(table, &symbols[0]);
    done = true;
    assert_true(tcgrr_symbols_write(table, "a-new-target", scratch->path, &done, &error));
    assert_false(done);
    assert_false(g_file_test(scratch->path, G_FILE_TEST_EXISTS));
    assert_false(tcgrr_symbols_write(table, "riscv64", scratch->folder, &done, &error));
    assert_int_equal(error->code, TCGRR_ERROR_FAILED);
    g_clear_error(&error);
    tcgrr_symbols_free(table);
}

/* Reads the text; wants `count` symbols or, with 0, to be refused. */
static void read_text(const char *path, const char *text, gssize length, guint count)
{
    struct tcgrr_symbols *table = tcgrr_symbols_new();
    GError *error = NULL;

    assert_true(g_file_set_contents(path, text, length, NULL));
    bool good = tcgrr_symbols_add_file(table, path, 0x10, &error);
    assert_int_equal(good, count > 0);
    if (good) {
        assert_int_equal(tcgrr_symbols_list(table)->len, count);
        assert_int_equal(tcgrr_symbols_find(table, "start")->address, 0x1010);
    } else {
        assert_non_null(strstr(error->message, path));
        g_clear_error(&error);
    }
    tcgrr_symbols_free(table);
}

static void test_text(void **state)
{
    const struct scratch *scratch = *state;
    struct tcgrr_symbols *table = tcgrr_symbols_new();
    GError *error = NULL;

    read_text(scratch->path, "0000000000001000 T start\n0000000000001040 t inner\n", -1, 2);
    read_text(scratch->path, "ffffffff81000000 T other\n1000 T start\t[module]\n", -1, 2);
    read_text(scratch->path, "00001000 00000040 T start\n00002000 00000004 D data\n", -1, 1);
    read_text(scratch->path, "                 U elsewhere\n0000000000001000 T start\n", -1, 1);
    read_text(scratch->path, "1000 T start\n1004 t $d\n1008 t .L1\n", -1, 1);
    read_text(scratch->path, "", -1, 0);
    read_text(scratch->path, "1000 T start\nthis is a letter\n", -1, 0);
    read_text(scratch->path, "1000 T start\n\0 2000 T more\n", 28, 0);
    g_unlink(scratch->path);
    assert_false(tcgrr_symbols_add_file(table, scratch->path, 0, &error));
    assert_int_equal(error->code, TCGRR_ERROR_FAILED);
    g_clear_error(&error);
    assert_false(tcgrr_symbols_add_text(table, scratch->path, 0, &error));
    assert_int_equal(error->code, TCGRR_ERROR_FAILED);
    g_clear_error(&error);
    tcgrr_symbols_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_last_label, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_nothing_to_write, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_text, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
