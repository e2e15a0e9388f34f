/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going through two runs instruction by instruction. */
#include "replay/cause/replay_pair_internal.h"

#include <string.h>

#include "replay/cause/accesses.h"
#include "store/error.h"

/* An instruction of the recorded run. */
struct code {
    tcgrr_icount icount; /* UINT64_MAX: it did not retire */
    uint64_t pc;
    uint8_t length;
    uint8_t bytes[16];
};

struct walking {
    struct tcgrr_replay_pair *pair;
    int side;
    tcgrr_moment from;
    tcgrr_moment to;
    unsigned more;
    const GArray *places;
    bool *registers;
    GArray *code;         /* struct code */
    GPtrArray *snapshots; /* to take before; NULL: none */
    GPtrArray *stops;
    GPtrArray *operands; /* GArray of struct tcgrr_touched, what each stop's instruction accessed when it was stepped
                            through before; NULL: it is being found out, or need not be */
    const struct tcgrr_register *pc;
};

/* ---- what was recorded of the stretch ---- */

static void add_code(GArray *code, const struct tcgrr_exec *exec)
{
    const struct tcgrr_block *block = exec->block;
    uint32_t offset = 0;

    for (uint32_t i = 0; i < block->insns; offset += block->lengths[i++]) {
        struct code insn = {i < exec->ran ? exec->icount + i : UINT64_MAX, block->pc + offset, block->lengths[i], {0}};
        if (block->lengths[i] <= sizeof(insn.bytes)) {
            memcpy(insn.bytes, block->bytes + offset, insn.length);
            g_array_append_val(code, insn);
        }
    }
}

static bool load_code(struct walking *walking, GError **error)
{
    struct tcgrr_run_source *side = walking->pair->sides[walking->side];
    tcgrr_icount from = tcgrr_replay_pair_icount(walking->pair, walking->side, walking->from);
    tcgrr_icount to = tcgrr_replay_pair_icount(walking->pair, walking->side, walking->to) + walking->more + 1;
    struct tcgrr_stretch stretch;

    tcgrr_stretch_init(&stretch);
    bool good = side->ops->stretch(side, from, to, &stretch, error);
    for (guint i = 0; good && i < stretch.execs->len; i++) {
        add_code(walking->code, &g_array_index(stretch.execs, struct tcgrr_exec, i));
    }
    tcgrr_stretch_clear(&stretch);
    return good;
}

/*
 * The recorded instruction at `pc`. In x86's real mode the trace has linear addresses and the stub offsets
 * in a segment.
 */
static const struct code *find_code(const struct walking *walking, tcgrr_icount icount, uint64_t pc)
{
    const struct code *found = NULL;

    for (guint i = 0; i < walking->code->len; i++) {
        const struct code *code = &g_array_index(walking->code, struct code, i);
        bool there = code->pc == pc;
        if (code->icount == icount && (there || (pc <= UINT16_MAX && (code->pc - pc) % 16 == 0))) {
            return code;
        }
        found = there ? code : found;
    }
    return found;
}

/* ---- stops ---- */

static void free_stop(gpointer data)
{
    struct tcgrr_stop *stop = data;
    g_free(stop->state);
    g_free(stop->contents);
    tcgrr_insn_inputs_clear(&stop->inputs);
    g_array_unref(stop->touched);
    g_free(stop);
}

static bool touch(struct tcgrr_paused *paused, struct tcgrr_touched *touched, GError **error)
{
    touched->size = MIN(touched->operand.size, (uint16_t)TCGRR_PLACE_MAX);
    if (!tcgrr_paused_translate(paused, touched->operand.address, &touched->physical, &touched->mapped, error)) {
        return false;
    }
    return !touched->mapped ||
           tcgrr_paused_read_memory(paused, touched->physical, touched->size, touched->before, &touched->ram, error);
}

/*
 * Reads the memory that the next instruction will access, if that is known. Mostly it is not: QEMU reports it only when
 * the instruction has run.
 */
static bool touch_ahead(struct walking *walking, struct tcgrr_paused *paused, struct tcgrr_stop *stop, GError **error)
{
    guint index = walking->stops->len - 1;
    const GArray *before =
        walking->operands && index < walking->operands->len ? g_ptr_array_index(walking->operands, index) : NULL;
    bool decoded = !tcgrr_paused_accesses(paused) || stop->inputs.unreported;
    guint count = before ? before->len : decoded ? stop->inputs.memory->len : 0;

    for (guint i = 0; i < count; i++) {
        struct tcgrr_touched touched = {.operand = before
                                                       ? g_array_index(before, struct tcgrr_touched, i).operand
                                                       : g_array_index(stop->inputs.memory, struct tcgrr_operand, i)};
        if (!touch(paused, &touched, error)) {
            return false;
        }
        g_array_append_val(stop->touched, touched);
    }
    return true;
}

