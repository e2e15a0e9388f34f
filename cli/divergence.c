/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of a comparison, as text and as JSON. */
#include "cli/compare_options.h"
#include "lockstep/compare.h"
#include "store/isa/disasm.h"
#include "store/addr2line.h"
#include "store/symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- what both forms need ---- */

/* For both sides: a guest's mode, where it has several, and where a file's code has moved, show in the blocks that
 * ran. */
struct texts {
    const struct cli_places *places;
    struct tcgrr_disasm *disasms[2];
    struct tcgrr_addr2line *sources[2];
};

static void texts_init(struct texts *texts, const struct cli_places *places)
{
    texts->places = places;
    for (int i = 0; i < 2; i++) {
        texts->disasms[i] = tcgrr_disasm_new(places->target);
        texts->sources[i] = tcgrr_addr2line_new();
        if (places->blocks[i]) {
            uint32_t count = tcgrr_blocks_count(places->blocks[i]);
            tcgrr_disasm_survey(texts->disasms[i], places->blocks[i], count);
            tcgrr_addr2line_add_files(texts->sources[i], places->symbols[i], places->blocks[i], count);
        }
    }
}

static void texts_clear(struct texts *texts)
{
    for (int i = 0; i < 2; i++) {
        tcgrr_disasm_free(texts->disasms[i]);
        tcgrr_addr2line_free(texts->sources[i]);
    }
}

/* The name of `pc` when that side has run `icount` instructions. */
static char *symbol_at(const struct texts *texts, int which, uint64_t pc, tcgrr_icount icount)
{
    return tcgrr_symbols_name_at(texts->places->symbols[which], pc, icount);
}

/* The bytes of a block's instruction; owned by the caller. */
static char *hex_bytes(const struct tcgrr_block *block, uint32_t insn)
{
    const uint8_t *bytes = block->bytes + (tcgrr_block_pc(block, insn) - block->pc);
    GString *text = g_string_new(NULL);
    for (uint8_t i = 0; i < block->lengths[insn]; i++) {
        g_string_append_printf(text, "%02x", bytes[i]);
    }
    return g_string_free(text, FALSE);
}

/* ---- JSON ---- */

static json_t *text_or_null(char *text)
{
    json_t *value = cli_json_text(text);
    g_free(text);
    return value;
}

static json_t *line_json(const struct texts *texts, int which, uint64_t pc)
{
    return text_or_null(tcgrr_addr2line_line(texts->sources[which], pc));
}

/* All instructions of a block. */
static json_t *code_json(const struct texts *texts, int which, const struct tcgrr_block *block)
{
    g_auto(GStrv) lines = tcgrr_disasm_block(texts->disasms[which], block);
    json_t *list = json_array();

    for (uint32_t i = 0; i < block->insns; i++) {
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o}", "pc", cli_json_address(tcgrr_block_pc(block, i)), "bytes",
                                        text_or_null(hex_bytes(block, i)), "disasm", cli_json_text(lines[i])));
    }
    return list;
}

static json_t *exec_json(const struct texts *texts, int which, const struct tcgrr_exec *exec)
{
    return json_pack("{s:o, s:i, s:i, s:I, s:o, s:o, s:o}", "pc", cli_json_address(exec->block->pc), "insns",
                     (int)exec->block->insns, "ran", (int)exec->ran, "icount", (json_int_t)exec->icount, "symbol",
                     text_or_null(symbol_at(texts, which, exec->block->pc, exec->icount)), "line",
                     line_json(texts, which, exec->block->pc), "code", code_json(texts, which, exec->block));
}

static json_t *execs_json(const struct texts *texts, int which, const GArray *execs)
{
    json_t *list = json_array();
    for (guint i = 0; execs && i < execs->len; i++) {
        json_array_append_new(list, exec_json(texts, which, &g_array_index(execs, struct tcgrr_exec, i)));
    }
    return list;
}

static json_t *side_json(const struct texts *texts, int which, const struct tcgrr_divergence_side *side)
{
    if (!side->there) {
        return json_null();
    }
    g_auto(GStrv) lines = tcgrr_disasm_block(texts->disasms[which], side->exec.block);
    return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o}", "pc", cli_json_address(side->pc), "icount",
                     (json_int_t)side->icount, "symbol", text_or_null(symbol_at(texts, which, side->pc, side->icount)),
                     "line", line_json(texts, which, side->pc), "disasm", cli_json_text(lines[side->insn]), "bytes",
                     text_or_null(hex_bytes(side->exec.block, side->insn)));
}

