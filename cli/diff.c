/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/browse/browse.h"
#include "cli/compare_options.h"
#include "cli/fill.h"
#include "replay/decide.h"
#include "store/error.h"
#include "store/symbols.h"

#include <stdio.h>
#include <string.h>

struct traces {
    const char *paths[2];
    bool fill;
    bool page;   /* long text goes to the user's pager */
    bool browse; /* whether there is a place to show in the browser afterwards */
    struct tcgrr_reader *readers[2];
    struct tcgrr_run_source *sides[2];
    struct tcgrr_symbols *symbols[2];
};

static void print_text(const struct traces *traces, const struct tcgrr_comparison *comparison,
                       const struct cli_places *places)
{
    if (traces->page) {
        cli_page();
    }
    cli_print_comparison(comparison, places);
    for (int i = 0; i < 2; i++) {
        const struct tcgrr_run *run = tcgrr_reader_run(traces->readers[i]);
        printf("  %s: recorded with QEMU %s%s\n", traces->paths[i], run->qemu_version,
               run->complete ? "" : ", cut short: compared as far as it goes");
    }
}

/* States are compared where both traces have them. */
static void choose_state(const struct traces *traces, struct tcgrr_compare_options *options)
{
    const struct tcgrr_run *a = tcgrr_reader_run(traces->readers[0]);
    const struct tcgrr_run *b = tcgrr_reader_run(traces->readers[1]);

    /* Without samples there is nothing to compare; in user mode each program gets its own data from the host. */
    options->state.target = g_strcmp0(a->mode, "user") == 0 ? NULL : a->target;
    options->state.same_qemu =
        tcgrr_state_same_qemu(a->qemu_version, a->qemu_build_id, b->qemu_version, b->qemu_build_id);
}

/*
 * The recordings differ, which their own inputs may explain: their QEMUs show which, where they are still there.
 * Returns whether that is a divergence after all; otherwise the error says what came of it.
 */
static bool decide(const struct traces *traces, const struct tcgrr_compare_options *options,
                   struct tcgrr_comparison *comparison, GError **error)
{
    g_autofree char *place = cli_number(comparison->icount);
    GError *problem = NULL;

    bool system = strcmp(tcgrr_reader_run(traces->readers[0])->mode, "system") == 0;
    const char *shared = system ? "on one rr log" : "with the same results of system calls";

    cli_note("at icount %s the two differ, which inputs of their own may explain: their QEMUs run once more, %s", place,
             shared);
    g_autofree char *plugin = cli_plugin_path(&problem);
    struct tcgrr_decide_options how = {.plugin = plugin, .compare = options, .stop = options->stop};
    enum tcgrr_decision decision = plugin ? tcgrr_decide(traces->readers, &how, comparison, &problem) : TCGRR_UNDECIDED;
    if (decision == TCGRR_DECIDED_DIVERGES) {
        g_clear_error(error);
        comparison->diverged = true;
        return true;
    }
    if (problem && problem->code == TCGRR_ERROR_STOPPED) {
        g_clear_error(error);
        g_propagate_error(error, problem);
        return false;
    }
    const char *outcome = decision == TCGRR_DECIDED_INPUTS      ? "both are the same there and beyond"
                          : decision == TCGRR_DECIDED_ELSEWHERE ? "they diverge elsewhere; tcgrr lockstep reports where"
                                                                : "that could not be tried";
    GError *with = g_error_new(TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s (%s %s%s%s)", (*error)->message, shared, outcome,
                               problem ? ": " : "", problem ? problem->message : "");
    g_clear_error(&problem);
    g_clear_error(error);
    g_propagate_error(error, with);
    return false;
}

static void name_blocks(const struct traces *traces, struct cli_places *places)
{
    for (int i = 0; i < 2; i++) {
        places->blocks[i] = tcgrr_reader_blocks(traces->readers[i], NULL);
    }
}

static json_t *result_json(const struct traces *traces, const struct tcgrr_comparison *comparison,
                           const struct cli_places *places)
{
    json_t *object =
        json_pack("{s:o, s:o}", "a", cli_json_text(traces->paths[0]), "b", cli_json_text(traces->paths[1]));
    cli_json_comparison(object, comparison, places);
    return object;
}

/* Without a verdict: what went wrong, and the place where the two are not the same, if that is it. */
static int fail(const struct traces *traces, const struct cli_compare_options *comparing,
                const struct tcgrr_comparison *comparison, struct cli_places *places, GError *error)
{
    bool undecided = comparison->undecided && error->code != TCGRR_ERROR_STOPPED;

    if (undecided) {
        name_blocks(traces, places);
    }
    if (undecided && !comparing->json && comparison->sides[0].there && comparison->sides[1].there) {
        print_text(traces, comparison, places);
    }
    return cli_compare_fail(
        comparing,
        undecided && cli_compare_options_want_object(comparing) ? result_json(traces, comparison, places) : NULL,
        error);
}

