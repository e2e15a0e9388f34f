/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of a cause, as text and as JSON. */
#ifndef TCGRR_CLI_CAUSE_H
#define TCGRR_CLI_CAUSE_H

#include "cli/cli.h"
#include "replay/cause/bisect.h"

#include <stdio.h>

/* A result of `bisect` that has a cause. `bundle` is the folder for the bug report; NULL: it could not be written. */
struct cli_cause {
    const struct tcgrr_bisect *bisect;
    const char *bundle;
    const struct cli_places *places;
};

/* Adds the key `cause` to `object`. */
void cli_cause_json(json_t *object, const struct cli_cause *cause);
void cli_cause_print(FILE *to, const struct cli_cause *cause);

#endif
