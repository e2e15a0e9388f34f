/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The difference is followed backwards. At the diverging instruction, something that it reads differs: the instruction
 * that made it differ is found (replay/cause/search.h), what that one reads is compared, and so on, until an
 * instruction reads the same on both sides. That one is the cause.
 */
#include "replay/cause/cause_internal.h"

#include <string.h>

#include "store/error.h"

#define LINKS_MAX 1000 /* instructions in the chain; more is a chain that goes round in circles */
#define BLOCK     64   /* instructions that a block is likely to have at most */
#define ROUND                                                                                                          \
    3 /* how often the chain may pass the same instruction before all locations that it met are followed at once */

static const char *const names[] = {"instruction", "input", "event", "device", "start", "code", "block"};

const char *tcgrr_cause_name(enum tcgrr_cause_kind kind)
{
    return names[kind];
}

static const struct tcgrr_stop *stop_of(const struct tcgrr_search *search, int side, guint stop)
{
    return g_ptr_array_index(search->stops[side], stop);
}

/* ---- what an instruction takes in that differs ---- */

static bool is_flags(const struct tcgrr_trail *trail, const struct tcgrr_location *location)
{
    const struct tcgrr_register *reg =
        g_ptr_array_index(tcgrr_replay_pair_registers(trail->search.pair, 0)->list, location->index);
    return !location->memory && tcgrr_register_is_flags(reg->name);
}

static bool is_general(const struct tcgrr_trail *trail, const struct tcgrr_location *location)
{
    const GPtrArray *list = tcgrr_replay_pair_registers(trail->search.pair, 0)->list;
    const struct tcgrr_register *reg = location->memory ? NULL : g_ptr_array_index(list, location->index);
    return reg && !is_flags(trail, location) && (trail->general > 0 ? location->index < trail->general : reg->core);
}

static void add_register(struct tcgrr_trail *trail, guint stop, unsigned index, uint64_t mask, GArray *inputs)
{
    struct tcgrr_location location = {.index = index, .mask = mask};
    location.mask = tcgrr_search_difference(&trail->search, stop, &location, inputs);
    if (location.mask) {
        g_array_append_val(inputs, location);
    }
}

/* Memory that both sides load from the same address, and find different things there. */
static void add_memory(struct tcgrr_trail *trail, guint stop, GArray *inputs)
{
    const struct tcgrr_stop *a = stop_of(&trail->search, 0, stop);
    const struct tcgrr_stop *b = stop_of(&trail->search, 1, stop);

    for (guint i = 0; i < MIN(a->touched->len, b->touched->len); i++) {
        const struct tcgrr_touched *left = &g_array_index(a->touched, struct tcgrr_touched, i);
        const struct tcgrr_touched *right = &g_array_index(b->touched, struct tcgrr_touched, i);
        uint16_t first = 0;
        uint16_t last = left->size;
        if (!left->operand.load || !right->operand.load || !left->ram || !right->ram || left->size != right->size ||
            left->operand.address != right->operand.address) {
            continue;
        }
        while (first < last && left->before[first] == right->before[first]) {
            first++;
        }
        while (last > first && left->before[last - 1] == right->before[last - 1]) {
            last--;
        }
        if (first < last) {
            struct tcgrr_place place = {{left->physical + first, right->physical + first}, (uint16_t)(last - first)};
            struct tcgrr_location location = {.memory = true,
                                              .place = tcgrr_search_place(&trail->search, &place),
                                              .address = left->operand.address + first};
            g_array_append_val(inputs, location);
        }
    }
}

/* All inputs of the instruction at this stop that differ. */
static GArray *differing_inputs(struct tcgrr_trail *trail, guint stop)
{
    const struct tcgrr_stop *at = stop_of(&trail->search, 0, stop);
    const GPtrArray *list = tcgrr_replay_pair_registers(trail->search.pair, 0)->list;
    GArray *inputs = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_location));

    if (at->length == 0 || !at->inputs.known) {
        /* What describes the machine differs between releases anyway, and says nothing of an instruction that is not
         * known. */
        for (guint i = 0; i < list->len; i++) {
            if (!((const struct tcgrr_register *)g_ptr_array_index(list, i))->system) {
                add_register(trail, stop, i, UINT64_MAX, inputs);
            }
        }
        return inputs;
    }
    for (guint i = 0; i < at->inputs.registers->len; i++) {
        const struct tcgrr_insn_input *input = &g_array_index(at->inputs.registers, struct tcgrr_insn_input, i);
        add_register(trail, stop, input->index, input->mask, inputs);
    }
    add_memory(trail, stop, inputs);
    return inputs;
}

