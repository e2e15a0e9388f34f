/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mode of the plugin in which it records nothing: it lets the guest run for about as many instructions as tcgrr asks,
 * and then slows it down so much that tcgrr can stop QEMU near that place, however busy the machine is.
 */
#ifndef TCGRR_EMU_PLUGIN_SLOW_H
#define TCGRR_EMU_PLUGIN_SLOW_H

#include "emu/plugin/api.h"

/* In memory shared with tcgrr. */
struct tcgrr_slow {
    /* Instructions until the guest is slowed down; 0 once it is. Blocks count in full, even if they end early, so this
     * happens too early rather than too late; tcgrr then checks where QEMU is and sets it again. Atomic. */
    uint64_t left;
};

/* Maps descriptor `fd` and registers what is needed. Returns whether that worked. */
bool tcgrr_slow_start(const struct tcgrr_api *api, qemu_plugin_id_t id, int fd);

#endif
