/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipe through which a QEMU replays an rr log that is still being written. What QEMU does not take yet is kept.
 */
#ifndef TCGRR_LOCKSTEP_FEED_H
#define TCGRR_LOCKSTEP_FEED_H

#include "emu/qemu/session.h"

struct tcgrr_feed;

/* Makes the pipe, in a private folder. TCGRR_ERROR_FAILED if that is not possible. One thread uses a feed. */
struct tcgrr_feed *tcgrr_feed_new(GError **error);
/* Removes the pipe. NULL is allowed. The session must not be read from any more, but may still live. */
void tcgrr_feed_free(struct tcgrr_feed *feed);

/* The file that QEMU is to replay. */
const char *tcgrr_feed_path(const struct tcgrr_feed *feed);

/* Before the session, which replays it, is started. The session stays the caller's. */
bool tcgrr_feed_begin(struct tcgrr_feed *feed, struct tcgrr_session *session, GError **error);

/* Takes the next bytes of the log, its head first; they may be anything. Gives QEMU what it takes without waiting.
 * TCGRR_ERROR_DAMAGED if far more wait for it than can be. */
bool tcgrr_feed_give(struct tcgrr_feed *feed, const uint8_t *bytes, size_t size, GError **error);
/* There is no more: QEMU meets the log's end once it has taken what there is. */
void tcgrr_feed_end(struct tcgrr_feed *feed);

#endif
