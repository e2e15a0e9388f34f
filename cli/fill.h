/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Derives a level that a trace lacks: `tcgrr fill`, and --fill of the commands that need one. */
#ifndef TCGRR_CLI_FILL_H
#define TCGRR_CLI_FILL_H

#include "cli/cli.h"
#include "store/layers.h"

struct cli_fill {
    const char *trace;
    const char *qemu; /* that replays; NULL: the one that recorded */
    enum tcgrr_level level;
    const char *from; /* as the user wrote them; NULL: all of the run */
    const char *until;
    int jobs;      /* replays at a time */
    int64_t least; /* instructions in a window; 0: what is best */
    int hang;      /* seconds without progress after which one has hung */
    bool progress;
    const volatile int *stop;
};
#define CLI_FILL_HANG 60

/* Derives what is missing and adds it to the trace; *windows, if not NULL, is set to the number of windows derived. */
bool cli_fill_make(const struct cli_fill *fill, unsigned *windows, GError **error);

/*
 * For commands with --fill: if `error` says that a trace lacks a level and `wanted` is set, derives the level, frees
 * the error and returns true, so that the caller tries again. Otherwise prints the error and sets `*status` to the exit
 * status.
 */
bool cli_fill_lack(const char *trace, bool wanted, GError *error, int *status);

/* Derives a level for a part of the run. Prints what is wrong, if anything, and returns an exit status. */
int cli_fill_window(const char *trace, enum tcgrr_level level, struct tcgrr_span span);

#define CLI_FILL_OPTION(wanted)                                                                                        \
    {                                                                                                                  \
        "fill", 0, 0, G_OPTION_ARG_NONE, &(wanted), "derive a level that the trace lacks by replaying (tcgrr fill)",   \
            NULL                                                                                                       \
    }

#endif
