/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/replay.h"

#include "replay/guest_files.h"

#include "emu/qemu/calls_file.h"
#include "emu/qemu/command_options.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/scratch.h"
#include "emu/qemu/unlogged.h"
#include "lockstep/doubts.h"
#include "lockstep/shared_machine.h"
#include "replay/control.h"
#include "replay/inputs_alone.h"
#include "replay/keyframes.h"
#include "replay/recorded.h"
#include "replay/stop.h"
#include "replay/unpinned.h"
#include "replay/visit.h"
#include "store/error.h"
#include "store/words.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

/* In a folder of the replay's own. */
#define RR_FILE          "replay.rr"
#define RR_FILE_ORIGINAL "original.rr"
#define START_ORIGINAL   "original.qcow2"

const char *tcgrr_replay_inputs_name(const struct tcgrr_replay_inputs *inputs)
{
    return inputs->own ? "own" : inputs->translated ? "translated" : "shared";
}

static bool is_user(struct tcgrr_reader *reader)
{
    return g_strcmp0(tcgrr_reader_run(reader)->mode, "user") == 0;
}

static bool check_replayable(struct tcgrr_reader *reader, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    if (run->rr || is_user(reader)) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s was recorded without rr and cannot be replayed; %s",
                tcgrr_reader_path(reader),
                run->vcpus > 1 ? "QEMU's rr takes one vCPU only" : "record it again without --no-rr");
    return false;
}

bool tcgrr_replay_check(struct tcgrr_reader *reader, GError **error)
{
    g_auto(GStrv) words = check_replayable(reader, error) ? tcgrr_recorded_words(reader, NULL, error) : NULL;
    g_autofree char *folder = words ? tcgrr_scratch_folder("replay", error) : NULL;
    if (!folder) {
        return false;
    }
    g_autofree char *rr_file = g_build_filename(folder, "replay.rr", NULL);
    g_autofree char *calls = is_user(reader) ? tcgrr_recorded_calls(reader, folder, error) : NULL;
    struct tcgrr_rrlog_rewritten rewritten;
    bool good = is_user(reader) ? calls != NULL : tcgrr_recorded_rr(reader, rr_file, NULL, NULL, &rewritten, error);
    tcgrr_folder_remove(folder);
    return good;
}

bool tcgrr_replay_check_system(struct tcgrr_reader *reader, const char *why, GError **error)
{
    if (is_user(reader)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s is a user-mode recording: %s",
                    tcgrr_reader_path(reader), why);
    }
    return !is_user(reader);
}

static enum tcgrr_level recorded_level(struct tcgrr_reader *reader)
{
    return tcgrr_run_level(tcgrr_reader_run(reader));
}

/* Whether there is nothing to compare with. */
static bool inputs_alone(struct tcgrr_reader *reader)
{
    return recorded_level(reader) == TCGRR_LEVEL_INPUTS;
}

static bool is_closer(const struct tcgrr_replay_options *options)
{
    return options->closer.from < options->closer.to;
}

/* Whether the replay is to be stopped before it ends by itself. */
static bool stops_inside(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    bool goes_on = run->tail > 0 && !run->guest_shutdown; /* the recording was ended before the log was */
    return options->at != UINT64_MAX && !(run->complete && !goes_on && options->at == run->icount);
}

/* The files for the QEMUs, in a private folder. Each QEMU has its own images. */
struct replay_files {
    char *rr;
    char *start; /* the image that the run starts from; NULL: it starts at reset */
    /* For the QEMU that recorded. */
    char *original_rr;
    char *original_start;
    /* User mode. */
    char *calls;
    char **environment;
};

static void clear_files(struct replay_files *files)
{
    g_free(files->rr);
    g_free(files->start);
    g_free(files->original_rr);
    g_free(files->original_start);
    g_free(files->calls);
    g_strfreev(files->environment);
}

/* The QEMU to replay in: the named one, or if NULL the one that recorded. */
static const char *choose_qemu(struct tcgrr_reader *reader, const char *other, char **words)
{
    const char *recorded = tcgrr_reader_run(reader)->qemu_path;
    return other ? other : recorded ? recorded : words[0];
}

