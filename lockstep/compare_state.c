/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/compare_state.h"

#include "lockstep/insn_cursor.h"
#include "lockstep/report.h"

#include <string.h>

/* Number of instructions around the place, for the lists of what ran before and after. */
#define AROUND 4096

struct tcgrr_state_comparing {
    struct tcgrr_run_source *sides[2];
    const struct tcgrr_state_options *options;
    unsigned history;
    struct tcgrr_data_divergence *data;
    struct tcgrr_samples *samples[2];
    struct tcgrr_state_comparer *comparer; /* NULL: both sides' registers are not known yet */
    tcgrr_icount start[2];
    tcgrr_icount same[2]; /* the last sample in which they were the same */
    uint64_t passed;      /* samples of A before those that are compared now */
    bool own_inputs;
    bool shifted;
};

struct tcgrr_state_comparing *tcgrr_state_comparing_new(struct tcgrr_run_source *const sides[2],
                                                        const tcgrr_icount start[2],
                                                        const struct tcgrr_compare_options *options,
                                                        struct tcgrr_data_divergence *data)
{
    struct tcgrr_state_comparing *comparing = g_new0(struct tcgrr_state_comparing, 1);
    comparing->options = &options->state;
    comparing->history = options->history;
    comparing->own_inputs = !options->strict;
    comparing->data = data;
    for (int i = 0; i < 2; i++) {
        comparing->sides[i] = sides[i];
        comparing->samples[i] = tcgrr_samples_new();
        comparing->start[i] = start[i];
        comparing->same[i] = data->same[i] = start[i];
    }
    return comparing;
}

void tcgrr_state_comparing_free(struct tcgrr_state_comparing *comparing)
{
    if (comparing) {
        tcgrr_state_comparer_free(comparing->comparer);
        tcgrr_samples_free(comparing->samples[0]);
        tcgrr_samples_free(comparing->samples[1]);
        g_free(comparing);
    }
}

void tcgrr_state_shifted(struct tcgrr_state_comparing *comparing)
{
    comparing->shifted = true;
    comparing->data->stores = false;
}

static void make_comparer(struct tcgrr_state_comparing *comparing)
{
    if (!comparing->comparer) {
        comparing->comparer =
            tcgrr_state_comparer_new(comparing->samples[0]->registers, comparing->samples[1]->registers,
                                     comparing->options->target, comparing->own_inputs, comparing->options->ignored);
        comparing->data->registers_compared = tcgrr_state_comparer_registers(comparing->comparer);
    }
}

/* Whether the digests say that other things were stored. */
static bool stores_differ(struct tcgrr_state_comparing *comparing, const struct tcgrr_sample_cursor cursors[2])
{
    struct tcgrr_data_divergence *data = comparing->data;

    if (!data->stores || cursors[0].sample->stores == cursors[1].sample->stores) {
        return false;
    }
    data->stores_number = data->same_number;
    for (int i = 0; i < 2 && !comparing->options->same_qemu; i++) {
        data->stores_parted = true;
        data->stores_from[i] = comparing->same[i];
        data->stores_to[i] = cursors[i].sample->icount;
    }
    data->stores = comparing->options->same_qemu;
    return comparing->options->same_qemu;
}

/* What both sides run at the samples. */
static bool describe_place(struct tcgrr_state_comparing *comparing, GError **error)
{
    struct tcgrr_data_divergence *data = comparing->data;
    struct tcgrr_exec_window windows[2] = {0};
    struct tcgrr_insn_cursor walks[2];
    bool good = true;

    for (int i = 0; i < 2 && good; i++) {
        tcgrr_icount before = MIN(data->to[i] - comparing->start[i], (tcgrr_icount)AROUND);
        good = tcgrr_exec_window_begin(&windows[i], comparing->sides[i], data->to[i] - before, data->to[i] + AROUND,
                                       error);
        if (good) {
            tcgrr_insn_cursor_begin(&walks[i], &windows[i], data->to[i]);
        }
    }
    if (good) {
        data->place = g_new0(struct tcgrr_comparison, 1);
        tcgrr_report_divergence(data->place, walks, comparing->history);
        data->place->kind = TCGRR_DIVERGENCE_DATA;
    }
    tcgrr_exec_window_clear(&windows[0]);
    tcgrr_exec_window_clear(&windows[1]);
    return good;
}

/* In the first sample nothing has gone wrong yet: what differs there is how the machines are made, or what ran before.
 */
static void set_initial(struct tcgrr_state_comparing *comparing, const struct tcgrr_sample_cursor cursors[2])
{
    bool known = comparing->samples[0]->has_stores && comparing->samples[1]->has_stores;

    comparing->data->initial = tcgrr_state_comparer_set_aside(comparing->comparer, cursors[0].image, cursors[1].image);
    comparing->data->alike = known && cursors[0].sample->stores == cursors[1].sample->stores;
    comparing->data->stores = comparing->data->alike && !comparing->shifted;
}

