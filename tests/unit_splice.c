/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One stream made of pieces: what comes out is what a single recording would have, wherever it was cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>

#include "store/error.h"
#include "store/reader_internal.h"
#include "store/splice.h"
#include "tests/check.h"
#include "tests/stream.h"

#define INSNS    9000
#define CAPACITY 300 /* executions in a chunk */
#define EACH     37  /* executions from sample to sample */
#define EVENTS   101 /* from event to event */
#define CUTS     40
#define SWITCHES 61 /* executions from one vCPU's to the other's */

struct fixture {
    char *folder;
    GArray *script;
    struct tcgrr_reader *readers[2]; /* the same run, cut into blocks in two ways; the second without anything else */
};

static char *path_of(const struct fixture *f, const char *name)
{
    return g_build_filename(f->folder, name, NULL);
}

static const struct tcgrr_run new_run = {.command = "[]",
                                         .original_command = "[]",
                                         .qemu_version = "10.0.2",
                                         .target = "riscv64",
                                         .mode = "system",
                                         .level = "full",
                                         .vcpus = 2,
                                         .sample_step = 1000,
                                         .qemu_icount = -1,
                                         .mem_until = -1};

/* ---- the recordings ---- */

/* Each instruction's text is "iPC". */
static void set_text(struct tcgrr_blocks *blocks, uint32_t number)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(blocks, number);
    g_autoptr(GString) text = g_string_new(NULL);

    for (uint32_t i = 0; i < block->insns; i++) {
        g_string_append_printf(text, "%si%" G_GINT64_MODIFIER "x", i ? "\n" : "", tcgrr_block_pc(block, i));
    }
    tcgrr_blocks_set_text(blocks, number, text->str);
}

/* Samples and events before some executions; accesses of all kinds, to two devices. */
static void furnish(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, struct tcgrr_register_table *table)
{
    struct tcgrr_device devices[] = {{2, "uart"}, {3, "timer"}};
    struct tcgrr_cursor at;

    for (bool more = tcgrr_cursor_begin(&at, chunk, blocks); more; more = tcgrr_cursor_next(&at)) {
        tcgrr_seq seq = chunk->first_seq + at.index;
        if (seq % EACH == 0) {
            struct tcgrr_sample sample = {.icount = at.icount, .exec = at.index};
            uint64_t image[] = {at.block->pc, at.icount};
            tcgrr_samples_add(chunk->samples, table, &sample, (const uint8_t *)image);
        }
        if (seq % EVENTS == 0) {
            struct tcgrr_event event = {.seq = seq, .icount = at.icount, .kind = TCGRR_EVENT_INTERRUPT, .to_pc = seq};
            event.has_pcs = true;
            g_array_append_val(chunk->events, event);
        }
    }
    for (uint32_t i = 0; i < chunk->count; i += SWITCHES) {
        struct tcgrr_switch other = {.index = i, .vcpu = (tcgrr_vcpu)(i / SWITCHES % 2)};
        if (i == 0) {
            chunk->vcpu = other.vcpu;
        } else {
            g_array_append_val(chunk->switches, other);
        }
    }
    stream_accesses(chunk, blocks, 7, true);
    g_array_append_vals(chunk->devices, devices, chunk->first_seq == 0 ? 2 : 0);
}

static struct tcgrr_reader *record(struct fixture *f, const char *name, uint64_t cut, bool furnished)
{
    g_autofree char *path = path_of(f, name);
    struct tcgrr_run run = new_run;
    struct tcgrr_register_table *table = tcgrr_register_table_new();
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    uint32_t described = 0;
    GError *error = NULL;