static json_t *pc_or_null(uint64_t pc)
{
    return pc == TCGRR_NO_PC ? json_null() : cli_json_address(pc);
}

static json_t *events_json(const struct texts *texts, int which, const GArray *events)
{
    json_t *list = json_array();
    for (guint i = 0; events && i < events->len; i++) {
        const struct tcgrr_event *event = &g_array_index(events, struct tcgrr_event, i);
        uint64_t from = event->has_pcs ? event->from_pc : TCGRR_NO_PC;
        uint64_t to = event->has_pcs ? event->to_pc : TCGRR_NO_PC;
        json_array_append_new(list, json_pack("{s:s, s:I, s:i, s:o, s:o, s:o}", "kind", tcgrr_event_name(event->kind),
                                              "icount", (json_int_t)event->icount, "vcpu", (int)event->vcpu, "from_pc",
                                              pc_or_null(from), "to_pc", pc_or_null(to), "symbol",
                                              text_or_null(symbol_at(texts, which, to, event->icount))));
    }
    return list;
}

static json_t *call_json(const struct tcgrr_live_call *call)
{
    json_t *arguments = json_array();

    if (call->number < 0) {
        json_decref(arguments);
        return json_null();
    }
    for (size_t i = 0; i < G_N_ELEMENTS(call->arguments); i++) {
        json_array_append_new(arguments, cli_json_address(call->arguments[i]));
    }
    return json_pack("{s:I, s:o}", "number", (json_int_t)call->number, "arguments", arguments);
}

static json_t *divergence_json(const struct texts *texts, const struct tcgrr_comparison *comparison)
{
    const struct tcgrr_divergence_side *sides = comparison->sides;
    json_t *object = json_pack(
        "{s:I, s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "icount", (json_int_t)comparison->icount,
        "icount_b", (json_int_t)sides[1].icount, "vcpu", (int)comparison->vcpu, "a", side_json(texts, 0, &sides[0]),
        "b", side_json(texts, 1, &sides[1]), "common", execs_json(texts, 0, comparison->common), "history_a",
        execs_json(texts, 0, sides[0].history), "history_b", execs_json(texts, 1, sides[1].history), "events_a",
        events_json(texts, 0, sides[0].events), "events_b", events_json(texts, 1, sides[1].events), "kind",
        comparison->common ? json_string(tcgrr_divergence_name(comparison->kind)) : json_null(), "note",
        cli_json_text(comparison->note));
    if (comparison->kind == TCGRR_DIVERGENCE_CALL) {
        json_object_set_new(
            object, "calls",
            json_pack("{s:o, s:o}", "a", call_json(&comparison->calls[0]), "b", call_json(&comparison->calls[1])));
    }
    return object;
}

static json_t *reasons_json(unsigned reasons)
{
    json_t *list = json_array();
    for (int i = 0; tcgrr_reason_name(i); i++) {
        if (reasons >> i & 1) {
            json_array_append_new(list, json_string(tcgrr_reason_name(i)));
        }
    }
    return list;
}

static json_t *tolerated_json(const struct tcgrr_comparison *comparison, const struct texts *texts)
{
    json_t *list = json_array();
    for (guint i = 0; i < comparison->places->len; i++) {
        const struct tcgrr_tolerated *place = &g_array_index(comparison->places, struct tcgrr_tolerated, i);
        json_t *object = json_pack("{s:s, s:I, s:I, s:o, s:o, s:I, s:I, s:o}", "kind",
                                   tcgrr_tolerated_name(place->kind), "icount_a", (json_int_t)place->icount[0],
                                   "icount_b", (json_int_t)place->icount[1], "pc", cli_json_address(place->pc),
                                   "symbol", text_or_null(symbol_at(texts, 0, place->pc, place->icount[0])), "insns_a",
                                   (json_int_t)place->insns[0], "insns_b", (json_int_t)place->insns[1], "reasons",
                                   reasons_json(place->reasons));
        if (place->kind == TCGRR_TOLERATED_EVENT) {
            json_object_set_new(object, "from_a", pc_or_null(place->from_pc[0]));
            json_object_set_new(object, "from_b", pc_or_null(place->from_pc[1]));
        }
        json_array_append_new(list, object);
    }
    return list;
}

