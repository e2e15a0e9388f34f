/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/bisect.h"

#include "cli/cause.h"
#include "record/record.h"
#include "replay/cause/closer.h"
#include "replay/recorded.h"
#include "replay/replay.h"
#include "store/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct bisecting {
    const struct cli_command *command;
    struct cli_comparing comparing;
    struct tcgrr_compare_options how;
    struct cli_cause cause;
    char *qemu;
    struct tcgrr_qemu probed; /* B's */
    char *bundle;
    char *b_path;               /* of the trace of B, where it needed one of its own */
    char *a_path;               /* of the trace of A, where there was none before */
    const char *const *b_words; /* B's own arguments; NULL: those of A */
    const char *icount;
    gboolean force;
    gboolean progress;
    int timeout;
    struct tcgrr_symbols *symbols;
    struct tcgrr_side *sides[2];
    struct tcgrr_replay_result replay; /* of A's recording in B */
    struct tcgrr_replay_result closer; /* the same up to where data differ */
    struct tcgrr_comparison comparison;
    struct tcgrr_cause found;
    bool has_cause;
};

/* ---- B replays A's recording, or records itself ---- */

/* rr files belong to a release: those of one development cycle have its number and the same format. */
static bool same_release(const char *a, const char *b)
{
    const char *dot = strchr(a, '.');
    const char *end = dot ? strchr(dot + 1, '.') : NULL;
    size_t length = end ? (size_t)(end - a) + 1 : strlen(a) + 1;
    return strncmp(a, b, length) == 0;
}

struct recording {
    struct bisecting *bisecting;
    tcgrr_icount limit;
    tcgrr_icount seen;
    gint64 moved;
    volatile int stop;
    bool hung;
};

/* B has gone far enough when it has run as much as A and some more, or nothing any more. */
static void watch_recording(const struct tcgrr_record_progress *progress, void *data)
{
    struct recording *recording = data;
    const struct cli_cause *cause = &recording->bisecting->cause;
    g_autofree char *icount = cli_number(progress->icount);
    g_autofree char *text = g_strdup_printf("recording: %s instructions", icount);
    gint64 now = g_get_monotonic_time();

    cli_cause_say(text, &recording->bisecting->cause);
    if (progress->icount != recording->seen) {
        recording->seen = progress->icount;
        recording->moved = now;
    }
    recording->hung = now - recording->moved > (gint64)cause->hang_ms * 1000;
    if (*cause->stop || progress->icount > recording->limit || recording->hung) {
        recording->stop = *cause->stop ? *cause->stop : SIGTERM;
    }
}

static bool check_bundle(struct bisecting *bisecting, GError **error)
{
    /* With A's recording in it, it is ours already. */
    bool ours = bisecting->cause.readers[0] && bisecting->a_path;
    if (!bisecting->force && !ours && g_file_test(bisecting->bundle, G_FILE_TEST_EXISTS)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s is there already; name another folder with --bundle, or use --force", bisecting->bundle);
        return false;
    }
    return true;
}

static bool make_bundle(struct bisecting *bisecting, GError **error)
{
    if (g_mkdir_with_parents(bisecting->bundle, 0777) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make the folder %s: %s", bisecting->bundle,
                    g_strerror(errno));
        return false;
    }
    return true;
}

/* Records into the bundle. `like`: the run that it is to do the same as, whose length bounds it; NULL: none. */
static bool record(struct bisecting *bisecting, const char *qemu, const char *const *words, const char *path,
                   const struct tcgrr_run *like, GError **error)
{
    struct cli_cause *cause = &bisecting->cause;
    const char *directory = like ? like->directory : NULL;
    g_autofree char *output = g_canonicalize_filename(path, NULL);
    struct recording recording = {.bisecting = bisecting,
                                  .limit = like ? 2 * like->icount + 10000000 : UINT64_MAX,
                                  .moved = g_get_monotonic_time()};
    struct tcgrr_record_result result = {0};
    struct tcgrr_record_options options = {
        .output = output,
        .force = true,
        .qemu = qemu,
        .arguments = words,
        .plugin = cause->plugin,
        .rr = true,
        .level = TCGRR_LEVEL_FLOW,
        .icount = like ? like->icount_shift : bisecting->icount,
        .tool_version = TCGRR_VERSION,
        .directory = directory && g_file_test(directory, G_FILE_TEST_IS_DIR) ? directory : NULL,
        .quiet = true,
        .stop = &recording.stop,
        .progress = watch_recording,
        .data = &recording,
    };
    bool good = tcgrr_record(&options, &result, error);
    g_free(result.exit);
    if (good && *cause->stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted while a QEMU was recorded");
    }
    return good && !*cause->stop;
}

