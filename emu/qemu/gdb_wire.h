/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of a connection that speaks gdb's remote protocol. One thread; every wait is bounded. */
#ifndef TCGRR_EMU_GDB_WIRE_H
#define TCGRR_EMU_GDB_WIRE_H

#include "emu/qemu/gdb_packet.h"

#define TCGRR_GDB_ANSWER_MS 20000 /* for requests that are answered at once */

struct tcgrr_gdb_wire {
    int fd;           /* non-blocking */
    const char *peer; /* the name of the other end, for errors */
    GString *input;
    GString *output;  /* not sent yet */
    GString *frame;   /* the packet received last, as it came */
    GString *payload; /* of the answer received last */
};

/* Takes ownership of `fd`. `peer` must outlive the wire. */
struct tcgrr_gdb_wire *tcgrr_gdb_wire_new(int fd, const char *peer);
/* NULL is allowed. */
void tcgrr_gdb_wire_free(struct tcgrr_gdb_wire *wire);

/* Queues a packet for sending. */
void tcgrr_gdb_wire_put(struct tcgrr_gdb_wire *wire, const char *payload);
/* Sends the queued packets. TCGRR_ERROR_FAILED if the connection is closed, TCGRR_ERROR_HUNG if the peer does not read.
 * */
bool tcgrr_gdb_wire_flush(struct tcgrr_gdb_wire *wire, GError **error);

/*
 * Receives one packet, or the byte that interrupts, into `frame`, until `deadline` (g_get_monotonic_time()); *found:
 * one arrived. It is acknowledged with the next packet sent. Errors are those of tcgrr_gdb_packet_take() and of
 * flushing.
 */
bool tcgrr_gdb_wire_receive(struct tcgrr_gdb_wire *wire, gint64 deadline, bool *found, GError **error);

/* Expands the received packet into `payload`. */
bool tcgrr_gdb_wire_expand(struct tcgrr_gdb_wire *wire, GError **error);
/* Sends the queued packets and receives one packet, expanded into `payload`. TCGRR_ERROR_HUNG if none arrives. */
bool tcgrr_gdb_wire_answer(struct tcgrr_gdb_wire *wire, GError **error);

#endif
