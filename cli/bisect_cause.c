/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bisect TRACE --qemu, and lockstep --bisect: the search for a cause, as a command. */
#include "cli/bisect.h"
#include "cli/fill.h"

#include "cli/browse/browse.h"
#include "cli/cause.h"
#include "replay/cause/bundle.h"
#include "replay/unpinned.h"
#include "store/error.h"
#include "store/symbols.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct context {
    const struct cli_command *command;
    const struct cli_compare_options *comparing;
    struct tcgrr_bisect_options options;
    struct tcgrr_bisect bisect;
    struct tcgrr_cause_folder folder;
    struct tcgrr_symbols *symbols;
    char **symbol_files; /* further ELF files; NULL: none */
    bool browse;         /* look at it afterwards */
    bool filled;         /* the folder has all that belongs into it */
    bool progress;
};

/* ---- while it runs ---- */

static void say(const char *text, void *data)
{
    const struct context *context = data;
    if (context->progress) {
        cli_progress("%s", text);
    }
}

static void note(const char *text, void *data)
{
    cli_note("%s", text);
}

/* ---- the report ---- */

static struct cli_places places_of(const struct context *context)
{
    struct cli_places places = {.target = tcgrr_reader_run(context->bisect.readers[0])->target,
                                .symbols = {context->symbols, context->symbols},
                                .names = {"A", "B"}};
    for (int i = 0; i < 2; i++) {
        places.blocks[i] = tcgrr_reader_blocks(context->bisect.readers[i], NULL);
    }
    return places;
}

static void print_text(const struct context *context, const struct cli_cause *cause)
{
    const struct tcgrr_bisect *bisect = &context->bisect;

    cli_print_comparison(bisect->comparison, cause->places);
    if (bisect->qemu && bisect->replay.inputs.translated) {
        printf("  recorded with QEMU %s, whose rr log was translated for %s\n",
               tcgrr_reader_run(bisect->readers[0])->qemu_version, bisect->replay.qemu_version);
    }
    if (bisect->has_cause) {
        cli_cause_print(stdout, cause);
    }
    bool given = bisect->has_cause && bisect->cause.kind == TCGRR_CAUSE_START;
    if (given && tcgrr_unpinned_has_generated_dtb(bisect->readers[0])) {
        g_autofree char *advice = tcgrr_unpinned_advice(bisect->readers[0]);
        printf("  %s\n", advice);
    }
}

static json_t *result_json(const struct context *context, const struct cli_cause *cause)
{
    const struct tcgrr_bisect *bisect = &context->bisect;
    json_t *object = json_pack("{s:o, s:o}", "trace", cli_json_text(bisect->paths[0]), "qemu",
                               cli_json_text(bisect->options.qemus[1]));

    cli_json_comparison(object, bisect->comparison, cause->places);
    json_object_set_new(object, "inputs", json_string(tcgrr_bisect_inputs(bisect)));
    if (bisect->qemu && bisect->replay.inputs.translated) {
        cli_json_translation(object, tcgrr_reader_run(bisect->readers[0])->qemu_version, bisect->replay.qemu_version);
    }
    if (bisect->has_cause) {
        cli_cause_json(object, cause);
    }
    return object;
}

/* Reports the result, whose folder is `bundle` (NULL: it could not be written). Returns `status`, or another one. */
static int report(struct context *context, const char *bundle, int status)
{
    const struct tcgrr_bisect *bisect = &context->bisect;
    struct cli_places places = places_of(context);
    struct cli_cause cause = {bisect, bundle, &places};
    const struct cli_compare_options *comparing = context->comparing;
    json_t *object = cli_compare_options_want_object(comparing) ? result_json(context, &cause) : NULL;

    if (!comparing->json) {
        print_text(context, &cause);
    }
    return cli_output_result(object, comparing->json, comparing->html, status);
}

static void print_finding(FILE *to, void *data)
{
    cli_cause_print(to, data);
}

