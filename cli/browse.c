/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/browse/browse.h"

#include "cli/browse/view.h"
#include "lockstep/compare.h"
#include "replay/keyframes.h"
#include "store/error.h"

#include <string.h>
#include <unistd.h>

/* What is shown. */
struct shown {
    const char *paths[2]; /* the second one NULL: one trace */
    struct browse_view_options view;
    struct browse_pair pair;
    GArray *keyframes;
};

/* ---- two runs ---- */

static int by_icount(const void *a, const void *b)
{
    const struct browse_difference *one = a;
    const struct browse_difference *other = b;
    return one->icount[0] < other->icount[0] ? -1 : one->icount[0] > other->icount[0];
}

static const char *divergence_text(enum tcgrr_divergence_kind kind)
{
    switch (kind) {
    case TCGRR_DIVERGENCE_FLOW:
        return "the runs diverge here: control flow";
    case TCGRR_DIVERGENCE_DATA:
        return "the runs diverge here: data";
    default:
        return "one of the runs ends here";
    }
}

static void keep_differences(struct browse_pair *pair, const struct tcgrr_comparison *comparison)
{
    for (int i = 0; i < 2; i++) {
        pair->start[i] = comparison->start[i];
    }
    for (guint i = 0; i < comparison->places->len; i++) {
        const struct tcgrr_tolerated *place = &g_array_index(comparison->places, struct tcgrr_tolerated, i);
        bool event = place->kind == TCGRR_TOLERATED_EVENT; /* its instructions are those between the two places */
        struct browse_difference difference = {
            .icount = {place->icount[0], place->icount[1]},
            .length = {event ? 0 : place->insns[0], event ? 0 : place->insns[1]},
            .kind = tcgrr_tolerated_name(place->kind),
        };
        g_array_append_val(pair->differences, difference);
    }
    if (comparison->diverged || comparison->undecided) {
        struct browse_difference difference = {
            .icount = {comparison->sides[0].icount, comparison->sides[1].icount},
            .kind = comparison->diverged ? divergence_text(comparison->kind)
                                         : "the runs are not the same from here on; their inputs may explain it",
        };
        g_array_append_val(pair->differences, difference);
    }
    g_array_sort(pair->differences, by_icount);
}

static bool compare(struct shown *shown, GError **error)
{
    struct tcgrr_reader *readers[2] = {NULL, NULL};
    struct tcgrr_run_source *sources[2] = {NULL, NULL};
    bool good = true;

    for (int i = 0; good && i < 2; i++) {
        readers[i] = tcgrr_reader_open(shown->paths[i], error);
        sources[i] = readers[i] ? tcgrr_run_source_stored(readers[i], error) : NULL;
        good = sources[i] != NULL;
    }
    if (good) {
        const struct tcgrr_run *runs[2] = {tcgrr_reader_run(readers[0]), tcgrr_reader_run(readers[1])};
        struct tcgrr_comparison comparison;
        struct tcgrr_compare_options options = {
            .history = 1,
            .isa = tcgrr_isa_of_target(runs[0]->target),
            .vcpus_known =
                tcgrr_compare_reports_vcpus(runs[0]->api_version) && tcgrr_compare_reports_vcpus(runs[1]->api_version),
            .tolerate_cut_a = !runs[0]->complete,
            .own_inputs = g_strcmp0(runs[0]->mode, "system") == 0,
            .stop = cli_catch_signals(),
        };
        good = tcgrr_compare(sources[0], sources[1], &options, &comparison, error);
        if (!good && comparison.undecided && !g_error_matches(*error, TCGRR_ERROR, TCGRR_ERROR_STOPPED)) {
            g_clear_error(error);
            good = true;
        }
        if (good) {
            keep_differences(&shown->pair, &comparison);
        }
        tcgrr_comparison_clear(&comparison);
    }
    for (int i = 0; i < 2; i++) {
        if (sources[i]) {
            sources[i]->ops->free(sources[i]);
        }
        tcgrr_reader_free(readers[i]);
    }
    return good;
}

/* Both runs are at the divergence, or at their beginning. */
static bool align(struct shown *shown, GError **error)
{
    guint count = shown->pair.differences->len;
    if (count == 0) {
        shown->view.message = "the runs do not differ; ? lists all keys";
        return true;
    }
    const struct browse_difference *last = &g_array_index(shown->pair.differences, struct browse_difference, count - 1);
    shown->view.message = last->kind;
    return browse_go(shown->view.runs[0], last->icount[0], error) &&
           browse_go(shown->view.runs[1], last->icount[1], error);
}

/* ---- the command ---- */

