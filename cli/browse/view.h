/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal browser's screen and keys. */
#ifndef TCGRR_CLI_BROWSE_VIEW_H
#define TCGRR_CLI_BROWSE_VIEW_H

#include "cli/browse/pair.h"

struct browse_view_options {
    struct browse_run *runs[2]; /* the second is NULL if there is only one */
    struct browse_pair *pair;   /* of two runs */
    const GArray *keyframes;    /* tcgrr_icount, of the first run */
    const char *program;        /* tcgrr's own executable, for `why` and `gdb` */
    const char *message;        /* shown at first; NULL: none */
};

/* Whether this tcgrr was built with a library for terminals. */
bool browse_view_available(void);
/* Shows the runs until the user leaves. Standard input and output have to be a terminal. False with an error. */
bool browse_view(const struct browse_view_options *options, GError **error);

/* The keys and what they do, for --help; owned by the caller. */
char *browse_view_keys(void);

#endif
