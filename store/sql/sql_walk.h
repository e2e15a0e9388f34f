/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A walk over the executions of a trace, in order or backwards, from where it is asked to, decoding no more chunks than
 * that takes. */
#ifndef TCGRR_STORE_SQL_WALK_H
#define TCGRR_STORE_SQL_WALK_H

#include "store/sql/sql_trace.h"

/* Which memory accesses, by ranges of addresses taken as SQL's signed integers; all bounds are inclusive. */
struct tcgrr_sql_accesses {
    int64_t first_address, last_address;
    int64_t first_physical, last_physical; /* all where that of an access is not known */
    uint8_t flags;                         /* loads or stores or both: of enum tcgrr_page_flag */
};

/* Which executions; all bounds are inclusive. */
struct tcgrr_sql_range {
    int64_t first_seq, last_seq;
    /* Executions that begin at an icount of this range, and the one that runs at its first. */
    int64_t first_icount, last_icount;
    int64_t vcpu;         /* -1: all */
    const GArray *wanted; /* of bool by block number: only those, chunks without any are skipped; NULL: all */
    const struct tcgrr_sql_accesses *accesses; /* chunks without any of these are skipped; NULL: none are */
    bool descending;
};

#define TCGRR_SQL_RANGE_ALL                                                                                            \
    {                                                                                                                  \
        .first_seq = 0, .last_seq = INT64_MAX, .first_icount = 0, .last_icount = INT64_MAX, .vcpu = -1                 \
    }

struct tcgrr_sql_walk {
    struct tcgrr_sql_trace *trace;
    struct tcgrr_sql_range range;
    struct tcgrr_sql_chunk *chunk; /* the one it stands in, pinned */
    bool end;                      /* there is no execution here */
    struct tcgrr_cursor at;        /* the execution */
    /* Descending: the executions from a mark on, which are taken from the end. */
    struct tcgrr_cursor *window;
    uint32_t mark;
    uint32_t left; /* of the window, before `at` */
    GArray *uses;
    GArray *pages;
};

/*
 * Puts a walk, zeroed or used before, on the first execution of `range`. `trace` is borrowed and has to outlive the
 * walk. False: an error. In each case tcgrr_sql_walk_end() has to be called at last.
 */
bool tcgrr_sql_walk_begin(struct tcgrr_sql_walk *walk, struct tcgrr_sql_trace *trace,
                          const struct tcgrr_sql_range *range, GError **error);
/* Moves on; not to be called at the end. */
bool tcgrr_sql_walk_next(struct tcgrr_sql_walk *walk, GError **error);
void tcgrr_sql_walk_end(struct tcgrr_sql_walk *walk);

/* The execution's number, and its block's. */
static inline int64_t tcgrr_sql_walk_seq(const struct tcgrr_sql_walk *walk)
{
    return (int64_t)(walk->at.chunk->first_seq + walk->at.index);
}

static inline uint32_t tcgrr_sql_walk_block(const struct tcgrr_sql_walk *walk)
{
    return walk->at.chunk->blocks[walk->at.index];
}

#endif
