/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/lockstep_local.h"

#include "emu/qemu/calls_file.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/scratch.h"
#include "lockstep/doubts.h"
#include "lockstep/lockstep_control.h"
#include "lockstep/shared_log.h"
#include "store/error.h"
#include "store/inputs.h"
#include "store/processes.h"

#include <glib/gstdio.h>
#include <string.h>

/* So small that a QEMU that is ahead soon waits and leaves its core to the other one and to the comparison. */
#define RING_BYTES (1u << 20)
#define PLACE_US   500 /* interval of checking whether a program has begun */

static const struct tcgrr_run *stored_run(const struct tcgrr_lockstep_local_options *options, int which)
{
    return options->members[which].reader ? tcgrr_reader_run(options->members[which].reader) : NULL;
}

const char *tcgrr_lockstep_local_target(const struct tcgrr_lockstep_local *pair,
                                        const struct tcgrr_lockstep_local_options *options, int which)
{
    const struct tcgrr_run *run = stored_run(options, which);
    return run ? run->target : tcgrr_session_qemu(pair->sessions[which])->target;
}

const char *tcgrr_lockstep_local_version(const struct tcgrr_lockstep_local *pair,
                                         const struct tcgrr_lockstep_local_options *options, int which)
{
    const struct tcgrr_run *run = stored_run(options, which);
    return run ? run->qemu_version : tcgrr_session_qemu(pair->sessions[which])->version;
}

const struct tcgrr_blocks *tcgrr_lockstep_local_blocks(const struct tcgrr_lockstep_local *pair,
                                                       const struct tcgrr_lockstep_local_options *options, int which)
{
    struct tcgrr_reader *reader = options->members[which].reader;
    return reader ? tcgrr_reader_blocks(reader, NULL) : tcgrr_live_blocks(tcgrr_session_live(pair->sessions[which]));
}

const char *tcgrr_lockstep_inputs_name(enum tcgrr_lockstep_inputs inputs)
{
    static const char *const names[] = {"own", "shared", "translated"};
    return names[inputs];
}

static bool is_system(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                      int which)
{
    const struct tcgrr_run *run = stored_run(options, which);
    return run ? strcmp(run->mode, "system") == 0 : tcgrr_session_qemu(pair->sessions[which])->system;
}

static bool check_comparable(const struct tcgrr_lockstep_local *pair,
                             const struct tcgrr_lockstep_local_options *options, GError **error)
{
    const char *targets[2] = {tcgrr_lockstep_local_target(pair, options, 0),
                              tcgrr_lockstep_local_target(pair, options, 1)};
    bool system[2] = {is_system(pair, options, 0), is_system(pair, options, 1)};

    if (strcmp(targets[0], targets[1]) == 0 && system[0] == system[1]) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                "A runs %s in %s mode, B %s in %s mode: they have nothing in common to compare", targets[0],
                system[0] ? "system" : "user", targets[1], system[1] ? "system" : "user");
    return false;
}

/* Probing a QEMU takes some time, so both are probed at the same time. */
struct opening {
    struct tcgrr_session_options options;
    struct tcgrr_session *session;
    GError *error;
};

static gpointer open_session(gpointer data)
{
    struct opening *opening = data;
    opening->session = tcgrr_session_new(&opening->options, &opening->error);
    return NULL;
}

/* Opens them both; the second one's error is reported if the first has none. */
static bool open_both(struct opening openings[2], bool same_qemu, GError **error)
{
    GThread *thread = NULL;

    if (openings[1].options.qemu && !same_qemu) {
        thread = g_thread_new("tcgrr-open", open_session, &openings[1]);
    }
    if (openings[0].options.qemu) {
        open_session(&openings[0]);
    }
    if (thread) {
        g_thread_join(thread);
    } else if (same_qemu && openings[0].session) {
        openings[1].options.known = tcgrr_session_qemu(openings[0].session);
        open_session(&openings[1]);
    }
    for (int i = 0; i < 2; i++) {
        if (openings[i].error) {
            g_propagate_prefixed_error(error, g_steal_pointer(&openings[i].error), "%c: ", 'A' + i);
            g_clear_error(&openings[1].error);
            return false;
        }
    }
    return true;
}

