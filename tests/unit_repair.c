/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Putting a recording right by the rr log: what was assumed wrongly moves all that stands after it, samples of the
 * state, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "record/repair.h"
#include "store/error.h"
#include "store/trace.h"
#include "tests/stream.h"
#include "tests/check.h"

#define EXECS    5000
#define CAPACITY 700 /* executions in a chunk */
#define INSNS    3   /* in each block */
#define EACH     10  /* executions from sample to sample */

/* Executions whose last instruction was taken to have retired, and had not. */
static const tcgrr_seq wrong[] = {1000, 1003, 2799, 2800, 4990};

/* Events that were recorded, what is left of them, and what is added; the log has what is in `logged` besides. */
#define NOT_RECORDED UINT8_MAX
static const struct {
    tcgrr_seq seq;
    uint8_t kind;
    bool inferred;
    bool left; /* it is still there */
    uint8_t new_kind;
    bool confirmed;
    tcgrr_icount icount; /* then */
} happened[] = {
    {50, NOT_RECORDED, true, true, TCGRR_EVENT_INTERRUPT, true, 150}, /* between two that ran to their ends */
    {100, TCGRR_EVENT_INTERRUPT, true, true, TCGRR_EVENT_INTERRUPT, true, 300},
    {200, TCGRR_EVENT_INTERRUPT, true, true, TCGRR_EVENT_EXCEPTION, true, 600},
    {300, TCGRR_EVENT_INTERRUPT, true, false, 0, false, 0},
    {400, TCGRR_EVENT_EXCEPTION, false, true, TCGRR_EVENT_EXCEPTION, false, 1200},
    {500, NOT_RECORDED, true, true, TCGRR_EVENT_EXCEPTION, true, 1500},
    {500, TCGRR_EVENT_INTERRUPT, true, true, TCGRR_EVENT_INTERRUPT, true, 1500},
    {600, TCGRR_EVENT_EXCEPTION, true, true, TCGRR_EVENT_INTERRUPT, true, 1800},
    {1001, TCGRR_EVENT_EXCEPTION, true, true, TCGRR_EVENT_EXCEPTION, true, 3002}, /* after a wrong one */
    {1004, NOT_RECORDED, true, true, TCGRR_EVENT_EXCEPTION, true, 3010}, /* after a wrong one, too: not noticed */
    {1004, TCGRR_EVENT_INTERRUPT, false, true, TCGRR_EVENT_INTERRUPT, false, 3010},
    {2000, TCGRR_EVENT_INTERRUPT, false, true, TCGRR_EVENT_INTERRUPT, false, 5998},
    {2001, TCGRR_EVENT_INTERRUPT, true, false, 0, false, 0},
    {2800, NOT_RECORDED, true, true, TCGRR_EVENT_EXCEPTION, true, 8397},
    {2801, NOT_RECORDED, true, true, TCGRR_EVENT_EXCEPTION, true, 8399},
    {4991, NOT_RECORDED, true, true, TCGRR_EVENT_EXCEPTION, true, 14968},
};
static const struct tcgrr_rrlog_event logged[] = {
    {150, TCGRR_RRLOG_INTERRUPT},  {300, TCGRR_RRLOG_INTERRUPT},  {600, TCGRR_RRLOG_EXCEPTION},
    {1500, TCGRR_RRLOG_EXCEPTION}, {1500, TCGRR_RRLOG_INTERRUPT}, {1800, TCGRR_RRLOG_INTERRUPT},
};

struct fixture {
    bool events; /* it has those that happened */
    char *folder;
    char *path;
    struct tcgrr_blocks *blocks;
    struct tcgrr_register_table *table;
    struct tcgrr_writer *writer;
    struct tcgrr_run run;
};

