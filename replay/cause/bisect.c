/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/bisect_internal.h"

#include "replay/cause/sampled.h"
#include "store/error.h"
#include "store/symbols.h"

#include <string.h>

void tcgrr_bisect_say(const struct tcgrr_bisect *bisect, char *text)
{
    if (bisect->options.progress) {
        bisect->options.progress(text, bisect->options.data);
    }
    g_free(text);
}

const char *tcgrr_bisect_qemu(const struct tcgrr_bisect *bisect, int side)
{
    return side == 0 ? NULL : bisect->qemu;
}

const char *tcgrr_bisect_inputs(const struct tcgrr_bisect *bisect)
{
    bool together = bisect->readers[0] == bisect->readers[1];
    return together ? tcgrr_replay_inputs_name(&bisect->replay.inputs) : "own";
}

bool tcgrr_bisect_open(struct tcgrr_bisect *bisect, const struct tcgrr_bisect_options *options, GError **error)
{
    *bisect =
        (struct tcgrr_bisect){.options = *options, .readers = {options->reader}, .paths = {g_strdup(options->path)}};
    return (options->reader || (tcgrr_bisect_prepare(bisect, error) && tcgrr_bisect_record_a(bisect, error))) &&
           tcgrr_replay_check(bisect->readers[0], error);
}

/* ---- searching ---- */

static tcgrr_moment behind(tcgrr_icount icount, tcgrr_icount start)
{
    return icount > start ? icount - start : 0;
}

/* When data first differed, according to the comparison. `names` receives the registers' names, and has to live as long
 * as the result. */
static struct tcgrr_cause_dated date(const struct tcgrr_bisect *bisect, GPtrArray *names)
{
    const struct tcgrr_comparison *comparison = bisect->comparison;
    const struct tcgrr_data_divergence *closer =
        bisect->is_closer ? &bisect->closer.comparison.data : &comparison->data;
    const struct tcgrr_data_divergence *data = closer->found ? closer : &comparison->data;
    bool together = bisect->readers[0] == bisect->readers[1];
    /* Of two runs that share all that happens outside the guest, the first difference in the data is where it began.
     * Another release also has differences that lead nowhere, and makes another machine. */
    struct tcgrr_cause_dated dated = {.first = together && !bisect->replay.inputs.translated, .differs = UINT64_MAX};

    if (together) {
        dated.same = behind(closer->same[0], comparison->aligned[0]);
    }
    if (data->found && data->registers && (together || comparison->kind == TCGRR_DIVERGENCE_DATA)) {
        for (guint i = 0; i < data->registers->len; i++) {
            g_ptr_array_add(names, g_array_index(data->registers, struct tcgrr_register_difference, i).name);
        }
        dated.differs = data->to[0] - comparison->aligned[0];
        dated.registers = names;
    }
    return dated;
}

static bool open_pair(struct tcgrr_bisect *bisect, GError **error)
{
    const struct tcgrr_bisect_options *given = &bisect->options;
    tcgrr_moment diverged_at = bisect->comparison->icount - bisect->comparison->aligned[0];
    struct tcgrr_replay_pair_options options = {
        .readers = {bisect->readers[0], bisect->readers[1]},
        .qemus = {NULL, bisect->qemu},
        .extra = bisect->extra,
        .known = {bisect->known[0], bisect->known[1]},
        .start = {bisect->comparison->aligned[0], bisect->comparison->aligned[1]},
        .plugin = given->plugin,
        .ignore = given->ignore,
        .approaches = bisect->approaches,
        .trailing = bisect->trailing,
        .keyframe_at = diverged_at - MIN(diverged_at, TCGRR_BISECT_NEAR),
        .hang_ms = given->hang_ms,
        .stop = given->stop,
    };

    tcgrr_replay_pair_free(bisect->pair);
    bisect->pair = tcgrr_replay_pair_new(&options, error);
    return bisect->pair != NULL;
}

