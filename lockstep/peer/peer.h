/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection between two tcgrr: bytes and messages, with a bound for every wait. While it waits, a peer lets the
 * other side hear that it lives. One thread uses a peer. The functions return false with an error:
 *   TCGRR_ERROR_FAILED   the other side went away, or said that it gave up
 *   TCGRR_ERROR_HUNG     it is silent, too slow, or gets nowhere
 *   TCGRR_ERROR_DAMAGED  it sent what is no message
 *   TCGRR_ERROR_STOPPED  our user wants to end
 */
#ifndef TCGRR_LOCKSTEP_PEER_H
#define TCGRR_LOCKSTEP_PEER_H

#include "lockstep/peer/protocol.h"

struct tcgrr_peer;

struct tcgrr_peer_options {
    int timeout_ms;                                    /* so long it may be silent */
    const volatile int *stop;                          /* not 0: the user wants to end; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* how far both have come, now and then; may be NULL */
    void *data;
};

/* Takes over the connected stream socket `fd`. */
struct tcgrr_peer *tcgrr_peer_new(int fd, const struct tcgrr_peer_options *options);
/* Closes the connection. NULL is allowed. */
void tcgrr_peer_free(struct tcgrr_peer *peer);

/* Bytes as they are, before the first message. Reading stops early, with TCGRR_ERROR_DAMAGED, where they do not begin
 * with the `known` bytes at `prefix`. */
bool tcgrr_peer_write(struct tcgrr_peer *peer, const uint8_t *bytes, size_t length, GError **error);
bool tcgrr_peer_read(struct tcgrr_peer *peer, uint8_t *bytes, size_t length, const uint8_t *prefix, size_t known,
                     GError **error);

/* Waits until the message is on its way. */
bool tcgrr_peer_send(struct tcgrr_peer *peer, enum tcgrr_message_type type, const GByteArray *payload, GError **error);

/*
 * Takes the next message; *got: there is one, valid until the next call. Waits at most `wait_ms` for it. What says only
 * that the other side lives, or that it gave up, is dealt with here.
 */
bool tcgrr_peer_poll(struct tcgrr_peer *peer, int wait_ms, struct tcgrr_message *message, bool *got, GError **error);

/*
 * Waits for the next message, which the other side owes us. It may take as long as its guest gets on, or has stood
 * still for less than the patience.
 */
bool tcgrr_peer_receive(struct tcgrr_peer *peer, struct tcgrr_message *message, GError **error);

/*
 * From now on messages are understood on both sides: each lets the other hear that it lives. `patience_ms`: how long
 * the other side's guest may stand still while we wait for it; before, the timeout holds for that, too.
 */
void tcgrr_peer_be_patient(struct tcgrr_peer *peer, int patience_ms);

/* Something of ours takes time: lets the other side hear that we live, for about `wait_ms`, and takes nothing. */
bool tcgrr_peer_stand_by(struct tcgrr_peer *peer, int wait_ms, GError **error);

/* Sends how far our own side has come, for the other one's user. */
void tcgrr_peer_report_progress(struct tcgrr_peer *peer, tcgrr_icount icount);

/*
 * Nothing more is said. Takes what the other side still sends until it closes, half a second at most: a connection that
 * is closed before takes what was said last with it.
 */
void tcgrr_peer_finish(struct tcgrr_peer *peer);
/* Says why we give up, as far as that is possible at once, and finishes. */
void tcgrr_peer_give_up(struct tcgrr_peer *peer, const GError *reason);

struct tcgrr_peer_traffic {
    uint64_t sent; /* bytes */
    uint64_t received;
};
struct tcgrr_peer_traffic tcgrr_peer_traffic(const struct tcgrr_peer *peer);

#endif
