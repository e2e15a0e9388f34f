/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a user-mode program's standard output goes. The C library behaves differently for different kinds of file, so
 * two runs that are compared need the same kind.
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

/* The kind of file that descriptor `fd` is; any other kind (such as a socket) counts as a pipe. */
enum tcgrr_output tcgrr_output_kind(int fd);

/* "null", "pipe", "file", "terminal"; "ours" for the first one. Static. */
const char *tcgrr_output_name(enum tcgrr_output kind);
/* The kind of this name; TCGRR_OUTPUT_OURS if there is none. */
enum tcgrr_output tcgrr_output_named(const char *name);

/*
 * Opens a file of this kind (not OURS). `*child` is for the program. `*ours` is the other end, which must be read so
 * that the program does not block, or -1 if there is none. Both are close-on-exec and the caller's. False with
 * TCGRR_ERROR_FAILED.
 */
bool tcgrr_output_open(enum tcgrr_output kind, int *child, int *ours, GError **error);

#endif
