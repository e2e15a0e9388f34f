/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/last_writer.h"

#include <string.h>

#include "emu/qemu/session.h"
#include "replay/files.h"
#include "replay/recorded.h"
#include "store/error.h"

/* Number of instructions in the first window that is searched for a store. */
#define NEAR_WINDOW   (UINT64_C(1) << 22)
#define FAR_WINDOW    (UINT64_C(1) << 27)
#define EXECS         (1u << 16)
#define WAIT_MS       100
#define MAX_SNAPSHOTS 256 /* number of moments at which memory is read in one replay */
#define CLOSE         256 /* instructions that are stepped through */

/* ---- registers: the recorded flow has all instructions ---- */

struct scan {
    struct tcgrr_decoder *decoder;
    const struct tcgrr_register_layout *registers;
    const uint8_t *state;
    unsigned index;
    struct tcgrr_insn_inputs inputs;
    GHashTable *known; /* const struct tcgrr_block * → 1 + index of the last instruction that writes it, 0: none */
};

/* 1 + the index of the last of the block's first `count` instructions that writes the register; 0: none does. */
static unsigned last_in_block(struct scan *scan, const struct tcgrr_block *block, unsigned count)
{
    unsigned found = 0;
    uint32_t offset = 0;

    for (unsigned i = 0; i < count; offset += block->lengths[i++]) {
        tcgrr_decoder_inputs(scan->decoder, scan->registers, scan->state, block->pc + offset, block->bytes + offset,
                             block->lengths[i], &scan->inputs);
        for (guint k = 0; k < scan->inputs.written->len; k++) {
            found = g_array_index(scan->inputs.written, unsigned, k) == scan->index ? i + 1 : found;
        }
    }
    return found;
}

static unsigned last_in_exec(struct scan *scan, const struct tcgrr_block *block, unsigned ran)
{
    gpointer value;

    if (!g_hash_table_lookup_extended(scan->known, block, NULL, &value)) {
        value = GUINT_TO_POINTER(last_in_block(scan, block, block->insns));
        g_hash_table_insert(scan->known, (gpointer)block, value);
    }
    return GPOINTER_TO_UINT(value) <= ran ? GPOINTER_TO_UINT(value) : last_in_block(scan, block, ran);
}

/* Searches the executions of a chunk; found->kind is NONE if none of them writes it. */
static void scan_chunk(struct scan *scan, const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks,
                       tcgrr_icount before, struct tcgrr_last_writer *found)
{
    struct tcgrr_cursor cursor;

    found->kind = TCGRR_LAST_WRITER_NONE;
    for (bool more = tcgrr_cursor_begin(&cursor, chunk, blocks); more && cursor.icount < before;
         more = tcgrr_cursor_next(&cursor)) {
        unsigned ran = (unsigned)MIN((uint64_t)cursor.ran, before - cursor.icount);
        unsigned last = last_in_exec(scan, cursor.block, ran);
        if (last > 0) {
            *found = (struct tcgrr_last_writer){TCGRR_LAST_WRITER_FOUND, cursor.icount + last - 1, NULL};
        }
    }
}

static bool scan_back(struct scan *scan, struct tcgrr_reader *reader, tcgrr_icount from, tcgrr_icount before,
                      struct tcgrr_last_writer *last, GError **error)
{
    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(reader, error);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    bool good = blocks != NULL;
    bool found = true;

    *last = (struct tcgrr_last_writer){.kind = TCGRR_LAST_WRITER_NONE};
    for (tcgrr_icount at = before; good && found && at > from && last->kind == TCGRR_LAST_WRITER_NONE;) {
        good = tcgrr_reader_seek(reader, at - 1, chunk, &found, error);
        if (good && found) {
            scan_chunk(scan, chunk, blocks, before, last);
            at = chunk->first_icount;
        }
    }
    if (last->kind == TCGRR_LAST_WRITER_FOUND && last->icount < from) {
        last->kind = TCGRR_LAST_WRITER_NONE;
    }
    tcgrr_chunk_free(chunk);
    return good;
}

