/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/derive.h"

#include "emu/qemu/machine_digest.h"
#include "emu/qemu/memory_map.h"
#include "record/part_lock.h"
#include "record/repair.h"
#include "store/error.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define PUMP_MS     100
#define PROGRESS_US (200 * 1000)
#define SPIN_US     (10 * G_USEC_PER_SEC) /* processor time without progress after which a replay has hung */
#define QMP_MS      60000

struct derivation {
    const struct tcgrr_derive_options *options;
    struct tcgrr_session *session;
    struct tcgrr_writer *writer;
    struct tcgrr_chunk *chunk;
    char *part; /* what `output` is called until it is complete */
    struct tcgrr_run run;
    char *began;       /* the machine's state at the start of the replay; NULL: the run's start */
    char *passed;      /* and at options->passes; NULL: it has not come there, or need not */
    tcgrr_icount stop; /* where QEMU stops next; UINT64_MAX: nowhere */
    tcgrr_icount moved_icount;
    gint64 moved;
    gint64 reported_at;
    int64_t spent;
};

static bool has_end(const struct derivation *derivation)
{
    return derivation->options->until != UINT64_MAX;
}

static char *place_text(tcgrr_icount icount, const char *state)
{
    return g_strdup_printf(TCGRR_DERIVE_PLACE, state ? icount : 0, state ? state : TCGRR_DERIVE_NOWHERE);
}

static bool open_session(struct derivation *derivation, GError **error)
{
    const struct tcgrr_derive_options *options = derivation->options;
    const struct tcgrr_run *run = options->run;
    /* After a keyframe the plugin's counts start again at 0, so it reports everything, and the wanted part is selected
     * here. */
    struct tcgrr_session_options session = {
        .known = options->qemu,
        .qemu = options->qemu->path,
        .arguments = (const char *const *)options->words + 1,
        .plugin = options->plugin,
        .mode = TCGRR_RUN_REPLAY,
        .level = options->level,
        .window = {.from = options->keyframe ? 0 : options->from, .until = options->until},
        .icount = run->icount_shift,
        .rr_file = options->rr_file,
        .start = options->start,
        .start_icount = options->start_icount,
        .keyframe = options->keyframe,
        .keyframe_icount = options->keyframe_icount,
        .directory = run->directory && g_file_test(run->directory, G_FILE_TEST_IS_DIR) ? run->directory : NULL,
        .start_paused = true,
        .quiet = true,
    };
    struct tcgrr_rrlog *log = NULL;

    derivation->session = tcgrr_session_new(&session, error);
    log = derivation->session ? tcgrr_rrlog_load(options->rr_file, options->qemu->version, error) : NULL;
    if (!log) {
        return false;
    }
    struct tcgrr_live *live = tcgrr_session_live(derivation->session);
    tcgrr_rrlog_rebase(log, options->start_icount);
    tcgrr_live_set_log(live, log);
    tcgrr_live_correct_events(live);
    tcgrr_live_set_sample_step(live, run->sample_step ? run->sample_step : TCGRR_SAMPLE_STEP);
    if (run->has_sample_from) {
        tcgrr_live_set_sample_origin(live, run->sample_from, false);
    }
    return true;
}

/* What of the run's description is the window's own. */
static void describe(struct derivation *derivation)
{
    const struct tcgrr_derive_options *options = derivation->options;
    const struct tcgrr_qemu *qemu = options->qemu;
    struct tcgrr_run *run = &derivation->run;

    *run = *options->run;
    run->complete = false;
    run->rr = false; /* it is in the run's trace */
    run->level = tcgrr_level_name(options->level);
    run->qemu_path = qemu->path;
    run->qemu_version = qemu->version;
    run->api_version = qemu->api;
    run->reports_discontinuities = qemu->reports_discontinuities;
    run->qemu_icount = -1;
    run->tail = 0;
    run->decided = 0;
    run->sample_step = options->level < TCGRR_LEVEL_STATE ? 0 : run->sample_step ? run->sample_step : TCGRR_SAMPLE_STEP;
    run->mem_from = run->mem_until = -1;
}

static bool tell(struct tcgrr_qmp *qmp, const char *command, json_t *arguments, GError **error)
{
    json_t *answer = tcgrr_qmp_execute(qmp, command, arguments, QMP_MS, error);
    json_decref(answer);
    return answer != NULL;
}

/* Lets QEMU run to the next place where it has to stop. */
static bool run_on(struct derivation *derivation, struct tcgrr_qmp *qmp, GError **error)
{
    tcgrr_icount own = tcgrr_session_own_icount(derivation->session, derivation->stop);
    bool stops = derivation->stop != UINT64_MAX;

    if (stops && !tell(qmp, "replay-break", json_pack("{s:I}", "icount", (json_int_t)own), error)) {
        return false;
    }
    tcgrr_session_resume(derivation->session);
    return true;
}

