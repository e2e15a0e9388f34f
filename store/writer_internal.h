/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writer's inside, for the files that write tables of their own. */
#ifndef TCGRR_STORE_WRITER_INTERNAL_H
#define TCGRR_STORE_WRITER_INTERNAL_H

#include <sqlite3.h>

#include "store/trace.h"

/* The database within a transaction that lasts up to the next commit; NULL with error. */
sqlite3 *tcgrr_writer_begin_transaction(struct tcgrr_writer *writer, GError **error);

/* Sets an error with what SQLite says; `what` follows "cannot". Returns false. */
bool tcgrr_writer_fail(const struct tcgrr_writer *writer, const char *what, GError **error);

#endif
