/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting a recording right by QEMU's own rr log, which is complete only when QEMU has ended: which instructions
 * retired before an interrupt or exception, and which of the two it was.
 */
#ifndef TCGRR_RECORD_REPAIR_H
#define TCGRR_RECORD_REPAIR_H

#include "emu/rrlog/rrlog.h"
#include "store/trace.h"

/* The answers so far. All zero at first but `corrections`. */
struct tcgrr_answers {
    GArray
        *corrections; /* struct tcgrr_retire_correction: executions whose last instruction did what was not assumed */
    struct tcgrr_rrlog_asked asked;
    int64_t shift;    /* what the corrections add to the icounts after them */
    uint64_t decided; /* uncertain */
};

struct tcgrr_retire_correction {
    tcgrr_seq seq;
    bool retired;
    uint64_t pc; /* of the instruction that runs next: the last one, or the one after it; filled in by tcgrr_repair() */
};

/*
 * Asks a log about uncertain (struct tcgrr_uncertain_retire), in order, from the first on up to where the log ends. It
 * may be one that QEMU is still writing. Returns how many it answered; all further ones are to be asked again, with
 * what comes after.
 */
guint tcgrr_answer(struct tcgrr_answers *answers, const struct tcgrr_rrlog *log, const GArray *uncertain);

struct tcgrr_repair {
    const char *path;              /* of the trace that `writer` writes */
    const GArray *uncertain;       /* those that were not asked yet */
    struct tcgrr_answers *answers; /* to those that were */
    const struct tcgrr_rrlog *log;
    const struct tcgrr_blocks *blocks;
};

/*
 * Asks the log about every doubt that is left, corrects the executions, and all counts, digests, checkpoints and events
 * after them; gives inferred events the kind that the log says and removes those that it does not have; sets
 * run->icount, ->assumed and ->decided, but does not store `run`. Everything has to be committed before; nothing of it
 * is after: a caller that goes away before the next commit leaves the trace as it was. Reads and writes one chunk at a
 * time, none if every assumption was right.
 */
bool tcgrr_repair(struct tcgrr_writer *writer, const struct tcgrr_repair *repair, struct tcgrr_run *run,
                  GError **error);

#endif
