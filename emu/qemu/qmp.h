/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small QMP client over a unix socket. Not thread-safe; every wait is bounded. A QEMU that counts instructions
 * answers only between two slices of guest time (see tcgrr_process_stop()), so a timeout of tens of seconds is
 * sensible.
 */
#ifndef TCGRR_EMU_QMP_H
#define TCGRR_EMU_QMP_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

struct tcgrr_qmp;

/*
 * Writes the configuration file (-readconfig) that makes a QEMU listen for a QMP client at `socket`. TCGRR_ERROR_FAILED
 * if it cannot be written, or the name of the socket cannot be represented in it.
 */
bool tcgrr_qmp_configure(const char *path, const char *socket, GError **error);

/*
 * Connects to QEMU's QMP server at `path` and negotiates capabilities. Retries until the socket is there, at most
 * `timeout_ms`. The peer is untrusted: a line over 1 MiB or one that is not JSON is TCGRR_ERROR_DAMAGED.
 */
struct tcgrr_qmp *tcgrr_qmp_connect(const char *path, int timeout_ms, GError **error);
void tcgrr_qmp_free(struct tcgrr_qmp *qmp);

/*
 * Executes one command. `arguments` may be NULL; its reference is taken over. Returns the "return" value (new
 * reference, json_decref) or NULL: TCGRR_ERROR_FAILED with QEMU's own description, TCGRR_ERROR_HUNG after `timeout_ms`.
 * Of the events that arrive while it waits, the last 64 are kept for tcgrr_qmp_has_event().
 */
json_t *tcgrr_qmp_execute(struct tcgrr_qmp *qmp, const char *command, json_t *arguments, int timeout_ms,
                          GError **error);

/* Whether an event of this name has arrived, without waiting for one; does not consume it. Reads what is available on
 * the socket. */
bool tcgrr_qmp_has_event(struct tcgrr_qmp *qmp, const char *name);
/* The same, and its data have this text under `key`. */
bool tcgrr_qmp_event_says(struct tcgrr_qmp *qmp, const char *name, const char *key, const char *value);
/* Waits until something has arrived, at most `timeout_ms`, or only a few milliseconds if the connection is broken. */
void tcgrr_qmp_wait(struct tcgrr_qmp *qmp, int timeout_ms);
/* Forgets all events up to now. */
void tcgrr_qmp_forget_events(struct tcgrr_qmp *qmp);

#endif
