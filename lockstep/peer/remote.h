/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparing end of a connection: the other end's side as one of ours. */
#ifndef TCGRR_LOCKSTEP_REMOTE_H
#define TCGRR_LOCKSTEP_REMOTE_H

#include "lockstep/feed.h"
#include "lockstep/peer/peer.h"

/*
 * The side that the peer serves. It asks for positions ahead of the comparator, so that their way does not slow the
 * runs down. The peer stays the caller's.
 */
struct tcgrr_run_source *tcgrr_run_source_remote(struct tcgrr_peer *peer);

/*
 * Our QEMU replays the other side's rr log, which comes between its answers: gives it to `feed`, which stays the
 * caller's. To be called before anything else.
 */
void tcgrr_run_source_remote_feed(struct tcgrr_run_source *remote, struct tcgrr_feed *feed);
/* What our side is to be made with; `remote` outlives it. */
struct tcgrr_run_source_log *tcgrr_run_source_remote_log(struct tcgrr_run_source *remote);
/* Whether the log is translated, as far as is known; and for struct tcgrr_compare_options. */
bool tcgrr_run_source_remote_translated(const struct tcgrr_run_source *remote);
const tcgrr_icount *tcgrr_run_source_remote_asked_after(const struct tcgrr_run_source *remote);

/*
 * Our own side, `local`, beside a remote one: while it waits for its guest it listens to the peer, so that one that
 * goes away is noticed, and lets it hear that we live. Both sides stay the caller's.
 */
struct tcgrr_run_source *tcgrr_run_source_watchful(struct tcgrr_run_source *local, struct tcgrr_run_source *remote);

/*
 * The comparison is over: reports that to the other end, which is asked no more. `result` becomes what that end gets,
 * so that both report alike; its lists point into `received`, which the caller has initialised.
 */
bool tcgrr_remote_conclude(struct tcgrr_run_source *remote, const struct tcgrr_comparison *comparison,
                           struct tcgrr_received_blocks *received, struct tcgrr_comparison *result, GError **error);

#endif
