/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/why.h"

#include "cli/cli.h"
#include "cli/compare_options.h"
#include "cli/insn.h"
#include "replay/replay.h"
#include "store/symbols.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEPTH 10 /* steps, unless --depth says otherwise */
#define HANG  60 /* seconds */

struct context {
    struct tcgrr_symbols *symbols;
    struct cli_insns *insns;
    struct tcgrr_why why;
    tcgrr_icount at;
    bool progress;
};

static void say(const char *text, void *data)
{
    const struct context *context = data;
    if (context->progress) {
        cli_progress("%s", text);
    }
}

/* ---- the report ---- */

static const struct tcgrr_why_step *step_at(const struct context *context, guint i)
{
    return g_ptr_array_index(context->why.steps, i);
}

static const struct tcgrr_why_value *read_at(const struct tcgrr_why_step *step, guint i)
{
    return &g_array_index(step->read, struct tcgrr_why_value, i);
}

/* Owned by the caller; "?" if the bytes are not known. */
static char *disassemble(const struct context *context, const struct tcgrr_why_step *step)
{
    char *text = cli_insns_text(context->insns, step->icount, step->pc, step->bytes, step->length);
    return text ? text : g_strdup("?");
}

static json_t *icount_of(const struct context *context, int writer)
{
    return writer >= 0 ? json_integer((json_int_t)step_at(context, (guint)writer)->icount) : json_null();
}

static json_t *step_json(const struct context *context, const struct tcgrr_why_step *step)
{
    g_autofree char *symbol = tcgrr_symbols_name_at(context->symbols, step->pc, step->icount);
    g_autofree char *text = disassemble(context, step);
    g_autofree char *line = cli_insns_line(context->insns, step->pc);
    json_t *reads = json_array();

    for (guint i = 0; i < step->read->len; i++) {
        const struct tcgrr_why_value *value = read_at(step, i);
        json_array_append_new(reads,
                              json_pack("{s:s, s:o, s:o}", "what", value->name, "value", cli_json_text(value->value),
                                        "written_at", icount_of(context, value->writer)));
    }
    return json_pack("{s:I, s:o, s:o, s:o, s:s, s:s, s:o, s:o}", "icount", (json_int_t)step->icount, "pc",
                     cli_json_address(step->pc), "symbol", cli_json_text(symbol), "line", cli_json_text(line), "disasm",
                     text, "wrote", step->wrote.name, "value", cli_json_text(step->wrote.value), "read", reads);
}

/* Why it goes no further back, as one line; owned by the caller. */
static char *ends_of(const struct context *context)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < context->why.ends->len; i++) {
        g_string_append_printf(text, "%s%s", i ? "; " : "", (const char *)g_ptr_array_index(context->why.ends, i));
    }
    return g_string_free(text, FALSE);
}

static json_t *found_json(const struct context *context)
{
    g_autofree char *ends = ends_of(context);
    json_t *steps = json_array();
    for (guint i = 0; i < context->why.steps->len; i++) {
        json_array_append_new(steps, step_json(context, step_at(context, i)));
    }
    return json_pack("{s:I, s:s, s:o, s:o, s:s, s:i}", "at", (json_int_t)context->at, "what", context->why.asked.name,
                     "value", cli_json_text(context->why.asked.value), "steps", steps, "ends", ends, "replays",
                     (int)context->why.replays);
}

static void print_text(const struct context *context)
{
    const struct tcgrr_why *why = &context->why;
    g_autofree char *at = cli_number(context->at);

    printf("%s = %s before icount %s\n", why->asked.name, why->asked.value ? why->asked.value : "?", at);
    for (guint i = 0; i < why->steps->len; i++) {
        const struct tcgrr_why_step *step = step_at(context, i);
        g_autofree char *icount = cli_number(step->icount);
        g_autofree char *symbol = tcgrr_symbols_name_at(context->symbols, step->pc, step->icount);
        g_autofree char *text = disassemble(context, step);
        g_autofree char *line = cli_insns_line(context->insns, step->pc);
        printf("%16s  0x%" G_GINT64_MODIFIER "x %s%s%s: %s\n", icount, step->pc, symbol ? symbol : "", line ? " " : "",
               line ? line : "", text);
        printf("%16s    wrote %s = %s\n", "", step->wrote.name, step->wrote.value ? step->wrote.value : "?");
        for (guint k = 0; k < step->read->len; k++) {
            const struct tcgrr_why_value *value = read_at(step, k);
            g_autofree char *from =
                value->writer >= 0 ? cli_number(step_at(context, (guint)value->writer)->icount) : NULL;
            printf("%16s    read  %s = %s%s%s\n", "", value->name, value->value ? value->value : "?",
                   from ? ", written at " : "", from ? from : "");
        }
    }
    for (guint i = 0; i < why->ends->len; i++) {
        printf("%s\n", (const char *)g_ptr_array_index(why->ends, i));
    }
}

