/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a user-mode program's standard output goes. What kind of file that is decides what the C library does with it,
 * so two runs that are compared need the same kind.
 */
#ifndef TCGRR_EMU_OUTPUT_H
#define TCGRR_EMU_OUTPUT_H

#include <glib.h>
#include <stdbool.h>

enum tcgrr_output {
    TCGRR_OUTPUT_OURS, /* our own standard output */
    TCGRR_OUTPUT_NULL,
    TCGRR_OUTPUT_PIPE,
    TCGRR_OUTPUT_FILE,
    TCGRR_OUTPUT_TERMINAL,
    TCGRR_OUTPUT_COUNT
};

/* The kind of file that descriptor `fd` is; what is none of these (a socket, say) counts as a pipe. */
enum tcgrr_output tcgrr_output_kind(int fd);

/* "null", "pipe", "file", "terminal"; "ours" for the first one. Static. */
const char *tcgrr_output_name(enum tcgrr_output kind);
/* TCGRR_OUTPUT_OURS if there is no such name. */
enum tcgrr_output tcgrr_output_named(const char *name);

/*
 * Makes a file of this kind (not OURS). `*child` is for the program; `*ours` is what it writes, to be read so that it
 * can go on, or -1 where nobody has to. Both are close-on-exec and the caller's. False with TCGRR_ERROR_FAILED.
 */
bool tcgrr_output_open(enum tcgrr_output kind, int *child, int *ours, GError **error);

#endif
