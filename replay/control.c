/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/control.h"

#include "emu/qemu/unlogged.h"
#include "lockstep/doubts.h"
#include "replay/recorded.h"
#include "replay/unpinned.h"

bool tcgrr_control_replay(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options, tcgrr_icount until,
                          struct tcgrr_replay_result *result, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    struct tcgrr_replay_options own = {.plugin = options->plugin,
                                       .at = UINT64_MAX,
                                       .hang_ms = options->hang_ms,
                                       .quiet = true,
                                       .stop = options->stop,
                                       .progress = options->progress,
                                       .data = options->data};

    if (!run->complete || until < run->icount) {
        own.compare.until[0] = own.compare.until[1] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, until};
    }
    return tcgrr_replay_as_given(reader, &own, result, error);
}

static bool is_system(struct tcgrr_reader *reader)
{
    return g_strcmp0(tcgrr_reader_run(reader)->mode, "system") == 0;
}

/* Whether the recorded run may have inputs that a replay does not get. */
static bool may_not_repeat(struct tcgrr_reader *reader)
{
    if (!is_system(reader)) {
        return true;
    }
    g_auto(GStrv) words = tcgrr_reader_run(reader)->rr ? tcgrr_recorded_words(reader, NULL, NULL) : NULL;
    g_autoptr(GArray) given = words ? tcgrr_options_scan_system((const char *const *)words + 1) : NULL;
    return given && tcgrr_unlogged_possible(given);
}

bool tcgrr_control_judge(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                         struct tcgrr_comparison *found, GError **error)
{
    struct tcgrr_replay_result own = {0};
    GError *problem = NULL;

    /* That it hangs can be due to the log. */
    if (!found->diverged || (found->kind != TCGRR_DIVERGENCE_HUNG && !may_not_repeat(reader))) {
        return true;
    }
    tcgrr_icount place = MAX(found->icount, found->data.to[0]);
    tcgrr_control_replay(reader, options, place + TCGRR_DOUBTS_FURTHER, &own, &problem);
    bool good =
        tcgrr_doubts_judge_control(found, &own.comparison, problem, "the QEMU that recorded", is_system(reader), error);
    tcgrr_replay_result_clear(&own);
    return good;
}

bool tcgrr_control_check(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                         struct tcgrr_replay_result *result, GError **error)
{
    bool further = options->extra && *options->extra;

    /* Without either, this was the QEMU that recorded. */
    return (!options->qemu && !further) || options->arguments ||
           tcgrr_control_judge(reader, options, &result->comparison, error);
}
