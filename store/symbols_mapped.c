/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Symbols of what a program mapped while it ran. Where several files were mapped at an address, one after the other, as
 * after an execve or a dlclose, each symbol there has the time in which it held.
 */
#include "store/symbols.h"

#include <string.h>

/* Addresses at which a mapping was followed by a different one. */
struct range {
    uint64_t first, end;
};

static const struct tcgrr_mapping *mapping_at(const GArray *mappings, guint index)
{
    return &g_array_index(mappings, struct tcgrr_mapping, index);
}

static bool same_file(const struct tcgrr_mapping *a, const struct tcgrr_mapping *b)
{
    return (!a->path && !b->path) ||
           (a->path && b->path && strcmp(a->path, b->path) == 0 && a->first - a->offset == b->first - b->offset);
}

static gint by_address(gconstpointer a, gconstpointer b)
{
    const struct tcgrr_mapping *left = a;
    const struct tcgrr_mapping *right = b;
    return left->first < right->first ? -1 : left->first > right->first;
}

/* struct range. */
static GArray *find_contested(const GArray *mappings)
{
    g_autoptr(GArray) sorted = g_array_copy((GArray *)mappings);
    GArray *contested = g_array_new(FALSE, FALSE, sizeof(struct range));

    g_array_sort(sorted, by_address);
    for (guint i = 0; i < sorted->len; i++) {
        const struct tcgrr_mapping *one = mapping_at(sorted, i);
        uint64_t end = one->first + one->size;
        for (guint k = i + 1; k < sorted->len && mapping_at(sorted, k)->first < end; k++) {
            const struct tcgrr_mapping *other = mapping_at(sorted, k);
            struct range range = {other->first, MIN(end, other->first + other->size)};
            if (!same_file(one, other)) {
                g_array_append_val(contested, range);
            }
        }
    }
    return contested;
}

static bool overlaps(const struct tcgrr_symbol *symbol, uint64_t first, uint64_t end)
{
    uint64_t last = symbol->address + MAX(symbol->size, 1) - 1;
    return symbol->address < end && last >= first;
}

static bool is_contested(const GArray *contested, const struct tcgrr_symbol *symbol)
{
    for (guint i = 0; i < contested->len; i++) {
        const struct range *range = &g_array_index(contested, struct range, i);
        if (overlaps(symbol, range->first, range->end)) {
            return true;
        }
    }
    return false;
}

/* A symbol of mapping `index` holds until something else is where it was. */
static void set_time(const GArray *mappings, guint index, struct tcgrr_symbol *symbol)
{
    const struct tcgrr_mapping *own = mapping_at(mappings, index);

    symbol->limited = true;
    symbol->since = own->since;
    symbol->until = UINT64_MAX;
    for (guint i = index + 1; i < mappings->len; i++) {
        const struct tcgrr_mapping *later = mapping_at(mappings, i);
        if (!same_file(own, later) && overlaps(symbol, later->first, later->first + later->size)) {
            symbol->until = later->since;
            return;
        }
    }
}

/* Whether the table has the same symbol for the same time, or for always. */
static bool is_known(struct tcgrr_symbols *known, const struct tcgrr_symbol *symbol)
{
    const GArray *list = tcgrr_symbols_list(known);
    guint low = 0, high = list->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(list, struct tcgrr_symbol, middle).address < symbol->address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < list->len; low++) {
        const struct tcgrr_symbol *found = &g_array_index(list, struct tcgrr_symbol, low);
        if (found->address != symbol->address) {
            return false;
        }
        if (strcmp(found->name, symbol->name) == 0 && found->size == symbol->size &&
            (!found->limited || (symbol->limited && found->since <= symbol->since && found->until >= symbol->until))) {
            return true;
        }
    }
    return false;
}

/* Adds those of mapping `index` that the table has not. Returns whether any of them holds for a time only. */
static bool add_mapping(struct tcgrr_symbols *table, const GArray *mappings, guint index, const GArray *contested,
                        struct tcgrr_symbols *known)
{
    struct tcgrr_symbols *found = tcgrr_symbols_new();
    struct tcgrr_symbols *fresh = tcgrr_symbols_new();
    bool limited = false;

    tcgrr_symbols_add_mapped_elf(found, mapping_at(mappings, index));
    const GArray *list = tcgrr_symbols_list(found);
    for (guint i = 0; i < list->len; i++) {
        struct tcgrr_symbol symbol = g_array_index(list, struct tcgrr_symbol, i);
        if (is_contested(contested, &symbol)) {
            set_time(mappings, index, &symbol);
            limited = true;
        }
        if (!is_known(table, &symbol) && !(known && is_known(known, &symbol))) {
            tcgrr_symbols_add(fresh, &symbol);
        }
    }
    tcgrr_symbols_join(table, fresh);
    tcgrr_symbols_free(fresh);
    tcgrr_symbols_free(found);
    return limited;
}

struct tcgrr_symbols *tcgrr_symbols_of_mappings(const GArray *mappings, guint from, struct tcgrr_symbols *known,
                                                bool *limited)
{
    g_autoptr(GArray) contested = find_contested(mappings);
    struct tcgrr_symbols *all = tcgrr_symbols_new();

    *limited = false;
    for (guint i = from; i < mappings->len; i++) {
        *limited |= add_mapping(all, mappings, i, contested, known);
    }
    return all;
}
