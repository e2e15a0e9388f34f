/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that a program will get are kept from QEMU itself. The kernel places the program's memory and QEMU's own,
 * as the stacks of its threads, next to each other. When QEMU needs another stack is a race, so that one could lie in a
 * replay where the program's memory was. Here all that is free around the program's memory is mapped without access;
 * the program's own calls take from it, at the recorded addresses. All addresses are the host's. One thread at a time.
 */
#ifndef TCGRR_EMU_PLUGIN_RESERVE_H
#define TCGRR_EMU_PLUGIN_RESERVE_H

#include <stdint.h>

/* Takes what is free, also what QEMU has given up since the last time. Where the host does not allow it, addresses stay
 * as they are. */
void tcgrr_reserve_all(void);
/* The program is about to get or to give up this memory. */
void tcgrr_reserve_release(uint64_t first, uint64_t bytes);
/* It has given up some of it: what is free there is taken again. */
void tcgrr_reserve_again(uint64_t first, uint64_t bytes);

#endif