/* Searches with the known facts; `names` as for date(). Needs bisect->pair. */
static bool search_from(struct tcgrr_bisect *bisect, const struct tcgrr_cause_dated *dated, struct tcgrr_cause *cause,
                        GError **error)
{
    const struct tcgrr_comparison *comparison = bisect->comparison;
    enum tcgrr_divergence_kind kind = comparison->kind;
    /* Of a program samples have said where its data first differ. */
    bool by_data = kind == TCGRR_DIVERGENCE_DATA || tcgrr_bisect_is_user(bisect);
    struct tcgrr_cause_options options = {
        .pair = bisect->pair,
        .diverged_at = by_data ? UINT64_MAX : comparison->icount - comparison->aligned[0],
        .halts = kind == TCGRR_DIVERGENCE_HUNG || kind == TCGRR_DIVERGENCE_CUT || kind == TCGRR_DIVERGENCE_ENDED,
        .floor = behind(bisect->keyframe.icount, comparison->aligned[0]),
        .dated = *dated,
        .progress = bisect->options.progress,
        .data = bisect->options.data,
    };
    return tcgrr_cause_find(&options, cause, error);
}

/* On failure bisect->cause is empty, because an incomplete cause is useless. */
static bool search(struct tcgrr_bisect *bisect, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    struct tcgrr_cause_dated dated = date(bisect, names);

    tcgrr_cause_clear(&bisect->cause);
    bool good = search_from(bisect, &dated, &bisect->cause, error);
    if (!good) {
        tcgrr_cause_clear(&bisect->cause);
    }
    return good;
}

/* The last instruction in common, which the difference led to. */
static void add_parting(struct tcgrr_cause *cause, const struct tcgrr_comparison *comparison)
{
    if (comparison->kind != TCGRR_DIVERGENCE_FLOW || comparison->common->len == 0) {
        return;
    }
    const struct tcgrr_exec *last = &g_array_index(comparison->common, struct tcgrr_exec, 0);
    const struct tcgrr_block *block = last->block;
    struct tcgrr_cause_link *link = g_new0(struct tcgrr_cause_link, 1);
    uint32_t offset = 0;

    for (uint32_t i = 0; i + 1 < last->ran; i++) {
        offset += block->lengths[i];
    }
    link->icounts[0] = comparison->sides[0].icount - 1;
    link->icounts[1] = comparison->sides[1].icount - 1;
    link->pc = block->pc + offset;
    link->length = last->ran > 0 ? (uint8_t)MIN(block->lengths[last->ran - 1], sizeof(link->bytes)) : 0;
    memcpy(link->bytes, block->bytes + offset, link->length);
    const struct tcgrr_cause_link *before =
        cause->links->len > 0 ? g_ptr_array_index(cause->links, cause->links->len - 1) : NULL;
    link->gap = before != NULL;
    if (before && before->icounts[0] == link->icounts[0]) {
        g_free(link); /* it is the cause */
    } else {
        g_ptr_array_add(cause->links, link);
    }
}

/*
 * User mode: samples show the block, then the two are stepped through it. What they show there counts only if it agrees
 * with that.
 */
static bool find_in_program(struct tcgrr_bisect *bisect, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    struct tcgrr_cause closest = {0};
    GError *problem = NULL;

    tcgrr_cause_clear(&bisect->cause);
    if (!tcgrr_bisect_date_closer(bisect, error)) {
        return false;
    }
    const struct tcgrr_data_divergence *closer = bisect->is_closer ? &bisect->closer.comparison.data : NULL;
    if (!tcgrr_cause_find_block(bisect->readers[0], bisect->comparison, closer, &bisect->cause, error)) {
        tcgrr_cause_clear(&bisect->cause);
        return false;
    }
    unsigned insns = MAX(bisect->cause.insns, 1);
    struct tcgrr_cause_dated dated = date(bisect, names);
    dated.same = bisect->cause.icounts[0] - bisect->comparison->aligned[0];
    dated.differs = dated.same + insns;
    bool found = open_pair(bisect, &problem) && search_from(bisect, &dated, &closest, &problem);
    bool agrees = found && closest.icounts[0] >= bisect->cause.icounts[0] &&
                  closest.icounts[0] < bisect->cause.icounts[0] + insns &&
                  (closest.kind == TCGRR_CAUSE_INSTRUCTION || closest.kind == TCGRR_CAUSE_BLOCK);
    if (agrees) {
        tcgrr_cause_clear(&bisect->cause);
        bisect->cause = closest;
        add_parting(&bisect->cause, bisect->comparison);
        return true;
    }
    tcgrr_cause_clear(&closest);
    if (!found && problem->code == TCGRR_ERROR_STOPPED) {
        tcgrr_cause_clear(&bisect->cause);
        g_propagate_error(error, problem);
        return false;
    }
    if (!found) {
        tcgrr_cause_explain_block(&bisect->cause, problem->message);
    }
    g_clear_error(&problem);
    return true;
}

