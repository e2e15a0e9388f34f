/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cause.h"

#include "cli/insn.h"
#include "store/symbols.h"

#include <stdio.h>

static char *hex(const uint8_t *bytes, size_t length)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < length; i++) {
        g_string_append_printf(text, "%02x", bytes[i]);
    }
    return g_string_free(text, FALSE);
}

/* The command that stops in gdb before the instruction; owned by the caller. */
static char *landing(const struct tcgrr_bisect *bisect, int side)
{
    const char *given = tcgrr_bisect_qemu(bisect, side);
    g_autofree char *path = g_shell_quote(bisect->paths[given ? 0 : side]);
    g_autofree char *qemu = given ? g_shell_quote(given) : NULL;
    bool user = g_strcmp0(tcgrr_reader_run(bisect->readers[0])->mode, "user") == 0; /* no QEMU can be stopped there */
    return g_strdup_printf("tcgrr replay %s%s%s --at %" G_GUINT64_FORMAT "%s", path, qemu ? " --qemu " : "",
                           qemu ? qemu : "", bisect->cause.icounts[side], user ? "" : " --gdb :1234");
}

static json_t *text_or_null(char *text)
{
    json_t *value = cli_json_text(text);
    g_free(text);
    return value;
}

static json_t *flags_json(const GArray *flags)
{
    json_t *list = json_array();
    for (guint i = 0; i < flags->len; i++) {
        const struct tcgrr_cause_flag *flag = &g_array_index(flags, struct tcgrr_cause_flag, i);
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:b}", "name", flag->name, "before",
                                              (json_int_t)flag->before, "a", (json_int_t)flag->values[0], "b",
                                              (json_int_t)flag->values[1], "undefined", flag->undefined));
    }
    return list;
}

static json_t *registers_json(const struct tcgrr_cause *found)
{
    json_t *list = json_array();
    for (guint i = 0; i < found->registers->len; i++) {
        const struct tcgrr_cause_register *reg = g_ptr_array_index(found->registers, i);
        json_array_append_new(list,
                              json_pack("{s:s, s:s?, s:s, s:s, s:o}", "name", reg->name, "before", reg->before, "a",
                                        reg->values[0], "b", reg->values[1], "flags", flags_json(reg->flags)));
    }
    return list;
}

static json_t *memory_json(const struct tcgrr_cause *found)
{
    json_t *list = json_array();
    for (guint i = 0; i < found->memory->len; i++) {
        const struct tcgrr_cause_memory *memory = &g_array_index(found->memory, struct tcgrr_cause_memory, i);
        g_autofree char *a = hex(memory->values[0], memory->size);
        g_autofree char *b = hex(memory->values[1], memory->size);
        json_array_append_new(list, json_pack("{s:o, s:o, s:i, s:s, s:s}", "address", cli_json_address(memory->address),
                                              "physical", cli_json_address(memory->physical), "size", (int)memory->size,
                                              "a", a, "b", b));
    }
    return list;
}

static json_t *names_json(const GPtrArray *names)
{
    json_t *list = json_array();
    for (guint i = 0; i < names->len; i++) {
        json_array_append_new(list, cli_json_text(g_ptr_array_index(names, i)));
    }
    return list;
}

static json_t *chain_json(const struct tcgrr_cause *found, struct cli_insns *insns, const struct cli_places *places)
{
    json_t *list = json_array();
    for (guint i = 0; i < found->links->len; i++) {
        const struct tcgrr_cause_link *link = g_ptr_array_index(found->links, i);
        json_array_append_new(
            list, json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:s?, s:b}", "icount", (json_int_t)link->icounts[0],
                            "icount_b", (json_int_t)link->icounts[1], "pc", cli_json_address(link->pc), "symbol",
                            text_or_null(tcgrr_symbols_name_at(places->symbols[0], link->pc, link->icounts[0])), "line",
                            text_or_null(cli_insns_line(insns, link->pc)), "disasm",
                            text_or_null(cli_insns_text(insns, link->icounts[0], link->pc, link->bytes, link->length)),
                            "takes", link->takes, "gap", link->gap));
    }
    return list;
}