static void add_sample(struct fixture *f, struct tcgrr_chunk *chunk, uint64_t pc)
{
    struct tcgrr_sample sample = {.icount = chunk->first_icount + (tcgrr_icount)chunk->count * INSNS,
                                  .exec = chunk->count};
    uint8_t image[16] = {0};
    uint64_t seq = chunk->first_seq + chunk->count;

    memcpy(image, &pc, sizeof(pc));
    memcpy(image + 8, &seq, sizeof(seq));
    tcgrr_samples_add(chunk->samples, f->table, &sample, image);
}

static void add_events(const struct tcgrr_chunk *chunk, tcgrr_seq seq)
{
    for (size_t i = 0; i < G_N_ELEMENTS(happened); i++) {
        struct tcgrr_event event = {
            .seq = seq, .icount = seq * INSNS, .kind = happened[i].kind, .inferred = happened[i].inferred};
        if (happened[i].seq == seq && happened[i].kind != NOT_RECORDED) {
            g_array_append_val(chunk->events, event);
        }
    }
}

static void write_executions(struct fixture *f)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    GError *error = NULL;

    tcgrr_chunk_follow(chunk, NULL);
    for (uint32_t i = 0; i < EXECS; i++) {
        uint32_t block = stream_block(f->blocks, 0x1000 + 0x100 * (i % 7), INSNS);
        if (i % EACH == 0) {
            add_sample(f, chunk, tcgrr_blocks_get(f->blocks, block)->pc);
        }
        if (f->events) {
            add_events(chunk, i);
        }
        stream_append(chunk, f->blocks, block, INSNS, INSNS);
        if (chunk->count == CAPACITY || i + 1 == EXECS) {
            tcgrr_chunk_compute(chunk, f->blocks);
            check(tcgrr_writer_chunk(f->writer, chunk, f->blocks, &error), error);
            tcgrr_chunk_follow(chunk, chunk);
        }
    }
    check(tcgrr_writer_commit(f->writer, &error), error);
    tcgrr_chunk_free(chunk);
}

static int begin(void **state, bool events)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->events = events;
    f->folder = g_dir_make_tmp("tcgrr-repair-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "trace.tcgrr", NULL);
    f->blocks = tcgrr_blocks_new();
    f->table = tcgrr_register_table_new();
    tcgrr_register_table_add(f->table, "pc", "", 8, NULL);
    tcgrr_register_table_add(f->table, "seq", "", 8, NULL);
    f->run = (struct tcgrr_run){.command = "[]",
                                .original_command = "[]",
                                .qemu_version = "10.0.2",
                                .target = "aarch64",
                                .mode = "system",
                                .level = "state",
                                .qemu_icount = -1};
    f->writer = tcgrr_writer_create(f->path, true, &f->run, NULL);
    assert_non_null(f->writer);
    write_executions(f);
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return begin(state, false);
}

static int set_up_events(void **state)
{
    return begin(state, true);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tcgrr_writer_free(f->writer);
    tcgrr_blocks_free(f->blocks);
    tcgrr_register_table_unref(f->table);
    g_unlink(f->path);
    g_rmdir(f->folder);
    g_free(f->path);
    g_free(f->folder);
    g_free(f);
    return 0;
}

/* The log has an exception at each of the wrong places, which are further back than was assumed by those before. */
static void repair(struct fixture *f)
{
    struct tcgrr_rrlog log = {
        .events = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_rrlog_event)), .total = EXECS * INSNS, .complete = true};
    g_autoptr(GArray) uncertain = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_uncertain_retire));
    struct tcgrr_answers answers = {.corrections = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_retire_correction))};
    struct tcgrr_repair task = {
        .path = f->path, .uncertain = uncertain, .answers = &answers, .log = &log, .blocks = f->blocks};
    GError *error = NULL;

    guint before = f->events ? G_N_ELEMENTS(logged) : 0;
    g_array_append_vals(log.events, logged, before);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        struct tcgrr_uncertain_retire doubt = {
            .seq = wrong[i], .retired = 1, .left = 1, .inside = 1, .place = wrong[i] * INSNS + INSNS - 1};
        struct tcgrr_rrlog_event event = {.icount = doubt.place - i, .kind = TCGRR_RRLOG_EXCEPTION};
        g_array_append_val(uncertain, doubt);
        g_array_append_val(log.events, event);
    }
    /* As it is written: it ends at the third place, and says nothing of it yet. */
    log.complete = false;
    log.total = g_array_index(log.events, struct tcgrr_rrlog_event, before + 2).icount;
    guint answered = tcgrr_answer_doubts(&answers, &log, uncertain);
    assert_int_equal(answered, 2);
    g_array_remove_range(uncertain, 0, answered);
    log.complete = true;
    log.total = EXECS * INSNS;
    check(tcgrr_repair(f->writer, &task, &f->run, &error), error);
    f->run.execs = EXECS;
    f->run.complete = true;
    check(tcgrr_writer_run(f->writer, &f->run, &error), error);
    check(tcgrr_writer_finish(f->writer, &error), error);
    g_array_unref(log.events);
    g_array_unref(answers.corrections);
}

