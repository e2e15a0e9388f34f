/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"
#include "lockstep/compare.h"

#include <stdio.h>
#include <string.h>

struct traces {
    const char *paths[2];
    struct tcgrr_reader *readers[2];
    struct tcgrr_side *sides[2];
};

/* Traces of different targets or modes have nothing in common to compare. */
static bool comparable(const struct cli_command *command, const struct traces *traces)
{
    const struct tcgrr_run *a = tcgrr_reader_run(traces->readers[0]);
    const struct tcgrr_run *b = tcgrr_reader_run(traces->readers[1]);
    if (strcmp(a->target, b->target) == 0 && strcmp(a->mode, b->mode) == 0) {
        return true;
    }
    cli_usage(command, "%s is %s %s mode, %s is %s %s mode", traces->paths[0], a->target, a->mode, traces->paths[1],
              b->target, b->mode);
    return false;
}

static void print_verdict(const struct traces *traces, const struct tcgrr_comparison *comparison)
{
    g_autofree char *compared = cli_number(comparison->compared);
    printf("%s and %s: %s; %s instructions compared\n", traces->paths[0], traces->paths[1],
           comparison->diverged ? "diverged" : "no divergence", compared);
    for (int i = 0; i < 2; i++) {
        if (!tcgrr_reader_run(traces->readers[i])->complete) {
            printf("  %s was cut short: compared as far as it goes\n", traces->paths[i]);
        }
    }
}

static int compare(const struct traces *traces, unsigned history, bool json)
{
    struct tcgrr_compare_options options = {
        .history = history,
        .tolerate_cut_a = !tcgrr_reader_run(traces->readers[0])->complete,
    };
    struct tcgrr_comparison comparison;
    GError *error = NULL;

    if (!tcgrr_compare(traces->sides[0], traces->sides[1], &options, &comparison, &error)) {
        return cli_fail(error);
    }
    struct cli_places places = {.target = tcgrr_reader_run(traces->readers[0])->target,
                                .names = {traces->paths[0], traces->paths[1]}};
    for (int i = 0; i < 2; i++) {
        places.symbols[i] = cli_trace_symbols(traces->readers[i]);
        places.blocks[i] = comparison.diverged ? tcgrr_reader_blocks(traces->readers[i], NULL) : NULL;
    }
    if (json) {
        json_t *object = json_pack("{s:s, s:s}", "a", traces->paths[0], "b", traces->paths[1]);
        cli_json_comparison(object, &comparison, &places);
        cli_print_json(object);
    } else {
        cli_print_divergence(&comparison, &places);
        print_verdict(traces, &comparison);
    }
    tcgrr_symbols_free(places.symbols[0]);
    tcgrr_symbols_free(places.symbols[1]);
    int status = comparison.diverged ? CLI_DIVERGED : CLI_OK;
    tcgrr_comparison_clear(&comparison);
    return status;
}

static int open_both(struct traces *traces)
{
    int status = CLI_OK;
    for (int i = 0; i < 2; i++) {
        GError *error = NULL;
        traces->readers[i] = cli_open_trace(traces->paths[i], &status);
        if (!traces->readers[i]) {
            return status;
        }
        traces->sides[i] = tcgrr_side_stored(traces->readers[i], &error);
        if (!traces->sides[i]) {
            return cli_fail(error);
        }
    }
    return CLI_OK;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    gboolean json = FALSE;
    gint history = 10;
    const GOptionEntry options[] = {
        {"history", 0, 0, G_OPTION_ARG_INT, &history, "blocks in each list of a divergence (default 10)", "N"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object", NULL},
        {0},
    };
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc != 3 || history < 1 || history > 1000) {
        return cli_usage(command, argc != 3 ? "diff takes two traces" : "--history takes 1 to 1000");
    }
    struct traces traces = {.paths = {argv[1], argv[2]}};
    int status = open_both(&traces);
    if (status == CLI_OK) {
        status = comparable(command, &traces) ? compare(&traces, (unsigned)history, json) : CLI_USAGE;
    }
    for (int i = 0; i < 2; i++) {
        if (traces.sides[i]) {
            traces.sides[i]->ops->free(traces.sides[i]);
        }
        tcgrr_reader_free(traces.readers[i]);
    }
    return status;
}

const struct cli_command cli_diff = {
    "diff",
    "TRACE_A TRACE_B",
    "Name the first instruction at which two recorded runs part",
    "Compares from the first instruction on, whatever the blocks; an interrupt that comes an instruction earlier in "
    "one of\n"
    "them is a divergence.\n\n"
    "Examples:\n"
    "  tcgrr diff good.tcgrr bad.tcgrr\n"
    "  tcgrr diff good.tcgrr bad.tcgrr --json | jq .divergence.icount\n",
    run,
};