static bool comparable(const struct shown *shown, GError **error)
{
    const struct tcgrr_run *runs[2] = {browse_run_about(shown->view.runs[0]), browse_run_about(shown->view.runs[1])};
    return cli_comparable(runs, shown->paths, error);
}

static bool prepare(struct shown *shown, const char *at, GError **error)
{
    bool moved;
    for (int i = 0; i < 2 && shown->paths[i]; i++) {
        shown->view.runs[i] = browse_run_open(shown->paths[i], error);
        if (!shown->view.runs[i]) {
            return false;
        }
    }
    if (shown->paths[1]) {
        shown->view.pair = &shown->pair;
        if (!comparable(shown, error) || !compare(shown, error) || !align(shown, error)) {
            return false;
        }
    }
    if (at && !browse_find(shown->view.runs[0], at, &moved, error)) {
        return false;
    }
    return !at || !shown->paths[1] ||
           browse_go(shown->view.runs[1],
                     browse_pair_other(&shown->pair, 0, browse_run_place(shown->view.runs[0]).icount), error);
}

static void keep_keyframe(tcgrr_icount icount, void *data)
{
    g_array_append_val(data, icount);
}

static int show(struct shown *shown, const char *at)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    GError *error = NULL;

    shown->pair.differences = g_array_new(FALSE, FALSE, sizeof(struct browse_difference));
    shown->keyframes = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));
    tcgrr_keyframes_each(shown->paths[0], keep_keyframe, shown->keyframes);
    shown->view.keyframes = shown->keyframes;
    shown->view.program = program ? program : "tcgrr";
    bool good = prepare(shown, at, &error) && browse_view(&shown->view, &error);
    browse_run_free(shown->view.runs[0]);
    browse_run_free(shown->view.runs[1]);
    g_array_unref(shown->pair.differences);
    g_array_unref(shown->keyframes);
    return good ? CLI_OK : cli_fail(error);
}

int cli_browse_check(const struct cli_command *command)
{
    if (!browse_view_available()) {
        cli_say_error(
            "this tcgrr was built without ncurses, which %s needs; install libncurses-dev and build tcgrr again",
            command == &cli_browse ? "browse" : "--browse");
        return CLI_FAILED;
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        return cli_usage(command, "browse needs a terminal; 'tcgrr query' and 'tcgrr report' work without one");
    }
    return CLI_OK;
}

int cli_browse_traces(const char *a, const char *b, const char *at)
{
    struct shown shown = {.paths = {a, b}};
    return show(&shown, at);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    g_autofree char *at = NULL;
    const GOptionEntry options[] = {
        {"at", 0, 0, G_OPTION_ARG_STRING, &at, "where to start: an icount, 12.5%, a symbol or a 0x address", "WHERE"},
        {0},
    };
    int status = CLI_OK;
    g_autofree char *keys = browse_view_keys();
    g_autofree char *end = g_strconcat(command->examples, "\n", keys, NULL);
    struct cli_command with_keys = *command;

    with_keys.examples = end;
    if (!cli_parse(&with_keys, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc > 3) {
        return cli_usage(command, "browse takes one trace, or two");
    }
    status = cli_browse_check(command);
    g_autofree char *newest = status == CLI_OK && argc == 1 ? cli_one_trace(command, argc, argv) : NULL;
    const char *paths[2] = {argc > 1 ? argv[1] : newest, argc > 2 ? argv[2] : NULL};
    for (int i = 0; status == CLI_OK && i < 2 && (i == 0 || paths[i]); i++) {
        struct tcgrr_reader *reader = paths[i] ? cli_open_trace(paths[i], &status) : NULL;
        status = reader || status != CLI_OK ? status : CLI_USAGE; /* it was said that there is none */
        tcgrr_reader_free(reader);
    }
    return status == CLI_OK ? cli_browse_traces(paths[0], paths[1], at) : status;
}

const struct cli_command cli_browse = {
    "browse",
    "[TRACE [TRACE_B]]",
    "Browse a run in the terminal, instruction by instruction, or two runs side by side",
    "Shows the instructions around one point of the run, with their blocks and events; the call stack, registers and\n"
    "memory accesses there; and the whole run as a bar. Two traces are compared and aligned as by 'tcgrr diff', and\n"
    "shown from where they diverge. '?' lists all keys; docs/browse.md shows the screen.\n\n"
    "Examples:\n"
    "  tcgrr browse boot.tcgrr\n"
    "  tcgrr browse boot.tcgrr --at start_kernel\n"
    "  tcgrr browse good.tcgrr bad.tcgrr\n",
    run,
};