/* General registers are the most informative, then memory, then flags; the rest are modes and the like. */
static int rank(const struct tcgrr_trail *trail, const struct tcgrr_location *location)
{
    return location->memory ? 1 : is_general(trail, location) ? 0 : is_flags(trail, location) ? 2 : 3;
}

static const struct tcgrr_location *choose(const struct tcgrr_trail *trail, const GArray *inputs)
{
    const struct tcgrr_location *best = &g_array_index(inputs, struct tcgrr_location, 0);
    for (guint i = 1; i < inputs->len; i++) {
        const struct tcgrr_location *other = &g_array_index(inputs, struct tcgrr_location, i);
        best = rank(trail, other) < rank(trail, best) ? other : best;
    }
    return best;
}

/* ---- who made it differ, in the stretch that was walked last ---- */

/* Whether it wrote to this place: a conditional store whose condition is false did not, which matters if only its
 * possible accesses are known. */
static bool wrote(const struct tcgrr_touched *touched, uint64_t physical, uint16_t size)
{
    return touched->operand.store && touched->mapped && touched->physical < physical + size &&
           physical < touched->physical + touched->size &&
           (touched->blind || memcmp(touched->before, touched->after, touched->size) != 0);
}

/* Two stores of the same: what differs after them did so before. */
static bool stored_alike(const struct tcgrr_touched *a, const struct tcgrr_touched *b)
{
    return a->operand.store && b->operand.store && a->operand.address == b->operand.address && a->size == b->size &&
           memcmp(a->after, b->after, a->size) == 0;
}

/* Whether the instruction at this stop writes the location, on either side; flags as far as its bytes show. */
static bool writes(const struct tcgrr_trail *trail, guint stop, const struct tcgrr_location *location)
{
    bool found = false;

    if (!location->memory) {
        return stop_of(&trail->search, 0, stop)->inputs.flags & location->mask;
    }
    const struct tcgrr_place *place = &g_array_index(trail->search.places, struct tcgrr_place, location->place);
    const GArray *touched[] = {stop_of(&trail->search, 0, stop)->touched, stop_of(&trail->search, 1, stop)->touched};
    for (int side = 0; side < 2; side++) {
        for (guint i = 0; i < touched[side]->len && !found; i++) {
            const struct tcgrr_touched *own = &g_array_index(touched[side], struct tcgrr_touched, i);
            found = wrote(own, place->physical[side], place->size) &&
                    !(i < touched[!side]->len &&
                      stored_alike(own, &g_array_index(touched[!side], struct tcgrr_touched, i)));
        }
    }
    return found;
}

/*
 * For memory and x86's flags, finds the last instruction before `before` that wrote them: undefined flags differ, too,
 * so it would be meaningless to search for the last place where they were the same.
 */
static bool last_writer(const struct tcgrr_trail *trail, const struct tcgrr_location *location, guint before,
                        guint *stop)
{
    const struct tcgrr_search *search = &trail->search;
    guint behind = before;

    while (behind > 0 && !writes(trail, behind - 1, location)) {
        behind--;
    }
    if (behind == 0) {
        return false;
    }
    *stop = behind - 1;
    /* If the flags are the same after this writer, an unknown instruction wrote them later. */
    if (!location->memory && tcgrr_search_difference(search, before, location, trail->wanted) &&
        !tcgrr_search_difference(search, behind, location, trail->wanted)) {
        *stop = before - 1;
        while (tcgrr_search_difference(search, *stop, location, trail->wanted)) {
            (*stop)--;
        }
    }
    return true;
}

static bool by_writer(const struct tcgrr_trail *trail, guint stop, const struct tcgrr_location *location)
{
    return location->memory || (is_flags(trail, location) && stop_of(&trail->search, 0, stop)->inputs.flags_known);
}