/* Reads the registers that the instruction ahead reads; all where that is not known. */
static bool read_inputs(struct walking *walking, struct tcgrr_paused *paused, struct tcgrr_stop *stop, GError **error)
{
    g_autofree bool *wanted = NULL;

    if (stop->inputs.known) {
        wanted = g_new0(bool, walking->pair->registers[walking->side]->list->len);
        for (guint i = 0; i < stop->inputs.registers->len; i++) {
            wanted[g_array_index(stop->inputs.registers, struct tcgrr_insn_input, i).index] = true;
        }
    }
    return tcgrr_paused_read_more(paused, wanted, stop->state, error);
}

/* Determines the inputs of the next instruction, and the memory that it will access. */
static bool look_ahead(struct walking *walking, struct tcgrr_paused *paused, struct tcgrr_stop *stop, GError **error)
{
    const struct code *code = find_code(walking, tcgrr_paused_icount(paused), stop->pc);
    if (!code) {
        return true;
    }
    bool there;
    stop->address = code->pc;
    stop->length = code->length;
    memcpy(stop->bytes, code->bytes, sizeof(stop->bytes));
    /* The code is read from memory, because a side that replays the other's recording has no recording of its own. */
    if (!tcgrr_paused_read_code(paused, code->pc, stop->length, stop->bytes, &there, error)) {
        return false;
    }
    tcgrr_decoder_inputs(walking->pair->decoders[walking->side], walking->pair->registers[walking->side], stop->state,
                         code->pc, stop->bytes, stop->length, &stop->inputs);
    if (!read_inputs(walking, paused, stop, error)) {
        return false;
    }
    return touch_ahead(walking, paused, stop, error);
}

static bool add_stop(struct walking *walking, struct tcgrr_paused *paused, GError **error)
{
    const struct tcgrr_register_layout *registers = walking->pair->registers[walking->side];
    struct tcgrr_stop *stop = g_new0(struct tcgrr_stop, 1);

    g_ptr_array_add(walking->stops, stop);
    stop->moment = tcgrr_paused_icount(paused) - tcgrr_replay_pair_icount(walking->pair, walking->side, 0);
    stop->state = g_malloc0(registers->state_bytes);
    stop->contents = g_new0(struct tcgrr_content, walking->places->len);
    stop->touched = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_touched));
    tcgrr_insn_inputs_init(&stop->inputs);
    if (!tcgrr_paused_read_state(paused, walking->registers, stop->state, error) ||
        !tcgrr_read_places(paused, walking->side, walking->places, stop->contents, error)) {
        return false;
    }
    stop->pc = walking->pc ? tcgrr_state_number(registers, stop->state, walking->pc) : 0;
    stop->address = stop->pc;
    return look_ahead(walking, paused, stop, error);
}

/*
 * Takes the accesses that QEMU reports for the last step. A step that delivers an interrupt, or ends in a fault,
 * executes no instruction: its accesses are the processor's own.
 */
static void take_accesses(struct walking *walking, struct tcgrr_paused *paused, struct tcgrr_stop *stop)
{
    const struct tcgrr_peek *peek = tcgrr_paused_accesses(paused);
    tcgrr_icount before = tcgrr_replay_pair_icount(walking->pair, walking->side, stop->moment);

    if (!peek || tcgrr_paused_icount(paused) == before) {
        return;
    }
    if (peek->count > 0 && !walking->operands) {
        g_array_set_size(stop->touched, 0);
        tcgrr_accesses_take(peek, stop->touched);
    }
    if (stop->inputs.loads && stop->touched->len == 0 && !stop->inputs.hidden) {
        stop->inputs.hidden = "memory";
    }
}

/* Reads the memory to which the last instruction stored. */
static bool look_back(struct walking *walking, struct tcgrr_paused *paused, GError **error)
{
    struct tcgrr_stop *stop = g_ptr_array_index(walking->stops, walking->stops->len - 1);

    take_accesses(walking, paused, stop);

    for (guint i = 0; i < stop->touched->len; i++) {
        struct tcgrr_touched *touched = &g_array_index(stop->touched, struct tcgrr_touched, i);
        if (touched->operand.store && touched->ram && !touched->blind &&
            !tcgrr_paused_read_memory(paused, touched->physical, touched->size, touched->after, &touched->ram, error)) {
            return false;
        }
    }
    tcgrr_accesses_split(stop->touched);
    return true;
}