/* Compares two samples at the same place. */
static bool compare_samples(struct tcgrr_state_comparing *comparing, const struct tcgrr_sample_cursor cursors[2],
                            GError **error)
{
    struct tcgrr_data_divergence *data = comparing->data;

    if (data->samples++ == 0) {
        set_initial(comparing, cursors);
    }
    data->shifted = comparing->shifted;
    data->stores_differ = stores_differ(comparing, cursors);
    data->found =
        !tcgrr_state_comparer_same(comparing->comparer, cursors[0].image, cursors[1].image) || data->stores_differ;
    for (int i = 0; i < 2; i++) {
        data->from[i] = comparing->same[i];
        data->to[i] = cursors[i].sample->icount;
        comparing->same[i] = cursors[i].sample->icount;
        data->same[i] = data->found ? data->same[i] : cursors[i].sample->icount;
    }
    if (!data->found) {
        data->same_number = comparing->passed + cursors[0].index;
        return true;
    }
    data->to_number = comparing->passed + cursors[0].index;
    data->registers = tcgrr_state_comparer_differences(comparing->comparer, cursors[0].image, cursors[1].image);
    return describe_place(comparing, error);
}

/* Register 0 is the pc on every side. */
static bool same_place(const struct tcgrr_sample_cursor cursors[2])
{
    return cursors[0].sample->vcpu == cursors[1].sample->vcpu &&
           memcmp(cursors[0].image, cursors[1].image, sizeof(uint64_t)) == 0;
}

/* Whether the next sample is at the same icount, with only executions in between that retired nothing. */
static bool stays(const struct tcgrr_sample_cursor *cursor)
{
    return cursor->index + 1 < cursor->samples->list->len && cursor->sample[1].icount == cursor->sample->icount;
}

/* Goes through the samples of both sides side by side; those at the same distance from `from` are compared. */
static bool compare_all(struct tcgrr_state_comparing *comparing, const tcgrr_icount from[2],
                        struct tcgrr_sample_cursor cursors[2], GError **error)
{
    while (cursors[0].sample && cursors[1].sample && !comparing->data->found) {
        tcgrr_icount a = cursors[0].sample->icount - from[0];
        tcgrr_icount b = cursors[1].sample->icount - from[1];
        bool leave[2] = {a <= b, b <= a};
        if (a == b && same_place(cursors)) {
            if (!compare_samples(comparing, cursors, error)) {
                return false;
            }
        } else if (a == b && (stays(&cursors[0]) || stays(&cursors[1]))) {
            leave[0] = stays(&cursors[0]);
            leave[1] = !leave[0];
        }
        for (int i = 0; i < 2; i++) {
            if (leave[i]) {
                tcgrr_sample_next(&cursors[i]);
            }
        }
    }
    return true;
}

bool tcgrr_state_compare(struct tcgrr_state_comparing *comparing, const tcgrr_icount from[2], const tcgrr_icount to[2],
                         GError **error)
{
    struct tcgrr_sample_cursor cursors[2];

    if (!comparing->options->target || comparing->data->found) {
        return true;
    }
    for (int i = 0; i < 2; i++) {
        const struct tcgrr_run_source_ops *ops = comparing->sides[i]->ops;
        if (!ops->samples) {
            return true;
        }
        if (!ops->samples(comparing->sides[i], from[i], to[i], comparing->samples[i], error)) {
            return false;
        }
    }
    guint counts[] = {comparing->samples[0]->list->len, comparing->samples[1]->list->len};
    bool good = true;
    if (counts[0] > 0 && counts[1] > 0) {
        make_comparer(comparing);
        tcgrr_sample_begin(&cursors[0], comparing->samples[0]);
        tcgrr_sample_begin(&cursors[1], comparing->samples[1]);
        good = compare_all(comparing, from, cursors, error);
        tcgrr_sample_end(&cursors[0]);
        tcgrr_sample_end(&cursors[1]);
    }
    comparing->passed += counts[0];
    return good;
}

void tcgrr_state_conclude(struct tcgrr_comparison *comparison)
{
    struct tcgrr_comparison *place = comparison->data.place;

    if (comparison->diverged || !comparison->data.found || comparison->data.shifted) {
        return;
    }
    comparison->diverged = !comparison->undecided; /* inputs of their own may explain this as well */
    comparison->kind = place->kind;
    comparison->icount = place->icount;
    comparison->vcpu = place->vcpu;
    comparison->common = g_steal_pointer(&place->common);
    for (int i = 0; i < 2; i++) {
        comparison->sides[i] = place->sides[i];
        place->sides[i] = (struct tcgrr_divergence_side){0};
    }
}
