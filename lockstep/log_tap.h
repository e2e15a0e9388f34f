/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taps the rr log of a QEMU that records: reads it while it is written, for another QEMU that replays it at the same
 * time.
 *
 * QEMU writes a log through stdio, and writes nothing at all while its guest only computes. So the plugin is asked to
 * flush it whenever QEMU has run on (emu/live/live.h), and what the guest had run when it was asked is passed on as
 * instructions before QEMU has an event to write: whoever follows is never further behind than that, and never reaches
 * a place where an event may still turn up.
 */
#ifndef TCGRR_LOCKSTEP_LOG_TAP_H
#define TCGRR_LOCKSTEP_LOG_TAP_H

#include "emu/qemu/session.h"
#include "emu/rrlog/rrlog.h"

struct tcgrr_log_tap;

/* Makes a private folder for the log. TCGRR_ERROR_FAILED if that is not possible. One thread uses a tap. */
struct tcgrr_log_tap *tcgrr_log_tap_new(GError **error);
/* Removes the log. NULL is allowed. The session must not be read from any more, but may still live. */
void tcgrr_log_tap_free(struct tcgrr_log_tap *tap);

/* The file that QEMU is to write. */
const char *tcgrr_log_tap_path(const struct tcgrr_log_tap *tap);

/*
 * Before the session, which records there, is started: what comes out is for QEMU `to` ("10.0.2"). TCGRR_ERROR_FAILED
 * if it cannot be translated. The session stays the caller's.
 */
bool tcgrr_log_tap_begin(struct tcgrr_log_tap *tap, struct tcgrr_session *session, const char *to, GError **error);

/*
 * To be called again and again: the session's stream was delivered up to `icount`; it is `over` when there is nothing
 * more to come. `urgent`: somebody waits. Appends to `out` what there is of the log, its head first
 * (TCGRR_RR_HEAD_BYTES). TCGRR_ERROR_FAILED if it holds what the other release cannot replay, or cannot be read.
 */
bool tcgrr_log_tap_step(struct tcgrr_log_tap *tap, tcgrr_icount icount, bool over, bool urgent, GByteArray *out,
                        GError **error);
/* Waits for a flush that was asked for, shortly. */
void tcgrr_log_tap_wait(struct tcgrr_log_tap *tap);

/* All events before this place were given on. UINT64_MAX once the run's end is known. */
tcgrr_icount tcgrr_log_tap_known(const struct tcgrr_log_tap *tap);
/* What was read so far, by QEMU's own counts; `end` is final once the guest has asked for its shutdown, or the log has
 * ended. */
const struct tcgrr_rr_state *tcgrr_log_tap_state(const struct tcgrr_log_tap *tap);
bool tcgrr_log_tap_ended(const struct tcgrr_log_tap *tap);
/* A count of QEMU's own as the session counts: from the snapshot on from which it starts. */
tcgrr_icount tcgrr_log_tap_since_start(const struct tcgrr_log_tap *tap, tcgrr_icount own);

#endif