/* A user-mode program behaves differently if its output is a different kind of file, so both get the same kind. */
static enum tcgrr_output choose_output(const struct tcgrr_lockstep_local_options *options)
{
    bool shown = false;

    for (int i = 0; i < 2; i++) {
        const struct tcgrr_run *run = stored_run(options, i);
        enum tcgrr_output kind = run ? tcgrr_output_named(run->output) : TCGRR_OUTPUT_OURS;
        if (kind != TCGRR_OUTPUT_OURS) {
            return kind;
        }
        shown |= !run && !options->members[i].quiet;
    }
    return shown ? TCGRR_OUTPUT_PIPE : TCGRR_OUTPUT_NULL;
}

/* The second side is given the results of the first side's system calls. */
static bool share_calls(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                        GError **error)
{
    const struct tcgrr_run *run = stored_run(options, 0);
    if (stored_run(options, 1) || (run && g_strcmp0(run->mode, "user") != 0)) {
        return true;
    }
    if (run && !tcgrr_reader_check_start(options->members[0].reader, error)) {
        return false;
    }
    g_autofree char *folder = tcgrr_scratch_folder("calls", error);
    if (!folder) {
        return false;
    }
    pair->calls = g_build_filename(folder, TCGRR_INPUTS_CALLS, NULL);
    if (!run) {
        return g_file_set_contents(pair->calls, "", 0, error);
    }
    bool good = tcgrr_reader_extract_inputs(options->members[0].reader, folder, error);
    if (good && !g_file_test(pair->calls, G_FILE_TEST_EXISTS)) {
        tcgrr_folder_remove(folder); /* it was cut short, or has no rr log */
        g_clear_pointer(&pair->calls, g_free);
        return true;
    }
    pair->environment = good ? tcgrr_calls_file_environment(pair->calls, error) : NULL;
    return pair->environment != NULL;
}

/* `known`: the results of probing the two QEMUs, if they were probed already. */
static bool open_sessions(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                          const struct tcgrr_qemu known[2], GError **error)
{
    struct opening openings[2] = {0};

    for (int i = 0; i < 2; i++) {
        const struct tcgrr_lockstep_member *member = &options->members[i];
        openings[i].options = (struct tcgrr_session_options){
            .qemu = member->reader ? NULL : member->qemu,
            .known = known ? &known[i] : NULL,
            .arguments = pair->machine.pinned ? (const char *const *)pair->machine.words[i] : member->arguments,
            .own = member->own,
            .directory = member->directory,
            .plugin = options->plugin,
            .mode = !pair->log ? TCGRR_RUN_PLAIN
                    : i == 0   ? TCGRR_RUN_RECORD
                               : TCGRR_RUN_REPLAY,
            .rr_file = pair->log ? tcgrr_shared_log_path(pair->log, i) : NULL,
            .level = options->level,
            .icount = options->icount,
            .start = pair->begin.images[i],
            .start_icount = pair->begin.icount,
            .only_reads = true,
            .expendable = true,
            .quiet = member->quiet,
            .output_to_errors = member->output_to_errors,
            .output = choose_output(options),
            .inputs = pair->calls,
            .given = i == 1 && stored_run(options, 0),
            .followed = i == 1 && !stored_run(options, 0),
            .environment = pair->environment,
            /* The addresses of a program depend on how much memory QEMU has mapped before. */
            .ring_bytes = pair->environment ? 0 : RING_BYTES,
        };
    }
    const char *names[2] = {openings[0].options.qemu, openings[1].options.qemu};
    bool good = open_both(openings, names[0] && g_strcmp0(names[0], names[1]) == 0, error);
    for (int i = 0; i < 2; i++) {
        pair->sessions[i] = openings[i].session;
    }
    return good;
}

static const char *build_id(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                            int which)
{
    const struct tcgrr_run *run = stored_run(options, which);
    return run ? run->qemu_build_id : tcgrr_session_qemu(pair->sessions[which])->build_id;
}

static bool same_build(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options)
{
    return tcgrr_state_same_qemu(tcgrr_lockstep_local_version(pair, options, 0), build_id(pair, options, 0),
                                 tcgrr_lockstep_local_version(pair, options, 1), build_id(pair, options, 1));
}

