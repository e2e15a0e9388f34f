/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: creates the file for the results of system calls, and reads the environment from it. */
#ifndef TCGRR_EMU_QEMU_CALLS_FILE_H
#define TCGRR_EMU_QEMU_CALLS_FILE_H

#include <glib.h>
#include <stdbool.h>

/* Creates or truncates the file for a program that starts with our environment. False with TCGRR_ERROR_FAILED. */
bool tcgrr_calls_file_create(const char *path, GError **error);

/* The environment in the file: NAME=value, NULL-terminated, owned by the caller. NULL with TCGRR_ERROR_DAMAGED if there
 * is none. */
char **tcgrr_calls_file_environment(const char *path, GError **error);

#endif
