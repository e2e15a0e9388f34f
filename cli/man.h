/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manual pages, written to standard output in the man macros of roff from what --help prints, too. */
#ifndef TCGRR_CLI_MAN_H
#define TCGRR_CLI_MAN_H

#include "cli/cli.h"

/* The head of a page and what comes first in it. `name`: with spaces for the command, as it is typed. */
void cli_man_begin(const char *name, const char *synopsis, const char *summary);

/* A section's title; upper case is made from it. */
void cli_man_section(const char *title);

/* A term and what it is. `option` is bold, as is; `value` may be NULL. */
void cli_man_item(const char *option, const char *value, const char *text);

/*
 * Text as --help ends with: paragraphs are filled; indented lines are kept as they are; a line that ends with a colon
 * right before such lines is a section's title.
 */
void cli_man_text(const char *text);

/* The whole page of a command. `options` ends with an empty row. */
void cli_man_command(const struct cli_command *command, const GOptionEntry *options);

#endif