/* `original`: in the QEMU that recorded, whatever the options say. `keyframe`: where it starts. */
static struct tcgrr_session *open_session(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                                          bool original, const struct replay_files *files,
                                          const struct tcgrr_keyframe *keyframe, char **words, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    /* Samples count branches from where both start. */
    bool aside = keyframe->folder && !options->begin.folder;
    enum tcgrr_level level = inputs_alone(reader)     ? TCGRR_LEVEL_INPUTS
                             : aside || options->flow ? TCGRR_LEVEL_FLOW
                             : options->states        ? TCGRR_LEVEL_STATE
                                                      : recorded_level(reader);
    struct tcgrr_session_options session = {
        .qemu = choose_qemu(reader, original ? NULL : options->qemu, words),
        .known = options->known[original ? 0 : 1],
        .arguments = (const char *const *)words + 1,
        .own = options->extra,
        .plugin = options->plugin,
        .mode = files->calls ? TCGRR_RUN_PLAIN : TCGRR_RUN_REPLAY,
        .level = MIN(level, TCGRR_LEVEL_STATE),
        .lower = true,
        .icount = files->calls ? NULL : run->icount_shift,
        .rr_file = original ? files->original_rr : files->rr,
        .inputs = files->calls,
        .given = true,
        .environment = files->environment,
        .output = files->calls ? tcgrr_output_named(run->output) : TCGRR_OUTPUT_OURS,
        .start = original ? files->original_start : files->start,
        .start_icount = tcgrr_recorded_start(reader),
        .keyframe = keyframe->folder,
        .keyframe_icount = keyframe->icount,
        .directory = !options->arguments && run->directory && g_file_test(run->directory, G_FILE_TEST_IS_DIR)
                         ? run->directory
                         : NULL,
        .start_paused = !files->calls && (stops_inside(reader, options) || inputs_alone(reader)),
        .quiet = options->quiet,
        .output_to_errors = options->output_to_errors,
    };
    struct tcgrr_session *opened = tcgrr_session_new(&session, error);
    if (opened) {
        bool sampled = recorded_level(reader) >= TCGRR_LEVEL_STATE;
        tcgrr_live_set_sample_step(tcgrr_session_live(opened), sampled ? run->sample_step : TCGRR_SAMPLE_STEP);
        if (sampled && run->has_sample_from && !options->begin.folder) {
            tcgrr_live_set_sample_origin(tcgrr_session_live(opened), run->sample_from, false);
        }
        tcgrr_live_set_closer_samples(tcgrr_session_live(opened), options->closer.from, options->closer.to);
    }
    return opened;
}

static bool check_target(struct tcgrr_reader *reader, struct tcgrr_session *session, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_qemu *qemu = tcgrr_session_qemu(session);
    const char *mode = qemu->system ? "system" : "user";

    if (strcmp(qemu->target, run->target) == 0 && strcmp(mode, run->mode) == 0) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "%s is a QEMU for %s in %s mode, but %s was recorded on %s in %s mode", qemu->path, qemu->target, mode,
                tcgrr_reader_path(reader), run->target, run->mode);
    return false;
}

/* Writes the inputs as this QEMU reads them. */
static bool write_inputs(struct tcgrr_reader *reader, const char *rr_file, const struct tcgrr_qemu *qemu, char **words,
                         struct tcgrr_replay_inputs *result, GError **error)
{
    struct tcgrr_rrlog_rewritten rewritten = {0};
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    if (is_user(reader)) {
        result->own = !tcgrr_qemu_gives_results(run->target, run->api_version, qemu->api);
        result->reach = run->icount;
        return true;
    }
    bool good = tcgrr_recorded_rr(reader, rr_file, qemu->version, words, &rewritten, error);

    result->translated = rewritten.state.translated;
    result->reach = rewritten.state.end;
    result->asked_after = rewritten.state.was_moved ? rewritten.state.moved : 0;
    return good;
}

/* The QEMU that recorded, where the recording has no samples to compare with. */
static bool open_original(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                          const struct replay_files *files, char **words, struct tcgrr_replay_result *result,
                          GError **error)
{
    struct tcgrr_replay_inputs inputs;

    bool stored = recorded_level(reader) >= TCGRR_LEVEL_STATE && !is_closer(options) && !options->begin.folder;
    if (!options->states || stored || tcgrr_session_level(result->session) < TCGRR_LEVEL_STATE ||
        tcgrr_reader_run(reader)->api_version < 2) {
        return true;
    }
    if (files->start && !tcgrr_file_copy(files->start, files->original_start, error)) {
        return false;
    }
    /* Further arguments are the other one's. */
    g_auto(GStrv) own = g_strdupv(words);
    guint further = options->extra ? g_strv_length((char **)options->extra) : 0;
    for (guint last = g_strv_length(own); further > 0; further--) {
        g_clear_pointer(&own[--last], g_free);
    }
    result->original = open_session(reader, options, true, files, &options->begin, own, error);
    return result->original &&
           write_inputs(reader, files->original_rr, tcgrr_session_qemu(result->original), own, &inputs, error) &&
           tcgrr_recorded_follow_log(reader, files->original_rr, result->original, error) &&
           tcgrr_session_start(result->original, error);
}

