/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backward slice of a recorded run that is being computed: from a value to the instruction that wrote it, to what
 * that one read, and so on. Uses are values whose writer is looked for; the run is replayed as often as it takes.
 */
#ifndef TCGRR_REPLAY_WHY_INTERNAL_H
#define TCGRR_REPLAY_WHY_INTERNAL_H

#include "replay/cause/access_log.h"
#include "replay/cause/why.h"

/* A value that is read; its writer is looked for. */
struct tcgrr_slice_use {
    bool memory;
    unsigned index; /* of the register */
    uint64_t mask;  /* its bits that count */
    struct tcgrr_memory_range range;
    uint8_t bytes[TCGRR_PLACE_MAX]; /* memory: what is there */
    uint64_t number;                /* a register's lowest 64 bits */
    tcgrr_icount before;            /* it has that value before this instruction */
    bool known;                     /* `writer` is */
    tcgrr_icount writer;
    int step; /* that reads it: number in why->steps; -1: it was asked for */
    guint slot;
};

struct tcgrr_slice {
    const struct tcgrr_why_options *options;
    struct tcgrr_why *why;
    struct tcgrr_replay_pair *pair;
    GArray *open;         /* struct tcgrr_slice_use */
    GPtrArray *stretches; /* those stepped through last, in order: GPtrArray of struct tcgrr_stop * */
    struct tcgrr_access_log *log;
    const uint8_t *state;  /* where the slice began */
    const GArray *nowhere; /* no places in memory are watched */
    bool *watched;         /* by index: the registers that are read at each stop */
};

/* Reports progress, and counts a replay. */
void tcgrr_slice_say(struct tcgrr_slice *slice, const char *text, tcgrr_icount icount);
const struct tcgrr_register *tcgrr_slice_register(const struct tcgrr_slice *slice, unsigned index);
/* "x1", "memory 0x…:8"; owned by the caller. */
char *tcgrr_slice_use_name(const struct tcgrr_slice *slice, const struct tcgrr_slice_use *use);
/* Its strings are owned by the caller. */
struct tcgrr_why_value tcgrr_slice_value(const struct tcgrr_slice *slice, const struct tcgrr_slice_use *use,
                                         const uint8_t *state);
/* Notes why a chain ends, once. */
G_GNUC_PRINTF(2, 3) void tcgrr_slice_add_end(struct tcgrr_slice *slice, const char *format, ...);

const struct tcgrr_stop *tcgrr_slice_stop_at(const GPtrArray *stops, guint i);
/* The stops before and after the instruction that retires as number `icount`, among those stepped through last. */
bool tcgrr_slice_find_stops(const struct tcgrr_slice *slice, tcgrr_icount icount, const struct tcgrr_stop *around[2]);
/* Steps through all of these instructions, latest first, in one replay. */
bool tcgrr_slice_walk(struct tcgrr_slice *slice, const GArray *icounts, GError **error);
/* The same of one instruction, unless it was stepped through already, and of those that are probably needed next. */
bool tcgrr_slice_step_through(struct tcgrr_slice *slice, tcgrr_icount icount, const struct tcgrr_stop *around[2],
                              GError **error);

/* Sets use->writer; *over: there is none to be had, and why was noted. */
bool tcgrr_slice_find_writer(struct tcgrr_slice *slice, struct tcgrr_slice_use *use, bool *over, GError **error);

/* Reads the value that was asked for into why->asked, and adds it as the first use. */
bool tcgrr_slice_begin(struct tcgrr_slice *slice, uint8_t *state, GError **error);

#endif
