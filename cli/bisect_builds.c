/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/bisect.h"
#include "cli/compare_options.h"
#include "cli/fill.h"

#include "replay/builds.h"
#include "store/error.h"
#include "store/symbols.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct context {
    bool fill;
    const char *const *builds;
    bool progress;
    char *doing; /* what is being tried, for the progress line; owned */
    tcgrr_icount shown;
};

/* ---- progress ---- */

static void say_begins(int build, int most, void *data)
{
    struct context *context = data;
    g_free(context->doing);
    context->doing =
        g_strdup_printf("%s (%d replay%s to go at most)", context->builds[build], most, most == 1 ? "" : "s");
    if (context->progress) {
        cli_progress("%s", context->doing);
    }
}

static void say_progress(tcgrr_icount icount, void *data)
{
    struct context *context = data;
    if (icount == context->shown) {
        return;
    }
    context->shown = icount;
    g_autofree char *text = cli_number(icount);
    cli_progress("%s: %s instructions compared", context->doing, text);
}

static void say_ended(const struct tcgrr_trial *trial, void *data)
{
    struct context *context = data;
    if (context->progress) {
        cli_note("%s: %s", context->builds[trial->build], tcgrr_verdict_name(trial->verdict.kind));
    }
}

/* ---- the report ---- */

/* The trial of one build; NULL if it was not tried. */
static const struct tcgrr_trial *trial_of(const struct tcgrr_builds_result *result, int build)
{
    for (guint i = 0; i < result->trials->len; i++) {
        const struct tcgrr_trial *trial = &g_array_index(result->trials, struct tcgrr_trial, i);
        if (trial->build == build) {
            return trial;
        }
    }
    return NULL;
}

static bool found_bad(const struct tcgrr_builds_result *result, int count)
{
    return result->first_bad < count;
}

static bool found_good(const struct tcgrr_builds_result *result)
{
    return result->last_good >= 0;
}

/* The inputs of all builds: as of one for which they were not those of the recording, if there is one. */
static const char *inputs_of(const struct tcgrr_builds_result *result)
{
    const char *inputs = "shared";
    for (guint i = 0; i < result->trials->len && strcmp(inputs, "shared") == 0; i++) {
        inputs = tcgrr_verdict_inputs(&g_array_index(result->trials, struct tcgrr_trial, i).verdict);
    }
    return inputs;
}

static void print_table(const char *const *builds, const struct tcgrr_builds_result *result)
{
    int width = 0;
    for (int i = 0; builds[i]; i++) {
        width = MAX(width, (int)g_utf8_strlen(builds[i], -1));
    }
    for (int i = 0; builds[i]; i++) {
        const struct tcgrr_trial *trial = trial_of(result, i);
        int pad = width - (int)g_utf8_strlen(builds[i], -1);
        if (!trial) {
            printf("  %s\n", builds[i]);
            continue;
        }
        printf("  %s%*s  %-7s  %-8s  %s%s\n", builds[i], pad, "", tcgrr_verdict_name(trial->verdict.kind),
               trial->verdict.version ? trial->verdict.version : "", trial->verdict.reason,
               trial->remembered ? " (found before)" : "");
    }
    if (strcmp(inputs_of(result), "translated") == 0) {
        printf("  QEMU's rr log was translated for builds of other releases\n");
    }
}

static void print_answer(const char *trace, const char *const *builds, const struct tcgrr_builds_result *result)
{
    int count = (int)g_strv_length((char **)builds);
    const char *good = found_good(result) ? builds[result->last_good] : "the recording itself";

    if (!found_bad(result, count)) {
        printf("%s: no bad build found; the last good one is %s\n", trace, good);
        if (result->last_good < count - 1) {
            printf("  those after it could not be tried\n");
        }
    } else if (result->first_bad == result->last_good + 1) {
        printf("%s: the first bad build is %s\n  the last good one is %s\n", trace, builds[result->first_bad], good);
    } else {
        printf("%s: the first bad build is one of these, of which only the last could be tried:\n", trace);
        for (int i = result->last_good + 1; i <= result->first_bad; i++) {
            printf("    %s\n", builds[i]);
        }
        printf("  the last good one is %s\n", good);
    }
    printf("  %u of %d tried\n", result->trials->len, count);
}

static json_t *trial_json(const struct tcgrr_trial *trial, const char *build)
{
    const struct tcgrr_verdict *verdict = &trial->verdict;
    json_t *diverged =
        verdict->kind == TCGRR_VERDICT_SKIPPED ? json_null() : json_boolean(verdict->kind == TCGRR_VERDICT_BAD);
    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:I, s:o, s:o, s:b}", "qemu", cli_json_text(build), "diverged",
                     diverged, "inputs", tcgrr_verdict_inputs(verdict), "verdict", tcgrr_verdict_name(verdict->kind),
                     "reason", cli_json_text(verdict->reason), "compared", (json_int_t)verdict->compared, "binary",
                     cli_json_text(verdict->binary), "qemu_version", cli_json_text(verdict->version), "remembered",
                     trial->remembered);
}

