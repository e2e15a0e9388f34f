/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/accesses.h"

#define WHERE (TCGRR_PEEK_PHYSICAL | TCGRR_PEEK_DEVICE | TCGRR_PEEK_VALUE)

/* One byte of an access. */
struct byte {
    uint64_t address;
    uint64_t physical;
    guint order;
    uint8_t value;
    uint8_t flags;
};

static gint by_address(gconstpointer a, gconstpointer b)
{
    const struct byte *left = a;
    const struct byte *right = b;
    if (left->address != right->address) {
        return left->address < right->address ? -1 : 1;
    }
    return left->order < right->order ? -1 : left->order > right->order;
}

/* All bytes that were stored, or loaded. */
static GArray *collect(const struct tcgrr_peek *peek, bool store)
{
    GArray *bytes = g_array_new(FALSE, FALSE, sizeof(struct byte));

    for (guint i = 0; i < MIN(peek->count, (guint)TCGRR_PEEK_MAX); i++) {
        const struct tcgrr_peek_access *access = &peek->accesses[i];
        for (uint8_t k = 0; !(access->flags & TCGRR_PEEK_STORE) == !store && k < access->size; k++) {
            struct byte byte = {access->address + k, access->physical + k, i,
                                k < sizeof(access->bytes) ? access->bytes[k] : 0, access->flags & WHERE};
            g_array_append_val(bytes, byte);
        }
    }
    g_array_sort(bytes, by_address);
    return bytes;
}

/* Of a byte that was loaded twice the first value counts, of one that was stored twice the last. */
static void keep_one(GArray *bytes, bool store)
{
    guint kept = 0;

    for (guint i = 0; i < bytes->len; i++) {
        const struct byte *byte = &g_array_index(bytes, struct byte, i);
        struct byte *last = kept > 0 ? &g_array_index(bytes, struct byte, kept - 1) : NULL;
        if (!last || last->address != byte->address) {
            g_array_index(bytes, struct byte, kept++) = *byte;
        } else if (store) {
            *last = *byte;
        }
    }
    g_array_set_size(bytes, kept);
}

static bool adjoins(const struct tcgrr_touched *touched, const struct byte *byte, uint8_t flags)
{
    return touched->size < TCGRR_PLACE_MAX && byte->address == touched->operand.address + touched->size &&
           byte->flags == flags &&
           (!(flags & TCGRR_PEEK_PHYSICAL) || byte->physical == touched->physical + touched->size);
}

static void append(GArray *bytes, bool store, GArray *touched)
{
    uint8_t flags = 0;

    for (guint i = 0; i < bytes->len; i++) {
        const struct byte *byte = &g_array_index(bytes, struct byte, i);
        struct tcgrr_touched *last = i > 0 ? &g_array_index(touched, struct tcgrr_touched, touched->len - 1) : NULL;
        if (!last || !adjoins(last, byte, flags)) {
            struct tcgrr_touched fresh = {.operand = {.address = byte->address, .load = !store, .store = store},
                                          .mapped = byte->flags & TCGRR_PEEK_PHYSICAL,
                                          .physical = byte->physical};
            fresh.ram = fresh.mapped && byte->flags & TCGRR_PEEK_VALUE && !(byte->flags & TCGRR_PEEK_DEVICE);
            fresh.blind = store;
            g_array_append_val(touched, fresh);
            last = &g_array_index(touched, struct tcgrr_touched, touched->len - 1);
            flags = byte->flags;
        }
        (store ? last->after : last->before)[last->size++] = byte->value;
        last->operand.size = last->size;
    }
}

void tcgrr_accesses_take(const struct tcgrr_peek *peek, GArray *touched)
{
    for (int store = 0; store < 2; store++) {
        g_autoptr(GArray) bytes = collect(peek, store);
        keep_one(bytes, store);
        append(bytes, store, touched);
    }
}

static gint loads_first(gconstpointer a, gconstpointer b)
{
    const struct tcgrr_operand *left = &((const struct tcgrr_touched *)a)->operand;
    const struct tcgrr_operand *right = &((const struct tcgrr_touched *)b)->operand;
    if (left->store != right->store) {
        return left->store ? 1 : -1;
    }
    return left->address < right->address ? -1 : left->address > right->address;
}

void tcgrr_accesses_split(GArray *touched)
{
    guint count = touched->len;

    for (guint i = 0; i < count; i++) {
        struct tcgrr_operand *operand = &g_array_index(touched, struct tcgrr_touched, i).operand;
        if (operand->load && operand->store) {
            struct tcgrr_touched stored = g_array_index(touched, struct tcgrr_touched, i);
            operand->store = false;
            stored.operand.load = false;
            g_array_append_val(touched, stored);
        }
    }
    g_array_sort(touched, loads_first);
}

bool tcgrr_touched_stored(const struct tcgrr_touched *a, const struct tcgrr_touched *b)
{
    return a->operand.store && b->operand.store && a->ram && b->ram && a->size == b->size;
}