    tcgrr_register_table_add(table, "pc", "", 8, NULL);
    tcgrr_register_table_add(table, "icount", "", 8, NULL);
    struct tcgrr_writer *writer = tcgrr_writer_create(path, true, &run, &error);
    check(writer != NULL, error);
    tcgrr_chunk_follow(chunk, NULL);
    for (guint at = 0; at < f->script->len;) {
        at = stream_cut(f->script, at, cut + at, 20, blocks, chunk);
        for (; described < tcgrr_blocks_count(blocks); described++) {
            set_text(blocks, described);
        }
        if (furnished) {
            furnish(chunk, blocks, table);
        }
        check(tcgrr_writer_chunk(writer, chunk, blocks, &error), error);
        run.icount = chunk->end_icount;
        run.execs = chunk->first_seq + chunk->count;
        tcgrr_chunk_follow(chunk, chunk);
    }
    run.complete = true;
    check(tcgrr_writer_run(writer, &run, &error) && tcgrr_writer_finish(writer, &error), error);
    tcgrr_writer_free(writer);
    tcgrr_chunk_free(chunk);
    tcgrr_blocks_free(blocks);
    tcgrr_register_table_unref(table);
    struct tcgrr_reader *reader = tcgrr_reader_open(path, &error);
    check(reader != NULL, error);
    return reader;
}

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->folder = g_dir_make_tmp("tcgrr-unit-splice-XXXXXX", NULL);
    f->script = stream_script(5, INSNS);
    f->readers[0] = record(f, "a.tcgrr", 11, true);
    f->readers[1] = record(f, "b.tcgrr", 12, false);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"a.tcgrr", "b.tcgrr", "new.tcgrr"};
    struct fixture *f = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = path_of(f, names[i]);
        g_unlink(path);
    }
    tcgrr_reader_free(f->readers[0]);
    tcgrr_reader_free(f->readers[1]);
    g_array_unref(f->script);
    g_rmdir(f->folder);
    g_free(f->folder);
    g_free(f);
    return 0;
}

/* ---- what is in one ---- */

/* All of uint64_t, because structs have padding. */
struct content {
    GArray *pcs;   /* of each instruction that counts */
    GArray *vcpus; /* that run them */
    GArray *events;
    GArray *accesses; /* with the instruction's icount */
    GArray *samples;  /* the two numbers of each image, and the icount */
};

static void keep_event(const struct tcgrr_event *event, void *data)
{
    uint64_t kept[] = {event->icount, event->vcpu, event->kind, event->to_pc};
    g_array_append_vals(data, kept, G_N_ELEMENTS(kept));
}

static void read_chunk(const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, struct content *content)
{
    struct tcgrr_cursor at;
    guint next = 0;

    for (bool more = tcgrr_cursor_begin(&at, chunk, blocks); more; more = tcgrr_cursor_next(&at)) {
        for (uint32_t i = 0; i < at.counted; i++) {
            uint64_t pc = tcgrr_block_pc(at.block, i);
            uint64_t vcpu = at.vcpu;
            g_array_append_val(content->pcs, pc);
            g_array_append_val(content->vcpus, vcpu);
        }
        g_autofree char *text = g_strdup_printf("i%" G_GINT64_MODIFIER "x", at.block->pc);
        assert_true(g_str_has_prefix(at.block->text, text));
        for (; next < chunk->accesses->len; next++) {
            const struct tcgrr_access *access = &g_array_index(chunk->accesses, struct tcgrr_access, next);
            if (access->exec != at.index) {
                break;
            }
            assert_true(access->insn < at.block->insns);
            uint64_t kept[] = {at.icount + access->insn, access->size,     access->flags,    access->device,
                               access->address,          access->physical, access->value[0], access->value[1]};
            g_array_append_vals(content->accesses, kept, G_N_ELEMENTS(kept));
        }
    }
    assert_int_equal(next, chunk->accesses->len);
}

static void read_samples(struct tcgrr_reader *reader, struct content *content)
{
    struct tcgrr_samples *samples = tcgrr_samples_new();
    struct tcgrr_sample_cursor cursor;
    int64_t id = -1;
    GError *error = NULL;

    for (;;) {
        check(tcgrr_reader_samples_after(reader, id, samples, &id, &error), error);
        if (id < 0) {
            break;
        }
        for (bool more = tcgrr_sample_begin(&cursor, samples); more; more = tcgrr_sample_next(&cursor)) {
            uint64_t image[3] = {0, 0, cursor.sample->icount};
            memcpy(image, cursor.image, 2 * sizeof(uint64_t));
            g_array_append_vals(content->samples, image, 3);
        }
        tcgrr_sample_end(&cursor);
    }
    tcgrr_samples_free(samples);
}

