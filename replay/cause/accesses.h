/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that one step accessed, in a form that is independent of how QEMU reported it: releases cut an
 * instruction's access into different pieces.
 */
#ifndef TCGRR_REPLAY_ACCESSES_H
#define TCGRR_REPLAY_ACCESSES_H

#include "emu/plugin/peek.h"
#include "replay/cause/replay_pair.h"

/*
 * Appends to `touched` (struct tcgrr_touched) first what was loaded and then what was stored, each by ascending
 * addresses and in as few pieces of at most TCGRR_PLACE_MAX bytes as possible. If QEMU reported values, each piece has
 * its place and `before` (a load) or `after` (a store); else only its operand is filled.
 */
void tcgrr_accesses_take(const struct tcgrr_peek *peek, GArray *touched);

/* Whether the two sides stored the same amount of data that can be compared. */
bool tcgrr_touched_stored(const struct tcgrr_touched *a, const struct tcgrr_touched *b);

/* Brings accesses that were found by reading memory into the same form: a load and a store of the same memory become
 * two entries. */
void tcgrr_accesses_split(GArray *touched);

#endif