/* Checks that the loaded state is the saved one. */
static bool check_keyframe(struct derivation *derivation, struct tcgrr_qmp *qmp, GError **error)
{
    const struct tcgrr_derive_options *options = derivation->options;

    if (!options->keyframe) {
        return true;
    }
    derivation->began = tcgrr_machine_digest(qmp, tcgrr_session_process(derivation->session), error);
    if (!derivation->began || tcgrr_machine_digest_same(derivation->began, options->keyframe_state)) {
        return derivation->began != NULL;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "the keyframe at icount %" G_GUINT64_FORMAT " does not hold what was saved there",
                options->keyframe_icount);
    return false;
}

static bool start(struct derivation *derivation, GError **error)
{
    const struct tcgrr_derive_options *options = derivation->options;
    struct tcgrr_session *session = derivation->session;
    struct tcgrr_qmp *qmp = tcgrr_session_start(session, error) ? tcgrr_session_qmp(session, error) : NULL;

    derivation->stop = options->passes > 0 ? options->passes : options->until;
    return qmp && check_keyframe(derivation, qmp, error) && run_on(derivation, qmp, error);
}

/* QEMU is stopped at options->passes, with more to come. */
static bool pass(struct derivation *derivation, GError **error)
{
    struct tcgrr_session *session = derivation->session;
    int64_t stands;

    tcgrr_session_unpause(session);
    struct tcgrr_qmp *qmp = tcgrr_session_qmp(session, error);
    derivation->passed = qmp ? tcgrr_machine_digest(qmp, tcgrr_session_process(session), error) : NULL;
    if (!derivation->passed) {
        return false;
    }
    stands = tcgrr_session_ask_icount(session);
    if (stands != (int64_t)derivation->stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the replay should have stopped at icount %" G_GUINT64_FORMAT " but is at %" G_GINT64_FORMAT,
                    derivation->stop, stands);
        return false;
    }
    derivation->stop = derivation->options->until;
    derivation->moved = g_get_monotonic_time();
    return run_on(derivation, qmp, error);
}

/* Whether the replay gets anywhere. */
static bool check_progress(struct derivation *derivation, GError **error)
{
    const struct tcgrr_derive_options *options = derivation->options;
    struct tcgrr_process *process = tcgrr_session_process(derivation->session);
    gint64 now = g_get_monotonic_time();

    if (options->stop && *options->stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
        return false;
    }
    if (derivation->chunk->end_icount != derivation->moved_icount) {
        derivation->moved_icount = derivation->chunk->end_icount;
        derivation->moved = now;
        derivation->spent = tcgrr_process_spent(process);
    }
    if (options->progress && now - derivation->reported_at > PROGRESS_US) {
        derivation->reported_at = now;
        options->progress(derivation->moved_icount, options->data);
    }
    if (now - derivation->moved <= (gint64)options->hang_ms * 1000 &&
        tcgrr_process_spent(process) - derivation->spent <= SPIN_US) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "the replay hangs after icount %" G_GUINT64_FORMAT,
                derivation->moved_icount);
    return false;
}

/* Hands over a chunk, without the part before the window. */
static bool hand_over(struct derivation *derivation, GError **error)
{
    struct tcgrr_chunk *chunk = derivation->chunk;
    bool wanted = chunk->end_icount > derivation->options->from || chunk->end_icount == 0;
    bool good = !wanted || (tcgrr_writer_chunk(derivation->writer, chunk,
                                               tcgrr_live_blocks(tcgrr_session_live(derivation->session)), error) &&
                            tcgrr_writer_commit(derivation->writer, error));

    tcgrr_chunk_follow(chunk, chunk);
    if (!wanted) {
        chunk->first_seq = 0;
        chunk->first_flow = chunk->end_flow = 0;
    }
    return good;
}

/* Reads up to the window's end. */
static bool drain(struct derivation *derivation, enum tcgrr_live_end *end, GError **error)
{
    struct tcgrr_session *session = derivation->session;
    struct tcgrr_live *live = tcgrr_session_live(session);
    bool paused = false;

    *end = TCGRR_LIVE_RUNS;
    derivation->moved = g_get_monotonic_time();
    while (*end == TCGRR_LIVE_RUNS && !paused) {
        if (!tcgrr_session_next(session, derivation->chunk, PUMP_MS, end, error) ||
            !check_progress(derivation, error)) {
            return false;
        }
        bool full = tcgrr_live_full(live, derivation->chunk);
        bool stands = !full && derivation->stop != UINT64_MAX && tcgrr_session_settled(session);
        bool passes = stands && derivation->options->passes > 0 && !derivation->passed;
        if ((full && !hand_over(derivation, error)) || (passes && !pass(derivation, error))) {
            return false;
        }
        paused = stands && !passes;
    }
    if (paused) {
        tcgrr_live_stop_at(live, derivation->chunk, derivation->options->until);
        tcgrr_session_unpause(session);
        tcgrr_session_ask_map(session); /* by now the firmware has placed devices */
    }
    derivation->run.icount = derivation->chunk->end_icount;
    derivation->run.execs = derivation->chunk->first_seq + derivation->chunk->count;
    return hand_over(derivation, error);
}