void cli_cause_json(json_t *object, const struct cli_cause *cause)
{
    const struct tcgrr_bisect *bisect = cause->bisect;
    const struct cli_places *places = cause->places;
    const struct tcgrr_cause *found = &bisect->cause;
    struct cli_insns *insns = cli_insns_new(bisect->readers[0], places->target, places->symbols[0]);
    g_autofree char *bytes = hex(found->bytes, found->length);
    g_autofree char *land_a = landing(bisect, 0);
    g_autofree char *land_b = landing(bisect, 1);
    json_t *json = json_pack(
        "{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:[o, o], s:o, s:i}", "kind",
        tcgrr_cause_name(found->kind), "explanation", found->explanation, "icount", (json_int_t)found->icounts[0],
        "icount_b", (json_int_t)found->icounts[1], "pc", cli_json_address(found->pc), "symbol",
        text_or_null(tcgrr_symbols_name_at(places->symbols[0], found->pc, found->icounts[0])), "line",
        text_or_null(cli_insns_line(insns, found->pc)), "disasm",
        text_or_null(cli_insns_text(insns, found->icounts[0], found->pc, found->bytes, found->length)), "bytes", bytes,
        "registers", registers_json(found), "memory", memory_json(found), "chain", chain_json(found, insns, places),
        "differed_before", names_json(found->also), "left_out", names_json(found->left_out), "commands",
        cli_json_text(land_a), cli_json_text(land_b), "bundle", cli_json_text(cause->bundle), "replays",
        (int)found->replays);
    cli_insns_free(insns);
    json_object_set_new(json, "standalone",
                        json_pack("{s:b, s:o, s:o, s:b}", "reproduces", bisect->standalone.reproduces, "reason",
                                  cli_json_text(bisect->standalone.reason), "difference",
                                  cli_json_text(bisect->standalone.difference), "whole_block",
                                  bisect->standalone.whole_block));
    if (found->insns > 0) {
        json_object_set_new(json, "insns", json_integer(found->insns));
    }
    json_object_set_new(object, "cause", json);
}

static void print_flags(FILE *to, const GArray *flags)
{
    for (guint i = 0; i < flags->len; i++) {
        const struct tcgrr_cause_flag *flag = &g_array_index(flags, struct tcgrr_cause_flag, i);
        fprintf(to, "      %-8s before %" G_GUINT64_FORMAT ", A %" G_GUINT64_FORMAT ", B %" G_GUINT64_FORMAT "%s\n",
                flag->name, flag->before, flag->values[0], flag->values[1],
                flag->undefined ? "  (undefined by the architecture)" : "");
    }
}

static void print_effect(FILE *to, const struct tcgrr_cause *found)
{
    for (guint i = 0; i < found->registers->len; i++) {
        const struct tcgrr_cause_register *reg = g_ptr_array_index(found->registers, i);
        fprintf(to, "    %-10s before %s\n               A      %s\n               B      %s\n", reg->name,
                reg->before ? reg->before : "not known", reg->values[0], reg->values[1]);
        print_flags(to, reg->flags);
    }
    for (guint i = 0; i < found->memory->len; i++) {
        const struct tcgrr_cause_memory *memory = &g_array_index(found->memory, struct tcgrr_cause_memory, i);
        g_autofree char *a = hex(memory->values[0], memory->size);
        g_autofree char *b = hex(memory->values[1], memory->size);
        fprintf(to,
                "    memory 0x%" G_GINT64_MODIFIER "x (%u byte%s, lowest address first)\n"
                "               A      %s\n               B      %s\n",
                memory->address, memory->size, memory->size == 1 ? "" : "s", a, b);
    }
}

