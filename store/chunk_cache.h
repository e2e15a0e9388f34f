/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chunks of a trace that were decoded last, with marks from which to go on within them. Memory is bounded whatever
 * is asked: the least recently used chunk makes room for the next one. One thread at a time.
 */
#ifndef TCGRR_STORE_CHUNK_CACHE_H
#define TCGRR_STORE_CHUNK_CACHE_H

#include "store/trace.h"

/* Executions between two marks of a chunk. */
#define TCGRR_MARK_STEP 1024u

/* A decoded chunk. */
struct tcgrr_cached_chunk {
    int64_t id;
    struct tcgrr_chunk *chunk;
    struct tcgrr_cursor *marks; /* one each TCGRR_MARK_STEP executions; NULL before somebody seeks in the chunk */
    bool has_accesses;          /* chunk->accesses is filled */
    unsigned pins;              /* who uses it */
    uint64_t used;              /* when it was last asked for */
};

struct tcgrr_chunk_cache;

/* Keeps at most `capacity` chunks, and those that are pinned. `reader` is borrowed and has to outlive the cache. */
struct tcgrr_chunk_cache *tcgrr_chunk_cache_new(struct tcgrr_reader *reader, guint capacity);
/* NULL is allowed. No chunk may be pinned any more. */
void tcgrr_chunk_cache_free(struct tcgrr_chunk_cache *cache);
struct tcgrr_reader *tcgrr_chunk_cache_reader(const struct tcgrr_chunk_cache *cache);
/* Chunks decoded so far. */
uint64_t tcgrr_chunk_cache_decoded(const struct tcgrr_chunk_cache *cache);

/*
 * Chunk `id`, decoded and pinned until tcgrr_chunk_cache_unpin(). NULL with *found false if there is none; NULL with
 * *found true and an error if it cannot be read.
 */
struct tcgrr_cached_chunk *tcgrr_chunk_cache_get(struct tcgrr_chunk_cache *cache, int64_t id, bool *found,
                                                 GError **error);
/* NULL is allowed. */
void tcgrr_chunk_cache_unpin(struct tcgrr_cached_chunk *chunk);
/*
 * The last of the chunk's marks whose execution begins before `icount` and has a number of at most `seq`; the first one
 * if none does. The chunk has an execution.
 */
const struct tcgrr_cursor *tcgrr_chunk_cache_mark(struct tcgrr_chunk_cache *cache, struct tcgrr_cached_chunk *chunk,
                                                  tcgrr_icount icount, uint64_t seq);
/* Fills chunk->accesses, unless that was done before. False: an error. */
bool tcgrr_chunk_cache_accesses(struct tcgrr_chunk_cache *cache, struct tcgrr_cached_chunk *chunk, GError **error);

#endif