static struct content read_all(struct tcgrr_reader *reader)
{
    struct content content = {g_array_new(FALSE, FALSE, sizeof(uint64_t)), g_array_new(FALSE, FALSE, sizeof(uint64_t)),
                              g_array_new(FALSE, FALSE, sizeof(uint64_t)), g_array_new(FALSE, FALSE, sizeof(uint64_t)),
                              g_array_new(FALSE, FALSE, sizeof(uint64_t))};
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    GError *error = NULL;
    bool found = true;
    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(reader, &error);

    check(blocks && tcgrr_reader_need_texts(reader, &error), error);
    for (int64_t id = 0; found; id++) {
        check(tcgrr_reader_chunk(reader, id, chunk, &found, &error), error);
        if (found) {
            check(tcgrr_reader_accesses(reader, id, chunk, &error), error);
            read_chunk(chunk, blocks, &content);
        }
    }
    check(tcgrr_reader_events(reader, 0, INT64_MAX, keep_event, content.events, &error), error);
    read_samples(reader, &content);
    tcgrr_chunk_free(chunk);
    return content;
}

static void free_content(struct content *content)
{
    g_array_unref(content->pcs);
    g_array_unref(content->vcpus);
    g_array_unref(content->events);
    g_array_unref(content->accesses);
    g_array_unref(content->samples);
}

static void same(const char *what, const GArray *left, const GArray *right)
{
    assert_int_equal(left->len, right->len);
    for (guint i = 0; i < left->len; i++) {
        uint64_t a = g_array_index(left, uint64_t, i);
        uint64_t b = g_array_index(right, uint64_t, i);
        if (a != b) {
            fail_msg("other %s: number %u is %" PRIx64 " and %" PRIx64, what, i, a, b);
        }
    }
}

/* ---- splicing ---- */

static GArray *cut(const struct fixture *f, uint64_t seed, bool alternate, tcgrr_icount end)
{
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_piece));
    tcgrr_icount first = 0;

    while (first < end) {
        tcgrr_icount more = 1 + stream_random(&seed) % (2 * INSNS / CUTS);
        struct tcgrr_piece piece = {.span = {first, MIN(first + more, end)},
                                    .reader = f->readers[alternate && pieces->len % 2],
                                    .samples = !alternate};
        g_array_append_val(pieces, piece);
        first = piece.span.end;
    }
    return pieces;
}

/* The new trace; NULL with an error. */
static struct tcgrr_reader *splice(struct fixture *f, const GArray *pieces, bool samples, uint64_t *flow,
                                   GError **error)
{
    g_autofree char *path = path_of(f, "new.tcgrr");
    struct tcgrr_run run = new_run;
    struct tcgrr_writer *writer = tcgrr_writer_create(path, true, &run, error);
    struct tcgrr_splice splice = {
        .pieces = pieces, .samples = samples ? f->readers[0] : NULL, .gaps = f->readers[0], .flow = flow};

    assert_non_null(writer);
    bool good = tcgrr_splice(writer, &splice, &run, error);
    run.complete = true;
    good = good && tcgrr_writer_run(writer, &run, error) && tcgrr_writer_finish(writer, error);
    tcgrr_writer_free(writer);
    return good ? tcgrr_reader_open(path, error) : NULL;
}

static void say(const char *text, void *data)
{
    print_error("%s\n", text);
}

static void is_sound(struct tcgrr_reader *reader)
{
    uint64_t problems = 1;
    GError *error = NULL;

    check(tcgrr_reader_verify(reader, say, NULL, &problems, &error), error);
    assert_int_equal(problems, 0);
}

