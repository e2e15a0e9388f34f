/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sends QEMU's own disassembly of the code that it translates. */
#ifndef TCGRR_EMU_PLUGIN_TEXT_H
#define TCGRR_EMU_PLUGIN_TEXT_H

#include "emu/plugin/state.h"

/* Puts the texts of the first `count` instructions of a new translation into the ring, before its description. */
void tcgrr_text(struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb, uint32_t count);

#endif
