/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/lockstep_control.h"

#include "emu/qemu/unlogged.h"
#include "lockstep/doubts.h"

static bool is_system(const struct tcgrr_lockstep_local *pair)
{
    return tcgrr_session_qemu(pair->sessions[0])->system;
}

static bool applies(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options)
{
    const struct tcgrr_lockstep_member *a = &options->members[0], *b = &options->members[1];

    /* A QEMU in lockstep with itself is a control already. */
    if (!pair->comparison.diverged || a->reader || b->reader || tcgrr_lockstep_local_repeats(pair, options)) {
        return false;
    }
    if (!is_system(pair)) {
        return true;
    }
    if (!pair->log) {
        return false;
    }
    g_autoptr(GArray) given = tcgrr_options_scan_system(a->arguments);
    return tcgrr_unlogged_possible(given);
}

/* A with itself, up to A's icount `until`, from where it was compared. */
static bool run_control(const struct tcgrr_lockstep_local_options *options, tcgrr_icount until,
                        struct tcgrr_lockstep_local *own, GError **error)
{
    struct tcgrr_lockstep_local_options twice = *options;

    twice.members[0].quiet = true;
    twice.members[1] = twice.members[0];
    twice.starts_late = false;
    twice.own_because = NULL;
    twice.compare.from[1] = twice.compare.from[0];
    twice.compare.until[0] = twice.compare.until[1] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, until};
    return tcgrr_lockstep_local_open(own, &twice, error) && tcgrr_lockstep_local_run(own, &twice, error);
}

bool tcgrr_lockstep_control_check(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                                  GError **error)
{
    struct tcgrr_comparison *found = &pair->comparison;
    struct tcgrr_lockstep_local own = {0};
    GError *problem = NULL;

    if (!applies(pair, options)) {
        return true;
    }
    tcgrr_icount place = pair->begin.icount + MAX(found->icount, found->data.to[0]);
    run_control(options, place + TCGRR_DOUBTS_FURTHER, &own, &problem);
    bool good = tcgrr_doubts_judge_control(found, &own.comparison, problem, "A", is_system(pair), error);
    tcgrr_lockstep_local_clear(&own);
    return good;
}