static void print_json(const char *trace, const char *const *builds, const struct tcgrr_builds_result *result)
{
    int count = (int)g_strv_length((char **)builds);
    bool exact = found_bad(result, count) && result->first_bad == result->last_good + 1;
    json_t *tested = json_array();
    json_t *among = json_array();

    for (guint i = 0; i < result->trials->len; i++) {
        const struct tcgrr_trial *trial = &g_array_index(result->trials, struct tcgrr_trial, i);
        json_array_append_new(tested, trial_json(trial, builds[trial->build]));
    }
    for (int i = result->last_good + 1; found_bad(result, count) && i <= result->first_bad; i++) {
        json_array_append_new(among, cli_json_text(builds[i]));
    }
    cli_print_json(json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:i, s:o}", "trace", cli_json_text(trace), "inputs", inputs_of(result), "first_bad",
        cli_json_text(exact ? builds[result->first_bad] : NULL), "first_bad_among", among, "last_good",
        cli_json_text(found_good(result) ? builds[result->last_good] : NULL), "builds", count, "tested", tested));
}

/* ---- running ---- */

/* Next to the trace, or as -o says: a file, or a folder for it. */
static char *state_path(const char *trace, const char *given)
{
    g_autofree char *name = g_strconcat(trace, ".bisect", NULL);
    if (!given) {
        return g_steal_pointer(&name);
    }
    g_autofree char *base = g_path_get_basename(name);
    return g_file_test(given, G_FILE_TEST_IS_DIR) ? g_build_filename(given, base, NULL) : g_strdup(given);
}

static int report(const char *trace, const struct tcgrr_builds_options *options,
                  const struct tcgrr_builds_result *result, bool json)
{
    int count = (int)g_strv_length((char **)options->builds);
    bool any = found_bad(result, count) || found_good(result);

    if (json) {
        print_json(trace, options->builds, result);
    } else {
        if (any) {
            print_answer(trace, options->builds, result);
        }
        print_table(options->builds, result);
    }
    if (!any) {
        cli_say_error("none of these builds can replay %s; begin the list with the QEMU that recorded it", trace);
        return CLI_FAILED;
    }
    return found_bad(result, count) ? CLI_DIVERGED : CLI_OK;
}

static int search(const struct cli_command *command, const char *trace, struct tcgrr_builds_options *options,
                  const struct cli_compare_options *comparing, struct context *context)
{
    struct tcgrr_builds_result result;
    GError *error = NULL;
    int status = CLI_OK;
    struct tcgrr_reader *reader = cli_open_trace_at(trace, TCGRR_LEVEL_FLOW, context->fill, &status);

    if (!reader) {
        return status;
    }
    struct tcgrr_symbols *symbols = cli_trace_symbols(reader);
    struct tcgrr_symbols *const both[] = {symbols, symbols};
    status = cli_compare_options_resolve(command, comparing, both, &options->replay.compare);
    tcgrr_symbols_free(symbols);
    if (status != CLI_OK) {
        tcgrr_reader_free(reader);
        return status;
    }
    if (tcgrr_builds_search(reader, options, &result, &error)) {
        cli_progress_clear();
        status = report(trace, options, &result, comparing->json);
    } else {
        cli_progress_clear();
        bool stopped = g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED);
        status = cli_fail(error);
        if (stopped) {
            cli_note("run the same command again to continue from here (%u of %u tried, kept in %s)",
                     result.trials->len, g_strv_length((char **)options->builds), options->state_file);
        }
    }
    tcgrr_builds_result_clear(&result);
    tcgrr_reader_free(reader);
    return status;
}

int cli_bisect_builds(const struct cli_command *command, int argc, char **argv)
{
    g_autofree char *told_state = NULL;
    gboolean builds = FALSE, progress = FALSE, fresh = FALSE, fill = FALSE;
    struct cli_compare_options comparing = {.history = 1};
    gint timeout = 60;
    const GOptionEntry entries[] = {
        {"builds", 0, 0, G_OPTION_ARG_NONE, &builds,
         "the arguments after the trace are QEMUs, or folders that hold one", NULL},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &told_state,
         "keep the state of the search in this file (default: TRACE.bisect)", "FILE"},
        {"fresh", 0, 0, G_OPTION_ARG_NONE, &fresh, "discard the state of an interrupted search", NULL},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &timeout,
         "seconds without progress after which a replay has hung (default 60)", "S"},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &progress, "show progress even if standard error is not a terminal",
         NULL},
        CLI_FILL_OPTION(fill),
        CLI_EXTENT_OPTION_ROWS(comparing),
        {0},
    };
    char **extra = cli_split_rest(&argc, argv);
    int status = CLI_USAGE;
    GError *error = NULL;
    g_autofree char *plugin = NULL;

    if (!cli_parse(command, entries, false, &argc, &argv)) {
        cli_compare_options_clear(&comparing);
        return CLI_USAGE;
    }
    if (argc < 3 || !cli_timeout_is_good(timeout)) {
        status =
            cli_usage(command, argc < 3 ? "bisect --builds takes a trace and at least one QEMU" : CLI_TIMEOUT_TAKES);
    } else if (!(plugin = cli_plugin_path(&error))) {
        status = cli_fail(error);
    } else {
        struct context context = {
            .builds = (const char *const *)argv + 2, .progress = progress || isatty(STDERR_FILENO), .fill = fill};
        g_autofree char *state_file = state_path(argv[1], told_state);
        struct tcgrr_builds_options options = {
            .replay = {.plugin = plugin,
                       .extra = (const char *const *)extra,
                       .hang_ms = timeout * 1000,
                       .quiet = true,
                       .stop = cli_catch_signals(),
                       .progress = context.progress ? say_progress : NULL,
                       .data = &context},
            .builds = context.builds,
            .state_file = state_file,
            .fresh = fresh,
            .begins = say_begins,
            .ended = say_ended,
            .data = &context,
        };
        status = search(command, argv[1], &options, &comparing, &context);
        g_free(context.doing);
    }
    cli_compare_options_clear(&comparing);
    return status;
}
