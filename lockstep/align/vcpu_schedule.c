/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/align/vcpu_schedule.h"

/* Of one run, without a counterpart yet. A run that changes between its vCPUs all the time, while the other one does
 * not, has no counterparts for its turns: the older half is given up, and that is one difference. */
#define MAX_TURN_ENDS 65536u

struct turn_end {
    tcgrr_icount icount;
    uint64_t pc;  /* of the next instruction, on the other vCPU */
    uint64_t ran; /* instructions that the vCPU whose turn ended had run until then */
    tcgrr_vcpu vcpu;
};

void tcgrr_vcpu_schedule_init(struct tcgrr_vcpu_schedule *schedule, const struct tcgrr_exec_window windows[2],
                              const tcgrr_icount at[2])
{
    *schedule = (struct tcgrr_vcpu_schedule){0};
    for (int i = 0; i < 2; i++) {
        schedule->looked[i] = tcgrr_exec_window_find_exec(&windows[i], at[i]);
        const struct tcgrr_exec *first = tcgrr_exec_window_exec(&windows[i], schedule->looked[i]);
        schedule->vcpu[i] = first ? first->vcpu : 0;
        if (first && at[i] > first->icount) {
            /* What of it ran before is not counted: below 0 for now. */
            schedule->ran[i][first->vcpu % TCGRR_SCHEDULE_VCPUS] -= at[i] - first->icount;
        }
        schedule->ends[i] = g_array_new(FALSE, FALSE, sizeof(struct turn_end));
    }
}

void tcgrr_vcpu_schedule_clear(struct tcgrr_vcpu_schedule *schedule)
{
    for (int i = 0; i < 2; i++) {
        g_clear_pointer(&schedule->ends[i], g_array_unref);
    }
}

static void tolerate(struct tcgrr_align *align, const struct turn_end *a, const struct turn_end *b)
{
    struct tcgrr_tolerated place = {.kind = TCGRR_TOLERATED_EVENT,
                                    .reasons = TCGRR_REASON_VCPU,
                                    .icount = {a->icount, b->icount},
                                    .pc = a->pc,
                                    .from_pc = {TCGRR_NO_PC, TCGRR_NO_PC}};
    tcgrr_align_tolerate(align, &place);
}

static void bound(struct tcgrr_vcpu_schedule *schedule, struct tcgrr_align *align)
{
    for (int i = 0; i < 2; i++) {
        GArray *ends = schedule->ends[i];
        if (ends->len > MAX_TURN_ENDS) {
            const struct turn_end *first = &g_array_index(ends, struct turn_end, 0);
            tolerate(align, first, first);
            g_array_remove_range(ends, 0, MAX_TURN_ENDS / 2);
        }
    }
}

static void look_at(struct tcgrr_vcpu_schedule *schedule, const struct tcgrr_exec_window *window, int which)
{
    const struct tcgrr_exec *exec;

    for (; (exec = tcgrr_exec_window_exec(window, schedule->looked[which])); schedule->looked[which]++) {
        tcgrr_vcpu before = schedule->vcpu[which];
        if (exec->vcpu != before && exec->ran > 0) {
            struct turn_end end = {exec->icount, exec->block->pc, schedule->ran[which][before % TCGRR_SCHEDULE_VCPUS],
                                   before};
            g_array_append_val(schedule->ends[which], end);
            schedule->vcpu[which] = exec->vcpu;
        }
        schedule->ran[which][exec->vcpu % TCGRR_SCHEDULE_VCPUS] += exec->ran;
    }
}

void tcgrr_vcpu_schedule_look(struct tcgrr_vcpu_schedule *schedule, const struct tcgrr_exec_window windows[2],
                              struct tcgrr_align *align)
{
    look_at(schedule, &windows[0], 0);
    look_at(schedule, &windows[1], 1);
    guint both = MIN(schedule->ends[0]->len, schedule->ends[1]->len);
    for (guint i = 0; i < both; i++) {
        const struct turn_end *a = &g_array_index(schedule->ends[0], struct turn_end, i);
        const struct turn_end *b = &g_array_index(schedule->ends[1], struct turn_end, i);
        if (a->vcpu != b->vcpu || a->ran != b->ran) {
            tolerate(align, a, b);
        }
    }
    g_array_remove_range(schedule->ends[0], 0, both);
    g_array_remove_range(schedule->ends[1], 0, both);
    bound(schedule, align);
}

void tcgrr_vcpu_schedule_cut(struct tcgrr_vcpu_schedule *schedule, int which, guint execs)
{
    schedule->looked[which] -= execs;
}
