/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/replay.h"

#include "cli/cli.h"

static int run(const struct cli_command *command, int argc, char **argv)
{
    (void)command;
    return CLI_FAILED;
}

const struct cli_command cli_replay = {"replay", "TRACE", "Run a trace again and prove that it does the same", "", run};
