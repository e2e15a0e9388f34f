/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/twins_internal.h"

#include <string.h>

#include "store/error.h"

static void pair_registers(struct tcgrr_twins *twins)
{
    const GPtrArray *list = twins->registers[0]->list;

    twins->others = g_new0(const struct tcgrr_register *, list->len);
    twins->compared = g_new0(bool, list->len);
    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(list, i);
        const char *const *ignore = twins->options.ignore;
        twins->others[i] = tcgrr_registers_find(twins->registers[1], reg->name);
        twins->compared[i] = twins->others[i] && tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PLAIN &&
                             !(ignore && g_strv_contains(ignore, reg->name));
    }
}

struct opening {
    struct tcgrr_twins *twins;
    int side;
    GError *error;
};

static const char *qemu_of(const struct tcgrr_twin_options *options, int side)
{
    return options->qemus[side] ? options->qemus[side] : tcgrr_reader_run(options->readers[side])->qemu_path;
}

static gpointer probe_side(gpointer data)
{
    struct opening *opening = data;
    const struct tcgrr_twin_options *options = &opening->twins->options;
    struct tcgrr_qemu *qemu = &opening->twins->qemus[opening->side];

    if (options->known[opening->side]) {
        tcgrr_qemu_copy(qemu, options->known[opening->side]);
        return GINT_TO_POINTER(true);
    }
    bool good = tcgrr_qemu_probe(qemu_of(options, opening->side), options->plugin, qemu, &opening->error);
    return GINT_TO_POINTER(good);
}

static bool prepare_side(struct tcgrr_twins *twins, int side, GError **error)
{
    const struct tcgrr_twin_options *options = &twins->options;
    struct tcgrr_rerun_options rerun = {
        .reader = options->readers[side],
        .known = &twins->qemus[side],
        .hang_ms = options->hang_ms,
        .stop = options->stop,
    };
    twins->sides[side] = tcgrr_side_stored(options->readers[side], error);
    twins->reruns[side] = twins->sides[side] ? tcgrr_rerun_new(&rerun, error) : NULL;
    twins->decoders[side] = tcgrr_decoder_new(twins->qemus[side].target);
    return twins->reruns[side] != NULL;
}

static gpointer learn_registers(gpointer data)
{
    struct opening *opening = data;
    struct tcgrr_twins *twins = opening->twins;
    struct tcgrr_paused *paused = tcgrr_paused_start(twins->reruns[opening->side], &opening->error);

    if (paused) {
        twins->registers[opening->side] = tcgrr_registers_ref(tcgrr_paused_registers(paused));
    }
    tcgrr_paused_free(paused);
    return GINT_TO_POINTER(paused != NULL);
}

static bool for_both(struct tcgrr_twins *twins, GThreadFunc work, GError **error)
{
    struct opening opening[] = {{twins, 0, NULL}, {twins, 1, NULL}};
    bool good = tcgrr_both_sides(work, &opening[0], &opening[1]);
    if (!good) {
        tcgrr_propagate_first(error, opening[0].error, opening[1].error);
    }
    return good;
}

struct tcgrr_twins *tcgrr_twins_new(const struct tcgrr_twin_options *options, GError **error)
{
    struct tcgrr_twins *twins = g_new0(struct tcgrr_twins, 1);

    twins->options = *options;
    if (!for_both(twins, probe_side, error) || !prepare_side(twins, 0, error) || !prepare_side(twins, 1, error) ||
        !for_both(twins, learn_registers, error)) {
        tcgrr_twins_free(twins);
        return NULL;
    }
    pair_registers(twins);
    twins->last[0] = twins->last[1] = UINT64_MAX;
    return twins;
}

struct tcgrr_twins *tcgrr_twins_alone(const struct tcgrr_twin_options *options, GError **error)
{
    struct tcgrr_twins *twins = g_new0(struct tcgrr_twins, 1);
    struct opening opening = {twins, 0, NULL};