static bool both_live(const struct tcgrr_lockstep_local *pair)
{
    return pair->sessions[0] && pair->sessions[1];
}

static bool names_machine(const char *const *words)
{
    for (; words && *words; words++) {
        if (strcmp(*words, "-M") == 0 || g_str_has_suffix(*words, "-machine")) {
            return true;
        }
    }
    return false;
}

/*
 * Releases make different machines from the same words. If a side has a machine option of its own, the user wants that.
 */
static bool needs_pins(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options)
{
    return options->common && both_live(pair) && tcgrr_session_qemu(pair->sessions[0])->system &&
           !same_build(pair, options) && !names_machine(options->members[0].own) &&
           !names_machine(options->members[1].own);
}

/* Whether one rr log can drive both from some place on: two QEMUs with one vCPU each, in system mode. */
static bool can_share(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options)
{
    for (int i = 0; i < 2; i++) {
        const struct tcgrr_session *session = pair->sessions[i];
        if (!session || !tcgrr_session_qemu(session)->system || tcgrr_session_command(session)->vcpus > 1) {
            return false;
        }
    }
    return !options->own_inputs;
}

/* Opens the two again with one log: A records, B follows. */
static bool reopen(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                   const struct tcgrr_qemu known[2], bool share, GError **error)
{
    if (share && !(pair->log = tcgrr_shared_log_new(error))) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        g_clear_pointer(&pair->sessions[i], tcgrr_session_free);
    }
    bool good = open_sessions(pair, options, known, error) &&
                (!share || tcgrr_shared_log_begin(pair->log, pair->sessions, error));
    if (!good && share) {
        g_prefix_error(error, "one rr log cannot drive both (--own-inputs does without): ");
    }
    return good;
}

/* Pins the machine and shares the log if necessary, now that both QEMUs have been probed. */
static bool pin_and_share(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                          GError **error)
{
    bool pins = needs_pins(pair, options);
    bool share = can_share(pair, options) && (!options->starts_late || same_build(pair, options));
    struct tcgrr_qemu known[2];

    if (!pins && !share) {
        return true;
    }
    for (int i = 0; i < 2; i++) {
        tcgrr_qemu_copy(&known[i], tcgrr_session_qemu(pair->sessions[i]));
    }
    bool good = !pins || tcgrr_shared_machine_pin(
                             &pair->machine, (const struct tcgrr_qemu *const[]){&known[0], &known[1]}, options->common,
                             (const char *const *const[]){options->members[0].own, options->members[1].own}, error);
    good = good && reopen(pair, options, known, share, error);
    for (int i = 0; i < 2; i++) {
        tcgrr_qemu_clear(&known[i]);
    }
    return good;
}

bool tcgrr_lockstep_local_open(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                               GError **error)
{
    *pair = (struct tcgrr_lockstep_local){0};
    return share_calls(pair, options, error) && open_sessions(pair, options, NULL, error) &&
           check_comparable(pair, options, error) && pin_and_share(pair, options, error);
}

/* Makes the snapshot and opens the two again to start from it. */
static bool begin_at(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                     const struct tcgrr_position *place, GError **error)
{
    struct tcgrr_qemu known[2];
    struct tcgrr_shared_start_options make = {
        .plugin = options->plugin, .icount = options->icount, .place = *place, .stop = options->stop};

    for (int i = 0; i < 2; i++) {
        tcgrr_qemu_copy(&known[i], tcgrr_session_qemu(pair->sessions[i]));
        make.qemus[i] = &known[i];
        make.words[i] =
            pair->machine.pinned ? (const char *const *)pair->machine.words[i] : options->members[i].arguments;
    }
    GError *problem = NULL;
    bool good = tcgrr_shared_start_make(&pair->begin, &make, &problem);
    if (!good && problem->code != TCGRR_ERROR_STOPPED && problem->code != TCGRR_ERROR_ENDED) {
        pair->own_because = g_strdup(problem->message);
        g_clear_error(&problem);
    }
    if (problem) {
        g_propagate_error(error, problem);
    } else {
        good = !good || reopen(pair, options, known, true, error);
    }
    for (int i = 0; i < 2; i++) {
        tcgrr_qemu_clear(&known[i]);
    }
    return good;
}

