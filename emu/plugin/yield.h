/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes QEMU's vCPU yield. While QEMU records or replays, the vCPU's thread holds a lock during each slice of guest
 * time that the main loop needs to handle a signal or a monitor command; if a guest never waits and sets no timer,
 * slices have up to 2^31 instructions. QEMU resets a plugin between slices, and ends the current slice for it. None of
 * that is in the rr log, and the guest does not notice.
 */
#ifndef TCGRR_EMU_PLUGIN_YIELD_H
#define TCGRR_EMU_PLUGIN_YIELD_H

#include "emu/plugin/state.h"

/* `reset` is called, in the form of the API, when all of the plugin's callbacks have been removed, and registers them
 * again. */
void tcgrr_yield_init(struct tcgrr_plugin *plugin, qemu_plugin_id_t id, tcgrr_any_cb reset);

#endif