    twins->options = *options;
    bool good = GPOINTER_TO_INT(probe_side(&opening)) && prepare_side(twins, 0, &opening.error) &&
                GPOINTER_TO_INT(learn_registers(&opening));
    if (!good) {
        g_propagate_error(error, opening.error);
        tcgrr_twins_free(twins);
        return NULL;
    }
    twins->last[0] = UINT64_MAX;
    return twins;
}

struct tcgrr_paused *tcgrr_twins_stand(struct tcgrr_twins *twins, tcgrr_moment moment, GError **error)
{
    struct tcgrr_paused *paused = tcgrr_paused_start(twins->reruns[0], error);

    if (paused && !tcgrr_paused_go(paused, tcgrr_twins_icount(twins, 0, moment), error)) {
        tcgrr_paused_free(paused);
        return NULL;
    }
    return paused;
}

struct tcgrr_decoder *tcgrr_twins_decoder(struct tcgrr_twins *twins, int side)
{
    return twins->decoders[side];
}

void tcgrr_twins_free(struct tcgrr_twins *twins)
{
    if (!twins) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        tcgrr_rerun_free(twins->reruns[side]);
        tcgrr_registers_unref(twins->registers[side]);
        tcgrr_decoder_free(twins->decoders[side]);
        tcgrr_qemu_clear(&twins->qemus[side]);
        g_free(twins->obstacles[side]);
        if (twins->sides[side]) {
            twins->sides[side]->ops->free(twins->sides[side]);
        }
    }
    g_free(twins->others);
    g_free(twins->compared);
    g_free(twins);
}

tcgrr_icount tcgrr_twins_icount(const struct tcgrr_twins *twins, int side, tcgrr_moment moment)
{
    return twins->options.start[side] + moment;
}

const struct tcgrr_qemu *tcgrr_twins_qemu(const struct tcgrr_twins *twins, int side)
{
    return &twins->qemus[side];
}

static void note_event(const struct tcgrr_event *event, void *data)
{
    bool *seen = data;
    *seen = true;
}

bool tcgrr_twins_quiet(struct tcgrr_twins *twins, tcgrr_moment moment, tcgrr_moment *quiet, GError **error)
{
    for (*quiet = moment;; (*quiet)--) {
        bool seen = false;
        for (int side = 0; side < 2; side++) {
            tcgrr_icount icount = tcgrr_twins_icount(twins, side, *quiet);
            if (!tcgrr_reader_events(twins->options.readers[side], icount, icount, note_event, &seen, error)) {
                return false;
            }
        }
        if (!seen || *quiet == 0) {
            return true;
        }
    }
}

/* Where a side began the execution that is under way at a moment. */
static bool began(struct tcgrr_twins *twins, int side, tcgrr_moment moment, tcgrr_moment *begin, GError **error)
{
    tcgrr_icount icount = tcgrr_twins_icount(twins, side, moment);
    struct tcgrr_stretch stretch;

    *begin = moment;
    tcgrr_stretch_init(&stretch);
    bool good = twins->sides[side]->ops->stretch(twins->sides[side], icount, icount + 1, &stretch, error);
    if (good && stretch.execs->len > 0) {
        tcgrr_icount first = g_array_index(stretch.execs, struct tcgrr_exec, 0).icount;
        *begin = moment - MIN(icount - first, moment);
    }
    tcgrr_stretch_clear(&stretch);
    return good;
}

bool tcgrr_twins_boundary(struct tcgrr_twins *twins, tcgrr_moment moment, tcgrr_moment *boundary, GError **error)
{
    bool shared = twins->options.readers[0] == twins->options.readers[1];
    tcgrr_moment begin[2];

    *boundary = moment;
    do {
        moment = *boundary;
        if (!tcgrr_twins_quiet(twins, moment, boundary, error) || !began(twins, 0, *boundary, &begin[0], error)) {
            return false;
        }
        begin[1] = begin[0];
        if (!shared && !began(twins, 1, *boundary, &begin[1], error)) {
            return false;
        }
        *boundary = MIN(begin[0], begin[1]);
    } while (*boundary != moment);
    return true;
}

static void note_interrupt(const struct tcgrr_event *event, void *data)
{
    bool *seen = data;
    *seen = *seen || event->kind == TCGRR_EVENT_INTERRUPT;
}