void cli_json_comparison(json_t *object, const struct tcgrr_comparison *comparison, const struct cli_places *places)
{
    json_object_set_new(object, "diverged",
                        comparison->diverged || !comparison->undecided ? json_boolean(comparison->diverged)
                                                                       : json_null());
    json_object_set_new(object, "sides",
                        json_pack("[o, o]", cli_json_text(places->names[0]), cli_json_text(places->names[1])));
    json_object_set_new(object, "compared", json_integer((json_int_t)comparison->compared));
    json_object_set_new(
        object, "from",
        json_pack("{s:I, s:I}", "a", (json_int_t)comparison->start[0], "b", (json_int_t)comparison->start[1]));
    static const char *const counts[] = {"shifted_events", "polling_loops", "transients"};
    struct texts texts;
    texts_init(&texts, places);
    for (int i = 0; i < TCGRR_TOLERATED_KINDS; i++) {
        json_object_set_new(object, counts[i], json_integer((json_int_t)comparison->tolerated[i]));
    }
    json_object_set_new(object, "input_differences", json_integer((json_int_t)comparison->input_differences));
    json_object_set_new(object, "rest_left_out", json_boolean(comparison->rest_left_out));
    json_object_set_new(object, "input_places", json_integer((json_int_t)comparison->input_places));
    json_object_set_new(
        object, "not_compared",
        json_pack("{s:I, s:I}", "a", (json_int_t)comparison->skipped[0], "b", (json_int_t)comparison->skipped[1]));
    json_object_set_new(object, "tolerated", tolerated_json(comparison, &texts));
    cli_json_data(object, &comparison->data);
    if (comparison->diverged || comparison->undecided) {
        json_object_set_new(object, "divergence", divergence_json(&texts, comparison));
    }
    texts_clear(&texts);
}

/* ---- text ---- */

/* Colours, if standard output is a terminal. */
struct colours {
    const char *bad, *good, *dim, *off;
};

static struct colours choose_colours(void)
{
    const char *wish = getenv("NO_COLOR");
    return (wish && *wish) || (!isatty(STDOUT_FILENO) && !cli_paging())
               ? (struct colours){"", "", "", ""}
               : (struct colours){"\033[1;31m", "\033[32m", "\033[2m", "\033[0m"};
}

static void print_exec(const struct texts *texts, int which, const struct tcgrr_exec *exec)
{
    g_autofree char *symbol = symbol_at(texts, which, exec->block->pc, exec->icount);
    g_autofree char *icount = cli_number(exec->icount);
    g_autofree char *line = tcgrr_addr2line_line(texts->sources[which], exec->block->pc);
    printf("  %16s  0x%016" G_GINT64_MODIFIER "x  %3u of %3u  %s%s%s\n", icount, exec->block->pc, exec->ran,
           exec->block->insns, symbol ? symbol : "", line ? "  " : "", line ? line : "");
}

/* A block's instructions, with a mark before number `marked` (its count: none); those from `end` on did not run. */
static void print_block(const struct texts *texts, int which, const struct tcgrr_exec *exec, uint32_t marked,
                        uint32_t end, const struct colours *colours)
{
    g_auto(GStrv) lines = tcgrr_disasm_block(texts->disasms[which], exec->block);
    for (uint32_t i = 0; i < exec->block->insns; i++) {
        g_autofree char *bytes = hex_bytes(exec->block, i);
        const char *colour = i == marked ? colours->bad : i >= end ? colours->dim : "";
        printf("%s  %c 0x%016" G_GINT64_MODIFIER "x  %-16s %s%s%s\n", colour, i == marked ? '>' : ' ',
               tcgrr_block_pc(exec->block, i), bytes, lines[i], i >= end ? "   (not reached)" : "",
               *colour ? colours->off : "");
    }
}

static void print_common(const struct texts *texts, const struct tcgrr_comparison *comparison,
                         const struct colours *colours)
{
    const GArray *common = comparison->common;

    printf("Last blocks in common, newest first (icount, pc, instructions that ran):\n");
    for (guint i = 0; i < common->len; i++) {
        print_exec(texts, 0, &g_array_index(common, struct tcgrr_exec, i));
    }
    if (common->len > 0) {
        const struct tcgrr_exec *last = &g_array_index(common, struct tcgrr_exec, 0);
        printf("The last of them:\n");
        print_block(texts, 0, last, last->block->insns, last->ran, colours);
    }
}

