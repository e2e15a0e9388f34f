/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the sides that have chunks at hand share. All of it works on one chunk, from a cursor in it on. */
#ifndef TCGRR_LOCKSTEP_RUN_SOURCE_INTERNAL_H
#define TCGRR_LOCKSTEP_RUN_SOURCE_INTERNAL_H

#include "lockstep/run_source.h"

/* Appends the executions that overlap the instructions from..to. */
void tcgrr_run_source_append_execs(struct tcgrr_cursor cursor, tcgrr_icount from, tcgrr_icount to, GArray *execs);

/* The digest `flow` continued by those of the instructions from..to that are there. */
uint64_t tcgrr_run_source_digest(struct tcgrr_cursor cursor, tcgrr_icount from, tcgrr_icount to, uint64_t flow);

/* Finds the first instruction at `pc` that runs among from..to. Returns whether there is one. */
bool tcgrr_run_source_find(struct tcgrr_cursor cursor, uint64_t pc, tcgrr_icount from, tcgrr_icount to,
                           tcgrr_icount *icount);

#endif
