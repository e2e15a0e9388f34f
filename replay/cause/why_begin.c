/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/why_internal.h"

#include <string.h>

#include "replay/cause/lookahead.h"
#include "store/error.h"

/* The register of a name: QEMU's own, or the architecture's name of a part of a register. */
static const struct tcgrr_register *find_register(const struct tcgrr_register_layout *registers, const char *what)
{
    static const struct {
        char part;
        char whole;
    } parts[] = {{'w', 'x'}, {'e', 'r'}, {'r', 'e'}, {'q', 'v'}, {'d', 'v'}, {'s', 'v'}};
    const struct tcgrr_register *found = tcgrr_register_layout_find(registers, what);
    g_autofree char *name = g_ascii_strdown(what, -1);
    char first = name[0];

    found = found ? found : tcgrr_register_layout_find(registers, strcmp(name, "nzcv") == 0 ? "cpsr" : name);
    for (size_t i = 0; i < G_N_ELEMENTS(parts) && !found && *name; i++) {
        if (first == parts[i].part) {
            name[0] = parts[i].whole;
            found = tcgrr_register_layout_find(registers, name);
        }
    }
    return found;
}

static struct tcgrr_slice_use use_of_register(const struct tcgrr_slice *slice, const struct tcgrr_register *reg,
                                              const uint8_t *state)
{
    return (struct tcgrr_slice_use){.index = reg->index,
                                    .mask = UINT64_MAX,
                                    .number =
                                        tcgrr_state_number(tcgrr_replay_pair_registers(slice->pair, 0), state, reg),
                                    .before = slice->options->at,
                                    .step = -1};
}

static void ask(struct tcgrr_slice *slice, const struct tcgrr_slice_use *use, const uint8_t *state)
{
    slice->why->asked = tcgrr_slice_value(slice, use, state);
    g_array_append_vals(slice->open, use, 1);
}

static bool read_asked_memory(struct tcgrr_slice *slice, struct tcgrr_paused *paused, struct tcgrr_slice_use *use,
                              GError **error)
{
    const struct tcgrr_why_options *options = slice->options;
    const GPtrArray *registers = tcgrr_replay_pair_registers(slice->pair, 0)->list;
    uint16_t width = (uint16_t)(((const struct tcgrr_register *)g_ptr_array_index(registers, 0))->bytes);
    bool ram = false;

    *use = (struct tcgrr_slice_use){.memory = true, .before = options->at, .step = -1};
    use->range =
        (struct tcgrr_memory_range){.address = options->address, .size = options->size ? options->size : width};
    if (!tcgrr_paused_translate(paused, options->address, &use->range.physical, &use->range.mapped, error) ||
        (use->range.mapped &&
         !tcgrr_paused_read_memory(paused, use->range.physical, use->range.size, use->bytes, &ram, error))) {
        return false;
    }
    if (!ram) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "there is no memory at 0x%" G_GINT64_MODIFIER "x at icount %" G_GUINT64_FORMAT, options->address,
                    options->at);
    }
    return ram;
}

/* `reg`: the register that is asked for; NULL: memory is. */
static bool stand(struct tcgrr_slice *slice, const struct tcgrr_register *reg, uint8_t *state, GError **error)
{
    struct tcgrr_slice_use use;

    tcgrr_slice_say(slice, "standing", slice->options->at);
    struct tcgrr_paused *paused = tcgrr_replay_pair_pause_at(slice->pair, slice->options->at, error);
    bool good = paused && tcgrr_paused_read_state(paused, NULL, state, error) &&
                (reg || read_asked_memory(slice, paused, &use, error));
    tcgrr_paused_free(paused);
    if (good) {
        use = reg ? use_of_register(slice, reg, state) : use;
        ask(slice, &use, state);
    }
    return good;
}

/* Where the register is read, and before that those where it probably comes from; empty if that is not known. */
static GArray *look_ahead_of(struct tcgrr_slice *slice, const struct tcgrr_register *reg, uint8_t *state,
                             GError **error)
{
    g_autoptr(GArray) writers = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));
    struct tcgrr_lookahead lookahead = {slice->pair, slice->options->reader, slice->log, state, 0, writers};

    if (!tcgrr_replay_pair_read_near(slice->pair, slice->watched, state, &lookahead.from, error) ||
        !tcgrr_lookahead_add_writer(&lookahead, reg->index, slice->options->at, error)) {
        return NULL;
    }
    GArray *icounts = tcgrr_lookahead_take(&lookahead, slice->options->depth, error);
    tcgrr_icount last = slice->options->at - 1;
    if (icounts && icounts->len > 0 && g_array_index(icounts, tcgrr_icount, 0) != last) {
        g_array_prepend_val(icounts, last);
    }
    return icounts;
}

/* Reads the register in the same replay that steps through what wrote it. *done: that was possible. */
static bool stand_after_writers(struct tcgrr_slice *slice, const struct tcgrr_register *reg, uint8_t *state, bool *done,
                                GError **error)
{
    const struct tcgrr_why_options *options = slice->options;
    const struct tcgrr_stop *around[2];
    GError *problem = NULL;
    bool interrupted;

    *done = false;
    if (options->at == 0 || !slice->watched[reg->index]) {
        return true;
    }
    if (!tcgrr_replay_pair_interrupted(slice->pair, 0, options->at, &interrupted, error)) {
        return false;
    }
    g_autoptr(GArray) icounts =
        interrupted ? g_array_new(FALSE, FALSE, sizeof(tcgrr_icount)) : look_ahead_of(slice, reg, state, error);
    if (!icounts || icounts->len == 0) {
        return icounts != NULL;
    }
    tcgrr_slice_say(slice, "stepping", options->at);
    if (!tcgrr_slice_walk(slice, icounts, &problem)) {
        bool stopped = problem->code == TCGRR_ERROR_STOPPED;
        g_propagate_error(stopped ? error : NULL, problem);
        return !stopped;
    }
    *done = tcgrr_slice_find_stops(slice, options->at - 1, around) && around[1]->moment == options->at &&
            tcgrr_state_knows(around[1]->state, reg->index);
    if (*done) {
        memcpy(state, around[1]->state, tcgrr_replay_pair_registers(slice->pair, 0)->state_bytes);
        struct tcgrr_slice_use use = use_of_register(slice, reg, state);
        ask(slice, &use, state);
    }
    return true;
}

bool tcgrr_slice_begin(struct tcgrr_slice *slice, uint8_t *state, GError **error)
{
    const char *what = slice->options->what;
    const struct tcgrr_register *reg = what ? find_register(tcgrr_replay_pair_registers(slice->pair, 0), what) : NULL;
    bool done = false;

    if (what && (!reg || tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PC)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s is not a register that QEMU shows, or not one that single instructions set", what);
        return false;
    }
    slice->state = state;
    return (!reg || stand_after_writers(slice, reg, state, &done, error)) && (done || stand(slice, reg, state, error));
}