static void print_side(const struct texts *texts, int which, const struct tcgrr_divergence_side *side,
                       const struct colours *colours)
{
    const char *name = texts->places->names[which];
    g_autofree char *icount = cli_number(side->icount);

    if (!side->there) {
        printf("%s%s%s has nothing more to run after icount %s\n", colours->bad, name, colours->off, icount);
        return;
    }
    g_autofree char *symbol = symbol_at(texts, which, side->pc, side->icount);
    g_autofree char *line = tcgrr_addr2line_line(texts->sources[which], side->pc);
    printf("%s%s%s goes on at icount %s with 0x%" G_GINT64_MODIFIER "x%s%s%s%s%s:\n", colours->bad, name, colours->off,
           icount, side->pc, symbol ? " " : "", symbol ? symbol : "", line ? " (" : "", line ? line : "",
           line ? ")" : "");
    print_block(texts, which, &side->exec, side->insn, side->exec.ran, colours);
    for (guint i = 1; i < side->history->len; i++) {
        print_exec(texts, which, &g_array_index(side->history, struct tcgrr_exec, i));
    }
}

static void print_events(const struct texts *texts, const struct tcgrr_comparison *comparison)
{
    for (int side = 0; side < 2; side++) {
        const GArray *events = comparison->sides[side].events;
        if (events->len > 0) {
            printf("Events around there, %s:\n", texts->places->names[side]);
        }
        for (guint i = 0; i < events->len; i++) {
            const struct tcgrr_event *event = &g_array_index(events, struct tcgrr_event, i);
            g_autofree char *icount = cli_number(event->icount);
            g_autofree char *symbol = event->has_pcs ? symbol_at(texts, side, event->to_pc, event->icount) : NULL;
            printf("  %16s  %-14s", icount, tcgrr_event_name(event->kind));
            if (event->has_pcs) {
                printf("  to 0x%016" G_GINT64_MODIFIER "x  %s", event->to_pc, symbol ? symbol : "");
            }
            printf("\n");
        }
    }
}

static void print_calls(const struct tcgrr_comparison *comparison, const struct cli_places *places)
{
    for (int i = 0; i < 2; i++) {
        const struct tcgrr_live_call *call = &comparison->calls[i];
        if (call->number < 0) {
            printf("  %s makes no further call\n", places->names[i]);
            continue;
        }
        printf("  %s makes system call %" G_GINT64_FORMAT " (", places->names[i], call->number);
        for (size_t k = 0; k < G_N_ELEMENTS(call->arguments); k++) {
            printf("%s0x%" G_GINT64_MODIFIER "x", k > 0 ? ", " : "", call->arguments[k]);
        }
        printf(")\n");
    }
}

static void print_divergence(const struct tcgrr_comparison *comparison, const struct cli_places *places,
                             const struct colours *colours)
{
    struct texts texts;
    g_autofree char *compared = cli_number(comparison->compared);

    printf("%s%s%s after %s instructions in common: %s\n", colours->bad,
           comparison->diverged ? "DIVERGED" : "Not the same", colours->off, compared,
           tcgrr_divergence_name(comparison->kind));
    if (comparison->note) {
        printf("  %s\n", comparison->note);
    }
    if (comparison->kind == TCGRR_DIVERGENCE_CALL) {
        print_calls(comparison, places);
    }
    texts_init(&texts, places);
    print_common(&texts, comparison, colours);
    print_side(&texts, 0, &comparison->sides[0], colours);
    print_side(&texts, 1, &comparison->sides[1], colours);
    print_events(&texts, comparison);
    texts_clear(&texts);
}

/* How many lines of tolerated places people get to see. */
#define PLACES_SHOWN 10

static void print_place(const struct tcgrr_tolerated *place, const struct cli_places *places)
{
    g_autofree char *symbol = tcgrr_symbols_name_at(places->symbols[0], place->pc, place->icount[0]);
    g_autofree char *a = cli_number(place->icount[0]);
    g_autofree char *b = cli_number(place->icount[1]);

    printf("  %16s %16s  %-13s  0x%" G_GINT64_MODIFIER "x %s: ", a, b, tcgrr_tolerated_name(place->kind), place->pc,
           symbol ? symbol : "");
    const char *between = ", ";
    int late = place->insns[1] > 0;
    if (place->kind == TCGRR_TOLERATED_EVENT && place->insns[late] > 0) {
        printf("%" G_GUINT64_FORMAT " instructions later in %c", place->insns[late], 'A' + late);
    } else if (place->kind == TCGRR_TOLERATED_EVENT) {
        between = "";
    } else {
        printf("%" G_GUINT64_FORMAT " against %" G_GUINT64_FORMAT " instructions", place->insns[0], place->insns[1]);
    }
    for (int i = 0; tcgrr_reason_name(i); i++) {
        if (place->reasons >> i & 1) {
            printf("%s%s", between, tcgrr_reason_name(i));
            between = ", ";
        }
    }
    printf("\n");
}