static void say(const char *text, void *data)
{
    print_error("%s\n", text);
}

static void test_samples_move(void **state)
{
    struct fixture *f = *state;
    GError *error = NULL;
    struct tcgrr_samples *samples = tcgrr_samples_new();
    uint64_t problems = 1;
    uint64_t seen = 0;
    int64_t id = -1;

    repair(f);
    assert_int_equal(f->run.decided, G_N_ELEMENTS(wrong));
    assert_int_equal(f->run.icount, EXECS * INSNS - G_N_ELEMENTS(wrong));
    struct tcgrr_reader *reader = tcgrr_reader_open(f->path, &error);
    check(reader, error);
    check(tcgrr_reader_verify(reader, say, NULL, &problems, &error), error);
    assert_int_equal(problems, 0);
    do {
        struct tcgrr_sample_cursor cursor;
        check(tcgrr_reader_samples_after(reader, id, samples, &id, &error), error);
        for (bool more = tcgrr_sample_begin(&cursor, samples); more; more = tcgrr_sample_next(&cursor)) {
            uint64_t seq;
            uint64_t icount;
            memcpy(&seq, cursor.image + 8, sizeof(seq));
            assert_int_equal(seq, seen * EACH);
            icount = seq * INSNS;
            for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
                icount -= wrong[i] < seq;
            }
            assert_int_equal(cursor.sample->icount, icount);
            seen++;
        }
        tcgrr_sample_end(&cursor);
    } while (id >= 0);
    assert_int_equal(seen, EXECS / EACH);
    tcgrr_samples_free(samples);
    tcgrr_reader_free(reader);
}

static void check_event(const struct tcgrr_event *event, void *data)
{
    size_t *next = data;

    while (*next < G_N_ELEMENTS(happened) && !happened[*next].left) {
        ++*next;
    }
    assert_true(*next < G_N_ELEMENTS(happened));
    assert_int_equal(event->seq, happened[*next].seq);
    assert_int_equal(event->kind, happened[*next].new_kind);
    assert_int_equal(event->confirmed, happened[*next].confirmed);
    assert_int_equal(event->inferred, happened[*next].inferred);
    assert_int_equal(event->icount, happened[*next].icount);
    if (event->seq == wrong[0] + 1) { /* the instruction that had not retired is the one that was left */
        assert_true(event->has_pcs);
        assert_int_equal(event->from_pc, 0x1000 + 0x100 * (wrong[0] % 7) + 4 * (INSNS - 1));
    } else if (happened[*next].kind == NOT_RECORDED && event->seq < wrong[0]) {
        assert_true(event->has_pcs);
        assert_true(event->from_pc == TCGRR_NO_PC);
        assert_int_equal(event->to_pc, 0x1000 + 0x100 * (event->seq % 7));
    } else if (happened[*next].kind == NOT_RECORDED) {
        assert_true(event->has_pcs);
        assert_in_range(event->from_pc - (0x1000 + 0x100 * ((event->seq - 1) % 7)), 2 * (INSNS - 1), 4 * (INSNS - 1));
        assert_int_equal(event->to_pc, 0x1000 + 0x100 * (event->seq % 7));
    } else {
        assert_false(event->has_pcs);
    }
    ++*next;
}

