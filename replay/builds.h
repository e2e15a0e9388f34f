/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the first bad one in an ordered list of QEMUs by replaying one trace in a few of them. */
#ifndef TCGRR_REPLAY_BUILDS_H
#define TCGRR_REPLAY_BUILDS_H

#include "replay/verdict.h"

/* ---- the search itself, which knows no QEMU ---- */

#define TCGRR_BUILD_UNTRIED (-1)

/*
 * The known verdicts, from which the next build to try follows. `verdicts` has an enum tcgrr_verdict_kind or
 * TCGRR_BUILD_UNTRIED for each of `count` builds, in order. Good builds are assumed to come before bad ones.
 */
struct tcgrr_build_search {
    const int *verdicts;
    int count;
};

struct tcgrr_build_search_state {
    int last_good; /* index; -1: none, which leaves the recording itself as the last good one */
    int first_bad; /* the lowest known to be bad; `count` if none is */
    int next;      /* to be tried; -1: the search is over */
    int most;      /* maximum number of trials still needed, if no build is skipped */
};

/*
 * Chooses the last build first, because without a bad one there is nothing to search; then the middle of the remaining
 * range; next to skipped builds their neighbours, then the ends of the skipped range. If last_good + 1 < first_bad when
 * the search is over, all builds between them were skipped.
 */
void tcgrr_build_search_next(const struct tcgrr_build_search *search, struct tcgrr_build_search_state *state);

/* ---- with QEMUs ---- */

struct tcgrr_trial {
    int build; /* index in the list */
    struct tcgrr_verdict verdict;
    bool remembered; /* from an earlier search that was interrupted */
};

struct tcgrr_builds_options {
    struct tcgrr_replay_options replay; /* for each replay */
    const char *const *builds;          /* as tcgrr_verdict_find() takes them, NULL-terminated, at least one */
    const char *state_file;             /* has the verdicts so far; removed at the end */
    bool fresh;                         /* ignore the state file's content */
    /* Before and after each replay; `most` as in struct tcgrr_build_search_state. */
    void (*begins)(int build, int most, void *data);
    void (*ended)(const struct tcgrr_trial *trial, void *data);
    void *data;
};

struct tcgrr_builds_result {
    GArray *trials; /* struct tcgrr_trial, in order; those remembered first */
    int last_good;  /* as in struct tcgrr_build_search_state */
    int first_bad;  /* likewise; those between last_good and it were skipped and may be the first bad one as well */
};

/*
 * Searches. The state file is rewritten after each replay, so that the same call continues after an interruption; a
 * build whose binary has changed since is tried again. False with an error of tcgrr_verdict_find() or
 * tcgrr_replay_check(), or if the state file cannot be read or written; `result` then has the trials so far. Clear
 * `result` in either case.
 */
bool tcgrr_builds_search(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options,
                         struct tcgrr_builds_result *result, GError **error);
void tcgrr_builds_result_clear(struct tcgrr_builds_result *result);

#endif
