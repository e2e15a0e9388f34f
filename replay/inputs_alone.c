/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/inputs_alone.h"

#include "emu/qemu/replay_wait.h"
#include "replay/stop.h"
#include "replay/visit.h"
#include "store/error.h"

#define QUIT_MS 10000

struct alone {
    struct tcgrr_reader *reader;
    const struct tcgrr_replay_options *options;
    struct tcgrr_replay_result *result;
    struct tcgrr_replay_wait wait;
};

static void diverge(struct alone *alone, enum tcgrr_divergence_kind kind, enum tcgrr_run_source_state end,
                    const char *note)
{
    struct tcgrr_comparison *comparison = &alone->result->comparison;

    comparison->diverged = true;
    comparison->kind = kind;
    comparison->ends[1] = end;
    comparison->icount = alone->wait.seen;
    comparison->note = g_strdup_printf("%s after icount %" G_GUINT64_FORMAT "; the recording has no instructions to "
                                       "compare with, so what ran differently before is not known",
                                       note, comparison->icount);
    comparison->common = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_exec));
    for (int i = 0; i < 2; i++) {
        comparison->sides[i].history = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_exec));
        comparison->sides[i].events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    }
}

/* QEMU did not reach its target: a divergence, if it had begun to run. */
static bool explain(struct alone *alone, GError *problem, GError **error)
{
    struct tcgrr_session *session = alone->result->session;
    bool hung = problem->code == TCGRR_ERROR_HUNG;
    bool over = problem->code == TCGRR_ERROR_FAILED && tcgrr_process_wait(tcgrr_session_process(session), QUIT_MS);

    if (!(hung ? tcgrr_session_check_hung(session, error) : !over || tcgrr_session_check_end(session, 1, error))) {
        g_error_free(problem);
        return false;
    }
    if (problem->code == TCGRR_ERROR_STOPPED || (!hung && !over) || alone->wait.seen == 0) {
        g_propagate_error(error, problem);
        return false;
    }
    g_error_free(problem);
    if (hung) {
        diverge(alone, TCGRR_DIVERGENCE_HUNG, TCGRR_SOURCE_HUNG, "the replay hangs");
    } else {
        diverge(alone, TCGRR_DIVERGENCE_CUT, TCGRR_SOURCE_CUT, "the replaying QEMU ended some time");
    }
    return true;
}

/* Whether it has gone to `icount`, QEMU's own count, and is stopped there; otherwise there is an error or a divergence.
 */
static bool go(struct alone *alone, tcgrr_icount icount, bool *there, GError **error)
{
    GError *problem = NULL;
    tcgrr_icount stands = 0;

    *there = tcgrr_replay_break(alone->wait.qmp, icount, &problem) && tcgrr_replay_wait_stop(&alone->wait, &problem) &&
             tcgrr_replay_wait_icount(&alone->wait, &stands, &problem);
    if (!*there) {
        return explain(alone, problem, error);
    }
    alone->wait.seen = stands;
    if (stands != icount) {
        *there = false;
        diverge(alone, TCGRR_DIVERGENCE_ENDED, TCGRR_SOURCE_SHUTDOWN, "the replay ended");
    }
    return true;
}

/* Goes to `last`, perhaps with a stop on the way, to leave a keyframe there. */
static bool go_to_last(struct alone *alone, tcgrr_icount last, bool *there, GError **error)
{
    struct tcgrr_replay_result *result = alone->result;
    tcgrr_icount first = result->visit ? tcgrr_replay_visit_begin(result->visit, result->session) : last;

    *there = true;
    if (first < last) {
        bool good = go(alone, tcgrr_session_own_icount(result->session, first), there, error);
        if (!good || !*there) {
            return good;
        }
        tcgrr_replay_visit_leave(result->visit);
    }
    /* QEMU does not stop where it already is. */
    return last == 0 || go(alone, tcgrr_session_own_icount(result->session, last), there, error);
}

/* From the last place before the end: QEMU ends as the recorded one did. */
static bool finish(struct alone *alone, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(alone->reader);
    struct tcgrr_session *session = alone->result->session;
    struct tcgrr_process *process = tcgrr_session_process(session);
    tcgrr_icount own = tcgrr_session_own_icount(session, run->icount);
    GError *problem = NULL;
    tcgrr_icount stands = 0;

    alone->result->comparison.ends[1] = TCGRR_SOURCE_SHUTDOWN;
    if (!tcgrr_replay_continue(alone->wait.qmp, &problem) || !tcgrr_replay_wait_stop(&alone->wait, &problem) ||
        !tcgrr_replay_wait_icount(&alone->wait, &stands, &problem)) {
        g_autofree char *end = tcgrr_process_wait(process, QUIT_MS) ? tcgrr_process_describe_end(process) : NULL;
        if (problem->code == TCGRR_ERROR_FAILED && g_strcmp0(end, run->exit) == 0) {
            g_error_free(problem); /* a device has ended it, then as now */
            return true;
        }
        return explain(alone, problem, error);
    }
    if (stands != own && !(stands < own && stands >= alone->result->inputs.asked_after)) {
        alone->wait.seen = stands;
        diverge(alone, TCGRR_DIVERGENCE_ENDED, TCGRR_SOURCE_SHUTDOWN, "the replay ended");
    }
    alone->result->qemu_icount = tcgrr_session_ask_icount(session);
    json_decref(tcgrr_qmp_execute(alone->wait.qmp, "quit", NULL, QUIT_MS, NULL));
    return true;
}

bool tcgrr_replay_inputs_alone(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                               struct tcgrr_replay_result *result, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    bool whole = run->complete && (options->at == UINT64_MAX || options->at >= run->icount);
    tcgrr_icount reach = MAX(result->inputs.reach, 1) - 1;
    tcgrr_icount last = whole ? MAX(run->icount, 1) - 1 : MIN(options->at, run->complete ? run->icount : reach);
    struct alone alone = {.reader = reader, .options = options, .result = result};
    bool there = false;

    alone.wait = (struct tcgrr_replay_wait){.qmp = tcgrr_session_qmp(result->session, error),
                                            .process = tcgrr_session_process(result->session),
                                            .name = tcgrr_session_qemu(result->session)->path,
                                            .hang_ms = options->hang_ms,
                                            .stop = options->stop,
                                            .progress = options->progress,
                                            .data = options->data};
    result->comparison.places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_tolerated));
    if (!alone.wait.qmp) {
        return false;
    }
    if (!go_to_last(&alone, last, &there, error)) {
        return false;
    }
    if (!there) {
        return true;
    }
    result->stopped_at = options->at == UINT64_MAX ? -1 : (int64_t)options->at;
    if (whole) {
        return finish(&alone, error);
    }
    result->comparison.ends[1] = TCGRR_SOURCE_STOPPED;
    result->qemu_icount = tcgrr_session_ask_icount(result->session);
    if (result->visit && result->qemu_icount == (int64_t)options->at) {
        tcgrr_replay_visit_arrive(result->visit);
    }
    return true;
}