static void describe_finding(json_t *object, void *data)
{
    struct cli_cause *cause = data;
    cli_json_comparison(object, cause->bisect->comparison, cause->places);
    cli_cause_json(object, cause);
}

static int fail(struct context *context, GError *error)
{
    const struct tcgrr_comparison *comparison = context->bisect.comparison;
    int signal = *context->options.stop;

    cli_progress_clear();
    if (signal && comparison) {
        g_clear_error(&error);
        error = g_error_new(TCGRR_ERROR, TCGRR_ERROR_STOPPED,
                            "interrupted: the same for the first %" G_GUINT64_FORMAT
                            " instructions; the cause was not found yet",
                            comparison->compared);
    }
    int status = cli_fail(error);
    return signal ? cli_stopped_status(signal) : status;
}

/* A finding is reported even if its folder cannot be filled. */
static int conclude(struct context *context)
{
    struct tcgrr_bisect *bisect = &context->bisect;
    struct cli_places places = places_of(context);
    struct cli_cause cause = {bisect, context->folder.path, &places};
    struct tcgrr_bundle_options options = {print_finding, describe_finding, cli_write_page, &cause};
    GError *error = NULL;

    if (!bisect->has_cause) {
        return report(context, NULL, bisect->comparison->diverged ? CLI_DIVERGED : CLI_OK);
    }
    context->filled = tcgrr_bundle_fill(bisect, &options, &error);
    if (!context->filled) {
        g_prefix_error(&error, "%s is not complete: ", context->folder.path);
    }
    int status = context->filled ? CLI_DIVERGED : fail(context, error);
    if (!context->filled && *context->options.stop) {
        return status;
    }
    cli_progress_clear();
    return report(context, context->filled ? context->folder.path : NULL, status);
}

/* ---- the command ---- */

static int resolve(struct context *context, struct tcgrr_compare_options *how)
{
    struct tcgrr_symbols *symbols[2];
    GError *error = NULL;

    context->symbols = cli_trace_symbols(context->bisect.readers[0]);
    for (char **file = context->symbol_files; file && *file; file++) {
        if (!tcgrr_symbols_add_file(context->symbols, *file, 0, &error)) {
            return cli_fail(error);
        }
    }
    symbols[0] = symbols[1] = context->symbols;
    return cli_compare_options_resolve(context->command, context->comparing, symbols, how);
}

static int run(struct context *context)
{
    struct tcgrr_bisect *bisect = &context->bisect;
    struct tcgrr_compare_options how = {0};
    GError *error = NULL;

    if (!tcgrr_bisect_open(bisect, &context->options, &error)) {
        return fail(context, error);
    }
    int status = resolve(context, &how);
    if (status != CLI_OK) {
        return status;
    }
    if (!tcgrr_bisect_run(bisect, &how, context->symbols, &error)) {
        status = fail(context, error);
        if (!*context->options.stop && bisect->comparison && bisect->comparison->diverged) {
            /* Where they diverge is worth telling even if why is not known. */
            return report(context, NULL, status);
        }
        return status;
    }
    cli_progress_clear();
    return conclude(context);
}

/* Opens the browser with both recordings of the folder at the cause, or where they diverge. If B only replayed A's,
 * that is first replayed and stored once more, unless only data differ: then only A's is shown. Returns `status`, or
 * another one. */
