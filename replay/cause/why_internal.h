/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backward slice of a recorded run while it is computed: from a value to the instruction that wrote it, to what that
 * one read, and so on. Uses are values whose writers are searched for.
 */
#ifndef TCGRR_REPLAY_WHY_INTERNAL_H
#define TCGRR_REPLAY_WHY_INTERNAL_H

#include "replay/cause/access_log.h"
#include "replay/cause/why.h"

/* A value that was read and whose writer is searched for. */
struct tcgrr_slice_use {
    bool memory;
    unsigned index; /* of the register */
    uint64_t mask;  /* its bits that count */
    struct tcgrr_memory_range range;
    uint8_t bytes[TCGRR_PLACE_MAX]; /* memory: its content */
    uint64_t number;                /* a register's lowest 64 bits */
    tcgrr_icount before;            /* it has this value before this instruction */
    bool known;                     /* whether `writer` is known */
    tcgrr_icount writer;
    int step; /* the step that reads it, an index into why->steps; -1: it is the requested value */
    guint slot;
};

struct tcgrr_slice {
    const struct tcgrr_why_options *options;
    struct tcgrr_why *why;
    struct tcgrr_replay_pair *pair;
    GArray *open;         /* struct tcgrr_slice_use */
    GPtrArray *stretches; /* the stretches that were single-stepped last, in order: GPtrArray of struct tcgrr_stop * */
    struct tcgrr_access_log *log;
    const uint8_t *state;  /* the state where the slice began */
    const GArray *nowhere; /* an empty list of places to watch */
    bool *watched;         /* by index: the registers that are read at each stop */
};

/* Reports progress and counts a replay. */
void tcgrr_slice_say(struct tcgrr_slice *slice, const char *text, tcgrr_icount icount);
const struct tcgrr_register *tcgrr_slice_register(const struct tcgrr_slice *slice, unsigned index);
/* "x1", "memory 0x…:8"; owned by the caller. */
char *tcgrr_slice_use_name(const struct tcgrr_slice *slice, const struct tcgrr_slice_use *use);
/* Its strings are owned by the caller. */
struct tcgrr_why_value tcgrr_slice_value(const struct tcgrr_slice *slice, const struct tcgrr_slice_use *use,
                                         const uint8_t *state);
/* Adds the reason why a chain ends, unless it is listed already. */
void tcgrr_slice_add_end(struct tcgrr_slice *slice, const char *format, ...) G_GNUC_PRINTF(2, 3);

const struct tcgrr_stop *tcgrr_slice_stop_at(const GPtrArray *stops, guint i);
/* Finds the stops before and after the instruction that retires as number `icount` in the stretches that were
 * single-stepped last. */
bool tcgrr_slice_find_stops(const struct tcgrr_slice *slice, tcgrr_icount icount, const struct tcgrr_stop *around[2]);
/* Single-steps through all of these instructions (latest first) in one replay. */
bool tcgrr_slice_walk(struct tcgrr_slice *slice, const GArray *icounts, GError **error);
/* The same for one instruction, unless it was stepped through already, and for those that are probably needed next. */
bool tcgrr_slice_step_through(struct tcgrr_slice *slice, tcgrr_icount icount, const struct tcgrr_stop *around[2],
                              GError **error);

/* Sets use->writer; *over: it cannot be found, and the reason was added. */
bool tcgrr_slice_find_writer(struct tcgrr_slice *slice, struct tcgrr_slice_use *use, bool *over, GError **error);

/* Reads the requested value into why->asked, and adds it as the first use. */
bool tcgrr_slice_begin(struct tcgrr_slice *slice, uint8_t *state, GError **error);

#endif
