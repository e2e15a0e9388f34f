/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads: the caller's drains the ring and counts, because the guest waits when that stops; the storing one
 * encodes and writes. Chunks go round between them: full ones to the storer, empty ones back, a fixed number in all, so
 * that memory is bounded.
 */
#include "record/record_internal.h"

#include "emu/qemu/calls_file.h"
#include "emu/qemu/unlogged.h"
#include "record/events.h"
#include "record/notes.h"
#include "record/tail.h"
#include "store/error.h"
#include "store/inputs.h"
#include "store/symbols.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CHUNKS 5
#define CHUNK_AGE_US                                                                                                   \
    (400 * 1000) /* a chunk is handed on at the latest then, so that a crash loses less than a second */
#define COMMIT_US     (400 * 1000)
#define PROGRESS_US   (200 * 1000)
#define HAND_OVER_US  (100 * 1000)
#define PUMP_MS       5
#define STOP_GRACE_US (G_USEC_PER_SEC * 90) /* QEMU heeds signals between slices of up to 2^31 instructions only */
#define FLUSH_MS      1000
#define ASK_EARLY     (1u << 20)
/* At level full: time for QEMU to say where devices are by now, before it is asked to leave. */
#define MAP_GRACE_US  (2 * G_USEC_PER_SEC)
#define STOP_AGAIN_US (G_USEC_PER_SEC * 1)
#define HANGS_US      (G_USEC_PER_SEC * 3)
#define NOTHING_US    (10 * 1000) /* of processor time: asking it takes some */

/* ---- the storing thread ---- */

/* Those of the files that the user named; NULL with error. */
static struct tcgrr_symbols *load_named(const struct recorder *recorder, GError **error)
{
    struct tcgrr_symbols *symbols = tcgrr_symbols_new();
    const char *const *more = recorder->options->symbol_files;
    bool good = true;

    for (; good && more && *more; more++) {
        good = tcgrr_symbols_add_file(symbols, *more, 0, error);
    }
    if (!good) {
        g_clear_pointer(&symbols, tcgrr_symbols_free);
    }
    return symbols;
}

/* And those of the guest. */
static struct tcgrr_symbols *load_symbols(const struct recorder *recorder, GError **error)
{
    struct tcgrr_symbols *symbols = load_named(recorder, error);
    const char *kernel = tcgrr_session_command(recorder->session)->kernel;

    if (symbols && kernel) {
        tcgrr_symbols_add_program(symbols, tcgrr_recorder_user_path(recorder, kernel),
                                  tcgrr_live_start_code(tcgrr_session_live(recorder->session)));
    }
    return symbols;
}

/* Before anything is started: a name that was mistyped should cost nothing. */
static bool check_symbol_files(const struct tcgrr_record_options *options, GError **error)
{
    struct tcgrr_symbols *symbols = tcgrr_symbols_new();
    const char *const *more = options->symbol_files;
    bool good = true;

    for (; good && more && *more; more++) {
        good = tcgrr_symbols_add_file(symbols, *more, 0, error);
    }
    tcgrr_symbols_free(symbols);
    return good;
}

static bool write_symbols(struct recorder *recorder, struct tcgrr_symbols *symbols, GError **error)
{
    const GArray *list = tcgrr_symbols_list(symbols);
    bool good = true;

    for (guint i = 0; good && i < list->len; i++) {
        good = tcgrr_writer_symbol(recorder->writer, &g_array_index(list, struct tcgrr_symbol, i), error);
    }
    return good;
}

static bool store_symbols(struct recorder *recorder, GError **error)
{
    recorder->symbols = load_symbols(recorder, error);
    return recorder->symbols && write_symbols(recorder, recorder->symbols, error);
}

/* Those of a program's interpreter and libraries, as they come. */
static bool store_mapped(struct recorder *recorder, GError **error)
{
    const struct tcgrr_live *live = tcgrr_session_live(recorder->session);

    if (!recorder->symbols || tcgrr_live_mapped_count(live) == recorder->mapped) {
        return true;
    }
    g_autoptr(GArray) mapped = tcgrr_live_mapped(live);
    bool limited;
    struct tcgrr_symbols *fresh = tcgrr_symbols_of_mappings(mapped, recorder->mapped, recorder->symbols, &limited);
    bool good = write_symbols(recorder, fresh, error) && tcgrr_recorder_digest_mapped(recorder, mapped, error);
    tcgrr_symbols_join(recorder->symbols, fresh);
    tcgrr_symbols_free(fresh);
    recorder->mapped = mapped->len;
    recorder->limited = recorder->limited || limited;
    return good;
}