static bool gives_data(struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    return !is_user(reader) ||
           (tcgrr_qemu_gives_data(run->target, run->api_version) && tcgrr_qemu_gives_data(qemu->target, qemu->api));
}

/* The states are compared where both have samples, and get the same data. */
static struct tcgrr_compare_options choose_how(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                                               const struct tcgrr_replay_result *result)
{
    struct tcgrr_session *session = result->session;
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    struct tcgrr_compare_options how = options->compare;

    /* Both share what came from outside the guest: nothing can be shifted. */
    how.strict = true;
    how.stop = options->stop;
    how.tolerate_cut_a = !run->complete;
    how.may_be_empty = options->at == 0; /* where a debugger is to begin */
    how.reach = result->inputs.reach;
    how.asked_after = &result->inputs.asked_after;
    /* The recording may have been ended before the log was. */
    if (run->complete && run->tail > 0 && !run->guest_shutdown && !inputs_alone(reader) &&
        (options->at == UINT64_MAX || options->at == run->icount) && how.until[0].kind == TCGRR_POSITION_NONE) {
        how.until[0] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, run->icount};
    }
    if (gives_data(reader, tcgrr_session_qemu(session)) && tcgrr_session_level(session) >= TCGRR_LEVEL_STATE &&
        (result->original || recorded_level(reader) >= TCGRR_LEVEL_STATE)) {
        const struct tcgrr_qemu *qemu = tcgrr_session_qemu(session);
        how.state.target = run->target;
        how.state.same_qemu =
            tcgrr_state_same_qemu(run->qemu_version, run->qemu_build_id, qemu->version, qemu->build_id);
    }
    return how;
}

static void note_call(const struct tcgrr_event *event, void *data)
{
    bool *calls = data;
    *calls = event->kind == TCGRR_EVENT_SYSCALL || (*calls && event->kind != TCGRR_EVENT_SYSCALL_RETURN);
}

/* A signal from outside ended the recorded program. A replay has no such signal, so it continues: ends the comparison
 * there. */
static bool end_at_signal(struct tcgrr_reader *reader, struct tcgrr_compare_options *how, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    bool calls = false;

    if (!is_user(reader) || !run->exit || !g_str_has_prefix(run->exit, "signal ") ||
        how->until[0].kind != TCGRR_POSITION_NONE) {
        return true;
    }
    if (!tcgrr_reader_events(reader, run->icount, run->icount, note_call, &calls, error)) {
        return false;
    }
    if (!calls && !tcgrr_compare_is_raised(run->exit)) {
        how->until[0] = how->until[1] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, run->icount};
    }
    return true;
}

/* A has delivered all that it was started for. */
static void end_original(void *data)
{
    struct tcgrr_replay_result *result = data;
    tcgrr_process_stop(tcgrr_session_process(result->original), 0);
}

/* Checks that the run, and the rr log that replays it, continue beyond `at` or end there in an orderly way. */
static bool check_stop(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                       const struct tcgrr_replay_result *result, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    struct tcgrr_totals totals = {0};

    if (options->at == UINT64_MAX) {
        return true;
    }
    if (!run->complete && !tcgrr_reader_totals(reader, &totals, error)) {
        return false;
    }
    tcgrr_icount reach = result->inputs.reach - 1;
    tcgrr_icount last = run->complete ? run->icount : inputs_alone(reader) ? reach : MIN(totals.icount, reach);
    if (options->at > last) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s %s after %" G_GUINT64_FORMAT
                    " instructions; its replay cannot be stopped at %" G_GUINT64_FORMAT,
                    tcgrr_reader_path(reader), run->complete ? "ends" : "was cut short", last, options->at);
        return false;
    }
    return true;
}

/* A release that asks for other events before its first instruction, or for fewer, cannot replay the log at all. */
static bool check_begun(struct tcgrr_reader *reader, const struct tcgrr_replay_result *result, GError **error)
{
    const struct tcgrr_comparison *comparison = &result->comparison;

    if (!result->inputs.translated || !comparison->diverged || comparison->compared > 0 || comparison->sides[1].there) {
        return true;
    }
    g_set_error(
        error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
        "QEMU %s cannot replay %s, of QEMU %s: before the first instruction it does not ask for the same events",
        result->qemu_version, tcgrr_reader_path(reader), tcgrr_reader_run(reader)->qemu_version);
    return false;
}

static void note_interruption(const struct tcgrr_event *event, void *data)
{
    bool *interrupted = data;
    *interrupted |= event->kind == TCGRR_EVENT_INTERRUPT || event->kind == TCGRR_EVENT_EXCEPTION;
}

/* The log has interrupts and exceptions at the icounts at which they came in the recording, which is elsewhere in the
 * code if the two reached it after different numbers of instructions. */
