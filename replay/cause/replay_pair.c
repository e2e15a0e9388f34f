/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/replay_pair_internal.h"

#include <string.h>

#include "emu/qemu/images.h"
#include "emu/qemu/vmstate.h"
#include "store/error.h"

static void pair_registers(struct tcgrr_replay_pair *pair)
{
    const GPtrArray *list = pair->registers[0]->list;

    pair->others = g_new0(const struct tcgrr_register *, list->len);
    pair->compared = g_new0(bool, list->len);
    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(list, i);
        const char *const *ignore = pair->options.ignore;
        pair->others[i] = tcgrr_register_layout_find(pair->registers[1], reg->name);
        pair->compared[i] = pair->others[i] && tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PLAIN &&
                            !(ignore && g_strv_contains(ignore, reg->name));
    }
}

struct opening {
    struct tcgrr_replay_pair *pair;
    int side;
    GError *error;
};

static const char *qemu_of(const struct tcgrr_replay_pair_options *options, int side)
{
    return options->qemus[side] ? options->qemus[side] : tcgrr_reader_run(options->readers[side])->qemu_path;
}

static gpointer probe_side(gpointer data)
{
    struct opening *opening = data;
    const struct tcgrr_replay_pair_options *options = &opening->pair->options;
    struct tcgrr_qemu *qemu = &opening->pair->qemus[opening->side];

    const struct tcgrr_rerun *rerun = opening->pair->reruns[opening->side];
    const struct tcgrr_qemu *known = rerun ? tcgrr_rerun_qemu(rerun) : options->known[opening->side];

    if (known) {
        tcgrr_qemu_copy(qemu, known);
        return GINT_TO_POINTER(true);
    }
    bool good = tcgrr_qemu_probe(qemu_of(options, opening->side), options->plugin, qemu, &opening->error);
    return GINT_TO_POINTER(good);
}

static bool prepare_side(struct tcgrr_replay_pair *pair, int side, bool alone, GError **error)
{
    const struct tcgrr_replay_pair_options *options = &pair->options;
    struct tcgrr_rerun_options rerun = {
        .reader = options->readers[side],
        .known = &pair->qemus[side],
        .plugin = options->plugin,
        .extra = side == 1 ? options->extra : NULL,
        .visits = alone,
        .hang_ms = options->hang_ms,
        .stop = options->stop,
    };
    pair->sides[side] = tcgrr_run_source_stored(options->readers[side], error);
    if (pair->sides[side] && !pair->reruns[side]) {
        pair->reruns[side] = tcgrr_rerun_new(&rerun, error);
    }
    pair->decoders[side] = tcgrr_decoder_new(pair->qemus[side].target);
    return pair->sides[side] && pair->reruns[side];
}

/* The first keyframe, which takes as long as learning B's registers. */
static bool leave_first(struct tcgrr_replay_pair *pair, GError **error)
{
    tcgrr_icount place = tcgrr_replay_pair_icount(pair, 0, pair->first);

    return pair->first == 0 || tcgrr_paused_icount(pair->standing) > place ||
           tcgrr_rerun_leave_keyframe(pair->reruns[0], g_steal_pointer(&pair->standing), place, error);
}

static gpointer learn_registers(gpointer data)
{
    struct opening *opening = data;
    struct tcgrr_replay_pair *pair = opening->pair;
    struct tcgrr_paused *paused = opening->side == 0 ? g_steal_pointer(&pair->standing) : NULL;

    paused = paused ? paused : tcgrr_paused_start(pair->reruns[opening->side], 0, false, &opening->error);

    if (paused) {
        pair->registers[opening->side] = tcgrr_register_layout_ref(tcgrr_paused_registers(paused));
    }
    bool good = paused != NULL;
    if (opening->side == 0 && pair->options.approaches) {
        pair->standing = paused;
        return GINT_TO_POINTER(good && leave_first(pair, &opening->error));
    }
    if (paused && pair->options.approaches) {
        pair->written = tcgrr_paused_take_written(paused);
    }
    tcgrr_paused_free(paused);
    return GINT_TO_POINTER(good);
}

static bool for_both(struct tcgrr_replay_pair *pair, GThreadFunc work, GError **error)
{
    struct opening opening[] = {{pair, 0, NULL}, {pair, 1, NULL}};
    bool good = tcgrr_both_sides(work, &opening[0], &opening[1]);
    if (!good) {
        tcgrr_propagate_first(error, opening[0].error, opening[1].error);
    }
    return good;
}