static void print_insn(FILE *to, struct cli_insns *insns, const struct cli_places *places, tcgrr_icount icount,
                       uint64_t pc, const uint8_t *bytes, uint8_t length)
{
    g_autofree char *symbol = tcgrr_symbols_name_at(places->symbols[0], pc, icount);
    g_autofree char *text = cli_insns_text(insns, icount, pc, bytes, length);
    g_autofree char *raw = hex(bytes, length);
    g_autofree char *line = cli_insns_line(insns, pc);
    fprintf(to, "0x%" G_GINT64_MODIFIER "x %s%s%s: %s (%s)", pc, symbol ? symbol : "", line ? " " : "",
            line ? line : "", text ? text : "?", raw);
}

/* The instructions of a block after its first. */
static void print_block(FILE *to, const struct tcgrr_cause *found, struct cli_insns *insns,
                        const struct cli_places *places)
{
    const struct tcgrr_cause_scene *scene = &found->scene;
    for (guint i = scene->first + 1; i <= scene->at; i++) {
        const struct tcgrr_stop *stop = g_ptr_array_index(scene->stops[0], i);
        fprintf(to, "  ");
        print_insn(to, insns, places, found->icounts[0] + i - scene->first, stop->address, stop->bytes, stop->length);
        fprintf(to, "\n");
    }
}

static void print_chain(FILE *to, const struct tcgrr_cause *found, struct cli_insns *insns,
                        const struct cli_places *places)
{
    fprintf(to,
            "  how it led to the divergence, oldest first (icount of A, instruction, what it read that differed):\n");
    for (guint i = 0; i < found->links->len; i++) {
        const struct tcgrr_cause_link *link = g_ptr_array_index(found->links, i);
        g_autofree char *icount = cli_number(link->icounts[0]);
        if (link->gap) {
            fprintf(to, "    %14s  (not followed in between)\n", "...");
        }
        fprintf(to, "    %14s  ", icount);
        print_insn(to, insns, places, link->icounts[0], link->pc, link->bytes, link->length);
        fprintf(to, "%s%s\n", link->takes ? "  <- " : "", link->takes ? link->takes : "");
    }
}

static void print_names(FILE *to, const char *title, const GPtrArray *names)
{
    if (names->len > 0) {
        fprintf(to, "  %s:", title);
        for (guint i = 0; i < names->len && i < 12; i++) {
            fprintf(to, "%s %s", i ? "," : "", (const char *)g_ptr_array_index(names, i));
        }
        fprintf(to, names->len > 12 ? " and %u more\n" : "\n", names->len - 12);
    }
}

void cli_cause_print(FILE *to, const struct cli_cause *cause)
{
    const struct tcgrr_bisect *bisect = cause->bisect;
    const struct cli_places *places = cause->places;
    const struct tcgrr_cause *found = &bisect->cause;
    struct cli_insns *insns = cli_insns_new(bisect->readers[0], places->target, places->symbols[0]);
    g_autofree char *a = cli_number(found->icounts[0]);
    g_autofree char *b = cli_number(found->icounts[1]);
    g_autofree char *land_a = landing(bisect, 0);
    g_autofree char *land_b = landing(bisect, 1);

    fprintf(to, "CAUSE (%s) at icount %s of A, %s of B\n  ", tcgrr_cause_name(found->kind), a, b);
    print_insn(to, insns, places, found->icounts[0], found->pc, found->bytes, found->length);
    fprintf(to, "\n");
    if (found->kind == TCGRR_CAUSE_BLOCK) {
        print_block(to, found, insns, places);
    }
    fprintf(to, "  %s\n", found->explanation);
    print_effect(to, found);
    print_chain(to, found, insns, places);
    print_names(to, "registers that already differed before it, which it does not read", found->also);
    print_names(to, "not compared, because only one of the two QEMUs has them", found->left_out);
    fprintf(to, "  to stop just before it:\n    %s\n    %s\n", land_a, land_b);
    if (cause->bundle) {
        fprintf(to, "  all of it is in %s%s\n", cause->bundle,
                bisect->standalone.reproduces ? ", with a guest that shows the difference on its own (guest.S, run.sh)"
                                              : "");
    }
    cli_insns_free(insns);
}