static bool in_stretch(const struct tcgrr_trail *trail, guint before, guint *stop)
{
    const struct tcgrr_location *location = &g_array_index(trail->wanted, struct tcgrr_location, 0);
    bool found = false;

    /* If there are several locations, memory was not watched everywhere, and possibly registers neither. */
    if (trail->wanted->len > 1 || (!location->memory && !tcgrr_search_watches(&trail->search, location->index))) {
        return false;
    }
    if (by_writer(trail, before, location)) {
        return last_writer(trail, location, before, stop);
    }
    for (guint i = before; i > 0 && !found; i--) {
        found = tcgrr_search_difference(&trail->search, i - 1, location, trail->wanted) == 0;
        *stop = i - 1;
    }
    return found;
}

/* A register that was not watched may be found in the same stretch when it is. */
static bool walk_again(struct tcgrr_trail *trail, tcgrr_moment differs, guint *stop, bool *found, GError **error)
{
    const struct tcgrr_location *location = &g_array_index(trail->wanted, struct tcgrr_location, 0);
    struct tcgrr_search *search = &trail->search;

    *found = false;
    if (trail->wanted->len > 1 || location->memory || tcgrr_search_watches(search, location->index)) {
        return true;
    }
    tcgrr_moment from = stop_of(search, 0, 0)->moment;
    if (!tcgrr_search_walk(search, from, differs, 1, trail->wanted, error)) {
        return false;
    }
    tcgrr_search_in_walk(search, differs, trail->wanted, stop, found);
    return true;
}

/* Searches for flags one stretch further back; they are short-lived. */
static bool flags_further_back(struct tcgrr_trail *trail, guint *stop, bool *found, GError **error)
{
    const struct tcgrr_location *location = &g_array_index(trail->wanted, struct tcgrr_location, 0);
    tcgrr_moment end = stop_of(&trail->search, 0, 0)->moment;
    tcgrr_moment from = end > TCGRR_SEARCH_WALK ? end - TCGRR_SEARCH_WALK : 0;

    *found = false;
    if (trail->wanted->len > 1 || location->memory || !by_writer(trail, 0, location) || end == 0) {
        return true;
    }
    if (!tcgrr_search_walk(&trail->search, from, end, 0, trail->wanted, error)) {
        return false;
    }
    /* The last stop of the walk is the first of the stretch that was searched before. */
    *found = trail->search.common > 0 && last_writer(trail, location, trail->search.common - 1, stop);
    return true;
}

/* Where the search for the first difference ends: one more than the known moment, so that this is included. */
static tcgrr_moment first_end(const struct tcgrr_cause_dated *dated, tcgrr_moment high)
{
    return dated->differs < high ? dated->differs + 1 : high;
}

/*
 * Goes to the very first difference, before moment `high`. Empties `wanted`, because nothing more is followed: only the
 * inputs of the instruction that is found matter.
 */
static bool go_first(struct tcgrr_trail *trail, tcgrr_moment high, guint *stop, bool *found, GError **error)
{
    const struct tcgrr_register_layout *registers = tcgrr_replay_pair_registers(trail->search.pair, 0);
    const struct tcgrr_cause_dated *dated = g_steal_pointer(&trail->dated);
    g_autoptr(GArray) named = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_location));

    for (guint i = 0; dated->registers && i < dated->registers->len; i++) {
        const struct tcgrr_register *reg =
            tcgrr_register_layout_find(registers, g_ptr_array_index(dated->registers, i));
        if (reg && tcgrr_register_kind(reg->name) != TCGRR_REGISTER_PC) {
            struct tcgrr_location location = {.index = reg->index, .mask = UINT64_MAX};
            g_array_append_val(named, location);
        }
    }
    tcgrr_moment end = first_end(dated, high);
    if (!tcgrr_search_first(&trail->search, dated->same, end, named, stop, found, error)) {
        return false;
    }
    /* Of what that instruction reads, nothing is known to have been the same at any time. */
    trail->search.hint = trail->search.floor;
    if (*found) {
        g_array_set_size(trail->wanted, 0);
        g_array_set_size(trail->met, 0);
        if (trail->cause->links->len > 0) {
            ((struct tcgrr_cause_link *)g_ptr_array_index(trail->cause->links, 0))->gap = true;
        }
    }
    return true;
}