static bool record_b(struct bisecting *bisecting, GError **error)
{
    struct cli_cause *cause = &bisecting->cause;
    g_auto(GStrv) recorded = tcgrr_recorded_words(cause->readers[0], NULL, error);
    const char *const *words = bisecting->b_words ? bisecting->b_words : (const char *const *)recorded + 1;

    return recorded && make_bundle(bisecting, error) &&
           record(bisecting, bisecting->qemu, words, bisecting->b_path, tcgrr_reader_run(cause->readers[0]), error);
}

static bool compare_recordings(struct bisecting *bisecting, GError **error)
{
    struct cli_cause *cause = &bisecting->cause;

    bisecting->how.tolerate_cut_a = !tcgrr_reader_run(cause->readers[0])->complete;
    bisecting->how.isa = tcgrr_isa_of_target(tcgrr_reader_run(cause->readers[0])->target);
    for (int i = 0; i < 2; i++) {
        if (bisecting->sides[i]) {
            bisecting->sides[i]->ops->free(bisecting->sides[i]);
        }
        bisecting->sides[i] = tcgrr_side_stored(cause->readers[i], error);
        if (!bisecting->sides[i]) {
            return false;
        }
    }
    tcgrr_comparison_clear(&bisecting->comparison);
    return tcgrr_compare(bisecting->sides[0], bisecting->sides[1], &bisecting->how, &bisecting->comparison, error);
}

static void say_replayed(tcgrr_icount icount, void *data)
{
    g_autofree char *number = cli_number(icount);
    g_autofree char *text = g_strdup_printf("B replays the recording: %s instructions compared", number);
    cli_cause_say(text, data);
}

static struct tcgrr_replay_options replay_options(struct bisecting *bisecting)
{
    struct cli_cause *cause = &bisecting->cause;
    return (struct tcgrr_replay_options){
        .qemu = bisecting->qemu,
        .known = {NULL, bisecting->probed.path ? &bisecting->probed : NULL},
        .plugin = cause->plugin,
        .at = UINT64_MAX,
        .hang_ms = cause->hang_ms,
        .compare = bisecting->how,
        .quiet = true,
        .states = true,
        .stop = cause->stop,
        .progress = say_replayed,
        .data = cause,
    };
}

/* *replayed is false if B cannot replay what A recorded. */
static bool replay_in_b(struct bisecting *bisecting, bool *replayed, GError **error)
{
    struct tcgrr_replay_options options = replay_options(bisecting);
    const struct tcgrr_comparison *comparison = &bisecting->replay.comparison;
    struct cli_cause *cause = &bisecting->cause;
    GError *problem = NULL;
    bool known = false;

    bool good = tcgrr_replay(cause->readers[0], &options, &bisecting->replay, &problem);

    if (!good && *cause->stop) {
        g_propagate_error(error, problem);
        return false;
    }
    g_clear_error(&problem);
    *replayed = good && (!comparison->diverged || comparison->compared > 0);
    if (*replayed &&
        !tcgrr_replay_closer(cause->readers[0], &options, &bisecting->replay, &bisecting->closer, &known, error)) {
        return false;
    }
    cause->closer = known ? &bisecting->closer.comparison.data : NULL;
    return true;
}