bool tcgrr_last_register_writer(struct tcgrr_replay_pair *pair, struct tcgrr_reader *reader, unsigned index,
                                const uint8_t *state, tcgrr_icount from, tcgrr_icount before,
                                struct tcgrr_last_writer *last, GError **error)
{
    struct scan scan = {.decoder = tcgrr_replay_pair_decoder(pair, 0),
                        .registers = tcgrr_replay_pair_registers(pair, 0),
                        .state = state,
                        .index = index,
                        .known = g_hash_table_new(NULL, NULL)};

    tcgrr_insn_inputs_init(&scan.inputs);
    bool good = scan_back(&scan, reader, from, before, last, error);
    tcgrr_insn_inputs_clear(&scan.inputs);
    g_hash_table_unref(scan.known);
    return good;
}

/* ---- memory ---- */

/* The last store to the range in a chunk, before `before`; leaves *last alone if there is none. All accesses are added
 * to `log`, unless it is NULL. */
static void look_through(const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks,
                         const struct tcgrr_memory_range *range, tcgrr_icount before, struct tcgrr_last_writer *last,
                         struct tcgrr_access_log *log)
{
    struct tcgrr_cursor cursor;
    bool more = tcgrr_cursor_begin(&cursor, chunk, blocks);

    for (guint i = 0; i < chunk->accesses->len; i++) {
        const struct tcgrr_access *access = &g_array_index(chunk->accesses, struct tcgrr_access, i);
        while (more && cursor.index < access->exec) {
            more = tcgrr_cursor_next(&cursor);
        }
        if (more && log) {
            tcgrr_access_log_add(log, cursor.icount + access->insn, access);
        }
        if (more && cursor.icount + access->insn < before && tcgrr_access_stores_to(access, range)) {
            *last = (struct tcgrr_last_writer){TCGRR_LAST_WRITER_FOUND, cursor.icount + access->insn, NULL};
        }
    }
}

/* Decodes the last chunk that begins before `before`, and its accesses; *id is -1 if there is none. */
static bool load_last(struct tcgrr_reader *reader, tcgrr_icount before, struct tcgrr_chunk *chunk, int64_t *id,
                      GError **error)
{
    bool found = false;

    if (!tcgrr_reader_chunk_before(reader, before, id, error)) {
        return false;
    }
    return *id < 0 ||
           (tcgrr_reader_chunk(reader, *id, chunk, &found, error) && tcgrr_reader_accesses(reader, *id, chunk, error));
}

/* Searches the accesses in the trace itself, up to `before`; sets *from to where they begin. */
static bool look_in_trace(struct tcgrr_reader *reader, const struct tcgrr_memory_range *range, tcgrr_icount before,
                          struct tcgrr_last_writer *last, tcgrr_icount *from, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    bool there = g_strcmp0(run->level, tcgrr_level_name(TCGRR_LEVEL_FULL)) == 0 && run->mem_from >= 0 &&
                 before > (tcgrr_icount)run->mem_from && (run->mem_until < 0 || before <= (tcgrr_icount)run->mem_until);
    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(reader, error);
    int64_t id = 0;

    *from = there ? (tcgrr_icount)run->mem_from : before;
    if (!blocks || !there) {
        return blocks != NULL;
    }
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    bool good = true;
    for (tcgrr_icount at = before; good && id >= 0 && at > *from && last->kind != TCGRR_LAST_WRITER_FOUND;) {
        good = load_last(reader, at, chunk, &id, error);
        if (good && id >= 0) {
            look_through(chunk, blocks, range, before, last, NULL);
            at = chunk->first_icount;
        }
    }
    tcgrr_chunk_free(chunk);
    return good;
}

/* A replay that reports the accesses of from..until. *able: this QEMU can. */
static struct tcgrr_session *start(const struct tcgrr_last_store_options *options,
                                   const struct tcgrr_replay_files *files, struct tcgrr_keyframe keyframe,
                                   tcgrr_icount from, tcgrr_icount until, bool *able, GError **error)
{
    struct tcgrr_session_options session_options = {
        .plugin = options->plugin,
        .level = TCGRR_LEVEL_FULL,
        .window = {.from = from, .until = until},
        .keyframe = keyframe.folder,
        .keyframe_icount = keyframe.icount,
    };
    struct tcgrr_keyframes_options of;
    tcgrr_replay_files_session(files, &session_options);
    tcgrr_replay_files_keyframes(files, &of);
    struct tcgrr_session *session = tcgrr_session_new(&session_options, error);

    *able = session != NULL;
    if (session && (!tcgrr_recorded_follow_log(options->reader, of.rr_file, session, error) ||
                    !tcgrr_session_start(session, error))) {
        tcgrr_session_free(session);
        return NULL;
    }
    return session;
}

