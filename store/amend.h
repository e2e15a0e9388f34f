/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adding to a trace that is complete and sealed. */
#ifndef TCGRR_STORE_AMEND_H
#define TCGRR_STORE_AMEND_H

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>

/*
 * Changes the trace at `path`: `change` gets a database with a copy of it; the copy is then sealed and replaces the
 * trace in one step. Whatever fails, or whenever the process is killed, the trace is either the old one or the new one.
 * Of two changes made at the same time, one is lost. The copy needs room next to the trace. A trace whose seal is
 * broken is refused; a trace that was cut short has no seal, and gets none. TCGRR_ERROR_FAILED with the path.
 */
bool tcgrr_amend(const char *path, bool (*change)(sqlite3 *db, void *data, GError **error), void *data, GError **error);

/*
 * The full path of the file that has to be replaced: `path`, or, if that is a link, where it leads. Owned by the
 * caller.
 */
char *tcgrr_amend_path(const char *path);

/* Runs SQL on `db`. On failure TCGRR_ERROR_FAILED, with the message that `what` could not be done. */
bool tcgrr_amend_execute(sqlite3 *db, const char *sql, const char *what, GError **error);

#endif
