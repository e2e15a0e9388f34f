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
    int timeout_ms;                                    /* how long the other side may be silent */
    const volatile int *stop;                          /* not 0: the user wants to end; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* how far both have come, now and then; may be NULL */
    void *data;
};

/* Takes ownership of the connected stream socket `fd`. */
struct tcgrr_peer *tcgrr_peer_new(int fd, const struct tcgrr_peer_options *options);
/* Closes the connection. NULL is allowed. */
void tcgrr_peer_free(struct tcgrr_peer *peer);

/* Transfer raw bytes, before the first message. Reading fails early, with TCGRR_ERROR_DAMAGED, if the bytes do not
 * begin with the `known` bytes at `prefix`. */
bool tcgrr_peer_write(struct tcgrr_peer *peer, const uint8_t *bytes, size_t length, GError **error);
bool tcgrr_peer_read(struct tcgrr_peer *peer, uint8_t *bytes, size_t length, const uint8_t *prefix, size_t known,
                     GError **error);

/* Returns when the message has been handed to the kernel. */
bool tcgrr_peer_send(struct tcgrr_peer *peer, enum tcgrr_message_type type, const GByteArray *payload, GError **error);

/*
 * Takes the next message; *got: there is one, valid until the next call. Waits at most `wait_ms` for it. Messages that
 * only say that the other side is alive, or that it gave up, are handled here.
 */
bool tcgrr_peer_poll(struct tcgrr_peer *peer, int wait_ms, struct tcgrr_message *message, bool *got, GError **error);

/*
 * Waits for the next message, which the other side has to send. It may take as long as the other side's guest makes
 * progress, or has made none for less than the patience.
 */
bool tcgrr_peer_receive(struct tcgrr_peer *peer, struct tcgrr_message *message, GError **error);

/*
 * Call it when both sides can exchange messages: from now on each regularly sends the other a sign of life.
 * `patience_ms`: how long the other side's guest may make no progress while we wait for it; until this call, the
 * timeout applies to that, too.
 */
void tcgrr_peer_be_patient(struct tcgrr_peer *peer, int patience_ms);

/* Call it during long work of our own: for about `wait_ms`, sends signs of life and takes no messages. */
bool tcgrr_peer_stand_by(struct tcgrr_peer *peer, int wait_ms, GError **error);

/* Notes our own side's progress, which is sent to the other side with the signs of life, and shows the progress of
 * both. */
void tcgrr_peer_report_progress(struct tcgrr_peer *peer, tcgrr_icount icount);

/*
 * Ends our side of the conversation. Reads what the other side still sends until it closes the connection, half a
 * second at most, because closing a connection with unread data would discard the last message that we sent.
 */
void tcgrr_peer_finish(struct tcgrr_peer *peer);
/* Sends the reason why we give up, if that is possible without waiting long, and finishes. */
void tcgrr_peer_give_up(struct tcgrr_peer *peer, const GError *reason);

struct tcgrr_peer_traffic {
    uint64_t sent; /* bytes */
    uint64_t received;
};
struct tcgrr_peer_traffic tcgrr_peer_traffic(const struct tcgrr_peer *peer);

#endif
