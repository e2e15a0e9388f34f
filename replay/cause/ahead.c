/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/ahead.h"

#include "replay/cause/last.h"
#include "replay/cause/replay_pair_internal.h"

/* Instructions that are looked through for a writer. */
#define FAR (UINT64_C(1) << 22)

bool tcgrr_ahead_add(struct tcgrr_ahead *ahead, unsigned index, tcgrr_icount before, GError **error)
{
    tcgrr_icount from = MAX(ahead->from, before - MIN(before, FAR));
    struct tcgrr_last last;

    if (!tcgrr_last_register(ahead->pair, ahead->reader, index, ahead->state, from, before, &last, error)) {
        return false;
    }
    if (last.kind == TCGRR_LAST_FOUND) {
        g_array_append_val(ahead->writers, last.icount);
    }
    return true;
}

/* What instruction number `icount` reads; not known if nothing was recorded there. */
static bool find_inputs(const struct tcgrr_ahead *ahead, tcgrr_icount icount, struct tcgrr_insn_inputs *inputs,
                        GError **error)
{
    struct tcgrr_run_source *side = ahead->pair->sides[0];
    struct tcgrr_stretch stretch;

    inputs->known = false;
    tcgrr_stretch_init(&stretch);
    bool good = side->ops->stretch(side, icount, icount + 1, &stretch, error);
    if (good && stretch.execs->len > 0) {
        const struct tcgrr_exec *exec = &g_array_index(stretch.execs, struct tcgrr_exec, 0);
        const struct tcgrr_block *block = exec->block;
        uint32_t offset = 0;
        uint64_t insn = icount - exec->icount;
        for (uint64_t i = 0; i < insn && i < block->insns; i++) {
            offset += block->lengths[i];
        }
        if (insn < block->insns) {
            tcgrr_decoder_inputs(tcgrr_replay_pair_decoder(ahead->pair, 0), ahead->pair->registers[0], ahead->state,
                                 block->pc + offset, block->bytes + offset, block->lengths[insn], inputs);
        }
    }
    tcgrr_stretch_clear(&stretch);
    return good;
}

struct loading {
    struct tcgrr_ahead *ahead;
    tcgrr_icount icount;
};

static void add_store(const struct tcgrr_last_place *place, void *data)
{
    const struct loading *loading = data;
    const struct tcgrr_ahead *ahead = loading->ahead;
    tcgrr_icount writer;

    if (tcgrr_access_log_last_store(ahead->log, place, loading->icount, &writer) && writer >= ahead->from) {
        g_array_append_val(ahead->writers, writer);
    }
}

static bool add_inputs(struct tcgrr_ahead *ahead, tcgrr_icount icount, struct tcgrr_insn_inputs *inputs, GError **error)
{
    bool good = find_inputs(ahead, icount, inputs, error);

    for (guint i = 0; good && inputs->known && i < inputs->registers->len; i++) {
        unsigned index = g_array_index(inputs->registers, struct tcgrr_insn_input, i).index;
        good = tcgrr_insn_inputs_is_place(inputs, ahead->pair->registers[0], index) ||
               tcgrr_ahead_add(ahead, index, icount, error);
    }
    if (good && inputs->known) {
        tcgrr_access_log_loads(ahead->log, icount, add_store, &(struct loading){ahead, icount});
    }
    return good;
}

/* Takes the latest one, with all that are the same. */
static tcgrr_icount take_latest(GArray *writers)
{
    tcgrr_icount latest = 0;

    for (guint i = 0; i < writers->len; i++) {
        latest = MAX(latest, g_array_index(writers, tcgrr_icount, i));
    }
    for (guint i = writers->len; i > 0; i--) {
        if (g_array_index(writers, tcgrr_icount, i - 1) == latest) {
            g_array_remove_index_fast(writers, i - 1);
        }
    }
    return latest;
}

GArray *tcgrr_ahead_take(struct tcgrr_ahead *ahead, unsigned count, GError **error)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));
    struct tcgrr_insn_inputs inputs;
    bool good = true;

    tcgrr_insn_inputs_init(&inputs);
    while (good && ahead->writers->len > 0 && found->len < count) {
        tcgrr_icount icount = take_latest(ahead->writers);
        g_array_append_val(found, icount);
        good = add_inputs(ahead, icount, &inputs, error);
    }
    tcgrr_insn_inputs_clear(&inputs);
    g_array_set_size(ahead->writers, 0);
    if (!good) {
        g_clear_pointer(&found, g_array_unref);
    }
    return found;
}