/* Finds the instruction that made `wanted` differ, before stop `*stop` of the stretch walked last. */
static bool find_birth(struct tcgrr_trail *trail, guint *stop, bool *found, GError **error)
{
    guint before = *stop;
    tcgrr_moment moment = stop_of(&trail->search, 0, before)->moment;

    *found = in_stretch(trail, before, stop);
    if (*found) {
        return true;
    }
    if (trail->dated && trail->dated->first) {
        bool went = go_first(trail, moment, stop, found, error);
        if (!went || *found) {
            return went;
        }
        /* The walk that `stop` belonged to is gone. */
        return tcgrr_search_back(&trail->search, moment, trail->wanted, stop, found, error);
    }
    bool good =
        walk_again(trail, moment, stop, found, error) && (*found || flags_further_back(trail, stop, found, error));
    return good && (*found || tcgrr_search_back(&trail->search, moment, trail->wanted, stop, found, error));
}

/* ---- the chain ---- */

void tcgrr_trail_add_link(struct tcgrr_trail *trail, guint stop, const struct tcgrr_location *location)
{
    const struct tcgrr_stop *at = stop_of(&trail->search, 0, stop);
    struct tcgrr_cause_link *link = g_new0(struct tcgrr_cause_link, 1);

    for (int side = 0; side < 2; side++) {
        link->icounts[side] = tcgrr_replay_pair_icount(trail->search.pair, side, at->moment);
    }
    link->pc = at->address;
    link->length = at->length;
    memcpy(link->bytes, at->bytes, sizeof(link->bytes));
    link->takes = location ? tcgrr_trail_describe(trail, location) : NULL;
    g_ptr_array_insert(trail->cause->links, 0, link);
}

/* How often the chain has come by this instruction. */
static unsigned passes(const struct tcgrr_trail *trail, uint64_t pc)
{
    unsigned count = 0;
    for (guint i = 0; i < trail->cause->links->len; i++) {
        count += ((const struct tcgrr_cause_link *)g_ptr_array_index(trail->cause->links, i))->pc == pc;
    }
    return count;
}

/* In a loop the difference goes round through the same registers: then all of them together are followed, back to
 * where none of them differed yet. */
static void want(struct tcgrr_trail *trail, guint stop, const struct tcgrr_location *location)
{
    bool round = passes(trail, stop_of(&trail->search, 0, stop)->address) >= ROUND;

    g_array_append_vals(trail->met, location, 1);
    if (!round) {
        g_array_set_size(trail->wanted, 0);
        g_array_append_vals(trail->wanted, location, 1);
        return;
    }
    g_array_set_size(trail->wanted, 0);
    for (guint i = 0; i < trail->met->len; i++) {
        const struct tcgrr_location *met = &g_array_index(trail->met, struct tcgrr_location, i);
        if (!is_flags(trail, met) || trail->met->len == 1) {
            g_array_append_vals(trail->wanted, met, 1);
        }
    }
    if (trail->wanted->len == 0) {
        g_array_append_vals(trail->wanted, location, 1);
    }
}

/* Going to the first difference may lead to the very instruction that the chain has reached. */
static void drop_repeated(struct tcgrr_trail *trail, guint stop)
{
    GPtrArray *links = trail->cause->links;
    const struct tcgrr_stop *at = stop_of(&trail->search, 0, stop);
    const struct tcgrr_cause_link *link = g_ptr_array_index(links, 0);

    if (link->gap && link->pc == at->address &&
        link->icounts[0] == tcgrr_replay_pair_icount(trail->search.pair, 0, at->moment)) {
        g_ptr_array_remove_index(links, 0);
    }
}

/* Single-steps the stretch again and sets `*stop` to this instruction's stop. */
static bool walk_to(struct tcgrr_trail *trail, tcgrr_moment moment, uint64_t address, guint *stop, GError **error)
{
    struct tcgrr_search *search = &trail->search;

    if (!tcgrr_search_walk(search, moment > BLOCK ? moment - BLOCK : 0, moment, 1, NULL, error)) {
        return false;
    }
    for (*stop = search->common; *stop > 0; (*stop)--) {
        const struct tcgrr_stop *at = stop_of(search, 0, *stop - 1);
        if (at->moment == moment && at->address == address) {
            (*stop)--;
            return true;
        }
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "instruction %" G_GUINT64_FORMAT " was not there when it was stepped through again: a replay is not "
                "exact",
                moment);
    return false;
}

/*
 * The chain ends at an instruction after the first difference of all: then it is not known well what that instruction
 * takes in. *further: `*stop` is the one that made the first difference.
 */