/* At the end: sets the icount until which each symbol holds, if something else was at its address later. */
static bool set_times(struct recorder *recorder, GError **error)
{
    bool limited;

    if (!recorder->limited) {
        return true;
    }
    g_autoptr(GArray) mapped = tcgrr_live_mapped(tcgrr_session_live(recorder->session));
    struct tcgrr_symbols *named = load_named(recorder, error);
    if (!named) {
        return false;
    }
    struct tcgrr_symbols *timed = tcgrr_symbols_of_mappings(mapped, 0, named, &limited);
    bool good = tcgrr_writer_forget_symbols(recorder->writer, error) && write_symbols(recorder, named, error) &&
                write_symbols(recorder, timed, error);
    tcgrr_symbols_free(timed);
    tcgrr_symbols_free(named);
    return good;
}

static bool store_surroundings(struct recorder *recorder, GError **error)
{
    const struct tcgrr_command *command = tcgrr_session_command(recorder->session);

    for (guint i = 0; i < command->notes->len; i++) {
        if (!tcgrr_writer_note(recorder->writer, g_ptr_array_index(command->notes, i), error)) {
            return false;
        }
    }
    if (!tcgrr_recorder_digest_files(recorder, error)) {
        return false;
    }
    return !recorder->portable.arguments ||
           tcgrr_portable_store(&recorder->portable, recorder->options->qemu, recorder->writer, error);
}

/* The address of a user-mode program is not known until it starts. */
static bool knows_addresses(const struct recorder *recorder)
{
    return tcgrr_session_qemu(recorder->session)->system ||
           tcgrr_live_start_code(tcgrr_session_live(recorder->session)) != 0;
}

static void note_size(struct recorder *recorder)
{
    struct tcgrr_writer_sizes sizes;
    tcgrr_writer_sizes(recorder->writer, &sizes);
    recorder->stored_bytes = sizes.execs + sizes.sides + sizes.samples + sizes.mem;
}

static gpointer store_chunks(gpointer data)
{
    struct recorder *recorder = data;
    const struct tcgrr_blocks *blocks = tcgrr_live_blocks(tcgrr_session_live(recorder->session));
    gint64 committed = g_get_monotonic_time();
    GError *error = NULL;
    bool good = store_surroundings(recorder, &error);
    bool named = false;

    for (;;) {
        if (good && !named && knows_addresses(recorder)) {
            named = true;
            good = store_symbols(recorder, &error);
        }
        good = good && store_mapped(recorder, &error);
        struct tcgrr_chunk *chunk = g_async_queue_timeout_pop(recorder->full, COMMIT_US);
        if ((void *)chunk == recorder) {
            break;
        }
        if (chunk) {
            good = good && tcgrr_writer_chunk(recorder->writer, chunk, blocks, &error);
            g_async_queue_push(recorder->empty, chunk);
            note_size(recorder);
        }
        if (good && g_get_monotonic_time() - committed >= COMMIT_US) {
            good = (!recorder->run.rr || tcgrr_writer_logged(recorder->writer, recorder->logged, &error)) &&
                   tcgrr_writer_commit(recorder->writer, &error);
            committed = g_get_monotonic_time();
        }
        if (!good && !g_atomic_int_get(&recorder->store_failed)) {
            recorder->store_error = error;
            g_atomic_int_set(&recorder->store_failed, 1);
        }
    }
    good = good && (named || store_symbols(recorder, &error)) && store_mapped(recorder, &error) &&
           set_times(recorder, &error);
    if (!good && !recorder->store_error) {
        recorder->store_error = error;
    }
    return NULL;
}

/* ---- the draining thread ---- */

static void report_progress(struct recorder *recorder, const struct tcgrr_chunk *chunk,
                            struct tcgrr_record_progress *progress)
{
    progress->seconds = (double)(g_get_monotonic_time() - recorder->began) / 1e6;
    progress->icount = chunk->end_icount;
    progress->execs = chunk->first_seq + chunk->count;
    progress->bytes = recorder->stored_bytes;
    recorder->options->progress(progress, recorder->options->data);
}