/* A label of Graphviz: quotes and backslashes are escaped. */
static void print_quoted(const char *text)
{
    for (; *text; text++) {
        printf("%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    }
}

static void print_edge(const struct tcgrr_why_value *value, const char *to)
{
    if (value->writer >= 0) {
        printf("  s%d -> %s [label=\"", value->writer, to);
        print_quoted(value->name);
        printf("\\n%s\"];\n", value->value ? value->value : "?");
    }
}

static void print_dot(const struct context *context)
{
    const struct tcgrr_why *why = &context->why;
    g_autofree char *at = cli_number(context->at);

    printf("digraph why {\n  node [shape=box, fontname=monospace];\n  edge [fontname=monospace];\n");
    printf("  asked [shape=ellipse, label=\"");
    print_quoted(why->asked.name);
    printf(" = %s\\nbefore icount %s\"];\n", why->asked.value ? why->asked.value : "?", at);
    print_edge(&why->asked, "asked");
    for (guint i = 0; i < why->steps->len; i++) {
        const struct tcgrr_why_step *step = step_at(context, i);
        g_autofree char *icount = cli_number(step->icount);
        g_autofree char *symbol = tcgrr_symbols_name_at(context->symbols, step->pc, step->icount);
        g_autofree char *text = disassemble(context, step);
        g_autofree char *name = g_strdup_printf("s%u", i);
        printf("  %s [label=\"%s\\n", name, icount);
        print_quoted(symbol ? symbol : "");
        printf("\\n");
        print_quoted(text);
        printf("\"];\n");
        for (guint k = 0; k < step->read->len; k++) {
            print_edge(read_at(step, k), name);
        }
    }
    printf("}\n");
}

/* ---- the command ---- */

/* The user's options; owned. */
struct told {
    char *at;
    char *qemu;
    char *html;
    int depth;
    gboolean json, dot, progress;
};

/* A number with 0x is an address, with :SIZE after it or not; anything else a register. */
static bool parse_what(const char *text, struct tcgrr_why_options *options)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 2);
    guint64 size = 0;

    if (!g_str_has_prefix(text, "0x")) {
        options->what = text;
        return *text && !parts[1];
    }
    if (parts[1] && !g_ascii_string_to_unsigned(parts[1], 10, 1, TCGRR_PLACE_MAX, &size, NULL)) {
        return false;
    }
    options->size = (uint16_t)size;
    return g_ascii_string_to_unsigned(parts[0] + 2, 16, 0, UINT64_MAX, &options->address, NULL);
}

static int find(const struct told *told, struct tcgrr_why_options *options, struct context *context)
{
    GError *error = NULL;

    bool good = tcgrr_replay_check(options->reader, &error) && tcgrr_why_find(options, &context->why, &error);
    cli_progress_clear();
    if (!good) {
        int status = cli_fail(error);
        return *options->stop ? cli_stopped_status(*options->stop) : status;
    }
    context->insns = cli_insns_new(options->reader, tcgrr_reader_run(options->reader)->target, context->symbols);
    cli_page();
    if (!told->json) {
        (told->dot ? print_dot : print_text)(context);
    }
    json_t *object = told->json || told->html ? found_json(context) : NULL;
    cli_insns_free(context->insns);
    return cli_output_result(object, told->json, told->html, CLI_OK);
}

/* Where the user looks: an icount, or where a place of the code is executed first. */
static int resolve(const struct cli_command *command, const char *at, struct tcgrr_symbols *symbols,
                   struct tcgrr_why_options *options)
{
    struct tcgrr_position where = {TCGRR_POSITION_NONE, 0};
    GError *error = NULL;