/* What was inferred is confirmed, called by its right name, or taken back; what was not noticed is added; all is moved.
 */
static void test_events(void **state)
{
    struct fixture *f = *state;
    GError *error = NULL;
    uint64_t problems = 1;
    size_t next = 0;

    repair(f);
    assert_int_equal(f->run.icount, EXECS * INSNS - G_N_ELEMENTS(wrong));
    struct tcgrr_reader *reader = tcgrr_reader_open(f->path, &error);
    check(reader, error);
    check(tcgrr_reader_verify(reader, say, NULL, &problems, &error), error);
    assert_int_equal(problems, 0);
    check(tcgrr_reader_events(reader, 0, UINT64_MAX, check_event, &next, &error), error);
    assert_int_equal(next, G_N_ELEMENTS(happened));
    tcgrr_reader_free(reader);
}

/* Answers that do not fit what is in the trace. */
static void test_mismatches(void **state)
{
    static const struct {
        struct tcgrr_retire_correction corrections[2];
        guint count;
        const char *text;
    } rows[] = {
        {{{.seq = 1000, .retired = true}}, 1, "does not hold what was recorded at execution 1000"},
        {{{.seq = 1000}, {.seq = EXECS}}, 2, "does not hold what was recorded at execution 5000"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct tcgrr_rrlog *log = tcgrr_rrlog_new();
        g_autoptr(GArray) uncertain = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_uncertain_retire));
        struct tcgrr_answers answers = {.corrections = g_array_new(FALSE, FALSE, sizeof(rows[i].corrections[0]))};
        struct tcgrr_repair task = {
            .path = f->path, .uncertain = uncertain, .answers = &answers, .log = log, .blocks = f->blocks};
        GError *error = NULL;

        g_array_append_vals(answers.corrections, rows[i].corrections, rows[i].count);
        assert_false(tcgrr_repair(f->writer, &task, &f->run, &error));
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
        if (!strstr(error->message, rows[i].text)) {
            fail_msg("%s", error->message);
        }
        g_error_free(error);
        g_array_unref(answers.corrections);
        tcgrr_rrlog_free(log);
    }
}

/* A run in which events of the log may have happened at several places. */
#define GOES_ON 0
static const struct {
    uint64_t pc; /* GOES_ON: the next instruction */
    uint32_t ran;
} ways[] = {
    {0x1000, 3}, {GOES_ON, 3}, {0x2000, 0}, {0x3000, 3}, {GOES_ON, 3},
    {0x4000, 1}, {GOES_ON, 0}, {0x5000, 3}, {0x6000, 3},
};
static const struct tcgrr_rrlog_event unnoticed[] = {
    {4, TCGRR_RRLOG_INTERRUPT},  {6, TCGRR_RRLOG_EXCEPTION},  {9, TCGRR_RRLOG_INTERRUPT},  {13, TCGRR_RRLOG_EXCEPTION},
    {13, TCGRR_RRLOG_INTERRUPT}, {16, TCGRR_RRLOG_INTERRUPT}, {19, TCGRR_RRLOG_INTERRUPT},
};
static const struct tcgrr_event added[] = {
    /* The one at 4 would be inside an execution. Of two places at 6, it is where a block was left early. */
    {.seq = 3, .icount = 6, .kind = TCGRR_EVENT_EXCEPTION, .has_pcs = true, .from_pc = 0x2000, .to_pc = 0x3000},
    /* The vCPU only went on: nothing is known but that it happened. */
    {.seq = 4, .icount = 9, .kind = TCGRR_EVENT_INTERRUPT},
    {.seq = 7, .icount = 13, .kind = TCGRR_EVENT_EXCEPTION, .has_pcs = true, .from_pc = GOES_ON, .to_pc = 0x5000},
    {.seq = 7, .icount = 13, .kind = TCGRR_EVENT_INTERRUPT},
    {.seq = 8, .icount = 16, .kind = TCGRR_EVENT_INTERRUPT, .has_pcs = true, .from_pc = TCGRR_NO_PC, .to_pc = 0x6000},
    /* Nothing runs after the one at 19. */
};

