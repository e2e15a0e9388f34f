/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals of the writer, for the files that write tables of their own. */
#ifndef TCGRR_STORE_WRITER_INTERNAL_H
#define TCGRR_STORE_WRITER_INTERNAL_H

#include <sqlite3.h>

#include "store/trace.h"

/*
 * Begins a transaction, which lasts until the next commit, unless there is one; returns the database. NULL with error.
 */
sqlite3 *tcgrr_writer_begin_transaction(struct tcgrr_writer *writer, GError **error);

/* Sets an error with what SQLite says; `what` follows "cannot". Returns false. */
bool tcgrr_writer_fail(const struct tcgrr_writer *writer, const char *what, GError **error);

#endif
