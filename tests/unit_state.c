/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing samples of the state: what differs is found at the first sample in which it does, by name; what may differ,
 * or is not at the same place on both sides, is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "lockstep/compare.h"
#include "lockstep/compare_state.h"
#include "tests/stream.h"
#include "tests/check.h"

#define INSNS    300000
#define CAPACITY 4000
#define STEP     40 /* executions between two samples */

enum { PC, X1, X2, VECTOR, MEPC, REGISTERS };
static const char *const names[REGISTERS] = {"pc", "x1", "x2", "v0", "mepc"};
static const uint32_t sizes[REGISTERS] = {8, 8, 4, 300, 8};

/* What one of two recordings of the same guest has of its own. */
struct recording {
    guint insns;         /* of the script; 0: all */
    guint wrong_from;    /* number of the first sample in which `wrong` differs; 0: none does */
    unsigned wrong;      /* register */
    guint right_again;   /* number of the first sample in which it does not any more; 0: none */
    guint stores_from;   /* likewise for the digest of stores */
    guint missing;       /* every so many-th sample is not there; 0: all are */
    unsigned left_out;   /* this register is not there; 0: all are */
    unsigned larger;     /* this one has another size; 0: none */
    unsigned initial;    /* this one differs from the start on; 0: none */
    guint initial_until; /* number of the first sample in which that does not any more; 0: none */
};

struct fixture {
    char *folder;
    GArray *script;
    tcgrr_icount icounts[INSNS / STEP]; /* of the samples */
    guint samples;
    struct tcgrr_reader *readers[2];
    struct tcgrr_run_source *sides[2];
    struct tcgrr_comparison comparison;
    struct tcgrr_compare_options options;
};

static struct tcgrr_register_table *make_table(const struct recording *recording)
{
    struct tcgrr_register_table *table = tcgrr_register_table_new();
    for (unsigned i = 0; i < REGISTERS; i++) {
        if (i != recording->left_out || i == 0) {
            uint32_t size = sizes[i] + (i > 0 && i == recording->larger);
            assert_true(tcgrr_register_table_add(table, names[i], "", size, NULL));
        }
    }
    return table;
}

static bool is_wrong(const struct recording *recording, unsigned which, guint sample)
{
    bool initial = which > 0 && which == recording->initial;
    return (initial && (recording->initial_until == 0 || sample < recording->initial_until)) ||
           (which == recording->wrong && recording->wrong_from > 0 && sample >= recording->wrong_from &&
            (recording->right_again == 0 || sample < recording->right_again));
}

/* The state at a sample: what the guest makes of it, and what went wrong. */
static void make_image(const struct tcgrr_register_table *table, const struct recording *recording, guint sample,
                       uint64_t pc, uint8_t *image)
{
    for (uint32_t i = 0; i < tcgrr_register_table_count(table); i++) {
        const struct tcgrr_state_register *at = tcgrr_register_table_get(table, i);
        unsigned which = 0;
        while (strcmp(names[which], at->name) != 0) {
            which++;
        }
        uint64_t value = GUINT64_TO_LE(which == PC ? pc : (uint64_t)sample * 3 + which);
        memset(image + at->offset, 0, at->size);
        memcpy(image + at->offset, &value, MIN(at->size, sizeof(value)));
        if (is_wrong(recording, which, sample)) {
            image[at->offset + at->size - 1] ^= 0x80;
        }
    }
}

static void add_samples(struct fixture *f, struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks,
                        struct tcgrr_register_table *table, const struct recording *recording, guint *number)
{
    g_autofree uint8_t *image = g_malloc(tcgrr_register_table_bytes(table));
    struct tcgrr_cursor at;

