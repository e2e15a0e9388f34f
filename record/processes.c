/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What traces say of processes that were recorded together. */
#include "record/record_internal.h"

#include <string.h>

bool tcgrr_recorder_store_process(struct recorder *recorder, const struct tcgrr_record_result *result, GError **error)
{
    const struct tcgrr_command *command = tcgrr_session_command(recorder->session);
    g_autofree char *executed = tcgrr_live_program(tcgrr_session_live(recorder->session));
    struct tcgrr_recorded_process own = {
        .name = recorder->child ? recorder->child->name : TCGRR_FIRST_PROCESS,
        .pid = tcgrr_process_pid(tcgrr_session_process(recorder->session)),
        .program = executed          ? executed
                   : command->kernel ? command->kernel
                                     : "",
        .exit = result->exit,
        .icount = recorder->run.icount,
        .complete = tcgrr_run_ended(&recorder->run),
    };
    g_autofree char *trace = g_path_get_basename(recorder->options->output);

    own.trace = trace;
    if (recorder->child) {
        recorder->child->found = own;
        recorder->child->found.program = g_strdup(own.program);
        recorder->child->found.exit = g_strdup(own.exit);
        recorder->child->found.trace = g_strdup(trace);
        recorder->child->forks = tcgrr_live_forks(tcgrr_session_live(recorder->session));
    }
    return tcgrr_writer_process(recorder->writer, &own, error);
}

static void note_problem(struct tcgrr_record_result *result, const char *text)
{
    if (!result->lost) {
        result->lost = g_strdup(text);
    }
}

bool tcgrr_recorder_store_children(struct recorder *recorder, struct tcgrr_record_result *result, GError **error)
{
    tcgrr_family_wait(recorder->family, tcgrr_live_forks(tcgrr_session_live(recorder->session)),
                      recorder->options->stop);
    const GPtrArray *children = tcgrr_family_children(recorder->family);
    uint32_t missing = tcgrr_family_missing(recorder->family);

    for (guint i = 0; i < children->len; i++) {
        const struct tcgrr_family_child *child = children->pdata[i];
        struct tcgrr_recorded_process process = child->found;
        process.name = child->name;
        process.pid = child->fork.pid;
        if (child->error) {
            g_autofree char *text =
                g_strdup_printf("process %s was not recorded: %s", child->name, child->error->message);
            note_problem(result, text);
        } else if (!tcgrr_writer_process(recorder->writer, &process, error)) {
            return false;
        }
    }
    if (missing > 0) {
        g_autofree char *text = g_strdup_printf(
            "%u forked processes ended, or lost their connection to tcgrr, before they could be recorded", missing);
        note_problem(result, text);
    }
    return !result->lost || tcgrr_writer_note(recorder->writer, result->lost, error);
}
