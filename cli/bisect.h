/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forms of `tcgrr bisect`, each in a file of its own. Each returns an exit status. */
#ifndef TCGRR_CLI_BISECT_H
#define TCGRR_CLI_BISECT_H

#include "cli/cli.h"

/* bisect TRACE --builds PATH…: the first bad one of an ordered list of QEMUs. */
int cli_bisect_builds(const struct cli_command *command, int argc, char **argv);

/* bisect TRACE --qemu PATH: the first instruction whose effect differs in another QEMU. */
int cli_bisect_cause(int argc, char **argv);

#endif
