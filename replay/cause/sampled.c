/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/sampled.h"

#include "lockstep/run_source.h"
#include "lockstep/state.h"
#include "replay/cause/cause_internal.h"
#include "store/error.h"

#include <string.h>

/* The one execution of A's that begins at `icount`; false with an error if none does. */
static bool find_exec(struct tcgrr_reader *reader, tcgrr_icount icount, struct tcgrr_exec *exec, GError **error)
{
    struct tcgrr_run_source *stored = tcgrr_run_source_stored(reader, error);
    struct tcgrr_stretch stretch;

    tcgrr_stretch_init(&stretch);
    bool good = stored && stored->ops->stretch(stored, icount, icount + 1, &stretch, error);
    bool found = good && stretch.execs->len > 0;
    if (found) {
        *exec = g_array_index(stretch.execs, struct tcgrr_exec, 0);
        found = exec->icount == icount;
    }
    if (good && !found) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "no block begins at icount %" G_GUINT64_FORMAT, icount);
    }
    tcgrr_stretch_clear(&stretch);
    if (stored) {
        stored->ops->free(stored);
    }
    return found;
}

static void add_registers(struct tcgrr_cause *cause, const GArray *differences)
{
    for (guint i = 0; differences && i < differences->len; i++) {
        const struct tcgrr_register_difference *difference =
            &g_array_index(differences, struct tcgrr_register_difference, i);
        struct tcgrr_cause_register *reg = g_new0(struct tcgrr_cause_register, 1);
        reg->name = g_strdup(difference->name);
        reg->values[0] = tcgrr_register_text(difference->a, difference->size);
        reg->values[1] = tcgrr_register_text(difference->b, difference->size);
        reg->flags = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_cause_flag));
        g_ptr_array_add(cause->registers, reg);
    }
}

static void conclude(struct tcgrr_cause *cause, const struct tcgrr_exec *exec, const GArray *differences)
{
    const struct tcgrr_block *block = exec->block;
    bool single = block->insns == 1;

    tcgrr_cause_init(cause);
    cause->kind = single ? TCGRR_CAUSE_INSTRUCTION : TCGRR_CAUSE_BLOCK;
    cause->icounts[0] = cause->icounts[1] = exec->icount;
    cause->pc = block->pc;
    cause->insns = single ? 0 : block->insns;
    cause->length = (uint8_t)MIN(block->lengths[0], sizeof(cause->bytes));
    memcpy(cause->bytes, block->bytes, cause->length);
    add_registers(cause, differences);
    cause->explanation =
        g_strdup(single ? "this instruction has the same inputs on both sides and different results"
                        : "registers and stores are the same on both sides before this block, and differ, or the "
                          "program goes on elsewhere, after it");
}

void tcgrr_cause_explain_block(struct tcgrr_cause *cause, const char *why)
{
    char *text = g_strdup_printf("%s (which of its instructions is responsible could not be determined: %s)",
                                 cause->explanation, why);
    if (cause->insns > 0) {
        g_free(cause->explanation);
        cause->explanation = text;
    } else {
        g_free(text);
    }
}

bool tcgrr_cause_find_block(struct tcgrr_reader *reader, const struct tcgrr_comparison *comparison,
                            const struct tcgrr_data_divergence *data, struct tcgrr_cause *cause, GError **error)
{
    /* What differed before those samples began is seen in the wider ones alone. */
    const struct tcgrr_data_divergence *wide = &comparison->data;
    bool ends = comparison->kind == TCGRR_DIVERGENCE_ENDED; /* perhaps in the middle of the block */
    bool flow = (ends || comparison->kind == TCGRR_DIVERGENCE_FLOW) && !wide->stores_parted;
    struct tcgrr_exec exec;

    if (!data || data->samples == 0 || !wide->alike || !(wide->stores || wide->stores_parted)) {
        g_set_error(
            error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
            "the cause is not known: in user mode it is found by comparing registers and stores, which takes "
            "x86_64, aarch64 or riscv64 and QEMU 10.1 or later on both sides, and a program that starts with the same "
            "data on both");
        return false;
    }
    /* After the first difference nothing is known; one of stores alone may only be reported in other pieces. */
    tcgrr_icount differs = data->found ? data->to[0] : flow ? comparison->icount : UINT64_MAX;
    bool stores_known = data->stores || (data->stores_parted && data->stores_from[0] >= data->same[0]);
    if (!find_exec(reader, data->same[0], &exec, error)) {
        return false;
    }
    bool inside = ends && !data->found && differs >= exec.icount && differs < exec.icount + exec.ran;
    if (!stores_known || (exec.icount + exec.ran != differs && !inside)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the cause is after icount %" G_GUINT64_FORMAT ", and could not be narrowed down to one block",
                    stores_known          ? data->same[0]
                    : data->stores_parted ? data->stores_from[0]
                                          : 0);
        return false;
    }
    conclude(cause, &exec, data->found ? data->registers : NULL);
    return true;
}
