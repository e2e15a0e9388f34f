/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: the files from which a program's code was mapped. */
#include "emu/live/live_internal.h"

#include "store/symbols.h"

#include <string.h>

#define NOT_PLACED UINT64_MAX
#define MOST       65536u /* for a program that generates code forever */

void tcgrr_live_mapped_init(struct tcgrr_live *live)
{
    g_mutex_init(&live->mapped_lock);
    live->mapped = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_mapping));
    live->mapped_paths = g_string_chunk_new(4096);
}

void tcgrr_live_mapped_clear(struct tcgrr_live *live)
{
    g_array_unref(live->mapped);
    g_string_chunk_free(live->mapped_paths);
    g_mutex_clear(&live->mapped_lock);
}

bool tcgrr_live_read_mapped(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error)
{
    struct tcgrr_wire_mapped mapped;
    const char *path = (const char *)payload + sizeof(mapped);
    size_t room = (size_t)words * sizeof(uint32_t);

    if (room <= sizeof(mapped) || strnlen(path, room - sizeof(mapped)) == room - sizeof(mapped)) {
        return tcgrr_live_damaged(error, "a malformed mapping");
    }
    memcpy(&mapped, payload, sizeof(mapped));
    struct tcgrr_mapping mapping = {.first = mapped.first, .size = mapped.size, .offset = mapped.offset};
    if (mapped.first + mapped.size < mapped.first) {
        return tcgrr_live_damaged(error, "a mapping beyond the last address");
    }
    g_mutex_lock(&live->mapped_lock);
    if (live->mapped->len == MOST - 1) {
        mapping =
            (struct tcgrr_mapping){.size = UINT64_MAX, .since = NOT_PLACED}; /* what comes after it can be anywhere */
        g_array_append_val(live->mapped, mapping);
    } else if (live->mapped->len < MOST) {
        mapping.since = NOT_PLACED;
        mapping.path = *path ? g_string_chunk_insert_const(live->mapped_paths, path) : NULL;
        g_array_append_val(live->mapped, mapping);
    }
    g_mutex_unlock(&live->mapped_lock);
    live->mapped_changed = live->unusual = true;
    return true;
}

void tcgrr_live_place_mapped(struct tcgrr_live *live, tcgrr_icount icount)
{
    g_mutex_lock(&live->mapped_lock);
    for (; live->mapped_placed < live->mapped->len; live->mapped_placed++) {
        g_array_index(live->mapped, struct tcgrr_mapping, live->mapped_placed).since = icount;
    }
    g_mutex_unlock(&live->mapped_lock);
    live->mapped_changed = false;
}

GArray *tcgrr_live_mapped(const struct tcgrr_live *live)
{
    GMutex *lock = (GMutex *)&live->mapped_lock;

    g_mutex_lock(lock);
    GArray *copy = g_array_copy(live->mapped);
    g_array_set_size(copy, live->mapped_placed);
    g_mutex_unlock(lock);
    return copy;
}

guint tcgrr_live_mapped_count(const struct tcgrr_live *live)
{
    GMutex *lock = (GMutex *)&live->mapped_lock;

    g_mutex_lock(lock);
    guint count = live->mapped_placed;
    g_mutex_unlock(lock);
    return count;
}
