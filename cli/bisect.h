/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forms of `tcgrr bisect`, each in a file of its own. Each returns an exit status. */
#ifndef TCGRR_CLI_BISECT_H
#define TCGRR_CLI_BISECT_H

#include "cli/compare_options.h"

/* bisect TRACE --builds PATH…: the first bad one of an ordered list of QEMUs. */
int cli_bisect_builds(const struct cli_command *command, int argc, char **argv);

/* bisect TRACE --qemu PATH: the first instruction whose effect differs in another QEMU. */
int cli_bisect_cause(int argc, char **argv);

/* lockstep --bisect: two QEMUs that share no trace. */
struct cli_bisect_pair {
    const struct cli_command *command;
    const struct cli_compare_options *comparing;
    const char *qemus[2];
    const char *const *words[2]; /* the arguments of each, NULL-terminated; if B's is NULL, A's and `extra` */
    const char *const *extra;    /* NULL-terminated; NULL: none */
    const char *icount;          /* NULL: the default */
    const char *bundle;          /* folder for the recordings and the finding; NULL: a new one, lockstep-cause */
    bool force;                  /* use it even if it exists */
    char **symbol_files;         /* further ELF files; NULL: none */
    int hang_ms;
    bool browse; /* look at both recordings afterwards */
    bool progress;
};
/* Records A, has B replay that, and finds the cause. Returns an exit status. */
int cli_bisect_pair(const struct cli_bisect_pair *pair);

#endif
