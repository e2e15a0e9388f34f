/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/builds.h"

#include "replay/builds_state.h"

#include <glib/gstdio.h>

/* Neighbours of skipped builds to try before going further away. */
#define NEIGHBOURS 2

/* The builds between the last good and the first bad one: untried or skipped. */
struct between {
    int low;  /* the last good one, -1 if there is none */
    int high; /* the first bad one, or after the last */
    int untried;
    int skipped;
    int first_skipped;
    int last_skipped;
};

static struct between survey(const int *verdicts, int low, int high)
{
    struct between between = {.low = low, .high = high};
    for (int i = low + 1; i < high; i++) {
        if (verdicts[i] == TCGRR_BUILD_UNTRIED) {
            between.untried++;
            continue;
        }
        between.first_skipped = between.skipped == 0 ? i : between.first_skipped;
        between.last_skipped = i;
        between.skipped++;
    }
    return between;
}

static int middle_untried(const int *verdicts, const struct between *between)
{
    int before = between->untried / 2;
    for (int i = between->low + 1; i < between->high; i++) {
        if (verdicts[i] == TCGRR_BUILD_UNTRIED && before-- == 0) {
            return i;
        }
    }
    return -1;
}

/*
 * Chooses the build to try. Skipped builds mostly come in ranges, so after a few neighbours the ends of the range are
 * searched, from the good and from the bad side, and builds inside it come last.
 */
static int choose(const int *verdicts, const struct between *between)
{
    int below = between->first_skipped - between->low - 1;
    int above = between->high - between->last_skipped - 1;

    if (between->skipped < NEIGHBOURS || (below == 0 && above == 0)) {
        return middle_untried(verdicts, between);
    }
    return below >= above ? between->low + 1 + below / 2 : between->last_skipped + 1 + above / 2;
}

static int halvings(int untried)
{
    int most = 0;
    for (; untried > 0; untried /= 2) {
        most++;
    }
    return most;
}

void tcgrr_build_search_next(const struct tcgrr_build_search *search, struct tcgrr_build_search_state *state)
{
    int last = search->count - 1;

    *state = (struct tcgrr_build_search_state){.last_good = -1, .first_bad = search->count};
    for (int i = last; i >= 0; i--) {
        state->first_bad = search->verdicts[i] == TCGRR_VERDICT_BAD ? i : state->first_bad;
    }
    for (int i = 0; i < state->first_bad; i++) {
        state->last_good = search->verdicts[i] == TCGRR_VERDICT_GOOD ? i : state->last_good;
    }
    struct between between = survey(search->verdicts, state->last_good, state->first_bad);
    if (state->first_bad == search->count && search->verdicts[last] == TCGRR_BUILD_UNTRIED) {
        state->next = last;
        state->most = 1 + halvings(between.untried - 1);
        return;
    }
    state->next = choose(search->verdicts, &between);
    state->most = halvings(between.untried);
}

/* ---- with QEMUs ---- */

static void look(const struct tcgrr_builds_options *options, const GArray *trials,
                 struct tcgrr_build_search_state *state)
{
    int count = (int)g_strv_length((char **)options->builds);
    g_autofree int *verdicts = g_new(int, (gsize)count);

    for (int i = 0; i < count; i++) {
        verdicts[i] = TCGRR_BUILD_UNTRIED;
    }
    for (guint i = 0; i < trials->len; i++) {
        const struct tcgrr_trial *trial = &g_array_index(trials, struct tcgrr_trial, i);
        verdicts[trial->build] = (int)trial->verdict.kind;
    }
    struct tcgrr_build_search search = {verdicts, count};
    tcgrr_build_search_next(&search, state);
}

static bool try_build(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options, int build,
                      struct tcgrr_builds_result *result, GError **error)
{
    struct tcgrr_trial trial = {.build = build};
    if (!tcgrr_verdict_find(reader, options->builds[build], &options->replay, &trial.verdict, error)) {
        return false;
    }
    g_array_append_val(result->trials, trial);
    if (options->ended) {
        options->ended(&trial, options->data);
    }
    return tcgrr_builds_store(reader, options, result->trials, error);
}

static void clear_trial(gpointer trial)
{
    tcgrr_verdict_clear(&((struct tcgrr_trial *)trial)->verdict);
}

bool tcgrr_builds_search(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options,
                         struct tcgrr_builds_result *result, GError **error)
{
    struct tcgrr_build_search_state state;

    *result = (struct tcgrr_builds_result){.trials = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_trial))};
    g_array_set_clear_func(result->trials, clear_trial);
    if (!tcgrr_replay_check(reader, error) || !tcgrr_builds_load(reader, options, result->trials, error) ||
        !tcgrr_builds_store(reader, options, result->trials, error)) {
        return false;
    }
    for (look(options, result->trials, &state); state.next >= 0; look(options, result->trials, &state)) {
        if (options->begins) {
            options->begins(state.next, state.most, options->data);
        }
        if (!try_build(reader, options, state.next, result, error)) {
            return false;
        }
    }
    result->last_good = state.last_good;
    result->first_bad = state.first_bad;
    g_unlink(options->state_file);
    return true;
}

void tcgrr_builds_result_clear(struct tcgrr_builds_result *result)
{
    g_clear_pointer(&result->trials, g_array_unref);
}
