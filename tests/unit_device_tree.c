/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device trees that a QEMU wrote: packed, compared, seeded, adapted; and what is none, which is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <libfdt.h>
#include <string.h>

#include "emu/qemu/device_tree.h"
#include "store/error.h"
#include "tests/check.h"

#define TREE_BYTES 65536

struct fixture {
    char *folder;
    char *path;
    char *other;
};

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->folder = g_dir_make_tmp("tcgrr-unit-device-tree-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "a.dtb", NULL);
    f->other = g_build_filename(f->folder, "b.dtb", NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    g_unlink(f->path);
    g_unlink(f->other);
    assert_int_equal(g_rmdir(f->folder), 0);
    g_free(f->folder);
    g_free(f->path);
    g_free(f->other);
    g_free(f);
    return 0;
}

/* A tree with two seeds of 8 and 5 bytes, all of which hold `seed`, and nodes that an Arm machine adds. */
static void write_tree(const char *path, uint8_t seed, const char *model)
{
    g_autofree char *tree = g_malloc0(TREE_BYTES);
    uint8_t bytes[8];

    memset(bytes, seed, sizeof(bytes));
    assert_int_equal(fdt_create(tree, TREE_BYTES), 0);
    fdt_finish_reservemap(tree);
    fdt_begin_node(tree, "");
    fdt_property_string(tree, "model", model);
    fdt_begin_node(tree, "memory@40000000");
    fdt_property_string(tree, "device_type", "memory");
    fdt_end_node(tree);
    fdt_begin_node(tree, "psci");
    fdt_end_node(tree);
    fdt_begin_node(tree, "chosen");
    fdt_property(tree, "kaslr-seed", bytes, 8);
    fdt_property(tree, "rng-seed", bytes, 5);
    fdt_end_node(tree);
    fdt_end_node(tree);
    assert_int_equal(fdt_finish(tree), 0);
    assert_int_equal(fdt_open_into(tree, tree, TREE_BYTES), 0); /* with free space, as QEMU leaves it */
    assert_true(g_file_set_contents(path, tree, TREE_BYTES, NULL));
}

static char *read_tree(const char *path, gsize *size)
{
    char *tree = NULL;
    assert_true(g_file_get_contents(path, &tree, size, NULL));
    assert_int_equal(fdt_check_full(tree, *size), 0);
    return tree;
}

static void test_pack(void **state)
{
    const struct fixture *f = *state;
    GError *error = NULL;
    gsize size;

    write_tree(f->path, 1, "x");
    check(tcgrr_device_tree_pack(f->path, &error), error);
    g_autofree char *tree = read_tree(f->path, &size);
    assert_in_range(size, 1, 1000);
    assert_int_equal(fdt_totalsize(tree), size);
}

static void test_compare(void **state)
{
    const struct fixture *f = *state;
    GError *error = NULL;
    bool same, seeded;

    write_tree(f->path, 1, "x");
    write_tree(f->other, 2, "x");
    check(tcgrr_device_tree_compare(f->path, f->other, &same, &seeded, &error), error);
    assert_true(same && seeded);
    write_tree(f->other, 1, "y");
    check(tcgrr_device_tree_compare(f->path, f->other, &same, &seeded, &error), error);
    assert_false(same);
    assert_true(seeded);
}

static void check_seed(const char *path)
{
    gsize size;
    g_autofree char *tree = read_tree(path, &size);
    int node = fdt_path_offset(tree, "/chosen");
    int length;
    const uint8_t *seed = fdt_getprop(tree, node, "kaslr-seed", &length);

    assert_int_equal(length, 8); /* a number, which is big-endian there */
    for (int i = 0; i < length; i++) {
        assert_int_equal(seed[i], G_BYTE_ORDER == G_LITTLE_ENDIAN ? length - 1 - i : i);
    }
    seed = fdt_getprop(tree, node, "rng-seed", &length);
    assert_int_equal(length, 5);
    for (int i = 0; i < length; i++) {
        assert_int_equal(seed[i], 8 + i);
    }
}

static void test_seed(void **state)
{
    const struct fixture *f = *state;
    g_autoptr(GByteArray) drawn = g_byte_array_new();
    GError *error = NULL;

    for (uint8_t i = 0; i < 14; i++) {
        write_tree(f->path, 0xff, "x");
        bool good = tcgrr_device_tree_seed(f->path, drawn, &error);
        assert_int_equal(good, drawn->len == 13);
        if (!good) {
            assert_non_null(strstr(error->message, "are not those that QEMU drew"));
            g_clear_error(&error);
        } else {
            check_seed(f->path);
        }
        g_byte_array_append(drawn, &i, 1);
    }
}

static void test_arm(void **state)
{
    const struct fixture *f = *state;
    GError *error = NULL;
    gsize size;

    write_tree(f->path, 1, "x");
    check(tcgrr_device_tree_pack(f->path, &error), error);
    check(tcgrr_device_tree_arm(f->path, &error), error);
    g_autofree char *tree = read_tree(f->path, &size);
    assert_int_equal(fdt_off_mem_rsvmap(tree), 48); /* where fdt_create() puts it */
    assert_int_equal(fdt_path_offset(tree, "/memory@40000000"), -FDT_ERR_NOTFOUND);
    assert_int_equal(fdt_path_offset(tree, "/psci"), -FDT_ERR_NOTFOUND);
    assert_true(fdt_path_offset(tree, "/chosen") > 0);
}

/* Calls each function with a file that is no device tree. */
static void check_refused(const struct fixture *f, const char *text)
{
    g_autoptr(GByteArray) drawn = g_byte_array_new();
    bool same, seeded;

    for (int i = 0; i < 5; i++) {
        GError *error = NULL;
        bool good = i == 0   ? tcgrr_device_tree_pack(f->path, &error)
                    : i == 1 ? tcgrr_device_tree_arm(f->path, &error)
                    : i == 2 ? tcgrr_device_tree_seed(f->path, drawn, &error)
                    : i == 3 ? tcgrr_device_tree_compare(f->path, f->other, &same, &seeded, &error)
                             : tcgrr_device_tree_compare(f->other, f->path, &same, &seeded, &error);
        if (good || !strstr(error->message, text)) {
            fail_msg("function %d: %s", i, good ? "takes it" : error->message);
        }
        g_error_free(error);
    }
}

static void test_malformed(void **state)
{
    const struct fixture *f = *state;
    g_autofree char *tree = NULL;
    gsize size;

    write_tree(f->other, 1, "x");
    g_unlink(f->path);
    check_refused(f, "No such file");
    tree = read_tree(f->other, &size);
    for (gsize cut = 0; cut < 200; cut += 13) {
        assert_true(g_file_set_contents(f->path, tree, (gssize)cut, NULL));
        check_refused(f, "device tree");
    }
    fdt_set_off_dt_struct(tree, 0x7ffffff0);
    assert_true(g_file_set_contents(f->path, tree, (gssize)size, NULL));
    check_refused(f, "device tree");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack), cmocka_unit_test(test_compare),   cmocka_unit_test(test_seed),
        cmocka_unit_test(test_arm),  cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