static int browse(struct context *context, int status)
{
    const struct tcgrr_bisect *bisect = &context->bisect;
    tcgrr_icount icount = bisect->has_cause ? bisect->cause.icounts[0] : bisect->comparison->icount;
    g_autofree char *a = g_build_filename(context->folder.path, "a.tcgrr", NULL);
    g_autofree char *b = g_build_filename(context->folder.path, "b.tcgrr", NULL);
    g_autofree char *replayed = g_build_filename(context->folder.path, "b-replayed.tcgrr", NULL);
    bool recorded = g_file_test(b, G_FILE_TEST_EXISTS);
    bool both = recorded || tcgrr_bisect_store_b(&context->bisect, replayed, NULL);
    g_autofree char *at = g_strdup_printf("%" G_GUINT64_FORMAT, icount);
    int shown = cli_browse_traces(g_file_test(a, G_FILE_TEST_EXISTS) ? a : context->options.path,
                                  recorded ? b
                                  : both   ? replayed
                                           : NULL,
                                  at);
    g_unlink(replayed);
    return shown == CLI_OK ? status : shown;
}

/* Without all that belongs into it, the folder is only kept if the user named it, for the recordings in it. */
static int run_in_folder(struct context *context, const char *arguments, const char *wanted, bool force)
{
    GError *error = NULL;
    int status;

    if (tcgrr_cause_folder_make(&context->folder, arguments, wanted, force, &error)) {
        context->options.folder = &context->folder;
        status = run(context);
        bool diverged = context->bisect.comparison && context->bisect.comparison->diverged;
        if (context->browse && diverged && !*context->options.stop) {
            status = browse(context, status);
        }
        if (!diverged || (!arguments && (!context->filled || *context->options.stop))) {
            tcgrr_cause_folder_drop(&context->folder);
        }
    } else {
        status = cli_fail(error);
    }
    tcgrr_bisect_clear(&context->bisect);
    tcgrr_symbols_free(context->symbols);
    tcgrr_cause_folder_clear(&context->folder);
    return status;
}

/* Its own help; the dispatcher's is about all forms of bisect. */
static const struct cli_command form = {
    "bisect",
    "TRACE --qemu PATH",
    "Find the first instruction whose effect differs between the QEMU that recorded and another one",
    "Runs diverge long after something went wrong. The search follows the inputs of the diverging instruction back to\n"
    "the instructions that wrote them, until it finds one with the same inputs on both sides but different "
    "results.\n"
    "docs/cause.md explains how, and what the kinds of causes mean.\n"
    "The other QEMU replays the recording, whatever its release. Where it cannot, or where it diverges because it "
    "makes\n"
    "another machine, it runs the command and is recorded, too. If the two diverge in different firmware, they are\n"
    "compared from the guest's _start on; --from names another place.\n\n"
    "Exit status: 0 no divergence, 1 the two diverge, 3 the question could not be answered.\n\n"
    "Examples:\n"
    "  tcgrr bisect guest.tcgrr --qemu qemu-system-x86_64-10.0\n"
    "  tcgrr bisect guest.tcgrr --qemu ./build/qemu-system-aarch64 --from start_kernel --json | jq .cause\n",
    NULL,
};

/* The user's options; owned. */
struct arguments {
    gboolean browse;
    struct cli_compare_options comparing;
    char *qemu;
    char *bundle;
    gboolean force, progress, fill;
    int timeout;
};

/* TRACE-cause, where TRACE ends in .tcgrr. */
static char *default_bundle(const char *trace)
{
    size_t length = strlen(trace) - (g_str_has_suffix(trace, ".tcgrr") ? strlen(".tcgrr") : 0);
    return g_strdup_printf("%.*s-cause", (int)length, trace);
}

static int bisect_trace(const struct arguments *arguments, const char *trace)
{
    GError *error = NULL;
    int status = CLI_OK;
    g_autofree char *plugin = cli_plugin_path(&error);
    struct tcgrr_reader *reader = plugin ? cli_open_trace_at(trace, TCGRR_LEVEL_FLOW, arguments->fill, &status) : NULL;
    g_autofree char *wanted = default_bundle(trace);
    struct context context = {
        .command = &form,
        .comparing = &arguments->comparing,
        .options = {.reader = reader,
                    .path = trace,
                    .qemus = {NULL, arguments->qemu},
                    .plugin = plugin,
                    .tool_version = TCGRR_VERSION,
                    .ignore = (const char *const *)arguments->comparing.ignored,
                    .hang_ms = arguments->timeout * 1000,
                    .stop = cli_catch_signals(),
                    .progress = say,
                    .note = note,
                    .data = &context},
        .browse = arguments->browse,
        .progress = arguments->progress || isatty(STDERR_FILENO),
    };
    if (reader) {
        status = run_in_folder(&context, arguments->bundle, wanted, arguments->force);
        tcgrr_reader_free(reader);
    }
    return plugin ? status : cli_fail(error);
}