static void print_tolerated(const struct tcgrr_comparison *comparison, const struct cli_places *places)
{
    const uint64_t *counts = comparison->tolerated;
    uint64_t all = counts[0] + counts[1] + counts[2];

    if (all == 0) {
        return;
    }
    printf("tolerated: %" G_GUINT64_FORMAT " shifted events, %" G_GUINT64_FORMAT " polling loops, %" G_GUINT64_FORMAT
           " transients (icount of A and B, kind, where, why):\n",
           counts[TCGRR_TOLERATED_EVENT], counts[TCGRR_TOLERATED_LOOP], counts[TCGRR_TOLERATED_TRANSIENT]);
    guint shown = MIN(comparison->places->len, PLACES_SHOWN);
    for (guint i = 0; i < shown; i++) {
        print_place(&g_array_index(comparison->places, struct tcgrr_tolerated, i), places);
    }
    if (all > shown) {
        printf("  and %" G_GUINT64_FORMAT " more (--json lists the first %d)\n", all - shown, TCGRR_TOLERATED_LISTED);
    }
}

/* User mode: inputs that could not be given, and what came of them. */
static void print_inputs(const struct tcgrr_comparison *comparison, const struct cli_places *places)
{
    g_autofree char *a = cli_number(comparison->skipped[0]);
    g_autofree char *b = cli_number(comparison->skipped[1]);

    if (comparison->ended_outside) {
        printf("  there a signal from outside ended the program of %s\n", places->names[0]);
    }
    if (comparison->input_differences == 0) {
        return;
    }
    printf("  %" G_GUINT64_FORMAT " system calls returned something other than what %s got\n",
           comparison->input_differences, places->names[0]);
    if (comparison->rest_left_out) {
        printf(
            "  after that the runs continued differently, and did not meet again at a system call that both made;\n  "
            "what followed was not compared, and a fault in it would not show\n");
    } else if (comparison->input_places > 0) {
        printf("  after that the runs continued differently %" G_GUINT64_FORMAT
               " times, up to the next system call that both made;\n  these %s and %s instructions were not compared, "
               "and a fault in them would not show\n",
               comparison->input_places, a, b);
    }
}

int cli_comparison_status(const struct tcgrr_comparison *comparison)
{
    return comparison->diverged ? CLI_DIVERGED : comparison->rest_left_out ? CLI_FAILED : CLI_OK;
}

void cli_print_comparison(const struct tcgrr_comparison *comparison, const struct cli_places *places)
{
    struct colours colours = choose_colours();

    if (comparison->diverged || comparison->undecided) {
        print_divergence(comparison, places, &colours);
    } else {
        g_autofree char *compared = cli_number(comparison->compared);
        printf("%s%s%s %s instructions%s\n", comparison->rest_left_out ? colours.bad : colours.good,
               comparison->rest_left_out ? "Not compared to the end: the same for" : "no divergence in", colours.off,
               compared,
               comparison->rest_left_out      ? ""
               : comparison->input_places > 0 ? ", except for what followed from inputs"
                                              : "");
    }
    print_inputs(comparison, places);
    print_tolerated(comparison, places);
    cli_print_data(&comparison->data, places);
    if (comparison->start[0] || comparison->start[1]) {
        g_autofree char *a = cli_number(comparison->start[0]);
        g_autofree char *b = cli_number(comparison->start[1]);
        printf("  compared from icount %s of %s and %s of %s on\n", a, places->names[0], b, places->names[1]);
    }
    for (int i = 0; i < 2; i++) {
        if (comparison->surplus[i] && comparison->ends[!i] == TCGRR_SOURCE_SHUTDOWN) {
            printf("  %s ran %" G_GUINT64_FORMAT
                   " more instructions after the guest had shut down, before QEMU stopped it\n",
                   places->names[i], comparison->surplus[i]);
        }
    }
}
