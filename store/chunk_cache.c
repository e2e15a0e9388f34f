/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/chunk_cache.h"

#include "store/reader_internal.h"

struct tcgrr_chunk_cache {
    struct tcgrr_reader *reader;
    guint capacity;
    GPtrArray *chunks; /* struct tcgrr_cached_chunk */
    uint64_t clock;
    uint64_t decoded;
};

static void free_chunk(void *data)
{
    struct tcgrr_cached_chunk *chunk = data;
    tcgrr_chunk_free(chunk->chunk);
    g_free(chunk->marks);
    g_free(chunk);
}

struct tcgrr_chunk_cache *tcgrr_chunk_cache_new(struct tcgrr_reader *reader, guint capacity)
{
    struct tcgrr_chunk_cache *cache = g_new0(struct tcgrr_chunk_cache, 1);
    cache->reader = reader;
    cache->capacity = capacity;
    cache->chunks = g_ptr_array_new_with_free_func(free_chunk);
    return cache;
}

void tcgrr_chunk_cache_free(struct tcgrr_chunk_cache *cache)
{
    if (cache) {
        g_ptr_array_unref(cache->chunks);
        g_free(cache);
    }
}

struct tcgrr_reader *tcgrr_chunk_cache_reader(const struct tcgrr_chunk_cache *cache)
{
    return cache->reader;
}

uint64_t tcgrr_chunk_cache_decoded(const struct tcgrr_chunk_cache *cache)
{
    return cache->decoded;
}

/* A place for one more chunk: the least recently used one, unless fewer are kept or all are in use. */
static struct tcgrr_cached_chunk *take_place(struct tcgrr_chunk_cache *cache)
{
    struct tcgrr_cached_chunk *oldest = NULL;
    for (guint i = 0; cache->chunks->len >= cache->capacity && i < cache->chunks->len; i++) {
        struct tcgrr_cached_chunk *chunk = g_ptr_array_index(cache->chunks, i);
        if (chunk->pins == 0 && (!oldest || chunk->used < oldest->used)) {
            oldest = chunk;
        }
    }
    if (oldest) {
        g_clear_pointer(&oldest->marks, g_free);
        return oldest;
    }
    struct tcgrr_cached_chunk *chunk = g_new0(struct tcgrr_cached_chunk, 1);
    chunk->chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    g_ptr_array_add(cache->chunks, chunk);
    return chunk;
}

static struct tcgrr_cached_chunk *pin(struct tcgrr_chunk_cache *cache, struct tcgrr_cached_chunk *chunk)
{
    chunk->pins++;
    chunk->used = ++cache->clock;
    return chunk;
}

struct tcgrr_cached_chunk *tcgrr_chunk_cache_get(struct tcgrr_chunk_cache *cache, int64_t id, bool *found,
                                                 GError **error)
{
    for (guint i = 0; i < cache->chunks->len; i++) {
        struct tcgrr_cached_chunk *chunk = g_ptr_array_index(cache->chunks, i);
        if (chunk->id == id) {
            *found = true;
            return pin(cache, chunk);
        }
    }
    struct tcgrr_cached_chunk *chunk = take_place(cache);
    chunk->id = -1; /* until it is what it claims */
    chunk->has_accesses = false;
    bool good = tcgrr_reader_chunk(cache->reader, id, chunk->chunk, found, error);
    if (!good) {
        *found = true;
        return NULL;
    }
    if (!*found) {
        return NULL;
    }
    cache->decoded++;
    chunk->id = id;
    return pin(cache, chunk);
}

void tcgrr_chunk_cache_unpin(struct tcgrr_cached_chunk *chunk)
{
    if (chunk) {
        chunk->pins--;
    }
}

bool tcgrr_chunk_cache_accesses(struct tcgrr_chunk_cache *cache, struct tcgrr_cached_chunk *chunk, GError **error)
{
    chunk->has_accesses = chunk->has_accesses || tcgrr_reader_accesses(cache->reader, chunk->id, chunk->chunk, error);
    return chunk->has_accesses;
}

static uint32_t mark_count(const struct tcgrr_chunk *chunk)
{
    return (chunk->count + TCGRR_MARK_STEP - 1) / TCGRR_MARK_STEP;
}

static void make_marks(struct tcgrr_chunk_cache *cache, struct tcgrr_cached_chunk *chunk)
{
    uint32_t count = mark_count(chunk->chunk);
    struct tcgrr_cursor cursor;

    chunk->marks = g_new(struct tcgrr_cursor, MAX(count, 1));
    bool more = tcgrr_cursor_begin(&cursor, chunk->chunk, cache->reader->blocks);
    for (uint32_t i = 0; more && i < count; i++) {
        chunk->marks[i] = cursor;
        for (uint32_t step = 0; more && step < TCGRR_MARK_STEP; step++) {
            more = tcgrr_cursor_next(&cursor);
        }
    }
}

const struct tcgrr_cursor *tcgrr_chunk_cache_mark(struct tcgrr_chunk_cache *cache, struct tcgrr_cached_chunk *chunk,
                                                  tcgrr_icount icount, uint64_t seq)
{
    uint32_t low = 0;
    uint32_t high = mark_count(chunk->chunk);

    if (!chunk->marks) {
        make_marks(cache, chunk);
    }
    const struct tcgrr_cursor *marks = chunk->marks;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (marks[middle].icount < icount && chunk->chunk->first_seq + marks[middle].index <= seq) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return marks + low;
}
