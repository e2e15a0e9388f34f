/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/fill_jobs.h"

#include "store/error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct arguments {
    struct cli_fill fill;
    char *level;
    char *window;
    char *output;
    gboolean prints;
    gboolean collects;
    gboolean json;
};

/* Prints a shell command line for each window that is missing. */
static bool print_jobs(const struct arguments *arguments, const char *plugin, GError **error)
{
    struct tcgrr_fill *fill = tcgrr_fill_open(arguments->fill.trace, arguments->fill.qemu, plugin, error);
    struct tcgrr_span span;
    g_autoptr(GArray) windows = fill && cli_fill_span(fill, &arguments->fill, &span, error)
                                    ? tcgrr_fill_plan(fill, arguments->fill.level, span, (unsigned)arguments->fill.jobs,
                                                      (tcgrr_icount)arguments->fill.least, error)
                                    : NULL;
    bool good = windows != NULL;
    json_t *list = json_array();

    for (guint i = 0; good && i < windows->len; i++) {
        const struct tcgrr_fill_window *window = &g_array_index(windows, struct tcgrr_fill_window, i);
        g_auto(GStrv) words = window->there ? NULL : cli_fill_job(&arguments->fill, window, error);
        good = window->there || words;
        g_autofree char *line = words ? cli_quote_words((const char *const *)words) : NULL;
        if (line && arguments->json) {
            json_array_append_new(list, cli_json_text(line));
        } else if (line) {
            printf("%s\n", line);
        }
    }
    if (good && arguments->json) {
        cli_print_json(json_pack("{s:o, s:O}", "trace", cli_json_text(arguments->fill.trace), "jobs", list));
    }
    json_decref(list);
    tcgrr_fill_free(fill);
    return good;
}

/* What a line of --print-jobs does. */
static bool derive_window(const struct arguments *arguments, const char *plugin, GError **error)
{
    struct tcgrr_fill_derive options = {.hang_ms = arguments->fill.hang * 1000, .stop = arguments->fill.stop};
    struct tcgrr_fill_window window = {.level = arguments->fill.level, .part = arguments->output};

    if (!cli_parse_window(arguments->window, &window.span.first, &window.span.end)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "--window takes ICOUNT:ICOUNT, not '%s'", arguments->window);
        return false;
    }
    struct tcgrr_fill *fill = tcgrr_fill_open(arguments->fill.trace, arguments->fill.qemu, plugin, error);
    bool good = fill && tcgrr_fill_derive(fill, &window, &options, error);
    if (good && arguments->json) {
        cli_print_json(json_pack("{s:o, s:[I, I], s:o}", "trace", cli_json_text(arguments->fill.trace), "window",
                                 (json_int_t)window.span.first, (json_int_t)window.span.end, "file",
                                 cli_json_text(arguments->output)));
    }
    tcgrr_fill_free(fill);
    return good;
}

static bool collect(const struct arguments *arguments, const char *plugin, char **files, GError **error)
{
    struct tcgrr_fill_lock *lock = tcgrr_fill_lock(arguments->fill.trace, arguments->fill.stop, error);
    struct tcgrr_fill *fill = lock ? tcgrr_fill_open(arguments->fill.trace, arguments->fill.qemu, plugin, error) : NULL;
    bool good = fill && tcgrr_fill_collect(fill, (const char *const *)files, error);
    tcgrr_fill_free(fill);
    tcgrr_fill_unlock(lock);
    return good;
}

/* The trace's object, or text; an interrupted fill is not complete. */
static int print(const struct arguments *arguments, bool stopped)
{
    if (stopped && !arguments->json) {
        cli_note("%s is unchanged; run the same command again to continue from here", arguments->fill.trace);
        return CLI_OK;
    }
    return cli_print_trace(arguments->fill.trace, arguments->json, stopped ? CLI_TRACE_CUT : CLI_TRACE_PLAIN);
}

static int fill(const struct arguments *arguments, char **files)
{
    GError *error = NULL;
    g_autofree char *plugin = cli_plugin_path(&error);
    bool good = plugin && (arguments->window     ? derive_window(arguments, plugin, &error)
                           : arguments->prints   ? print_jobs(arguments, plugin, &error)
                           : arguments->collects ? collect(arguments, plugin, files, &error)
                                                 : cli_fill_make(&arguments->fill, NULL, &error));
    bool stopped = !good && *arguments->fill.stop;
    bool prints = !arguments->window && !arguments->prints;

    if (stopped && prints && arguments->json) {
        g_error_free(error);
        print(arguments, true);
        return cli_stopped_status(*arguments->fill.stop);
    }
    if (stopped && prints) {
        print(arguments, true);
    }
    return !good ? cli_fail(error) : prints ? print(arguments, false) : CLI_OK;
}

