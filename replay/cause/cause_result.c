/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills in the report of the cause when it has been found. */
#include "replay/cause/cause_internal.h"

#include <string.h>

#include "replay/cause/accesses.h"
#include "store/error.h"

/* Of the flags registers that QEMU 7.2 does not describe. */
static const struct tcgrr_register_field arm_flags[] = {
    {(char *)"N", 31, 31}, {(char *)"Z", 30, 30}, {(char *)"C", 29, 29}, {(char *)"V", 28, 28}};

static void free_register(gpointer data)
{
    struct tcgrr_cause_register *reg = data;
    g_free(reg->name);
    g_free(reg->before);
    g_free(reg->values[0]);
    g_free(reg->values[1]);
    g_array_unref(reg->flags);
    g_free(reg);
}

static void clear_flag(gpointer data)
{
    g_free(((struct tcgrr_cause_flag *)data)->name);
}

static void free_link(gpointer data)
{
    struct tcgrr_cause_link *link = data;
    g_free(link->takes);
    g_free(link);
}

void tcgrr_cause_init(struct tcgrr_cause *cause)
{
    cause->registers = g_ptr_array_new_with_free_func(free_register);
    cause->memory = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_cause_memory));
    cause->links = g_ptr_array_new_with_free_func(free_link);
    cause->also = g_ptr_array_new_with_free_func(g_free);
    cause->left_out = g_ptr_array_new_with_free_func(g_free);
}

void tcgrr_cause_clear(struct tcgrr_cause *cause)
{
    if (cause->registers) {
        g_ptr_array_unref(cause->registers);
        g_array_unref(cause->memory);
        g_ptr_array_unref(cause->links);
        g_ptr_array_unref(cause->also);
        g_ptr_array_unref(cause->left_out);
    }
    g_free(cause->explanation);
    for (int side = 0; side < 2; side++) {
        tcgrr_register_layout_unref(cause->scene.registers[side]);
        g_clear_pointer(&cause->scene.stops[side], g_ptr_array_unref);
    }
    *cause = (struct tcgrr_cause){0};
}

static const struct tcgrr_stop *stop_of(const struct tcgrr_trail *trail, int side, guint stop)
{
    const GPtrArray *stops = trail->search.stops[side];
    return stop < stops->len ? g_ptr_array_index(stops, stop) : NULL;
}

static const struct tcgrr_register *register_at(const struct tcgrr_trail *trail, unsigned index)
{
    return g_ptr_array_index(tcgrr_replay_pair_registers(trail->search.pair, 0)->list, index);
}

/* ---- names ---- */

/* The flags in a register, as one of the QEMUs describes them. */
static const struct tcgrr_register_field *fields_of(const struct tcgrr_trail *trail, unsigned index, guint *count)
{
    const struct tcgrr_register *reg = register_at(trail, index);
    const struct tcgrr_register *other = tcgrr_replay_pair_other(trail->search.pair, index);
    const GArray *fields = reg->fields ? reg->fields : other ? other->fields : NULL;

    if (!fields && (strcmp(reg->name, "cpsr") == 0 || strcmp(reg->name, "xpsr") == 0)) {
        *count = G_N_ELEMENTS(arm_flags);
        return arm_flags;
    }
    *count = fields ? fields->len : 0;
    return fields ? (const struct tcgrr_register_field *)(const void *)fields->data : NULL;
}

static uint64_t field_mask(const struct tcgrr_register_field *field)
{
    return (UINT64_MAX >> (63 - field->last + field->first)) << field->first;
}

char *tcgrr_trail_describe(const struct tcgrr_trail *trail, const struct tcgrr_location *location)
{
    guint count;

    if (location->memory) {
        const struct tcgrr_place *place = &g_array_index(trail->search.places, struct tcgrr_place, location->place);
        return g_strdup_printf("memory 0x%" G_GINT64_MODIFIER "x (%u byte%s)", location->address, place->size,
                               place->size == 1 ? "" : "s");
    }
    GString *text = g_string_new(register_at(trail, location->index)->name);
    const struct tcgrr_register_field *fields = fields_of(trail, location->index, &count);
    const char *before = " (";
    for (guint i = 0; i < count; i++) {
        if (field_mask(&fields[i]) & location->mask) {
            g_string_append_printf(text, "%s%s", before, fields[i].name);
            before = ", ";
        }
    }
    g_string_append(text, before[0] == ',' ? ")" : "");
    return g_string_free(text, FALSE);
}

