/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the sides that have chunks at hand share. All of it works on one chunk, from a cursor in it on. */
#ifndef TCGRR_LOCKSTEP_SIDE_INTERNAL_H
#define TCGRR_LOCKSTEP_SIDE_INTERNAL_H

#include "lockstep/side.h"

/* Appends the executions that overlap the instructions from..to. */
void tcgrr_side_append_execs(struct tcgrr_cursor cursor, tcgrr_icount from, tcgrr_icount to, GArray *execs);

/* The digest `flow` continued by those of the instructions from..to that are there. */
uint64_t tcgrr_side_digest(struct tcgrr_cursor cursor, tcgrr_icount from, tcgrr_icount to, uint64_t flow);

/* Finds the first instruction at `pc` that runs among from..to. Returns whether there is one. */
bool tcgrr_side_find(struct tcgrr_cursor cursor, uint64_t pc, tcgrr_icount from, tcgrr_icount to, tcgrr_icount *icount);

#endif
