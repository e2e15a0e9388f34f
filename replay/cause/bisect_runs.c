/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the two runs come from: A was recorded, or is now; B replays that, or is recorded itself. */
#include "replay/cause/bisect_internal.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "lockstep/shared_machine.h"
#include "record/derive.h"
#include "record/record.h"
#include "replay/cause/refine_samples.h"
#include "replay/files.h"
#include "replay/recorded.h"
#include "store/error.h"

/* ---- recording ---- */

/* A guest may never end, and divergences are mostly early: A is first recorded up to this limit, and the limit is
 * multiplied by a factor until a divergence is found. */
#define FIRST_LIMIT   UINT64_C(100000000)
#define FARTHER       8
/* A guest may also wait forever: this is the first limit of waiting, which is multiplied likewise. */
#define FIRST_IDLE_MS 3000
/* Number of instructions after the divergence that are stored, for display. */
#define SHOWN_AFTER   10000

struct recording {
    const struct tcgrr_bisect *bisect;
    tcgrr_icount limit;
    int idle_ms;
    tcgrr_icount seen;
    gint64 moved;
    bool idle; /* it was, for so long that it was ended */
    volatile int stop;
};

/* Stops B when it has run a little more than A, or has stopped making progress. */
static void watch_recording(const struct tcgrr_record_progress *progress, void *data)
{
    struct recording *recording = data;
    const struct tcgrr_bisect_options *options = &recording->bisect->options;
    gint64 now = g_get_monotonic_time();

    tcgrr_bisect_say(recording->bisect,
                     g_strdup_printf("recording: %" G_GUINT64_FORMAT " instructions", progress->icount));
    if (progress->icount != recording->seen) {
        recording->seen = progress->icount;
        recording->moved = now;
    }
    int most_ms = recording->seen > 0 ? recording->idle_ms : options->hang_ms;
    recording->idle = now - recording->moved > (gint64)most_ms * 1000;
    if (*options->stop || progress->icount > recording->limit || recording->idle) {
        recording->stop = *options->stop ? *options->stop : SIGTERM;
    }
}

/* Records into the folder, up to `limit` or a little further. `like`: the run that it is compared with; NULL: none.
 * *cut: it reached the limit, or may only have been waiting. */
static bool record(const struct tcgrr_bisect *bisect, const char *qemu, const char *const *words, const char *path,
                   const struct tcgrr_run *like, tcgrr_icount limit, bool *cut, GError **error)
{
    const struct tcgrr_bisect_options *given = &bisect->options;
    const char *directory = like ? like->directory : NULL;
    g_autofree char *output = g_canonicalize_filename(path, NULL);
    struct recording recording = {.bisect = bisect, .limit = limit, .moved = g_get_monotonic_time()};
    recording.idle_ms = like ? given->hang_ms : MIN(bisect->idle_ms, given->hang_ms);
    struct tcgrr_record_result result = {0};
    struct tcgrr_record_options options = {
        .output = output,
        .force = true,
        .qemu = qemu,
        .arguments = words,
        .plugin = given->plugin,
        .rr = true,
        .portable = bisect->pins && !like,
        .start_at = like ? NULL : bisect->start_at,
        .symbol_files = given->symbol_files,
        .level = TCGRR_LEVEL_FLOW,
        .icount = like ? like->icount_shift : given->icount,
        .tool_version = given->tool_version,
        .directory = directory && g_file_test(directory, G_FILE_TEST_IS_DIR) ? directory : NULL,
        .quiet = true,
        .stop = &recording.stop,
        .progress = watch_recording,
        .data = &recording,
    };
    bool good = tcgrr_record(&options, &result, error);
    g_free(result.exit);
    *cut = recording.seen > limit || (recording.idle && recording.idle_ms < given->hang_ms);
    if (good && *given->stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted while a QEMU was recorded");
    }
    return good && !*given->stop;
}