/* The data differ as `near` found, which began where all was the same. */
static void take_data(struct tcgrr_bisect *bisect)
{
    bisect->replay.comparison.data = bisect->near.comparison.data;
    bisect->near.comparison.data = (struct tcgrr_data_divergence){0};
}

/* From a keyframe near the divergence. *found is false if nothing was that is sure. */
static bool find_near(struct tcgrr_bisect *bisect, bool *found, GError **error)
{
    GError *problem = NULL;

    *found = false;
    if (!tcgrr_bisect_approach(bisect, error)) {
        return false;
    }
    if (bisect->keyframe.folder) {
        *found = tcgrr_bisect_date_closer(bisect, &problem);
        if (bisect->flow_alone) {
            take_data(bisect);
        }
        *found = *found && search(bisect, &problem) && bisect->cause.kind != TCGRR_CAUSE_START;
    }
    if (problem && *bisect->options.stop) {
        g_propagate_error(error, problem);
        return false;
    }
    g_clear_error(&problem);
    return true;
}

/* The same with everything from the beginning, states included. */
static bool find_from_beginning(struct tcgrr_bisect *bisect, GError **error)
{
    bool approached = bisect->approaches;

    if (bisect->flow_alone && !(tcgrr_bisect_compare_states(bisect, error) && open_pair(bisect, error))) {
        return false;
    }
    if (approached) {
        tcgrr_replay_pair_distrust(bisect->pair);
        tcgrr_replay_result_clear(&bisect->closer);
        bisect->closer = (struct tcgrr_replay_result){0};
        bisect->is_closer = false;
        bisect->keyframe = (struct tcgrr_keyframe){0};
    }
    return tcgrr_bisect_date_closer(bisect, error) && search(bisect, error);
}

static bool find(struct tcgrr_bisect *bisect, GError **error)
{
    bool found = false;

    bisect->has_cause = false;
    if (tcgrr_bisect_is_user(bisect)) {
        bisect->has_cause = find_in_program(bisect, error);
        return bisect->has_cause;
    }
    if (!open_pair(bisect, error)) {
        return false;
    }
    if (bisect->approaches && !find_near(bisect, &found, error)) {
        return false;
    }
    bisect->has_cause = found || find_from_beginning(bisect, error);
    return bisect->has_cause;
}

/* Firmware differs between releases and polls clocks: the first instruction that a symbol of the guest covers. */
static bool from_guest_start(struct tcgrr_bisect *bisect)
{
    const struct tcgrr_symbol *symbol = tcgrr_symbols_find(bisect->symbols, "_start");
    bool together = bisect->readers[0] == bisect->readers[1];
    if (!symbol || (together && !bisect->pins && !bisect->replay.inputs.translated)) {
        return false;
    }
    bisect->from[0] = bisect->from[1] = (struct tcgrr_position){TCGRR_POSITION_PC, symbol->address};
    bisect->how.from[0] = bisect->how.from[1] = bisect->from[0];
    return true;
}

/* Whether something was found for which A had been recorded far enough. */
static bool is_enough(const struct tcgrr_bisect *bisect)
{
    const struct tcgrr_comparison *comparison = bisect->comparison;
    return !bisect->cut ||
           (comparison && comparison->diverged && comparison->icount < tcgrr_reader_run(bisect->readers[0])->icount);
}

/* Compares; if A would continue beyond its recording, records it further until a divergence is found. */
static bool compare(struct tcgrr_bisect *bisect, GError **error)
{
    const struct tcgrr_compare_options *how = &bisect->how;
    bool ends = how->until[0].kind != TCGRR_POSITION_NONE;
    bool placed = ends || how->from[0].kind != TCGRR_POSITION_NONE;

    for (;;) {
        GError *problem = NULL;
        bool good = tcgrr_bisect_compare(bisect, &problem);
        bool early = !good && placed && bisect->cut && problem->code == TCGRR_ERROR_FAILED;
        if (good && (is_enough(bisect) || (ends && !bisect->comparison->diverged))) {
            return true;
        }
        if (!good && !early) {
            g_propagate_error(error, problem);
            return false;
        }
        g_clear_error(&problem);
        tcgrr_bisect_forget(bisect);
        tcgrr_reader_free(bisect->readers[0]);
        bisect->readers[0] = NULL;
        if (!tcgrr_bisect_record_a(bisect, error)) {
            return false;
        }
    }
}

