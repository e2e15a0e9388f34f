/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that diff, replay, lockstep and bisect share. */
#ifndef TCGRR_CLI_COMPARE_OPTIONS_H
#define TCGRR_CLI_COMPARE_OPTIONS_H

#include "cli/cli.h"
#include "lockstep/compare.h"

struct cli_compare_options {
    char *from; /* as the user wrote them; owned */
    char *until;
    int history;
    gboolean strict;
    gboolean json;
    char *html;     /* the page's file; NULL: none; owned */
    char **ignored; /* registers */
    bool later[2];  /* symbols of this side's libraries are known only once it runs */
};
#define CLI_COMPARE_OPTIONS_INIT                                                                                       \
    {                                                                                                                  \
        .history = 10                                                                                                  \
    }
void cli_compare_options_clear(struct cli_compare_options *comparing);

/* Rows for a command's table of options: what is compared. */
#define CLI_EXTENT_OPTION_ROWS(comparing)                                                                              \
    {"from",                                                                                                           \
     0,                                                                                                                \
     0,                                                                                                                \
     G_OPTION_ARG_STRING,                                                                                              \
     &(comparing).from,                                                                                                \
     "compare from here on: a symbol, a 0x address (its first execution) or an icount",                                \
     "WHERE"},                                                                                                         \
        {"until", 0, 0, G_OPTION_ARG_STRING, &(comparing).until, "end here (default: the end of the run)", "WHERE"},   \
        {"ignore-reg",                                                                                                 \
         0,                                                                                                            \
         0,                                                                                                            \
         G_OPTION_ARG_STRING_ARRAY,                                                                                    \
         &(comparing).ignored,                                                                                         \
         "a register that may differ; * and ? are wildcards (repeatable)",                                             \
         "NAME"},                                                                                                      \
    {                                                                                                                  \
        "json", 0, 0, G_OPTION_ARG_NONE, &(comparing).json, "print one JSON object", NULL                              \
    }
/* The same, and how much a divergence's report shows. */
#define CLI_COMPARE_OPTION_ROWS(comparing)                                                                             \
    CLI_EXTENT_OPTION_ROWS(comparing), CLI_HTML_OPTION((comparing).html),                                              \
    {                                                                                                                  \
        "history", 0, 0, G_OPTION_ARG_INT, &(comparing).history, "blocks in each list of a divergence (default 10)",   \
            "N"                                                                                                        \
    }
/* For commands whose two runs need not share their inputs. */
#define CLI_STRICT_OPTION_ROW(comparing)                                                                               \
    {                                                                                                                  \
        "strict", 0, 0, G_OPTION_ARG_NONE, &(comparing).strict,                                                        \
            "tolerate nothing: an interrupt that comes an instruction later is a divergence", NULL                     \
    }

/* Whether the comparison starts at a place in the code rather than at the start or an icount. */
bool cli_compare_options_start_late(const struct cli_compare_options *comparing);

/* A WHERE in its plain form: an icount without commas and units, or an address that begins with 0x; anything else as it
 * is. NULL for NULL. Owned by the caller. */
char *cli_plain_where(const char *text);
/* Parses a place: a number with 0x is an address, one without is an icount, anything else is a symbol. False if there
 * is no symbol of this name. */
bool cli_parse_where(const char *text, struct tcgrr_symbols *symbols, struct tcgrr_position *where);

/*
 * Fills in `options` as the user asked; `symbols` are those of each side, NULL for a side that another tcgrr runs. If
 * the user's options are wrong, prints why and returns a status other than CLI_OK.
 */
int cli_compare_options_resolve(const struct cli_command *command, const struct cli_compare_options *comparing,
                                struct tcgrr_symbols *const symbols[2], struct tcgrr_compare_options *options);

/* Whether the command's JSON object is needed: for --json or --html. */
bool cli_compare_options_want_object(const struct cli_compare_options *comparing);
/* Reports that there is no verdict: prints why, and `object`, which has the place where the two differ (NULL: there is
 * none, or none is wanted). Returns the exit status. Takes ownership of both. */
int cli_compare_fail(const struct cli_compare_options *comparing, json_t *object, GError *error);

/* The first adds the keys about differing data to a comparison's object; the second prints them, if there are any. */
void cli_json_data(json_t *object, const struct tcgrr_data_divergence *data);
void cli_print_data(const struct tcgrr_data_divergence *data, const struct cli_places *places);

/* Finds the first execution of the instruction at `pc` at or after icount `after`; needs level flow. */
bool cli_find_pc(struct tcgrr_reader *reader, uint64_t pc, tcgrr_icount after, tcgrr_icount *icount, GError **error);

#endif
