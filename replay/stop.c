/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/stop.h"

#include "store/error.h"

#define QMP_TIMEOUT_MS 20000

static bool tell(struct tcgrr_qmp *qmp, const char *command, json_t *arguments, GError **error)
{
    json_t *answer = tcgrr_qmp_execute(qmp, command, arguments, QMP_TIMEOUT_MS, error);
    json_decref(answer);
    return answer != NULL;
}

bool tcgrr_replay_to(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                     const struct tcgrr_side_live_options *live, struct tcgrr_replay_result *result, GError **error)
{
    struct tcgrr_qmp *qmp = tcgrr_session_qmp(result->session, error);
    json_t *place = json_pack("{s:I}", "icount", (json_int_t)options->at);
    struct tcgrr_compare_options how = {
        .until = options->at, .history = options->history, .tolerate_cut_a = !tcgrr_reader_run(reader)->complete};

    if (!qmp || !tell(qmp, "replay-break", place, error) || !tell(qmp, "cont", NULL, error)) {
        return false;
    }
    result->sides[1] = tcgrr_side_live(result->session, live);
    return tcgrr_compare(result->sides[0], result->sides[1], &how, &result->comparison, error);
}
