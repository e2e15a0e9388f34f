/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of a comparison, as text and as JSON. */
#include "cli/cli.h"
#include "lockstep/compare.h"
#include "store/disasm.h"

#include <stdio.h>

static char *hex_bytes(const struct tcgrr_divergence_side *side)
{
    const struct tcgrr_block *block = side->exec.block;
    const uint8_t *bytes = block->bytes + (side->pc - block->pc);
    GString *text = g_string_new(NULL);
    for (uint8_t i = 0; i < block->lengths[side->insn]; i++) {
        g_string_append_printf(text, "%02x", bytes[i]);
    }
    return g_string_free(text, FALSE);
}

/* The parting instruction as text; owned by the caller. */
static char *disassemble(const struct tcgrr_divergence_side *side, const char *target,
                         const struct tcgrr_blocks *blocks)
{
    struct tcgrr_disasm *disasm = tcgrr_disasm_new(target);

    if (blocks) {
        tcgrr_disasm_survey(disasm, blocks, tcgrr_blocks_count(blocks));
    }
    g_auto(GStrv) texts = tcgrr_disasm_block(disasm, side->exec.block);
    tcgrr_disasm_free(disasm);
    return g_strdup(texts[side->insn]);
}

static json_t *text_or_null(char *text)
{
    json_t *value = text ? json_string_nocheck(text) : json_null();
    g_free(text);
    return value;
}

static json_t *exec_json(const struct tcgrr_exec *exec, const struct cli_places *places, int which)
{
    return json_pack("{s:o, s:i, s:i, s:I, s:o}", "pc", cli_json_address(exec->block->pc), "insns",
                     (int)exec->block->insns, "ran", (int)exec->ran, "icount", (json_int_t)exec->icount, "symbol",
                     text_or_null(tcgrr_symbols_name(places->symbols[which], exec->block->pc)));
}

static json_t *execs_json(const GArray *execs, const struct cli_places *places, int which)
{
    json_t *list = json_array();
    for (guint i = 0; i < execs->len; i++) {
        json_array_append_new(list, exec_json(&g_array_index(execs, struct tcgrr_exec, i), places, which));
    }
    return list;
}

static json_t *side_json(const struct tcgrr_divergence_side *side, const struct cli_places *places, int which)
{
    if (!side->there) {
        return json_null();
    }
    g_autofree char *bytes = hex_bytes(side);
    return json_pack("{s:o, s:o, s:o, s:s}", "pc", cli_json_address(side->pc), "symbol",
                     text_or_null(tcgrr_symbols_name(places->symbols[which], side->pc)), "disasm",
                     text_or_null(disassemble(side, places->target, places->blocks[which])), "bytes", bytes);
}

void cli_json_comparison(json_t *object, const struct tcgrr_comparison *comparison, const struct cli_places *places)
{
    json_object_set_new(object, "diverged", json_boolean(comparison->diverged));
    json_object_set_new(object, "compared", json_integer((json_int_t)comparison->compared));
    json_object_set_new(object, "shifted_events", json_integer(0));
    if (!comparison->diverged) {
        return;
    }
    json_t *divergence =
        json_pack("{s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:s}", "icount", (json_int_t)comparison->icount, "vcpu",
                  (int)comparison->vcpu, "a", side_json(&comparison->sides[0], places, 0), "b",
                  side_json(&comparison->sides[1], places, 1), "common", execs_json(comparison->common, places, 0),
                  "history_a", execs_json(comparison->sides[0].history, places, 0), "history_b",
                  execs_json(comparison->sides[1].history, places, 1), "kind", tcgrr_divergence_name(comparison->kind));
    json_object_set_new(object, "divergence", divergence);
}

static void print_exec(const struct tcgrr_exec *exec, const struct cli_places *places, int which)
{
    g_autofree char *symbol = tcgrr_symbols_name(places->symbols[which], exec->block->pc);
    g_autofree char *icount = cli_number(exec->icount);
    printf("    %14s  0x%016" G_GINT64_MODIFIER "x  %3u of %3u  %s\n", icount, exec->block->pc, exec->ran,
           exec->block->insns, symbol ? symbol : "");
}

static void print_side(const struct tcgrr_divergence_side *side, const struct cli_places *places, int which)
{
    const char *name = places->names[which];

    if (!side->there) {
        printf("  %s: nothing more\n", name);
        return;
    }
    g_autofree char *symbol = tcgrr_symbols_name(places->symbols[which], side->pc);
    g_autofree char *bytes = hex_bytes(side);
    g_autofree char *text = disassemble(side, places->target, places->blocks[which]);
    printf("  %s: 0x%" G_GINT64_MODIFIER "x %s: %s (%s)\n", name, side->pc, symbol ? symbol : "", text, bytes);
    for (guint i = 0; i < side->history->len; i++) {
        print_exec(&g_array_index(side->history, struct tcgrr_exec, i), places, which);
    }
}

void cli_print_divergence(const struct tcgrr_comparison *comparison, const struct cli_places *places)
{
    if (!comparison->diverged) {
        return;
    }
    g_autofree char *icount = cli_number(comparison->icount);
    printf("DIVERGED after %s instructions in common: %s\n", icount, tcgrr_divergence_name(comparison->kind));
    printf("  last blocks in common, newest first (icount, pc, instructions that ran):\n");
    for (guint i = 0; i < comparison->common->len; i++) {
        print_exec(&g_array_index(comparison->common, struct tcgrr_exec, i), places, 0);
    }
    for (int i = 0; i < 2; i++) {
        print_side(&comparison->sides[i], places, i);
    }
}