    if (!cli_parse_where(at, symbols, &where)) {
        return cli_usage(command, "--at: '%s' is neither an icount, nor a 0x address, nor a symbol of the trace", at);
    }
    options->at = where.value;
    return where.kind == TCGRR_POSITION_PC && !cli_find_pc(options->reader, where.value, 0, &options->at, &error)
               ? cli_fail(error)
               : CLI_OK;
}

static int why(const struct cli_command *command, const struct told *told, const char *trace, const char *what)
{
    struct context context = {.progress = told->progress || isatty(STDERR_FILENO)};
    GError *error = NULL;
    int status = CLI_OK;
    g_autofree char *plugin = cli_plugin_path(&error);
    struct tcgrr_why_options options = {
        .reader = plugin ? cli_open_trace_at(trace, TCGRR_LEVEL_FLOW, false, &status) : NULL,
        .qemu = told->qemu,
        .plugin = plugin,
        .depth = (unsigned)told->depth,
        .hang_ms = HANG * 1000,
        .stop = cli_catch_signals(),
        .progress = say,
        .data = &context,
    };

    if (!plugin) {
        return cli_fail(error);
    }
    if (!options.reader) {
        return status;
    }
    context.symbols = cli_trace_symbols(options.reader);
    status = resolve(command, told->at, context.symbols, &options);
    if (status == CLI_OK && !parse_what(what, &options)) {
        status =
            cli_usage(command, "'%s' is neither a register nor ADDRESS[:SIZE] (1 to %d bytes)", what, TCGRR_PLACE_MAX);
    } else if (status == CLI_OK) {
        context.at = options.at;
        status = find(told, &options, &context);
    }
    tcgrr_why_clear(&context.why);
    tcgrr_symbols_free(context.symbols);
    tcgrr_reader_free(options.reader);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct told told = {.depth = DEPTH};
    const GOptionEntry options[] = {
        {"at", 0, 0, G_OPTION_ARG_STRING, &told.at,
         "take the value before this instruction: an icount, or a symbol or 0x address (its first execution)", "WHERE"},
        {"depth", 0, 0, G_OPTION_ARG_INT, &told.depth, "number of steps to follow it back (default 10)", "N"},
        {"qemu", 0, 0, G_OPTION_ARG_FILENAME, &told.qemu, "replay in this QEMU (default: the one that recorded)",
         "PATH"},
        {"dot", 0, 0, G_OPTION_ARG_NONE, &told.dot, "print a graph for Graphviz", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &told.json, "print one JSON object", NULL},
        CLI_HTML_OPTION(told.html),
        {"progress", 0, 0, G_OPTION_ARG_NONE, &told.progress, "show progress even if standard error is not a terminal",
         NULL},
        {0},
    };
    int status = CLI_USAGE;

    if (cli_parse(command, options, false, &argc, &argv)) {
        if (argc != 3 || !told.at) {
            status = cli_usage(command, "why takes a trace, --at WHERE, and a register or an address");
        } else if (told.depth < 1 || (told.json && told.dot)) {
            status = cli_usage(command, told.depth < 1 ? "--depth takes 1 or more" : "--json or --dot, not both");
        } else if (!cli_check_page(told.html)) {
            status = CLI_FAILED;
        } else {
            status = why(command, &told, argv[1], argv[2]);
        }
    }
    g_free(told.at);
    g_free(told.html);
    g_free(told.qemu);
    return status;
}

const struct cli_command cli_why = {
    "why",
    "TRACE --at WHERE WHAT",
    "Explain where a value came from: what wrote it, what that read, and so on",
    "WHAT is a register or ADDRESS[:SIZE], with its value before the instruction that --at names. Each step is an\n"
    "instruction, newest first, with what it wrote and read, back to where the value entered the guest: a device,\n"
    "a clock, a constant, the start. docs/why.md explains how, and what is not known.\n\n"
    "Examples:\n"
    "  tcgrr why boot.tcgrr --at 500000000 x0\n"
    "  tcgrr why boot.tcgrr --at 500000000 0xffff800008a31c40:8 --depth 20 --json | jq '.steps[].disasm'\n"
    "  tcgrr why boot.tcgrr --at 500000000 0xffff800008a31c40 --dot | dot -Tsvg >why.svg\n"
    "  tcgrr why boot.tcgrr --at 500000000 x0 --html why.html\n",
    run,
};
