/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

static int run(const struct cli_command *command, int argc, char **argv)
{
    gboolean json = FALSE;
    gboolean verbose = FALSE;
    const GOptionEntry options[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object", NULL},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "also show the command, the notes and the guest's files",
         NULL},
        {0},
    };
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    g_autofree char *trace = cli_one_trace(command, argc, argv);
    return trace ? cli_print_trace(trace, json, verbose ? CLI_TRACE_VERBOSE : CLI_TRACE_PLAIN) : CLI_USAGE;
}

const struct cli_command cli_info = {
    "info",
    "[TRACE]",
    "Show what a trace holds, how it was made and how it ended",
    "Examples:\n"
    "  tcgrr info boot.tcgrr\n"
    "  tcgrr info boot.tcgrr --json | jq .icount\n",
    run,
};