    chunk->samples->has_stores = true;
    for (bool more = tcgrr_cursor_begin(&at, chunk, blocks); more; more = tcgrr_cursor_next(&at)) {
        if ((chunk->first_seq + at.index) % STEP != 0) {
            continue;
        }
        guint which = (*number)++;
        struct tcgrr_sample sample = {.icount = at.icount, .exec = at.index, .stores = which};
        f->icounts[which] = at.icount;
        sample.stores += recording->stores_from > 0 && which >= recording->stores_from;
        make_image(table, recording, which, at.block->pc, image);
        if (recording->missing == 0 || which % recording->missing != 0) {
            tcgrr_samples_add(chunk->samples, table, &sample, image);
        }
    }
}

static void write_trace(struct fixture *f, const char *path, const struct recording *recording)
{
    static const struct tcgrr_run run = {.command = "[]",
                                         .original_command = "[]",
                                         .qemu_version = "10.0.2",
                                         .target = "riscv64",
                                         .mode = "system",
                                         .level = "state",
                                         .complete = true,
                                         .qemu_icount = -1};
    struct tcgrr_writer *writer = tcgrr_writer_create(path, true, &run, NULL);
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(CAPACITY);
    struct tcgrr_register_table *table = make_table(recording);
    g_autoptr(GArray) script = g_array_sized_new(FALSE, FALSE, sizeof(uint64_t), f->script->len);
    GError *error = NULL;
    guint number = 0;
    uint64_t id = 0;

    g_array_append_vals(script, f->script->data, recording->insns ? recording->insns : f->script->len);
    tcgrr_chunk_follow(chunk, NULL);
    for (guint at = 0; at < script->len; id++) {
        at = stream_cut(script, at, id, 20, blocks, chunk);
        add_samples(f, chunk, blocks, table, recording, &number);
        check(tcgrr_writer_chunk(writer, chunk, blocks, &error), error);
        tcgrr_chunk_follow(chunk, chunk);
    }
    check(tcgrr_writer_finish(writer, &error), error);
    f->samples = MAX(f->samples, number);
    tcgrr_writer_free(writer);
    tcgrr_register_table_unref(table);
    tcgrr_chunk_free(chunk);
    tcgrr_blocks_free(blocks);
}

static struct fixture *compare(const struct recording *a, const struct recording *b,
                               const struct tcgrr_state_options *state, bool strict)
{
    struct fixture *f = g_new0(struct fixture, 1);
    const struct recording *recordings[2] = {a, b};
    GError *error = NULL;

    f->folder = g_dir_make_tmp("tcgrr-state-XXXXXX", NULL);
    f->script = stream_script(3, INSNS);
    f->options = (struct tcgrr_compare_options){.strict = strict, .history = 5, .state = *state};
    for (int i = 0; i < 2; i++) {
        g_autofree char *path = g_build_filename(f->folder, "trace.tcgrr", NULL);
        write_trace(f, path, recordings[i]);
        f->readers[i] = tcgrr_reader_open(path, &error);
        check(f->readers[i], error);
        f->sides[i] = tcgrr_run_source_stored(f->readers[i], &error);
        check(f->sides[i], error);
        g_unlink(path);
    }
    check(tcgrr_compare(f->sides[0], f->sides[1], &f->options, &f->comparison, &error), error);
    return f;
}

static void clear(struct fixture *f)
{
    tcgrr_comparison_clear(&f->comparison);
    for (int i = 0; i < 2; i++) {
        f->sides[i]->ops->free(f->sides[i]);
        tcgrr_reader_free(f->readers[i]);
    }
    g_rmdir(f->folder);
    g_free(f->folder);
    g_array_unref(f->script);
    g_free(f);
}

static const struct tcgrr_state_options plain = {.target = "riscv64", .same_qemu = true};
static const struct recording right = {0};

/* ---- */

static void test_same(void **state)
{
    struct fixture *f = compare(&right, &right, &plain, true);
    assert_false(f->comparison.diverged);
    assert_false(f->comparison.data.found);
    assert_int_equal(f->comparison.data.samples, f->samples);
    assert_int_equal(f->comparison.data.registers_compared, REGISTERS - 1);
    assert_true(f->comparison.data.stores);
    assert_int_equal(f->comparison.data.initial->len, 0);
    clear(f);
}

