/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adding to a trace that is complete and sealed. */
#ifndef TCGRR_STORE_AMEND_H
#define TCGRR_STORE_AMEND_H

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>

/*
 * Changes the trace at `path`: `change` gets a database that holds a copy of it, which then takes its place, sealed
 * anew, in one step. Whatever goes wrong, or wherever this is killed, the trace is the old one or the new one; of two
 * that change it at a time one is lost. Needs room for the copy beside the trace. A trace whose seal is broken is
 * refused; one that was cut short stays without. TCGRR_ERROR_FAILED with the path.
 */
bool tcgrr_amend(const char *path, bool (*change)(sqlite3 *db, void *data, GError **error), void *data, GError **error);

/* The whole name of the file that `path` is, or leads to if it is a link: what is to be replaced. Owned by the caller.
 */
char *tcgrr_amend_path(const char *path);

/* Runs SQL on `db`; TCGRR_ERROR_FAILED says `what` could not be done. */
bool tcgrr_amend_execute(sqlite3 *db, const char *sql, const char *what, GError **error);

#endif
