/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/replay.h"

#include "cli/compare_options.h"
#include "lockstep/peer/address.h"
#include "replay/files.h"
#include "replay/gdb_server.h"
#include "replay/unpinned.h"
#include "store/error.h"
#include "store/symbols.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct context {
    const volatile int *stop;
    const char *gdb;
};

static void say_progress(tcgrr_icount icount, void *data)
{
    g_autofree char *text = cli_number(icount);
    cli_progress("%s instructions compared", text);
}

/* Serves one gdb after another until the user, or a gdb, ends it. */
static bool serve(struct context *context, struct tcgrr_gdb_server *server, GError **error)
{
    struct tcgrr_address address = {0};
    struct tcgrr_listener *listener =
        tcgrr_address_parse(context->gdb, &address, error) ? tcgrr_listener_new(&address, context->stop, error) : NULL;

    if (listener) {
        const char *text = tcgrr_listener_text(listener);
        cli_note("in another terminal: gdb-multiarch -ex 'target remote %s'",
                 text + (g_str_has_prefix(text, "unix:") ? strlen("unix:") : strlen("tcp:")));
        cli_note("reverse-stepi and reverse-continue work there; Ctrl-C here ends QEMU");
    }
    bool good = listener && tcgrr_gdb_server_run(server, listener, error);
    tcgrr_listener_free(listener);
    tcgrr_address_clear(&address);
    return good;
}

/* Keeps the run stopped at `at` and serves gdb. */
static int wait_for_gdb(struct context *context, struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu,
                        const struct tcgrr_replay_options *replayed)
{
    struct tcgrr_gdb_options options = {.at = replayed->at, .hang_ms = replayed->hang_ms, .stop = context->stop};
    struct tcgrr_gdb_server *server = NULL;
    GError *error = NULL;
    struct tcgrr_replay_files *files = tcgrr_replay_files_new(reader, qemu, replayed->extra, &error);

    if (files) {
        tcgrr_replay_files_keyframes(files, &options.of);
        server = tcgrr_gdb_server_new(&options, &error);
    }
    bool good = server && serve(context, server, &error);
    tcgrr_gdb_server_free(server);
    tcgrr_replay_files_free(files);
    if (!good && error->code == TCGRR_ERROR_STOPPED) { /* Ctrl-C, as the hint to the user said */
        g_clear_error(&error);
    }
    return error ? cli_fail(error) : CLI_OK;
}

/* gdb's own short form ":1234" as an address. */
static char *gdb_address(const char *given)
{
    return given[0] == ':' ? g_strconcat("tcp:", given, NULL) : g_strdup(given);
}

static const char *verdict(const struct tcgrr_replay_result *result, const struct tcgrr_run *run)
{
    const struct tcgrr_comparison *comparison = &result->comparison;
    bool stopped = result->stopped_at >= 0 && (tcgrr_icount)result->stopped_at < run->icount;

    if (comparison->diverged || comparison->undecided) {
        return comparison->diverged ? "diverged" : "no verdict";
    }
    if (comparison->rest_left_out) {
        return "not compared to the end, because a system call returned something else";
    }
    if (comparison->input_places > 0) {
        return "no divergence, except for what followed from inputs";
    }
    return stopped || comparison->ends[1] == TCGRR_SOURCE_STOPPED ? "no divergence up to here"
           : run->complete                                        ? "no divergence"
                                                                  : "no divergence up to the end of the recording";
}

/* A recording that was cut short has more instructions than its inputs reach. */
static void print_reach(const struct tcgrr_run *run, const struct tcgrr_replay_result *result)
{
    if (!run->complete && !result->comparison.diverged && result->comparison.ends[1] != TCGRR_SOURCE_STOPPED) {
        g_autofree char *reach = cli_number(result->inputs.reach);
        printf("  the recording was cut short; QEMU's log of its inputs reaches to icount %s\n", reach);
    }
}