static int set_up_ways(void **state)
{
    begin(state, false);
    struct fixture *f = *state;
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(G_N_ELEMENTS(ways));
    GError *error = NULL;

    /* Once more, in chunks of two executions. */
    tcgrr_writer_free(f->writer);
    f->writer = tcgrr_writer_create(f->path, true, &f->run, NULL);
    tcgrr_chunk_follow(chunk, NULL);
    uint64_t pc = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        uint32_t block = stream_block(f->blocks, ways[i].pc == GOES_ON ? pc : ways[i].pc, INSNS);
        pc = tcgrr_block_pc(tcgrr_blocks_get(f->blocks, block), ways[i].ran);
        stream_append(chunk, f->blocks, block, ways[i].ran, ways[i].ran);
        if (i % 2 == 1 || i + 1 == G_N_ELEMENTS(ways)) {
            tcgrr_chunk_compute(chunk, f->blocks);
            check(tcgrr_writer_chunk(f->writer, chunk, f->blocks, &error), error);
            tcgrr_chunk_follow(chunk, chunk);
        }
    }
    check(tcgrr_writer_commit(f->writer, &error), error);
    tcgrr_chunk_free(chunk);
    return 0;
}

static void check_added(const struct tcgrr_event *event, void *data)
{
    size_t *next = data;

    assert_true(*next < G_N_ELEMENTS(added));
    const struct tcgrr_event *wanted = &added[*next];
    assert_int_equal(event->seq, wanted->seq);
    assert_int_equal(event->icount, wanted->icount);
    assert_int_equal(event->kind, wanted->kind);
    assert_true(event->inferred && event->confirmed);
    assert_int_equal(event->has_pcs, wanted->has_pcs);
    if (wanted->has_pcs) {
        assert_true(event->from_pc == wanted->from_pc || (wanted->from_pc == GOES_ON && event->from_pc - 0x4000 <= 4));
        assert_int_equal(event->to_pc, wanted->to_pc);
    }
    ++*next;
}

static void test_unnoticed(void **state)
{
    struct fixture *f = *state;
    struct tcgrr_rrlog log = {
        .events = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_rrlog_event)), .total = 19, .complete = true};
    g_autoptr(GArray) uncertain = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_uncertain_retire));
    struct tcgrr_answers answers = {.corrections = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_retire_correction))};
    struct tcgrr_repair task = {
        .path = f->path, .uncertain = uncertain, .answers = &answers, .log = &log, .blocks = f->blocks};
    uint64_t problems = 1;
    size_t next = 0;
    GError *error = NULL;

    g_array_append_vals(log.events, unnoticed, G_N_ELEMENTS(unnoticed));
    check(tcgrr_repair(f->writer, &task, &f->run, &error), error);
    f->run.icount = 19;
    f->run.execs = G_N_ELEMENTS(ways);
    f->run.complete = true;
    check(tcgrr_writer_run(f->writer, &f->run, &error), error);
    check(tcgrr_writer_finish(f->writer, &error), error);
    struct tcgrr_reader *reader = tcgrr_reader_open(f->path, &error);
    check(reader, error);
    check(tcgrr_reader_verify(reader, say, NULL, &problems, &error), error);
    assert_int_equal(problems, 0);
    check(tcgrr_reader_events(reader, 0, UINT64_MAX, check_added, &next, &error), error);
    assert_int_equal(next, G_N_ELEMENTS(added));
    tcgrr_reader_free(reader);
    g_array_unref(log.events);
    g_array_unref(answers.corrections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_samples_move, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_events, set_up_events, tear_down),
        cmocka_unit_test_setup_teardown(test_unnoticed, set_up_ways, tear_down),
        cmocka_unit_test_setup_teardown(test_mismatches, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
