/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/reader_internal.h"

#include "store/access_pages.h"
#include "store/error.h"
#include "store/layers.h"
#include "store/summary.h"

#include <string.h>

struct check {
    struct tcgrr_reader *reader;
    void (*problem)(const char *text, void *data);
    void *data;
    uint64_t problems;
    struct tcgrr_chunk *chunk;
    sqlite3_stmt *checkpoints; /* the stored ones, in order, compared as they are recomputed */
    bool checkpoints_differ;
    GArray *windows; /* struct tcgrr_span: the parts that have the flow, if not the whole run does */
    bool anchored;   /* there was no gap yet, so that there are checkpoints */
    tcgrr_icount end_icount;
    tcgrr_seq end_seq;
    GArray *counts; /* for tcgrr_summary_collect() */
    GArray *uses;   /* struct tcgrr_block_use, as they are and as they are stored */
    GArray *stored_uses;
    struct tcgrr_page_set pages; /* as the accesses make them, and as they are stored */
    GArray *stored_pages;        /* struct tcgrr_page_use */
    int64_t devices;             /* the highest number of one */
};

#define MAX_PROBLEMS 20

static void complain(struct check *check, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void complain(struct check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (check->problems++ < MAX_PROBLEMS) {
        check->problem(text, check->data);
    }
}

static bool check_seal(struct check *check, GError **error)
{
    enum tcgrr_seal_state state;
    if (!tcgrr_seal_check(check->reader->path, &state, error)) {
        return false;
    }
    if (state == TCGRR_SEAL_BROKEN) {
        complain(check, "the file is not what was sealed when the recording ended: bytes have changed");
    } else if (state == TCGRR_SEAL_NONE && check->reader->run.complete) {
        complain(check, "the recording is complete but its seal is missing: the file was truncated or written to");
    }
    return true;
}

static void check_structure(struct check *check)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(check->reader->db, "PRAGMA integrity_check", -1, &statement, NULL);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (text && strcmp(text, "ok") != 0) {
            complain(check, "SQLite: %s", text);
        }
    }
    if (sqlite3_finalize(statement) != SQLITE_OK) {
        complain(check, "SQLite: %s", sqlite3_errmsg(check->reader->db));
    }
}

/* Takes over an error as a problem. Returns false if it is not about the trace's content. */
static bool absorb(struct check *check, GError *problem, GError **error)
{
    if (problem->code != TCGRR_ERROR_DAMAGED) {
        g_propagate_error(error, problem);
        return false;
    }
    complain(check, "%s", problem->message);
    g_error_free(problem);
    return true;
}

/* `computed` is the next checkpoint that the executions make; it must be the next one stored. */
static void check_checkpoint(struct check *check, const struct tcgrr_checkpoint *computed)
{
    if (sqlite3_step(check->checkpoints) == SQLITE_ROW &&
        (uint64_t)sqlite3_column_int64(check->checkpoints, 0) == computed->icount &&
        (uint64_t)sqlite3_column_int64(check->checkpoints, 1) == computed->flow) {
        return;
    }
    complain(check, "the checkpoint at icount %" G_GUINT64_FORMAT " does not match the executions", computed->icount);
    check->checkpoints_differ = true;
}

/* Whether a window that was derived begins with this chunk: what ran before it is not there. */
static bool begins_window(struct check *check, const struct tcgrr_chunk *chunk, const struct tcgrr_chunk *before)
{
    for (guint i = 0; chunk->first_icount > before->first_icount && i < check->windows->len; i++) {
        if (g_array_index(check->windows, struct tcgrr_span, i).first == chunk->first_icount) {
            return chunk->first_flow == 0 && chunk->first_seq == before->first_seq;
        }
    }
    return false;
}

static void check_chunk(struct check *check, int64_t id, const struct tcgrr_chunk *before)
{
    struct tcgrr_chunk *chunk = check->chunk;
    tcgrr_icount end_icount = chunk->end_icount;
    uint64_t end_flow = chunk->end_flow;

    if (begins_window(check, chunk, before)) {
        check->anchored = false;
    } else if (chunk->first_seq != before->first_seq || chunk->first_icount != before->first_icount ||
               chunk->first_flow != before->first_flow) {
        complain(check, "chunk %" G_GINT64_FORMAT " does not begin where the one before it ends", id);
    }
    tcgrr_chunk_compute(chunk, check->reader->blocks);
    if (chunk->end_icount != end_icount || chunk->end_flow != end_flow) {
        complain(check,
                 "chunk %" G_GINT64_FORMAT " says %" G_GUINT64_FORMAT
                 " instructions, its executions have %" G_GUINT64_FORMAT "%s",
                 id, end_icount - chunk->first_icount, chunk->end_icount - chunk->first_icount,
                 chunk->end_flow != end_flow ? ", and another flow digest" : "");
    }
    for (guint i = 0; check->anchored && i < chunk->checkpoints->len && !check->checkpoints_differ; i++) {
        check_checkpoint(check, &g_array_index(chunk->checkpoints, struct tcgrr_checkpoint, i));
    }
}