/* A newer A's machine may be one that B lacks: then both get B's. */
static bool choose_machine(struct tcgrr_bisect *bisect, const struct tcgrr_qemu *a, GError **error)
{
    const struct tcgrr_qemu *b = &bisect->probed;
    const char *const *words = bisect->options.words[0];
    struct tcgrr_shared_machine machine = {0};

    if (!bisect->pins || bisect->options.words[1] || strverscmp(a->version, b->version) <= 0) {
        return true;
    }
    bool good = tcgrr_shared_machine_pin(&machine, (const struct tcgrr_qemu *const[]){a, b}, words,
                                         (const char *const *const[]){NULL, NULL}, error);
    if (good && machine.pinned && machine.maker == 1) {
        g_autoptr(GPtrArray) all = g_ptr_array_new();
        for (; *words; words++) {
            g_ptr_array_add(all, g_strdup(*words));
        }
        g_ptr_array_add(all, g_strdup("-M"));
        g_ptr_array_add(all, g_strdup(machine.pins.machine));
        g_ptr_array_add(all, NULL);
        bisect->words = (char **)g_ptr_array_steal(all, NULL);
    }
    tcgrr_shared_machine_clear(&machine);
    return good;
}

bool tcgrr_bisect_prepare(struct tcgrr_bisect *bisect, GError **error)
{
    const struct tcgrr_bisect_options *options = &bisect->options;
    struct tcgrr_qemu a = {0};

    if (!tcgrr_qemu_probe(options->qemus[0], options->plugin, &a, error)) {
        g_prefix_error(error, "A: ");
        return false;
    }
    bool good = tcgrr_qemu_probe(options->qemus[1], options->plugin, &bisect->probed, error);
    if (!good) {
        g_prefix_error(error, "B: ");
    } else {
        const struct tcgrr_qemu *b = &bisect->probed;
        bisect->pins = a.system && b->system && !tcgrr_state_same_qemu(a.version, a.build_id, b->version, b->build_id);
        bisect->start_at = bisect->pins && !options->words[1] ? options->from : NULL;
        good = choose_machine(bisect, &a, error);
    }
    tcgrr_qemu_clear(&a);
    return good;
}

bool tcgrr_bisect_record_from(struct tcgrr_bisect *bisect, const char *place, GError **error)
{
    bisect->start_at = place;
    for (int i = 0; i < 2; i++) {
        bisect->how.from[i] = place ? (struct tcgrr_position){0} : bisect->from[i];
    }
    tcgrr_reader_free(bisect->readers[0]);
    bisect->readers[0] = NULL;
    bisect->limit /= FARTHER;
    bisect->idle_ms /= FARTHER;
    return tcgrr_bisect_record_a(bisect, error);
}

bool tcgrr_bisect_record_a(struct tcgrr_bisect *bisect, GError **error)
{
    const struct tcgrr_bisect_options *options = &bisect->options;

    bisect->limit = bisect->limit ? bisect->limit * FARTHER : FIRST_LIMIT;
    bisect->idle_ms = bisect->idle_ms ? bisect->idle_ms * FARTHER : FIRST_IDLE_MS;
    g_free(bisect->paths[0]);
    bisect->paths[0] = tcgrr_cause_folder_file(options->folder, "a.tcgrr");
    const char *const *words = bisect->words ? (const char *const *)bisect->words : options->words[0];
    if (!record(bisect, options->qemus[0], words, bisect->paths[0], NULL, bisect->limit, &bisect->cut, error)) {
        return false;
    }
    bisect->readers[0] = tcgrr_reader_open(bisect->paths[0], error);
    return bisect->readers[0] != NULL;
}

static bool record_b(struct tcgrr_bisect *bisect, GError **error)
{
    const struct tcgrr_bisect_options *options = &bisect->options;
    g_auto(GStrv) recorded = tcgrr_recorded_words(bisect->readers[0], options->extra, error);
    const char *const *words = options->words[1] ? options->words[1] : (const char *const *)recorded + 1;

    if (!recorded) {
        return false;
    }
    g_free(bisect->paths[1]);
    bisect->paths[1] = tcgrr_cause_folder_file(options->folder, "b.tcgrr");
    const struct tcgrr_run *like = tcgrr_reader_run(bisect->readers[0]);
    bool cut;
    if (!record(bisect, options->qemus[1], words, bisect->paths[1], like, 2 * like->icount + 10000000, &cut, error)) {
        return false;
    }
    bisect->readers[1] = tcgrr_reader_open(bisect->paths[1], error);
    return bisect->readers[1] != NULL;
}

