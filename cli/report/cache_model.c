/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/report/cache_model.h"

#include "store/error.h"

#include <string.h>

static bool is_power_of_two(uint64_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

bool cache_check(const struct cache_shape *shape, const char *name, GError **error)
{
    const char *wrong = NULL;
    if (!is_power_of_two(shape->line)) {
        wrong = "its block size must be a power of two";
    } else if (shape->size % (shape->line * shape->ways) != 0) {
        wrong = "its size must be a multiple of block size times associativity";
    } else if (!is_power_of_two(shape->size / (shape->line * shape->ways))) {
        wrong = "its size divided by block size and associativity, the number of sets, must be a power of two";
    }
    if (wrong) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "the %s cannot be built: %s", name, wrong);
    }
    return !wrong;
}

void cache_init(struct cache *cache, const struct cache_shape *shape, enum cache_policy policy)
{
    uint64_t sets = shape->size / (shape->line * shape->ways);
    *cache = (struct cache){
        .lines = g_new0(uint64_t, sets * shape->ways),
        .filled = g_new0(uint16_t, sets),
        .sets_mask = sets - 1,
        .shift = (unsigned)__builtin_ctzll(shape->line),
        .ways = (uint32_t)shape->ways,
        .policy = policy,
        .random = 2463534242u, /* the same evictions in each run */
    };
}

void cache_clear(struct cache *cache)
{
    g_free(cache->lines);
    g_free(cache->filled);
}

/* Marsaglia's xorshift. */
static uint32_t next_random(struct cache *cache)
{
    cache->random ^= cache->random << 13;
    cache->random ^= cache->random >> 17;
    cache->random ^= cache->random << 5;
    return cache->random;
}

/* Puts `line` first, and those before `place` one further. */
static void put_first(uint64_t *set, uint32_t place, uint64_t line)
{
    memmove(set + 1, set, place * sizeof(*set));
    set[0] = line;
}

bool cache_look_further(struct cache *cache, uint64_t line, uint64_t *set)
{
    uint16_t *filled = &cache->filled[line & cache->sets_mask];

    for (uint32_t way = 0; way < *filled; way++) {
        if (set[way] == line) {
            if (cache->policy == CACHE_LRU) {
                put_first(set, way, line);
            }
            return true;
        }
    }
    cache->misses++;
    if (*filled < cache->ways) {
        put_first(set, *filled, line);
        (*filled)++;
    } else if (cache->policy == CACHE_RAND) {
        set[next_random(cache) % cache->ways] = line;
    } else {
        put_first(set, cache->ways - 1, line);
    }
    return false;
}