static int compare(const struct cli_command *command, struct traces *traces,
                   const struct cli_compare_options *comparing)
{
    struct cli_places places = {.target = tcgrr_reader_run(traces->readers[0])->target,
                                .symbols = {traces->symbols[0], traces->symbols[1]},
                                .names = {traces->paths[0], traces->paths[1]}};
    const struct tcgrr_run *runs[2] = {tcgrr_reader_run(traces->readers[0]), tcgrr_reader_run(traces->readers[1])};
    struct tcgrr_compare_options options = {.isa = tcgrr_isa_of_target(runs[0]->target),
                                            .vcpus_known = tcgrr_compare_reports_vcpus(runs[0]->api_version) &&
                                                           tcgrr_compare_reports_vcpus(runs[1]->api_version),
                                            .tolerate_cut_a = !runs[0]->complete,
                                            .own_inputs = g_strcmp0(runs[0]->mode, "system") == 0,
                                            .stop = cli_catch_signals()};
    struct tcgrr_comparison comparison;
    GError *error = NULL;
    int status = cli_compare_options_resolve(command, comparing, traces->symbols, &options);

    if (status != CLI_OK) {
        return status;
    }
    choose_state(traces, &options);
    bool good = tcgrr_compare(traces->sides[0], traces->sides[1], &options, &comparison, &error);
    if (good) {
        tcgrr_decide_note_start(traces->readers, &comparison);
    }
    good = good && tcgrr_decide_check_calls(traces->readers, &comparison, &error);
    if (!good && (!comparison.undecided || !decide(traces, &options, &comparison, &error))) {
        traces->browse = comparison.undecided && error->code != TCGRR_ERROR_STOPPED;
        status = fail(traces, comparing, &comparison, &places, error);
        tcgrr_comparison_clear(&comparison);
        return status;
    }
    traces->browse = comparison.diverged;
    if (comparison.diverged) {
        name_blocks(traces, &places);
    }
    if (!comparing->json) {
        print_text(traces, &comparison, &places);
    }
    status =
        cli_output_result(cli_compare_options_want_object(comparing) ? result_json(traces, &comparison, &places) : NULL,
                          comparing->json, comparing->html, cli_comparison_status(&comparison));
    tcgrr_comparison_clear(&comparison);
    return status;
}

static int open_both(struct traces *traces)
{
    GError *error = NULL;
    int status = CLI_OK;

    for (int i = 0; i < 2; i++) {
        traces->readers[i] = cli_open_trace_at(traces->paths[i], TCGRR_LEVEL_FLOW, traces->fill, &status);
        if (!traces->readers[i]) {
            return status;
        }
        traces->sides[i] = tcgrr_run_source_stored(traces->readers[i], &error);
        if (!traces->sides[i]) {
            return cli_fail(error);
        }
        traces->symbols[i] = cli_trace_symbols(traces->readers[i]);
    }
    const struct tcgrr_run *runs[2] = {tcgrr_reader_run(traces->readers[0]), tcgrr_reader_run(traces->readers[1])};
    return cli_comparable(runs, traces->paths, &error) ? CLI_OK : cli_fail(error);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct cli_compare_options comparing = CLI_COMPARE_OPTIONS_INIT;
    gboolean browse = FALSE, fill = FALSE;
    const GOptionEntry options[] = {CLI_COMPARE_OPTION_ROWS(comparing),
                                    CLI_STRICT_OPTION_ROW(comparing),
                                    CLI_BROWSE_OPTION(browse),
                                    CLI_FILL_OPTION(fill),
                                    {0}};
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc != 3) {
        return cli_usage(command, "diff takes two traces");
    }
    int unfit = browse ? cli_browse_check(command) : CLI_OK;
    if (unfit != CLI_OK) {
        cli_compare_options_clear(&comparing);
        return unfit;
    }
    struct traces traces = {.paths = {argv[1], argv[2]}, .fill = fill, .page = !browse};
    int status = open_both(&traces);
    if (status == CLI_OK) {
        status = compare(command, &traces, &comparing);
    }
    for (int i = 0; i < 2; i++) {
        if (traces.sides[i]) {
            traces.sides[i]->ops->free(traces.sides[i]);
        }
        tcgrr_symbols_free(traces.symbols[i]);
        tcgrr_reader_free(traces.readers[i]);
    }
    cli_compare_options_clear(&comparing);
    if (browse && traces.browse) {
        int shown = cli_browse_traces(traces.paths[0], traces.paths[1], NULL);
        status = shown == CLI_OK ? status : shown;
    }
    return status;
}

const struct cli_command cli_diff = {
    "diff",
    "TRACE_A TRACE_B",
    "Name the first instruction at which two recorded runs diverge",
    "Compares instructions, however they are cut into blocks. An interrupt that comes a few instructions earlier in "
    "one\n"
    "run, or a polling loop that runs a few more times, is listed but is not a divergence, except with --strict.\n"
    "Where inputs of their own may explain a difference, tcgrr runs both QEMUs once more, on one rr log or, in user "
    "mode,\n"
    "with the same results of system calls, to decide.\n\n"
    "Examples:\n"
    "  tcgrr diff good.tcgrr bad.tcgrr\n"
    "  tcgrr diff good.tcgrr bad.tcgrr --from start_kernel\n"
    "  tcgrr diff good.tcgrr bad.tcgrr --browse\n"
    "  tcgrr diff good.tcgrr bad.tcgrr --json | jq .divergence.icount\n",
    run,
};
