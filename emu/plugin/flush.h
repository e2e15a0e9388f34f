/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the file of QEMU's rr log up to date, from a separate thread. QEMU writes through stdio, which buffers up to
 * 4,096 bytes: if QEMU were killed, the log could lack hours of a quiet guest.
 */
#ifndef TCGRR_EMU_PLUGIN_FLUSH_H
#define TCGRR_EMU_PLUGIN_FLUSH_H

#include "emu/plugin/wire.h"

#include <stdbool.h>

/* Starts the thread, which runs until QEMU ends: it flushes when the header asks for it, and twice a second anyway.
 * Returns whether that worked. */
bool tcgrr_flush_start(struct tcgrr_wire_header *header);

#endif
