/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first bad one of an ordered list of QEMUs, found by replaying one trace in few of them. */
#ifndef TCGRR_REPLAY_BUILDS_H
#define TCGRR_REPLAY_BUILDS_H

#include "replay/verdict.h"

/* ---- the search itself, which knows no QEMU ---- */

#define TCGRR_BUILD_UNTRIED (-1)

/*
 * What is known, and so what is to be tried next. `verdicts` holds for each of `count` builds, in order, an enum
 * tcgrr_verdict_kind or TCGRR_BUILD_UNTRIED. Good ones are taken to come before bad ones.
 */
struct tcgrr_build_search {
    const int *verdicts;
    int count;
};

struct tcgrr_build_search_state {
    int last_good; /* index; -1: none, which leaves the recording itself as the last good one */
    int first_bad; /* the lowest known to be bad; `count` if none is */
    int next;      /* to be tried; -1: the search is over */
    int most;      /* trials that are still needed at most, if none of them is skipped */
};

/*
 * The last build comes first, because without a bad one there is nothing to search. Then the middle of what is left;
 * after skipped ones their neighbours, then the ends of the row that they stand in. When the search is over and
 * last_good + 1 < first_bad, all between them were skipped.
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
    const char *state_file;             /* what was found so far; removed at the end */
    bool fresh;                         /* forget what is in it */
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
 * Searches. After each replay the state file is written anew, so that the same call goes on after an interruption; a
 * build whose binary has changed since is tried again. False with an error of tcgrr_verdict_find() or
 * tcgrr_replay_check(), or if the state file cannot be read or written; then `result` holds what was tried. To be
 * cleared in any case.
 */
bool tcgrr_builds_search(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options,
                         struct tcgrr_builds_result *result, GError **error);
void tcgrr_builds_result_clear(struct tcgrr_builds_result *result);

#endif
