/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/lookahead.h"

#include "replay/cause/last_writer.h"
#include "replay/cause/replay_pair_internal.h"

/* Number of instructions that are searched for a writer. */
#define FAR (UINT64_C(1) << 22)

bool tcgrr_lookahead_add_writer(struct tcgrr_lookahead *lookahead, unsigned index, tcgrr_icount before, GError **error)
{
    tcgrr_icount from = MAX(lookahead->from, before - MIN(before, FAR));
    struct tcgrr_last_writer last;

    if (!tcgrr_last_register_writer(lookahead->pair, lookahead->reader, index, lookahead->state, from, before, &last,
                                    error)) {
        return false;
    }
    if (last.kind == TCGRR_LAST_WRITER_FOUND) {
        g_array_append_val(lookahead->writers, last.icount);
    }
    return true;
}

/* What instruction number `icount` reads; not known if nothing was recorded there. */
static bool find_inputs(const struct tcgrr_lookahead *lookahead, tcgrr_icount icount, struct tcgrr_insn_inputs *inputs,
                        GError **error)
{
    struct tcgrr_run_source *side = lookahead->pair->sides[0];
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
            tcgrr_decoder_inputs(tcgrr_replay_pair_decoder(lookahead->pair, 0), lookahead->pair->registers[0],
                                 lookahead->state, block->pc + offset, block->bytes + offset, block->lengths[insn],
                                 inputs);
        }
    }
    tcgrr_stretch_clear(&stretch);
    return good;
}

struct loading {
    struct tcgrr_lookahead *lookahead;
    tcgrr_icount icount;
};

static void add_store(const struct tcgrr_memory_range *range, void *data)
{
    const struct loading *loading = data;
    const struct tcgrr_lookahead *lookahead = loading->lookahead;
    tcgrr_icount writer;

    if (tcgrr_access_log_last_store(lookahead->log, range, loading->icount, &writer) && writer >= lookahead->from) {
        g_array_append_val(lookahead->writers, writer);
    }
}

static bool add_inputs(struct tcgrr_lookahead *lookahead, tcgrr_icount icount, struct tcgrr_insn_inputs *inputs,
                       GError **error)
{
    bool good = find_inputs(lookahead, icount, inputs, error);

    for (guint i = 0; good && inputs->known && i < inputs->registers->len; i++) {
        unsigned index = g_array_index(inputs->registers, struct tcgrr_insn_input, i).index;
        good = tcgrr_insn_inputs_is_place(inputs, lookahead->pair->registers[0], index) ||
               tcgrr_lookahead_add_writer(lookahead, index, icount, error);
    }
    if (good && inputs->known) {
        tcgrr_access_log_loads(lookahead->log, icount, add_store, &(struct loading){lookahead, icount});
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

GArray *tcgrr_lookahead_take(struct tcgrr_lookahead *lookahead, unsigned count, GError **error)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));
    struct tcgrr_insn_inputs inputs;
    bool good = true;

    tcgrr_insn_inputs_init(&inputs);
    while (good && lookahead->writers->len > 0 && found->len < count) {
        tcgrr_icount icount = take_latest(lookahead->writers);
        g_array_append_val(found, icount);
        good = add_inputs(lookahead, icount, &inputs, error);
    }
    tcgrr_insn_inputs_clear(&inputs);
    g_array_set_size(lookahead->writers, 0);
    if (!good) {
        g_clear_pointer(&found, g_array_unref);
    }
    return found;
}
