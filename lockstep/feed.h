/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pipe through which a QEMU replays an rr log that is still being written. Buffers what QEMU has not read yet. */
#ifndef TCGRR_LOCKSTEP_FEED_H
#define TCGRR_LOCKSTEP_FEED_H

#include "emu/qemu/session.h"

struct tcgrr_feed;

/* Creates the pipe, in a private folder. TCGRR_ERROR_FAILED if that is impossible. Not thread-safe. */
struct tcgrr_feed *tcgrr_feed_new(GError **error);
/* Removes the pipe. NULL is allowed. Do not read from the session afterwards; it may still exist. */
void tcgrr_feed_free(struct tcgrr_feed *feed);

/* The path that QEMU replays from. */
const char *tcgrr_feed_path(const struct tcgrr_feed *feed);

/* Call it before starting the session that replays the log. The session stays the caller's. */
bool tcgrr_feed_begin(struct tcgrr_feed *feed, struct tcgrr_session *session, GError **error);

/* Takes the next bytes of the log, beginning with its head; they are untrusted. Writes to QEMU as much as possible
 * without waiting. TCGRR_ERROR_DAMAGED if far more data is buffered than a valid log can cause. */
bool tcgrr_feed_give(struct tcgrr_feed *feed, const uint8_t *bytes, size_t size, GError **error);
/* Ends the log: QEMU reaches its end after it has read the buffered data. */
void tcgrr_feed_end(struct tcgrr_feed *feed);

#endif
