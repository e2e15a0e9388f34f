/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparing end of a connection: makes the other end's side a run source. */
#ifndef TCGRR_LOCKSTEP_REMOTE_H
#define TCGRR_LOCKSTEP_REMOTE_H

#include "lockstep/feed.h"
#include "lockstep/peer/peer.h"

/*
 * The side that the peer serves. It requests positions ahead of the comparator, so that the network's latency does not
 * slow the runs down. The peer stays the caller's.
 */
struct tcgrr_run_source *tcgrr_run_source_remote(struct tcgrr_peer *peer);

/*
 * Our QEMU replays the other side's rr log, which arrives between its answers and is passed to `feed`, which stays the
 * caller's. Call it before anything else.
 */
void tcgrr_run_source_remote_feed(struct tcgrr_run_source *remote, struct tcgrr_feed *feed);
/* Create our side with this log; `remote` must outlive it. */
struct tcgrr_run_source_log *tcgrr_run_source_remote_log(struct tcgrr_run_source *remote);
/* Whether the log is translated, as far as is known; and the value for struct tcgrr_compare_options. */
bool tcgrr_run_source_remote_translated(const struct tcgrr_run_source *remote);
const tcgrr_icount *tcgrr_run_source_remote_asked_after(const struct tcgrr_run_source *remote);

/*
 * Wraps our own side, `local`: while it waits for its guest, it reads from the peer, so that a closed connection is
 * noticed, and sends signs of life. Both sides stay the caller's.
 */
struct tcgrr_run_source *tcgrr_run_source_watchful(struct tcgrr_run_source *local, struct tcgrr_run_source *remote);

/*
 * Ends the comparison: sends the result to the other end, from which nothing more is requested. `result` is set to what
 * that end receives, so that both report the same; its lists point into `received`, which the caller has initialised.
 */
bool tcgrr_remote_conclude(struct tcgrr_run_source *remote, const struct tcgrr_comparison *comparison,
                           struct tcgrr_received_blocks *received, struct tcgrr_comparison *result, GError **error);

#endif
