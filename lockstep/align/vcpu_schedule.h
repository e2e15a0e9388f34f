/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The turns that several vCPUs take in two runs that are compared vCPU by vCPU. A switch from one vCPU to another
 * counts as a shifted event if it does not come after the same instruction of the first vCPU in both runs.
 */
#ifndef TCGRR_LOCKSTEP_VCPU_SCHEDULE_H
#define TCGRR_LOCKSTEP_VCPU_SCHEDULE_H

#include "lockstep/align/align.h"

#define TCGRR_SCHEDULE_VCPUS 64

struct tcgrr_vcpu_schedule {
    guint looked[2];                       /* number of executions of the windows that were processed */
    tcgrr_vcpu vcpu[2];                    /* of the last of them */
    uint64_t ran[2][TCGRR_SCHEDULE_VCPUS]; /* what each vCPU ran */
    GArray *ends[2];                       /* struct turn_end: ends of turns that have no counterpart yet */
};

/* Begins at the first execution after `at`. */
void tcgrr_vcpu_schedule_init(struct tcgrr_vcpu_schedule *schedule, const struct tcgrr_exec_window windows[2],
                              const tcgrr_icount at[2]);
void tcgrr_vcpu_schedule_clear(struct tcgrr_vcpu_schedule *schedule);

/* Processes new executions of the windows, and reports turns that ended at different places to `align`. */
void tcgrr_vcpu_schedule_look(struct tcgrr_vcpu_schedule *schedule, const struct tcgrr_exec_window windows[2],
                              struct tcgrr_align *align);

/* `execs` executions were cut off the start of a window. */
void tcgrr_vcpu_schedule_cut(struct tcgrr_vcpu_schedule *schedule, int which, guint execs);

#endif