/* From now on B is what replays A's recording. */
static void share_recording(struct bisecting *bisecting, const struct tcgrr_comparison **comparison)
{
    struct cli_cause *cause = &bisecting->cause;

    cause->readers[1] = cause->readers[0];
    cause->paths[1] = cause->paths[0];
    cause->qemus[1] = bisecting->qemu;
    cause->known[0] = bisecting->replay.original ? tcgrr_session_qemu(bisecting->replay.original) : NULL;
    cause->known[1] = tcgrr_session_qemu(bisecting->replay.session);
    *comparison = &bisecting->replay.comparison;
}

/*
 * A QEMU that aborted has left no rr file, and cannot be stopped before the end again. Perhaps it replays A's recording
 * though its release is another: some do.
 */
static bool rescue(struct bisecting *bisecting, const struct tcgrr_comparison **comparison, GError **error)
{
    struct cli_cause *cause = &bisecting->cause;
    struct tcgrr_reader *own = cause->readers[1];
    bool replayed = false;

    if (bisecting->b_words || tcgrr_replay_check(own, NULL)) {
        return true;
    }
    if (!replay_in_b(bisecting, &replayed, error)) {
        return false;
    }
    if (replayed && bisecting->replay.comparison.diverged) {
        share_recording(bisecting, comparison);
        tcgrr_comparison_clear(&bisecting->comparison);
        bisecting->comparison = (struct tcgrr_comparison){0};
        bisecting->sides[1]->ops->free(bisecting->sides[1]);
        bisecting->sides[1] = NULL;
        tcgrr_reader_free(own);
        g_unlink(bisecting->b_path);
    }
    return true;
}

/* Compares the two in the way they allow. */
static bool compare(struct bisecting *bisecting, const struct tcgrr_comparison **comparison, GError **error)
{
    struct cli_cause *cause = &bisecting->cause;
    bool replayed = false;

    if (!tcgrr_qemu_probe(bisecting->qemu, cause->plugin, &bisecting->probed, error)) {
        return false;
    }
    bool same = same_release(tcgrr_reader_run(cause->readers[0])->qemu_version, bisecting->probed.version);
    if (same && !bisecting->b_words && !replay_in_b(bisecting, &replayed, error)) {
        return false;
    }
    if (replayed) {
        share_recording(bisecting, comparison);
        return true;
    }
    if (!record_b(bisecting, error)) {
        return false;
    }
    cause->readers[1] = tcgrr_reader_open(bisecting->b_path, error);
    cause->paths[1] = bisecting->b_path;
    *comparison = &bisecting->comparison;
    return cause->readers[1] && compare_recordings(bisecting, error) && rescue(bisecting, comparison, error);
}

/* ---- the cause ---- */

/* Firmware differs between releases and polls clocks: the first instruction that a symbol of the guest covers. */
static bool guest_start(struct bisecting *bisecting)
{
    const struct tcgrr_symbol *symbol = tcgrr_symbols_find(bisecting->symbols, "_start");
    if (!symbol || bisecting->cause.readers[0] == bisecting->cause.readers[1]) {
        return false;
    }
    bisecting->how.from[0] = bisecting->how.from[1] = (struct tcgrr_where){TCGRR_WHERE_PC, symbol->address};
    return true;
}

static bool search(struct bisecting *bisecting, const struct tcgrr_comparison **comparison, GError **error)
{
    bool told = bisecting->how.from[0].kind != TCGRR_WHERE_NONE;

    if (!compare(bisecting, comparison, error)) {
        return false;
    }
    if (!(*comparison)->diverged) {
        return true;
    }
    GError *problem = NULL;
    bisecting->has_cause = cli_cause_find(&bisecting->cause, *comparison, &bisecting->found, &problem);
    bool answered = bisecting->has_cause && bisecting->found.kind == TCGRR_CAUSE_INSTRUCTION;
    if (answered || *bisecting->cause.stop || told || !guest_start(bisecting)) {
        if (problem) {
            g_propagate_error(error, problem);
        }
        return bisecting->has_cause;
    }
    cli_cause_clear_line(&bisecting->cause);
    fprintf(stderr, "tcgrr: before the guest itself runs: %s; comparing from _start on\n",
            problem ? problem->message : bisecting->found.explanation);
    g_clear_error(&problem);
    tcgrr_cause_clear(&bisecting->found);
    bisecting->has_cause = false;
    if (!compare_recordings(bisecting, error)) {
        return false;
    }
    bisecting->has_cause = bisecting->comparison.diverged;
    return !bisecting->has_cause || cli_cause_find(&bisecting->cause, &bisecting->comparison, &bisecting->found, error);
}