/* A run may not get past the instruction at which it diverges from the other; that is then its last stop. */
static bool is_over(struct walking *walking, struct tcgrr_paused *paused, tcgrr_moment moment, GError **problem)
{
    struct tcgrr_replay_pair *pair = walking->pair;

    if (moment < walking->to || tcgrr_paused_doubtful(paused) || (*problem)->code == TCGRR_ERROR_STOPPED) {
        return false;
    }
    g_free(pair->obstacles[walking->side]);
    pair->obstacles[walking->side] = g_strdup((*problem)->message);
    pair->last[walking->side] = moment;
    g_clear_error(problem);
    return true;
}

/* Makes one step; *over: it is not possible. */
static bool advance(struct walking *walking, struct tcgrr_paused *paused, bool *over, GError **error)
{
    tcgrr_moment moment = tcgrr_paused_icount(paused) - tcgrr_replay_pair_icount(walking->pair, walking->side, 0);
    GError *problem = NULL;

    *over = moment >= walking->pair->last[walking->side];
    if (*over) {
        return true;
    }
    if (!tcgrr_paused_step(paused, &problem)) {
        *over = is_over(walking, paused, moment, &problem);
        if (!*over) {
            g_propagate_error(error, problem);
        }
        return *over;
    }
    return look_back(walking, paused, error) && add_stop(walking, paused, error);
}

static bool walk(struct walking *walking, struct tcgrr_paused *paused, GError **error)
{
    tcgrr_icount from = tcgrr_replay_pair_icount(walking->pair, walking->side, walking->from);
    tcgrr_icount to = tcgrr_replay_pair_icount(walking->pair, walking->side, walking->to);
    unsigned more = walking->more;
    unsigned steps = 0;
    bool over = false;

    if (walking->snapshots && !tcgrr_snapshot_through(walking->pair, walking->side, walking->snapshots,
                                                      walking->registers, walking->places, paused, error)) {
        return false;
    }
    if (!tcgrr_paused_go(paused, from, error) || !add_stop(walking, paused, error)) {
        return false;
    }
    for (; !over && (tcgrr_paused_icount(paused) < to || more > 0); steps++) {
        more -= tcgrr_paused_icount(paused) >= to;
        if (steps > 4 * (walking->to - walking->from + walking->more + 16)) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG,
                        "%s took %u steps from icount %" G_GUINT64_FORMAT " without reaching %" G_GUINT64_FORMAT,
                        tcgrr_replay_pair_qemu(walking->pair, walking->side)->path, steps, from, to);
            return false;
        }
        if (!advance(walking, paused, &over, error)) {
            return false;
        }
    }
    return true;
}

/* ---- flags that could not be read everywhere ---- */

/* Whether the instruction ahead of the stop, which retires before `next`, leaves register `flags` alone. */
static bool leaves_flags(const struct tcgrr_stop *stop, const struct tcgrr_stop *next, unsigned flags)
{
    const struct tcgrr_insn_inputs *inputs = &stop->inputs;
    bool writes = inputs->flags != 0;

    for (guint i = 0; i < inputs->written->len; i++) {
        writes = writes || g_array_index(inputs->written, unsigned, i) == flags;
    }
    return inputs->known && inputs->flags_known && !inputs->outside && !writes && next->moment == stop->moment + 1;
}

static void carry(struct tcgrr_stop *to, const struct tcgrr_stop *from, const struct tcgrr_register *reg)
{
    if (!tcgrr_state_knows(to->state, reg->index) && tcgrr_state_knows(from->state, reg->index)) {
        to->state[reg->index] = from->state[reg->index];
        memcpy(to->state + reg->offset, from->state + reg->offset, reg->bytes);
    }
}

/* Inside a block a program's flags are not read (paused_program.h), but those from before an instruction that writes
 * none are those from after it. */
static void carry_flags(const struct walking *walking)
{
    const struct tcgrr_register *reg = tcgrr_register_layout_find(walking->pair->registers[walking->side], "eflags");
    struct tcgrr_stop **stops = (struct tcgrr_stop **)walking->stops->pdata;

    for (guint i = walking->stops->len; reg && i > 1; i--) {
        if (leaves_flags(stops[i - 2], stops[i - 1], reg->index)) {
            carry(stops[i - 2], stops[i - 1], reg);
        }
    }
    for (guint i = 1; reg && i < walking->stops->len; i++) {
        if (leaves_flags(stops[i - 1], stops[i], reg->index)) {
            carry(stops[i], stops[i - 1], reg);
        }
    }
}

/* All the legs of a side. */
struct route {
    struct walking *walkings;
    unsigned count;
    GError *error;
};

static bool walk_all(struct tcgrr_paused *paused, void *data, GError **error)
{
    struct route *route = data;
    bool good = true;

    for (unsigned i = 0; i < route->count; i++) {
        g_ptr_array_set_size(route->walkings[i].stops, 0);
    }
    for (unsigned i = 0; i < route->count && good; i++) {
        good = walk(&route->walkings[i], paused, error);
        if (good) {
            carry_flags(&route->walkings[i]);
        }
    }
    return good;
}