static void note_last_event(struct tcgrr_record_progress *progress, const struct tcgrr_chunk *chunk)
{
    if (chunk->events->len > 0) {
        const struct tcgrr_event *last = &g_array_index(chunk->events, struct tcgrr_event, chunk->events->len - 1);
        progress->last_event = tcgrr_event_name(last->kind);
        progress->last_event_icount = last->icount;
    }
}

/* When the user wished to stop, and when QEMU was last asked to leave; 0: not yet. */
struct farewell {
    gint64 wished;
    gint64 asked;
    gint64 worked; /* when QEMU was last seen to do something */
    int64_t spent; /* its processor time then */
};

/* Whether QEMU, which was asked to end, has done nothing for a while: it hangs or is stopped. */
static bool does_nothing(struct tcgrr_process *process, struct farewell *farewell, gint64 now)
{
    int64_t spent = tcgrr_process_spent(process);

    if (farewell->worked == 0 || spent - farewell->spent > NOTHING_US ||
        (now - farewell->worked > HANGS_US && !tcgrr_process_sleeps(process))) {
        farewell->worked = now;
        farewell->spent = spent;
    }
    return now - farewell->worked > HANGS_US;
}

/*
 * Asks QEMU to leave when the user wants to stop, and again now and then, because QEMU can miss it while it waits for
 * its vCPU; by force when it does not, or when the user asks twice.
 */
static void heed_stop(struct recorder *recorder, struct farewell *farewell)
{
    struct tcgrr_process *process = tcgrr_session_process(recorder->session);
    gint64 now = g_get_monotonic_time();

    if (farewell->wished == 0) {
        farewell->wished = now;
    }
    if (now - farewell->wished > STOP_GRACE_US || does_nothing(process, farewell, now) ||
        *recorder->options->stop >= TCGRR_RECORD_FORCE) {
        tcgrr_process_signal(process, SIGKILL);
    } else if (now - farewell->wished < MAP_GRACE_US && !tcgrr_session_update_map(recorder->session)) {
        tcgrr_live_ask_yield(tcgrr_session_live(recorder->session));
    } else if (farewell->asked == 0 || now - farewell->asked > STOP_AGAIN_US) {
        farewell->asked = now;
        tcgrr_live_ask_yield(tcgrr_session_live(recorder->session));
        tcgrr_process_signal(process, SIGTERM);
    }
}

/* A request to QEMU to flush its rr log, and what had run by then. */
struct flush {
    uint32_t asked;
    tcgrr_icount icount;
    bool pending;
};

/* Learns how far the log reaches that a kill would leave. */
static void follow_flushes(struct recorder *recorder, struct flush *flush, const struct tcgrr_chunk *chunk)
{
    struct tcgrr_live *live = tcgrr_session_live(recorder->session);

    if (flush->pending && tcgrr_live_flushed(live, flush->asked)) {
        recorder->logged = flush->icount;
        flush->pending = false;
    }
    if (!flush->pending && recorder->run.rr) {
        *flush = (struct flush){tcgrr_live_ask_flush(live), chunk->end_icount, true};
    }
}

/*
 * On a machine whose instructions are not known there are too many doubts to keep: the part of the log that QEMU has
 * written is consulted from time to time. After a flush it has all events up to `icount`, even if there were none for
 * long. Later doubts remain; the log is read again when there are twice as many.
 */
static bool ask_early(struct recorder *recorder, tcgrr_icount icount, GError **error)
{
    struct tcgrr_live *live = tcgrr_session_live(recorder->session);
    const GArray *uncertain = tcgrr_live_uncertain(live);

    if (!uncertain || uncertain->len < recorder->ask_at) {
        return true;
    }
    uint32_t asked = tcgrr_live_ask_flush(live);
    if (!tcgrr_process_ended(tcgrr_session_process(recorder->session))) { /* else nobody answers any more */
        tcgrr_live_await_flush(live, asked, FLUSH_MS);
    }
    bool flushed = tcgrr_live_flushed(live, asked) && tcgrr_live_flush_error(live) == 0;
    struct tcgrr_rrlog *log = tcgrr_rrlog_load(recorder->rr_file, recorder->run.qemu_version, error);
    if (!log) {
        return false;
    }
    tcgrr_rrlog_rebase(log, recorder->portable.start_icount);
    int64_t sure = (int64_t)icount + recorder->answers.shift - uncertain->len; /* each answer may move it by one */
    if (flushed && !log->unknown && sure > 0) {
        log->reached = (tcgrr_icount)sure;
    }
    tcgrr_live_drop_uncertain(live, tcgrr_answer_doubts(&recorder->answers, log, uncertain));
    tcgrr_rrlog_free(log);
    recorder->ask_at = MAX(ASK_EARLY, 2 * uncertain->len);
    return true;
}

