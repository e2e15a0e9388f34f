/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds where something that differs between two runs was still the same. */
#ifndef TCGRR_REPLAY_SEARCH_H
#define TCGRR_REPLAY_SEARCH_H

#include "replay/cause/replay_pair.h"

/* A register, some bits of one, or a piece of memory. */
struct tcgrr_location {
    bool memory;
    unsigned index;   /* of the register in A's list */
    uint64_t mask;    /* of the register's bits */
    unsigned place;   /* memory: number of the place */
    uint64_t address; /* memory: the vCPU's own, for people */
};

/* Something was the same when both were stopped at `same`, and differed when they were stopped at `differs`, but no
 * difference appeared when they were single-stepped in between. */
struct tcgrr_vanished {
    bool seen; /* if false, there is none */
    tcgrr_moment same;
    tcgrr_moment differs;
};

struct tcgrr_search {
    struct tcgrr_replay_pair *pair;
    GArray *places;       /* struct tcgrr_place: all places that were ever read */
    tcgrr_moment floor;   /* everything is the same there; earlier moments are irrelevant */
    tcgrr_moment hint;    /* what differs was probably still the same there */
    GPtrArray *sightings; /* the observations, by ascending moment */
    GPtrArray *stops[2];  /* the last walk, whose first `common` stops are the same on both sides */
    guint common;
    GPtrArray *early[2]; /* a walk on the way to that one, with all registers; NULL: none */
    struct tcgrr_vanished vanished;
    bool *watched; /* registers that were read at each stop of the last walk, by A's index; NULL: all */
    unsigned replays;
    void (*progress)(const char *text, void *data);
    void *data;
};

/* Number of steps of one walk. */
#define TCGRR_SEARCH_WALK 400

void tcgrr_search_init(struct tcgrr_search *search, struct tcgrr_replay_pair *pair);
void tcgrr_search_clear(struct tcgrr_search *search);

/* Adds a place to watch and returns its number. */
unsigned tcgrr_search_place(struct tcgrr_search *search, const struct tcgrr_place *place);

/*
 * Single-steps from a quiet moment at or before `from` to `to`, and `more` steps further. Watches the locations in
 * `wanted` (struct tcgrr_location); NULL: all registers.
 */
bool tcgrr_search_walk(struct tcgrr_search *search, tcgrr_moment from, tcgrr_moment to, unsigned more,
                       const GArray *wanted, GError **error);

/*
 * The same with only the core registers and the flags. On the way, it prepares tcgrr_search_first() for `same` and
 * `differs`: if they are close enough, by single-stepping between them, else by taking the first snapshots.
 */
bool tcgrr_search_tour(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs, tcgrr_moment from,
                       tcgrr_moment to, unsigned more, GError **error);

/* Whether a register was read at each stop of the walk. */
bool tcgrr_search_watches(const struct tcgrr_search *search, unsigned index);

/* The bits of a location that differ at stop number `stop` of the walk; 0: none. A place must have been watched. */
uint64_t tcgrr_search_difference(const struct tcgrr_search *search, guint stop, const struct tcgrr_location *location,
                                 const GArray *wanted);

/* Whether the instruction at this stop stores different bytes on the two sides. */
bool tcgrr_search_stores_differ(const struct tcgrr_search *search, guint stop);

/* Whether the instruction at this stop certainly caused what differs after it, although not all registers can be read
 * at every stop: it reads only known registers, and writes those that differ. */
bool tcgrr_search_sure(const struct tcgrr_search *search, guint stop);

/*
 * Finds the last stop of the walk at which all of `wanted` is the same, and after which some of it differs until moment
 * `differs`, where it is known to differ. *found is false if there is no such stop.
 */
void tcgrr_search_in_walk(const struct tcgrr_search *search, tcgrr_moment differs, const GArray *wanted, guint *stop,
                          bool *found);

/*
 * Finds the last moment before `differs`, at which some of `wanted` is known to differ, at which all of it was the
 * same, and single-steps there. *found is false if it differs from the start on, or with search->vanished.
 */
bool tcgrr_search_back(struct tcgrr_search *search, tcgrr_moment differs, const GArray *wanted, guint *stop,
                       bool *found, GError **error);

/*
 * Finds the first instruction after moment `same`, at which everything is the same, that makes a core register or one
 * of `wanted` differ, and single-steps there. A difference that lasts less than the distance between two snapshots can
 * be missed. *found is false if no difference was found before `differs`, or with search->vanished.
 */
bool tcgrr_search_first(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs, const GArray *wanted,
                        guint *stop, bool *found, GError **error);

/*
 * Finds the block in which `wanted` (NULL: any register), which is the same at moment `same` and differs at `differs`,
 * begins to differ, by stopping only at the starts of blocks. The block runs from `*begin` to `*end`. *found is false
 * if no such block was found.
 */
bool tcgrr_search_block(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs, const GArray *wanted,
                        tcgrr_moment *begin, tcgrr_moment *end, bool *found, GError **error);

#endif