static bool check_from(struct tcgrr_reader *reader, struct tcgrr_replay_result *result, GError **error)
{
    struct tcgrr_comparison *found = &result->comparison;
    const tcgrr_icount *begun = found->aligned;
    bool interrupted = tcgrr_reader_run(reader)->level == TCGRR_LEVEL_INPUTS; /* has no events */

    if (!found->diverged || is_user(reader) || begun[0] == begun[1]) {
        return true;
    }
    if (!tcgrr_reader_events(reader, MIN(begun[0], begun[1]), MAX(begun[0], begun[1]) + found->compared,
                             note_interruption, &interrupted, error)) {
        return false;
    }
    return !interrupted ||
           tcgrr_comparison_withdraw(found, "the recorded inputs come at other places", error,
                                     "no verdict: the two differ at icount %" G_GUINT64_FORMAT
                                     ", but reached the place from which they are compared after different numbers of "
                                     "instructions (%" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT
                                     "), so the recorded interrupts come at other places in the code",
                                     found->icount, begun[0], begun[1]);
}

/* Whether this was the QEMU that recorded, as it was started then. */
static bool repeats(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                    const struct tcgrr_replay_result *result)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_qemu *qemu = tcgrr_session_qemu(result->session);

    return !options->qemu && !(options->extra && *options->extra) && !options->arguments &&
           tcgrr_state_same_qemu(run->qemu_version, run->qemu_build_id, qemu->version, qemu->build_id);
}

static bool check_doubts(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                         struct tcgrr_replay_result *result, GError **error)
{
    struct tcgrr_session *session = result->session;
    const char *versions[] = {tcgrr_reader_run(reader)->qemu_version, tcgrr_session_qemu(session)->version};
    bool repeated = result->comparison.diverged && repeats(reader, options, result);
    bool unchanged = (repeated || result->comparison.clock_read) && tcgrr_guest_files_same(reader);
    struct tcgrr_doubts_run run = {
        .target = tcgrr_session_qemu(session)->target,
        .versions = versions,
        .words = (const char *const *)tcgrr_session_command(session)->argv,
        .blocks = tcgrr_live_blocks(tcgrr_session_live(session)),
        .translated = result->inputs.translated,
        .system = tcgrr_session_qemu(session)->system,
        .repeats = repeated && unchanged,
        .unchanged = unchanged,
    };
    return tcgrr_doubts_check(&result->comparison, &run, error);
}

/* Sets result->stopped_at. */
static bool settle_stop(const struct tcgrr_replay_options *options, struct tcgrr_replay_result *result, GError **error)
{
    const struct tcgrr_comparison *comparison = &result->comparison;
    int64_t wanted = (int64_t)options->at;
    int64_t stands = (int64_t)(comparison->start[0] + comparison->compared);

    if (options->at == UINT64_MAX || comparison->diverged || result->stopped_at >= 0) {
        return true;
    }
    if (stands == wanted && result->qemu_icount >= 0) {
        stands = result->qemu_icount; /* it has the last word */
    }
    if (stands != wanted) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the replay should have stopped at icount %" G_GINT64_FORMAT " but is at %" G_GINT64_FORMAT, wanted,
                    stands);
        return false;
    }
    result->stopped_at = wanted;
    return true;
}

struct exits {
    const struct tcgrr_run *run;
    struct tcgrr_session *session;
};

static char *exit_of(int side, void *data)
{
    const struct exits *exits = data;
    struct tcgrr_process *process = tcgrr_session_process(exits->session);

    if (side == 0) {
        return g_strdup(exits->run->exit);
    }
    return tcgrr_process_ended(process) ? tcgrr_process_describe_end(process) : NULL;
}

static const char *auxv_of(int side, void *data)
{
    const struct exits *exits = data;
    return side == 0 ? exits->run->auxv : tcgrr_live_auxv(tcgrr_session_live(exits->session));
}

/* If both sides are replays, both may have ended although the recorded program continued. */
static bool check_all_compared(struct tcgrr_reader *reader, const struct tcgrr_comparison *comparison, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    tcgrr_icount end = comparison->start[0] + comparison->compared;

    if (comparison->diverged || !run->complete || comparison->input_places > 0 || end >= run->icount) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "no verdict: the same for %" G_GUINT64_FORMAT
                " instructions, where both replays end; the recorded program went on to %" G_GUINT64_FORMAT
                ", with inputs that cannot be given again",
                comparison->compared, run->icount);
    return false;
}

