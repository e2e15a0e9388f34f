/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tcgrr bisect` has forms that have little in common but their name; the option selects the form.
 */
#include "cli/bisect.h"

#include <string.h>

/* Whether the option is among the words before "--". */
static bool has_option(int argc, char **argv, const char *option)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        size_t length = strlen(option);
        if (strncmp(argv[i], option, length) == 0 && (argv[i][length] == '\0' || argv[i][length] == '=')) {
            return true;
        }
    }
    return false;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    if (has_option(argc, argv, "--builds") && has_option(argc, argv, "--qemu")) {
        return cli_usage(command, "--qemu and --builds exclude each other: --qemu finds a cause in one QEMU, --builds "
                                  "the first bad one of several");
    }
    if (has_option(argc, argv, "--builds")) {
        return cli_bisect_builds(command, argc, argv);
    }
    if (has_option(argc, argv, "--qemu")) {
        return cli_bisect_cause(argc, argv);
    }
    /* Options of the forms are good, and none is missing but the one that selects the form. */
    const GOptionEntry options[] = {{0}};
    if (has_option(argc, argv, "--help") || has_option(argc, argv, "-h")) {
        cli_parse(command, options, false, &argc, &argv);
    }
    return cli_usage(command, "bisect takes a trace and --builds PATH… or --qemu PATH");
}

const struct cli_command cli_bisect = {
    "bisect",
    "TRACE --builds PATH… [-- EXTRA_ARG…] | TRACE --qemu PATH",
    "Find the instruction that makes another QEMU differ, or the first bad one in an ordered list of QEMUs",
    "With --qemu: the first instruction whose effect differs between the QEMU that recorded and this one;\n"
    "'tcgrr bisect --qemu --help' has the options.\n\n"
    "With --builds: QEMU binaries, or folders with one for the trace's target, in order: first those that replay the\n"
    "trace without a divergence, then those that do not. Builds that cannot replay it at all are skipped.\n"
    "'tcgrr "
    "bisect --builds --help' has the options; docs/bisect.md has more.\n\n"
    "Exit status: 0 nothing bad or different found, 1 found, 3 could not decide.\n\n"
    "Examples:\n"
    "  tcgrr bisect boot.tcgrr --qemu qemu-system-aarch64-11.1\n"
    "  tcgrr bisect boot.tcgrr --builds build-1 build-2 build-3 build-4\n"
    "  tcgrr bisect boot.tcgrr --builds qemu-*/bin/qemu-system-aarch64 --json | jq -r .first_bad\n"
    "  tcgrr bisect boot.tcgrr --builds build-* -- -bios firmware.bin\n",
    run,
};