static bool go_before(struct tcgrr_trail *trail, guint *stop, bool *further, GError **error)
{
    const struct tcgrr_stop *at = stop_of(&trail->search, 0, *stop);
    tcgrr_moment moment = at->moment;
    uint64_t address = at->address;

    *further = false;
    if (!trail->dated || !trail->dated->first || trail->dated->differs > moment) {
        return true;
    }
    if (!go_first(trail, moment, stop, further, error)) {
        return false;
    }
    if (*further) {
        drop_repeated(trail, *stop);
        return true;
    }
    return walk_to(trail, moment, address, stop, error);
}

/*
 * Something differs before an instruction whose inputs are not known. If the very first difference is the cause, that
 * does not matter.
 */
static bool go_past_unknown(struct tcgrr_trail *trail, guint *stop, GError **error)
{
    const struct tcgrr_stop *at = stop_of(&trail->search, 0, *stop);
    tcgrr_moment moment = at->moment;
    uint64_t address = at->address;
    bool found = false;

    if (trail->dated && trail->dated->first) {
        tcgrr_trail_add_link(trail, *stop, NULL);
        if (!go_first(trail, moment, stop, &found, error)) {
            return false;
        }
    }
    if (found) {
        drop_repeated(trail, *stop);
    } else {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the difference was followed back to icount %" G_GUINT64_FORMAT " of A, 0x%" G_GINT64_MODIFIER
                    "x: what that instruction reads is not known, and registers differ before it; the cause is that "
                    "one or lies before it",
                    tcgrr_replay_pair_icount(trail->search.pair, 0, moment), address);
    }
    return found;
}

/* A difference that the search found and that disappeared under single-stepping is caused by a block as a whole. */
static bool conclude_vanished(struct tcgrr_trail *trail, const GArray *wanted, GError **error)
{
    const struct tcgrr_vanished vanished = trail->search.vanished;
    bool found = false;

    if (!tcgrr_trail_conclude_block(trail, vanished.same, vanished.differs, wanted, &found, error)) {
        return false;
    }
    if (!found) {
        g_set_error(
            error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
            "what differs at instruction %" G_GUINT64_FORMAT " when both stop there does not differ when they are "
            "stepped there from %" G_GUINT64_FORMAT ", and no block as a whole makes it differ: a replay is not exact",
            vanished.differs, vanished.same);
    }
    return found;
}

bool tcgrr_trail_follow(struct tcgrr_trail *trail, guint stop, GError **error)
{
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        g_autoptr(GArray) inputs = differing_inputs(trail, stop);
        bool found;
        if (inputs->len == 0) {
            tcgrr_trail_add_link(trail, stop, NULL);
            if (!go_before(trail, &stop, &found, error)) {
                return false;
            }
            if (found) {
                continue;
            }
            return tcgrr_trail_conclude(trail, stop, error);
        }
        if (!stop_of(&trail->search, 0, stop)->inputs.known) {
            if (!go_past_unknown(trail, &stop, error)) {
                return false;
            }
            continue;
        }
        const struct tcgrr_location location = *choose(trail, inputs);
        tcgrr_trail_add_link(trail, stop, &location);
        want(trail, stop, &location);
        if (!find_birth(trail, &stop, &found, error)) {
            return false;
        }
        if (!found && trail->search.vanished.seen) {
            return conclude_vanished(trail, trail->wanted, error);
        }
        if (!found) {
            return tcgrr_trail_conclude_start(trail, error);
        }
        drop_repeated(trail, stop);
        const struct tcgrr_location *now = (const struct tcgrr_location *)(const void *)trail->wanted->data;
        if (trail->wanted->len == 1 && now->memory && !writes(trail, stop, now)) {
            return tcgrr_trail_conclude_device(trail, stop, now, error);
        }
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "the difference was followed back through %d instructions without finding where it began", LINKS_MAX);
    return false;
}

/* ---- the diverging instruction ---- */

/* The instruction that decided where the runs continue: their last one in common, or the branch in whose delay slot
 * that is. */
static guint decider(const struct tcgrr_search *search)
{
    guint last = search->common - 1;
    const struct tcgrr_stop *before = last > 0 ? stop_of(search, 0, last - 1) : NULL;
    bool slot = before && before->inputs.delayed && stop_of(search, 0, last)->pc == before->pc + before->length;
    return slot ? last - 1 : last;
}

