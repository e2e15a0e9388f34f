/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/access_pages.h"

#include "store/codec/packed.h"
#include "store/codec/varint.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024u
/* Each access adds two pages at most, each of three numbers of up to ten bytes. */
#define MAX_USES    (2u * (TCGRR_CHUNK_ACCESSES + TCGRR_EXEC_ACCESSES))
#define MAX_PLAIN   (MAX_USES * 30ull)
#define MAX_PAGE    (UINT64_MAX >> TCGRR_PAGE_SHIFT)

/* ---- the set ---- */

void tcgrr_page_set_init(struct tcgrr_page_set *set)
{
    *set = (struct tcgrr_page_set){
        .uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_page_use)),
        .slots = g_new0(uint32_t, FIRST_SLOTS),
        .mask = FIRST_SLOTS - 1,
    };
}

void tcgrr_page_set_clear(struct tcgrr_page_set *set)
{
    g_array_set_size(set->uses, 0);
    memset(set->slots, 0, (set->mask + 1) * sizeof(uint32_t));
}

void tcgrr_page_set_free(struct tcgrr_page_set *set)
{
    g_array_unref(set->uses);
    g_free(set->slots);
}

/* Where the use is, or would be. */
static uint32_t *find(const struct tcgrr_page_set *set, uint64_t page, uint64_t physical)
{
    uint64_t hash = (page ^ physical << 20) * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)(hash >> 32) & set->mask;

    while (set->slots[at]) {
        const struct tcgrr_page_use *use = &g_array_index(set->uses, struct tcgrr_page_use, set->slots[at] - 1);
        if (use->page == page && use->physical == physical) {
            break;
        }
        at = (at + 1) & set->mask;
    }
    return &set->slots[at];
}

static void grow(struct tcgrr_page_set *set)
{
    g_free(set->slots);
    set->mask = 2 * set->mask + 1;
    set->slots = g_new0(uint32_t, set->mask + 1);
    for (guint i = 0; i < set->uses->len; i++) {
        const struct tcgrr_page_use *use = &g_array_index(set->uses, struct tcgrr_page_use, i);
        *find(set, use->page, use->physical) = i + 1;
    }
}

static void add(struct tcgrr_page_set *set, uint64_t page, uint64_t physical, uint8_t flags)
{
    uint32_t *slot = find(set, page, physical);
    if (*slot) {
        g_array_index(set->uses, struct tcgrr_page_use, *slot - 1).flags |= flags;
        return;
    }
    struct tcgrr_page_use use = {.page = page, .physical = physical, .flags = flags};
    g_array_append_val(set->uses, use);
    *slot = set->uses->len;
    if (set->uses->len > set->mask / 2) {
        grow(set);
    }
}

void tcgrr_page_set_add(struct tcgrr_page_set *set, const struct tcgrr_access *access)
{
    uint8_t flags = access->flags & TCGRR_ACCESS_STORE ? TCGRR_PAGE_USE_STORED : TCGRR_PAGE_USE_LOADED;
    uint8_t known = access->flags & TCGRR_ACCESS_PHYSICAL ? TCGRR_PAGE_USE_PHYSICAL : 0;
    uint64_t page = access->address >> TCGRR_PAGE_SHIFT;
    uint64_t last = (access->address + access->size - 1) >> TCGRR_PAGE_SHIFT;

    add(set, page, access->physical >> TCGRR_PAGE_SHIFT, flags | known);
    if (last != page) {
        add(set, last, 0, flags);
    }
}

static int by_page(const void *a, const void *b)
{
    const struct tcgrr_page_use *left = a;
    const struct tcgrr_page_use *right = b;
    if (left->page != right->page) {
        return left->page < right->page ? -1 : 1;
    }
    return left->physical < right->physical ? -1 : left->physical > right->physical;
}

const GArray *tcgrr_page_set_sort(struct tcgrr_page_set *set)
{
    if (set->uses->len > 1) {
        qsort(set->uses->data, set->uses->len, sizeof(struct tcgrr_page_use), by_page);
    }
    return set->uses;
}

/* ---- stored ---- */

/* For each: distance of the page to the one before << 3 | flags; and, if it is known, distance of its physical page
 * from where it would be at the same offset as the last one, folded. */
void tcgrr_pages_encode(const GArray *uses, GByteArray *scratch, GByteArray *out)
{
    uint64_t before = 0;
    uint64_t offset = 0;

    g_byte_array_set_size(scratch, 0);
    for (guint i = 0; i < uses->len; i++) {
        const struct tcgrr_page_use *use = &g_array_index(uses, struct tcgrr_page_use, i);
        tcgrr_varint_put(scratch, (use->page - before) << 3 | use->flags);
        before = use->page;
        if (use->flags & TCGRR_PAGE_USE_PHYSICAL) {
            uint64_t distance = use->physical - use->page - offset;
            tcgrr_varint_put(scratch, distance << 1 ^ (uint64_t)((int64_t)distance >> 63));
            offset += distance;
        }
    }
    tcgrr_packed_write(scratch, out);
}

bool tcgrr_pages_decode(const void *blob, size_t size, GByteArray *scratch, GArray *uses)
{
    uint64_t page = 0;
    uint64_t offset = 0;
    uint64_t value;

    g_array_set_size(uses, 0);
    if (!tcgrr_packed_read(blob, size, MAX_PLAIN, scratch)) {
        return false;
    }
    const uint8_t *at = scratch->data;
    const uint8_t *end = at ? at + scratch->len : NULL;
    while (at < end) {
        if (!tcgrr_varint_take(&at, end, &value) || value >> 3 > MAX_PAGE - page || uses->len == MAX_USES) {
            return false;
        }
        page += value >> 3;
        struct tcgrr_page_use use = {.page = page, .flags = value & 7};
        if (use.flags & TCGRR_PAGE_USE_PHYSICAL) {
            if (!tcgrr_varint_take(&at, end, &value)) {
                return false;
            }
            offset += value >> 1 ^ -(value & 1);
            use.physical = page + offset;
        }
        if (use.physical > MAX_PAGE || !(use.flags & (TCGRR_PAGE_USE_LOADED | TCGRR_PAGE_USE_STORED))) {
            return false;
        }
        g_array_append_val(uses, use);
    }
    return true;
}