/* Checks chunk.blocks against the chunk's executions. */
static bool check_summary(struct check *check, int64_t id, GError **error)
{
    GError *problem = NULL;
    bool found = false;

    if (!tcgrr_reader_summary(check->reader, id, check->stored_uses, &found, &problem)) {
        return absorb(check, problem, error);
    }
    tcgrr_summary_collect(check->chunk, check->reader->blocks, check->counts, check->uses);
    if (check->uses->len != check->stored_uses->len ||
        (check->uses->len &&
         memcmp(check->uses->data, check->stored_uses->data, check->uses->len * sizeof(struct tcgrr_block_use)) != 0)) {
        complain(check, "the list of blocks of chunk %" G_GINT64_FORMAT " is not that of its executions", id);
    }
    return true;
}

/* Whether each sample has the pc of the execution that follows it. */
static bool right_pcs(const struct check *check)
{
    const struct tcgrr_samples *samples = check->chunk->samples;
    const struct tcgrr_state_register *pc = tcgrr_register_table_find(samples->registers, "pc");
    struct tcgrr_sample_cursor cursor;
    bool right = pc && pc->size == sizeof(uint64_t);

    for (bool more = tcgrr_sample_begin(&cursor, samples); right && more; more = tcgrr_sample_next(&cursor)) {
        uint32_t block = check->chunk->blocks[cursor.sample->exec];
        uint64_t value;
        memcpy(&value, cursor.image + pc->offset, sizeof(value));
        right = GUINT64_FROM_LE(value) == tcgrr_blocks_get(check->reader->blocks, block)->pc;
    }
    tcgrr_sample_end(&cursor);
    return right;
}

/* Whether the samples of the chunk are where its executions are. */
static bool check_samples(struct check *check, int64_t id, GError **error)
{
    GError *problem = NULL;
    int64_t found = -1;

    if (!tcgrr_reader_samples_of(check->reader, id, check->chunk->samples, &found, &problem)) {
        return absorb(check, problem, error);
    }
    if (found >= 0 && (!tcgrr_chunk_place_samples(check->chunk, check->reader->blocks) || !right_pcs(check))) {
        complain(check, "the samples of chunk %" G_GINT64_FORMAT " are not where its executions are", id);
    }
    return true;
}

/* After all chunks: nothing may be left over. */
static bool check_last_samples(struct check *check, GError **error)
{
    sqlite3_stmt *statement = NULL;
    bool good =
        sqlite3_prepare_v2(check->reader->db, "SELECT count(*) FROM sample WHERE chunk NOT IN (SELECT id FROM chunk)",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW;
    if (!good) {
        tcgrr_reader_fail(check->reader, "the samples", error);
    } else if (sqlite3_column_int64(statement, 0) > 0) {
        complain(check, "there are samples of chunks that are missing");
    }
    sqlite3_finalize(statement);
    return good;
}

/* Checks that texts of blocks are well-formed and belong to existing blocks. */
static bool check_texts(struct check *check, GError **error)
{
    struct tcgrr_reader *reader = check->reader;
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_TEXTS, error);
    uint32_t end = 0;
    int status = SQLITE_DONE;

    while (statement && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        sqlite3_int64 first = sqlite3_column_int64(statement, 0);
        sqlite3_int64 count = sqlite3_column_int64(statement, 1);
        if (first < end || count > tcgrr_blocks_count(reader->blocks) - first) {
            complain(check,
                     "there are texts of blocks from %" G_GINT64_FORMAT " on, which are missing or have texts already",
                     (gint64)first);
            break;
        }
        end = (uint32_t)(first + count);
    }
    sqlite3_reset(statement);
    GError *problem = NULL;
    if (!statement || (status != SQLITE_ROW && status != SQLITE_DONE)) {
        return tcgrr_reader_fail(reader, "the texts of blocks", error);
    }
    return tcgrr_reader_need_texts(reader, &problem) || absorb(check, problem, error);
}