static int check(const struct cli_command *command, struct arguments *arguments, int argc)
{
    bool level = arguments->level && tcgrr_level_of(arguments->level, &arguments->fill.level);

    if (arguments->collects ? argc < 3 : argc != 2) {
        return cli_usage(command, "fill takes one trace%s",
                         arguments->collects ? " and, with --collect, the files that its jobs made" : "");
    }
    if (!arguments->collects && (!level || arguments->fill.level == TCGRR_LEVEL_INPUTS)) {
        return cli_usage(command, "--level takes flow, state or full%s%s%s", arguments->level ? ", not '" : "",
                         arguments->level ? arguments->level : "", arguments->level ? "'" : "");
    }
    if (arguments->prints + arguments->collects + (arguments->window != NULL) > 1 ||
        (!arguments->window != !arguments->output)) {
        return cli_usage(command, !arguments->window != !arguments->output
                                      ? "--window and --output go together"
                                      : "--print-jobs, --collect and --window exclude each "
                                        "other");
    }
    if (arguments->fill.least < 0) {
        return cli_usage(command, "--window-size takes 1 or more instructions");
    }
    if (arguments->fill.jobs < 1 || arguments->fill.jobs > 256 || !cli_timeout_is_good(arguments->fill.hang)) {
        return cli_usage(command, !cli_timeout_is_good(arguments->fill.hang) ? CLI_TIMEOUT_TAKES : "-j takes 1 to 256");
    }
    return CLI_OK;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments arguments = {.fill = {.jobs = 1, .hang = CLI_FILL_HANG}};
    g_autofree char *from = NULL;
    g_autofree char *until = NULL;
    g_autofree char *qemu = NULL;
    gboolean progress = FALSE;
    const GOptionEntry entries[] = {
        {"level", 0, 0, G_OPTION_ARG_STRING, &arguments.level, "what to derive: flow, state or full", "LEVEL"},
        {"from", 0, 0, G_OPTION_ARG_STRING, &from,
         "begin here: an icount or, where the trace has the flow, a symbol or a 0x address (default: the run's start)",
         "WHERE"},
        {"until", 0, 0, G_OPTION_ARG_STRING, &until, "end here (default: the run's end)", "WHERE"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &arguments.fill.jobs, "number of parallel replays (default 1)", "N"},
        {"window-size", 0, 0, G_OPTION_ARG_INT64, &arguments.fill.least,
         "minimum number of instructions in a window (default 16777216)", "N"},
        {"print-jobs", 0, 0, G_OPTION_ARG_NONE, &arguments.prints,
         "derive nothing; print a command for each window, for any computer with the trace and its QEMU", NULL},
        {"collect", 0, 0, G_OPTION_ARG_NONE, &arguments.collects, "add the files that those commands made to the trace",
         NULL},
        {"window", 0, 0, G_OPTION_ARG_STRING, &arguments.window, "derive only this window, into --output",
         "ICOUNT:ICOUNT"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &arguments.output, "with --window: the file to write", "FILE"},
        {"qemu", 0, 0, G_OPTION_ARG_FILENAME, &qemu,
         "replay in this QEMU, of the same release (default: the one that "
         "recorded)",
         "PATH"},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &arguments.fill.hang,
         "seconds without progress after which a replay has hung (default 60)", "S"},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &progress, "show progress even if standard error is not a terminal",
         NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &arguments.json, "print one JSON object", NULL},
        {0},
    };
    if (!cli_parse(command, entries, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    int status = check(command, &arguments, argc);
    if (status == CLI_OK) {
        arguments.fill.trace = argv[1];
        arguments.fill.qemu = qemu;
        arguments.fill.from = from;
        arguments.fill.until = until;
        arguments.fill.progress = progress || isatty(STDERR_FILENO);
        arguments.fill.stop = cli_catch_signals();
        status = fill(&arguments, argv + 2);
    }
    g_free(arguments.level);
    g_free(arguments.window);
    g_free(arguments.output);
    return status;
}

const struct cli_command cli_fill = {
    "fill",
    "TRACE [FILE…]",
    "Derive a level that a recording lacks by replaying it",
    "The trace changes in one step, when all windows are derived. After an interruption the same command derives the\n"
    "missing windows. Windows begin at keyframes (tcgrr keyframes), so that several replays share the work; "
    "docs/fill.md\n"
    "has examples for Slurm and GNU parallel.\n\n"
    "Examples:\n"
    "  tcgrr fill boot.tcgrr --level flow\n"
    "  tcgrr fill boot.tcgrr --level full --from panic --until 868000000\n"
    "  tcgrr fill boot.tcgrr --level full -j 2\n"
    "  tcgrr fill boot.tcgrr --level full -j 8 --print-jobs >jobs\n"
    "  tcgrr fill boot.tcgrr --collect boot.tcgrr.fill/*.tcgrr\n",
    run,
};
