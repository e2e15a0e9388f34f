/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands share: the table of them, arguments, output. Only files in cli/ print or decide exit statuses. */
#ifndef TCGRR_CLI_CLI_H
#define TCGRR_CLI_CLI_H

#include "store/trace.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* Exit statuses, the same for every command but bisect-run. */
enum cli_status { CLI_OK = 0, CLI_DIVERGED = 1, CLI_USAGE = 2, CLI_FAILED = 3 };

struct cli_command {
    const char *name;
    const char *synopsis; /* the arguments, as --help shows them */
    const char *summary;  /* one line */
    const char *examples; /* the end of --help */
    int (*run)(const struct cli_command *command, int argc, char **argv);
};

extern const struct cli_command cli_doctor;
extern const struct cli_command cli_record;
extern const struct cli_command cli_replay;
extern const struct cli_command cli_diff;
extern const struct cli_command cli_lockstep;
extern const struct cli_command cli_bisect;
extern const struct cli_command cli_bisect_run;
extern const struct cli_command cli_info;
extern const struct cli_command cli_verify;
extern const struct cli_command cli_extract;
extern const struct cli_command cli_query;
extern const struct cli_command cli_report;
extern const struct cli_command cli_symbols;
extern const struct cli_command cli_export;
extern const struct cli_command cli_why;
extern const struct cli_command cli_gdb;
extern const struct cli_command cli_keyframes;
extern const struct cli_command cli_browse;
extern const struct cli_command cli_fill;

/*
 * Parses a command's options. `options` ends with an empty row; --json and --help are added where they apply. With
 * `stop_at_word` the first word that is not an option ends them (what follows is a QEMU command). On return argv holds
 * the remaining words from 1 on. Returns false after having said what is wrong (to standard error); --help exits.
 */
bool cli_parse(const struct cli_command *command, const GOptionEntry *options, bool stop_at_word, int *argc,
               char ***argv);

/* Cuts the words after the first "--" off argv and returns them (NULL-terminated, not owned); an empty list if there
 * are none. */
char **cli_split_rest(int *argc, char **argv);

