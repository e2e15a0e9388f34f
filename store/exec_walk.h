/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A walk over the executions of a trace, in order or backwards, from where it is asked to, decoding no more chunks than
 * that takes. SQL's tables, reports and exports read traces by it:
 *
 *   struct tcgrr_exec_walk walk = {0};
 *   bool good = tcgrr_exec_walk_begin(&walk, cache, &range, error);
 *   for (; good && !walk.end; good = tcgrr_exec_walk_next(&walk, error)) {
 *       ... walk.at ...
 *   }
 *   tcgrr_exec_walk_end(&walk);
 */
#ifndef TCGRR_STORE_EXEC_WALK_H
#define TCGRR_STORE_EXEC_WALK_H

#include "store/chunk_cache.h"

/* Which memory accesses, by ranges of addresses taken as SQL's signed integers; all bounds are inclusive. */
struct tcgrr_access_range {
    int64_t first_address, last_address;
    int64_t first_physical, last_physical; /* all where that of an access is not known */
    uint8_t flags;                         /* loads or stores or both: of enum tcgrr_page_use_flag */
};

/* Which executions; all bounds are inclusive. */
struct tcgrr_exec_range {
    int64_t first_seq, last_seq;
    /* Executions that begin at an icount in this range, and the one that is running at its start. */
    int64_t first_icount, last_icount;
    int64_t vcpu;         /* -1: all */
    const GArray *wanted; /* of bool by block number: only those, chunks without any are skipped; NULL: all */
    const struct tcgrr_access_range *accesses; /* chunks without any of these are skipped; NULL: none are */
    bool with_accesses;                        /* the accesses of each chunk are read, too */
    bool descending;
};

#define TCGRR_EXEC_RANGE_ALL                                                                                           \
    {                                                                                                                  \
        .first_seq = 0, .last_seq = INT64_MAX, .first_icount = 0, .last_icount = INT64_MAX, .vcpu = -1                 \
    }

struct tcgrr_exec_walk {
    /* Called for each chunk that the walk enters; may be NULL. To be set before the walk begins. */
    void (*entered)(const struct tcgrr_chunk *chunk, void *data);
    void *data;
    struct tcgrr_chunk_cache *cache;
    struct tcgrr_exec_range range;
    struct tcgrr_cached_chunk *chunk; /* the one it is in, pinned */
    bool end;                         /* there is no execution here */
    bool whole;                       /* going forward, all of the chunk is wanted */
    struct tcgrr_cursor at;           /* the execution */
    /* Descending: the executions from a mark on, which are taken from the end. */
    struct tcgrr_cursor *window;
    const struct tcgrr_cursor *mark;
    uint32_t left; /* of the window, before `at` */
    guint access;  /* the first of the chunk that was not asked for */
    GArray *uses;
    GArray *pages;
};

/*
 * Puts a walk, zeroed or used before, on the first execution of `range`. `cache` is borrowed; it and what `range`
 * points to must outlive the walk. False: an error. In either case call tcgrr_exec_walk_end() at the end.
 */
bool tcgrr_exec_walk_begin(struct tcgrr_exec_walk *walk, struct tcgrr_chunk_cache *cache,
                           const struct tcgrr_exec_range *range, GError **error);
/* Goes to the first wanted execution of the next chunk. Do not call it at the end, or on a descending walk. */
bool tcgrr_exec_walk_next_chunk(struct tcgrr_exec_walk *walk, GError **error);
void tcgrr_exec_walk_end(struct tcgrr_exec_walk *walk);

/* Only for tcgrr_exec_walk_next(): the case that not all of the chunk is wanted, or that its end is reached. */
bool tcgrr_exec_walk_seek(struct tcgrr_exec_walk *walk, GError **error);

/* Moves on; not to be called at the end. */
static inline bool tcgrr_exec_walk_next(struct tcgrr_exec_walk *walk, GError **error)
{
    return (walk->whole && tcgrr_cursor_next(&walk->at)) || tcgrr_exec_walk_seek(walk, error);
}

/*
 * The memory accesses of the execution, in order, and their number. Call it once for each execution, on an ascending
 * walk whose `with_accesses` is set.
 */
static inline const struct tcgrr_access *tcgrr_exec_walk_accesses(struct tcgrr_exec_walk *walk, guint *count)
{
    const GArray *list = walk->at.chunk->accesses;
    const struct tcgrr_access *all = (const struct tcgrr_access *)(const void *)list->data;
    guint first = walk->access;

    while (first < list->len && all[first].exec < walk->at.index) {
        first++;
    }
    guint end = first;
    while (end < list->len && all[end].exec == walk->at.index) {
        end++;
    }
    walk->access = end;
    *count = end - first;
    return all + first;
}

/* The execution's number, and its block's. */
static inline int64_t tcgrr_exec_walk_seq(const struct tcgrr_exec_walk *walk)
{
    return (int64_t)(walk->at.chunk->first_seq + walk->at.index);
}

static inline uint32_t tcgrr_exec_walk_block(const struct tcgrr_exec_walk *walk)
{
    return walk->at.chunk->blocks[walk->at.index];
}

#endif
