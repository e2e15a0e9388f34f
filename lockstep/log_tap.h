/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taps the rr log of a QEMU that records: reads it while it is written, for another QEMU that replays it at the same
 * time.
 *
 * QEMU writes a log through stdio, and writes nothing at all while its guest only computes. So the plugin is asked to
 * flush the log whenever QEMU has made progress (emu/live/live.h), and the instructions that the guest had run at that
 * time are passed on even before QEMU has an event to write. So the follower never lags further than that, and never
 * reaches a place where an event may still appear.
 */
#ifndef TCGRR_LOCKSTEP_LOG_TAP_H
#define TCGRR_LOCKSTEP_LOG_TAP_H

#include "emu/qemu/session.h"
#include "emu/rrlog/rrlog.h"

struct tcgrr_log_tap;

/* Creates a private directory for the log. Fails with TCGRR_ERROR_FAILED. A tap must be used by one thread only. */
struct tcgrr_log_tap *tcgrr_log_tap_new(GError **error);
/* Removes the log. NULL is allowed. The session must not be read any more, but may still exist. */
void tcgrr_log_tap_free(struct tcgrr_log_tap *tap);

/* Returns the path of the file that QEMU must write. */
const char *tcgrr_log_tap_path(const struct tcgrr_log_tap *tap);

/*
 * Call before starting the session that records to this path. The output is for QEMU `to` ("10.0.2"). Fails with
 * TCGRR_ERROR_FAILED if the log cannot be translated. The caller keeps ownership of the session.
 */
bool tcgrr_log_tap_begin(struct tcgrr_log_tap *tap, struct tcgrr_session *session, const char *to, GError **error);

/*
 * Call repeatedly: the session's stream was delivered up to `icount`, and has ended if `over`. `urgent`: somebody is
 * waiting. Appends the available part of the log to `out`, beginning with its head (TCGRR_RR_HEAD_BYTES). Fails with
 * TCGRR_ERROR_FAILED if the log has something that the other release cannot replay, or cannot be read.
 */
bool tcgrr_log_tap_step(struct tcgrr_log_tap *tap, tcgrr_icount icount, bool over, bool urgent, GByteArray *out,
                        GError **error);
/* Waits briefly for a requested flush. */
void tcgrr_log_tap_wait(struct tcgrr_log_tap *tap);

/* Returns the place before which all events were passed on. UINT64_MAX once the end of the run is known. */
tcgrr_icount tcgrr_log_tap_known(const struct tcgrr_log_tap *tap);
/* Returns what was read so far, in QEMU's own counts; `end` is final once the guest has requested a shutdown or the log
 * has ended. */
const struct tcgrr_rr_state *tcgrr_log_tap_state(const struct tcgrr_log_tap *tap);
bool tcgrr_log_tap_ended(const struct tcgrr_log_tap *tap);
/* Converts one of QEMU's own counts to the session's, which starts at the snapshot from which the session starts. */
tcgrr_icount tcgrr_log_tap_since_start(const struct tcgrr_log_tap *tap, tcgrr_icount own);

#endif