/* ---- what the instruction did ---- */

static void add_flags(const struct tcgrr_trail *trail, struct tcgrr_cause_register *out, unsigned index,
                      const uint64_t values[3], uint64_t undefined)
{
    guint count;
    const struct tcgrr_register_field *fields = fields_of(trail, index, &count);

    for (guint i = 0; i < count; i++) {
        uint64_t mask = field_mask(&fields[i]);
        struct tcgrr_cause_flag flag = {
            .before = (values[0] & mask) >> fields[i].first,
            .values = {(values[1] & mask) >> fields[i].first, (values[2] & mask) >> fields[i].first},
            .undefined = (undefined & mask) != 0,
        };
        if (flag.values[0] != flag.values[1]) {
            flag.name = g_strdup(fields[i].name);
            g_array_append_val(out->flags, flag);
        }
    }
}

/* `before` is A's state; `states` are those to show. */
static void add_register(struct tcgrr_trail *trail, unsigned index, const uint8_t *before,
                         const uint8_t *const states[2], uint64_t undefined)
{
    const struct tcgrr_register_layout *registers[] = {tcgrr_replay_pair_registers(trail->search.pair, 0),
                                                       tcgrr_replay_pair_registers(trail->search.pair, 1)};
    const struct tcgrr_register *regs[] = {register_at(trail, index),
                                           tcgrr_replay_pair_other(trail->search.pair, index)};
    struct tcgrr_cause_register *out = g_new0(struct tcgrr_cause_register, 1);
    uint64_t values[] = {tcgrr_state_number(registers[0], before, regs[0]),
                         tcgrr_state_number(registers[0], states[0], regs[0]),
                         tcgrr_state_number(registers[1], states[1], regs[1])};

    out->name = g_strdup(regs[0]->name);
    out->before = tcgrr_state_knows(before, index) ? tcgrr_state_text(registers[0], before, regs[0]) : NULL;
    out->values[0] = tcgrr_state_text(registers[0], states[0], regs[0]);
    out->values[1] = tcgrr_state_text(registers[1], states[1], regs[1]);
    out->flags = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_cause_flag));
    g_array_set_clear_func(out->flags, clear_flag);
    add_flags(trail, out, index, values, undefined);
    g_ptr_array_add(trail->cause->registers, out);
}

static bool reads(const struct tcgrr_stop *stop, unsigned index)
{
    for (guint i = 0; i < stop->inputs.registers->len; i++) {
        if (g_array_index(stop->inputs.registers, struct tcgrr_insn_input, i).index == index) {
            return true;
        }
    }
    return false;
}

void tcgrr_trail_compare_registers(struct tcgrr_trail *trail, const uint8_t *const before[2],
                                   const uint8_t *const after[2], const struct tcgrr_stop *reader)
{
    struct tcgrr_replay_pair *pair = trail->search.pair;

    for (guint i = 0; i < tcgrr_replay_pair_registers(pair, 0)->list->len; i++) {
        const struct tcgrr_register *reg = register_at(trail, i);
        const struct tcgrr_register *other = tcgrr_replay_pair_other(pair, i);
        uint64_t was = tcgrr_replay_pair_difference(pair, before, i);
        uint64_t is = tcgrr_replay_pair_difference(pair, after, i);
        bool pc = tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PC && other;
        if ((is & ~was) || (pc && tcgrr_state_number(tcgrr_replay_pair_registers(pair, 0), after[0], reg) !=
                                      tcgrr_state_number(tcgrr_replay_pair_registers(pair, 1), after[1], other))) {
            bool flags = reader && g_strcmp0(reg->name, reader->inputs.condition) == 0;
            add_register(trail, i, before[0], after, flags ? reader->inputs.undefined : 0);
        } else if (was && !(reader && reads(reader, i))) {
            g_ptr_array_add(trail->cause->also, g_strdup(reg->name));
        }
    }
}

/* Compares what the instruction at this stop did to the registers; unknown if a side does not get past it. */
static void compare_registers(struct tcgrr_trail *trail, guint stop)
{
    const struct tcgrr_stop *at[] = {stop_of(trail, 0, stop), stop_of(trail, 1, stop)};
    const struct tcgrr_stop *next[] = {stop_of(trail, 0, stop + 1), stop_of(trail, 1, stop + 1)};

    if (at[0] && at[1] && next[0] && next[1]) {
        const uint8_t *const before[] = {at[0]->state, at[1]->state};
        const uint8_t *const after[] = {next[0]->state, next[1]->state};
        tcgrr_trail_compare_registers(trail, before, after, at[0]);
    }
}