/* Pieces of one trace; nothing gets lost or is there twice. */
static void test_pieces_of_one(void **state)
{
    struct fixture *f = *state;

    for (uint64_t seed = 1; seed <= 5; seed++) {
        g_autoptr(GArray) pieces = cut(f, seed, false, INSNS);
        uint64_t flow = 0;
        GError *error = NULL;
        struct tcgrr_reader *reader = splice(f, pieces, false, &flow, &error);
        check(reader != NULL, error);
        is_sound(reader);
        assert_true(flow == stream_digest(f->script, INSNS));
        assert_int_equal(tcgrr_reader_run(reader)->icount, INSNS);
        struct content wanted = read_all(f->readers[0]);
        struct content found = read_all(reader);
        same("instructions", wanted.pcs, found.pcs);
        same("vCPUs", wanted.vcpus, found.vcpus);
        same("events", wanted.events, found.events);
        same("accesses", wanted.accesses, found.accesses);
        same("samples", wanted.samples, found.samples);
        free_content(&wanted);
        free_content(&found);
        tcgrr_reader_free(reader);
    }
}

/* Every second piece is of a trace with other blocks, which are cut where the first one has samples. */
static void test_pieces_of_two(void **state)
{
    struct fixture *f = *state;

    for (uint64_t seed = 1; seed <= 5; seed++) {
        g_autoptr(GArray) pieces = cut(f, seed, true, INSNS);
        uint64_t flow = 0;
        GError *error = NULL;
        struct tcgrr_reader *reader = splice(f, pieces, true, &flow, &error);
        check(reader != NULL, error);
        is_sound(reader);
        assert_true(flow == stream_digest(f->script, INSNS));
        struct content wanted = read_all(f->readers[0]);
        struct content found = read_all(reader);
        same("instructions", wanted.pcs, found.pcs);
        same("samples", wanted.samples, found.samples);
        free_content(&wanted);
        free_content(&found);
        tcgrr_reader_free(reader);
    }
}

/* Between pieces only events are known, and no digest is. */
static void test_gaps(void **state)
{
    struct fixture *f = *state;
    g_autoptr(GArray) pieces = cut(f, 3, false, INSNS);
    uint64_t flow = 99;
    GError *error = NULL;

    g_array_remove_index(pieces, pieces->len - 1);
    g_array_remove_range(pieces, 10, 5);
    struct tcgrr_reader *reader = splice(f, pieces, false, &flow, &error);
    check(reader != NULL, error);
    assert_int_equal(flow, 99);
    struct content wanted = read_all(f->readers[0]);
    struct content found = read_all(reader);
    same("events", wanted.events, found.events);
    guint at = 0;
    for (guint i = 0; i < pieces->len; i++) {
        struct tcgrr_span span = g_array_index(pieces, struct tcgrr_piece, i).span;
        for (tcgrr_icount icount = span.first; icount < span.end; icount++, at++) {
            assert_true(g_array_index(found.pcs, uint64_t, at) == g_array_index(wanted.pcs, uint64_t, icount));
        }
    }
    assert_int_equal(at, found.pcs->len);
    free_content(&wanted);
    free_content(&found);
    tcgrr_reader_free(reader);
}

/* A run that is shorter than a piece says, and samples of another run. */
static void test_contradictions(void **state)
{
    struct fixture *f = *state;
    g_autoptr(GArray) pieces = cut(f, 3, false, INSNS);
    uint64_t flow = 0;
    GError *error = NULL;

    g_array_index(pieces, struct tcgrr_piece, pieces->len - 1).span.end += 5;
    assert_null(splice(f, pieces, false, &flow, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    assert_non_null(strstr(error->message, "a.tcgrr at icount 9000: the run does not end where it should"));
    g_clear_error(&error);

    g_array_unref(f->script);
    f->script = stream_script(6, INSNS);
    tcgrr_reader_free(f->readers[1]);
    f->readers[1] = record(f, "b.tcgrr", 12, false);
    g_autoptr(GArray) other = cut(f, 3, true, INSNS);
    assert_null(splice(f, other, true, &flow, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    assert_non_null(strstr(error->message, "a sample belongs to no instruction of the run"));
    g_clear_error(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces_of_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pieces_of_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_contradictions, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