static bool is_place(const struct tcgrr_position *place)
{
    return place->kind == TCGRR_POSITION_PC || (place->kind == TCGRR_POSITION_ICOUNT && place->value > 0);
}

/* If two QEMUs run different code before the place where the comparison starts, both start from a snapshot there. */
static bool begin(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                  struct tcgrr_compare_options *compare, GError **error)
{
    const struct tcgrr_position from = compare->from[0];

    if (pair->log || !is_place(&from) || !can_share(pair, options)) {
        return true;
    }
    if (from.value != compare->from[1].value || !tcgrr_shared_start_suits(options->members[0].own) ||
        !tcgrr_shared_start_suits(options->members[1].own)) {
        pair->own_because = g_strdup("they were given different guests or machines");
        return true;
    }
    if (!begin_at(pair, options, &from, error)) {
        return false;
    }
    for (int i = 0; pair->begin.folder && i < 2; i++) {
        compare->from[i] = (struct tcgrr_position){0};
        if (from.kind == TCGRR_POSITION_ICOUNT && compare->until[i].kind == TCGRR_POSITION_ICOUNT) {
            compare->until[i].value -= from.value;
        }
    }
    return true;
}

/* From API 5 on B is given A's calls instead of making them: it opens no file, and code is at A's addresses. */
struct tcgrr_session *tcgrr_lockstep_local_names(const struct tcgrr_lockstep_local *pair, int which)
{
    bool given = which == 1 && pair->calls && pair->sessions[0] && tcgrr_session_qemu(pair->sessions[1])->api >= 5;
    return pair->sessions[given ? 0 : which];
}

static bool start(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options, GError **error)
{
    struct tcgrr_run_source_live_options live = {
        .fails_at_threads = true,
        .hang_ms = options->hang_ms,
        .stop = options->stop,
        .ahead = pair->log ? TCGRR_LOCKSTEP_LOCAL_AHEAD : 0,
        .data = options->data,
    };

    for (int i = 0; i < 2; i++) {
        struct tcgrr_reader *reader = options->members[i].reader;
        if (!reader && !tcgrr_session_start(pair->sessions[i], error)) {
            return false;
        }
        live.progress = i == 0 || options->members[0].reader ? options->progress : NULL;
        live.names = i == 1 && pair->calls ? pair->sides[0] : NULL;
        live.log = pair->log ? tcgrr_shared_log_side(pair->log, i) : NULL;
        live.replays = pair->log && i == 1;
        live.original = live.replays ? pair->sides[0] : NULL;
        live.translated = live.replays && strcmp(tcgrr_session_qemu(pair->sessions[0])->version,
                                                 tcgrr_session_qemu(pair->sessions[1])->version) != 0;
        pair->sides[i] =
            reader ? tcgrr_run_source_stored(reader, error) : tcgrr_run_source_live(pair->sessions[i], &live);
        if (!pair->sides[i]) {
            return false;
        }
        if (pair->log && i == 0) {
            tcgrr_shared_log_set_a(pair->log, pair->sides[0]);
        }
    }
    if (pair->sessions[0] && pair->sessions[1]) {
        tcgrr_run_source_live_set_other(pair->sides[0], pair->sides[1]);
    }
    return true;
}

void tcgrr_lockstep_local_conclude(struct tcgrr_session *session, enum tcgrr_run_source_state end, char **exit,
                                   char **words)
{
    bool over = end == TCGRR_SOURCE_ENDED || end == TCGRR_SOURCE_SHUTDOWN || end == TCGRR_SOURCE_CUT;

    if (!over && !tcgrr_process_ended(tcgrr_session_process(session))) {
        tcgrr_process_stop(tcgrr_session_process(session), 0);
        *exit = g_strdup("stopped by tcgrr");
    } else {
        *exit = tcgrr_session_end(session);
    }
    *words = tcgrr_session_words(session);
}

