/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of gdb's remote protocol: "$payload#checksum" with escapes and runs. Pure functions; the peer is untrusted.
 */
#ifndef TCGRR_EMU_GDB_PACKET_H
#define TCGRR_EMU_GDB_PACKET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The maximum length of a packet's payload after its runs are expanded. */
#define TCGRR_GDB_PACKET_MAX (1u << 20)

/* Appends `payload` as a packet. */
void tcgrr_gdb_packet_append(GString *out, const char *payload);

/*
 * Removes the first whole packet from `input`, with everything before it (acknowledgements and unsolicited
 * notifications), and puts it into `packet` unchanged, "$payload#cc"; or the single byte 3, with which gdb interrupts.
 * *found is false if the packet is still incomplete. False with TCGRR_ERROR_DAMAGED for a wrong checksum, a packet that
 * is too long, or a request to send ours again.
 */
bool tcgrr_gdb_packet_take(GString *input, GString *packet, bool *found, GError **error);

/*
 * Puts the payload of a packet into `payload`, with escapes and runs written out. TCGRR_ERROR_DAMAGED: an escape or run
 * at the wrong place, or it becomes too long.
 */
bool tcgrr_gdb_packet_expand(const GString *packet, GString *payload, GError **error);

/*
 * Reads `bytes` bytes written as hexadecimal digits. False if there are fewer, or other characters. "x" for a digit, as
 * gdb's protocol writes what cannot be known, is another character.
 */
bool tcgrr_gdb_packet_hex(const char *text, size_t bytes, uint8_t *out);

#endif
