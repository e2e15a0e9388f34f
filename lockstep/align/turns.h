/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The turns that several vCPUs take in two runs which are compared vCPU by vCPU: where one vCPU gives way to another is
 * counted as a shifted event if it does not come behind the same instruction of its own in both runs.
 */
#ifndef TCGRR_LOCKSTEP_TURNS_H
#define TCGRR_LOCKSTEP_TURNS_H

#include "lockstep/align/align.h"

#define TCGRR_TURNS_VCPUS 64

struct tcgrr_turns {
    guint looked[2];                    /* executions of the reels that were looked at */
    tcgrr_vcpu vcpu[2];                 /* of the last of them */
    uint64_t ran[2][TCGRR_TURNS_VCPUS]; /* what each vCPU ran */
    GArray *ends[2];                    /* struct turn_end: those that have no counterpart yet */
};

/* Begins at the first execution behind `at`. */
void tcgrr_turns_init(struct tcgrr_turns *turns, const struct tcgrr_reel reels[2], const tcgrr_icount at[2]);
void tcgrr_turns_clear(struct tcgrr_turns *turns);

/* Looks at what has come to the reels, and tells `align` of turns that ended elsewhere. */
void tcgrr_turns_look(struct tcgrr_turns *turns, const struct tcgrr_reel reels[2], struct tcgrr_align *align);

/* So many executions were cut off a reel. */
void tcgrr_turns_cut(struct tcgrr_turns *turns, int which, guint execs);

#endif