static bool find_first(struct tcgrr_replay_pair *pair, GError **error)
{
    return !pair->standing || pair->options.keyframe_at == 0 ||
           tcgrr_replay_pair_boundary(pair, pair->options.keyframe_at, &pair->first, error);
}

struct tcgrr_replay_pair *tcgrr_replay_pair_new(const struct tcgrr_replay_pair_options *options, GError **error)
{
    struct tcgrr_replay_pair *pair = g_new0(struct tcgrr_replay_pair, 1);

    pair->options = *options;
    if (options->trailing) {
        pair->standing = tcgrr_trailing_take(options->trailing, &pair->reruns[0]);
    }
    if (!for_both(pair, probe_side, error) || !prepare_side(pair, 0, false, error) ||
        !prepare_side(pair, 1, false, error) || !find_first(pair, error) || !for_both(pair, learn_registers, error)) {
        tcgrr_replay_pair_free(pair);
        return NULL;
    }
    pair_registers(pair);
    pair->last[0] = pair->last[1] = UINT64_MAX;
    return pair;
}

/* Starts side 0 near the first place that is needed, and keeps it. */
static bool stand_near(struct tcgrr_replay_pair *pair, tcgrr_moment near, GError **error)
{
    pair->standing = tcgrr_paused_start(pair->reruns[0], tcgrr_replay_pair_icount(pair, 0, near), true, error);
    if (pair->standing) {
        pair->registers[0] = tcgrr_register_layout_ref(tcgrr_paused_registers(pair->standing));
    }
    return pair->standing != NULL;
}

struct tcgrr_replay_pair *tcgrr_replay_pair_alone(const struct tcgrr_replay_pair_options *options, tcgrr_moment near,
                                                  GError **error)
{
    struct tcgrr_replay_pair *pair = g_new0(struct tcgrr_replay_pair, 1);
    struct opening opening = {pair, 0, NULL};

    pair->options = *options;
    bool good = GPOINTER_TO_INT(probe_side(&opening)) && prepare_side(pair, 0, true, &opening.error) &&
                stand_near(pair, near, &opening.error);
    if (!good) {
        g_propagate_error(error, opening.error);
        tcgrr_replay_pair_free(pair);
        return NULL;
    }
    pair->last[0] = UINT64_MAX;
    return pair;
}

/* The QEMU that has been stopped since the beginning, if it can reach `icount`; it is the caller's then. */
static struct tcgrr_paused *take_standing(struct tcgrr_replay_pair *pair, tcgrr_icount icount)
{
    struct tcgrr_paused *paused = g_steal_pointer(&pair->standing);
    if (paused && tcgrr_paused_icount(paused) > icount) {
        g_clear_pointer(&paused, tcgrr_paused_free);
    }
    return paused;
}

bool tcgrr_replay_pair_with(struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment, bool accesses,
                            tcgrr_paused_work work, void *data, GError **error)
{
    for (tcgrr_icount near = tcgrr_replay_pair_icount(pair, side, moment);; near = 0) {
        GError *problem = NULL;
        struct tcgrr_paused *paused = side == 0 && !pair->options.approaches ? take_standing(pair, near) : NULL;
        paused = paused ? paused : tcgrr_paused_start(pair->reruns[side], near, accesses, &problem);
        bool again = paused && tcgrr_paused_doubtful(paused);
        bool good = paused && work(paused, data, &problem);
        tcgrr_paused_free(paused);
        if (good) {
            return true;
        }
        if (!again || problem->code == TCGRR_ERROR_STOPPED) {
            g_propagate_error(error, problem);
            return false;
        }
        g_error_free(problem);
    }
}

bool tcgrr_replay_pair_read_near(struct tcgrr_replay_pair *pair, const bool *wanted, uint8_t *state,
                                 tcgrr_moment *moment, GError **error)
{
    *moment = tcgrr_paused_icount(pair->standing) - tcgrr_replay_pair_icount(pair, 0, 0);
    return tcgrr_paused_read_state(pair->standing, wanted, state, error);
}

struct tcgrr_paused *tcgrr_replay_pair_pause_at(struct tcgrr_replay_pair *pair, tcgrr_moment moment, GError **error)
{
    tcgrr_icount icount = tcgrr_replay_pair_icount(pair, 0, moment);

    for (tcgrr_icount near = icount;; near = 0) {
        GError *problem = NULL;
        struct tcgrr_paused *paused = take_standing(pair, icount);
        paused = paused ? paused : tcgrr_paused_start(pair->reruns[0], near, false, &problem);
        bool again = paused && tcgrr_paused_doubtful(paused);
        if (paused && tcgrr_paused_go(paused, icount, &problem)) {
            return paused;
        }
        tcgrr_paused_free(paused);
        if (!again || problem->code == TCGRR_ERROR_STOPPED) {
            g_propagate_error(error, problem);
            return NULL;
        }
        g_error_free(problem);
    }
}