static void test_not_asked(void **state)
{
    struct recording wrong = {.wrong = X1, .wrong_from = 100};
    struct fixture *f = compare(&right, &wrong, &(struct tcgrr_state_options){0}, true);
    assert_false(f->comparison.diverged);
    assert_int_equal(f->comparison.data.samples, 0);
    clear(f);
}

static void assert_register(const struct tcgrr_data_divergence *data, const char *name, guint sample, uint32_t size)
{
    const struct tcgrr_register_difference *differs =
        &g_array_index(data->registers, struct tcgrr_register_difference, 0);
    assert_int_equal(data->registers->len, 1);
    assert_string_equal(differs->name, name);
    assert_int_equal(differs->size, size);
    assert_int_equal(differs->a[size - 1] ^ differs->b[size - 1], 0x80);
    assert_int_equal(differs->a[0] & 0x7f, (sample * 3 + (name[0] == 'x' ? name[1] - '0' : VECTOR)) & 0x7f);
}

/* Wherever it is: at a chunk's first sample, its last, and for one sample only. */
static void test_register(void **state)
{
    for (guint sample = 1; sample < 700; sample = sample * 2 + 1) {
        struct recording wrong = {.wrong = sample % 3 ? X2 : VECTOR, .wrong_from = sample, .right_again = sample + 1};
        struct fixture *f = compare(&right, &wrong, &plain, true);
        const struct tcgrr_data_divergence *data = &f->comparison.data;
        assert_true(f->comparison.diverged);
        assert_int_equal(f->comparison.kind, TCGRR_DIVERGENCE_DATA);
        assert_int_equal(f->comparison.compared, INSNS);
        assert_int_equal(data->from[0], f->icounts[sample - 1]);
        assert_int_equal(data->to[0], f->icounts[sample]);
        assert_int_equal(data->to[1], f->icounts[sample]);
        assert_int_equal(data->samples, sample + 1);
        assert_false(data->stores_differ);
        assert_register(data, names[wrong.wrong], sample, sizes[wrong.wrong]);
        /* Both sides are shown where they are. */
        assert_int_equal(f->comparison.icount, data->to[0]);
        assert_true(f->comparison.sides[0].there && f->comparison.sides[1].there);
        assert_int_equal(f->comparison.sides[0].pc, g_array_index(f->script, uint64_t, data->to[0]));
        assert_int_equal(f->comparison.sides[1].pc, f->comparison.sides[0].pc);
        assert_int_equal(f->comparison.common->len, 5);
        clear(f);
    }
}

static void test_stores(void **state)
{
    struct recording wrong = {.stores_from = 300};
    struct fixture *f = compare(&right, &wrong, &plain, true);
    assert_true(f->comparison.diverged);
    assert_int_equal(f->comparison.kind, TCGRR_DIVERGENCE_DATA);
    assert_true(f->comparison.data.stores_differ);
    assert_int_equal(f->comparison.data.registers->len, 0);
    assert_int_equal(f->comparison.data.to[0], f->icounts[300]);
    clear(f);

    /* In another QEMU they are worth a remark, and registers are compared on. */
    wrong.wrong = X1;
    wrong.wrong_from = 400;
    f = compare(&right, &wrong, &(struct tcgrr_state_options){.target = "riscv64"}, true);
    assert_true(f->comparison.data.stores_parted);
    assert_int_equal(f->comparison.data.stores_from[1], f->icounts[299]);
    assert_int_equal(f->comparison.data.stores_to[1], f->icounts[300]);
    assert_false(f->comparison.data.stores_differ);
    assert_register(&f->comparison.data, "x1", 400, 8);
    clear(f);
}

/* If the flow diverges, that is the divergence, and the data add to it. */
static void test_before_flow(void **state)
{
    struct recording wrong = {.wrong = X1, .wrong_from = 500, .insns = 200000};
    struct fixture *f = compare(&right, &wrong, &plain, true);
    assert_true(f->comparison.diverged);
    assert_int_equal(f->comparison.kind, TCGRR_DIVERGENCE_ENDED);
    assert_int_equal(f->comparison.icount, 200000);
    assert_true(f->comparison.data.found);
    assert_int_equal(f->comparison.data.to[0], f->icounts[500]);
    assert_register(&f->comparison.data, "x1", 500, 8);
    clear(f);
}

