/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Corrects a recording by QEMU's own rr log, which is complete only when QEMU has ended: whether instructions retired
 * before an interrupt or exception, and which of the two it was.
 */
#ifndef TCGRR_RECORD_REPAIR_H
#define TCGRR_RECORD_REPAIR_H

#include "emu/rrlog/rrlog.h"
#include "store/trace.h"

/* The answers so far. All zero at first but `corrections`. */
struct tcgrr_answers {
    GArray *corrections; /* struct tcgrr_retire_correction: executions for which the assumption about the last
                            instruction was wrong */
    struct tcgrr_rrlog_asked asked;
    int64_t shift;    /* the change of later icounts by the corrections */
    uint64_t decided; /* uncertain */
};

struct tcgrr_retire_correction {
    tcgrr_seq seq;
    bool retired;
    tcgrr_icount place; /* of the last instruction */
    uint64_t pc; /* of the next instruction: the last one again, or the one after it; filled in by tcgrr_repair() */
};

/*
 * Looks up doubts (`uncertain`, struct tcgrr_uncertain_retire) in a log, in order, as far as the log reaches. QEMU may
 * still be writing it. Returns the number of doubts that were answered; pass the others again later, with further ones.
 */
guint tcgrr_answer_doubts(struct tcgrr_answers *answers, const struct tcgrr_rrlog *log, const GArray *uncertain);

struct tcgrr_repair {
    const char *path;              /* of the trace that `writer` writes */
    const GArray *uncertain;       /* the doubts that were not looked up yet */
    struct tcgrr_answers *answers; /* the answers to those that were */
    const struct tcgrr_rrlog *log;
    const struct tcgrr_blocks *blocks;
};

/*
 * Looks up all remaining doubts in the log; corrects the executions, and all counts, digests, checkpoints and events
 * after them; gives inferred events the kind that the log has, removes those that it does not have, and adds those that
 * were not noticed; sets run->icount, ->assumed and ->decided, but
 * does not store `run`. Commit everything before the call. The changes are not committed: a process that dies before
 * the next commit leaves the trace unchanged. Reads and writes one chunk at a time, none if every assumption was right.
 */
bool tcgrr_repair(struct tcgrr_writer *writer, const struct tcgrr_repair *repair, struct tcgrr_run *run,
                  GError **error);

#endif
