/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/search_internal.h"

#include <math.h>
#include <string.h>

#include "replay/cause/accesses.h"

#define MAX_SNAPSHOTS 512 /* maximum number of snapshots in one replay */
#define FAR_SHARE     4   /* one in this many is anywhere; the others are near the end, where most answers are */
#define STEPS_BACK    800 /* a number of steps that takes no longer than another round of snapshots */
#define BLOCK         32  /* instructions that a block is likely to have at most */
#define NEAREST       200 /* the closest of those to the end, in instructions */

/* What differed at a moment, of all registers and of the places that were watched then. */
struct sighting {
    tcgrr_moment moment;
    GArray *registers; /* struct seen: those that differ, and of all but the core ones those that were watched */
    GArray *places;    /* struct seen: those that were watched */
};

struct seen {
    unsigned number;
    uint64_t mask;
};

static void free_sighting(gpointer data)
{
    struct sighting *sighting = data;
    g_array_unref(sighting->registers);
    g_array_unref(sighting->places);
    g_free(sighting);
}

void tcgrr_search_init(struct tcgrr_search *search, struct tcgrr_replay_pair *pair)
{
    *search = (struct tcgrr_search){.pair = pair};
    search->places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_place));
    search->sightings = g_ptr_array_new_with_free_func(free_sighting);
}

void tcgrr_search_clear(struct tcgrr_search *search)
{
    g_array_unref(search->places);
    g_ptr_array_unref(search->sightings);
    for (int side = 0; side < 2; side++) {
        g_clear_pointer(&search->stops[side], g_ptr_array_unref);
        g_clear_pointer(&search->early[side], g_ptr_array_unref);
    }
    g_clear_pointer(&search->watched, g_free);
}

unsigned tcgrr_search_place(struct tcgrr_search *search, const struct tcgrr_place *place)
{
    for (guint i = 0; i < search->places->len; i++) {
        const struct tcgrr_place *known = &g_array_index(search->places, struct tcgrr_place, i);
        if (known->physical[0] == place->physical[0] && known->physical[1] == place->physical[1] &&
            known->size == place->size) {
            return i;
        }
    }
    g_array_append_vals(search->places, place, 1);
    return search->places->len - 1;
}

static G_GNUC_PRINTF(2, 3) void tell(struct tcgrr_search *search, const char *format, ...)
{
    if (search->progress) {
        va_list list;
        va_start(list, format);
        g_autofree char *text = g_strdup_vprintf(format, list);
        va_end(list);
        search->progress(text, search->data);
    }
}

static const struct tcgrr_register *register_at(const struct tcgrr_search *search, unsigned index)
{
    return g_ptr_array_index(tcgrr_replay_pair_registers(search->pair, 0)->list, index);
}

/* The registers that `wanted` names, and the flags. Owned by the caller. */
static bool *wanted_registers(const struct tcgrr_search *search, const GArray *wanted)
{
    const struct tcgrr_register_layout *registers = tcgrr_replay_pair_registers(search->pair, 0);
    bool *set = g_new0(bool, registers->list->len);

    for (guint i = 0; i < wanted->len; i++) {
        const struct tcgrr_location *location = &g_array_index(wanted, struct tcgrr_location, i);
        if (!location->memory) {
            set[location->index] = true;
        }
    }
    for (guint i = 0; i < registers->list->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(registers->list, i);
        set[i] |= tcgrr_register_is_flags(reg->name);
    }
    return set;
}

/* The places that `wanted` names, in the order in which it does. */
static GArray *wanted_places(const struct tcgrr_search *search, const GArray *wanted)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_place));
    for (guint i = 0; wanted && i < wanted->len; i++) {
        const struct tcgrr_location *location = &g_array_index(wanted, struct tcgrr_location, i);
        if (location->memory) {
            g_array_append_val(places, g_array_index(search->places, struct tcgrr_place, location->place));
        }
    }
    return places;
}

/* The bytes that differ, as bits. If only one side has memory there, all of them differ. */
static uint64_t content_difference(const struct tcgrr_content *a, const struct tcgrr_content *b, uint16_t size)
{
    uint64_t mask = 0;
    for (uint16_t i = 0; i < size; i++) {
        mask |= (uint64_t)(a->ram != b->ram || a->bytes[i] != b->bytes[i]) << i;
    }
    return mask;
}

/* ---- walking ---- */

