/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that one step accessed, put the same way whatever QEMU made of it: releases cut an instruction's access
 * into different pieces.
 */
#ifndef TCGRR_REPLAY_ACCESSES_H
#define TCGRR_REPLAY_ACCESSES_H

#include "emu/plugin/peek.h"
#include "replay/cause/replay_pair.h"

/*
 * Appends to `touched` (struct tcgrr_touched) what was loaded and then what was stored, each by ascending addresses and
 * in as few pieces of at most TCGRR_PLACE_MAX bytes as there can be. Where QEMU reported values, each piece has its
 * place and `before`, of a load, or `after`; else only its operand is filled.
 */
void tcgrr_accesses_take(const struct tcgrr_peek *peek, GArray *touched);

/* Whether the two sides stored as much, and what can be compared. */
bool tcgrr_touched_stored(const struct tcgrr_touched *a, const struct tcgrr_touched *b);

/* Puts what was found out by looking in the same order: of memory that is loaded and stored the load on its own. */
void tcgrr_accesses_split(GArray *touched);

#endif
