/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of keyframes beside a trace: a keyframe is used only as it was sealed, at its place, in its set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "replay/keyframes_folder.h"
#include "store/error.h"
#include "tests/check.h"

#define STATE "0123 4567"

struct fixture {
    char *folder; /* for all */
    char *trace;
    char *set;
};

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->folder = g_dir_make_tmp("tcgrr-unit-keyframes-XXXXXX", NULL);
    f->trace = g_build_filename(f->folder, "x.tcgrr", NULL);
    g_autofree char *all = tcgrr_keyframes_folder(f->trace);
    f->set = g_build_filename(all, "set", NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    assert_true(tcgrr_keyframes_remove(f->folder, NULL));
    assert_false(g_file_test(f->folder, G_FILE_TEST_EXISTS));
    g_free(f->folder);
    g_free(f->trace);
    g_free(f->set);
    g_free(f);
    return 0;
}

static void put(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* Its path; owned by the caller. */
static char *make(const struct fixture *f, tcgrr_icount icount)
{
    GError *error = NULL;
    g_autofree char *made = tcgrr_keyframes_begin(f->set, &error);

    check(made != NULL, error);
    put(made, "disk", "image");
    put(made, "snapshot", "memory");
    check(tcgrr_keyframes_keep(made, f->set, icount, STATE, &error), error);
    assert_false(g_file_test(made, G_FILE_TEST_EXISTS));
    g_autofree char *name = g_strdup_printf("%" G_GUINT64_FORMAT, icount);
    return g_build_filename(f->set, name, NULL);
}

static bool is_sealed(const char *keyframe, tcgrr_icount icount)
{
    g_autofree char *state = NULL;
    bool sealed = tcgrr_keyframes_is_sealed(keyframe, icount, &state);
    assert_int_equal(sealed, state != NULL);
    if (sealed) {
        assert_string_equal(state, STATE);
    }
    return sealed;
}

static void test_seal(void **state)
{
    g_autofree char *keyframe = make(*state, 1000);
    g_autofree char *moved = g_build_filename(((struct fixture *)*state)->folder, "1000", NULL);

    assert_true(is_sealed(keyframe, 1000));
    assert_false(is_sealed(keyframe, 1001)); /* of another place */
    assert_int_equal(g_rename(keyframe, moved), 0);
    assert_false(is_sealed(moved, 1000)); /* of another set */
    assert_int_equal(g_rename(moved, keyframe), 0);
    assert_true(is_sealed(keyframe, 1000));
}

/* What is changed in the keyframe, beginning with a sound one. */
static void test_changed(void **state)
{
    static const struct {
        const char *name;
        const char *text; /* NULL: it is removed */
    } changes[] = {
        {"disk", "imagf"},
        {"disk", NULL},
        {"more", ""},
        {"snapshot", "memor"},
        {"seal", NULL},
        {"seal", ""},
        {"seal", "0123 4567"},
        {"seal", "00000000000000000000000000000000 0123 4567"},
        {"seal", "00000000000000000000000000000000"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *keyframe = make(*state, 2000);
        g_autofree char *path = g_build_filename(keyframe, changes[i].name, NULL);
        assert_true(is_sealed(keyframe, 2000));
        if (changes[i].text) {
            put(keyframe, changes[i].name, changes[i].text);
        } else {
            assert_int_equal(g_unlink(path), 0);
        }
        if (is_sealed(keyframe, 2000)) {
            fail_msg("a change of %s is not noticed", changes[i].name);
        }
        tcgrr_keyframes_discard(keyframe);
        assert_false(g_file_test(keyframe, G_FILE_TEST_EXISTS));
        tcgrr_keyframes_discard(keyframe); /* somebody else was faster */
    }
}

static void test_made_twice(void **state)
{
    const struct fixture *f = *state;
    g_autofree char *first = make(f, 3000);
    g_autofree char *second = make(f, 3000);

    assert_string_equal(first, second);
    assert_true(is_sealed(first, 3000));
}

static void test_not_written(void **state)
{
    const struct fixture *f = *state;
    g_autofree char *made = NULL;
    GError *error = NULL;

    put(f->folder, "file", "");
    g_autofree char *file = g_build_filename(f->folder, "file", NULL);
    assert_null(tcgrr_keyframes_begin(file, &error));
    assert_non_null(strstr(error->message, "cannot make a folder in "));
    g_clear_error(&error);

    made = tcgrr_keyframes_begin(f->set, NULL);
    assert_false(tcgrr_keyframes_keep(made, file, 7, STATE, &error)); /* a target that is no folder */
    assert_non_null(strstr(error->message, "cannot name "));
    g_clear_error(&error);
    g_autofree char *inner = g_build_filename(made, "inner", NULL);
    assert_int_equal(g_mkdir(inner, 0700), 0);
    assert_false(tcgrr_keyframes_keep(made, f->set, 7, STATE, &error)); /* QEMU made what cannot be read */
    assert_non_null(strstr(error->message, "cannot read what was written to "));
    g_clear_error(&error);
    assert_true(tcgrr_keyframes_remove(made, &error));
    assert_false(tcgrr_keyframes_remove(file, &error));
    assert_non_null(strstr(error->message, "cannot remove "));
    g_clear_error(&error);
}

static void count(tcgrr_icount icount, void *data)
{
    *(uint64_t *)data += icount;
}

static void test_sums(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_keyframes_sum sum;
    uint64_t icounts = 0;

    assert_true(tcgrr_keyframes_drop(f->trace, NULL));
    tcgrr_keyframes_sum(f->trace, &sum);
    assert_int_equal(sum.count, 0);
    assert_int_equal(sum.bytes, 0);
    g_free(make(f, 10));
    g_free(make(f, 20));
    g_autofree char *unfinished = tcgrr_keyframes_begin(f->set, NULL);
    assert_non_null(unfinished); /* and does not count */
    tcgrr_keyframes_each(f->trace, count, &icounts);
    assert_int_equal(icounts, 30);
    tcgrr_keyframes_sum(f->trace, &sum);
    assert_int_equal(sum.count, 2);
    assert_true(sum.bytes > 0);
    assert_true(tcgrr_keyframes_drop(f->trace, NULL));
    assert_true(tcgrr_keyframes_drop(f->trace, NULL)); /* there are none any more */
}

static void test_limit(void **state)
{
    static const char *const wrong[] = {"", "0", "-1", "1x", "99999999999999999999", "\xff"};
    const struct fixture *f = *state;
    g_autofree char *all = tcgrr_keyframes_folder(f->trace);

    assert_int_equal(tcgrr_keyframes_max_bytes(f->trace), TCGRR_KEYFRAMES_MAX);
    tcgrr_keyframes_set_max_bytes(f->trace, 12345);
    assert_int_equal(tcgrr_keyframes_max_bytes(f->trace), 12345);
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        put(all, "max-size", wrong[i]);
        assert_int_equal(tcgrr_keyframes_max_bytes(f->trace), TCGRR_KEYFRAMES_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal), cmocka_unit_test(test_changed), cmocka_unit_test(test_made_twice),
        cmocka_unit_test(test_sums), cmocka_unit_test(test_limit),   cmocka_unit_test(test_not_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