static bool store_b(struct tcgrr_bisect *bisect, struct tcgrr_replay_files *files, const char *path, tcgrr_icount until,
                    GError **error)
{
    struct tcgrr_keyframes_options of;

    tcgrr_replay_files_keyframes(files, &of);
    struct tcgrr_derive_options derive = {
        .output = path,
        .note = "a replay that diverged",
        .symbols = bisect->symbols,
        .run = tcgrr_reader_run(bisect->readers[0]),
        .qemu = &bisect->probed,
        .plugin = bisect->options.plugin,
        .words = of.words,
        .rr_file = of.rr_file,
        .start = of.start,
        .start_icount = tcgrr_recorded_start(bisect->readers[0]),
        .level = TCGRR_LEVEL_FLOW,
        .until = until,
        .hang_ms = bisect->options.hang_ms,
        .stop = bisect->options.stop,
    };
    return tcgrr_derive(&derive, error);
}

bool tcgrr_bisect_store_b(struct tcgrr_bisect *bisect, const char *path, GError **error)
{
    const struct tcgrr_comparison *comparison = bisect->comparison;

    if (bisect->paths[1] || !bisect->probed.path || comparison->kind != TCGRR_DIVERGENCE_FLOW ||
        tcgrr_bisect_is_user(bisect)) {
        g_set_error_literal(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "there is no flow of B's own");
        return false;
    }
    struct tcgrr_replay_files *files =
        tcgrr_replay_files_new(bisect->readers[0], &bisect->probed, bisect->options.extra, error);
    tcgrr_icount end = comparison->sides[1].icount;
    bool good = files && store_b(bisect, files, path, end + SHOWN_AFTER, NULL);
    if (files && !good && !*bisect->options.stop) {
        good = store_b(bisect, files, path, end, error);
    }
    tcgrr_replay_files_free(files);
    return good;
}

/* ---- comparing ---- */

static void free_sides(struct tcgrr_bisect *bisect)
{
    for (int i = 0; i < 2; i++) {
        if (bisect->sides[i]) {
            bisect->sides[i]->ops->free(bisect->sides[i]);
            bisect->sides[i] = NULL;
        }
    }
}

void tcgrr_bisect_forget(struct tcgrr_bisect *bisect)
{
    bisect->comparison = NULL;
    tcgrr_comparison_clear(&bisect->own);
    bisect->own = (struct tcgrr_comparison){0};
    g_clear_pointer(&bisect->pair, tcgrr_replay_pair_free);
    g_clear_pointer(&bisect->trailing, tcgrr_trailing_free);
    tcgrr_replay_result_clear(&bisect->replay);
    tcgrr_replay_result_clear(&bisect->closer);
    tcgrr_replay_result_clear(&bisect->near);
    bisect->replay = bisect->closer = bisect->near = (struct tcgrr_replay_result){0};
    bisect->is_closer = false;
    bisect->keyframe = (struct tcgrr_keyframe){0};
    free_sides(bisect);
    if (bisect->readers[1] != bisect->readers[0]) {
        tcgrr_reader_free(bisect->readers[1]);
    }
    bisect->readers[1] = NULL;
    bisect->qemu = NULL;
    bisect->extra = NULL;
    bisect->known[0] = bisect->known[1] = NULL;
}

bool tcgrr_bisect_compare_again(struct tcgrr_bisect *bisect, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(bisect->readers[0]);

    bisect->how.tolerate_cut_a = !run->complete;
    bisect->how.isa = tcgrr_isa_of_target(run->target);
    /* Each had inputs of its own: a difference that these can explain is not a divergence. */
    struct tcgrr_compare_options how = bisect->how;
    how.strict = bisect->strict;
    how.own_inputs = !tcgrr_bisect_is_user(bisect);
    bisect->comparison = NULL;
    tcgrr_comparison_clear(&bisect->own);
    bisect->own = (struct tcgrr_comparison){0};
    free_sides(bisect);
    for (int i = 0; i < 2; i++) {
        bisect->sides[i] = tcgrr_run_source_stored(bisect->readers[i], error);
        if (!bisect->sides[i]) {
            return false;
        }
    }
    bool good = tcgrr_compare(bisect->sides[0], bisect->sides[1], &how, &bisect->own, error);
    bisect->comparison = good ? &bisect->own : NULL;
    return good;
}

