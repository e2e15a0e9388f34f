/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One cache: which lines it holds, without their contents. */
#ifndef TCGRR_CLI_REPORT_CACHE_MODEL_H
#define TCGRR_CLI_REPORT_CACHE_MODEL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum cache_policy { CACHE_LRU, CACHE_FIFO, CACHE_RAND };

struct cache_shape {
    uint64_t size; /* bytes */
    uint64_t line; /* bytes, a power of two */
    uint64_t ways; /* lines in a set; the number of sets is a power of two */
};

/* The maximum number of lines in all caches together. */
#define CACHE_MAX_LINES (UINT64_C(1) << 26)

struct cache {
    uint64_t *lines;  /* by set: numbers of the lines it holds; LRU: most recently used first; FIFO: newest first */
    uint16_t *filled; /* by set: how many */
    uint64_t sets_mask;
    unsigned shift; /* from an address to its line's number */
    uint32_t ways;
    enum cache_policy policy;
    uint32_t random;
    uint64_t accesses;
    uint64_t misses;
};

/* Whether a cache can have this shape; TCGRR_ERROR_USAGE with the cache's `name` if not. */
bool cache_check(const struct cache_shape *shape, const char *name, GError **error);
void cache_init(struct cache *cache, const struct cache_shape *shape, enum cache_policy policy);
void cache_clear(struct cache *cache);

/* Only for cache_access(): handles a line other than the first one in its set. */
bool cache_look_further(struct cache *cache, uint64_t line, uint64_t *set);

/* Looks up the line of `address` and inserts it if it is missing. Returns whether it was a hit. Counts one access. */
static inline bool cache_access(struct cache *cache, uint64_t address)
{
    uint64_t line = address >> cache->shift;
    uint64_t index = line & cache->sets_mask;
    uint64_t *set = cache->lines + index * cache->ways;

    cache->accesses++;
    return (set[0] == line && cache->filled[index] > 0) || cache_look_further(cache, line, set);
}

#endif
