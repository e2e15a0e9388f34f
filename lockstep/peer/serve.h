/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of a connection: answers what the comparing one wants to know of our side. */
#ifndef TCGRR_LOCKSTEP_SERVE_H
#define TCGRR_LOCKSTEP_SERVE_H

#include "lockstep/peer/peer.h"

/*
 * Serves `side` until the comparing end tells the result, which goes to `comparison`; its lists point into `heard`,
 * which the caller has initialised. A live side must have been given TCGRR_PROTOCOL_AHEAD as `ahead`.
 */
bool tcgrr_serve(struct tcgrr_peer *peer, struct tcgrr_run_source *side, struct tcgrr_received_blocks *heard,
                 struct tcgrr_comparison *comparison, GError **error);

#endif
