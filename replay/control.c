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

static bool applies(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                    const struct tcgrr_replay_result *result)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_qemu *qemu = result->session ? tcgrr_session_qemu(result->session) : NULL;
    g_auto(GStrv) words = run->rr ? tcgrr_recorded_words(reader, NULL, NULL) : NULL;

    if (!words || !result->comparison.diverged || !options->qemu || options->arguments || !qemu || !qemu->system) {
        return false;
    }
    g_autoptr(GArray) given = tcgrr_options_scan_system((const char *const *)words + 1);
    return tcgrr_unlogged_possible(given);
}

bool tcgrr_control_check(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                         struct tcgrr_replay_result *result, GError **error)
{
    struct tcgrr_comparison *found = &result->comparison;
    struct tcgrr_replay_result own = {0};
    GError *problem = NULL;

    if (!applies(reader, options, result)) {
        return true;
    }
    tcgrr_icount place = MAX(found->icount, found->data.to[0]);
    tcgrr_control_replay(reader, options, place + TCGRR_DOUBTS_FURTHER, &own, &problem);
    bool good = tcgrr_doubts_judge_control(found, &own.comparison, problem, "the QEMU that recorded", error);
    tcgrr_replay_result_clear(&own);
    return good;
}
