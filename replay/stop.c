/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/stop.h"

#include "replay/visit.h"

#define QMP_TIMEOUT_MS 60000
#define WAIT_MS        2

static bool tell(struct tcgrr_qmp *qmp, const char *command, json_t *arguments, GError **error)
{
    json_t *answer = tcgrr_qmp_execute(qmp, command, arguments, QMP_TIMEOUT_MS, error);
    json_decref(answer);
    return answer != NULL;
}

bool tcgrr_replay_continue(struct tcgrr_qmp *qmp, GError **error)
{
    return tell(qmp, "cont", NULL, error);
}

static bool set_break(struct tcgrr_qmp *qmp, tcgrr_icount icount, GError **error)
{
    return tell(qmp, "replay-break", json_pack("{s:I}", "icount", (json_int_t)icount), error);
}

bool tcgrr_replay_break(struct tcgrr_qmp *qmp, tcgrr_icount icount, GError **error)
{
    return set_break(qmp, icount, error) && tcgrr_replay_continue(qmp, error);
}

/* Where the recording ends at the place, all is compared before QEMU has been seen to stop there. */
static bool await_stop(const struct tcgrr_compare_options *how, const struct tcgrr_run_source_live_options *live,
                       const struct tcgrr_replay_result *result)
{
    bool ends_there = how->until[0].kind == TCGRR_POSITION_ICOUNT;

    for (int waited = 0; ends_there && waited < live->hang_ms && !*live->stop; waited += WAIT_MS) {
        if (tcgrr_session_paused(result->session)) {
            return true;
        }
        g_usleep(WAIT_MS * 1000);
    }
    return false;
}

/* Adds to the error what QEMU said, if it has ended. Always returns false. */
static bool explain(struct tcgrr_session *session, GError **error)
{
    tcgrr_process_explain_end(tcgrr_session_process(session), tcgrr_session_qemu(session)->path, error);
    return false;
}

/* Has QEMU, which is paused, run on to there, and watches it. */
static bool go_on_to(struct tcgrr_session *session, tcgrr_icount to, GError **error)
{
    struct tcgrr_qmp *qmp = tcgrr_session_qmp(session, error);

    if (!qmp || !set_break(qmp, tcgrr_session_own_icount(session, to), error)) {
        return explain(session, error);
    }
    tcgrr_session_resume(session);
    return true;
}

/* Called at a place on the way: leaves a keyframe if worthwhile, and lets QEMU continue. */
static bool pass(tcgrr_icount to, void *data, GError **error)
{
    struct tcgrr_replay_result *result = data;
    struct tcgrr_session *session = result->session;
    tcgrr_session_unpause(session);
    tcgrr_replay_visit_leave(result->visit);
    return go_on_to(session, to, error);
}

/* QEMU, which starts paused, stands at the run's first icount. It need not stop at a break there: on x86 it runs on. */
static bool stands_there(struct tcgrr_session *session)
{
    return true;
}

bool tcgrr_replay_to(const struct tcgrr_compare_options *how, const struct tcgrr_replay_options *options,
                     const struct tcgrr_run_source_live_options *live, struct tcgrr_replay_result *result,
                     GError **error)
{
    struct tcgrr_run_source_live_options watched = *live;

    /* When it answers it has loaded the keyframe; processor time from now on is spent on the way. */
    if (!tcgrr_session_qmp(result->session, error)) {
        return explain(result->session, error);
    }
    tcgrr_icount first = result->visit ? tcgrr_replay_visit_begin(result->visit, result->session) : options->at;

    if (first > 0 && !go_on_to(result->session, first, error)) {
        return false;
    }
    watched.stop_at = first;
    watched.goes_to = options->at;
    watched.pass = pass;
    watched.pass_data = result;
    watched.paused = first > 0 ? tcgrr_session_settled : stands_there;
    result->sides[1] = tcgrr_run_source_live(result->session, &watched);
    if (!tcgrr_compare(result->sides[0], result->sides[1], how, &result->comparison, error)) {
        return false;
    }
    if (result->comparison.diverged) {
        return true;
    }
    if (result->comparison.ends[1] != TCGRR_SOURCE_STOPPED && !await_stop(how, live, result)) {
        return true;
    }
    result->qemu_icount = tcgrr_session_ask_icount(result->session);
    if (result->visit && result->qemu_icount == (int64_t)options->at) {
        tcgrr_replay_visit_arrive(result->visit);
    }
    return true;
}
