/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include "replay/replay.h"

#include <stdio.h>

static int run(const struct cli_command *command, int argc, char **argv)
{
    const GOptionEntry options[] = {{0}};
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc != 3) {
        return cli_usage(command, "extract takes a trace and a folder");
    }
    GError *error = NULL;
    int status = CLI_OK;
    struct tcgrr_reader *reader = cli_open_trace(argv[1], &status);
    if (!reader) {
        return status;
    }
    if (tcgrr_replay_extract(reader, argv[2], &error)) {
        if (tcgrr_reader_run(reader)->rr) {
            printf("%s/replay.rr\n%s/replay.txt\n%s/original.rr\n", argv[2], argv[2], argv[2]);
        }
        printf("%s/command.txt\n", argv[2]);
    } else {
        status = cli_fail(error);
    }
    tcgrr_reader_free(reader);
    return status;
}

const struct cli_command cli_extract = {
    "extract",
    "TRACE DIR",
    "Write what a trace carries as files: QEMU's rr file and the command that replays it",
    "Writes DIR/replay.rr and DIR/command.txt (one argument a line), which replay the run without tcgrr, and DIR/inputs\n"
    "with the embedded files of a trace that was recorded with --portable or --start-at. replay.rr is repaired,\n"
    "original.rr is what QEMU wrote, replay.txt lists replay.rr's events.\n"
    "  tcgrr extract boot.tcgrr boot && xargs -d '\\n' -a boot/command.txt env\n",
    run,
};
