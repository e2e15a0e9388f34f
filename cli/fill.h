/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a level that a trace lacks: `tcgrr fill`, and --fill of the commands that need one. */
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

/* Derives what is missing and takes it into the trace; *windows, if not NULL, is how many were derived. */
bool cli_fill_make(const struct cli_fill *fill, unsigned *windows, GError **error);

/*
 * For commands with --fill: if `error` says that a trace lacks a level and `wanted`, makes it, frees the error and
 * returns true: the command is to be tried again. Otherwise reports the error, with the exit status in `*status`.
 */
bool cli_fill_lack(const char *trace, bool wanted, GError *error, int *status);

/* Makes a level of a part of the run. Returns an exit status, after having said what is wrong. */
int cli_fill_window(const char *trace, enum tcgrr_level level, struct tcgrr_span span);

#define CLI_FILL_OPTION(wanted)                                                                                        \
    {                                                                                                                  \
        "fill", 0, 0, G_OPTION_ARG_NONE, &(wanted), "derive a level that the trace lacks by replaying (tcgrr fill)",   \
            NULL                                                                                                       \
    }

#endif