static void print_text(struct tcgrr_reader *reader, const struct tcgrr_replay_result *result,
                       const struct cli_places *places)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);

    if (tcgrr_run_level(run) > TCGRR_LEVEL_INPUTS || result->comparison.diverged) {
        cli_print_comparison(&result->comparison, places);
    }
    printf("%s: %s", tcgrr_reader_path(reader), verdict(result, run));
    if (result->qemu_icount >= 0) {
        g_autofree char *own = cli_number((uint64_t)result->qemu_icount);
        printf(", QEMU's own count is %s", own);
    }
    printf("\n");
    if (strcmp(result->qemu_version, run->qemu_version) != 0) {
        printf("  recorded with QEMU %s, replayed with %s%s\n", run->qemu_version, result->qemu_version,
               result->inputs.translated ? ", its rr log translated" : "");
    }
    if (result->pins) {
        printf("  the machine had not been pinned; it is now, as QEMU %s makes it\n", run->qemu_version);
    }
    if (result->unpinned) {
        g_autofree char *advice = tcgrr_unpinned_advice(reader);
        printf("  %s\n", advice);
    }
    if (tcgrr_run_level(run) == TCGRR_LEVEL_INPUTS && !result->comparison.diverged) {
        printf("  QEMU accepted each input where it was recorded%s; no instructions were compared, because none are "
               "recorded\n"
               "  (level inputs); tcgrr fill %s --level flow derives them\n",
               result->comparison.ends[1] == TCGRR_SOURCE_STOPPED ? "" : " and ended as it did",
               tcgrr_reader_path(reader));
    }
    print_reach(run, result);
    if (result->comparison.diverged) {
        printf("  the replaying QEMU ended with %s%s%s\n", result->exit, *result->stderr_tail ? ", saying: " : "",
               result->stderr_tail);
    }
}

static json_t *result_json(struct tcgrr_reader *reader, const struct tcgrr_replay_result *result,
                           const struct cli_places *places)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    json_t *object =
        json_pack("{s:o, s:s, s:s, s:I, s:o, s:b, s:o, s:o, s:s}", "trace", cli_json_text(tcgrr_reader_path(reader)),
                  "qemu_version", result->qemu_version, "recorded_qemu_version", run->qemu_version, "icount",
                  (json_int_t)run->icount, "qemu_icount",
                  result->qemu_icount >= 0 ? json_integer(result->qemu_icount) : json_null(), "complete",
                  tcgrr_run_ended(run), "exit", cli_json_text(result->exit), "stderr",
                  cli_json_text(result->stderr_tail), "verdict", verdict(result, run));
    if (result->stopped_at >= 0) {
        json_object_set_new(object, "stopped_at", json_integer(result->stopped_at));
    }
    json_object_set_new(object, "inputs", json_string(tcgrr_replay_inputs_name(&result->inputs)));
    if (result->inputs.translated) {
        cli_json_translation(object, run->qemu_version, result->qemu_version);
    }
    json_object_set_new(object, "pinned_afterwards", json_boolean(result->pins != NULL));
    json_object_set_new(object, "unpinned", json_boolean(result->unpinned));
    json_object_set_new(object, "keyframe", json_integer((json_int_t)result->start));
    json_object_set_new(object, "surplus",
                        json_pack("{s:I, s:I}", "recording", (json_int_t)result->comparison.surplus[0], "replay",
                                  (json_int_t)result->comparison.surplus[1]));
    cli_json_comparison(object, &result->comparison, places);
    return object;
}

/* Prints the result. `error`: why there is no verdict; NULL: there is one. */
static int answer(struct tcgrr_reader *reader, const struct tcgrr_replay_result *result, struct tcgrr_symbols *symbols,
                  const struct cli_compare_options *comparing, GError *error)
{
    const struct tcgrr_blocks *blocks = tcgrr_live_blocks(tcgrr_session_live(result->session));
    struct cli_places places = {
        .symbols = {symbols, symbols},
        .blocks = {blocks, blocks},
        .target = tcgrr_reader_run(reader)->target,
        .names = {"recording", "replay"},
    };
    json_t *object = cli_compare_options_want_object(comparing) ? result_json(reader, result, &places) : NULL;

    if (error) {
        return cli_compare_fail(comparing, object, error);
    }
    if (!comparing->json) {
        print_text(reader, result, &places);
    }
    return cli_output_result(object, comparing->json, comparing->html, cli_comparison_status(&result->comparison));
}

/* Resolves the places to compare from and until, then replays. */
static int replay(const struct cli_command *command, const char *path, struct tcgrr_replay_options *options,
                  const struct cli_compare_options *comparing, struct context *context)
{
    struct tcgrr_replay_result result;
    GError *error = NULL;
    int status = CLI_OK;
    struct tcgrr_reader *reader = cli_open_trace(path, &status);

    if (!reader) {
        return status;
    }
    struct tcgrr_symbols *symbols = cli_trace_symbols(reader);
    struct tcgrr_symbols *both[2] = {symbols, symbols};
    status = cli_compare_options_resolve(command, comparing, both, &options->compare);
    if (status != CLI_OK) {
        tcgrr_symbols_free(symbols);
        tcgrr_reader_free(reader);
        return status;
    }
    bool good = tcgrr_replay(reader, options, &result, &error);
    cli_progress_clear();
    if (!good && (!result.comparison.undecided || error->code == TCGRR_ERROR_STOPPED)) {
        status = cli_fail(error);
    } else {
        status = answer(reader, &result, symbols, comparing, error);
        if (context->gdb && status == CLI_OK) {
            cli_flush_json();
            struct tcgrr_qemu qemu = {0};
            tcgrr_qemu_copy(&qemu, tcgrr_session_qemu(result.session));
            status = wait_for_gdb(context, reader, &qemu, options);
            tcgrr_qemu_clear(&qemu);
        }
    }
    tcgrr_replay_result_clear(&result);
    tcgrr_symbols_free(symbols);
    tcgrr_reader_free(reader);
    return status;
}

