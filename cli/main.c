/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_command *const commands[] = {
    &cli_doctor,     &cli_record, &cli_replay, &cli_lockstep, &cli_diff,  &cli_bisect,
    &cli_bisect_run, &cli_info,   &cli_verify, &cli_extract,  &cli_query, &cli_report,
};

static void print_overview(FILE *to)
{
    fprintf(to, "Usage: tcgrr COMMAND [OPTION…] …\n\n"
                "Records what a stock QEMU executes, replays it exactly, and names where two runs part.\n\n");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    fprintf(
        to,
        "\n'tcgrr COMMAND --help' has the options and examples. Begin with 'tcgrr doctor'.\n"
        "Exit status: 0 done and no divergence, 1 diverged, 2 wrong usage, 3 could not do it, 130/143 interrupted.\n");
}

static int unknown_command(const char *name)
{
    const char *best = NULL;
    size_t longest = 1;
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        size_t common = 0;
        while (name[common] && name[common] == commands[i]->name[common]) {
            common++;
        }
        if (common > longest) {
            longest = common;
            best = commands[i]->name;
        }
    }
    fprintf(stderr, "tcgrr: there is no command '%s'; %s%s%s\n", name, best ? "did you mean '" : "see tcgrr --help",
            best ? best : "", best ? "'? (tcgrr --help)" : "");
    return CLI_USAGE;
}

/* GLib prints --help through this, and would otherwise put "?" for what the locale's character set lacks. */
static void print_as_is(const char *text)
{
    fputs(text, stdout);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    g_set_print_handler(print_as_is);

    if (argc < 2) {
        print_overview(stderr);
        return CLI_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_overview(stdout);
        return CLI_OK;
    }
    if (strcmp(name, "--version") == 0) {
        printf("tcgrr %s\n", TCGRR_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i]->run(commands[i], argc - 1, argv + 1);
        }
    }
    return unknown_command(name);
}
