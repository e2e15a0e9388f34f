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
 * `stop_at_word` the first word that is not an option ends them (a QEMU command follows). On return argv holds the
 * remaining words from index 1 on. If the options are wrong, prints why to standard error and returns false; --help
 * exits.
 */
bool cli_parse(const struct cli_command *command, const GOptionEntry *options, bool stop_at_word, int *argc,
               char ***argv);

/* Removes the words after the first "--" from argv and returns them (NULL-terminated, not owned); an empty list if
 * there are none. */
char **cli_split_rest(int *argc, char **argv);

/* Prints "tcgrr: …" to standard error, with a reference to --help. Returns CLI_USAGE. */
int cli_usage(const struct cli_command *command, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Whether two runs have anything in common to compare, which those of different targets or modes do not have; else
 * TCGRR_ERROR_USAGE. `paths`: their traces. */
bool cli_comparable(const struct tcgrr_run *const runs[2], const char *const paths[2], GError **error);

/* Prints the error, frees it, and returns the exit status for it; after an interruption, that of the signal. */
int cli_fail(GError *error);

/* Prints "tcgrr: …" to standard error: something that the user should know and that is not an error. */
void cli_note(const char *format, ...) G_GNUC_PRINTF(1, 2);

/*
 * Prints a command's progress likewise, as a line that the next one replaces. A note or an error clears the line; call
 * cli_progress_clear() before printing anything else. Not thread-safe.
 */
void cli_progress(const char *format, ...) G_GNUC_PRINTF(1, 2);
void cli_progress_clear(void);

/* Prints "tcgrr: …" to standard error; with --json the text also becomes the one in the object {"error": …}. */
void cli_say_error(const char *format, ...) G_GNUC_PRINTF(1, 2);

/*
 * Called before and after every command. cli_begin() checks whether --json is among the words before "--".
 * cli_finish_output() prints the command's object, or {"error": {"text", "exit"}} if --json was given, the command
 * failed and printed no object.
 */
void cli_begin(int argc, char **argv);
void cli_finish_output(int status);

/* Returns `status`, or prints a message and returns CLI_FAILED if standard output could not be written in full. */
int cli_check_output(int status);
/* Makes cli_parse() print the command's manual page and exit, as it does for --help. */
void cli_help_is_man(void);
/* The command has printed, or is about to print, its own JSON object. */
void cli_json_begun(void);
/* The value of the key "error" in such an object, from the last error that was printed. */
json_t *cli_json_error(int status);

/* The one of `names` (NULL-terminated) that `word` is probably a misspelling of; NULL if none is close. */
const char *cli_nearest(const char *word, const char *const *names);

/*
 * Makes SIGINT, SIGTERM and SIGHUP set the returned flag to their number instead of ending the process; a second signal
 * adds CLI_ASKED_AGAIN.
 */
#define CLI_ASKED_AGAIN 256
const volatile int *cli_catch_signals(void);

/* The exit status after `signal` asked the command to stop. */
int cli_stopped_status(int signal);

/* Path of the plugin that belongs to this executable; owned by the caller. NULL with error if it is not there. */
char *cli_plugin_path(GError **error);

/*
 * If standard output is a terminal, sends everything printed from now on through the user's pager: TCGRR_PAGER, else
 * PAGER, else less; empty or "cat" means none. The process then ends when the pager does. Further calls do nothing.
 */
void cli_page(void);
/* Whether output goes through a pager. */
bool cli_paging(void);

/*
 * Prints one JSON object to standard output when the command has ended, with {"text", "exit"} as its key "error" if the
 * command failed and printed an error. Takes the reference. cli_flush_json() prints the object at once.
 */
void cli_print_json(json_t *object);
void cli_flush_json(void);

/*
 * Outputs a command's result: prints it if `json`, and writes it as a web page to the file `html` if that is not NULL.
 * Takes the reference. Returns `status`, or another one if the page cannot be written.
 */
int cli_output_result(json_t *object, bool json, const char *html, int status);
#define CLI_HTML_OPTION(path)                                                                                          \
    {                                                                                                                  \
        "html", 0, 0, G_OPTION_ARG_FILENAME, &(path), "write what was found as a page for a browser", "FILE"           \
    }
/* Whether the file is an SQLite database, as traces are. */
bool cli_is_database(const char *path);
/* Whether a page can be written to `html` (NULL: none was asked for); if not, prints why. */
bool cli_check_page(const char *html);
/* Adds these keys to the object {"error": …} that --json prints. Takes the reference. */
void cli_error_keys(json_t *object);
/* Writes such an object as a page. Texts must be UTF-8. */
bool cli_write_page(const char *path, const json_t *object, GError **error);

/* The running command, as the user would type it. */
const char *cli_command_line(void);
/* The words quoted for a shell; owned by the caller. */
char *cli_quote_words(const char *const *words);

/* A text that may not be UTF-8, such as a guest's, as JSON; NULL: null. New reference. */
json_t *cli_json_text(const char *text);
/* Adds between which releases of QEMU the rr log was translated. */
void cli_json_translation(json_t *object, const char *from, const char *to);
/* "0x…", new reference. */
json_t *cli_json_address(uint64_t address);

/* 1234567 → "1,234,567"; owned by the caller. */
char *cli_number(uint64_t number);
/* Parses what cli_number() returns and what people write instead: "1234567", "1,234,567", "150M" (K, M and G are powers
 * of 1000). False, with *icount unchanged, for any other text or a number above INT64_MAX. */
bool cli_parse_icount(const char *text, uint64_t *icount);
/* Bytes: "65536", "500M", "4G" (K, M, G and T are powers of 1024). False, with *bytes unchanged, for any other text, 0
 * or a number above INT64_MAX. */
bool cli_parse_size(const char *text, uint64_t *bytes);
/* "ICOUNT:ICOUNT", plain numbers up to INT64_MAX, the first of which is smaller. */
bool cli_parse_window(const char *text, uint64_t *first, uint64_t *end);
/* Seconds that --timeout takes; more would not fit as milliseconds. */
#define CLI_TIMEOUT_MAX   86400
#define CLI_TIMEOUT_TAKES "--timeout takes 1 to 86400 seconds"
bool cli_timeout_is_good(int seconds);
/* Bytes for people: "1.9 MB"; owned by the caller. */
char *cli_bytes(uint64_t bytes);

/* How a trace is described. */
enum cli_trace_form {
    CLI_TRACE_PLAIN,    /* by info */
    CLI_TRACE_VERBOSE,  /* with all details */
    CLI_TRACE_CUT,      /* by a fill that was interrupted: the trace is incomplete */
    CLI_TRACE_RECORDED, /* by record at its end, with the peak memory */
    CLI_TRACE_REACHED,  /* likewise: the run reached --until */
    CLI_TRACE_MISSED,   /* likewise: it did not */
};
/* Prints a description of a trace. Returns an exit status. */
int cli_print_trace(const char *path, bool json, enum cli_trace_form form);

struct tcgrr_comparison;

/* The names for the places in a report. */
struct cli_places {
    struct tcgrr_symbols *symbols[2];     /* of each side; the same one twice is allowed */
    const struct tcgrr_blocks *blocks[2]; /* likewise, to find the instruction sets in use; NULL: not known */
    const char *target;
    const char *names[2]; /* what the sides are called: "recording", "replay" */
};

/* Adds the keys that every comparison guarantees to `object`. */
void cli_json_comparison(json_t *object, const struct tcgrr_comparison *comparison, const struct cli_places *places);
/* The exit status of a verdict. A comparison that an input kept from reaching the end is no agreement: CLI_FAILED. */
int cli_comparison_status(const struct tcgrr_comparison *comparison);
/* Prints the result for people. */
void cli_print_comparison(const struct tcgrr_comparison *comparison, const struct cli_places *places);

/* The symbols of a trace, owned by the caller. Symbols that cannot be read are left out, because names are only a
 * convenience. */
struct tcgrr_symbols *cli_trace_symbols(struct tcgrr_reader *reader);

/*
 * The trace for a command that takes one: the only remaining word or, without any, the newest trace in the current
 * folder, with a note. If neither exists, prints why and returns NULL. Owned by the caller.
 */
char *cli_one_trace(const struct cli_command *command, int argc, char **argv);

/* Opens a trace for a command that takes one. If that fails, prints why, sets `*status` and returns NULL. */
struct tcgrr_reader *cli_open_trace(const char *path, int *status);
/* The same for a command that needs the whole run at this level; with `fill`, derives the level if the trace lacks it.
 * */
struct tcgrr_reader *cli_open_trace_at(const char *path, enum tcgrr_level level, bool fill, int *status);

#endif