static bool same_stop(const struct tcgrr_stop *a, const struct tcgrr_stop *b)
{
    bool known = a->length > 0 && b->length > 0;
    return a->moment == b->moment && a->pc == b->pc &&
           (!known || (a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0));
}

static void forget_stops(struct tcgrr_search *search)
{
    for (int side = 0; side < 2; side++) {
        g_clear_pointer(&search->stops[side], g_ptr_array_unref);
        g_clear_pointer(&search->early[side], g_ptr_array_unref);
    }
}

static void count_common(struct tcgrr_search *search)
{
    search->common = 0;
    while (search->common < search->stops[0]->len && search->common < search->stops[1]->len &&
           same_stop(g_ptr_array_index(search->stops[0], search->common),
                     g_ptr_array_index(search->stops[1], search->common))) {
        search->common++;
    }
}

/* Walks one or two legs. */
static bool walk_segments(struct tcgrr_search *search, struct tcgrr_segment *segments, unsigned count,
                          GPtrArray *snapshots, GError **error)
{
    const struct tcgrr_segment *last = &segments[count - 1];

    tell(search, "stepping through instructions %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " on both sides",
         last->from, last->to);
    search->replays++;
    forget_stops(search);
    if (!tcgrr_replay_pair_walk(search->pair, segments, count, snapshots, error)) {
        return false;
    }
    for (int side = 0; side < 2; side++) {
        search->stops[side] = last->stops[side];
        search->early[side] = count > 1 ? segments[0].stops[side] : NULL;
    }
    count_common(search);
    return true;
}

bool tcgrr_search_walk(struct tcgrr_search *search, tcgrr_moment from, tcgrr_moment to, unsigned more,
                       const GArray *wanted, GError **error)
{
    tcgrr_moment quiet;

    if (!tcgrr_replay_pair_quiet(search->pair, MAX(from, MIN(search->floor, to)), &quiet, error)) {
        return false;
    }
    g_autoptr(GArray) places = wanted_places(search, wanted);
    g_free(search->watched);
    search->watched = wanted ? wanted_registers(search, wanted) : NULL;
    struct tcgrr_segment segment = {.from = quiet, .to = to, .more = more, .watch = {search->watched, places}};
    return walk_segments(search, &segment, 1, NULL, error);
}

bool tcgrr_search_watches(const struct tcgrr_search *search, unsigned index)
{
    return !search->watched || search->watched[index] || register_at(search, index)->core;
}

uint64_t tcgrr_search_difference(const struct tcgrr_search *search, guint stop, const struct tcgrr_location *location,
                                 const GArray *wanted)
{
    const struct tcgrr_stop *a = g_ptr_array_index(search->stops[0], stop);
    const struct tcgrr_stop *b = g_ptr_array_index(search->stops[1], stop);

    if (!location->memory) {
        const uint8_t *const states[] = {a->state, b->state};
        return tcgrr_replay_pair_difference(search->pair, states, location->index) & location->mask;
    }
    guint slot = 0;
    for (guint i = 0; i < wanted->len; i++) {
        const struct tcgrr_location *other = &g_array_index(wanted, struct tcgrr_location, i);
        if (other->memory && other->place == location->place) {
            break;
        }
        slot += other->memory;
    }
    uint16_t size = g_array_index(search->places, struct tcgrr_place, location->place).size;
    return content_difference(&a->contents[slot], &b->contents[slot], size);
}

static bool all_same(const struct tcgrr_search *search, guint stop, const GArray *wanted)
{
    for (guint i = 0; i < wanted->len; i++) {
        if (tcgrr_search_difference(search, stop, &g_array_index(wanted, struct tcgrr_location, i), wanted)) {
            return false;
        }
    }
    return true;
}

void tcgrr_search_in_walk(const struct tcgrr_search *search, tcgrr_moment differs, const GArray *wanted, guint *stop,
                          bool *found)
{
    guint last = search->common;
    bool seen = false; /* a stop where it differs, after the one that is searched for */

    *found = false;
    while (last > 0 && !*found) {
        const struct tcgrr_stop *at = g_ptr_array_index(search->stops[0], --last);
        if (at->moment > differs) {
            continue;
        }
        bool same = all_same(search, last, wanted);
        *found = same && seen;
        seen = seen || !same;
    }
    *stop = last;
}

/* ---- looking ---- */

