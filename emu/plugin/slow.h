/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mode of the plugin in which it records nothing: it lets the guest run for about so many instructions as tcgrr says,
 * and from then on so slowly that tcgrr can stop QEMU near there, however busy the machine is.
 */
#ifndef TCGRR_EMU_PLUGIN_SLOW_H
#define TCGRR_EMU_PLUGIN_SLOW_H

#include "emu/plugin/api.h"

/* In memory shared with tcgrr. */
struct tcgrr_slow {
    /* Instructions until it slows down, 0 when it has. Blocks count in full, even if they end early, so it comes too
     * soon rather than too late; tcgrr then looks where QEMU is and sets it anew. Atomic. */
    uint64_t left;
};

/* Maps descriptor `fd` and registers what is needed. Returns whether that worked. */
bool tcgrr_slow_start(const struct tcgrr_api *api, qemu_plugin_id_t id, int fd);

#endif
