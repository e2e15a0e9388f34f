/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the cause of a divergence between two replayable runs, and its report: for bisect, and lockstep --bisect. */
#ifndef TCGRR_CLI_CAUSE_H
#define TCGRR_CLI_CAUSE_H

#include "cli/cli.h"
#include "cli/comparing.h"
#include "replay/cause/cause.h"
#include "replay/cause/standalone.h"

#include <stdio.h>

/* The two runs and what came of comparing them. */
struct cli_cause {
    struct tcgrr_reader *readers[2];   /* the recordings; the same one twice if B replays A's */
    const char *paths[2];              /* of the traces */
    const char *qemus[2];              /* NULL: the one that recorded */
    const struct tcgrr_qemu *known[2]; /* what they are; NULL: not probed yet */
    const char *plugin;
    const struct tcgrr_data_divergence *closer; /* when data first differed, more exactly than the comparison knows;
                                                   NULL: it is all that is known */
    const char *const *ignore;                  /* registers that are not compared, NULL-terminated; NULL: none */
    const char *bundle;                 /* folder with all that belongs to the finding; NULL: it could not be made */
    struct tcgrr_standalone standalone; /* what the folder has of such a guest */
    int hang_ms;
    bool progress;
    const volatile int *stop;
    bool line_shown; /* of progress, on standard error */
};

/* Removes the line of progress. */
void cli_cause_clear_line(struct cli_cause *cause);
/* Shows what is being done, if that was asked for. */
void cli_cause_say(const char *text, void *cause);

/* Looks for the cause of a divergence. False with error. */
bool cli_cause_find(struct cli_cause *cause, const struct tcgrr_comparison *comparison, struct tcgrr_cause *found,
                    GError **error);

/*
 * Fills the folder cause->bundle, which is there, with what a bug report needs. False with an error if it cannot be
 * written or a QEMU does not run.
 */
bool cli_cause_bundle(struct cli_cause *cause, const struct tcgrr_comparison *comparison,
                      const struct tcgrr_cause *found, const struct cli_places *places, GError **error);

/* What to type to stand before the instruction in gdb; owned by the caller. */
char *cli_cause_landing(const struct cli_cause *cause, const struct tcgrr_cause *found, int side);

/* Adds the key `cause` to `object`. */
void cli_cause_json(json_t *object, const struct cli_cause *cause, const struct tcgrr_cause *found,
                    const struct cli_places *places);
void cli_cause_print(FILE *to, const struct cli_cause *cause, const struct tcgrr_cause *found,
                     const struct cli_places *places);

#endif