/* A program: calls that returned something else may explain a difference. */
static bool compare_program(struct tcgrr_reader *reader, const struct tcgrr_compare_options *how,
                            struct tcgrr_replay_result *result, bool to_the_end, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_qemu *qemu = tcgrr_session_qemu(result->session);
    struct exits exits = {run, result->session};
    struct tcgrr_given given = {
        .inputs = tcgrr_live_inputs(tcgrr_session_live(result->session)),
        .same_release = strcmp(result->qemu_version, run->qemu_version) == 0,
        .clocks =
            tcgrr_qemu_gives_data(run->target, run->api_version) && tcgrr_qemu_gives_data(qemu->target, qemu->api),
        .isa = tcgrr_isa_of_target(run->target),
        .exit = exit_of,
        .auxv = auxv_of,
        .data = &exits,
    };
    bool good = tcgrr_compare_given(result->sides[0], result->sides[1], how, &given, &result->comparison, error);
    tcgrr_compare_note_start(&result->comparison, (const char *const[]){auxv_of(0, &exits), auxv_of(1, &exits)}, false);
    return good && (!to_the_end || check_all_compared(reader, &result->comparison, error));
}

static bool compare(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                    struct tcgrr_replay_result *result, GError **error)
{
    struct tcgrr_run_source_live_options live = {
        .hang_ms = options->hang_ms,
        .replays = true,
        .enough = options->enough,
        .stop = options->stop,
        .progress = options->progress,
        .data = options->data,
    };
    struct tcgrr_compare_options how = choose_how(reader, options, result);

    struct tcgrr_run_source *stored = tcgrr_run_source_stored(reader, error);
    if (!stored) {
        return false;
    }
    result->sides[0] = stored;
    live.names = is_user(reader) ? stored : NULL;
    if (result->original) {
        result->stored = stored;
        result->sides[0] = tcgrr_run_source_live(result->original, &live);
        how.relief = stored;
        how.relieved = end_original;
        how.data = result;
    }
    if (options->enough > 0) { /* it does not reach the end of the comparison */
        how.until[0] = how.until[1] = (struct tcgrr_position){0};
    }
    how.start = result->start;
    if (how.start == 0 && how.from[0].kind == TCGRR_POSITION_NONE) { /* otherwise it may have diverged before */
        live.original = stored;
    }
    if (stops_inside(reader, options) && is_user(reader)) {
        how.until[0] = how.until[1] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, options->at};
    } else if (stops_inside(reader, options)) {
        return tcgrr_replay_to(&how, options, &live, result, error);
    }
    if (result->original && !end_at_signal(reader, &how, error)) {
        return false;
    }
    result->sides[1] = tcgrr_run_source_live(result->session, &live);
    if (!is_user(reader)) {
        return tcgrr_compare(result->sides[0], result->sides[1], &how, &result->comparison, error);
    }
    bool to_the_end = result->original && how.until[0].kind == TCGRR_POSITION_NONE && live.enough == 0;
    return compare_program(reader, &how, result, to_the_end, error);
}

static void conclude(const struct tcgrr_replay_options *options, struct tcgrr_replay_result *result)
{
    struct tcgrr_process *process = tcgrr_session_process(result->session);

    if (result->comparison.diverged || result->comparison.ends[1] == TCGRR_SOURCE_HUNG ||
        result->comparison.ends[1] == TCGRR_SOURCE_REACHED || result->comparison.ends[1] == TCGRR_SOURCE_STOPPED) {
        tcgrr_process_stop(process, options->quiet ? 0 : 2000); /* if quiet, its further messages are not needed */
    }
    result->exit = tcgrr_session_end(result->session);
    if (result->original) {
        tcgrr_process_stop(tcgrr_session_process(result->original), 0);
    }
    if (result->qemu_icount < 0) {
        result->qemu_icount = tcgrr_session_qemu_icount(result->session);
    }
    result->stderr_tail = tcgrr_process_stderr_tail(process);
    g_strchomp(result->stderr_tail);
}

/* Where the replay begins: for a replay to a place, at the last keyframe before it, if `keyframes_too`. */
static struct tcgrr_keyframe find_start(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                                        bool keyframes_too, const struct replay_files *files, char **words,
                                        const struct tcgrr_qemu *qemu, struct tcgrr_replay_result *result)
{
    bool somewhere =
        stops_inside(reader, options) && options->compare.from[0].kind == TCGRR_POSITION_NONE && !options->states;

    if (!somewhere || !keyframes_too || options->arguments || files->calls) {
        return options->begin;
    }
    struct tcgrr_keyframes_options of = {.reader = reader,
                                         .qemu = qemu,
                                         .rr_file = files->rr,
                                         .extra = options->extra,
                                         .words = words,
                                         .start = files->start};
    result->visit = tcgrr_replay_visit_new(&of, options->at, options->hang_ms, options->stop);
    return tcgrr_replay_visit_start(result->visit);
}