static bool listen(struct tcgrr_session *session, const struct tcgrr_last_store_options *options,
                   const struct tcgrr_memory_range *range, tcgrr_icount until, struct tcgrr_last_writer *last,
                   GError **error)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(EXECS);
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    bool good = true;

    for (tcgrr_live_init_chunk(tcgrr_session_live(session), chunk);
         good && end == TCGRR_LIVE_RUNS && chunk->first_icount < until; tcgrr_chunk_follow(chunk, chunk)) {
        good = tcgrr_session_next(session, chunk, WAIT_MS, &end, error);
        if (good) {
            look_through(chunk, tcgrr_live_blocks(tcgrr_session_live(session)), range, until, last, options->log);
        }
        if (good && options->stop && *options->stop) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            good = false;
        }
    }
    if (good && end != TCGRR_LIVE_RUNS && chunk->end_icount < until) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the replay that is searched for a store ends after %" G_GUINT64_FORMAT
                    " instructions, before %" G_GUINT64_FORMAT,
                    chunk->end_icount, until);
        good = false;
    }
    tcgrr_chunk_free(chunk);
    return good;
}

/* The same from a keyframe, or from the run's beginning. */
static bool look_from(const struct tcgrr_last_store_options *options, const struct tcgrr_replay_files *files,
                      struct tcgrr_keyframe keyframe, const struct tcgrr_memory_range *range, tcgrr_icount from,
                      tcgrr_icount until, struct tcgrr_last_writer *last, bool *able, GError **error)
{
    struct tcgrr_session *session = start(options, files, keyframe, from, until, able, error);
    if (options->log) {
        tcgrr_access_log_begin(options->log, from, until);
    }
    bool good = session && listen(session, options, range, until, last, error);

    if (!good && options->log) {
        tcgrr_access_log_begin(options->log, 0, 0);
    }
    tcgrr_session_free(session);
    return good;
}

static bool look_in_replay(const struct tcgrr_last_store_options *options, const struct tcgrr_memory_range *range,
                           tcgrr_icount from, tcgrr_icount until, struct tcgrr_last_writer *last, bool *able,
                           GError **error)
{
    struct tcgrr_replay_files *files = tcgrr_replay_files_new(options->reader, options->qemu, NULL, error);
    struct tcgrr_keyframes_options of;
    GError *problem = NULL;

    if (!files) {
        return false;
    }
    tcgrr_replay_files_keyframes(files, &of);
    struct tcgrr_keyframes *keyframes = tcgrr_keyframes_open(&of);
    struct tcgrr_keyframe keyframe = tcgrr_keyframes_before(keyframes, from);
    bool good = look_from(options, files, keyframe, range, from, until, last, able, &problem);
    if (!good && *able && keyframe.folder &&
        problem->code != TCGRR_ERROR_STOPPED) { /* it may be the keyframe's fault */
        g_clear_error(&problem);
        *last = (struct tcgrr_last_writer){.kind = TCGRR_LAST_WRITER_NONE};
        good = look_from(options, files, (struct tcgrr_keyframe){0}, range, from, until, last, able, &problem);
        if (good) {
            tcgrr_keyframes_reject(keyframes, keyframe.icount);
        }
    }
    if (problem) {
        g_propagate_error(error, problem);
    }
    tcgrr_keyframes_free(keyframes);
    tcgrr_replay_files_free(files);
    return good;
}

