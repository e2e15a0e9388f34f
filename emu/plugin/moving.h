/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses at which code runs. Newer QEMUs translate code by physical page without fixing its virtual address:
 * code that was translated at one address runs unchanged at another if the guest maps the page there, too. After an
 * instruction that changes mappings, each translation's address is checked once, when it next runs. This needs
 * registers (API 2); without them only the address of a translation's first run is known.
 */
#ifndef TCGRR_EMU_PLUGIN_MOVING_H
#define TCGRR_EMU_PLUGIN_MOVING_H

#include "emu/plugin/state.h"

/* Finds out whether addresses can be checked. Call it in a vCPU's init callback. */
void tcgrr_moving_init(struct tcgrr_plugin *plugin);

/* The halves of the address space whose mappings an instruction may change: bit 0 the lower, bit 1 the upper. */
unsigned tcgrr_moving_remaps(enum tcgrr_isa isa, const uint8_t *bytes, uint8_t length);

/* The translation runs for the first time after mappings changed: checks its address, and gives it another number if
 * that has changed. */
void tcgrr_moving_check(struct tcgrr_plugin *plugin, struct tcgrr_translation *translation);

/* QEMU has discarded all translations. */
void tcgrr_moving_forget(struct tcgrr_plugin *plugin);

#endif