static bool seen_in(const GArray *list, unsigned number, uint64_t *mask)
{
    for (guint i = 0; i < list->len; i++) {
        const struct seen *seen = &g_array_index(list, struct seen, i);
        if (seen->number == number) {
            *mask = seen->mask;
            return true;
        }
    }
    return false;
}

enum answer { SAME, DIFFERS, UNKNOWN };

static enum answer ask(const struct tcgrr_search *search, const struct sighting *sighting, const GArray *wanted)
{
    enum answer answer = SAME;
    for (guint i = 0; i < wanted->len; i++) {
        const struct tcgrr_location *location = &g_array_index(wanted, struct tcgrr_location, i);
        uint64_t mask = 0;
        bool there = seen_in(location->memory ? sighting->places : sighting->registers,
                             location->memory ? location->place : location->index, &mask);
        if (there && (location->memory ? mask : mask & location->mask)) {
            return DIFFERS;
        }
        bool core = !location->memory && register_at(search, location->index)->core;
        answer = there || core ? answer : UNKNOWN;
    }
    return answer;
}

static struct sighting *digest_snapshot(const struct tcgrr_search *search, const struct tcgrr_snapshot *snapshot,
                                        const GArray *wanted)
{
    struct sighting *sighting = g_new0(struct sighting, 1);
    const uint8_t *const states[] = {snapshot->states[0], snapshot->states[1]};
    guint slot = 0;

    sighting->moment = snapshot->moment;
    sighting->registers = g_array_new(FALSE, FALSE, sizeof(struct seen));
    sighting->places = g_array_new(FALSE, FALSE, sizeof(struct seen));
    for (guint i = 0; i < tcgrr_replay_pair_registers(search->pair, 0)->list->len; i++) {
        struct seen seen = {i, tcgrr_replay_pair_difference(search->pair, states, i)};
        if (seen.mask || (!register_at(search, i)->core && tcgrr_replay_pair_know(search->pair, states, i))) {
            g_array_append_val(sighting->registers, seen);
        }
    }
    for (guint i = 0; i < wanted->len; i++) {
        const struct tcgrr_location *location = &g_array_index(wanted, struct tcgrr_location, i);
        if (location->memory) {
            uint16_t size = g_array_index(search->places, struct tcgrr_place, location->place).size;
            struct seen seen = {location->place,
                                content_difference(&snapshot->contents[0][slot], &snapshot->contents[1][slot], size)};
            g_array_append_val(sighting->places, seen);
            slot++;
        }
    }
    return sighting;
}

static int by_moment(gconstpointer a, gconstpointer b)
{
    tcgrr_moment left = *(const tcgrr_moment *)a;
    tcgrr_moment right = *(const tcgrr_moment *)b;
    return left < right ? -1 : left > right;
}

static int by_sighting(gconstpointer a, gconstpointer b)
{
    return by_moment(&(*(struct sighting *const *)a)->moment, &(*(struct sighting *const *)b)->moment);
}

/* Moments in low..high, without the latter: evenly, or some of them so and the others ever denser towards its end. */
static GArray *spread(tcgrr_moment low, tcgrr_moment high, bool all_even)
{
    guint share = all_even ? 1 : FAR_SHARE;
    GArray *moments = g_array_new(FALSE, FALSE, sizeof(tcgrr_moment));
    double length = (double)(high - low);
    guint even = MAX_SNAPSHOTS / share;

    for (guint i = 0; i < MAX_SNAPSHOTS; i++) {
        guint step = i / share; /* of the even ones up to this one, without the first */
        double back = i % share ? NEAREST * pow(length / NEAREST, (double)(i - step - 1) / (MAX_SNAPSHOTS - even))
                                : length * (double)(even - step) / even;
        tcgrr_moment moment = high - MIN((tcgrr_moment)back, high - low);
        g_array_append_val(moments, moment);
    }
    g_array_sort(moments, by_moment);
    return moments;
}

/* The same, moved to starts of blocks, so that no snapshot splits a block. */
static GArray *choose_moments(struct tcgrr_search *search, tcgrr_moment low, tcgrr_moment high, bool all_even,
                              GError **error)
{
    g_autoptr(GArray) wished = spread(low, high, all_even);
    GArray *moments = g_array_new(FALSE, FALSE, sizeof(tcgrr_moment));

    for (guint i = 0; i < wished->len; i++) {
        tcgrr_moment boundary;
        if (!tcgrr_replay_pair_boundary(search->pair, g_array_index(wished, tcgrr_moment, i), &boundary, error)) {
            g_array_unref(moments);
            return NULL;
        }
        bool again = moments->len > 0 && boundary <= g_array_index(moments, tcgrr_moment, moments->len - 1);
        if (boundary >= low && boundary < high && !again) {
            g_array_append_val(moments, boundary);
        }
    }
    return moments;
}