static bool check_end(struct derivation *derivation, enum tcgrr_live_end end, GError **error)
{
    const struct tcgrr_derive_options *options = derivation->options;
    bool early = has_end(derivation) && derivation->run.icount < options->until;

    if (end != TCGRR_LIVE_CUT && !early) {
        return true;
    }
    g_autofree char *how = tcgrr_session_end(derivation->session);
    g_autofree char *words = tcgrr_session_words(derivation->session);
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the replay ended after icount %" G_GUINT64_FORMAT " (%s)%s%s",
                derivation->run.icount, how, *words ? ": " : "", words);
    return false;
}

static bool store_map(struct derivation *derivation, GError **error)
{
    const GPtrArray *maps = tcgrr_session_maps(derivation->session);

    for (guint i = 0; i < maps->len; i++) {
        const GArray *map = g_ptr_array_index(maps, i);
        for (guint k = 0; k < map->len; k++) {
            const struct tcgrr_region *region = &g_array_index(map, struct tcgrr_region, k);
            if (!tcgrr_writer_region(derivation->writer, region->first, region->last, region->kind, region->name,
                                     error)) {
                return false;
            }
        }
    }
    return true;
}

static bool store_symbols(struct derivation *derivation, GError **error)
{
    struct tcgrr_symbols *symbols = derivation->options->symbols;
    const GArray *list = symbols ? tcgrr_symbols_list(symbols) : NULL;
    bool good = true;

    for (guint i = 0; list && good && i < list->len; i++) {
        good = tcgrr_writer_symbol(derivation->writer, &g_array_index(list, struct tcgrr_symbol, i), error);
    }
    return good;
}

/* Looks up inferred events in the log, as a recording does. */
static bool confirm_events(struct derivation *derivation, GError **error)
{
    const struct tcgrr_derive_options *options = derivation->options;
    struct tcgrr_live *live = tcgrr_session_live(derivation->session);
    struct tcgrr_rrlog *log = tcgrr_rrlog_load(options->rr_file, options->qemu->version, error);
    struct tcgrr_answers answers = {.corrections = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_retire_correction))};
    g_autoptr(GArray) uncertain = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_uncertain_retire));
    struct tcgrr_repair task = {.path = derivation->part,
                                .uncertain = uncertain,
                                .answers = &answers,
                                .log = log,
                                .blocks = tcgrr_live_blocks(live)};
    bool good = log != NULL;

    if (good) {
        tcgrr_rrlog_rebase(log, options->start_icount);
        good = tcgrr_repair(derivation->writer, &task, &derivation->run, error);
        derivation->run.assumed = tcgrr_live_assumed(live);
    }
    tcgrr_rrlog_free(log);
    g_array_unref(answers.corrections);
    return good;
}

static bool finish(struct derivation *derivation, GError **error)
{
    const struct tcgrr_derive_options *options = derivation->options;
    struct tcgrr_run *run = &derivation->run;

    /* The end is known and what QEMU still would do is not asked for. */
    tcgrr_process_stop(tcgrr_session_process(derivation->session), 0);
    if (options->level == TCGRR_LEVEL_FULL) {
        run->mem_from = (int64_t)options->from;
    }
    run->complete = true;
    g_autofree char *began = place_text(options->keyframe_icount, derivation->began);
    g_autofree char *passed = place_text(options->passes, derivation->passed);
    g_autofree char *note = g_strconcat(options->note, options->notes_places ? began : NULL, passed, NULL);
    if (!store_map(derivation, error) || !store_symbols(derivation, error) ||
        !tcgrr_writer_note(derivation->writer, note, error) || !tcgrr_writer_commit(derivation->writer, error) ||
        !confirm_events(derivation, error) || !tcgrr_writer_run(derivation->writer, run, error) ||
        !tcgrr_writer_finish(derivation->writer, error)) {
        return false;
    }
    if (g_rename(derivation->part, options->output) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot rename %s: %m", derivation->part);
        return false;
    }
    return true;
}

static bool derive(struct derivation *derivation, GError **error)
{
    enum tcgrr_live_end end;

    if (!open_session(derivation, error)) {
        return false;
    }
    describe(derivation);
    derivation->writer = tcgrr_writer_create(derivation->part, true, &derivation->run, error);
    tcgrr_live_init_chunk(tcgrr_session_live(derivation->session), derivation->chunk);
    return derivation->writer && start(derivation, error) && drain(derivation, &end, error) &&
           check_end(derivation, end, error) && finish(derivation, error);
}

bool tcgrr_derive(const struct tcgrr_derive_options *options, GError **error)
{
    struct derivation derivation = {
        .options = options,
        .chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS),
        /* Its own: one that was asked to end may still be at work on the same window. */
        .part = g_strdup_printf("%s.%d" TCGRR_PART_SUFFIX, options->output, (int)getpid()),
    };
    int lock = tcgrr_part_lock(derivation.part);
    bool good = derive(&derivation, error);

    tcgrr_writer_free(derivation.writer);
    tcgrr_session_free(derivation.session);
    tcgrr_chunk_free(derivation.chunk);
    if (!good) {
        tcgrr_part_remove(derivation.part);
    }
    tcgrr_part_unlock(derivation.part, lock);
    g_free(derivation.began);
    g_free(derivation.passed);
    g_free(derivation.part);
    return good;
}
