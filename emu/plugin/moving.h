/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses at which code runs. Newer QEMUs translate code by physical page without fixing its virtual address:
 * code that was translated at one address is run at another one as it is, when the guest has mapped the page there,
 * too. After an instruction that changes mappings, each translation's address is looked at once when it runs again.
 * Needs registers (API 2); without, the address of its first run is all there is.
 */
#ifndef TCGRR_EMU_PLUGIN_MOVING_H
#define TCGRR_EMU_PLUGIN_MOVING_H

#include "emu/plugin/state.h"

/* Finds out whether addresses can be looked at; in a vCPU's init callback. */
void tcgrr_moving_init(struct tcgrr_plugin *plugin);

/* Which halves of the address space an instruction may map anew: bit 0 the lower, bit 1 the upper. */
unsigned tcgrr_moving_remaps(enum tcgrr_isa isa, const uint8_t *bytes, uint8_t length);

/* The translation runs for the first time after mappings changed: looks where, and gives it another number if it is
 * elsewhere. */
void tcgrr_moving_check(struct tcgrr_plugin *plugin, struct tcgrr_translation *translation);

/* QEMU has thrown all translations away. */
void tcgrr_moving_forget(struct tcgrr_plugin *plugin);

#endif
