/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where something that differs between two runs was still the same. */
#ifndef TCGRR_REPLAY_SEARCH_H
#define TCGRR_REPLAY_SEARCH_H

#include "replay/cause/replay_pair.h"

/* A register, some bits of one, or a piece of memory. */
struct tcgrr_location {
    bool memory;
    unsigned index;   /* of the register in A's list */
    uint64_t mask;    /* of its bits */
    unsigned place;   /* memory: number of the place */
    uint64_t address; /* memory: the vCPU's own, for people */
};

/* Something was the same when both stopped at `same` and not when they did at `differs`, but it did not come to differ
 * when they were stepped through what lies between. */
struct tcgrr_vanished {
    bool seen; /* otherwise there is no such thing */
    tcgrr_moment same;
    tcgrr_moment differs;
};

struct tcgrr_search {
    struct tcgrr_replay_pair *pair;
    GArray *places;       /* struct tcgrr_place: all that were ever looked at */
    tcgrr_moment floor;   /* all is the same there, of which nothing earlier need be looked at */
    tcgrr_moment hint;    /* what differs is likely to have been the same there */
    GPtrArray *sightings; /* what was seen at which moment, by ascending moment */
    GPtrArray *stops[2];  /* the stretch walked last, of which the first `common` stops are the same on both sides */
    guint common;
    GPtrArray *early[2]; /* a stretch that was walked on the way to that one, with all registers; NULL: none */
    struct tcgrr_vanished vanished;
    bool *watched; /* in the stretch walked last, by A's index: registers that were read at each stop; NULL: all */
    unsigned replays;
    void (*progress)(const char *text, void *data);
    void *data;
};

/* Steps that are walked at a time. */
#define TCGRR_SEARCH_WALK 400

void tcgrr_search_init(struct tcgrr_search *search, struct tcgrr_replay_pair *pair);
void tcgrr_search_clear(struct tcgrr_search *search);

/* Adds a place to watch and returns its number. */
unsigned tcgrr_search_place(struct tcgrr_search *search, const struct tcgrr_place *place);

/*
 * Walks from a quiet moment at or before `from` to `to` and `more` steps on. What `wanted` (struct tcgrr_location)
 * names is watched; NULL: all registers are.
 */
bool tcgrr_search_walk(struct tcgrr_search *search, tcgrr_moment from, tcgrr_moment to, unsigned more,
                       const GArray *wanted, GError **error);

/*
 * The same with nothing but the core registers and the flags. Before, if `same` and `differs`, as tcgrr_search_first()
 * takes them, are close enough, what lies between them is walked for it, else it takes its first snapshots.
 */
bool tcgrr_search_tour(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs, tcgrr_moment from,
                       tcgrr_moment to, unsigned more, GError **error);

/* Whether a register was read at each stop of the walk. */
bool tcgrr_search_watches(const struct tcgrr_search *search, unsigned index);

/* What differs of a location at stop number `stop` of the walk; 0: nothing. A place must have been watched. */
uint64_t tcgrr_search_difference(const struct tcgrr_search *search, guint stop, const struct tcgrr_location *location,
                                 const GArray *wanted);

/* Whether the instruction at this stop leaves other bytes in memory. */
bool tcgrr_search_stores_differ(const struct tcgrr_search *search, guint stop);

/* Whether what differs after the instruction at this stop is its doing, though not all registers can be read at every
 * stop: it reads none that is not known, and of those writes what differs. */
bool tcgrr_search_sure(const struct tcgrr_search *search, guint stop);

/*
 * All of `wanted` is the same at *stop of the walk, and differs in something from there on to where it is known to, at
 * or before moment `differs`. *found is false if there is no such stop in the walk.
 */
void tcgrr_search_in_walk(const struct tcgrr_search *search, tcgrr_moment differs, const GArray *wanted, guint *stop,
                          bool *found);

/*
 * Finds the last time before `differs`, at which something of `wanted` is known to differ, that all of it was the same,
 * and walks there. *found is false if it differs from the very start on, or with search->vanished.
 */
bool tcgrr_search_back(struct tcgrr_search *search, tcgrr_moment differs, const GArray *wanted, guint *stop,
                       bool *found, GError **error);

/*
 * Finds the first instruction after moment `same`, at which all is the same, that makes a core register or one that
 * `wanted` names differ, and walks there. What differs for less than a look's distance can be missed. *found is false
 * if nothing was seen to differ before `differs`, or with search->vanished.
 */
bool tcgrr_search_first(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs, const GArray *wanted,
                        guint *stop, bool *found, GError **error);

/*
 * Finds the block in which `wanted` (NULL: any register), which is the same at moment `same` and differs at `differs`,
 * comes to differ, by stopping only where blocks begin. It runs from `*begin` to `*end`. *found is false if no such
 * block is known.
 */
bool tcgrr_search_block(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs, const GArray *wanted,
                        tcgrr_moment *begin, tcgrr_moment *end, bool *found, GError **error);

#endif