bool tcgrr_twins_interrupted(struct tcgrr_twins *twins, int side, tcgrr_moment moment, bool *interrupted,
                             GError **error)
{
    tcgrr_icount icount = tcgrr_twins_icount(twins, side, moment);
    *interrupted = false;
    return tcgrr_reader_events(twins->options.readers[side], icount, icount, note_interrupt, interrupted, error);
}

bool tcgrr_twins_translate(struct tcgrr_twins *twins, tcgrr_moment moment, uint64_t address, uint64_t physical[2],
                           bool *mapped, GError **error)
{
    *mapped = true;
    for (int side = 0; side < 2; side++) {
        struct tcgrr_paused *paused = tcgrr_paused_start(twins->reruns[side], error);
        bool there = false;
        bool good = paused && tcgrr_paused_go(paused, tcgrr_twins_icount(twins, side, moment), error) &&
                    tcgrr_paused_translate(paused, address, &physical[side], &there, error);
        tcgrr_paused_free(paused);
        if (!good) {
            return false;
        }
        *mapped = *mapped && there;
    }
    return true;
}

const char *tcgrr_twins_obstacle(const struct tcgrr_twins *twins, int side, tcgrr_moment moment)
{
    return twins->last[side] == moment ? twins->obstacles[side] : NULL;
}

bool tcgrr_twins_block(struct tcgrr_twins *twins, tcgrr_moment moment, tcgrr_moment *first, unsigned *rest,
                       GError **error)
{
    tcgrr_icount icount = tcgrr_twins_icount(twins, 0, moment);
    struct tcgrr_side *side = twins->sides[0];
    struct tcgrr_stretch stretch;

    *first = moment;
    *rest = 1;
    tcgrr_stretch_init(&stretch);
    bool good = side->ops->stretch(side, icount, icount + 1, &stretch, error);
    if (good && stretch.execs->len > 0) {
        const struct tcgrr_exec *exec = &g_array_index(stretch.execs, struct tcgrr_exec, 0);
        tcgrr_icount begin = exec->icount;
        *rest = exec->block->insns - (unsigned)MIN(icount - begin, exec->block->insns);
        *first = begin > tcgrr_twins_icount(twins, 0, 0) ? moment - (icount - begin) : 0;
    }
    tcgrr_stretch_clear(&stretch);
    return good;
}

struct tcgrr_registers *tcgrr_twins_registers(const struct tcgrr_twins *twins, int side)
{
    return twins->registers[side];
}

const struct tcgrr_register *tcgrr_twins_other(const struct tcgrr_twins *twins, unsigned index)
{
    return twins->others[index];
}

bool tcgrr_twins_know(const struct tcgrr_twins *twins, const uint8_t *const states[2], unsigned index)
{
    const struct tcgrr_register *other = twins->others[index];
    return other && tcgrr_state_knows(states[0], index) && tcgrr_state_knows(states[1], other->index);
}

uint64_t tcgrr_twins_difference(const struct tcgrr_twins *twins, const uint8_t *const states[2], unsigned index)
{
    const struct tcgrr_register *a = g_ptr_array_index(twins->registers[0]->list, index);
    const struct tcgrr_register *b = twins->others[index];

    if (!twins->compared[index] || !tcgrr_twins_know(twins, states, index)) {
        return 0;
    }
    uint64_t low =
        tcgrr_state_number(twins->registers[0], states[0], a) ^ tcgrr_state_number(twins->registers[1], states[1], b);
    if (a->bytes != b->bytes) {
        unsigned bytes = MIN(a->bytes, b->bytes);
        return bytes < 8 ? low & ((UINT64_C(1) << 8 * bytes) - 1) : low;
    }
    bool same = memcmp(tcgrr_state_value(states[0], a), tcgrr_state_value(states[1], b), a->bytes) == 0;
    return same ? 0 : low ? low : UINT64_MAX;
}

/* ---- looking at moments ---- */