static void print(struct bisecting *bisecting, const struct tcgrr_comparison *comparison,
                  const struct cli_places *places)
{
    struct cli_cause *cause = &bisecting->cause;

    if (bisecting->comparing.json) {
        json_t *object = json_pack("{s:s, s:s}", "trace", cause->paths[0], "qemu", bisecting->qemu);
        cli_json_comparison(object, comparison, places);
        if (bisecting->has_cause) {
            cli_cause_json(object, cause, &bisecting->found, places);
        }
        cli_print_json(object);
        return;
    }
    cli_print_comparison(comparison, places);
    if (bisecting->has_cause) {
        cli_cause_print(stdout, cause, &bisecting->found, places);
    }
}

/* A finding is told even if its folder cannot be filled. */
static bool fill_bundle(struct bisecting *bisecting, const struct tcgrr_comparison *comparison,
                        const struct cli_places *places, GError **error)
{
    struct cli_cause *cause = &bisecting->cause;

    if (!bisecting->has_cause) {
        /* Without a divergence nothing of B is worth keeping. */
        g_unlink(bisecting->b_path);
        g_rmdir(bisecting->bundle);
        return true;
    }
    bool good = make_bundle(bisecting, error) && cli_cause_bundle(cause, comparison, &bisecting->found, places, error);
    cli_cause_clear_line(cause);
    if (!good) {
        cause->bundle = NULL;
    }
    return good;
}

static struct cli_places places_of(const struct bisecting *bisecting)
{
    const struct cli_cause *cause = &bisecting->cause;
    struct cli_places places = {.target = tcgrr_reader_run(cause->readers[0])->target,
                                .symbols = {bisecting->symbols, bisecting->symbols},
                                .names = {"A", "B"}};
    for (int i = 0; i < 2; i++) {
        places.blocks[i] = tcgrr_reader_blocks(cause->readers[i], NULL);
    }
    return places;
}

static int conclude(struct bisecting *bisecting, const struct tcgrr_comparison *comparison)
{
    struct cli_cause *cause = &bisecting->cause;
    struct cli_places places = places_of(bisecting);
    GError *error = NULL;

    if (!fill_bundle(bisecting, comparison, &places, &error)) {
        int status = cli_fail(error);
        if (*cause->stop) {
            return cli_stopped_status(*cause->stop);
        }
        print(bisecting, comparison, &places);
        return status;
    }
    print(bisecting, comparison, &places);
    return comparison->diverged ? CLI_DIVERGED : CLI_OK;
}

static int bisect(struct bisecting *bisecting)
{
    struct cli_cause *cause = &bisecting->cause;
    const struct tcgrr_comparison *comparison = NULL;
    GError *error = NULL;
    struct tcgrr_symbols *symbols[] = {bisecting->symbols, bisecting->symbols};
    int status = cli_comparing_resolve(bisecting->command, &bisecting->comparing, symbols, &bisecting->how);

    if (status != CLI_OK) {
        return status;
    }
    bisecting->how.strict = true;
    bool good = tcgrr_replay_check(cause->readers[0], &error) && check_bundle(bisecting, &error) &&
                search(bisecting, &comparison, &error);
    cli_cause_clear_line(cause);
    if (!good) {
        int signal = *cause->stop;
        status = cli_fail(error);
        if (!signal && comparison && comparison->diverged) {
            /* Where they part is worth telling even if why is not known. */
            struct cli_places places = places_of(bisecting);
            print(bisecting, comparison, &places);
        }
        return signal ? cli_stopped_status(signal) : status;
    }
    return conclude(bisecting, comparison);
}