/* Whether B gets all data that A gets, in user mode. */
static bool gives_data(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options)
{
    bool gives = !options->own_inputs;

    for (int i = 0; i < 2; i++) {
        const struct tcgrr_run *run = stored_run(options, i);
        const struct tcgrr_qemu *qemu = run ? NULL : tcgrr_session_qemu(pair->sessions[i]);
        gives = gives && tcgrr_qemu_gives_data(run ? run->target : qemu->target, run ? run->api_version : qemu->api);
    }
    return gives;
}

/* States are compared if both sides have samples, at the same steps. */
static void choose_state(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                         struct tcgrr_state_options *state)
{
    if (options->level < TCGRR_LEVEL_STATE || (!is_system(pair, options, 0) && !gives_data(pair, options))) {
        return;
    }
    state->target = tcgrr_lockstep_local_target(pair, options, 0);
    state->same_qemu = same_build(pair, options);
}

/* A live side takes samples as the stored one did; two live sides take them from the start of the comparison on. */
static void choose_samples(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options)
{
    for (int i = 0; i < 2; i++) {
        const struct tcgrr_position *from = &options->compare.from[i];
        const struct tcgrr_run *other = stored_run(options, !i);
        struct tcgrr_live *live = pair->sessions[i] ? tcgrr_session_live(pair->sessions[i]) : NULL;
        if (live && other && other->sample_step > 0) {
            tcgrr_live_set_sample_step(live, other->sample_step);
        }
        if (live && other && other->has_sample_from) {
            tcgrr_live_set_sample_origin(live, other->sample_from, false);
        } else if (live && !other && (from->kind == TCGRR_POSITION_PC || from->kind == TCGRR_POSITION_CODE)) {
            tcgrr_live_set_sample_origin(live, from->value, from->kind == TCGRR_POSITION_CODE);
        }
    }
}

/* The version of the plugin API that a member uses or used. */
static int api_of(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                  int which)
{
    const struct tcgrr_run *run = stored_run(options, which);
    return run ? run->api_version : tcgrr_session_qemu(pair->sessions[which])->api;
}

/* With a snapshot, the firmware has run in only one release. */
static bool check_machines(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                           GError **error)
{
    const char *versions[] = {tcgrr_lockstep_local_version(pair, options, 0),
                              tcgrr_lockstep_local_version(pair, options, 1)};

    return !pair->log || pair->begin.folder ||
           tcgrr_lockstep_check_machines(&pair->comparison, tcgrr_lockstep_local_target(pair, options, 0), versions,
                                         "--from", error);
}

/* B's QEMU may have ended because of the log. */
static bool check_log(struct tcgrr_lockstep_local *pair, GError **error)
{
    if (!pair->log || !pair->sessions[0] || !pair->sessions[1]) {
        return true;
    }
    const struct tcgrr_qemu *a = tcgrr_session_qemu(pair->sessions[0]), *b = tcgrr_session_qemu(pair->sessions[1]);
    bool same = tcgrr_state_same_qemu(a->version, a->build_id, b->version, b->build_id);
    return tcgrr_lockstep_check_log(&pair->comparison, pair->words[1], same, error);
}

bool tcgrr_lockstep_local_repeats(const struct tcgrr_lockstep_local *pair,
                                  const struct tcgrr_lockstep_local_options *options)
{
    const struct tcgrr_lockstep_member *a = &options->members[0], *b = &options->members[1];

    return (pair->log || !is_system(pair, options, 0)) && !a->reader && !b->reader &&
           g_strcmp0(a->qemu, b->qemu) == 0 && g_strv_equal(a->arguments, b->arguments) &&
           g_strcmp0(a->directory, b->directory) == 0;
}

static bool check_doubts(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                         GError **error)
{
    const char *versions[2] = {NULL, NULL};
    bool good = true;

    for (int i = 0; i < 2; i++) {
        versions[i] = pair->sessions[i] ? tcgrr_session_qemu(pair->sessions[i])->version : NULL;
    }
    for (int i = 0; i < 2 && good; i++) {
        struct tcgrr_session *session = pair->sessions[i];
        if (session) {
            struct tcgrr_doubts_run run = {
                .target = tcgrr_session_qemu(session)->target,
                .versions = versions,
                .words = (const char *const *)tcgrr_session_command(session)->argv,
                .blocks = tcgrr_live_blocks(tcgrr_session_live(session)),
                .translated = pair->log && tcgrr_shared_log_translated(pair->log),
                .system = is_system(pair, options, i),
                .repeats = tcgrr_lockstep_local_repeats(pair, options),
                .unchanged = !options->members[0].reader,
            };
            good = tcgrr_doubts_check(&pair->comparison, &run, error);
        }
    }
    return good;
}

