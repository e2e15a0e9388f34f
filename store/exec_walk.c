/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/exec_walk.h"

#include "store/access_pages.h"
#include "store/reader_internal.h"
#include "store/summary.h"

/* ---- which chunk ---- */

/* Whether chunk `id` has any of the wanted blocks; *found is false after the last chunk. */
static bool chunk_wanted(struct tcgrr_exec_walk *walk, int64_t id, bool *wanted, bool *found, GError **error)
{
    const GArray *set = walk->range.wanted;
    *wanted = true;
    *found = true;
    if (!set) {
        return true;
    }
    if (!walk->uses) {
        walk->uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use));
    }
    if (!tcgrr_reader_summary(tcgrr_chunk_cache_reader(walk->cache), id, walk->uses, found, error)) {
        return false;
    }
    *wanted = false;
    for (guint i = 0; i < walk->uses->len && !*wanted; i++) {
        uint32_t block = g_array_index(walk->uses, struct tcgrr_block_use, i).block;
        *wanted = block < set->len && g_array_index(set, bool, block);
    }
    return true;
}

static bool overlap(uint64_t page, int64_t first, int64_t last)
{
    int64_t start = (int64_t)(page << TCGRR_PAGE_SHIFT);
    int64_t end = (int64_t)(page << TCGRR_PAGE_SHIFT | ((UINT64_C(1) << TCGRR_PAGE_SHIFT) - 1));
    return end >= first && start <= last;
}

/* Whether chunk `id` has any of the wanted accesses; *found is false after the last chunk. */
static bool accesses_wanted(struct tcgrr_exec_walk *walk, int64_t id, bool *wanted, bool *found, GError **error)
{
    const struct tcgrr_access_range *accesses = walk->range.accesses;

    if (!walk->pages) {
        walk->pages = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_page_use));
    }
    if (!tcgrr_reader_pages(tcgrr_chunk_cache_reader(walk->cache), id, walk->pages, found, error)) {
        return false;
    }
    *wanted = false;
    for (guint i = 0; i < walk->pages->len && !*wanted; i++) {
        const struct tcgrr_page_use *use = &g_array_index(walk->pages, struct tcgrr_page_use, i);
        bool everywhere = accesses->first_physical == INT64_MIN && accesses->last_physical == INT64_MAX;
        *wanted = (use->flags & accesses->flags) &&
                  overlap(use->page, accesses->first_address, accesses->last_address) &&
                  (everywhere || ((use->flags & TCGRR_PAGE_USE_PHYSICAL) &&
                                  overlap(use->physical, accesses->first_physical, accesses->last_physical)));
    }
    return true;
}

/* Whether a walk goes forward through all executions of a chunk. */
static bool is_whole(const struct tcgrr_exec_range *range, const struct tcgrr_chunk *chunk)
{
    return !range->descending && range->vcpu < 0 && !range->wanted && (int64_t)chunk->first_seq >= range->first_seq &&
           (int64_t)(chunk->first_seq + chunk->count) <= range->last_seq &&
           (int64_t)chunk->first_icount >= range->first_icount && (int64_t)chunk->end_icount <= range->last_icount;
}

/* Leaves the chunk for `id`, or the next one in the walk's direction that is wanted; sets walk->end where there is
 * none. */
static bool enter_chunk(struct tcgrr_exec_walk *walk, int64_t id, GError **error)
{
    bool found = true;
    bool wanted = false;

    tcgrr_chunk_cache_unpin(walk->chunk);
    walk->chunk = NULL;
    for (; id >= 0; id += walk->range.descending ? -1 : 1) {
        if (!chunk_wanted(walk, id, &wanted, &found, error) ||
            (wanted && walk->range.accesses && !accesses_wanted(walk, id, &wanted, &found, error))) {
            return false;
        }
        if (wanted || !found) {
            break;
        }
    }
    walk->end = id < 0 || !found;
    if (walk->end) {
        return true;
    }
    walk->chunk = tcgrr_chunk_cache_get(walk->cache, id, &found, error);
    walk->end = !walk->chunk;
    if (!walk->chunk) {
        return !found;
    }
    walk->access = 0;
    if (walk->entered) {
        walk->entered(walk->chunk->chunk, walk->data);
    }
    walk->whole = is_whole(&walk->range, walk->chunk->chunk);
    return !walk->range.with_accesses || tcgrr_chunk_cache_accesses(walk->cache, walk->chunk, error);
}

