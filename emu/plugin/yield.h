/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes QEMU's vCPU give way. While it records or replays, the vCPU's thread holds a lock, from one slice of guest time
 * to its end, that the main loop needs to hear a signal or a monitor's command; a guest that never waits and sets no
 * timer has slices of up to 2^31 instructions. Resetting a plugin is work that QEMU does between slices, and for which
 * it ends the current one. Nothing of that is in the rr log, and the guest does not notice.
 */
#ifndef TCGRR_EMU_PLUGIN_YIELD_H
#define TCGRR_EMU_PLUGIN_YIELD_H

#include "emu/plugin/state.h"

/* `reset`: what is called once all of the plugin's callbacks are gone, to register them anew; its form is the API's. */
void tcgrr_yield_init(struct tcgrr_plugin *plugin, qemu_plugin_id_t id, tcgrr_any_cb reset);

#endif
