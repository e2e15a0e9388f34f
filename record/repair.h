/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting a recording right by QEMU's own rr log, which is complete only when QEMU has ended: which instructions
 * retired before an interrupt or exception, and which of the two it was.
 */
#ifndef TCGRR_RECORD_REPAIR_H
#define TCGRR_RECORD_REPAIR_H

#include "emu/rrlog/rrlog.h"
#include "store/trace.h"

struct tcgrr_repair {
    const char *path;     /* of the trace that `writer` writes */
    const GArray *doubts; /* struct tcgrr_doubt, all of the run */
    const struct tcgrr_rrlog *log;
    const struct tcgrr_blocks *blocks;
};

/*
 * Asks the log about every doubt, corrects the executions, and all counts, digests, checkpoints and events behind them;
 * gives inferred events the kind that the log says and removes those that it does not have; sets run->icount, ->assumed
 * and ->decided, but does not store `run`. Everything has to be committed before; nothing of it is after: a caller that
 * goes away before the next commit leaves the trace as it was. Reads and writes one chunk at a time, none if every
 * assumption was right.
 */
bool tcgrr_repair(struct tcgrr_writer *writer, const struct tcgrr_repair *repair, struct tcgrr_run *run,
                  GError **error);

#endif