/* ---- within a chunk ---- */

/* Whether the execution lies before the range, seen from its start. */
static bool is_before(const struct tcgrr_exec_range *range, const struct tcgrr_cursor *at)
{
    return (int64_t)(at->chunk->first_seq + at->index) < range->first_seq ||
           ((int64_t)at->icount < range->first_icount && (int64_t)(at->icount + at->counted) <= range->first_icount);
}

static bool is_after(const struct tcgrr_exec_range *range, const struct tcgrr_cursor *at)
{
    return (int64_t)(at->chunk->first_seq + at->index) > range->last_seq || (int64_t)at->icount > range->last_icount;
}

static bool is_wanted(const struct tcgrr_exec_range *range, const struct tcgrr_cursor *at)
{
    uint32_t block = at->chunk->blocks[at->index];
    return (range->vcpu < 0 || at->vcpu == range->vcpu) &&
           (!range->wanted || (block < range->wanted->len && g_array_index(range->wanted, bool, block)));
}

/* ---- forward ---- */

/* From walk->at on, which exists if `more`, to the next wanted execution. */
static bool settle_forward(struct tcgrr_exec_walk *walk, bool more, GError **error)
{
    for (;;) {
        while (more && !is_after(&walk->range, &walk->at)) {
            if (is_wanted(&walk->range, &walk->at) && !is_before(&walk->range, &walk->at)) {
                return true;
            }
            more = tcgrr_cursor_next(&walk->at);
        }
        if (more) {
            walk->end = true;
            return true;
        }
        if (!enter_chunk(walk, walk->chunk->id + 1, error)) {
            return false;
        }
        if (walk->end) {
            return true;
        }
        more = tcgrr_cursor_begin(&walk->at, walk->chunk->chunk, tcgrr_chunk_cache_reader(walk->cache)->blocks);
    }
}

static bool begin_forward(struct tcgrr_exec_walk *walk, GError **error)
{
    struct tcgrr_reader *reader = tcgrr_chunk_cache_reader(walk->cache);
    int64_t by_icount = 0;
    int64_t by_seq = 0;

    if ((walk->range.first_icount > 0 &&
         !tcgrr_reader_chunk_before(reader, (uint64_t)walk->range.first_icount, &by_icount, error)) ||
        (walk->range.first_seq > 0 &&
         !tcgrr_reader_chunk_of_seq(reader, (uint64_t)walk->range.first_seq, &by_seq, error)) ||
        !enter_chunk(walk, MAX(MAX(by_icount, by_seq), 0), error)) {
        return false;
    }
    if (walk->end) {
        return true;
    }
    bool more;
    if (is_before(&walk->range,
                  &(struct tcgrr_cursor){.chunk = walk->chunk->chunk, .icount = walk->chunk->chunk->first_icount})) {
        const struct tcgrr_cursor *by_icount_mark =
            tcgrr_chunk_cache_mark(walk->cache, walk->chunk, (uint64_t)walk->range.first_icount, UINT64_MAX);
        const struct tcgrr_cursor *by_seq_mark =
            tcgrr_chunk_cache_mark(walk->cache, walk->chunk, UINT64_MAX, (uint64_t)walk->range.first_seq);
        walk->at = *MAX(by_icount_mark, by_seq_mark);
        more = true;
    } else {
        more = tcgrr_cursor_begin(&walk->at, walk->chunk->chunk, reader->blocks);
    }
    return settle_forward(walk, more, error);
}

/* ---- backward ---- */