/* Reads until the stream ends; hands chunks on. Leaves the last one in `*chunk`. */
static bool drain(struct recorder *recorder, struct tcgrr_chunk **chunk, enum tcgrr_live_end *end, GError **error)
{
    struct tcgrr_record_progress progress = {0};
    gint64 age = g_get_monotonic_time();
    gint64 reported = age;
    struct farewell farewell = {0};
    struct flush flush = {0};

    for (;;) {
        if (!tcgrr_session_next(recorder->session, *chunk, PUMP_MS, end, error)) {
            return false;
        }
        const struct tcgrr_blocks *blocks = tcgrr_live_blocks(tcgrr_session_live(recorder->session));
        bool over = tcgrr_until_look(&recorder->until, *chunk, blocks);
        if (*end != TCGRR_LIVE_RUNS) {
            return true;
        }
        if (g_atomic_int_get(&recorder->store_failed)) {
            return true;
        }
        if (over || *recorder->options->stop) {
            heed_stop(recorder, &farewell);
        }
        gint64 now = g_get_monotonic_time();
        if ((*chunk)->count == (*chunk)->capacity || (now - age >= CHUNK_AGE_US && !tcgrr_chunk_is_empty(*chunk))) {
            struct tcgrr_chunk *next = g_async_queue_timeout_pop(recorder->empty, HAND_OVER_US);
            if (!next) {
                continue; /* the storing thread is slow: the guest waits, but a request to stop is still handled */
            }
            follow_flushes(recorder, &flush, *chunk);
            note_last_event(&progress, *chunk);
            tcgrr_chunk_follow(next, *chunk);
            g_async_queue_push(recorder->full, *chunk);
            *chunk = next;
            tcgrr_until_next(&recorder->until);
            age = now;
            if (!ask_early(recorder, (*chunk)->end_icount, error)) {
                return false;
            }
        }
        if (recorder->options->progress && now - reported >= PROGRESS_US) {
            report_progress(recorder, *chunk, &progress);
            reported = now;
        }
    }
}

/* ---- all of it ---- */

/* The address from which branches count for samples. */
static bool find_origin(struct recorder *recorder, GError **error)
{
    const char *origin = recorder->options->sample_from;
    struct tcgrr_run *run = &recorder->run;

    if (!origin) {
        return true;
    }
    run->has_sample_from = g_str_has_prefix(origin, "0x") &&
                           g_ascii_string_to_unsigned(origin + 2, 16, 0, UINT64_MAX, &run->sample_from, NULL);
    struct tcgrr_symbols *symbols = run->has_sample_from ? NULL : load_symbols(recorder, error);
    const struct tcgrr_symbol *symbol = symbols ? tcgrr_symbols_find(symbols, origin) : NULL;
    if (symbol) {
        uint64_t lowest = 0;
        recorder->origin_in_code =
            !tcgrr_session_qemu(recorder->session)->system && tcgrr_symbols_can_move(symbol->file, &lowest);
        run->has_sample_from = true;
        run->sample_from = symbol->address - (recorder->origin_in_code ? lowest : 0);
    } else if (symbols) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "there is no symbol %s to count branches from; --symbols FILE adds those of an ELF file, a 0x "
                    "address always works",
                    origin);
    }
    tcgrr_symbols_free(symbols);
    if (run->has_sample_from) {
        tcgrr_live_set_sample_origin(tcgrr_session_live(recorder->session), run->sample_from, recorder->origin_in_code);
    }
    return run->has_sample_from;
}

static bool create_trace(struct recorder *recorder, GError **error)
{
    const struct tcgrr_record_options *options = recorder->options;
    recorder->writer = tcgrr_writer_create(options->output, options->force, &recorder->run, error);
    return recorder->writer != NULL;
}

/* Pins the machine where that is wanted. */
static bool open_portable(struct recorder *recorder, GError **error)
{
    const struct tcgrr_record_options *options = recorder->options;
    struct tcgrr_portable_options portable = {
        .qemu = options->qemu,
        .arguments = options->arguments,
        .plugin = options->plugin,
        .directory = options->directory,
        .icount = options->icount,
        .start_at = options->start_at,
        .symbol_files = options->symbol_files,
        .stop = options->stop,
    };
    if (!options->portable && !options->start_at) {
        return true;
    }
    if (!tcgrr_portable_open(&portable, &recorder->portable, error)) {
        return false;
    }
    const GPtrArray *warnings = recorder->portable.pins.warnings;
    for (guint i = 0; options->warn && i < warnings->len; i++) {
        options->warn(warnings->pdata[i], options->data);
    }
    return true;
}

