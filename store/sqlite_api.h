/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQLite's functions: linked, or, in the loadable extension, called through the table that the program which loads it
 * passes in. Every file of store/ that is part of the extension includes this instead of sqlite3.h.
 */
#ifndef TCGRR_STORE_SQLITE_API_H
#define TCGRR_STORE_SQLITE_API_H

#ifdef TCGRR_SQLITE_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

#endif
