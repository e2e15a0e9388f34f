/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a search among builds remembers: only of the same search, of the same binaries, and only what it wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "replay/builds_state.h"
#include "store/error.h"
#include "tests/stream.h"
#include "tests/check.h"

struct fixture {
    char *folder;
    char *trace;
    char *state_file;
    char *build; /* an executable */
    struct tcgrr_reader *reader;
    const char *builds[3];
    struct tcgrr_builds_options options;
};

/* `started` may be NULL. */
static struct tcgrr_reader *write_trace(const char *path, const char *started)
{
    struct tcgrr_run run = {.command = "[\"qemu\"]",
                            .qemu_version = "10.0.2",
                            .target = "riscv64",
                            .mode = "system",
                            .started = started,
                            .level = "flow",
                            .qemu_icount = -1,
                            .complete = true};
    GError *error = NULL;
    struct tcgrr_writer *writer = tcgrr_writer_create(path, true, &run, &error);
    check(writer != NULL, error);
    check(tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
    struct tcgrr_reader *reader = tcgrr_reader_open(path, &error);
    check(reader != NULL, error);
    return reader;
}

static void put_build(const struct fixture *f, const char *text)
{
    assert_true(g_file_set_contents(f->build, text, -1, NULL));
    assert_int_equal(g_chmod(f->build, 0700), 0);
}

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->folder = g_dir_make_tmp("tcgrr-unit-builds-XXXXXX", NULL);
    f->trace = g_build_filename(f->folder, "x.tcgrr", NULL);
    f->state_file = g_build_filename(f->folder, "state", NULL);
    f->build = g_build_filename(f->folder, "qemu", NULL);
    f->reader = write_trace(f->trace, "2024-01-02T03:04:05Z");
    f->builds[0] = "/nonexistent/qemu";
    f->builds[1] = f->build;
    f->options = (struct tcgrr_builds_options){.builds = f->builds, .state_file = f->state_file};
    put_build(f, "#!/bin/true");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tcgrr_reader_free(f->reader);
    g_unlink(f->trace);
    g_unlink(f->state_file);
    g_unlink(f->build);
    assert_int_equal(g_rmdir(f->folder), 0);
    g_free(f->folder);
    g_free(f->trace);
    g_free(f->state_file);
    g_free(f->build);
    g_free(f);
    return 0;
}

static void clear_trial(gpointer data)
{
    tcgrr_verdict_clear(&((struct tcgrr_trial *)data)->verdict);
}

static GArray *no_trials(void)
{
    GArray *trials = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_trial));
    g_array_set_clear_func(trials, clear_trial);
    return trials;
}

/* One verdict of a build that is there, and one of a build that is not. */
static void store(const struct fixture *f)
{
    g_autoptr(GArray) trials = no_trials();
    GError *error = NULL;
    struct tcgrr_trial tried[] = {
        {.build = 0, .verdict = {.kind = TCGRR_VERDICT_SKIPPED, .reason = g_strdup("not there")}},
        {.build = 1,
         .verdict = {.kind = TCGRR_VERDICT_BAD,
                     .own_inputs = true,
                     .binary = g_strdup(f->build),
                     .version = g_strdup("10.0.2"),
                     .reason = g_strdup("diverged"),
                     .compared = 77}},
    };

    g_array_append_vals(trials, tried, 2);
    check(tcgrr_builds_store(f->reader, &f->options, trials, &error), error);
}

static guint remembered(const struct fixture *f, const struct tcgrr_builds_options *options)
{
    g_autoptr(GArray) trials = no_trials();
    GError *error = NULL;

    check(tcgrr_builds_load(f->reader, options, trials, &error), error);
    for (guint i = 0; i < trials->len; i++) {
        const struct tcgrr_trial *trial = &g_array_index(trials, struct tcgrr_trial, i);
        assert_int_equal(trial->build, 1);
        assert_true(trial->remembered);
        assert_int_equal(trial->verdict.kind, TCGRR_VERDICT_BAD);
        assert_int_equal(trial->verdict.compared, 77);
        assert_string_equal(tcgrr_verdict_inputs(&trial->verdict), "own");
        assert_string_equal(trial->verdict.reason, "diverged");
    }
    return trials->len;
}

static void test_remembers(void **state)
{
    struct fixture *f = *state;
    static const char *const extra[] = {"-smp", NULL};
    struct tcgrr_builds_options fresh = f->options, other = f->options;

    g_unlink(f->state_file);
    assert_int_equal(remembered(f, &f->options), 0); /* nothing is there yet */
    store(f);
    assert_int_equal(remembered(f, &f->options), 1);
    fresh.fresh = true;
    assert_int_equal(remembered(f, &fresh), 0);
    other.replay.extra = extra;
    assert_int_equal(remembered(f, &other), 0);
}

static void test_forgets_another_binary(void **state)
{
    struct fixture *f = *state;

    store(f);
    put_build(f, "#!/bin/true # built anew");
    assert_int_equal(remembered(f, &f->options), 0);
    put_build(f, "#!/bin/true");
}

/* Entries that no search wrote are no verdicts. */
static void test_malformed_entries(void **state)
{
    static const char *const changes[][2] = {
        {"\"diverged\"", "5"}, {"77", "-1"}, {"77", "\"x\""}, {"\"bad\"", "\"nonsense\""}, {"\"bad\"", "{}"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *text = NULL;
        store(f);
        assert_true(g_file_get_contents(f->state_file, &text, NULL, NULL));
        g_auto(GStrv) parts = g_strsplit(text, changes[i][0], 2);
        assert_int_equal(g_strv_length(parts), 2);
        g_autofree char *changed = g_strjoinv(changes[i][1], parts);
        assert_true(g_file_set_contents(f->state_file, changed, -1, NULL));
        assert_int_equal(remembered(f, &f->options), 0);
    }
}

static void test_other_files(void **state)
{
    static const char *const texts[] = {"",
                                        "text",
                                        "[]",
                                        "{}",
                                        "{\"version\": 1}",
                                        "{\"version\": 2, \"tried\": []}",
                                        "{\"version\": 1, \"tried\": {}}"};
    struct fixture *f = *state;
    g_autoptr(GArray) trials = no_trials();
    struct tcgrr_builds_options options = f->options;
    GError *error = NULL;

    for (size_t i = 0; i <= G_N_ELEMENTS(texts); i++) {
        if (i < G_N_ELEMENTS(texts)) {
            assert_true(g_file_set_contents(f->state_file, texts[i], -1, NULL));
        } else {
            options.state_file = f->folder;
        }
        assert_false(tcgrr_builds_load(f->reader, &options, trials, &error));
        assert_int_equal(error->code, TCGRR_ERROR_DAMAGED);
        assert_non_null(strstr(error->message, "was not written by a search among builds; remove it or name another"));
        g_clear_error(&error);
    }
    options.state_file = "/nonexistent/state";
    assert_false(tcgrr_builds_store(f->reader, &options, trials, &error));
    assert_non_null(strstr(error->message, "what was found cannot be kept (-o FILE keeps it elsewhere): "));
    g_clear_error(&error);
}

/* A trace that does not say when it was recorded, as a damaged one may not. */
static void test_no_start(void **state)
{
    struct fixture *f = *state;

    tcgrr_reader_free(f->reader);
    f->reader = write_trace(f->trace, NULL);
    store(f);
    assert_int_equal(remembered(f, &f->options), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remembers),         cmocka_unit_test(test_forgets_another_binary),
        cmocka_unit_test(test_malformed_entries), cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_no_start),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
