/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a QEMU translated a block: its own log of it. */
#ifndef TCGRR_REPLAY_BLOCK_LOG_H
#define TCGRR_REPLAY_BLOCK_LOG_H

#include "replay/paused.h"

/*
 * Replays a run up to `until` and has QEMU write what it makes of the code at address..address+size-1 to `path`: guest
 * instructions, TCG operations before and after the optimizer, host instructions. options->extra is not looked at.
 */
bool tcgrr_block_log(const struct tcgrr_rerun_options *options, uint64_t address, uint64_t size, tcgrr_icount until,
                     const char *path, GError **error);

#endif
