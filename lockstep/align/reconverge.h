/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Differences of two runs that are not interrupts, and why some of them need to be. */
#ifndef TCGRR_LOCKSTEP_RECONVERGE_H
#define TCGRR_LOCKSTEP_RECONVERGE_H

#include "lockstep/align/align.h"

/*
 * The two go different ways. Goes on after that, and returns true, in two cases:
 * - One leaves a loop that the other is still running, all extra instructions of the other are the loop's body as it
 * ran before, both continue in the same way after it, and the last thing that the loop did was to read a clock or a
 * device, or it was interrupted on both sides.
 * - Both have just read a clock or a device, or this is the handler of an interrupt that came at different places, and
 *   they meet again soon.
 */
bool tcgrr_reconverge(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair);

#endif
