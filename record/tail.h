/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run ends with the guest's request to shut down: what the vCPU ran after that is cut off the trace. */
#ifndef TCGRR_RECORD_TAIL_H
#define TCGRR_RECORD_TAIL_H

#include "emu/rrlog/rrlog.h"
#include "record/until.h"
#include "store/trace.h"

struct tcgrr_tail {
    const char *path; /* of the trace that `writer` writes */
    const struct tcgrr_rrlog *log;
    const struct tcgrr_blocks *blocks;
};

/*
 * Cuts executions, events, checkpoints, samples and accesses off where the log says that the guest asked, or, where it
 * leaves that open, after the last instruction that can have asked; sets run->icount, ->execs, ->tail and the window of
 * accesses, but does not store `run`. Everything has to be committed before; nothing of it is after. Reads and writes
 * one chunk at a time, none if nothing follows the request.
 */
bool tcgrr_cut_tail(struct tcgrr_writer *writer, const struct tcgrr_tail *tail, struct tcgrr_run *run, GError **error);

/* The same after `place` instructions, whatever ran there: for a run that the user ended. `log` is not looked at. */
bool tcgrr_cut_run(struct tcgrr_writer *writer, const struct tcgrr_tail *tail, struct tcgrr_until *until,
                   struct tcgrr_run *run, GError **error);

#endif