static void compare_memory(struct tcgrr_trail *trail, guint stop)
{
    const GArray *touched[] = {stop_of(trail, 0, stop)->touched, stop_of(trail, 1, stop)->touched};

    for (guint i = 0; i < MIN(touched[0]->len, touched[1]->len); i++) {
        const struct tcgrr_touched *a = &g_array_index(touched[0], struct tcgrr_touched, i);
        const struct tcgrr_touched *b = &g_array_index(touched[1], struct tcgrr_touched, i);
        if (!tcgrr_touched_stored(a, b) || memcmp(a->after, b->after, a->size) == 0) {
            continue;
        }
        struct tcgrr_cause_memory memory = {a->operand.address, a->physical, a->size, {{0}, {0}}};
        memcpy(memory.values[0], a->after, a->size);
        memcpy(memory.values[1], b->after, b->size);
        g_array_append_val(trail->cause->memory, memory);
    }
}

void tcgrr_trail_keep_scene(struct tcgrr_trail *trail, guint stop, tcgrr_moment first)
{
    struct tcgrr_cause_scene *scene = &trail->cause->scene;
    tcgrr_moment moment = stop_of(trail, 0, stop)->moment;

    for (int side = 0; side < 2; side++) {
        scene->registers[side] = tcgrr_register_layout_ref(tcgrr_replay_pair_registers(trail->search.pair, side));
        scene->stops[side] = g_steal_pointer(&trail->search.stops[side]);
    }
    scene->at = stop;
    scene->first = stop;
    /* One stop for each instruction of the block: an interrupt in between makes another block of the rest. */
    while (scene->first > 0) {
        const struct tcgrr_stop *before = g_ptr_array_index(scene->stops[0], scene->first - 1);
        if (before->moment + 1 != moment || before->moment < first || before->length == 0) {
            break;
        }
        moment = before->moment;
        scene->first--;
    }
}

void tcgrr_trail_set_place(struct tcgrr_trail *trail, const struct tcgrr_stop *stop)
{
    struct tcgrr_cause *cause = trail->cause;
    for (int side = 0; side < 2; side++) {
        cause->icounts[side] = tcgrr_replay_pair_icount(trail->search.pair, side, stop->moment);
    }
    cause->pc = stop->address;
    cause->length = stop->length;
    memcpy(cause->bytes, stop->bytes, sizeof(cause->bytes));
}

void tcgrr_trail_explain(struct tcgrr_trail *trail, enum tcgrr_cause_kind kind, const char *text)
{
    trail->cause->kind = kind;
    g_free(trail->cause->explanation);
    trail->cause->explanation = g_strdup(text);
}

/* Fills in the report of the instruction itself. */
static void explain_instruction(struct tcgrr_trail *trail, tcgrr_moment moment, bool known)
{
    const char *obstacles[] = {tcgrr_replay_pair_obstacle(trail->search.pair, 0, moment),
                               tcgrr_replay_pair_obstacle(trail->search.pair, 1, moment)};
    int side = obstacles[0] ? 0 : 1;
    const char *const text =
        known ? "same inputs on both sides, different results"
              : "the inputs of this instruction are not known; everything that programs compute with is "
                "the same on both sides before it, its results are not";
    bool shown = trail->cause->registers->len > 0 || trail->cause->memory->len > 0 || obstacles[side];

    tcgrr_trail_explain(trail, TCGRR_CAUSE_INSTRUCTION,
                        shown ? text
                              : "all known inputs of this instruction are the same on both sides, and so are the "
                                "registers and the memory after it; what it did differently cannot be seen");
    if (obstacles[side]) {
        char *more = g_strdup_printf("%s: %c does not get past it (%s)", trail->cause->explanation, side ? 'B' : 'A',
                                     obstacles[side]);
        g_free(trail->cause->explanation);
        trail->cause->explanation = more;
    }
}

