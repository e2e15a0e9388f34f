/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run ends with the guest's request to shut down: removes what the vCPU ran afterwards from the trace. */
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
 * Removes executions, events, checkpoints, samples and accesses after the guest's request as the log has it or, if the
 * log does not say exactly where it was, after the last instruction that can have made it; sets run->icount, ->execs,
 * ->tail and the window of accesses, but does not store `run`. Commit everything before the call; the changes are not
 * committed. Reads and writes one chunk at a time, none if nothing follows the request.
 */
bool tcgrr_cut_tail(struct tcgrr_writer *writer, const struct tcgrr_tail *tail, struct tcgrr_run *run, GError **error);

/* The same after the place `until`, for a run that the user ended. `log` is not used. */
bool tcgrr_cut_run(struct tcgrr_writer *writer, const struct tcgrr_tail *tail, struct tcgrr_until *until,
                   struct tcgrr_run *run, GError **error);

#endif
