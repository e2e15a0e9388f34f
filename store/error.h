/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors of every room travel as GError in this one domain, with a code that says what the caller can do about it.
 * The message is one line without a trailing full stop; where there is a next step it follows after a semicolon.
 * Only cli/ prints them.
 */
#ifndef TCGRR_STORE_ERROR_H
#define TCGRR_STORE_ERROR_H

#include <glib.h>

enum tcgrr_error_code {
    TCGRR_ERROR_USAGE,   /* the user's arguments are wrong or contradict each other: exit status 2 */
    TCGRR_ERROR_FAILED,  /* something outside failed: a file, a process, a socket, QEMU: exit status 3 */
    TCGRR_ERROR_DAMAGED, /* untrusted input (trace, ring, peer) is malformed: exit status 3 */
    TCGRR_ERROR_HUNG,    /* a bounded wait ran out: exit status 3 */
    TCGRR_ERROR_ENDED,   /* the guest ended before it reached a place: exit status 3 */
    TCGRR_ERROR_GONE,    /* a live run was read on, and is no longer at hand there: exit status 3 */
    TCGRR_ERROR_STOPPED, /* the user interrupted: exit status 130 or 143 */
    /* This plus an enum tcgrr_level: the trace lacks that level, and the message has the command that makes it: exit
     * status 3. */
    TCGRR_ERROR_LACKS,
};

#define TCGRR_ERROR tcgrr_error_quark()
GQuark tcgrr_error_quark(void);

#endif