static bool reads_device(const struct tcgrr_stop *stop)
{
    for (guint i = 0; i < stop->touched->len; i++) {
        const struct tcgrr_touched *touched = &g_array_index(stop->touched, struct tcgrr_touched, i);
        if (touched->operand.load && touched->mapped && !touched->ram) {
            return true;
        }
    }
    return false;
}

/* Sees to it that the instruction's block was stepped through with all registers watched. */
static bool look_closely(struct tcgrr_trail *trail, guint *stop, tcgrr_moment *first, GError **error)
{
    struct tcgrr_search *search = &trail->search;
    tcgrr_moment moment = stop_of(trail, 0, *stop)->moment;
    uint64_t address = stop_of(trail, 0, *stop)->address;
    unsigned rest;

    if (!tcgrr_replay_pair_block(search->pair, moment, first, &rest, error)) {
        return false;
    }
    /* Perhaps the last walk did. */
    if (!search->watched && stop_of(trail, 0, 0)->moment <= *first) {
        return true;
    }
    if (!tcgrr_search_walk(search, *first, moment, 2, NULL, error)) {
        return false;
    }
    for (*stop = 0; *stop < search->common; (*stop)++) {
        const struct tcgrr_stop *at = stop_of(trail, 0, *stop);
        if (at->moment == moment && at->address == address) {
            return true;
        }
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "instruction %" G_GUINT64_FORMAT " was not there when it was stepped through again: a replay is not "
                "exact",
                moment);
    return false;
}

/* What an instruction takes in of what cannot be seen may have differed before: then it is not known to be the cause.
 */
static bool is_hidden(const struct tcgrr_trail *trail, const struct tcgrr_stop *const at[2], GError **error)
{
    const char *hidden = at[0]->inputs.hidden ? at[0]->inputs.hidden : at[1]->inputs.hidden;
    if (hidden) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the difference was followed back to icount %" G_GUINT64_FORMAT " of A, 0x%" G_GINT64_MODIFIER
                    "x: that instruction reads %s, which QEMU does not show; the cause is that one or lies before it",
                    tcgrr_replay_pair_icount(trail->search.pair, 0, at[0]->moment), at[0]->address, hidden);
    }
    return hidden != NULL;
}

/* Sets the kind of the cause, from the interrupts that were delivered and from what the instruction reads. */
static void explain(struct tcgrr_trail *trail, const struct tcgrr_stop *at, const bool interrupted[2])
{
    if (interrupted[0] != interrupted[1]) {
        tcgrr_trail_explain(trail, TCGRR_CAUSE_EVENT,
                            interrupted[0] ? "A delivers an interrupt before this instruction and B does not"
                                           : "B delivers an interrupt before this instruction and A does not");
    } else if (interrupted[0]) {
        tcgrr_trail_explain(trail, TCGRR_CAUSE_EVENT, "both deliver an interrupt here, and continue differently");
    } else if (at->inputs.known && at->inputs.outside) {
        tcgrr_trail_explain(
            trail, TCGRR_CAUSE_INPUT,
            "the instruction reads a port, a clock or a property of the machine, which gave the two different values");
    } else if (reads_device(at)) {
        tcgrr_trail_explain(trail, TCGRR_CAUSE_INPUT,
                            "the instruction reads a device, which gave the two different values");
    } else {
        explain_instruction(trail, at->moment, at->inputs.known);
    }
}

bool tcgrr_trail_conclude(struct tcgrr_trail *trail, guint stop, GError **error)
{
    const struct tcgrr_stop *at[] = {stop_of(trail, 0, stop), stop_of(trail, 1, stop)};
    const struct tcgrr_stop *next[] = {stop_of(trail, 0, stop + 1), stop_of(trail, 1, stop + 1)};
    bool interrupted[2] = {false, false};
    tcgrr_moment first;

    if (!at[0] || !at[1]) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the instruction was not there when it was stepped through again: a replay is not exact");
        return false;
    }
    if (is_hidden(trail, at, error)) {
        return false;
    }
    for (int side = 0; side < 2; side++) {
        bool stays = next[side] && next[side]->moment == at[side]->moment;
        if (stays &&
            !tcgrr_replay_pair_interrupted(trail->search.pair, side, at[side]->moment, &interrupted[side], error)) {
            return false;
        }
    }
    tcgrr_trail_set_place(trail, at[0]);
    if (!look_closely(trail, &stop, &first, error)) {
        return false;
    }
    for (int side = 0; side < 2; side++) {
        at[side] = stop_of(trail, side, stop);
    }
    if (!tcgrr_search_sure(&trail->search, stop)) {
        g_set_error(
            error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
            "it is in the block of the instruction at icount %" G_GUINT64_FORMAT
            " of A; QEMU does not show the flags between its instructions, which is why it cannot be narrowed down "
            "to one of them",
            trail->cause->icounts[0]);
        return false;
    }
    compare_registers(trail, stop);
    compare_memory(trail, stop);
    explain(trail, at[0], interrupted);
    tcgrr_trail_keep_scene(trail, stop, first);
    return true;
}