/* User mode: creates the file for the program's inputs. */
static bool create_calls(struct recorder *recorder, GError **error)
{
    if (tcgrr_session_qemu(recorder->session)->system) {
        if (!recorder->family) {
            return true;
        }
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "--follow all is for user mode, in which the program forks; a whole machine is one run");
        return false;
    }
    return recorder->child ? g_file_set_contents(recorder->calls, "", 0, error)
                           : tcgrr_calls_file_create(recorder->calls, error);
}

/* Starts QEMU or, if another QEMU has forked it, adopts the running process. */
static bool start_session(struct recorder *recorder, GError **error)
{
    struct tcgrr_family_child *child = recorder->child;

    if (!child) {
        return tcgrr_session_start(recorder->session, error);
    }
    if (!tcgrr_session_adopt(recorder->session, child->fork.pid, error)) {
        return false;
    }
    tcgrr_fork_welcome(&child->fork, tcgrr_live_fd(tcgrr_session_live(recorder->session)), recorder->calls);
    child->answered = true;
    return true;
}

static bool open_session(struct recorder *recorder, GError **error)
{
    const struct tcgrr_record_options *options = recorder->options;
    char **pinned = recorder->portable.arguments;
    struct tcgrr_session_options session = {
        .qemu = options->qemu,
        .known = pinned ? &recorder->portable.qemu : recorder->known,
        .arguments = pinned ? (const char *const *)pinned : options->arguments,
        .plugin = options->plugin,
        .mode = options->rr ? TCGRR_RUN_RECORD : TCGRR_RUN_PLAIN,
        .level = options->level,
        .window = options->window,
        .icount = options->icount,
        .rr_file = recorder->rr_file,
        .start = recorder->portable.start,
        .start_icount = recorder->portable.start_icount,
        .directory = options->directory,
        .quiet = options->quiet,
        .inputs = recorder->calls,
        .follow_none = options->follow_none,
        .forks = recorder->family ? tcgrr_family_socket(recorder->family) : NULL,
        .process = recorder->child ? recorder->child->process : 0,
        .output_to_errors = options->output_to_errors,
    };
    recorder->session = tcgrr_session_new(&session, error);
    if (!recorder->session) {
        return false;
    }
    if (!create_calls(recorder, error)) {
        return false;
    }
    tcgrr_recorder_describe(recorder);
    if (options->started) {
        options->started(tcgrr_session_command(recorder->session), options->data);
    }
    tcgrr_live_set_sample_step(tcgrr_session_live(recorder->session),
                               options->sample_step ? options->sample_step : TCGRR_SAMPLE_STEP);
    if (!find_origin(recorder, error)) {
        return false;
    }
    if (recorder->run.rr) {
        tcgrr_live_keep_uncertain(tcgrr_session_live(recorder->session));
    }
    recorder->began = g_get_monotonic_time();
    recorder->began_real = g_get_real_time();
    tcgrr_recorder_date_files(recorder);
    /* An existing trace is replaced only when QEMU has started. */
    if (options->force && g_file_test(options->output, G_FILE_TEST_EXISTS)) {
        return start_session(recorder, error) && tcgrr_session_wait_loaded(recorder->session, options->stop, error) &&
               create_trace(recorder, error);
    }
    return create_trace(recorder, error) && start_session(recorder, error);
}

/*
 * A QEMU that ends inside an instruction (semihosting, a device that calls exit()) writes no end mark, and nothing of
 * the instructions since the last event; but all its events are in the file, because exit() writes what is buffered.
 */
static void reach_end(const struct recorder *recorder, struct tcgrr_rrlog *log)
{
    int status = tcgrr_process_status(tcgrr_session_process(recorder->session));
    if (!log->complete && !log->unknown && status >= 0 && WIFEXITED(status)) {
        log->reached = recorder->run.icount + 2;
    }
}

