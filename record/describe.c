/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The description of a run as a whole in its trace. */
#include "record/record_internal.h"

#include "store/words.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *keep_string(struct recorder *recorder, const char *text)
{
    return g_string_chunk_insert(recorder->texts, text ? text : "");
}

static const char *now_text(struct recorder *recorder)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *text = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
    return keep_string(recorder, text);
}

static const char *words_json(struct recorder *recorder, const char *first, const char *const *words)
{
    json_t *array = json_array();
    if (first) {
        json_array_append_new(array, tcgrr_word_json(first));
    }
    for (; *words; words++) {
        json_array_append_new(array, tcgrr_word_json(*words));
    }
    char *text = json_dumps(array, JSON_COMPACT);
    const char *kept = keep_string(recorder, text);
    free(text);
    json_decref(array);
    return kept;
}

static uint32_t sample_step(const struct tcgrr_record_options *options)
{
    return options->sample_step ? options->sample_step : TCGRR_SAMPLE_STEP;
}

void tcgrr_recorder_describe(struct recorder *recorder)
{
    const struct tcgrr_qemu *qemu = tcgrr_session_qemu(recorder->session);
    const struct tcgrr_command *command = tcgrr_session_command(recorder->session);
    const char *given = recorder->options->directory;
    g_autofree char *directory = given ? g_strdup(given) : g_get_current_dir();
    struct utsname host = {0};
    uname(&host);
    g_autofree char *host_text = g_strdup_printf("%s %s %s", host.sysname, host.release, host.machine);

    recorder->run = (struct tcgrr_run){
        .tool_version = recorder->options->tool_version,
        .started = now_text(recorder),
        .host = keep_string(recorder, host_text),
        .directory = keep_string(recorder, directory),
        .command = words_json(recorder, NULL, (const char *const *)command->argv),
        .original_command = words_json(recorder, recorder->options->qemu, recorder->options->arguments),
        .qemu_path = qemu->path,
        .qemu_version = qemu->version,
        .qemu_banner = qemu->banner,
        .qemu_build_id = qemu->build_id,
        .target = qemu->target,
        .mode = qemu->system ? "system" : "user",
        .api_version = qemu->api,
        .rr = command->mode == TCGRR_RUN_RECORD,
        .icount_shift = command->icount_shift,
        .vcpus = command->vcpus,
        .reports_discontinuities = qemu->reports_discontinuities,
        .level = tcgrr_level_name(recorder->options->level),
        .qemu_icount = -1,
        .decided = -1,
        .sample_step = recorder->options->level < TCGRR_LEVEL_STATE ? 0 : sample_step(recorder->options),
        .mem_from = -1,
        .mem_until = -1,
        .output = qemu->system ? NULL : tcgrr_output_name(tcgrr_output_kind(STDOUT_FILENO)),
    };
}

void tcgrr_recorder_describe_end(struct recorder *recorder, const struct tcgrr_chunk *last,
                                 const struct tcgrr_record_result *result)
{
    struct tcgrr_run *run = &recorder->run;
    run->ended = now_text(recorder);
    run->duration_s = (double)(g_get_monotonic_time() - recorder->began) / 1e6;
    run->exit = result->exit;
    run->guest_shutdown = tcgrr_session_guest_shutdown(recorder->session);
    run->interrupted = recorder->options->stop ? *recorder->options->stop % TCGRR_RECORD_FORCE : 0;
    run->complete = result->end == TCGRR_LIVE_FINISHED && !recorder->store_failed;
    run->icount = last->end_icount;
    if (strcmp(run->mode, "user") == 0) {
        run->vcpus = tcgrr_live_threads(tcgrr_session_live(recorder->session));
        run->auxv = tcgrr_live_auxv(tcgrr_session_live(recorder->session));
        run->sample_from += recorder->origin_in_code ? tcgrr_live_start_code(tcgrr_session_live(recorder->session)) : 0;
    }
    run->logged = run->complete && run->rr ? run->icount : recorder->logged;
    run->qemu_icount = tcgrr_session_qemu_icount(recorder->session);
    run->execs = last->first_seq + last->count;
    if (recorder->options->level == TCGRR_LEVEL_FULL) {
        tcgrr_icount from;
        tcgrr_icount until;
        tcgrr_live_window(tcgrr_session_live(recorder->session), &from, &until);
        run->mem_from = from <= run->icount ? (int64_t)from : -1;
        run->mem_until = until <= run->icount ? (int64_t)until : -1;
    }
    run->assumed = tcgrr_live_assumed(tcgrr_session_live(recorder->session));
}
