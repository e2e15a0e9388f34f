/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far symbols without a size reach. What gdb does when it looks an address up is done here once for all addresses,
 * so that a table of plain stretches comes out: the symbol of an address is the last that begins at or before it among
 * those that contain it.
 */
#include "store/symbols.h"

#include <string.h>

/* A C library has a function under several names; the last one is used: malloc rather than __libc_malloc, free rather
 * than cfree. */
static gint by_name(const char *left, const char *right)
{
    size_t a = strspn(left, "_"), b = strspn(right, "_");
    if (a != b) {
        return a > b ? -1 : 1;
    }
    a = strlen(left);
    b = strlen(right);
    return a != b ? (a > b ? -1 : 1) : strcmp(left, right);
}

static gint by_address(gconstpointer a, gconstpointer b)
{
    const struct tcgrr_label *left = a;
    const struct tcgrr_label *right = b;
    if (left->address != right->address) {
        return left->address < right->address ? -1 : 1;
    }
    if (left->size != right->size) {
        return left->size < right->size ? -1 : 1;
    }
    if (left->global != right->global) {
        return left->global ? 1 : -1;
    }
    return left->size > 0 && left->name && right->name ? by_name(left->name, right->name) : 0;
}

/*
 * How many bytes after a label without a size are called by it: none where a symbol with a size, which ends at
 * `covered`, contains it, because gdb prefers that one; nor of what may follow its end, which would need a stretch of
 * its own.
 */
static uint64_t extent(const GArray *labels, guint index, uint64_t covered)
{
    const struct tcgrr_label *label = &g_array_index(labels, struct tcgrr_label, index);
    bool last = index + 1 == labels->len;
    uint64_t end = last ? label->limit : MIN(label->limit, label[1].address);

    return label->address >= covered && end > label->address ? end - label->address : 0;
}

void tcgrr_symbols_add_labels(struct tcgrr_symbols *table, GArray *labels, const char *file, uint64_t offset)
{
    uint64_t covered = 0; /* up to here by symbols with a size */

    g_array_sort(labels, by_address);
    for (guint i = 0; i < labels->len; i++) {
        const struct tcgrr_label *label = &g_array_index(labels, struct tcgrr_label, i);
        struct tcgrr_symbol symbol = {
            .address = label->address + offset, .size = label->size, .name = label->name, .file = file};
        if (label->name) {
            symbol.size = label->size ? label->size : extent(labels, i, covered);
            tcgrr_symbols_add(table, &symbol);
        }
        covered = MAX(covered, label->address + label->size);
    }
}