/* Opens the session of the QEMU that is to replay. */
static bool open_replaying(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options, bool keyframes_too,
                           const struct replay_files *files, char **words, struct tcgrr_replay_result *result,
                           GError **error)
{
    struct tcgrr_replay_options with = *options;
    struct tcgrr_qemu qemu = {0};

    if (options->known[1]) {
        tcgrr_qemu_copy(&qemu, options->known[1]);
    } else if (!tcgrr_qemu_probe(choose_qemu(reader, options->qemu, words), options->plugin, &qemu, error)) {
        return false;
    }
    /* A QEMU of no use is refused by its session, with the reason. */
    bool good = qemu.api == 0 || write_inputs(reader, files->rr, &qemu, words, &result->inputs, error);
    if (good) {
        struct tcgrr_keyframe start = find_start(reader, options, keyframes_too, files, words, &qemu, result);
        with.known[1] = &qemu;
        result->start = start.icount;
        result->session = open_session(reader, &with, false, files, &start, words, error);
    }
    tcgrr_qemu_clear(&qemu);
    return result->session != NULL;
}

/* Opens and starts them with these files. */
static bool start_with(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options, bool keyframes_too,
                       const struct replay_files *files, char **words, struct tcgrr_replay_result *result,
                       GError **error)
{
    return open_replaying(reader, options, keyframes_too, files, words, result, error) &&
           check_target(reader, result->session, error) &&
           tcgrr_recorded_suits(reader, tcgrr_session_qemu(result->session), error) &&
           check_stop(reader, options, result, error) &&
           tcgrr_recorded_follow_log(reader, files->rr, result->session, error) &&
           open_original(reader, options, files, words, result, error) && tcgrr_session_start(result->session, error);
}

static bool start_all(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options, bool keyframes_too,
                      const char *folder, struct tcgrr_replay_result *result, GError **error)
{
    g_autofree char *inputs = g_build_filename(folder, TCGRR_SCRATCH_INPUTS, NULL);
    g_auto(GStrv) words = tcgrr_recorded_command(reader, inputs, options->extra, error);
    if (!words) {
        return false;
    }
    if (options->arguments) {
        char **words_given = g_new0(char *, g_strv_length((char **)options->arguments) + 2);
        words_given[0] = g_strdup(words[0]);
        for (guint i = 0; options->arguments[i]; i++) {
            words_given[i + 1] = g_strdup(options->arguments[i]);
        }
        g_strfreev(words);
        words = words_given;
    }
    bool user = is_user(reader);
    struct replay_files files = {
        .calls = user ? tcgrr_recorded_calls(reader, inputs, error) : NULL,
        .rr = g_build_filename(folder, RR_FILE, NULL),
        .start = tcgrr_recorded_start_image(inputs),
        .original_rr = g_build_filename(folder, RR_FILE_ORIGINAL, NULL),
        .original_start = g_build_filename(folder, START_ORIGINAL, NULL),
    };
    if (!files.start) {
        g_clear_pointer(&files.original_start, g_free);
    }
    files.environment = files.calls ? tcgrr_calls_file_environment(files.calls, error) : NULL;
    bool good =
        (!user || files.environment) && start_with(reader, options, keyframes_too, &files, words, result, error);
    clear_files(&files);
    return good;
}

/* If QEMU's count at its end is that of the recording, it has run nothing more: an instruction that had begun, such as
 * the access that stopped the machine, did not retire. */
static void settle_end(struct tcgrr_reader *reader, struct tcgrr_replay_result *result)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    struct tcgrr_comparison *found = &result->comparison;
    bool more = found->diverged && found->kind == TCGRR_DIVERGENCE_ENDED && !found->sides[0].there;

    if (more && run->complete && run->tail == 0 && run->qemu_icount == (int64_t)run->icount &&
        result->qemu_icount == run->qemu_icount) {
        found->diverged = false;
    }
}

/* Counts that are not QEMU's own are off at some place, which could be the one where the two seem to diverge. */
static bool check_counts(struct tcgrr_reader *reader, const struct tcgrr_replay_result *result, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);

    if (!result->comparison.diverged || !run->complete || run->qemu_icount < 0 ||
        run->icount + run->tail == (uint64_t)run->qemu_icount) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "no verdict: the recording counts %" G_GUINT64_FORMAT " instructions and QEMU %" G_GINT64_FORMAT
                ", so %s on QEMU %s is not counted exactly; a newer QEMU may do better (docs/targets.md)",
                run->icount + run->tail, run->qemu_icount, run->target, run->qemu_version);
    return false;
}

