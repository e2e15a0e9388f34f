/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/man.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_command cli_help;
static const struct cli_command cli_version;

static const struct cli_command *const commands[] = {
    &cli_doctor, &cli_record, &cli_replay,  &cli_lockstep,  &cli_diff,   &cli_bisect, &cli_bisect_run,
    &cli_info,   &cli_verify, &cli_extract, &cli_symbols,   &cli_export, &cli_query,  &cli_report,
    &cli_why,    &cli_help,   &cli_version, &cli_keyframes, &cli_gdb,    &cli_browse, &cli_fill,
};

static const char about[] = "Records what a stock QEMU executes, replays it exactly, and names the first instruction "
                            "at which two runs diverge.";

static const struct {
    const char *title;
    const char *text;
} notes[] = {
    {"Exit status", "0 done and no divergence, 1 diverged, 2 wrong usage, 3 could not do it, 130/143 interrupted."},
    {"Environment",
     "TCGRR_PLUGIN: the plugin to load instead of the installed one; PATH: where to look for QEMUs;\n"
     "TCGRR_PAGER, PAGER: what shows long output on a terminal (default: less; empty: nothing);\n"
     "TMPDIR: where sockets and the files of replays are kept while in use; NO_COLOR: print without colors."},
};

static void print_overview(FILE *to)
{
    fprintf(to, "Usage: tcgrr COMMAND [OPTION…] …\n\n%s\n\n", about);
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    fprintf(to, "\n'tcgrr help COMMAND' shows options and examples. Start with 'tcgrr doctor'.\n");
    for (size_t i = 0; i < G_N_ELEMENTS(notes); i++) {
        fprintf(to, "%s: %s\n", notes[i].title, notes[i].text);
    }
}

static void print_overview_as_man(void)
{
    cli_man_begin("tcgrr", "COMMAND [OPTION…] …", "record, replay and compare what QEMU executes");
    cli_man_section("Description");
    cli_man_text(about);
    cli_man_section("Commands");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *page = g_strdup_printf("tcgrr-%s(1)", commands[i]->name);
        cli_man_item(page, NULL, commands[i]->summary);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(notes); i++) {
        cli_man_section(notes[i].title);
        cli_man_text(notes[i].text);
    }
}

static int unknown_command(const char *name)
{
    const char *names[G_N_ELEMENTS(commands) + 1] = {NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        names[i] = commands[i]->name;
    }
    const char *meant = cli_nearest(name, names);
    if (meant) {
        cli_say_error("there is no command '%s'; did you mean '%s'? (tcgrr --help)", name, meant);
    } else {
        cli_say_error("there is no command '%s'; see tcgrr --help", name);
    }
    return CLI_USAGE;
}

static int run_command(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i]->run(commands[i], argc, argv);
        }
    }
    return unknown_command(name);
}

/* `tcgrr help COMMAND` is `tcgrr COMMAND --help`. */
static int run_help(const struct cli_command *command, int argc, char **argv)
{
    gboolean man = FALSE;
    const GOptionEntry options[] = {
        {"man", 0, 0, G_OPTION_ARG_NONE, &man, "print it as a manual page in roff", NULL},
        {0},
    };
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc > 2) {
        return cli_usage(command, "help takes one command");
    }
    if (man) {
        cli_help_is_man();
    }
    if (argc == 2) {
        char option[] = "--help";
        char *words[] = {argv[1], option, NULL};
        return run_command(argv[1], 2, words);
    }
    if (man) {
        print_overview_as_man();
    } else {
        print_overview(stdout);
    }
    return CLI_OK;
}

static const struct cli_command cli_help = {
    "help",
    "[COMMAND]",
    "Show what a command does, its options and examples",
    "Examples:\n  tcgrr help record\n  tcgrr help --man record | man -l -\n",
    run_help,
};

static int run_version(const struct cli_command *command, int argc, char **argv)
{
    gboolean json = FALSE;
    const GOptionEntry options[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object", NULL},
        {0},
    };
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc > 1) {
        return cli_usage(command, "version takes no arguments");
    }
    if (json) {
        cli_print_json(json_pack("{s:s}", "version", TCGRR_VERSION));
    } else {
        printf("tcgrr %s\n", TCGRR_VERSION);
    }
    return CLI_OK;
}

static const struct cli_command cli_version = {
    "version",
    "",
    "Print the version of tcgrr",
    "Examples:\n"
    "  tcgrr version --json\n",
    run_version,
};

/* GLib prints --help through this function; its default would print "?" for characters that the locale lacks. */
static void print_as_is(const char *text)
{
    fputs(text, stdout);
}

/*
 * Standard input, output or errors that are closed get a file that is empty, or takes nothing: the next file to be
 * opened would have their number, and QEMU, or we, would print into it. What is printed to a closed output is lost, and
 * writing to a file that is only read says so.
 */
static void open_closed_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) < 0) {
            exit(CLI_FAILED); /* there is nobody to tell */
        }
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    open_closed_streams();
    g_set_print_handler(print_as_is);

    if (argc < 2) {
        print_overview(stderr);
        return CLI_USAGE;
    }
    cli_begin(argc, argv);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_overview(stdout);
        return CLI_OK;
    }
    name = strcmp(name, "--version") == 0 ? "version" : name;
    int status = run_command(name, argc - 1, argv + 1);
    /* The status of bisect-run is its result, and git takes any other for a bad commit. */
    cli_finish_output(status);
    return strcmp(name, "bisect-run") == 0 ? status : cli_check_output(status);
}