/* For a QEMU that reports accesses without values, the stretch is stepped through twice, so that memory can be read
 * before it is accessed. Returns whether there are any accesses. */
static bool collect_operands(struct route *route)
{
    bool any = false;

    for (unsigned i = 0; i < route->count; i++) {
        struct walking *walking = &route->walkings[i];
        walking->operands = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
        walking->snapshots = NULL;
        for (guint k = 0; k < walking->stops->len; k++) {
            const struct tcgrr_stop *stop = g_ptr_array_index(walking->stops, k);
            g_ptr_array_add(walking->operands, g_array_ref(stop->touched));
            any |= stop->touched->len > 0 && stop->inputs.memory->len == 0;
        }
    }
    return any;
}

static gpointer walk_side(gpointer data)
{
    struct route *route = data;
    const struct walking *first = &route->walkings[0];
    const struct tcgrr_snapshot *snapshot =
        first->snapshots && first->snapshots->len > 0 ? g_ptr_array_index(first->snapshots, 0) : NULL;
    tcgrr_moment near = snapshot ? snapshot->moment : first->from;
    bool good = tcgrr_replay_pair_with(first->pair, first->side, near, true, walk_all, route, &route->error);
    if (good && tcgrr_replay_pair_qemu(first->pair, first->side)->api < 4 && collect_operands(route)) {
        good = tcgrr_replay_pair_with(first->pair, first->side, first->from, true, walk_all, route, &route->error);
    }
    return GINT_TO_POINTER(good);
}

static const struct tcgrr_register *find_pc(const struct tcgrr_register_layout *registers)
{
    for (guint i = 0; i < registers->list->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(registers->list, i);
        if (tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PC) {
            return reg;
        }
    }
    return NULL;
}

static void begin(struct tcgrr_replay_pair *pair, int side, struct tcgrr_segment *segment, struct walking *walking)
{
    segment->stops[side] = g_ptr_array_new_with_free_func(free_stop);
    *walking = (struct walking){.pair = pair,
                                .side = side,
                                .from = segment->from,
                                .to = segment->to,
                                .more = segment->more,
                                .places = segment->watch.places,
                                .registers = tcgrr_watched_registers(pair, side, &segment->watch),
                                .code = g_array_new(FALSE, FALSE, sizeof(struct code)),
                                .stops = segment->stops[side],
                                .pc = find_pc(pair->registers[side])};
}

static void finish(struct walking *walking)
{
    g_array_unref(walking->code);
    g_free(walking->registers);
    g_clear_pointer(&walking->operands, g_ptr_array_unref);
}

bool tcgrr_replay_pair_walk(struct tcgrr_replay_pair *pair, struct tcgrr_segment *segments, unsigned count,
                            GPtrArray *snapshots, GError **error)
{
    g_autofree struct walking *walkings = g_new0(struct walking, 2 * (size_t)count);
    struct route routes[] = {{walkings, count, NULL}, {walkings + count, count, NULL}};
    bool good = true;

    for (unsigned i = 0; i < 2 * count; i++) {
        begin(pair, i / count, &segments[i % count], &walkings[i]);
        walkings[i].snapshots = i % count == 0 ? snapshots : NULL;
    }
    for (unsigned i = 0; i < 2 * count && good; i++) {
        good = load_code(&walkings[i], error);
    }
    if (good) {
        good = tcgrr_both_sides(walk_side, &routes[0], &routes[1]);
        if (!good) {
            tcgrr_propagate_first(error, routes[0].error, routes[1].error);
        }
    }
    for (unsigned i = 0; i < 2 * count; i++) {
        finish(&walkings[i]);
        if (!good) {
            g_clear_pointer(&segments[i % count].stops[i / count], g_ptr_array_unref);
        }
    }
    return good;
}

bool tcgrr_replay_pair_walk_alone(struct tcgrr_replay_pair *pair, struct tcgrr_segment *segments, unsigned count,
                                  GError **error)
{
    g_autofree struct walking *walkings = g_new0(struct walking, count);
    struct route route = {walkings, count, NULL};
    bool good = true;

    for (unsigned i = 0; i < count; i++) {
        begin(pair, 0, &segments[i], &walkings[i]);
    }
    for (unsigned i = 0; i < count && good; i++) {
        good = load_code(&walkings[i], &route.error);
    }
    good = good && GPOINTER_TO_INT(walk_side(&route));
    for (unsigned i = 0; i < count; i++) {
        finish(&walkings[i]);
        if (!good) {
            g_clear_pointer(&segments[i].stops[0], g_ptr_array_unref);
        }
    }
    if (!good) {
        g_propagate_error(error, route.error);
    }
    return good;
}