static void clear(struct bisecting *bisecting)
{
    struct cli_cause *cause = &bisecting->cause;

    tcgrr_cause_clear(&bisecting->found);
    tcgrr_standalone_clear(&cause->standalone);
    tcgrr_comparison_clear(&bisecting->comparison);
    tcgrr_qemu_clear(&bisecting->probed);
    tcgrr_replay_result_clear(&bisecting->replay);
    tcgrr_replay_result_clear(&bisecting->closer);
    for (int i = 0; i < 2; i++) {
        if (bisecting->sides[i]) {
            bisecting->sides[i]->ops->free(bisecting->sides[i]);
        }
    }
    if (cause->readers[1] != cause->readers[0]) {
        tcgrr_reader_free(cause->readers[1]);
    }
    tcgrr_reader_free(cause->readers[0]);
    tcgrr_symbols_free(bisecting->symbols);
    cli_comparing_clear(&bisecting->comparing);
    g_free(bisecting->qemu);
    g_free(bisecting->bundle);
    g_free(bisecting->b_path);
    g_free(bisecting->a_path);
}

/* TRACE-cause, where TRACE ends in .tcgrr. */
static char *default_bundle(const char *trace)
{
    size_t length = strlen(trace) - (g_str_has_suffix(trace, ".tcgrr") ? strlen(".tcgrr") : 0);
    return g_strdup_printf("%.*s-cause", (int)length, trace);
}

/* Its own help; the dispatcher's is about all forms of bisect. */
static const struct cli_command form = {
    "bisect",
    "TRACE --qemu PATH",
    "Find the first instruction whose effect differs between the QEMU that recorded and another one",
    "Where the two part is not yet what went wrong: what the parting instruction read is followed back, from one\n"
    "instruction to the one before that made it differ, until one takes in the same on both sides and makes\n"
    "something else of it. docs/cause.md tells how, and what the kinds of causes mean.\n"
    "A QEMU of the same release replays the recording; one of another release cannot, and is recorded itself, into\n"
    "the folder. If the two part in firmware that differs, they are compared from the guest's _start on; --from "
    "tells\n"
    "another place.\n\n"
    "Exit status: 0 no divergence, 1 the two part, 3 it could not be told.\n\n"
    "Examples:\n"
    "  tcgrr bisect guest.tcgrr --qemu qemu-system-x86_64-10.0\n"
    "  tcgrr bisect guest.tcgrr --qemu ./build/qemu-system-aarch64 --from start_kernel --json | jq .cause\n",
    NULL,
};

int cli_bisect_cause(int argc, char **argv)
{
    const struct cli_command *command = &form;
    struct bisecting bisecting = {.command = command, .comparing = CLI_COMPARING_INIT, .timeout = 60};
    const GOptionEntry options[] = {
        {"qemu", 0, 0, G_OPTION_ARG_FILENAME, &bisecting.qemu, "the QEMU to compare with the one that recorded",
         "PATH"},
        {"bundle", 0, 0, G_OPTION_ARG_FILENAME, &bisecting.bundle,
         "folder for all that a bug report needs (default: the trace's name with -cause)", "DIR"},
        {"force", 0, 0, G_OPTION_ARG_NONE, &bisecting.force, "use the folder even if it is there", NULL},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &bisecting.timeout,
         "seconds without progress after which a QEMU has hung (default 60)", "S"},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &bisecting.progress,
         "show progress even if standard error is no terminal", NULL},
        CLI_COMPARING_OPTIONS(bisecting.comparing),
        {0},
    };
    GError *error = NULL;
    int status = CLI_USAGE;

    /* "bisect --qemu --help" is how one asks for this help, though --qemu takes a value. */
    char *help[] = {argv[0], (char *)"--help", NULL};
    if (argc == 3 && strcmp(argv[2], help[1]) == 0) {
        argc = 2;
        argv = help;
    }
    if (!cli_parse(command, options, false, &argc, &argv)) {
        clear(&bisecting);
        return CLI_USAGE;
    }
    if (argc != 2 || bisecting.timeout < 1) {
        status = cli_usage(command, argc != 2 ? "bisect takes one trace and --qemu PATH" : "--timeout takes 1 or more");
        clear(&bisecting);
        return status;
    }
    g_autofree char *plugin = cli_plugin_path(&error);
    bisecting.bundle = bisecting.bundle ? bisecting.bundle : default_bundle(argv[1]);
    bisecting.b_path = g_build_filename(bisecting.bundle, "b.tcgrr", NULL);
    bisecting.cause = (struct cli_cause){
        .readers = {plugin ? cli_open_trace(argv[1], &status) : NULL},
        .paths = {argv[1]},
        .plugin = plugin,
        .ignore = (const char *const *)bisecting.comparing.ignored,
        .bundle = bisecting.bundle,
        .hang_ms = bisecting.timeout * 1000,
        .progress = bisecting.progress || isatty(STDERR_FILENO),
        .stop = cli_catch_signals(),
    };
    if (!plugin) {
        status = cli_fail(error);
    } else if (bisecting.cause.readers[0]) {
        bisecting.symbols = cli_trace_symbols(bisecting.cause.readers[0]);
        status = bisect(&bisecting);
    }
    clear(&bisecting);
    return status;
}