struct side_exits {
    const struct tcgrr_lockstep_local *pair;
    const struct tcgrr_lockstep_local_options *options;
};

static char *exit_of(int side, void *data)
{
    const struct side_exits *exits = data;
    const struct tcgrr_run *run = stored_run(exits->options, side);
    struct tcgrr_session *session = exits->pair->sessions[side];

    if (run) {
        return g_strdup(run->exit);
    }
    return session && tcgrr_process_ended(tcgrr_session_process(session))
               ? tcgrr_process_describe_end(tcgrr_session_process(session))
               : NULL;
}

static const char *auxv_of(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                           int side)
{
    const struct tcgrr_run *run = stored_run(options, side);
    return run ? run->auxv : tcgrr_live_auxv(tcgrr_session_live(pair->sessions[side]));
}

static const char *auxv_of_side(int side, void *data)
{
    const struct side_exits *exits = data;
    return auxv_of(exits->pair, exits->options, side);
}

/* Anything between tcgrr and QEMU, such as a shell, can change the environment. */
static bool environments_differ(void *data)
{
    const struct side_exits *exits = data;
    struct tcgrr_live_info infos[2];

    for (int i = 0; i < 2; i++) {
        const struct tcgrr_session *session = exits->pair->sessions[i];
        if (!session || !tcgrr_live_info(tcgrr_session_live(session), &infos[i])) {
            return false;
        }
    }
    return infos[0].environment != infos[1].environment;
}

/* Whether B is given what A reads from a clock. */
static bool gives_clocks(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options)
{
    const char *target = tcgrr_lockstep_local_target(pair, options, 0);
    return tcgrr_qemu_gives_data(target, api_of(pair, options, 0)) &&
           tcgrr_qemu_gives_data(target, api_of(pair, options, 1));
}

static bool compare_sides(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                          const struct tcgrr_compare_options *compare, GError **error)
{
    if (!pair->calls || is_system(pair, options, 0)) {
        return tcgrr_compare(pair->sides[0], pair->sides[1], compare, &pair->comparison, error);
    }
    struct side_exits exits = {pair, options};
    struct tcgrr_given given = {
        .inputs = tcgrr_live_inputs(tcgrr_session_live(pair->sessions[1])),
        .same_release =
            strcmp(tcgrr_lockstep_local_version(pair, options, 0), tcgrr_lockstep_local_version(pair, options, 1)) == 0,
        .clocks = gives_clocks(pair, options),
        .isa = compare->isa,
        .exit = exit_of,
        .environments_differ = environments_differ,
        .auxv = auxv_of_side,
        .data = &exits,
    };
    return tcgrr_compare_given(pair->sides[0], pair->sides[1], compare, &given, &pair->comparison, error);
}

static void note_start(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options)
{
    const char *const auxv[] = {auxv_of(pair, options, 0), auxv_of(pair, options, 1)};
    bool release = pair->inputs == TCGRR_INPUTS_OWN &&
                   !tcgrr_lockstep_same_release(tcgrr_lockstep_local_version(pair, options, 0),
                                                tcgrr_lockstep_local_version(pair, options, 1));

    if (!is_system(pair, options, 0)) {
        tcgrr_compare_note_start(&pair->comparison, auxv, release);
    }
}

/* The address of a side's lowest code; 0 if it does not run any. */
static uint64_t wait_for_code(struct tcgrr_session *session, const struct tcgrr_lockstep_local_options *options)
{
    gint64 until = g_get_monotonic_time() + (gint64)options->hang_ms * 1000;
    uint64_t code = tcgrr_live_start_code(tcgrr_session_live(session));

    while (code == 0 && !tcgrr_process_ended(tcgrr_session_process(session)) && g_get_monotonic_time() < until &&
           !(options->stop && *options->stop)) {
        g_usleep(PLACE_US);
        code = tcgrr_live_start_code(tcgrr_session_live(session));
    }
    return code;
}