/* Between the last digest and where the runs diverge. */
static void test_last_sample(void **state)
{
    struct fixture *f = compare(&right, &right, &plain, true);
    guint last = f->samples - 1;
    clear(f);
    struct recording wrong = {.wrong = X1, .wrong_from = last};
    f = compare(&right, &wrong, &plain, true);
    assert_true(f->comparison.data.found);
    assert_int_equal(f->comparison.data.to[0], f->icounts[last]);
    clear(f);
}

static void test_missing_samples(void **state)
{
    struct recording a = {.missing = 3};
    struct recording b = {.missing = 4, .wrong = X1, .wrong_from = 600};
    struct fixture *f = compare(&a, &b, &plain, true);
    const struct tcgrr_data_divergence *data = &f->comparison.data;
    assert_true(data->found);
    assert_int_equal(data->to[0], f->icounts[601]); /* number 600 is on neither side */
    assert_int_equal(data->from[0], f->icounts[599]);
    clear(f);
}

static void test_left_out(void **state)
{
    struct recording less = {.left_out = X1};
    struct recording larger = {.larger = X2, .wrong = X1, .wrong_from = 1};
    struct fixture *f = compare(&less, &larger, &plain, true);
    assert_false(f->comparison.diverged);
    assert_int_equal(f->comparison.data.registers_compared, 2);
    assert_int_equal(f->comparison.data.samples, f->samples);
    clear(f);
}

/* What differs in the first sample is no effect of what is compared; once it agreed it counts. */
static void test_initial(void **state)
{
    struct recording other = {.initial = X2, .wrong = X1, .wrong_from = 9};
    struct fixture *f = compare(&right, &other, &plain, true);
    const struct tcgrr_data_divergence *data = &f->comparison.data;
    assert_int_equal(data->initial->len, 1);
    assert_string_equal(g_array_index(data->initial, struct tcgrr_register_difference, 0).name, "x2");
    assert_int_equal(data->to[0], f->icounts[9]);
    assert_register(data, "x1", 9, 8);
    clear(f);

    struct recording first = {.initial = X2, .initial_until = 20, .wrong = X2, .wrong_from = 30};
    f = compare(&right, &first, &plain, true);
    assert_int_equal(f->comparison.data.initial->len, 1);
    assert_int_equal(f->comparison.data.to[0], f->icounts[30]);
    clear(f);
}

static void test_ignored(void **state)
{
    const char *const ignored[] = {"x?", NULL};
    struct tcgrr_state_options options = {.target = "riscv64", .ignored = ignored};
    struct recording wrong = {.wrong = X2, .wrong_from = 20};
    struct recording elsewhere = {.wrong = MEPC, .wrong_from = 20};

    struct fixture *f = compare(&right, &wrong, &options, true);
    assert_false(f->comparison.diverged);
    clear(f);
    /* Where an interrupt came is the same in runs that share it, and need not be in others. */
    f = compare(&right, &elsewhere, &options, true);
    assert_true(f->comparison.diverged);
    clear(f);
    f = compare(&right, &elsewhere, &options, false);
    assert_false(f->comparison.diverged);
    clear(f);
}

