/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fault of QEMU's optimizer needs several instructions: it is not there in the blocks of one instruction that
 * stepping makes. Then the states where a block begins and where it ends decide, taken in runs that stop nowhere else.
 */
#include "replay/cause/accesses.h"
#include "replay/cause/cause_internal.h"

#include <string.h>

static const struct tcgrr_stop *stop_of(const struct tcgrr_trail *trail, int side, guint stop)
{
    return g_ptr_array_index(trail->search.stops[side], stop);
}

/* The places to which the block stored when it was single-stepped: struct tcgrr_place; `addresses` are virtual. */
static GArray *stored_places(const struct tcgrr_trail *trail, GArray *addresses)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_place));

    for (guint i = 0; i < trail->search.common; i++) {
        const GArray *touched[] = {stop_of(trail, 0, i)->touched, stop_of(trail, 1, i)->touched};
        for (guint k = 0; k < MIN(touched[0]->len, touched[1]->len); k++) {
            const struct tcgrr_touched *a = &g_array_index(touched[0], struct tcgrr_touched, k);
            const struct tcgrr_touched *b = &g_array_index(touched[1], struct tcgrr_touched, k);
            if (tcgrr_touched_stored(a, b)) {
                struct tcgrr_place place = {{a->physical, b->physical}, a->size};
                g_array_append_val(places, place);
                g_array_append_val(addresses, a->operand.address);
            }
        }
    }
    return places;
}

/* Whether all registers that were alike before the first step are so after the last one. Of two releases some never
 * are. */
static bool registers_alike(const struct tcgrr_trail *trail, guint last)
{
    const struct tcgrr_search *search = &trail->search;
    const uint8_t *const before[] = {stop_of(trail, 0, 0)->state, stop_of(trail, 1, 0)->state};
    const uint8_t *const after[] = {stop_of(trail, 0, last)->state, stop_of(trail, 1, last)->state};

    for (guint i = 0; i < tcgrr_replay_pair_registers(search->pair, 0)->list->len; i++) {
        if (tcgrr_replay_pair_difference(search->pair, after, i) &&
            !tcgrr_replay_pair_difference(search->pair, before, i)) {
            return false;
        }
    }
    return true;
}

/* Whether the two did the same from the walk's first stop to its last, which is at moment `end`. */
static bool stepped_alike(const struct tcgrr_trail *trail, tcgrr_moment end)
{
    const struct tcgrr_search *search = &trail->search;
    guint last = search->common;

    if (last == 0 || last != search->stops[0]->len || last != search->stops[1]->len ||
        stop_of(trail, 0, last - 1)->moment != end || !registers_alike(trail, last - 1)) {
        return false;
    }
    for (guint i = 0; i < last; i++) {
        if (tcgrr_search_stores_differ(search, i)) {
            return false;
        }
    }
    return true;
}

static void compare_memory(struct tcgrr_trail *trail, const GArray *places, const GArray *addresses,
                           const struct tcgrr_snapshot *before, const struct tcgrr_snapshot *after)
{
    for (guint i = 0; i < places->len; i++) {
        const struct tcgrr_place *place = &g_array_index(places, struct tcgrr_place, i);
        bool same = memcmp(after->contents[0][i].bytes, after->contents[1][i].bytes, place->size) == 0;
        bool was = memcmp(before->contents[0][i].bytes, before->contents[1][i].bytes, place->size) == 0;
        if (same || !was) {
            continue;
        }
        struct tcgrr_cause_memory memory = {
            g_array_index(addresses, uint64_t, i), place->physical[0], place->size, {{0}, {0}}};
        memcpy(memory.values[0], after->contents[0][i].bytes, place->size);
        memcpy(memory.values[1], after->contents[1][i].bytes, place->size);
        g_array_append_val(trail->cause->memory, memory);
    }
}

/* The results of the block as a whole replace those that it had when it was stepped through. */
static void set_end(struct tcgrr_trail *trail, const struct tcgrr_snapshot *after)
{
    for (int side = 0; side < 2; side++) {
        struct tcgrr_stop *last = g_ptr_array_index(trail->search.stops[side], trail->search.common - 1);
        memcpy(last->state, after->states[side], tcgrr_replay_pair_registers(trail->search.pair, side)->state_bytes);
    }
}

static void conclude(struct tcgrr_trail *trail, tcgrr_moment begin, tcgrr_moment end,
                     const struct tcgrr_snapshot *after)
{
    trail->cause->insns = (unsigned)(end - begin);
    tcgrr_trail_set_place(trail, stop_of(trail, 0, 0));
    tcgrr_trail_add_link(trail, 0, NULL);
    if (trail->cause->links->len > 1) {
        ((struct tcgrr_cause_link *)g_ptr_array_index(trail->cause->links, 1))->gap = true;
    }
    set_end(trail, after);
    g_autofree char *text = g_strdup_printf(
        "the results differ only when the %u instructions of this block are translated together: executed one by one, "
        "from the same state, they are the same on both sides",
        trail->cause->insns);
    tcgrr_trail_explain(trail, TCGRR_CAUSE_BLOCK, text);
    tcgrr_trail_keep_scene(trail, trail->search.common - 2, begin);
}

bool tcgrr_trail_conclude_block(struct tcgrr_trail *trail, tcgrr_moment same, tcgrr_moment differs,
                                const GArray *wanted, bool *found, GError **error)
{
    struct tcgrr_search *search = &trail->search;
    g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    tcgrr_moment moments[2];

    if (!tcgrr_search_block(search, same, differs, wanted, &moments[0], &moments[1], found, error)) {
        return false;
    }
    if (!*found) {
        return true;
    }
    if (!tcgrr_search_walk(search, moments[0], moments[1], 0, NULL, error)) {
        return false;
    }
    *found = stepped_alike(trail, moments[1]);
    if (!*found) {
        return true;
    }
    g_autoptr(GArray) places = stored_places(trail, addresses);
    struct tcgrr_watch watch = {NULL, places};
    g_autoptr(GPtrArray) snapshots = tcgrr_snapshots_new(search->pair, moments, 2, &watch);
    search->replays++;
    if (!tcgrr_replay_pair_look(search->pair, snapshots, &watch, error)) {
        return false;
    }
    const struct tcgrr_snapshot *before = g_ptr_array_index(snapshots, 0);
    const struct tcgrr_snapshot *after = g_ptr_array_index(snapshots, 1);
    tcgrr_trail_compare_registers(trail, (const uint8_t *const *)before->states, (const uint8_t *const *)after->states,
                                  NULL);
    compare_memory(trail, places, addresses, before, after);
    *found = trail->cause->registers->len > 0 || trail->cause->memory->len > 0;
    if (*found) {
        conclude(trail, moments[0], moments[1], after);
    }
    return true;
}