/* Fills the window from `mark`, one of the chunk's, on with what is not after the range. */
static void fill_window(struct tcgrr_exec_walk *walk, const struct tcgrr_cursor *mark)
{
    struct tcgrr_cursor cursor = *mark;
    bool more = true;

    if (!walk->window) {
        walk->window = g_new(struct tcgrr_cursor, TCGRR_MARK_STEP);
    }
    walk->mark = mark;
    walk->left = 0;
    while (more && walk->left < TCGRR_MARK_STEP && !is_after(&walk->range, &cursor)) {
        walk->window[walk->left++] = cursor;
        more = tcgrr_cursor_next(&cursor);
    }
}

static bool settle_backward(struct tcgrr_exec_walk *walk, GError **error)
{
    for (;;) {
        while (walk->left > 0) {
            walk->at = walk->window[--walk->left];
            if (is_before(&walk->range, &walk->at)) {
                walk->end = true;
                return true;
            }
            if (is_wanted(&walk->range, &walk->at)) {
                return true;
            }
        }
        if (walk->mark > walk->chunk->marks) {
            fill_window(walk, walk->mark - 1);
            continue;
        }
        if (!enter_chunk(walk, walk->chunk->id - 1, error)) {
            return false;
        }
        if (walk->end) {
            return true;
        }
        fill_window(walk, tcgrr_chunk_cache_mark(walk->cache, walk->chunk, UINT64_MAX, UINT64_MAX));
    }
}

static bool begin_backward(struct tcgrr_exec_walk *walk, GError **error)
{
    struct tcgrr_reader *reader = tcgrr_chunk_cache_reader(walk->cache);
    uint64_t after = (uint64_t)walk->range.last_icount + 1;
    int64_t by_icount;
    int64_t by_seq;

    if (!tcgrr_reader_chunk_before(reader, after, &by_icount, error) ||
        !tcgrr_reader_chunk_of_seq(reader, (uint64_t)walk->range.last_seq, &by_seq, error) ||
        !enter_chunk(walk, MIN(by_icount, by_seq), error)) {
        return false;
    }
    if (walk->end) {
        return true;
    }
    fill_window(walk, tcgrr_chunk_cache_mark(walk->cache, walk->chunk, after, (uint64_t)walk->range.last_seq));
    return settle_backward(walk, error);
}

/* ---- walk ---- */

bool tcgrr_exec_walk_begin(struct tcgrr_exec_walk *walk, struct tcgrr_chunk_cache *cache,
                           const struct tcgrr_exec_range *range, GError **error)
{
    tcgrr_chunk_cache_unpin(walk->chunk);
    walk->chunk = NULL;
    walk->cache = cache;
    walk->range = *range;
    walk->range.first_seq = MAX(range->first_seq, 0);
    walk->range.first_icount = MAX(range->first_icount, 0);
    walk->left = 0;
    walk->mark = NULL;
    walk->end = walk->range.first_seq > range->last_seq || walk->range.first_icount > range->last_icount;
    if (walk->end) {
        return true;
    }
    bool good = range->descending ? begin_backward(walk, error) : begin_forward(walk, error);
    walk->end = walk->end || !good;
    return good;
}

bool tcgrr_exec_walk_seek(struct tcgrr_exec_walk *walk, GError **error)
{
    bool good = walk->range.descending ? settle_backward(walk, error)
                                       : settle_forward(walk, !walk->whole && tcgrr_cursor_next(&walk->at), error);
    walk->end = walk->end || !good;
    return good;
}

bool tcgrr_exec_walk_next_chunk(struct tcgrr_exec_walk *walk, GError **error)
{
    bool good = settle_forward(walk, false, error);
    walk->end = walk->end || !good;
    return good;
}

void tcgrr_exec_walk_end(struct tcgrr_exec_walk *walk)
{
    tcgrr_chunk_cache_unpin(walk->chunk);
    g_free(walk->window);
    if (walk->uses) {
        g_array_unref(walk->uses);
    }
    if (walk->pages) {
        g_array_unref(walk->pages);
    }
    *walk = (struct tcgrr_exec_walk){0};
}