static void place_in_code(const struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                          struct tcgrr_compare_options *compare)
{
    for (int i = 0; i < 2; i++) {
        struct tcgrr_position *places[] = {&compare->from[i], &compare->until[i]};
        for (size_t k = 0; k < G_N_ELEMENTS(places); k++) {
            if (places[k]->kind == TCGRR_POSITION_CODE) {
                uint64_t code = wait_for_code(pair->sessions[i], options);
                *places[k] = (struct tcgrr_position){TCGRR_POSITION_PC, places[k]->value + code};
            }
        }
    }
}

static void conclude(struct tcgrr_lockstep_local *pair)
{
    for (int i = 0; i < 2; i++) {
        if (pair->sessions[i]) {
            tcgrr_lockstep_local_conclude(pair->sessions[i], pair->comparison.ends[i], &pair->exits[i],
                                          &pair->words[i]);
        }
    }
}

bool tcgrr_lockstep_local_run(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                              GError **error)
{
    struct tcgrr_compare_options compare = options->compare;

    if (!begin(pair, options, &compare, error)) {
        return false;
    }
    if (pair->own_because && options->own_because) {
        options->own_because(pair->own_because, options->data);
    }
    compare.stop = options->stop;
    compare.isa = tcgrr_isa_of_target(tcgrr_lockstep_local_target(pair, options, 0));
    compare.strict = compare.strict || pair->log || (pair->calls && stored_run(options, 0));
    compare.own_inputs = is_system(pair, options, 0);
    compare.asked_after = pair->log ? tcgrr_shared_log_asked_after(pair->log) : NULL;
    compare.vcpus_known =
        api_of(pair, options, 0) == api_of(pair, options, 1) && tcgrr_compare_reports_vcpus(api_of(pair, options, 0));
    choose_state(pair, options, &compare.state);
    choose_samples(pair, options);
    if (!start(pair, options, error)) {
        return false;
    }
    place_in_code(pair, options, &compare);
    if (!compare_sides(pair, options, &compare, error)) {
        return false;
    }
    conclude(pair);
    if (!check_machines(pair, options, error) || !check_log(pair, error) || !check_doubts(pair, options, error) ||
        !tcgrr_lockstep_control_check(pair, options, error)) {
        return false;
    }
    if (pair->log) {
        pair->inputs = tcgrr_shared_log_translated(pair->log) ? TCGRR_INPUTS_TRANSLATED : TCGRR_INPUTS_SHARED;
    } else if (pair->calls && !is_system(pair, options, 0) &&
               tcgrr_qemu_gives_results(tcgrr_lockstep_local_target(pair, options, 0), api_of(pair, options, 0),
                                        api_of(pair, options, 1))) {
        pair->inputs = TCGRR_INPUTS_SHARED;
    }
    note_start(pair, options);
    return true;
}

bool tcgrr_lockstep_local_can_decide(const struct tcgrr_lockstep_local *pair,
                                     const struct tcgrr_lockstep_local_options *options)
{
    return pair->comparison.undecided && options->own_inputs && pair->sessions[0] && pair->sessions[1] &&
           tcgrr_session_command(pair->sessions[0])->vcpus <= 1 && tcgrr_session_command(pair->sessions[1])->vcpus <= 1;
}

void tcgrr_lockstep_local_clear(struct tcgrr_lockstep_local *pair)
{
    tcgrr_comparison_clear(&pair->comparison);
    if (pair->calls) {
        g_autofree char *folder = g_path_get_dirname(pair->calls);
        tcgrr_folder_remove(folder);
        g_clear_pointer(&pair->calls, g_free);
        g_strfreev(pair->environment);
    }
    for (int i = 0; i < 2; i++) {
        if (pair->sides[i]) {
            pair->sides[i]->ops->free(pair->sides[i]);
        }
        tcgrr_session_free(pair->sessions[i]);
        g_free(pair->exits[i]);
        g_free(pair->words[i]);
    }
    tcgrr_shared_log_free(pair->log);
    tcgrr_shared_start_clear(&pair->begin);
    g_free(pair->own_because);
    tcgrr_shared_machine_clear(&pair->machine);
}