/* QEMU may have ended because of the log, and not of the guest. */
static bool check_log(struct tcgrr_reader *reader, struct tcgrr_replay_result *result, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_qemu *qemu = tcgrr_session_qemu(result->session);
    bool same = tcgrr_state_same_qemu(run->qemu_version, run->qemu_build_id, qemu->version, qemu->build_id);

    return tcgrr_lockstep_check_log(&result->comparison, result->stderr_tail, same, error);
}

static void look_for_typed(const char *text, void *data)
{
    bool *typed = data;
    *typed = *typed || strcmp(text, TCGRR_UNLOGGED_NOTE) == 0;
}

static bool check_typed(struct tcgrr_reader *reader, struct tcgrr_comparison *found, GError **error)
{
    bool typed = false;

    if (!found->diverged) {
        return true;
    }
    if (!tcgrr_reader_notes(reader, look_for_typed, &typed, error)) {
        return false;
    }
    if (!typed) {
        return true;
    }
    return tcgrr_comparison_withdraw(found, TCGRR_UNLOGGED_NOTE, error,
                                     "no verdict: the two differ at icount %" G_GUINT64_FORMAT
                                     ", but " TCGRR_UNLOGGED_NOTE
                                     "; record with </dev/null, or -serial stdio -monitor none",
                                     found->icount);
}

static bool replay(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options, bool keyframes_too,
                   struct tcgrr_replay_result *result, GError **error)
{
    *result = (struct tcgrr_replay_result){.qemu_icount = -1, .stopped_at = -1};
    if (!check_replayable(reader, error) || (inputs_alone(reader) && !tcgrr_guest_files_unchanged(reader, error))) {
        return false;
    }
    g_autofree char *folder = tcgrr_scratch_folder("replay", error);
    if (!folder) {
        return false;
    }
    bool good = start_all(reader, options, keyframes_too, folder, result, error);
    if (good) {
        result->qemu_version = g_strdup(tcgrr_session_qemu(result->session)->version);
        good = inputs_alone(reader) ? tcgrr_replay_inputs_alone(reader, options, result, error)
                                    : compare(reader, options, result, error);
        conclude(options, result);
        settle_end(reader, result);
        good = good && check_begun(reader, result, error) && check_from(reader, result, error) &&
               check_log(reader, result, error) && tcgrr_guest_files_check(&result->comparison, reader, error) &&
               check_typed(reader, &result->comparison, error) && check_counts(reader, result, error) &&
               check_doubts(reader, options, result, error) && settle_stop(options, result, error);
    }
    g_autofree char *inputs = g_build_filename(folder, TCGRR_SCRATCH_INPUTS, NULL);
    tcgrr_folder_remove(inputs);
    tcgrr_folder_remove(folder);
    return good;
}

bool tcgrr_replay_as_given(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                           struct tcgrr_replay_result *result, GError **error)
{
    GError *problem = NULL;
    bool good = replay(reader, options, true, result, &problem);
    bool stopped = problem && problem->code == TCGRR_ERROR_STOPPED;

    /* Whatever is wrong with a run from a keyframe may be wrong with the keyframe. */
    if (result->start > 0 && !options->begin.folder && !stopped && (!good || result->comparison.diverged)) {
        struct tcgrr_replay_visit *visit = g_steal_pointer(&result->visit);
        g_clear_error(&problem);
        tcgrr_replay_result_clear(result);
        good = replay(reader, options, false, result, &problem);
        if (good && !result->comparison.diverged) {
            tcgrr_replay_visit_reject(visit);
        }
        tcgrr_replay_visit_free(visit);
    }
    if (problem) {
        g_propagate_error(error, problem);
    }
    return good;
}

/* From a snapshot on, the firmware has run in one release only. */
static bool check_machines(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                           struct tcgrr_replay_result *result, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_pinned *pinned = NULL;
    const char *versions[] = {run->qemu_version, result->qemu_version};

    return tcgrr_reader_pinned(reader, &pinned, error) &&
           (options->keeps_machine || !result->inputs.translated || (pinned && pinned->start_at) ||
            tcgrr_lockstep_check_machines(&result->comparison, run->target, versions, "record --start-at", error));
}

bool tcgrr_replay(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                  struct tcgrr_replay_result *result, GError **error)
{
    return tcgrr_replay_as_given(reader, options, result, error) &&
           tcgrr_unpinned_settle(reader, options, result, error) && check_machines(reader, options, result, error) &&
           tcgrr_control_check(reader, options, result, error);
}

void tcgrr_replay_result_clear(struct tcgrr_replay_result *result)
{
    tcgrr_comparison_clear(&result->comparison);
    for (int i = 0; i < 2; i++) {
        if (result->sides[i]) {
            result->sides[i]->ops->free(result->sides[i]);
        }
    }
    if (result->stored) {
        result->stored->ops->free(result->stored);
    }
    tcgrr_replay_visit_free(result->visit);
    tcgrr_session_free(result->session);
    tcgrr_session_free(result->original);
    g_free(result->qemu_version);
    g_free(result->exit);
    g_free(result->stderr_tail);
    tcgrr_unpinned_free(result->pins);
}