/* A conflict between the options; NULL: none. */
static const char *find_conflict(const char *at, const char *gdb, const char *until, int timeout)
{
    return !cli_timeout_is_good(timeout) ? CLI_TIMEOUT_TAKES
           : gdb && !at                  ? "--gdb needs --at"
           : at && until                 ? "--at and --until exclude each other"
                                         : NULL;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    g_autofree char *qemu = NULL;
    g_autofree char *at = NULL;
    g_autofree char *gdb_given = NULL;
    gboolean console = FALSE, progress = FALSE;
    gint timeout = 60;
    struct cli_compare_options comparing = CLI_COMPARE_OPTIONS_INIT;
    const GOptionEntry entries[] = {
        {"qemu", 0, 0, G_OPTION_ARG_FILENAME, &qemu, "replay in this QEMU (default: the one that recorded)", "PATH"},
        {"at", 0, 0, G_OPTION_ARG_STRING, &at, "stop exactly after this many instructions", "ICOUNT"},
        {"gdb", 0, 0, G_OPTION_ARG_STRING, &gdb_given, "with --at: wait there for gdb, e.g. at :1234 or unix:PATH",
         "ADDR"},
        CLI_COMPARE_OPTION_ROWS(comparing),
        {"timeout", 0, 0, G_OPTION_ARG_INT, &timeout,
         "seconds without progress after which the replay has hung (default 60)", "S"},
        {"console", 0, 0, G_OPTION_ARG_NONE, &console, "show the guest's console (with --json on standard error)",
         NULL},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &progress, "show progress even if standard error is not a terminal",
         NULL},
        {0},
    };
    char **extra = cli_split_rest(&argc, argv);
    if (!cli_parse(command, entries, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    g_autofree char *trace = cli_one_trace(command, argc, argv);
    if (!trace) {
        return CLI_USAGE;
    }
    tcgrr_icount stop_at = UINT64_MAX;
    if (at && !cli_parse_icount(at, &stop_at)) {
        return cli_usage(command, "--at takes a number of instructions, not '%s'", at);
    }
    const char *conflict = find_conflict(at, gdb_given, comparing.until, timeout);
    if (conflict) {
        return cli_usage(command, "%s", conflict);
    }
    GError *error = NULL;
    g_autofree char *gdb = gdb_given ? gdb_address(gdb_given) : NULL;
    struct tcgrr_address address = {0};
    if (gdb && !tcgrr_address_parse(gdb, &address, &error)) {
        return cli_fail(error);
    }
    tcgrr_address_clear(&address);
    g_autofree char *plugin = cli_plugin_path(&error);
    if (!plugin) {
        return cli_fail(error);
    }
    struct context context = {.stop = cli_catch_signals(), .gdb = gdb};
    struct tcgrr_replay_options options = {
        .qemu = qemu,
        .plugin = plugin,
        .at = stop_at,
        .extra = (const char *const *)extra,
        .hang_ms = timeout * 1000,
        .quiet = !console,
        .output_to_errors = comparing.json,
        .stop = context.stop,
        .progress = progress || isatty(STDERR_FILENO) ? say_progress : NULL,
        .data = &context,
    };
    int status = replay(command, trace, &options, &comparing, &context);
    cli_compare_options_clear(&comparing);
    return status;
}

const struct cli_command cli_replay = {
    "replay",
    "[TRACE] [-- EXTRA_ARG…]",
    "Run a trace again and prove that it does the same",
    "Exit status: 0 no divergence, 1 diverged (also if the replaying QEMU aborts or hangs), 3 could not\n"
    "replay it.\n\n"
    "Examples:\n"
    "  tcgrr replay boot.tcgrr\n"
    "  tcgrr replay boot.tcgrr --qemu ./build/qemu-system-aarch64\n"
    "  tcgrr replay boot.tcgrr --from start_kernel --until panic\n"
    "  tcgrr replay boot.tcgrr --at 868000000 --gdb :1234\n",
    run,
};
