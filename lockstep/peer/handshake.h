/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lets two tcgrr processes find out whether they may, and can, compare their sides. */
#ifndef TCGRR_LOCKSTEP_HANDSHAKE_H
#define TCGRR_LOCKSTEP_HANDSHAKE_H

#include "lockstep/peer/peer.h"

/* A secret that both users have. */
struct tcgrr_token {
    uint8_t *bytes; /* NULL: none */
    size_t length;
};

/* The minimum length in bytes; a shorter token could be guessed. */
#define TCGRR_TOKEN_MIN 16

/* Reads a token from a file, without white space at its end. TCGRR_ERROR_USAGE if it is shorter than
 * TCGRR_TOKEN_MIN. */
bool tcgrr_token_read(const char *path, struct tcgrr_token *token, GError **error);
void tcgrr_token_clear(struct tcgrr_token *token);

/*
 * Performs the handshake: the sides exchange protocol versions; then, if there is a token, each proves that it has the
 * same one without sending it; then they exchange what they have to agree on. False with an error if they cannot be
 * compared; the other side is sent the reason. `*known`: the other side has been identified as a tcgrr and, if there is
 * a token, has that.
 */
bool tcgrr_handshake(struct tcgrr_peer *peer, bool listening, const struct tcgrr_token *token,
                     const struct tcgrr_description *ours, struct tcgrr_description *theirs, bool *known,
                     GError **error);

#endif