bool *tcgrr_watched_registers(const struct tcgrr_twins *twins, int side, const struct tcgrr_watch *watch)
{
    const GPtrArray *list = twins->registers[0]->list;
    if (!watch->registers) {
        return NULL;
    }
    bool *own = g_new0(bool, twins->registers[side]->list->len);
    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_register *reg = side == 0 ? g_ptr_array_index(list, i) : twins->others[i];
        if (reg) {
            own[reg->index] = watch->registers[i];
        }
    }
    return own;
}

bool tcgrr_read_places(struct tcgrr_paused *paused, int side, const GArray *places, struct tcgrr_content *contents,
                       GError **error)
{
    for (guint i = 0; i < places->len; i++) {
        const struct tcgrr_place *place = &g_array_index(places, struct tcgrr_place, i);
        if (!tcgrr_paused_read_memory(paused, place->physical[side], place->size, contents[i].bytes, &contents[i].ram,
                                      error)) {
            return false;
        }
    }
    return true;
}

struct looking {
    struct tcgrr_twins *twins;
    int side;
    GPtrArray *looks;
    const GArray *places;
    bool *registers;
    GError *error;
};

bool tcgrr_look_through(struct tcgrr_twins *twins, int side, GPtrArray *looks, const bool *registers,
                        const GArray *places, struct tcgrr_paused *paused, GError **error)
{
    for (guint i = 0; i < looks->len; i++) {
        struct tcgrr_look *look = g_ptr_array_index(looks, i);
        if (!tcgrr_paused_go(paused, tcgrr_twins_icount(twins, side, look->moment), error) ||
            !tcgrr_paused_read_state(paused, registers, look->states[side], error) ||
            !tcgrr_read_places(paused, side, places, look->contents[side], error)) {
            return false;
        }
    }
    return true;
}

static gpointer look_at_side(gpointer data)
{
    struct looking *looking = data;
    struct tcgrr_paused *paused = tcgrr_paused_start(looking->twins->reruns[looking->side], &looking->error);

    bool good = paused && tcgrr_look_through(looking->twins, looking->side, looking->looks, looking->registers,
                                             looking->places, paused, &looking->error);
    tcgrr_paused_free(paused);
    return GINT_TO_POINTER(good);
}

bool tcgrr_both_sides(GThreadFunc work, gpointer a, gpointer b)
{
    GThread *thread = g_thread_new("tcgrr-side", work, b);
    bool good = GPOINTER_TO_INT(work(a));
    return GPOINTER_TO_INT(g_thread_join(thread)) && good;
}

void tcgrr_look_free(gpointer data)
{
    struct tcgrr_look *look = data;
    for (int side = 0; side < 2; side++) {
        g_free(look->states[side]);
        g_free(look->contents[side]);
    }
    g_free(look);
}

GPtrArray *tcgrr_looks_new(const struct tcgrr_twins *twins, const tcgrr_moment *moments, guint count,
                           const struct tcgrr_watch *watch)
{
    GPtrArray *looks = g_ptr_array_new_with_free_func(tcgrr_look_free);

    for (guint i = 0; i < count; i++) {
        struct tcgrr_look *look = g_new0(struct tcgrr_look, 1);
        look->moment = moments[i];
        for (int side = 0; side < 2; side++) {
            look->states[side] = g_malloc0(twins->registers[side]->state_bytes);
            look->contents[side] = g_new0(struct tcgrr_content, watch->places->len);
        }
        g_ptr_array_add(looks, look);
    }
    return looks;
}

bool tcgrr_twins_look(struct tcgrr_twins *twins, GPtrArray *looks, const struct tcgrr_watch *watch, GError **error)
{
    struct looking looking[2];

    for (int side = 0; side < 2; side++) {
        looking[side] =
            (struct looking){twins, side, looks, watch->places, tcgrr_watched_registers(twins, side, watch), NULL};
    }
    bool good = tcgrr_both_sides(look_at_side, &looking[0], &looking[1]);
    g_free(looking[0].registers);
    g_free(looking[1].registers);
    if (!good) {
        tcgrr_propagate_first(error, looking[0].error, looking[1].error);
    }
    return good;
}

void tcgrr_propagate_first(GError **error, GError *a, GError *b)
{
    if (a && b) {
        g_error_free(b);
    }
    g_propagate_error(error, a ? a : b);
}