static void keep_looks(struct tcgrr_search *search, const GPtrArray *snapshots, const GArray *wanted)
{
    for (guint i = 0; i < snapshots->len; i++) {
        g_ptr_array_add(search->sightings, digest_snapshot(search, g_ptr_array_index(snapshots, i), wanted));
    }
    g_ptr_array_sort(search->sightings, by_sighting);
}

static const tcgrr_moment *data_of(const GArray *moments)
{
    return (const tcgrr_moment *)(const void *)moments->data;
}

bool tcgrr_search_take_looks(struct tcgrr_search *search, tcgrr_moment low, tcgrr_moment high, bool all_even,
                             const GArray *wanted, GError **error)
{
    g_autoptr(GArray) moments = choose_moments(search, low, high, all_even, error);
    if (!moments || moments->len == 0) {
        return moments != NULL;
    }
    tell(search, "comparing %u points from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " on both sides", moments->len,
         low, high);
    search->replays++;
    g_autoptr(GArray) places = wanted_places(search, wanted);
    g_autofree bool *registers = wanted_registers(search, wanted);
    struct tcgrr_watch watch = {registers, places};
    g_autoptr(GPtrArray) snapshots = tcgrr_snapshots_new(search->pair, data_of(moments), moments->len, &watch);
    bool good = tcgrr_replay_pair_look(search->pair, snapshots, &watch, error);
    if (good) {
        keep_looks(search, snapshots, wanted);
    }
    return good;
}

bool tcgrr_search_narrow(const struct tcgrr_search *search, const GArray *wanted, tcgrr_moment *low, tcgrr_moment *high)
{
    for (guint i = search->sightings->len; i > 0; i--) {
        const struct sighting *sighting = g_ptr_array_index(search->sightings, i - 1);
        if (sighting->moment >= *high) {
            continue;
        }
        enum answer answer = ask(search, sighting, wanted);
        if (answer == SAME) {
            *low = sighting->moment;
            return true;
        }
        if (answer == DIFFERS) {
            *high = sighting->moment;
        }
    }
    return false;
}

static bool walk_back(struct tcgrr_search *search, tcgrr_moment low, tcgrr_moment high, const GArray *wanted,
                      guint *stop, bool *found, GError **error)
{
    if (!tcgrr_search_walk(search, low, high, 1, wanted, error)) {
        return false;
    }
    tcgrr_search_in_walk(search, high, wanted, stop, found);
    if (!*found) {
        search->vanished = (struct tcgrr_vanished){true, low, high};
    }
    return true;
}

bool tcgrr_search_back(struct tcgrr_search *search, tcgrr_moment differs, const GArray *wanted, guint *stop,
                       bool *found, GError **error)
{
    tcgrr_moment high = differs;
    tcgrr_moment low = 0;
    tcgrr_moment length = UINT64_MAX; /* of the stretch that is left, before the last look */

    *found = false;
    while (high > search->floor) {
        bool bounded = tcgrr_search_narrow(search, wanted, &low, &high);
        /* Where interrupts leave no quiet moment in between, looking does not bring the ends closer. */
        bool stuck = length == high - low;
        if (bounded && (high - low <= STEPS_BACK || stuck)) {
            return walk_back(search, low, high, wanted, stop, found, error);
        }
        if (stuck || high <= search->floor) {
            return true;
        }
        length = high - low;
        if (!tcgrr_search_take_looks(search,
                                     bounded               ? low + 1
                                     : search->hint < high ? search->hint
                                                           : search->floor,
                                     high, false, wanted, error)) {
            return false;
        }
    }
    return true;
}

/* ---- the first difference ---- */

static bool any_register(const struct sighting *sighting)
{
    for (guint i = 0; i < sighting->registers->len; i++) {
        if (g_array_index(sighting->registers, struct seen, i).mask) {
            return true;
        }
    }
    return false;
}