/* A word of QEMU's command in which the user's file `name`, which is in `directory`, has its whole path: as the word
 * itself, or as the value of one of its suboptions. Owned by the caller. */
static char *with_whole_path(const char *word, const char *name, const char *directory)
{
    g_autofree char *path = g_canonicalize_filename(name, directory);
    g_autofree char *value = tcgrr_options_escape(name);
    const char *at = strstr(word, value);

    if (strcmp(word, name) == 0) {
        return g_steal_pointer(&path);
    }
    if (!at || at == word || at[-1] != '=' || (at[strlen(value)] != '\0' && at[strlen(value)] != ',')) {
        return g_strdup(word);
    }
    g_autofree char *escaped = tcgrr_options_escape(path);
    return g_strdup_printf("%.*s%s%s", (int)(at - word), word, escaped, at + strlen(value));
}

/* So that the command can be run in any folder. */
static void make_absolute(char **words, const GPtrArray *files, const char *directory)
{
    for (guint i = 0; i < files->len; i++) {
        const char *name = files->pdata[i];
        g_autofree char *path = g_canonicalize_filename(name, directory);
        bool there = g_file_test(path, G_FILE_TEST_EXISTS); /* "-bios none" names no file */
        for (char **word = words + 1; there && !g_path_is_absolute(name) && *word; word++) {
            char *changed = with_whole_path(*word, name, directory);
            g_free(*word);
            *word = changed;
        }
    }
}

/* Writes the recorded command so that it replays without tcgrr: without the plugin and the QMP socket, with rr=replay,
 * and with the pinned machine's files in the folder. */
static bool write_command(struct tcgrr_reader *reader, const char *folder, const char *rr_file, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    g_autofree char *inputs = g_build_filename(folder, "inputs", NULL);
    g_auto(GStrv) words = tcgrr_recorded_command(reader, inputs, NULL, error);
    if (!words) {
        return false;
    }
    struct tcgrr_qemu qemu = {.path = (char *)run->qemu_path,
                              .version = (char *)run->qemu_version,
                              .target = (char *)run->target,
                              .system = strcmp(run->mode, "system") == 0,
                              .api = run->api_version};
    g_autofree char *start = tcgrr_recorded_start_image(inputs);
    struct tcgrr_command_options options = {.mode = run->rr ? TCGRR_RUN_REPLAY : TCGRR_RUN_PLAIN,
                                            .icount = is_user(reader) ? NULL : run->icount_shift,
                                            .rr_file = rr_file,
                                            .own = (const char *const *)words + 1,
                                            .start = start};
    struct tcgrr_command command;
    if (!tcgrr_command_build(&qemu, (const char *const *)words + 1, &options, &command, error)) {
        return false;
    }
    if (run->directory) {
        make_absolute(command.argv, command.guest_files, run->directory);
    }
    g_autofree char *path = g_build_filename(folder, "command.txt", NULL);
    bool good = tcgrr_words_write(path, command.argv, error);
    tcgrr_command_clear(&command);
    return good;
}

/* Writes QEMU's rr file unchanged, repaired for replaying, and as text. */
static bool extract_log(struct tcgrr_reader *reader, const char *folder, const char *rr_file, GError **error)
{
    g_autofree char *original = g_build_filename(folder, "original.rr", NULL);
    g_autofree char *text = g_build_filename(folder, "replay.txt", NULL);
    struct tcgrr_rrlog_rewritten rewritten;

    return tcgrr_recorded_original_rr(reader, original, error) &&
           tcgrr_recorded_rr(reader, rr_file, NULL, NULL, &rewritten, error) &&
           tcgrr_rrlog_dump(rr_file, text, tcgrr_reader_run(reader)->qemu_version, error);
}

bool tcgrr_replay_extract(struct tcgrr_reader *reader, const char *folder, GError **error)
{
    bool made = !g_file_test(folder, G_FILE_TEST_EXISTS);

    if (g_mkdir_with_parents(folder, 0777) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make the folder %s: %s", folder, g_strerror(errno));
        return false;
    }
    g_autofree char *absolute = g_canonicalize_filename(folder, NULL);
    g_autofree char *rr_file = g_build_filename(absolute, "replay.rr", NULL);
    bool good = !tcgrr_reader_run(reader)->rr || extract_log(reader, absolute, rr_file, error);
    if (!good && made) { /* it would be refused the next time */
        tcgrr_folder_remove(absolute);
    }
    return good && write_command(reader, absolute, rr_file, error);
}
