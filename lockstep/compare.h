/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparator: names the first instruction at which two runs part. There is only this one. */
#ifndef TCGRR_LOCKSTEP_COMPARE_H
#define TCGRR_LOCKSTEP_COMPARE_H

#include "lockstep/side.h"

enum tcgrr_divergence_kind {
    TCGRR_DIVERGENCE_FLOW,  /* another instruction, or the same on another vCPU */
    TCGRR_DIVERGENCE_ENDED, /* one side ended while the other went on */
    TCGRR_DIVERGENCE_CUT,   /* one side's QEMU was killed or aborted */
    TCGRR_DIVERGENCE_HUNG,  /* one side makes no progress any more */
};

/* "control flow", "ended", "aborted", "hung". */
const char *tcgrr_divergence_name(enum tcgrr_divergence_kind kind);

/* A place in a run. */
enum tcgrr_where_kind {
    TCGRR_WHERE_NONE,   /* not given: the run's start, or its end */
    TCGRR_WHERE_ICOUNT, /* `value` instructions have run */
    TCGRR_WHERE_PC,     /* the first execution of the instruction at address `value` */
};
struct tcgrr_where {
    enum tcgrr_where_kind kind;
    uint64_t value;
};

struct tcgrr_compare_options {
    struct tcgrr_where from[2];  /* where each side's comparison starts: they need not have run the same before */
    struct tcgrr_where until[2]; /* it ends where the first of the sides comes there; a pc counts behind the start */
    bool strict;                 /* an interrupt that comes at another instruction is a divergence */
    unsigned history;            /* executions in each list of the report */
    bool tolerate_cut_a;         /* A is a recording that was cut short: that B goes on, or comes less far, is no
                                    divergence */
};

/* What one side did at the divergence. */
struct tcgrr_divergence_side {
    bool there;             /* it runs an instruction there; otherwise it has ended */
    tcgrr_icount icount;    /* its own at the divergence */
    struct tcgrr_exec exec; /* the execution that the instruction is in */
    uint32_t insn;          /* index of the instruction in its block */
    uint64_t pc;
    GArray *history; /* struct tcgrr_exec: that execution and those after it, oldest first */
};

struct tcgrr_comparison {
    bool diverged;
    tcgrr_icount start[2];         /* each side's own icount where the comparison starts */
    tcgrr_icount compared;         /* instructions from there on that are the same on both sides, by A's count */
    tcgrr_icount surplus[2];       /* what a side ran behind the other's tolerated end, as far as it was looked at */
    enum tcgrr_side_state ends[2]; /* how each side was when the comparison ended */
    /* Only if diverged: */
    enum tcgrr_divergence_kind kind;
    tcgrr_icount icount; /* A's */
    tcgrr_vcpu vcpu;
    GArray *common; /* struct tcgrr_exec: the last executions in common, newest first; of side A */
    struct tcgrr_divergence_side sides[2];
};

/*
 * Compares two runs. Returns false with an error if a side could not be read, or never came to a place that was asked
 * for (TCGRR_ERROR_FAILED; a divergence before `until` is a divergence). The sides stay the caller's and must outlive
 * the comparison's lists; they have not been asked about anything yet.
 */
bool tcgrr_compare(struct tcgrr_side *a, struct tcgrr_side *b, const struct tcgrr_compare_options *options,
                   struct tcgrr_comparison *comparison, GError **error);
void tcgrr_comparison_clear(struct tcgrr_comparison *comparison);

#endif