bool tcgrr_search_narrow_first(const struct tcgrr_search *search, tcgrr_moment *same, tcgrr_moment *differs)
{
    for (guint i = 0; i < search->sightings->len; i++) {
        const struct sighting *sighting = g_ptr_array_index(search->sightings, i);
        if (sighting->moment <= *same || sighting->moment >= *differs) {
            continue;
        }
        if (any_register(sighting)) {
            *differs = sighting->moment;
            return true;
        }
        *same = sighting->moment;
    }
    return false;
}

static bool registers_differ(const struct tcgrr_search *search, guint stop)
{
    const struct tcgrr_stop *at[] = {g_ptr_array_index(search->stops[0], stop),
                                     g_ptr_array_index(search->stops[1], stop)};
    const uint8_t *const states[] = {at[0]->state, at[1]->state};
    bool differs = false;

    for (guint i = 0; i < tcgrr_replay_pair_registers(search->pair, 0)->list->len && !differs; i++) {
        differs = tcgrr_search_watches(search, i) && tcgrr_replay_pair_difference(search->pair, states, i);
    }
    return differs;
}

bool tcgrr_search_stores_differ(const struct tcgrr_search *search, guint stop)
{
    const GArray *touched[] = {((const struct tcgrr_stop *)g_ptr_array_index(search->stops[0], stop))->touched,
                               ((const struct tcgrr_stop *)g_ptr_array_index(search->stops[1], stop))->touched};

    for (guint i = 0; i < MIN(touched[0]->len, touched[1]->len); i++) {
        const struct tcgrr_touched *a = &g_array_index(touched[0], struct tcgrr_touched, i);
        const struct tcgrr_touched *b = &g_array_index(touched[1], struct tcgrr_touched, i);
        if (tcgrr_touched_stored(a, b) && memcmp(a->after, b->after, a->size) != 0) {
            return true;
        }
    }
    return false;
}

/* Whether the instruction reads a register whose value before it is not known on both sides. */
static bool reads_unknown(const struct tcgrr_search *search, guint stop)
{
    const struct tcgrr_stop *at[] = {g_ptr_array_index(search->stops[0], stop),
                                     g_ptr_array_index(search->stops[1], stop)};
    const uint8_t *const states[] = {at[0]->state, at[1]->state};

    for (guint i = 0; i < at[0]->inputs.registers->len; i++) {
        unsigned index = g_array_index(at[0]->inputs.registers, struct tcgrr_insn_input, i).index;
        bool shared = tcgrr_replay_pair_other(search->pair, index) != NULL;
        if (shared && tcgrr_search_watches(search, index) && !tcgrr_replay_pair_know(search->pair, states, index)) {
            return true;
        }
    }
    return false;
}

/* Whether everything that differs after the instruction, and was not known before it, is among its results. */
static bool writes_unknown(const struct tcgrr_search *search, guint stop)
{
    const struct tcgrr_stop *at[] = {g_ptr_array_index(search->stops[0], stop),
                                     g_ptr_array_index(search->stops[1], stop)};
    const struct tcgrr_stop *next[] = {g_ptr_array_index(search->stops[0], stop + 1),
                                       g_ptr_array_index(search->stops[1], stop + 1)};
    const uint8_t *const before[] = {at[0]->state, at[1]->state};
    const uint8_t *const after[] = {next[0]->state, next[1]->state};

    for (guint i = 0; i < tcgrr_replay_pair_registers(search->pair, 0)->list->len; i++) {
        uint64_t differs = tcgrr_search_watches(search, i) ? tcgrr_replay_pair_difference(search->pair, after, i) : 0;
        if (differs && !tcgrr_replay_pair_know(search->pair, before, i) &&
            (!tcgrr_register_is_flags(register_at(search, i)->name) || differs & ~at[0]->inputs.flags)) {
            return false;
        }
    }
    return true;
}

bool tcgrr_search_sure(const struct tcgrr_search *search, guint stop)
{
    bool ends = stop + 1 >= search->common;
    return !reads_unknown(search, stop) && (ends || writes_unknown(search, stop));
}

/* The first stop of the walk at which no register differs while one does at the next, or that stores other bytes. */
static bool first_in_walk(const struct tcgrr_search *search, guint *stop)
{
    bool same = false;
    for (guint i = 0; i < search->common; i++) {
        bool differs = registers_differ(search, i);
        if (differs && same) {
            *stop = i - 1;
            return true;
        }
        same = !differs;
        if (same && tcgrr_search_stores_differ(search, i)) {
            *stop = i;
            return true;
        }
    }
    return false;
}

