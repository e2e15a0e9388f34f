/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps QEMU itself from using addresses that the program will need. The kernel places the program's memory and QEMU's
 * own, such as its threads' stacks, next to each other. QEMU allocates stacks at unpredictable times, so in a replay
 * one could occupy an address of the program's memory. These functions therefore map all free memory around the
 * program's without access; the program's own calls then take parts of it, at the recorded addresses. All addresses are
 * the host's. Not thread-safe.
 */
#ifndef TCGRR_EMU_PLUGIN_RESERVE_H
#define TCGRR_EMU_PLUGIN_RESERVE_H

#include <stdint.h>

/* Reserves all free memory, including what QEMU has released since the last call. If the host does not allow that,
 * leaves it unreserved. */
void tcgrr_reserve_all(void);
/* The program is about to map or unmap this memory. */
void tcgrr_reserve_release(uint64_t first, uint64_t bytes);
/* The program has unmapped some of this memory: reserves what is free there again. */
void tcgrr_reserve_again(uint64_t first, uint64_t bytes);

#endif
