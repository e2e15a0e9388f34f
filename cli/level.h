/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record --level and its --sample-… and --full-… options: how much of a run is recorded. */
#ifndef TCGRR_CLI_LEVEL_H
#define TCGRR_CLI_LEVEL_H

#include "cli/cli.h"
#include "record/record.h"

/* The options as the user wrote them; NULL: not given. */
struct cli_level {
    char *level;
    char *from;
    char *until;
    char *end; /* --until: of the whole run */
    char *sample_from;
    int sample_step;
};
void cli_level_clear(struct cli_level *asked);

/* Rows for the command's table of options. */
#define CLI_LEVEL_OPTIONS(asked)                                                                                       \
    {"level",                                                                                                          \
     0,                                                                                                                \
     0,                                                                                                                \
     G_OPTION_ARG_STRING,                                                                                              \
     &(asked).level,                                                                                                   \
     "inputs (only what a replay needs), flow (the default: what ran), state (flow and samples of registers and "      \
     "stores) or full (state and memory accesses)",                                                                    \
     "LEVEL"},                                                                                                         \
        {"full-from",                                                                                                  \
         0,                                                                                                            \
         0,                                                                                                            \
         G_OPTION_ARG_STRING,                                                                                          \
         &(asked).from,                                                                                                \
         "record memory accesses from here on: a symbol, a 0x address (its first execution) or an icount",             \
         "WHERE"},                                                                                                     \
        {"sample-step",                                                                                                \
         0,                                                                                                            \
         0,                                                                                                            \
         G_OPTION_ARG_INT,                                                                                             \
         &(asked).sample_step,                                                                                         \
         "level state: branches between two samples (default 8192; 1: a sample before every block)",                   \
         "N"},                                                                                                         \
        {"sample-from",                                                                                                \
         0,                                                                                                            \
         0,                                                                                                            \
         G_OPTION_ARG_STRING,                                                                                          \
         &(asked).sample_from,                                                                                         \
         "level state: count branches for samples from this symbol or 0x address on, for runs that differ before it",  \
         "WHERE"},                                                                                                     \
    {                                                                                                                  \
        "full-until", 0, 0, G_OPTION_ARG_STRING, &(asked).until,                                                       \
            "stop recording memory accesses here, at its next execution (default: the end of the run)", "WHERE"        \
    }

/*
 * Fills in options->level, ->until, ->sample_step, ->sample_from and ->window. Symbols come from options->symbol_files
 * and from every word of QEMU's command that names an ELF file. If the options are wrong, prints why and returns a
 * status other than CLI_OK.
 */
int cli_level_resolve(const struct cli_command *command, const struct cli_level *asked,
                      struct tcgrr_record_options *options);

#endif
