/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts the terminal browser, for `browse` and for the commands that have --browse. */
#ifndef TCGRR_CLI_BROWSE_BROWSE_H
#define TCGRR_CLI_BROWSE_BROWSE_H

#include "cli/cli.h"

/* A row for a command's table of options. */
#define CLI_BROWSE_OPTION(browse)                                                                                      \
    {                                                                                                                  \
        "browse", 0, 0, G_OPTION_ARG_NONE, &(browse), "look at the divergence in the terminal (tcgrr browse)", NULL    \
    }

/* Returns CLI_OK if the browser can run here; otherwise prints why not and returns another status. */
int cli_browse_check(const struct cli_command *command);
/* Shows one trace or, with `b`, two. Starts at `at` (browse_find()); if that is NULL, where they diverge or begin.
 * Returns an exit status. */
int cli_browse_traces(const char *a, const char *b, const char *at);

#endif