static bool ask_log(struct recorder *recorder, const struct tcgrr_rrlog *log, GError **error)
{
    struct tcgrr_live *live = tcgrr_session_live(recorder->session);
    struct tcgrr_repair task = {
        .path = recorder->options->output,
        .uncertain = tcgrr_live_uncertain(live),
        .answers = &recorder->answers,
        .log = log,
        .blocks = tcgrr_live_blocks(live),
    };

    if (recorder->run.qemu_icount < 0 && log->complete) {
        recorder->run.qemu_icount = (int64_t)log->total;
    }
    if (!task.uncertain) {
        return tcgrr_writer_note(recorder->writer, "too many counts were uncertain to ask QEMU's rr log about them",
                                 error);
    }
    return tcgrr_repair(recorder->writer, &task, &recorder->run, error);
}

static bool cut_tail(struct recorder *recorder, const struct tcgrr_rrlog *log, GError **error)
{
    struct tcgrr_tail task = {
        .path = recorder->options->output,
        .log = log,
        .blocks = tcgrr_live_blocks(tcgrr_session_live(recorder->session)),
    };
    return tcgrr_writer_commit(recorder->writer, error) &&
           tcgrr_cut_tail(recorder->writer, &task, &recorder->run, error);
}

static struct tcgrr_rrlog *load_log(const struct recorder *recorder, GError **error)
{
    struct tcgrr_rrlog *log = tcgrr_rrlog_load(recorder->rr_file, recorder->run.qemu_version, error);
    if (log && !tcgrr_session_check_log(recorder->session, recorder->rr_file, !log->complete, error)) {
        g_clear_pointer(&log, tcgrr_rrlog_free);
    }
    if (log) {
        tcgrr_rrlog_rebase(log, recorder->portable.start_icount);
    }
    return log;
}

/* Level inputs: the log has all that is known of the run. */
static bool take_log(struct recorder *recorder, GError **error)
{
    struct tcgrr_run *run = &recorder->run;
    struct tcgrr_rrlog *log = load_log(recorder, run->complete ? error : NULL);
    if (!log) {
        return !run->complete; /* QEMU was killed before it wrote anything */
    }
    run->icount = log->run_end;
    run->tail = log->total - log->run_end;
    run->logged = run->complete ? run->icount : 0;
    if (run->qemu_icount < 0 && log->complete) {
        run->qemu_icount = (int64_t)log->total;
    }
    bool good = tcgrr_place_events(recorder->writer, log, error);
    tcgrr_rrlog_free(log);
    return good;
}

/*
 * What this QEMU did not report while it ran is in its rr log, now that it has ended. Only where the trace is
 * complete, so that a replay knows when to follow the log, too.
 */
static bool repair(struct recorder *recorder, GError **error)
{
    if (recorder->options->level == TCGRR_LEVEL_INPUTS) {
        return take_log(recorder, error);
    }
    if (!recorder->run.complete || !recorder->run.rr) {
        return true;
    }
    struct tcgrr_rrlog *log = load_log(recorder, error);
    if (!log) {
        g_prefix_error(error, "where the run ends is not known without QEMU's log: ");
        return false;
    }
    reach_end(recorder, log);
    bool good = ask_log(recorder, log, error) && cut_tail(recorder, log, error);
    tcgrr_rrlog_free(log);
    return good;
}

static bool cut_run(struct recorder *recorder, GError **error)
{
    struct tcgrr_tail task = {
        .path = recorder->options->output,
        .blocks = tcgrr_live_blocks(tcgrr_session_live(recorder->session)),
    };
    if (!recorder->until.reached || !recorder->run.complete) {
        return true;
    }
    recorder->run.guest_shutdown = false; /* it was our signal that ended QEMU */
    return tcgrr_writer_commit(recorder->writer, error) &&
           tcgrr_cut_run(recorder->writer, &task, &recorder->until, &recorder->run, error);
}

/* User mode: stores the program's inputs. */
static bool store_calls(struct recorder *recorder, GError **error)
{
    const struct tcgrr_embedded calls = {.name = TCGRR_INPUTS_CALLS, .role = "system calls", .path = ""};
    if (tcgrr_session_qemu(recorder->session)->system) {
        return true;
    }
    return tcgrr_writer_input(recorder->writer, &calls, recorder->calls, error);
}

/* Whether the guest may have got what QEMU has not recorded. */
static bool note_typed(struct recorder *recorder, GError **error)
{
    const char *const *words = (const char *const *)tcgrr_session_command(recorder->session)->argv;
    g_autoptr(GArray) options = recorder->run.rr ? tcgrr_options_scan_system(words + 1) : NULL;

    return !options || recorder->options->quiet || !tcgrr_unlogged_console(options, recorder->run.qemu_version) ||
           !tcgrr_unlogged_typed(recorder->began_real) ||
           tcgrr_writer_note(recorder->writer, TCGRR_UNLOGGED_NOTE, error);
}

