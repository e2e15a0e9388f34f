/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_RECORD_SYMBOLS_H
#define TCGRR_RECORD_SYMBOLS_H

#include "store/trace.h"

/*
 * Stores the function and code-label symbols of the ELF file at `path` in the trace. A file that is not ELF has none,
 * which is an error only if `required`. In Arm files the Thumb bit is left out.
 */
bool tcgrr_symbols_store(struct tcgrr_writer *writer, const char *path, bool required, GError **error);

#endif
