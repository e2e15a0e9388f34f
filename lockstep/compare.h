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

/* What one side did at the divergence. */
struct tcgrr_divergence_side {
    bool there;             /* it runs an instruction there; otherwise it has ended */
    struct tcgrr_exec exec; /* the execution that the instruction is in */
    uint32_t insn;          /* index of the instruction in its block */
    uint64_t pc;
    GArray *history; /* struct tcgrr_exec: that execution and those after it, oldest first */
};

struct tcgrr_comparison {
    bool diverged;
    tcgrr_icount compared;         /* instructions that are the same on both sides */
    tcgrr_icount surplus[2];       /* what a side ran behind the other's tolerated end, as far as it was looked at */
    enum tcgrr_side_state ends[2]; /* how each side was when the comparison ended */
    /* Only if diverged: */
    enum tcgrr_divergence_kind kind;
    tcgrr_icount icount;
    tcgrr_vcpu vcpu;
    GArray *common; /* struct tcgrr_exec: the last executions in common, newest first; of side A */
    struct tcgrr_divergence_side sides[2];
};

struct tcgrr_compare_options {
    tcgrr_icount until;  /* stop there; UINT64_MAX: at the end */
    unsigned history;    /* executions in each list of the report */
    bool tolerate_cut_a; /* A is a recording that was cut short: that B goes on, or comes less far, is no divergence */
};

/*
 * Compares from the start. Returns false with an error if a side could not be read; the sides stay the caller's and
 * must outlive the comparison's lists.
 */
bool tcgrr_compare(struct tcgrr_side *a, struct tcgrr_side *b, const struct tcgrr_compare_options *options,
                   struct tcgrr_comparison *comparison, GError **error);
void tcgrr_comparison_clear(struct tcgrr_comparison *comparison);

#endif
