/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Differences of two runs that are not interrupts, and why some of them need to be. */
#ifndef TCGRR_LOCKSTEP_RECONVERGE_H
#define TCGRR_LOCKSTEP_RECONVERGE_H

#include "lockstep/align/align.h"

/*
 * The two go different ways. Goes on after that, and returns true, in two cases:
 * - One leaves a loop which the other turns further, all that the other runs of its own is the loop's body as it ran
 *   before, both go on alike after it, and the last that the loop did was to read a clock or a device, or it was
 *   interrupted on both sides.
 * - Both have just read a clock or a device, or this is the handler of an interrupt that came at different places, and
 *   they meet again soon.
 */
bool tcgrr_reconverge(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair);

#endif