static void say_replayed(tcgrr_icount icount, void *data)
{
    struct tcgrr_bisect *bisect = data;

    if (bisect->trailing) {
        tcgrr_trailing_follow(bisect->trailing, icount);
    }
    tcgrr_bisect_say(data,
                     g_strdup_printf("B replays the recording: %" G_GUINT64_FORMAT " instructions compared", icount));
}

bool tcgrr_bisect_is_user(const struct tcgrr_bisect *bisect)
{
    return g_strcmp0(tcgrr_reader_run(bisect->readers[0])->mode, "user") == 0;
}

struct tcgrr_replay_options tcgrr_bisect_replay_options(struct tcgrr_bisect *bisect)
{
    const struct tcgrr_bisect_options *options = &bisect->options;
    return (struct tcgrr_replay_options){
        .qemu = options->qemus[1],
        .known = {NULL, bisect->probed.path ? &bisect->probed : NULL},
        .extra = options->extra,
        .plugin = options->plugin,
        .at = UINT64_MAX,
        .hang_ms = options->hang_ms,
        .compare = bisect->how,
        .quiet = true,
        .states = true,        /* where both get the same data */
        .keeps_machine = true, /* the cause says so */
        .stop = options->stop,
        .progress = say_replayed,
        .data = bisect,
    };
}

/*
 * Whether to begin with the flow alone: where that diverges, most of the run need not be replayed in both, with states.
 * B has to be able to start from A's keyframes.
 */
static bool may_approach(const struct tcgrr_bisect *bisect)
{
    const struct tcgrr_run *run = tcgrr_reader_run(bisect->readers[0]);
    return !bisect->no_approach && !tcgrr_bisect_is_user(bisect) && !bisect->options.extra &&
           run->icount > TCGRR_BISECT_FAR && tcgrr_run_level(run) == TCGRR_LEVEL_FLOW &&
           strcmp(run->qemu_version, bisect->probed.version) == 0 && bisect->how.from[0].kind == TCGRR_POSITION_NONE;
}

/* Lets A follow B's replay, unless it has keyframes already: then none needs to be made. */
static void let_a_follow(struct tcgrr_bisect *bisect)
{
    struct tcgrr_rerun_options options = {
        .reader = bisect->readers[0],
        .plugin = bisect->options.plugin,
        .hang_ms = bisect->options.hang_ms,
        .stop = bisect->options.stop,
    };
    struct tcgrr_keyframes_sum sum;

    tcgrr_keyframes_sum(tcgrr_reader_path(bisect->readers[0]), &sum);
    if (sum.count == 0) {
        bisect->trailing = tcgrr_trailing_new(&options);
    }
}

/* `flow_alone`: without states. `same_flow`: with, until they differ; the flow does not. */
static bool replay_once(struct tcgrr_bisect *bisect, bool flow_alone, bool same_flow, GError **error)
{
    struct tcgrr_replay_options options = tcgrr_bisect_replay_options(bisect);
    tcgrr_icount compared = bisect->replay.comparison.compared;

    tcgrr_replay_result_clear(&bisect->replay);
    bisect->replay = (struct tcgrr_replay_result){0};
    bisect->flow_alone = flow_alone;
    options.states = !flow_alone;
    options.compare.data_ends = same_flow;
    if (bisect->approaches) {
        let_a_follow(bisect);
    }
    bool good = tcgrr_replay(bisect->readers[0], &options, &bisect->replay, error);
    if (!good || !bisect->replay.comparison.diverged) {
        g_clear_pointer(&bisect->trailing, tcgrr_trailing_free);
    }
    if (good && same_flow) {
        bisect->replay.comparison.compared = compared;
    }
    return good;
}