static bool finish_trace(struct recorder *recorder, const struct tcgrr_chunk *last, struct tcgrr_record_result *result,
                         GError **error)
{
    tcgrr_recorder_describe_end(recorder, last, result);
    result->reached = recorder->until.reached;
    result->reset = tcgrr_session_guest_reset(recorder->session);
    if (!tcgrr_record_notes(recorder->writer, recorder->session, &recorder->run, error) ||
        !note_typed(recorder, error) || !tcgrr_recorder_note_written(recorder, &result->written, error) ||
        !tcgrr_writer_commit(recorder->writer, error) || !repair(recorder, error) || !cut_run(recorder, error)) {
        return false;
    }
    if (recorder->run.rr && g_file_test(recorder->rr_file, G_FILE_TEST_EXISTS) &&
        !tcgrr_writer_rr_file(recorder->writer, recorder->rr_file, error)) {
        return false;
    }
    if (!store_calls(recorder, error) || (recorder->family && !tcgrr_recorder_store_process(recorder, result, error)) ||
        (recorder->family && !recorder->child && !tcgrr_recorder_store_children(recorder, result, error))) {
        return false;
    }
    tcgrr_writer_sizes(recorder->writer, &result->sizes);
    return tcgrr_writer_run(recorder->writer, &recorder->run, error) && tcgrr_writer_finish(recorder->writer, error);
}

/* The program is not recorded any further, but it is the user's: it ends when it wants to, or when the user does. */
static void let_run_on(struct recorder *recorder)
{
    struct tcgrr_process *process = tcgrr_session_process(recorder->session);
    struct farewell farewell = {0};

    tcgrr_live_detach(tcgrr_session_live(recorder->session));
    while (!tcgrr_process_wait(process, 100)) {
        if (*recorder->options->stop) {
            heed_stop(recorder, &farewell);
        }
    }
}

static bool guest_ran(const struct recorder *recorder, const struct tcgrr_chunk *last)
{
    struct tcgrr_rrlog *log = recorder->options->level == TCGRR_LEVEL_INPUTS ? load_log(recorder, NULL) : NULL;
    bool ran = last->end_icount > 0 || (log && log->total > 0);
    tcgrr_rrlog_free(log);
    return ran;
}

static bool run_to_end(struct recorder *recorder, struct tcgrr_record_result *result, GError **error)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    tcgrr_chunk_follow(chunk, NULL);
    for (int i = 1; i < CHUNKS; i++) {
        g_async_queue_push(recorder->empty, tcgrr_chunk_new(TCGRR_CHUNK_EXECS));
    }
    GThread *storer = g_thread_new("tcgrr-store", store_chunks, recorder);
    bool good = drain(recorder, &chunk, &result->end, error);

    if (!good || g_atomic_int_get(&recorder->store_failed)) {
        tcgrr_live_detach(tcgrr_session_live(recorder->session)); /* or the guest would wait for room in the ring */
        tcgrr_process_stop(tcgrr_session_process(recorder->session), STOP_GRACE_US / 1000);
    }
    bool user = !tcgrr_session_qemu(recorder->session)->system;
    if (result->end == TCGRR_LIVE_THREADS || (result->end == TCGRR_LIVE_FINISHED && user)) {
        let_run_on(recorder);
    }
    result->exit = tcgrr_session_end(recorder->session);
    result->exit_failed = tcgrr_process_status(tcgrr_session_process(recorder->session)) != 0;
    /* The storer gets the last chunk, but keeps it: its numbers are still needed. */
    struct tcgrr_chunk *last = tcgrr_chunk_new(1);
    tcgrr_chunk_follow(last, chunk);
    g_async_queue_push(recorder->full, chunk);
    g_async_queue_push(recorder->full, recorder);
    g_thread_join(storer);
    if (recorder->store_error) {
        g_clear_error(error);
        g_propagate_error(error, recorder->store_error);
        good = false;
    }
    if (good && !guest_ran(recorder, last) && result->exit_failed && !*recorder->options->stop) {
        g_autofree char *words = tcgrr_session_why_not_run(recorder->session);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU ended before the guest ran (%s)%s%s", result->exit,
                    *words ? ": " : "; check its arguments by running it without tcgrr", words);
        result->end = TCGRR_LIVE_UNLOADED;
        good = false;
    }
    /* After a malformed ring the data read before is still kept; after a disk error nothing more can be stored. */
    if (!recorder->store_error && result->end != TCGRR_LIVE_UNLOADED) {
        good = finish_trace(recorder, last, result, good ? error : NULL) && good;
    }
    tcgrr_chunk_free(last);
    return good;
}

