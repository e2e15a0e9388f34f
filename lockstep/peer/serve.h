/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serving end of a connection: answers the comparing end's requests about our side. */
#ifndef TCGRR_LOCKSTEP_SERVE_H
#define TCGRR_LOCKSTEP_SERVE_H

#include "lockstep/peer/peer.h"

/*
 * Serves `side` until the comparing end sends the result, which goes to `comparison`; its lists point into `received`,
 * which the caller has initialised. A live side must have TCGRR_PROTOCOL_AHEAD as its `ahead`; if it `leads`, which
 * means that its rr log drives the other end's QEMU, TCGRR_PROTOCOL_LOG_AHEAD more.
 */
bool tcgrr_serve(struct tcgrr_peer *peer, struct tcgrr_run_source *side, bool leads,
                 struct tcgrr_received_blocks *received, struct tcgrr_comparison *comparison, GError **error);
/* Sends new data of the log of a side that leads; `peer` is the struct tcgrr_peer. */
bool tcgrr_serve_log(const struct tcgrr_log_news *news, void *peer, GError **error);

#endif