/* Whether all pages of one list, ascending, are in the other one; that may have more, of instructions that did not
 * retire. */
static bool within(const GArray *some, const GArray *all)
{
    guint at = 0;
    for (guint i = 0; i < some->len; i++) {
        const struct tcgrr_page_use *use = &g_array_index(some, struct tcgrr_page_use, i);
        const struct tcgrr_page_use *other;
        do {
            if (at == all->len) {
                return false;
            }
            other = &g_array_index(all, struct tcgrr_page_use, at++);
        } while (other->page < use->page || (other->page == use->page && other->physical < use->physical));
        if (other->page != use->page || other->physical != use->physical || (use->flags & ~other->flags)) {
            return false;
        }
    }
    return true;
}

/* Whether the accesses of the chunk are in its list of pages, and their devices in that of the devices. */
static bool check_accesses(struct check *check, int64_t id, GError **error)
{
    GError *problem = NULL;
    bool found = false;
    bool known = true;

    if (!tcgrr_reader_accesses(check->reader, id, check->chunk, &problem) ||
        !tcgrr_reader_pages(check->reader, id, check->stored_pages, &found, &problem)) {
        return absorb(check, problem, error);
    }
    tcgrr_page_set_clear(&check->pages);
    for (guint i = 0; i < check->chunk->accesses->len; i++) {
        const struct tcgrr_access *access = &g_array_index(check->chunk->accesses, struct tcgrr_access, i);
        tcgrr_page_set_add(&check->pages, access);
        known = known && (access->device <= TCGRR_DEVICE_UNNAMED || access->device <= check->devices);
    }
    if (!within(tcgrr_page_set_sort(&check->pages), check->stored_pages)) {
        complain(check, "the list of pages of chunk %" G_GINT64_FORMAT " is not that of its memory accesses", id);
    }
    if (!known) {
        complain(check, "memory accesses of chunk %" G_GINT64_FORMAT " go to a device that is missing", id);
    }
    return true;
}

/* Before all chunks: nothing may be left over. */
static bool check_tables(struct check *check, GError **error)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(check->reader->db,
                                   "SELECT (SELECT count(*) FROM mem_chunk WHERE chunk NOT IN (SELECT id FROM chunk)),"
                                   " (SELECT coalesce(max(id), 0) FROM device)",
                                   -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (!good) {
        tcgrr_reader_fail(check->reader, "the memory accesses", error);
    } else {
        if (sqlite3_column_int64(statement, 0) > 0) {
            complain(check, "there are memory accesses of chunks that are missing");
        }
        check->devices = sqlite3_column_int64(statement, 1);
    }
    sqlite3_finalize(statement);
    return good;
}

static bool check_chunks(struct check *check, GError **error)
{
    struct tcgrr_chunk *chunk = check->chunk;
    struct tcgrr_chunk expected = {0}; /* where the next chunk has to begin; only first_* are used */

    for (int64_t id = 0;; id++) {
        GError *problem = NULL;
        bool found = false;
        if (!tcgrr_reader_chunk(check->reader, id, chunk, &found, &problem)) {
            if (!absorb(check, problem, error)) {
                return false;
            }
            if (!found) {
                break;
            }
            expected.first_seq = chunk->first_seq + chunk->count;
            expected.first_icount = chunk->end_icount;
            expected.first_flow = chunk->end_flow;
            continue;
        }
        if (!found) {
            break;
        }
        check_chunk(check, id, &expected);
        if (!check_summary(check, id, error) || !check_samples(check, id, error) || !check_accesses(check, id, error)) {
            return false;
        }
        expected.first_seq = chunk->first_seq + chunk->count;
        expected.first_icount = chunk->end_icount;
        expected.first_flow = chunk->end_flow;
    }
    check->end_icount =
        tcgrr_run_level(&check->reader->run) == TCGRR_LEVEL_INPUTS ? check->reader->run.icount : expected.first_icount;
    check->end_seq = expected.first_seq;
    return true;
}

/* After all chunks: nothing may be left over. */
static void check_last_checkpoint(struct check *check)
{
    if (!check->checkpoints_differ && sqlite3_step(check->checkpoints) == SQLITE_ROW) {
        complain(check, "a checkpoint at icount %" G_GINT64_FORMAT " lies after the last execution",
                 (gint64)sqlite3_column_int64(check->checkpoints, 0));
    }
}

static bool open_checkpoints(struct check *check, GError **error)
{
    return sqlite3_prepare_v2(check->reader->db, "SELECT icount, flow FROM checkpoint ORDER BY icount", -1,
                              &check->checkpoints, NULL) == SQLITE_OK ||
           tcgrr_reader_fail(check->reader, "the checkpoints", error);
}

