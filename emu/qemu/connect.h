/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the clients of QEMU's unix sockets: connecting while QEMU starts, and bounded waits. */
#ifndef TCGRR_EMU_CONNECT_H
#define TCGRR_EMU_CONNECT_H

#include <glib.h>

/* The moment `timeout_ms` from now, in g_get_monotonic_time()'s microseconds. */
gint64 tcgrr_deadline_after(int timeout_ms);

/* Milliseconds until the deadline, rounded up so that poll() does not spin at its end; 0 past it. */
int tcgrr_time_left(gint64 deadline);

/*
 * Connects to the unix socket at `path`, trying again until the deadline while it is not there yet. Returns a
 * non-blocking descriptor of the caller's, or -1: TCGRR_ERROR_HUNG at the deadline, TCGRR_ERROR_FAILED otherwise.
 */
int tcgrr_connect(const char *path, gint64 deadline, GError **error);

#endif