static void test_names(void **state)
{
    const char *const more[] = {"a*", "q", NULL};
    assert_true(tcgrr_state_ignores("x86_64", "pc", false, NULL));
    assert_false(tcgrr_state_ignores("x86_64", "rax", true, NULL));
    assert_true(tcgrr_state_ignores("x86_64", "abc", false, more));
    assert_true(tcgrr_state_ignores("x86_64", "q", false, more));
    assert_false(tcgrr_state_ignores("x86_64", "qq", false, more));
    assert_false(tcgrr_state_ignores("aarch64", "ELR_EL1", false, NULL));
    assert_true(tcgrr_state_ignores("aarch64", "ELR_EL1", true, NULL));
    assert_true(tcgrr_state_ignores("riscv32", "mip", true, NULL));
    assert_false(tcgrr_state_ignores("riscv64", "sp", true, NULL));
    assert_true(tcgrr_state_same_qemu("10.0.2", "ab", "10.0.2", "ab"));
    assert_true(tcgrr_state_same_qemu("10.0.2", "", "10.0.2", NULL));
    assert_false(tcgrr_state_same_qemu("10.0.2", "ab", "10.0.2", "cd"));
    assert_false(tcgrr_state_same_qemu("10.0.2", "ab", "11.1.3", "ab"));
    g_autofree char *text = tcgrr_register_text((const uint8_t[]){0x01, 0x20, 0xff}, 3);
    assert_string_equal(text, "0xff2001");
}

struct wanted {
    uint64_t pc;
    bool early;
};

static bool is_wanted(const struct tcgrr_block *block, bool early, void *data)
{
    const struct wanted *wanted = data;
    return block->pc == wanted->pc || (wanted->early && early);
}

/* No block that is wanted is passed over, and whole chunks without one are. */
static void test_pass_over(void **state)
{
    struct fixture *f = compare(&right, &right, &plain, true);
    struct tcgrr_run_source *side = f->sides[0];
    struct tcgrr_stretch stretch;
    GError *error = NULL;

    tcgrr_stretch_init(&stretch);
    check(side->ops->stretch(side, 0, INSNS, &stretch, &error), error);
    bool skipped = false;
    for (guint i = 1; i < stretch.execs->len; i += 97) {
        const struct tcgrr_exec *exec = &g_array_index(stretch.execs, struct tcgrr_exec, i);
        guint first = 0;
        while (g_array_index(stretch.execs, struct tcgrr_exec, first).block->pc != exec->block->pc) {
            first++;
        }
        tcgrr_icount found = 0;
        struct wanted wanted = {.pc = exec->block->pc};
        check(side->ops->pass_over(side, &found, is_wanted, &wanted, &error), error);
        assert_true(found <= g_array_index(stretch.execs, struct tcgrr_exec, first).icount);
        skipped = skipped || found > 0;
        found = exec->icount;
        check(side->ops->pass_over(side, &found, is_wanted, &wanted, &error), error);
        assert_int_equal(found, exec->icount);
    }
    assert_true(skipped);
    struct wanted nothing = {.pc = 1}, early = {.pc = 1, .early = true};
    tcgrr_icount none = 0, some = 100;
    check(side->ops->pass_over(side, &none, is_wanted, &nothing, &error) &&
              side->ops->pass_over(side, &some, is_wanted, &early, &error),
          error);
    assert_int_equal(none, UINT64_MAX);
    assert_int_equal(some, 100);
    tcgrr_stretch_clear(&stretch);
    clear(f);
}

/* Data that differ before the flow does, where inputs of their own may explain that, are no divergence either. */
static void test_undecided(void **state)
{
    for (int undecided = 0; undecided < 2; undecided++) {
        struct tcgrr_comparison place = {.kind = TCGRR_DIVERGENCE_DATA, .icount = 7};
        struct tcgrr_comparison comparison = {.undecided = undecided ? g_strdup("polling differed") : NULL,
                                              .data = {.found = true, .place = &place}};
        tcgrr_state_conclude(&comparison);
        assert_int_equal(comparison.diverged, !undecided);
        assert_int_equal(comparison.icount, 7);
        g_free(comparison.undecided);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_undecided),   cmocka_unit_test(test_same),        cmocka_unit_test(test_pass_over),
        cmocka_unit_test(test_not_asked),   cmocka_unit_test(test_register),    cmocka_unit_test(test_stores),
        cmocka_unit_test(test_before_flow), cmocka_unit_test(test_last_sample), cmocka_unit_test(test_missing_samples),
        cmocka_unit_test(test_left_out),    cmocka_unit_test(test_initial),     cmocka_unit_test(test_ignored),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