/* Where to start single-stepping: the result is probably the cause, whose whole block is needed. */
static tcgrr_moment first_from(const struct tcgrr_search *search, tcgrr_moment same)
{
    return MAX(same - MIN(same, BLOCK), MIN(search->floor, same));
}

static bool covers(const GPtrArray *stops, tcgrr_moment from, tcgrr_moment to)
{
    return stops && stops->len > 0 && ((const struct tcgrr_stop *)g_ptr_array_index(stops, 0))->moment <= from &&
           ((const struct tcgrr_stop *)g_ptr_array_index(stops, stops->len - 1))->moment >= to;
}

/* Whether the stretch between the two was single-stepped last, with all registers; or on the way to that, in which case
 * it becomes the last stretch. */
static bool is_walked(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs)
{
    if (!search->watched && covers(search->stops[0], same, differs)) {
        return true;
    }
    if (!covers(search->early[0], same, differs)) {
        return false;
    }
    for (int side = 0; side < 2; side++) {
        g_ptr_array_unref(search->stops[side]);
        search->stops[side] = g_steal_pointer(&search->early[side]);
    }
    g_clear_pointer(&search->watched, g_free);
    count_common(search);
    return true;
}

bool tcgrr_search_first(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs, const GArray *wanted,
                        guint *stop, bool *found, GError **error)
{
    tcgrr_moment end = differs;
    tcgrr_moment length = UINT64_MAX;

    *found = false;
    for (;;) {
        bool seen = tcgrr_search_narrow_first(search, &same, &differs) || differs < end;
        bool stuck = length == differs - same;
        if (differs - same <= TCGRR_SEARCH_WALK || (seen && stuck)) {
            bool good = is_walked(search, same, differs) ||
                        tcgrr_search_walk(search, first_from(search, same), differs, 1, NULL, error);
            *found = good && first_in_walk(search, stop);
            if (good && !*found && seen) {
                search->vanished = (struct tcgrr_vanished){true, same, differs};
            }
            return good;
        }
        if (stuck) {
            return true;
        }
        length = differs - same;
        if (!tcgrr_search_take_looks(search, same + 1, differs, true, wanted, error)) {
            return false;
        }
    }
}

/* ---- both on one way ---- */

static bool tour_with_snapshots(struct tcgrr_search *search, tcgrr_moment low, struct tcgrr_segment *segment,
                                GError **error)
{
    g_autoptr(GArray) nothing = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_location));
    g_autoptr(GArray) moments = choose_moments(search, low, MAX(segment->from, low), true, error);
    if (!moments) {
        return false;
    }
    g_autoptr(GPtrArray) snapshots = tcgrr_snapshots_new(search->pair, data_of(moments), moments->len, &segment->watch);
    bool good = walk_segments(search, segment, 1, snapshots, error);
    if (good) {
        keep_looks(search, snapshots, nothing);
    }
    return good;
}

bool tcgrr_search_tour(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs, tcgrr_moment from,
                       tcgrr_moment to, unsigned more, GError **error)
{
    g_autoptr(GArray) nothing = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_location));
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_place));
    bool close = differs >= same && differs - same <= TCGRR_SEARCH_WALK;
    tcgrr_moment early;

    /* The first leg ends one step after `differs`. */
    if (!tcgrr_replay_pair_quiet(search->pair, close ? MAX(from, differs + 2) : from, &from, error) ||
        !tcgrr_replay_pair_quiet(search->pair, first_from(search, same), &early, error)) {
        return false;
    }
    g_free(search->watched);
    search->watched = wanted_registers(search, nothing);
    struct tcgrr_segment segments[] = {{.from = early, .to = differs, .more = 1, .watch = {NULL, places}},
                                       {.from = from, .to = to, .more = more, .watch = {search->watched, places}}};
    if (close && differs + 1 < from && from <= to) {
        return walk_segments(search, segments, 2, NULL, error);
    }
    if (close && to - early <= TCGRR_SEARCH_WALK) {
        g_clear_pointer(&search->watched, g_free);
        segments[0].to = to;
        segments[0].more = more;
        return walk_segments(search, segments, 1, NULL, error);
    }
    return same < from ? tour_with_snapshots(search, same, &segments[1], error)
                       : walk_segments(search, &segments[1], 1, NULL, error);
}