static void arguments_clear(struct arguments *arguments)
{
    cli_compare_options_clear(&arguments->comparing);
    g_free(arguments->qemu);
    g_free(arguments->bundle);
}

int cli_bisect_cause(int argc, char **argv)
{
    struct arguments arguments = {.comparing = CLI_COMPARE_OPTIONS_INIT, .timeout = 60};
    const GOptionEntry options[] = {
        {"qemu", 0, 0, G_OPTION_ARG_FILENAME, &arguments.qemu, "the QEMU to compare with the one that recorded",
         "PATH"},
        {"bundle", 0, 0, G_OPTION_ARG_FILENAME, &arguments.bundle,
         "folder for everything a bug report needs (default: a new one next to the trace, with its name and -cause)",
         "DIR"},
        {"force", 0, 0, G_OPTION_ARG_NONE, &arguments.force, "use the folder even if it exists", NULL},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &arguments.timeout,
         "seconds without progress after which a QEMU has hung (default 60)", "S"},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &arguments.progress,
         "show progress even if standard error is not a terminal", NULL},
        CLI_FILL_OPTION(arguments.fill),
        CLI_COMPARE_OPTION_ROWS(arguments.comparing),
        CLI_BROWSE_OPTION(arguments.browse),
        {0},
    };
    int status = CLI_USAGE;

    /* "bisect --qemu --help" is how one asks for this help, though --qemu takes a value. */
    char *help[] = {argv[0], (char *)"--help", NULL};
    if (argc == 3 && strcmp(argv[2], help[1]) == 0) {
        argc = 2;
        argv = help;
    }
    if (!cli_parse(&form, options, false, &argc, &argv)) {
        status = CLI_USAGE;
    } else if (argc != 2 || !cli_timeout_is_good(arguments.timeout)) {
        status = cli_usage(&form, argc != 2 ? "bisect takes one trace and --qemu PATH" : CLI_TIMEOUT_TAKES);
    } else {
        status = arguments.browse ? cli_browse_check(&form) : CLI_OK;
        status = status == CLI_OK ? bisect_trace(&arguments, argv[1]) : status;
    }
    arguments_clear(&arguments);
    return status;
}

int cli_bisect_pair(const struct cli_bisect_pair *pair)
{
    g_autofree char *from = cli_plain_where(pair->comparing->from);
    GError *error = NULL;
    g_autofree char *plugin = cli_plugin_path(&error);
    struct context context = {
        .command = pair->command,
        .comparing = pair->comparing,
        .options = {.qemus = {pair->qemus[0], pair->qemus[1]},
                    .words = {pair->words[0], pair->words[1]},
                    .extra = pair->extra,
                    .from = cli_compare_options_start_late(pair->comparing) ? from : NULL,
                    .symbol_files = (const char *const *)pair->symbol_files,
                    .icount = pair->icount,
                    .plugin = plugin,
                    .tool_version = TCGRR_VERSION,
                    .ignore = (const char *const *)pair->comparing->ignored,
                    .hang_ms = pair->hang_ms,
                    .stop = cli_catch_signals(),
                    .progress = say,
                    .note = note,
                    .data = &context},
        .symbol_files = pair->symbol_files,
        .browse = pair->browse,
        .progress = pair->progress,
    };
    return plugin ? run_in_folder(&context, pair->bundle, "lockstep-cause", pair->force) : cli_fail(error);
}