/* Says "tcgrr: …" on standard error, with where to find help. Returns CLI_USAGE. */
int cli_usage(const struct cli_command *command, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Reports what failed, frees it, and returns the exit status that goes with it: after an interruption that one's. */
int cli_fail(GError *error);

/* Says "tcgrr: …" on standard error: what the user should know, and is no error. */
void cli_note(const char *format, ...) G_GNUC_PRINTF(1, 2);

/*
 * Likewise, as a line that the next one replaces: how far a command is. A note or an error clears it; before anything
 * else is printed, cli_progress_clear() does. One thread at a time.
 */
void cli_progress(const char *format, ...) G_GNUC_PRINTF(1, 2);
void cli_progress_clear(void);

/* Says "tcgrr: …" on standard error; with --json it is also what the object {"error": …} will hold. */
void cli_say_error(const char *format, ...) G_GNUC_PRINTF(1, 2);

/*
 * Around every command: cli_begin() looks whether --json is among its own words, the ones before "--";
 * cli_finish_output() prints
 * {"error": {"text", "exit"}} where that was asked for, the command did not do it and nothing else was printed. It
 * returns `status`.
 */
void cli_begin(int argc, char **argv);
int cli_finish_output(int status);

/* Returns `status`; CLI_FAILED, with a message, if standard output could not take all that was printed. */
int cli_check_output(int status);
/* From now on cli_parse() prints the command's manual page and exits, as it does with its --help. */
void cli_help_is_man(void);
/* Standard output has, or is about to get, the command's own object. */
void cli_json_begun(void);
/* What the key "error" of such an object holds, after the last error that was said. */
json_t *cli_json_error(int status);

/* The one of `names` (NULL-terminated) that `word` was probably meant to be; NULL if none is near. */
const char *cli_nearest(const char *word, const char *const *names);

/*
 * SIGINT, SIGTERM and SIGHUP set this to their number instead of ending the process; a second one adds CLI_ASKED_AGAIN.
 */
#define CLI_ASKED_AGAIN 256
const volatile int *cli_catch_signals(void);

/* Exit status after having been asked to stop. */
int cli_stopped_status(int signal);

/* Path of the plugin that belongs to this executable; owned by the caller. NULL with error if it is not there. */
char *cli_plugin_path(GError **error);

/*
 * Shows what is printed from now on by the user's pager, if standard output is a terminal: TCGRR_PAGER, else PAGER,
 * else less; empty or "cat": none. The process then ends when the pager does. Further calls do nothing.
 */
void cli_page(void);
/* Whether a pager shows it. */
bool cli_paging(void);

/* Prints one JSON object on standard output and gives up the reference. */
void cli_print_json(json_t *object);

/*
 * Outputs a command's result: prints it if `json`, and writes it as a page for a browser to the file `html`, if that is
 * not NULL. Gives up the reference. Returns `status`, or another one if the page cannot be written.
 */
int cli_output_result(json_t *object, bool json, const char *html, int status);
#define CLI_HTML_OPTION(path)                                                                                          \
    {                                                                                                                  \
        "html", 0, 0, G_OPTION_ARG_FILENAME, &(path), "write what was found as a page for a browser", "FILE"           \
    }
/* Whether a page can be written to `html` (NULL: none is asked for); says why not. */
bool cli_check_page(const char *html);
/* Under --json the object {"error": …} gets these keys, too. Gives up the reference. */
void cli_error_keys(json_t *object);
/* Draws such an object as a page. Texts must be UTF-8. */
bool cli_write_page(const char *path, const json_t *object, GError **error);

/* The command that runs, as one types it. */
const char *cli_command_line(void);
/* Words as one types them; owned by the caller. */
char *cli_quote_words(const char *const *words);

/* A text that may not be UTF-8, such as a guest's, as JSON; NULL: null. New reference. */
json_t *cli_json_text(const char *text);
/* "0x…", new reference. */
json_t *cli_json_address(uint64_t address);

/* 1234567 → "1,234,567"; owned by the caller. */
char *cli_number(uint64_t number);
/* The reverse, and what people write instead: "1234567", "1,234,567", "150M" (K, M and G are powers of 1000). False,
 * with *icount unchanged, if it is none of these or more than INT64_MAX. */
bool cli_parse_icount(const char *text, uint64_t *icount);
/* Bytes for people: "1.9 MB"; owned by the caller. */
char *cli_bytes(uint64_t bytes);

/* How a trace is described. */
enum cli_trace_form {
    CLI_TRACE_PLAIN,    /* by info */
    CLI_TRACE_VERBOSE,  /* with all details */
    CLI_TRACE_CUT,      /* by a fill that was interrupted: it is not complete */
    CLI_TRACE_RECORDED, /* by record at its end, with the memory that it took */
    CLI_TRACE_REACHED,  /* likewise: the run came to --until */
    CLI_TRACE_MISSED,   /* likewise: it did not */
};
/* Prints what is known of a trace. Returns an exit status. */
int cli_print_trace(const char *path, bool json, enum cli_trace_form form);

struct tcgrr_comparison;

/* What names the places of a report. */
struct cli_places {
    struct tcgrr_symbols *symbols[2];     /* of each side; the same one twice is allowed */
    const struct tcgrr_blocks *blocks[2]; /* likewise, to find the instruction sets in use; NULL: not known */
    const char *target;
    const char *names[2]; /* what the sides are called: "recording", "replay" */
};

/* Adds the keys that every comparison guarantees to `object`. */
void cli_json_comparison(json_t *object, const struct tcgrr_comparison *comparison, const struct cli_places *places);
/* The exit status of a verdict; one that does not reach the end because of an input is no agreement: CLI_FAILED. */
int cli_comparison_status(const struct tcgrr_comparison *comparison);
/* Prints the result for people. */
void cli_print_comparison(const struct tcgrr_comparison *comparison, const struct cli_places *places);

/* The symbols of a trace, owned by the caller. What cannot be read is left out: names are a convenience. */
struct tcgrr_symbols *cli_trace_symbols(struct tcgrr_reader *reader);

/*
 * The trace that a command with one takes: the only word that is left, or without one the newest in the current folder,
 * which is said. NULL after having said what is wrong. Owned by the caller.
 */
char *cli_one_trace(const struct cli_command *command, int argc, char **argv);

/* Opens a trace for a command that takes one; NULL after having said why not, with the status in `*status`. */
struct tcgrr_reader *cli_open_trace(const char *path, int *status);
/* The same for a command that needs all of the run at this level; with `fill` it is made if it is not there. */
struct tcgrr_reader *cli_open_trace_at(const char *path, enum tcgrr_level level, bool fill, int *status);

#endif
