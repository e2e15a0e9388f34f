/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's command-line syntax: which words are options, which are their values, and the suboptions inside a value. */
#ifndef TCGRR_EMU_COMMAND_OPTIONS_H
#define TCGRR_EMU_COMMAND_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

/* One option of the user's command. Strings belong to the scanned words. */
struct tcgrr_option {
    const char *name;  /* without its dashes; "" for a bare word, which system emulation takes for a disk */
    const char *value; /* NULL if it has none */
    size_t first;      /* index of its first word; `words` is their number, 1 or 2 */
    size_t words;
};

/*
 * Splits a system emulator's words into options (GArray of struct tcgrr_option, g_array_unref). The table of options
 * covers QEMU 4.2 to 11.1; an option that it does not know has a value if the next word does not begin with a dash.
 */
GArray *tcgrr_options_scan_system(const char *const *words);

/*
 * Refuses an option: TCGRR_ERROR_USAGE with one line, the user's argument and then the text, which says what is wrong
 * and what to do. Always returns false.
 */
bool tcgrr_option_refuse(const struct tcgrr_option *option, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* The index of the program among a user-mode emulator's words; that of the final NULL if there is none. */
size_t tcgrr_options_find_program(const char *const *words);

/* One `key=value` inside an option's value. */
struct tcgrr_suboption {
    char *key;
    char *value;
};

/*
 * Parses "a,b=c,d=e,,f" as QEMU does: a doubled comma is a comma in the value, a first word without '=' is the value of
 * `implied` (NULL: a switch), any other one is a switch, "on". Also takes QEMU's JSON form; keys of nested
 * objects are joined with dots then. Returns GPtrArray of struct tcgrr_suboption, owned by the caller
 * (g_ptr_array_unref).
 */
GPtrArray *tcgrr_suboptions_parse(const char *text, const char *implied);

/* The value of the last suboption `key`, or NULL. */
const char *tcgrr_suboptions_get(const GPtrArray *suboptions, const char *key);

/* Sets or appends one. */
void tcgrr_suboptions_set(GPtrArray *suboptions, const char *key, const char *value);

/* "key=value,key=value" with commas doubled; each key once, with its last value. Owned by the caller. */
char *tcgrr_suboptions_format(const GPtrArray *suboptions);

/*
 * Refuses a disk that the guest uses and that does not go through QEMU's blkreplay, because under rr its requests would
 * complete at other instructions in the replay. The error (TCGRR_ERROR_USAGE) says what to use on this target.
 * `options` is the result of tcgrr_options_scan_system(). Flash does not count as a disk: it is read before the guest
 * starts.
 */
bool tcgrr_options_check_disks(const GArray *options, const char *target, GError **error);

/* `text` with its commas doubled, for use inside an option's value. Owned by the caller. */
char *tcgrr_options_escape(const char *text);

#endif
