/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by lockstep of two local sides (lockstep.c) and lockstep with another tcgrr (lockstep_peer.c). */
#ifndef TCGRR_CLI_LOCKSTEP_H
#define TCGRR_CLI_LOCKSTEP_H

#include "cli/compare_options.h"
#include "lockstep/lockstep_local.h"

/* The user's options; owned by the caller. */
struct cli_lockstep_peer {
    char *listen;
    char *connect;
    char *token_file;
    int peer_timeout; /* seconds */
    int wait;         /* seconds; 0: the default */
    const struct cli_compare_options *comparing;
    const char *icount;
    int timeout; /* seconds */
    bool own_inputs;
    bool console;
    bool progress;
    char **symbol_files;
};

/* Rows for the command's table of options. */
#define CLI_LOCKSTEP_PEER_OPTIONS(peer)                                                                                \
    {"listen", 0, 0, G_OPTION_ARG_FILENAME, &(peer).listen, "wait for another tcgrr that has side B", "ADDR"},         \
        {"connect", 0, 0, G_OPTION_ARG_FILENAME, &(peer).connect, "connect to another tcgrr that has side A", "ADDR"}, \
        {"token-file", 0, 0, G_OPTION_ARG_FILENAME, &(peer).token_file, "a file with a secret that both sides share",  \
         "FILE"},                                                                                                      \
        {"peer-timeout",                                                                                               \
         0,                                                                                                            \
         0,                                                                                                            \
         G_OPTION_ARG_INT,                                                                                             \
         &(peer).peer_timeout,                                                                                         \
         "seconds of silence after which the other side is gone (default 30)",                                         \
         "S"},                                                                                                         \
    {                                                                                                                  \
        "wait", 0, 0, G_OPTION_ARG_INT, &(peer).wait,                                                                  \
            "seconds to wait for the other side to connect (default 3600), or to listen (default 10)", "S"             \
    }

/* `words`: our side, a QEMU and its arguments or a trace. Returns an exit status. */
int cli_lockstep_with_peer(const struct cli_command *command, const struct cli_lockstep_peer *given, char **words);

/* Prints which log drove both sides, if one did. */
void cli_lockstep_print_inputs(enum tcgrr_lockstep_inputs inputs);

/* Reports the machine that both sides were given, pinned as side `maker` makes it. */
void cli_lockstep_json_pinned(json_t *object, const struct tcgrr_pins *pins, int maker);
void cli_lockstep_print_pinned(const struct tcgrr_pins *pins, int maker);

/* Whether a side's name is that of a trace rather than a QEMU. */
bool cli_lockstep_is_trace(const char *name);

/* The symbols of a side (a session, or else a trace) and of the ELF files `files`. If they cannot be read, prints why,
 * sets `*status` and returns NULL. */
struct tcgrr_symbols *cli_lockstep_symbols(const struct tcgrr_session *session, struct tcgrr_reader *reader,
                                           char **files, int *status);

#endif