/* QEMU may work in another folder than we. */
static char *absolute_with(const char *path, const char *end)
{
    g_autofree char *name = g_strconcat(path, end, NULL);
    return g_canonicalize_filename(name, NULL);
}

static void record_child(struct tcgrr_family_child *child, void *data);

static bool record(const struct tcgrr_record_options *options, struct tcgrr_family *family,
                   struct tcgrr_family_child *child, const struct tcgrr_qemu *known, struct tcgrr_record_result *result,
                   GError **error)
{
    struct recorder recorder = {
        .options = options,
        .texts = g_string_chunk_new(1024),
        .rr_file = g_strconcat(options->output, ".rr", NULL),
        .calls = absolute_with(options->output, ".calls"),
        .full = g_async_queue_new(),
        .empty = g_async_queue_new_full((GDestroyNotify)tcgrr_chunk_free),
        .answers.corrections = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_retire_correction)),
        .ask_at = ASK_EARLY,
        .until = options->until,
        .family = family,
        .child = child,
        .known = known,
    };
    *result = (struct tcgrr_record_result){0};
    if (family && !child) {
        tcgrr_family_begin(family, record_child, &recorder);
    }
    bool good = check_symbol_files(options, error) && open_portable(&recorder, error) &&
                open_session(&recorder, error) && run_to_end(&recorder, result, error);
    if (family && !child) {
        tcgrr_family_wait(family, 0, options->stop); /* after a failure they are recorded still */
    }

    bool wrote_nothing = recorder.writer && (result->end == TCGRR_LIVE_UNLOADED || !result->exit);
    tcgrr_writer_free(recorder.writer);
    tcgrr_symbols_free(recorder.symbols);
    if (wrote_nothing) {
        g_unlink(options->output);
    }
    if (recorder.writer && (good || wrote_nothing)) {
        g_unlink(recorder.rr_file); /* it is in the trace; after a failure it is kept */
    }
    if (!recorder.writer || good || wrote_nothing) {
        g_unlink(recorder.calls);
    }
    tcgrr_session_free(recorder.session);
    tcgrr_portable_clear(&recorder.portable);
    tcgrr_until_clear(&recorder.until);
    g_async_queue_unref(recorder.full);
    g_async_queue_unref(recorder.empty);
    g_string_chunk_free(recorder.texts);
    g_array_unref(recorder.answers.corrections);
    g_clear_pointer(&recorder.dates, g_array_unref);
    g_free(recorder.rr_file);
    g_free(recorder.calls);
    return good;
}

/* NAME.tcgrr, NAME.1.tcgrr, NAME.1.2.tcgrr */
static char *child_path(const char *output, const char *name)
{
    static const char end[] = ".tcgrr";
    bool has = g_str_has_suffix(output, end);
    return g_strdup_printf("%.*s.%s%s", (int)(strlen(output) - (has ? strlen(end) : 0)), output, name, has ? end : "");
}

static void record_child(struct tcgrr_family_child *child, void *data)
{
    const struct recorder *first = data;
    struct tcgrr_record_options options = *first->options;
    g_autofree char *output = child_path(options.output, child->name);
    struct tcgrr_record_result result;

    options.output = output;
    options.stop = tcgrr_family_stop(first->family);
    options.until = (struct tcgrr_until){0};
    options.started = NULL;
    options.warn = NULL;
    options.progress = NULL;
    record(&options, first->family, child, tcgrr_session_qemu(first->session), &result, &child->error);
    g_free(result.exit);
}

bool tcgrr_record(const struct tcgrr_record_options *options, struct tcgrr_record_result *result, GError **error)
{
    struct tcgrr_family *family = options->follow_all ? tcgrr_family_new(error) : NULL;

    *result = (struct tcgrr_record_result){0};
    if (options->follow_all && !family) {
        return false;
    }
    bool good = record(options, family, NULL, NULL, result, error);
    tcgrr_family_free(family);
    return good;
}