/* First the flow alone, where that is likely to be enough; then, or if it is the same, with states. */
static void replay_stepwise(struct tcgrr_bisect *bisect, GError **error)
{
    const struct tcgrr_comparison *comparison = &bisect->replay.comparison;

    bisect->approaches = may_approach(bisect);
    bool compared = bisect->approaches && replay_once(bisect, true, false, error);
    if (!(compared && comparison->diverged) && !*bisect->options.stop) {
        g_clear_error(error);
        replay_once(bisect, false, compared && !comparison->diverged, error);
    }
}

/* *replayed is false if B cannot replay what A recorded, or was given another machine, which may be why it diverges. */
static bool replay_in_b(struct tcgrr_bisect *bisect, bool *replayed, GError **error)
{
    const struct tcgrr_comparison *comparison = &bisect->replay.comparison;
    const volatile int *stop = bisect->options.stop;
    GError *problem = NULL;

    replay_stepwise(bisect, &problem);
    /* Where the machine was pinned for B, that B does not run it is the answer, as for a program, whose inputs B could
     * not be given otherwise. */
    if (problem && (*stop || (bisect->pins && !bisect->start_at) || tcgrr_bisect_is_user(bisect))) {
        g_propagate_error(error, problem);
        return false;
    }
    *replayed = !problem && !bisect->replay.unpinned && (!comparison->diverged || comparison->compared > 0);
    g_clear_error(&problem);
    return true;
}

bool tcgrr_bisect_date_closer(struct tcgrr_bisect *bisect, GError **error)
{
    struct tcgrr_replay_options options = tcgrr_bisect_replay_options(bisect);
    bool near = bisect->keyframe.folder;

    if (bisect->readers[0] != bisect->readers[1]) {
        return true;
    }
    options.begin = bisect->keyframe;
    return tcgrr_replay_refine_samples(bisect->readers[0], &options, near ? &bisect->near : &bisect->replay,
                                       tcgrr_bisect_is_user(bisect), &bisect->closer, &bisect->is_closer, error);
}

/* From now on B is what replays A's recording. */
static void share_recording(struct tcgrr_bisect *bisect)
{
    bisect->readers[1] = bisect->readers[0];
    bisect->qemu = bisect->options.qemus[1];
    bisect->extra = bisect->options.extra;
    bisect->known[0] = bisect->replay.original ? tcgrr_session_qemu(bisect->replay.original) : NULL;
    bisect->known[1] = tcgrr_session_qemu(bisect->replay.session);
    bisect->comparison = &bisect->replay.comparison;
}

bool tcgrr_bisect_compare_states(struct tcgrr_bisect *bisect, GError **error)
{
    bool replayed = false;

    tcgrr_bisect_forget(bisect);
    bisect->no_approach = true;
    if (!replay_in_b(bisect, &replayed, error)) {
        return false;
    }
    if (!replayed || !bisect->replay.comparison.diverged) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "B diverged when it replayed the recording, and not when it did so again: a replay is not exact");
        return false;
    }
    share_recording(bisect);
    return true;
}

bool tcgrr_bisect_compare(struct tcgrr_bisect *bisect, GError **error)
{
    const struct tcgrr_bisect_options *options = &bisect->options;
    bool replayed = false;

    if (!bisect->probed.path && !tcgrr_qemu_probe(options->qemus[1], options->plugin, &bisect->probed, error)) {
        return false;
    }
    if (!options->words[1] && !bisect->record_both && !replay_in_b(bisect, &replayed, error)) {
        return false;
    }
    if (replayed) {
        share_recording(bisect);
        return true;
    }
    if (bisect->start_at) {
        /* B cannot load A's snapshot, which may happen with an older release: both are recorded from reset. */
        tcgrr_bisect_forget(bisect);
        bisect->record_both = true;
        if (!tcgrr_bisect_record_from(bisect, NULL, error)) {
            return false;
        }
    }
    return record_b(bisect, error) && tcgrr_bisect_compare_again(bisect, error);
}
