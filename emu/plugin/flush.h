/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the file that QEMU writes its rr log to up to date, from a thread of its own. QEMU writes through stdio, which
 * holds back up to 4,096 bytes: hours of a quiet guest, were QEMU killed.
 */
#ifndef TCGRR_EMU_PLUGIN_FLUSH_H
#define TCGRR_EMU_PLUGIN_FLUSH_H

#include "emu/plugin/wire.h"

#include <stdbool.h>

/* Starts the thread, which stays as long as QEMU does: it flushes when the header asks for it, and now and then anyway.
 * Returns whether that worked. */
bool tcgrr_flush_start(struct tcgrr_wire_header *header);

#endif