struct tcgrr_decoder *tcgrr_replay_pair_decoder(struct tcgrr_replay_pair *pair, int side)
{
    return pair->decoders[side];
}

void tcgrr_replay_pair_free(struct tcgrr_replay_pair *pair)
{
    if (!pair) {
        return;
    }
    tcgrr_paused_free(pair->standing);
    tcgrr_ram_pages_free(pair->written);
    for (int side = 0; side < 2; side++) {
        tcgrr_rerun_free(pair->reruns[side]);
        tcgrr_register_layout_unref(pair->registers[side]);
        tcgrr_decoder_free(pair->decoders[side]);
        tcgrr_qemu_clear(&pair->qemus[side]);
        g_free(pair->obstacles[side]);
        if (pair->sides[side]) {
            pair->sides[side]->ops->free(pair->sides[side]);
        }
    }
    g_free(pair->others);
    g_free(pair->compared);
    g_free(pair);
}

tcgrr_icount tcgrr_replay_pair_icount(const struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment)
{
    return pair->options.start[side] + moment;
}

const struct tcgrr_qemu *tcgrr_replay_pair_qemu(const struct tcgrr_replay_pair *pair, int side)
{
    return &pair->qemus[side];
}

struct tcgrr_keyframe tcgrr_replay_pair_keyframe(const struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment)
{
    return tcgrr_rerun_nearest(pair->reruns[side], tcgrr_replay_pair_icount(pair, side, moment));
}

bool tcgrr_replay_pair_leave_keyframe(struct tcgrr_replay_pair *pair, tcgrr_moment moment, GError **error)
{
    tcgrr_moment boundary;

    return tcgrr_replay_pair_boundary(pair, moment, &boundary, error) &&
           tcgrr_rerun_leave_keyframe(pair->reruns[0], g_steal_pointer(&pair->standing),
                                      tcgrr_replay_pair_icount(pair, 0, boundary), error);
}

void tcgrr_replay_pair_end_standing(struct tcgrr_replay_pair *pair)
{
    tcgrr_paused_free(g_steal_pointer(&pair->standing));
}

bool tcgrr_replay_pair_can_share(const struct tcgrr_replay_pair *pair, struct tcgrr_keyframe keyframe)
{
    g_autofree char *state = g_build_filename(keyframe.folder, TCGRR_KEYFRAME_STATE, NULL);
    return tcgrr_vmstate_covers(state, pair->written);
}

void tcgrr_replay_pair_share(struct tcgrr_replay_pair *pair, tcgrr_moment moment)
{
    tcgrr_rerun_borrow(pair->reruns[1], pair->reruns[0], tcgrr_replay_pair_icount(pair, 1, moment));
    for (int side = 0; side < 2; side++) {
        tcgrr_rerun_trust(pair->reruns[side], tcgrr_replay_pair_icount(pair, side, moment));
    }
}

void tcgrr_replay_pair_distrust(struct tcgrr_replay_pair *pair)
{
    tcgrr_rerun_distrust(pair->reruns[0]);
    tcgrr_rerun_distrust(pair->reruns[1]);
}

/* ---- places ---- */

static void note_event(const struct tcgrr_event *event, void *data)
{
    bool *seen = data;
    *seen = true;
}

bool tcgrr_replay_pair_quiet(struct tcgrr_replay_pair *pair, tcgrr_moment moment, tcgrr_moment *quiet, GError **error)
{
    for (*quiet = moment;; (*quiet)--) {
        bool seen = false;
        for (int side = 0; side < 2; side++) {
            tcgrr_icount icount = tcgrr_replay_pair_icount(pair, side, *quiet);
            if (!tcgrr_reader_events(pair->options.readers[side], icount, icount, note_event, &seen, error)) {
                return false;
            }
        }
        if (!seen || *quiet == 0) {
            return true;
        }
    }
}

/* Where a side began the execution that is under way at a moment. */
static bool find_exec_start(struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment, tcgrr_moment *begin,
                            GError **error)
{
    tcgrr_icount icount = tcgrr_replay_pair_icount(pair, side, moment);
    struct tcgrr_stretch stretch;

    *begin = moment;
    tcgrr_stretch_init(&stretch);
    bool good = pair->sides[side]->ops->stretch(pair->sides[side], icount, icount + 1, &stretch, error);
    if (good && stretch.execs->len > 0) {
        tcgrr_icount first = g_array_index(stretch.execs, struct tcgrr_exec, 0).icount;
        *begin = moment - MIN(icount - first, moment);
    }
    tcgrr_stretch_clear(&stretch);
    return good;
}

