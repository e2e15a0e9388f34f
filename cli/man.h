/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes manual pages, in roff's man macros, to standard output. Their text is that of --help. */
#ifndef TCGRR_CLI_MAN_H
#define TCGRR_CLI_MAN_H

#include "cli/cli.h"

/* Prints a page's header and first sections. `name` is the command as the user types it, with spaces. */
void cli_man_begin(const char *name, const char *synopsis, const char *summary);

/* Prints a section's title in upper case. */
void cli_man_section(const char *title);

/* Prints a term and its description. `option` is printed bold, unchanged; `value` may be NULL. */
void cli_man_item(const char *option, const char *value, const char *text);

/*
 * Prints the text that ends --help: paragraphs are filled; indented lines are kept unchanged; a line that ends with a
 * colon right before such lines is a section's title.
 */
void cli_man_text(const char *text);

/* Prints the whole page of a command. `options` ends with an empty row. */
void cli_man_command(const struct cli_command *command, const GOptionEntry *options);

#endif