/* Goes back in replays, from `until` on. */
static bool look_in_replays(const struct tcgrr_last_store_options *options, const struct tcgrr_memory_range *range,
                            tcgrr_icount until, struct tcgrr_last_writer *last, GError **error)
{
    /* Most values were written recently; older ones need further replays. */
    const tcgrr_icount ends[] = {until, until - MIN(until, NEAR_WINDOW), until - MIN(until, FAR_WINDOW), 0};
    struct tcgrr_last_store_options how = *options;
    GError *problem = NULL;

    for (size_t i = 0; i + 1 < G_N_ELEMENTS(ends) && ends[i] > 0 && last->kind == TCGRR_LAST_WRITER_NONE; i++) {
        bool able = true;
        how.log = i == 0 ? options->log : NULL; /* of the others there are too many */
        if (!look_in_replay(&how, range, ends[i + 1], ends[i], last, &able, &problem)) {
            if (able || problem->code == TCGRR_ERROR_STOPPED) {
                g_propagate_error(error, problem);
                return false;
            }
            g_clear_error(&problem);
            last->kind = TCGRR_LAST_WRITER_UNREPORTED;
        }
    }
    return true;
}

bool tcgrr_last_store_writer(const struct tcgrr_last_store_options *options, const struct tcgrr_memory_range *range,
                             tcgrr_icount before, struct tcgrr_last_writer *last, GError **error)
{
    tcgrr_icount until;
    tcgrr_icount from;

    *last = (struct tcgrr_last_writer){.kind = TCGRR_LAST_WRITER_NONE};
    if (!look_in_trace(options->reader, range, before, last, &until, error)) {
        return false;
    }
    if (last->kind == TCGRR_LAST_WRITER_NONE && tcgrr_access_log_reaches(options->log, until, &from)) {
        bool found = tcgrr_access_log_last_store(options->log, range, until, &last->icount);
        last->kind = found ? TCGRR_LAST_WRITER_FOUND : TCGRR_LAST_WRITER_NONE;
        until = from;
    }
    return look_in_replays(options, range, until, last, error);
}

/* ---- memory, where stores are not reported ---- */

static bool holds(struct tcgrr_paused *paused, const struct tcgrr_memory_range *range, const uint8_t *bytes, bool *same,
                  GError **error)
{
    uint8_t now[TCGRR_PLACE_MAX];
    bool ram = false;
    bool good = tcgrr_paused_read_memory(paused, range->physical, range->size, now, &ram, error);
    *same = good && ram && memcmp(now, bytes, range->size) == 0;
    return good;
}

/* Takes snapshots from *from to *to, inclusive, and narrows these down to adjacent snapshots: at *from the content is
 * different, at *to and in all later ones the same. *found: it is different somewhere. */
static bool look_closer(struct tcgrr_replay_pair *pair, const struct tcgrr_memory_range *range, const uint8_t *bytes,
                        tcgrr_moment *from, tcgrr_moment *to, bool *found, GError **error)
{
    tcgrr_moment first = *from;
    tcgrr_moment last = *to;
    struct tcgrr_paused *paused = tcgrr_replay_pair_pause_at(pair, first, error);
    bool good = paused != NULL;
    bool before = false; /* it was different in the previous snapshot */

    *found = false;
    for (guint i = 0; good && i <= MAX_SNAPSHOTS; i++) {
        tcgrr_moment moment = first + (tcgrr_moment)((double)(last - first) * i / MAX_SNAPSHOTS);
        bool same = false;
        good = tcgrr_replay_pair_quiet(pair, moment, &moment, error);
        if (!good || moment < tcgrr_paused_icount(paused)) {
            continue;
        }
        good = tcgrr_paused_go(paused, moment, error) && holds(paused, range, bytes, &same, error);
        *to = good && same && before ? moment : *to;
        *from = good && !same ? moment : *from;
        *found = *found || (good && !same);
        before = !same;
    }
    tcgrr_paused_free(paused);
    return good;
}

bool tcgrr_last_change(struct tcgrr_replay_pair *pair, const struct tcgrr_memory_range *range, const uint8_t *bytes,
                       tcgrr_icount before, tcgrr_moment *from, tcgrr_moment *to, bool *found, GError **error)
{
    tcgrr_moment length = UINT64_MAX;

    *from = 0;
    *to = before;
    *found = true;
    if (!range->mapped) {
        *found = false;
        return true;
    }
    while (*found && *to - *from > CLOSE && *to - *from < length) {
        length = *to - *from;
        if (!look_closer(pair, range, bytes, from, to, found, error)) {
            return false;
        }
    }
    return true;
}