bool tcgrr_replay_pair_boundary(struct tcgrr_replay_pair *pair, tcgrr_moment moment, tcgrr_moment *boundary,
                                GError **error)
{
    bool shared = pair->options.readers[0] == pair->options.readers[1];
    tcgrr_moment begin[2];

    *boundary = moment;
    do {
        moment = *boundary;
        if (!tcgrr_replay_pair_quiet(pair, moment, boundary, error) ||
            !find_exec_start(pair, 0, *boundary, &begin[0], error)) {
            return false;
        }
        begin[1] = begin[0];
        if (!shared && !find_exec_start(pair, 1, *boundary, &begin[1], error)) {
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

bool tcgrr_replay_pair_interrupted(struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment, bool *interrupted,
                                   GError **error)
{
    tcgrr_icount icount = tcgrr_replay_pair_icount(pair, side, moment);
    *interrupted = false;
    return tcgrr_reader_events(pair->options.readers[side], icount, icount, note_interrupt, interrupted, error);
}

struct translating {
    tcgrr_icount icount;
    uint64_t address;
    uint64_t physical;
    bool mapped;
};

static bool translate(struct tcgrr_paused *paused, void *data, GError **error)
{
    struct translating *translating = data;
    return tcgrr_paused_go(paused, translating->icount, error) &&
           tcgrr_paused_translate(paused, translating->address, &translating->physical, &translating->mapped, error);
}

bool tcgrr_replay_pair_translate(struct tcgrr_replay_pair *pair, tcgrr_moment moment, uint64_t address,
                                 uint64_t physical[2], bool *mapped, GError **error)
{
    *mapped = true;
    for (int side = 0; side < 2; side++) {
        struct translating translating = {tcgrr_replay_pair_icount(pair, side, moment), address, 0, false};
        if (!tcgrr_replay_pair_with(pair, side, moment, false, translate, &translating, error)) {
            return false;
        }
        physical[side] = translating.physical;
        *mapped = *mapped && translating.mapped;
    }
    return true;
}

const char *tcgrr_replay_pair_obstacle(const struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment)
{
    return pair->last[side] == moment ? pair->obstacles[side] : NULL;
}

bool tcgrr_replay_pair_block(struct tcgrr_replay_pair *pair, tcgrr_moment moment, tcgrr_moment *first, unsigned *rest,
                             GError **error)
{
    tcgrr_icount icount = tcgrr_replay_pair_icount(pair, 0, moment);
    struct tcgrr_run_source *side = pair->sides[0];
    struct tcgrr_stretch stretch;

    *first = moment;
    *rest = 1;
    tcgrr_stretch_init(&stretch);
    bool good = side->ops->stretch(side, icount, icount + 1, &stretch, error);
    if (good && stretch.execs->len > 0) {
        const struct tcgrr_exec *exec = &g_array_index(stretch.execs, struct tcgrr_exec, 0);
        tcgrr_icount begin = exec->icount;
        *rest = exec->block->insns - (unsigned)MIN(icount - begin, exec->block->insns);
        *first = begin > tcgrr_replay_pair_icount(pair, 0, 0) ? moment - (icount - begin) : 0;
    }
    tcgrr_stretch_clear(&stretch);
    return good;
}

struct tcgrr_register_layout *tcgrr_replay_pair_registers(const struct tcgrr_replay_pair *pair, int side)
{
    return pair->registers[side];
}

const struct tcgrr_register *tcgrr_replay_pair_other(const struct tcgrr_replay_pair *pair, unsigned index)
{
    return pair->others[index];
}

bool tcgrr_replay_pair_know(const struct tcgrr_replay_pair *pair, const uint8_t *const states[2], unsigned index)
{
    const struct tcgrr_register *other = pair->others[index];
    return other && tcgrr_state_knows(states[0], index) && tcgrr_state_knows(states[1], other->index);
}

uint64_t tcgrr_replay_pair_difference(const struct tcgrr_replay_pair *pair, const uint8_t *const states[2],
                                      unsigned index)
{
    const struct tcgrr_register *a = g_ptr_array_index(pair->registers[0]->list, index);
    const struct tcgrr_register *b = pair->others[index];

    if (!pair->compared[index] || !tcgrr_replay_pair_know(pair, states, index)) {
        return 0;
    }
    uint64_t low =
        tcgrr_state_number(pair->registers[0], states[0], a) ^ tcgrr_state_number(pair->registers[1], states[1], b);
    if (a->bytes != b->bytes) {
        unsigned bytes = MIN(a->bytes, b->bytes);
        return bytes < 8 ? low & ((UINT64_C(1) << 8 * bytes) - 1) : low;
    }
    bool same = memcmp(tcgrr_state_value(states[0], a), tcgrr_state_value(states[1], b), a->bytes) == 0;
    return same ? 0 : low ? low : UINT64_MAX;
}

/* ---- looking at moments ---- */

bool *tcgrr_watched_registers(const struct tcgrr_replay_pair *pair, int side, const struct tcgrr_watch *watch)
{
    const GPtrArray *list = pair->registers[0]->list;
    if (!watch->registers) {
        return NULL;
    }
    bool *own = g_new0(bool, pair->registers[side]->list->len);
    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_register *reg = side == 0 ? g_ptr_array_index(list, i) : pair->others[i];
        if (reg) {
            /* The program counter is always read, and is not a core register on every target. */
            own[reg->index] = watch->registers[i] || tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PC;
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
    struct tcgrr_replay_pair *pair;
    int side;
    GPtrArray *snapshots;
    const GArray *places;
    bool *registers;
    GError *error;
};

bool tcgrr_snapshot_through(struct tcgrr_replay_pair *pair, int side, GPtrArray *snapshots, const bool *registers,
                            const GArray *places, struct tcgrr_paused *paused, GError **error)
{
    for (guint i = 0; i < snapshots->len; i++) {
        struct tcgrr_snapshot *snapshot = g_ptr_array_index(snapshots, i);
        if (!tcgrr_paused_go(paused, tcgrr_replay_pair_icount(pair, side, snapshot->moment), error) ||
            !tcgrr_paused_read_state(paused, registers, snapshot->states[side], error) ||
            !tcgrr_read_places(paused, side, places, snapshot->contents[side], error)) {
            return false;
        }
    }
    return true;
}

static bool look_through(struct tcgrr_paused *paused, void *data, GError **error)
{
    struct looking *looking = data;
    return tcgrr_snapshot_through(looking->pair, looking->side, looking->snapshots, looking->registers, looking->places,
                                  paused, error);
}

static gpointer look_at_side(gpointer data)
{
    struct looking *looking = data;
    const struct tcgrr_snapshot *first = looking->snapshots->len > 0 ? g_ptr_array_index(looking->snapshots, 0) : NULL;
    bool good = tcgrr_replay_pair_with(looking->pair, looking->side, first ? first->moment : 0, false, look_through,
                                       looking, &looking->error);
    return GINT_TO_POINTER(good);
}

bool tcgrr_both_sides(GThreadFunc work, gpointer a, gpointer b)
{
    GThread *thread = g_thread_new("tcgrr-side", work, b);
    bool good = GPOINTER_TO_INT(work(a));
    return GPOINTER_TO_INT(g_thread_join(thread)) && good;
}

static void free_snapshot(gpointer data)
{
    struct tcgrr_snapshot *snapshot = data;
    for (int side = 0; side < 2; side++) {
        g_free(snapshot->states[side]);
        g_free(snapshot->contents[side]);
    }
    g_free(snapshot);
}

GPtrArray *tcgrr_snapshots_new(const struct tcgrr_replay_pair *pair, const tcgrr_moment *moments, guint count,
                               const struct tcgrr_watch *watch)
{
    GPtrArray *snapshots = g_ptr_array_new_with_free_func(free_snapshot);

    for (guint i = 0; i < count; i++) {
        struct tcgrr_snapshot *snapshot = g_new0(struct tcgrr_snapshot, 1);
        snapshot->moment = moments[i];
        for (int side = 0; side < 2; side++) {
            snapshot->states[side] = g_malloc0(pair->registers[side]->state_bytes);
            snapshot->contents[side] = g_new0(struct tcgrr_content, watch->places->len);
        }
        g_ptr_array_add(snapshots, snapshot);
    }
    return snapshots;
}

bool tcgrr_replay_pair_look(struct tcgrr_replay_pair *pair, GPtrArray *snapshots, const struct tcgrr_watch *watch,
                            GError **error)
{
    struct looking looking[2];

    for (int side = 0; side < 2; side++) {
        looking[side] =
            (struct looking){pair, side, snapshots, watch->places, tcgrr_watched_registers(pair, side, watch), NULL};
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