/* Sets the place, and the values of what is followed, at the first stop of the chain so far. */
bool tcgrr_trail_conclude_start(struct tcgrr_trail *trail, GError **error)
{
    struct tcgrr_cause_link none = {0};
    const struct tcgrr_cause_link *link =
        trail->cause->links->len > 0 ? g_ptr_array_index(trail->cause->links, 0) : &none;

    for (int side = 0; side < 2; side++) {
        trail->cause->icounts[side] = tcgrr_replay_pair_icount(trail->search.pair, side, 0);
    }
    trail->cause->pc = link->pc;
    trail->cause->length = link->length;
    memcpy(trail->cause->bytes, link->bytes, sizeof(link->bytes));
    g_autofree char *text = g_strdup_printf(
        "%s, which this instruction reads, already differs where the two runs begin to execute the same instructions",
        link->takes);
    tcgrr_trail_explain(trail, TCGRR_CAUSE_START, text);
    return true;
}

bool tcgrr_trail_conclude_device(struct tcgrr_trail *trail, guint stop, const struct tcgrr_location *location,
                                 GError **error)
{
    const struct tcgrr_place *place = &g_array_index(trail->search.places, struct tcgrr_place, location->place);
    const struct tcgrr_stop *next[] = {stop_of(trail, 0, stop + 1), stop_of(trail, 1, stop + 1)};
    struct tcgrr_cause_memory memory = {location->address, place->physical[0], place->size, {{0}, {0}}};

    tcgrr_trail_set_place(trail, stop_of(trail, 0, stop));
    for (int side = 0; side < 2; side++) {
        if (next[side]) {
            memcpy(memory.values[side], next[side]->contents[0].bytes, place->size);
        }
    }
    g_array_append_val(trail->cause->memory, memory);
    tcgrr_trail_explain(trail, TCGRR_CAUSE_DEVICE,
                        "memory began to differ while this instruction ran, which does not write there: a device did");
    return true;
}

bool tcgrr_trail_conclude_code(struct tcgrr_trail *trail, const struct tcgrr_stop *a, const struct tcgrr_stop *b,
                               GError **error)
{
    struct tcgrr_place place = {.size = MAX(a->length, b->length)};
    struct tcgrr_location location = {.memory = true, .address = a->address};
    bool mapped;
    bool found = false;
    guint stop;

    tcgrr_trail_set_place(trail, a);
    if (!tcgrr_replay_pair_translate(trail->search.pair, a->moment, a->address, place.physical, &mapped, error)) {
        return false;
    }
    if (mapped) {
        tcgrr_moment moment = a->moment;
        location.place = tcgrr_search_place(&trail->search, &place);
        g_array_set_size(trail->wanted, 0);
        g_array_append_val(trail->wanted, location);
        if (!tcgrr_search_back(&trail->search, moment, trail->wanted, &stop, &found, error)) {
            return false;
        }
    }
    if (found) {
        return tcgrr_trail_follow(trail, stop, error);
    }
    tcgrr_trail_explain(trail, TCGRR_CAUSE_CODE, "the two guests have different instructions here");
    return true;
}

static void add_missing(struct tcgrr_trail *trail, int side)
{
    const struct tcgrr_register_layout *all = tcgrr_replay_pair_registers(trail->search.pair, side);
    const struct tcgrr_register_layout *other = tcgrr_replay_pair_registers(trail->search.pair, !side);

    for (guint i = 0; i < all->list->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(all->list, i);
        if (!tcgrr_register_layout_find(other, reg->name)) {
            g_ptr_array_add(trail->cause->left_out, g_strdup(reg->name));
        }
    }
}

void tcgrr_trail_left_out(struct tcgrr_trail *trail)
{
    add_missing(trail, 0);
    add_missing(trail, 1);
}
