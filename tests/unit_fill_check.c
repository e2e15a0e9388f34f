/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of a fill, which other processes derived: taken as parts of this run only, and together only if they agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "replay/fill_internal.h"
#include "store/error.h"
#include "tests/stream.h"
#include "tests/check.h"

#define INSNS  20000
#define BORDER 8000 /* between the two windows */
#define STATE  "0123456789abcdef fedcba9876543210"
#define OTHER  "0123456789abcdee fedcba9876543210"
#define UNKNOWN                                                                                                        \
    "0123456789abcdef "                                                                                                \
    "-" /* as emu/qemu/machine_digest.c has it */

struct fixture {
    char *folder;
    char *paths[2];
};

/* What one part has in it. */
struct content {
    uint64_t seed;      /* of the instructions */
    tcgrr_icount event; /* of an interrupt; 0: none */
    const char *note;   /* NULL: none */
    bool cut;           /* it is not complete */
};

static struct tcgrr_reader *write_part(const char *path, const struct content *content)
{
    struct tcgrr_run run = {.command = "[\"qemu\"]",
                            .qemu_version = "10.0.2",
                            .target = "riscv64",
                            .mode = "system",
                            .icount_shift = "0",
                            .vcpus = 1,
                            .level = "flow",
                            .qemu_icount = -1};
    struct tcgrr_event event = {
        .kind = TCGRR_EVENT_INTERRUPT, .icount = content->event, .to_pc = 0x80, .has_pcs = true};
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    g_autoptr(GArray) script = stream_script(content->seed, INSNS);
    GError *error = NULL;
    struct tcgrr_writer *writer = tcgrr_writer_create(path, true, &run, &error);

    check(writer != NULL, error);
    tcgrr_chunk_follow(chunk, NULL);
    stream_cut(script, 0, 1, 1, blocks, chunk); /* one instruction each, so that an event's place is one */
    event.seq = event.icount;
    if (event.icount > 0) {
        g_array_append_val(chunk->events, event);
    }
    check(tcgrr_writer_chunk(writer, chunk, blocks, &error), error);
    check(!content->note || tcgrr_writer_note(writer, content->note, &error), error);
    run.complete = !content->cut;
    run.icount = chunk->end_icount;
    run.execs = chunk->count;
    check(tcgrr_writer_run(writer, &run, &error), error);
    check(tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
    tcgrr_chunk_free(chunk);
    tcgrr_blocks_free(blocks);
    struct tcgrr_reader *reader = tcgrr_reader_open(path, &error);
    check(reader != NULL, error);
    return reader;
}

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->folder = g_dir_make_tmp("tcgrr-unit-fill-XXXXXX", NULL);
    for (int i = 0; i < 2; i++) {
        g_autofree char *name = g_strdup_printf("%d.tcgrr", i);
        f->paths[i] = g_build_filename(f->folder, name, NULL);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        g_unlink(f->paths[i]);
        g_free(f->paths[i]);
    }
    assert_int_equal(g_rmdir(f->folder), 0);
    g_free(f->folder);
    g_free(f);
    return 0;
}

/* Two parts of one run, of which the second has this in it, at the border of which both had these states. */
static void compare(struct fixture *f, const struct content *second, const char *passed, const char *began,
                    const char *wrong)
{
    static const struct content sound = {.seed = 3, .event = BORDER + 100};
    g_autoptr(GArray) sources = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_fill_source));
    struct tcgrr_fill_part parts[2] = {{.span = {0, BORDER}, .passed = {.icount = BORDER - 50}},
                                       {.span = {BORDER, INSNS}, .began = {.icount = BORDER - 50}}};
    GError *error = NULL;

    g_strlcpy(parts[0].passed.state, passed, sizeof(parts[0].passed.state));
    g_strlcpy(parts[1].began.state, began, sizeof(parts[1].began.state));
    for (int i = 0; i < 2; i++) {
        struct tcgrr_fill_source source = {write_part(f->paths[i], i == 0 ? &sound : second), parts[i]};
        g_array_append_val(sources, source);
    }
    bool good = tcgrr_fill_check(sources, &error);
    if (good != (wrong == NULL)) {
        fail_msg("%s; wanted %s", good ? "no contradiction" : error->message, wrong ? wrong : "none");
    }
    if (wrong) {
        assert_int_equal(error->code, TCGRR_ERROR_DAMAGED);
        if (!strstr(error->message, wrong) || !strstr(error->message, "drop the keyframes (tcgrr keyframes --drop)")) {
            fail_msg("'%s' is not in: %s", wrong, error->message);
        }
        g_error_free(error);
    }
    for (int i = 0; i < 2; i++) {
        tcgrr_reader_free(g_array_index(sources, struct tcgrr_fill_source, i).reader);
    }
}