/* The same words, so that B can do with A's. */
static bool same_words(const char *const *a, const char *const *b)
{
    return g_strv_equal(a, b);
}

/* Records A, then goes on as with a trace that was there. */
static int bisect_pair(struct bisecting *bisecting, const struct cli_bisect_pair *pair)
{
    struct cli_cause *cause = &bisecting->cause;
    GError *error = NULL;
    int status = CLI_OK;

    if (!check_bundle(bisecting, &error) || !make_bundle(bisecting, &error) ||
        !record(bisecting, pair->qemus[0], pair->words[0], bisecting->a_path, NULL, &error)) {
        cli_cause_clear_line(cause);
        status = cli_fail(error);
        return *cause->stop ? cli_stopped_status(*cause->stop) : status;
    }
    cause->readers[0] = cli_open_trace(bisecting->a_path, &status);
    if (!cause->readers[0]) {
        return status;
    }
    cause->paths[0] = bisecting->a_path;
    bisecting->symbols = cli_trace_symbols(cause->readers[0]);
    for (char **file = pair->symbol_files; file && *file; file++) {
        if (!tcgrr_symbols_add_elf(bisecting->symbols, *file, true, &error)) {
            return cli_fail(error);
        }
    }
    return bisect(bisecting);
}

int cli_bisect_pair(const struct cli_bisect_pair *pair)
{
    GError *error = NULL;
    g_autofree char *plugin = cli_plugin_path(&error);
    struct bisecting bisecting = {
        .command = pair->command,
        .comparing = pair->comparing,
        .qemu = g_strdup(pair->qemus[1]),
        .b_words = same_words(pair->words[0], pair->words[1]) ? NULL : pair->words[1],
        .icount = pair->icount,
        .bundle = g_strdup(pair->bundle ? pair->bundle : "lockstep-cause"),
        .force = pair->force,
    };
    bisecting.comparing.from = g_strdup(pair->comparing.from);
    bisecting.comparing.until = g_strdup(pair->comparing.until);
    bisecting.comparing.ignored = g_strdupv(pair->comparing.ignored);
    bisecting.a_path = g_build_filename(bisecting.bundle, "a.tcgrr", NULL);
    bisecting.b_path = g_build_filename(bisecting.bundle, "b.tcgrr", NULL);
    bisecting.cause = (struct cli_cause){
        .plugin = plugin,
        .ignore = (const char *const *)pair->comparing.ignored,
        .bundle = bisecting.bundle,
        .hang_ms = pair->hang_ms,
        .progress = pair->progress,
        .stop = cli_catch_signals(),
    };
    int status = plugin ? bisect_pair(&bisecting, pair) : cli_fail(error);
    clear(&bisecting);
    return status;
}