/* Compares again from the guest's own start: from a snapshot if A is recorded here, otherwise with two recordings. */
static bool compare_guests(struct tcgrr_bisect *bisect, GError **error)
{
    if (bisect->readers[0] != bisect->readers[1]) {
        return tcgrr_bisect_compare_again(bisect, error);
    }
    tcgrr_bisect_forget(bisect);
    bisect->record_both = bisect->options.reader;
    if (!bisect->options.reader && !tcgrr_bisect_record_from(bisect, "_start", error)) {
        return false;
    }
    return compare(bisect, error);
}

/* Whether they diverge in code of no symbol, which two releases bring themselves and the guest does not. */
static bool in_firmware(const struct tcgrr_bisect *bisect)
{
    const struct tcgrr_divergence_side *a = &bisect->comparison->sides[0];
    bool releases = bisect->pins || bisect->readers[0] != bisect->readers[1] || bisect->replay.inputs.translated;
    return releases && a->there && !tcgrr_symbols_at(bisect->symbols, a->pc);
}

bool tcgrr_bisect_run(struct tcgrr_bisect *bisect, const struct tcgrr_compare_options *how,
                      struct tcgrr_symbols *symbols, GError **error)
{
    GError *problem = NULL;
    bool given = how->from[0].kind != TCGRR_POSITION_NONE;

    bisect->how = *how;
    bisect->strict = how->strict;
    bisect->how.strict = true;
    for (int i = 0; i < 2; i++) {
        bisect->from[i] = how->from[i];
        if (bisect->start_at) {
            bisect->how.from[i] = (struct tcgrr_position){0};
        }
    }
    bisect->symbols = symbols;
    if (!compare(bisect, error)) {
        return false;
    }
    if (!bisect->comparison->diverged) {
        return true;
    }
    bool elsewhere = !given && in_firmware(bisect) && tcgrr_symbols_find(bisect->symbols, "_start");
    bool found = !elsewhere && find(bisect, &problem);
    bool answered = found && (bisect->cause.kind == TCGRR_CAUSE_INSTRUCTION || bisect->cause.kind == TCGRR_CAUSE_BLOCK);
    if (answered || (!elsewhere && *bisect->options.stop) || given || !from_guest_start(bisect)) {
        if (!found) {
            g_propagate_error(error, problem);
        }
        return found;
    }
    if (bisect->options.note) {
        g_autofree char *text = g_strdup_printf("before the guest itself runs: %s; comparing from _start on",
                                                elsewhere ? "the two diverge in their firmware"
                                                : problem ? problem->message
                                                          : bisect->cause.explanation);
        bisect->options.note(text, bisect->options.data);
    }
    g_clear_error(&problem);
    tcgrr_cause_clear(&bisect->cause);
    bisect->has_cause = false;
    return compare_guests(bisect, error) && (!bisect->comparison->diverged || find(bisect, error));
}

void tcgrr_bisect_clear(struct tcgrr_bisect *bisect)
{
    tcgrr_replay_pair_free(bisect->pair);
    tcgrr_trailing_free(bisect->trailing);
    tcgrr_cause_clear(&bisect->cause);
    tcgrr_standalone_clear(&bisect->standalone);
    tcgrr_comparison_clear(&bisect->own);
    tcgrr_qemu_clear(&bisect->probed);
    g_strfreev(bisect->words);
    tcgrr_replay_result_clear(&bisect->replay);
    tcgrr_replay_result_clear(&bisect->closer);
    tcgrr_replay_result_clear(&bisect->near);
    for (int i = 0; i < 2; i++) {
        if (bisect->sides[i]) {
            bisect->sides[i]->ops->free(bisect->sides[i]);
        }
        g_free(bisect->paths[i]);
    }
    if (bisect->readers[1] != bisect->readers[0]) {
        tcgrr_reader_free(bisect->readers[1]);
    }
    if (!bisect->options.reader) {
        tcgrr_reader_free(bisect->readers[0]);
    }
    *bisect = (struct tcgrr_bisect){0};
}