static void test_agree(void **state)
{
    static const struct content same = {.seed = 3, .event = BORDER + 100};
    static const struct content none = {.seed = 3};

    compare(*state, &same, STATE, STATE, NULL);
    compare(*state, &same, STATE, UNKNOWN, NULL);
    compare(*state, &none, STATE, STATE, "contradict each other in events at icount 8000");
}

static void test_contradict(void **state)
{
    static const struct content same = {.seed = 3, .event = BORDER + 100};
    static const struct content other = {.seed = 4, .event = BORDER + 100};
    static const struct content moved = {.seed = 3, .event = BORDER + 101};

    compare(*state, &same, STATE, OTHER, "contradict each other in registers or memory at icount 7950");
    compare(*state, &same, STATE, "", "contradict each other in registers or memory at icount 7950");
    compare(*state, &other, STATE, STATE, "contradict each other in what ran at icount 8000");
    compare(*state, &moved, STATE, STATE, "contradict each other in events at icount 8000");
}

static void test_note(void **state)
{
    static const char *const wrong[] = {
        NULL,
        "",
        "another note",
        "window other flow 5 9 1 3 " STATE " 4 " STATE,
        "window run nonsense 5 9 1 3 " STATE " 4 " STATE,
        "window run flow 9 9 1 3 " STATE " 4 " STATE,
        "window run flow 5 -9 1 3 " STATE " 4 " STATE,
        "window run flow 5 99999999999999999999 1 3 " STATE " 4 " STATE,
        "window run flow 5 9 1 -3 " STATE " 4 " STATE,
        "window run flow 5 9 1 3 " STATE " -4 " STATE,
        "window run flow 5 9 1 3 " STATE " 4 0123456789abcdef",
        "window run flow 5 9 x 3 " STATE " 4 " STATE,
    };
    struct fixture *f = *state;
    struct tcgrr_fill fill = {.id = (char *)"run"};
    struct content content = {.seed = 3, .note = "window run flow 5 9 1 3 " STATE " 4 " OTHER};
    struct tcgrr_fill_part part = {0};

    struct tcgrr_reader *reader = write_part(f->paths[0], &content);
    assert_true(tcgrr_fill_read_note(&fill, reader, &part));
    assert_int_equal(part.span.first, 5);
    assert_int_equal(part.span.end, 9);
    assert_true(part.samples);
    assert_int_equal(part.began.icount, 3);
    assert_string_equal(part.began.state, STATE);
    assert_string_equal(part.passed.state, OTHER);
    tcgrr_reader_free(reader);

    content.cut = true;
    reader = write_part(f->paths[0], &content);
    assert_false(tcgrr_fill_read_note(&fill, reader, &part));
    tcgrr_reader_free(reader);
    content.cut = false;
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        content.note = wrong[i];
        reader = write_part(f->paths[0], &content);
        if (tcgrr_fill_read_note(&fill, reader, &part)) {
            fail_msg("taken: %s", wrong[i]);
        }
        tcgrr_reader_free(reader);
    }
}

/* Neither what is not there nor what is no window of the run is taken, and the trace stays as it is. */
static void test_collect_refuses(void **state)
{
    static const struct content window = {.seed = 3, .note = "window run flow 5 9 1 3 " STATE " 4 " STATE};
    struct fixture *f = *state;
    struct tcgrr_reader *trace = write_part(f->paths[0], &window);
    tcgrr_reader_free(write_part(f->paths[1], &window));
    struct tcgrr_fill fill = {.id = (char *)"another run", .path = f->paths[0], .reader = trace, .end = INSNS};
    const char *const absent[] = {"/nonexistent/part.tcgrr", NULL};
    const char *const strange[] = {f->paths[1], NULL};
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    gsize sizes[2];
    GError *error = NULL;

    assert_true(g_file_get_contents(f->paths[0], &before, &sizes[0], NULL));
    assert_false(tcgrr_fill_collect(&fill, absent, &error));
    assert_non_null(strstr(error->message, "/nonexistent/part.tcgrr"));
    g_clear_error(&error);
    assert_false(tcgrr_fill_collect(&fill, strange, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_USAGE));
    assert_non_null(strstr(error->message, "is not a window of"));
    assert_non_null(strstr(error->message, "tcgrr fill --print-jobs"));
    g_clear_error(&error);
    assert_true(g_file_get_contents(f->paths[0], &after, &sizes[1], NULL));
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(before, after, sizes[0]);
    tcgrr_reader_free(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agree),
        cmocka_unit_test(test_contradict),
        cmocka_unit_test(test_note),
        cmocka_unit_test(test_collect_refuses),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
