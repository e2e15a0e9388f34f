/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the run sources that have chunks. All functions work on one chunk, from the cursor on. */
#ifndef TCGRR_LOCKSTEP_RUN_SOURCE_INTERNAL_H
#define TCGRR_LOCKSTEP_RUN_SOURCE_INTERNAL_H

#include "lockstep/run_source.h"

/* Appends the executions that overlap the instructions from..to. */
void tcgrr_run_source_append_execs(struct tcgrr_cursor cursor, tcgrr_icount from, tcgrr_icount to, GArray *execs);

/* The digest `flow` extended by the instructions from..to, as far as the chunk has them. */
uint64_t tcgrr_run_source_digest(struct tcgrr_cursor cursor, tcgrr_icount from, tcgrr_icount to, uint64_t flow);

/* Finds the first instruction at `pc` that runs among from..to. Returns whether there is one. */
bool tcgrr_run_source_find(struct tcgrr_cursor cursor, uint64_t pc, tcgrr_icount from, tcgrr_icount to,
                           tcgrr_icount *icount);

#endif