/* Steps up to where the runs diverge, and begins there. */
static bool begin(struct tcgrr_trail *trail, tcgrr_moment diverged_at, bool halts, GError **error)
{
    tcgrr_moment from = diverged_at > TCGRR_SEARCH_WALK / 2 ? diverged_at - TCGRR_SEARCH_WALK / 2 : 0;
    struct tcgrr_search *search = &trail->search;
    tcgrr_moment first;
    unsigned more = 1;

    /* The recording of a side that halts may lack its last block, and it may have halted in the block after that. */
    if (halts && !tcgrr_replay_pair_block(search->pair, diverged_at, &first, &more, error)) {
        return false;
    }
    more += halts ? BLOCK : 0;
    if (trail->dated->first ? !tcgrr_search_tour(search, trail->dated->same, first_end(trail->dated, diverged_at), from,
                                                 diverged_at, more, error)
                            : !tcgrr_search_walk(search, from, diverged_at, more, trail->wanted, error)) {
        return false;
    }
    if (search->common == search->stops[0]->len && search->common == search->stops[1]->len) {
        bool found = false;
        tcgrr_moment same = trail->dated->first ? trail->dated->same : 0;
        if (!tcgrr_trail_conclude_block(trail, same, diverged_at, NULL, &found, error)) {
            return false;
        }
        if (!found) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                        "the two runs do not diverge when they are stepped through instruction %" G_GUINT64_FORMAT
                        ", and no block as a whole makes them diverge",
                        diverged_at);
        }
        return found;
    }
    if (search->common < search->stops[0]->len && search->common < search->stops[1]->len) {
        const struct tcgrr_stop *a = stop_of(search, 0, search->common);
        const struct tcgrr_stop *b = stop_of(search, 1, search->common);
        if (a->moment == b->moment && a->pc == b->pc) {
            return tcgrr_trail_conclude_code(trail, a, b, error);
        }
    }
    if (search->common == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the two runs differ at the first instruction that is compared");
        return false;
    }
    return tcgrr_trail_follow(trail, decider(search), error);
}

/* The runs' flow is the same: begins where their data first differ. */
static bool begin_at_data(struct tcgrr_trail *trail, GError **error)
{
    tcgrr_moment differs = trail->dated->differs;
    guint stop;
    bool found;

    if (differs == UINT64_MAX) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "no register differs: there is nothing to follow back");
        return false;
    }
    if (!go_first(trail, UINT64_MAX, &stop, &found, error)) {
        return false;
    }
    if (!found && trail->search.vanished.seen) {
        return conclude_vanished(trail, NULL, error);
    }
    if (!found) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "no register that can be compared differs before instruction %" G_GUINT64_FORMAT
                    ": there is nothing to follow back",
                    differs);
    }
    return found && tcgrr_trail_follow(trail, stop, error);
}

/* The first registers that are described, up to the program counter, are the general ones; 0: s390x begins with it. */
static unsigned count_general(const struct tcgrr_register_layout *registers)
{
    for (guint i = 0; i < registers->list->len; i++) {
        const char *name = ((const struct tcgrr_register *)g_ptr_array_index(registers->list, i))->name;
        if (tcgrr_register_kind(name) == TCGRR_REGISTER_PC) {
            return i > 1 ? i : 0;
        }
    }
    return registers->list->len;
}

bool tcgrr_cause_find(const struct tcgrr_cause_options *options, struct tcgrr_cause *cause, GError **error)
{
    struct tcgrr_trail trail = {.cause = cause};
    struct tcgrr_replay_pair *pair = options->pair;

    *cause = (struct tcgrr_cause){0};
    tcgrr_cause_init(cause);
    tcgrr_search_init(&trail.search, pair);
    trail.search.progress = options->progress;
    trail.search.data = options->data;
    trail.general = count_general(tcgrr_replay_pair_registers(pair, 0));
    trail.wanted = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_location));
    trail.met = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_location));
    trail.dated = &options->dated;
    trail.search.floor = options->floor;
    trail.search.hint = options->dated.same;
    bool good = options->diverged_at == UINT64_MAX ? begin_at_data(&trail, error)
                                                   : begin(&trail, options->diverged_at, options->halts, error);
    cause->replays = trail.search.replays;
    tcgrr_trail_left_out(&trail);
    g_array_unref(trail.wanted);
    g_array_unref(trail.met);
    tcgrr_search_clear(&trail.search);
    return good;
}