struct event_order {
    struct check *check;
    tcgrr_seq last;
};

static void check_event(const struct tcgrr_event *event, void *data)
{
    struct event_order *order = data;
    if (event->seq < order->last || event->seq > order->check->end_seq || event->icount > order->check->end_icount) {
        complain(order->check, "an event at icount %" G_GUINT64_FORMAT " is out of order or after the end",
                 event->icount);
    }
    order->last = event->seq;
}

static bool check_events(struct check *check, GError **error)
{
    struct event_order order = {.check = check};
    GError *problem = NULL;
    return tcgrr_reader_events(check->reader, 0, INT64_MAX, check_event, &order, &problem) ||
           absorb(check, problem, error);
}

static bool check_rr(struct check *check, GError **error)
{
    struct tcgrr_reader *reader = check->reader;
    sqlite3_stmt *statement = NULL;
    int64_t part = 0;
    bool good = true;

    if (sqlite3_prepare_v2(reader->db, "SELECT part, size, data, digest FROM rr_file ORDER BY part", -1, &statement,
                           NULL) != SQLITE_OK) {
        return tcgrr_reader_fail(reader, "QEMU's rr file", error);
    }
    while (good && sqlite3_step(statement) == SQLITE_ROW) {
        GError *problem = NULL;
        good = tcgrr_reader_rr_part(reader, statement, part++, &problem) || absorb(check, problem, error);
    }
    if (sqlite3_finalize(statement) != SQLITE_OK && good) {
        return tcgrr_reader_fail(reader, "QEMU's rr file", error);
    }
    if (good && reader->run.rr && reader->run.complete && part == 0) {
        complain(check, "QEMU's rr file is missing");
    }
    return good;
}

/* Checks that each embedded file exists and has its digest, and that there is no other content. */
static bool check_inputs(struct check *check, GError **error)
{
    GError *problem = NULL;
    if (!tcgrr_reader_extract_inputs(check->reader, NULL, &problem)) {
        return absorb(check, problem, error);
    }
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(check->reader->db,
                                   "SELECT count(*) FROM content WHERE xxh128 NOT IN (SELECT xxh128 FROM input)", -1,
                                   &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (!good) {
        tcgrr_reader_fail(check->reader, "the embedded files", error);
    } else if (sqlite3_column_int64(statement, 0) > 0) {
        complain(check, "there are contents of embedded files that are missing");
    }
    sqlite3_finalize(statement);
    return good;
}

static void check_run(struct check *check)
{
    const struct tcgrr_run *run = &check->reader->run;
    if (run->complete && (run->icount != check->end_icount || run->execs != check->end_seq)) {
        complain(check, "the run says icount %" G_GUINT64_FORMAT ", the chunks end at %" G_GUINT64_FORMAT, run->icount,
                 check->end_icount);
    }
}

bool tcgrr_reader_verify(struct tcgrr_reader *reader, void (*problem)(const char *text, void *data), void *data,
                         uint64_t *problems, GError **error)
{
    struct check check = {.reader = reader, .problem = problem, .data = data, .anchored = true};
    GError *blocks_error = NULL;
    check.windows = tcgrr_reader_spans(reader, TCGRR_LEVEL_FLOW, error);
    bool good = check.windows && check_seal(&check, error);

    check.chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    check.counts = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    check.uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use));
    check.stored_uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_block_use));
    check.stored_pages = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_page_use));
    tcgrr_page_set_init(&check.pages);
    if (good) {
        check_structure(&check);
        if (!tcgrr_reader_blocks(reader, &blocks_error)) {
            good = absorb(&check, blocks_error, error);
        } else {
            good = open_checkpoints(&check, error) && check_tables(&check, error) && check_chunks(&check, error);
            check_last_checkpoint(&check);
            good = good && check_last_samples(&check, error) && check_texts(&check, error) &&
                   check_events(&check, error) && check_rr(&check, error) && check_inputs(&check, error);
            check_run(&check);
        }
    }
    tcgrr_chunk_free(check.chunk);
    if (check.windows) {
        g_array_unref(check.windows);
    }
    g_array_unref(check.counts);
    g_array_unref(check.uses);
    g_array_unref(check.stored_uses);
    g_array_unref(check.stored_pages);
    tcgrr_page_set_free(&check.pages);
    sqlite3_finalize(check.checkpoints);
    *problems = check.problems;
    return good;
}
