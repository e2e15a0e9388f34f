/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/repair.h"

#include "store/error.h"

struct work {
    const struct tcgrr_repair *repair;
    struct tcgrr_writer *writer;
    GArray *corrections; /* struct tcgrr_retire_correction */
    /* For the events, which are visited in order. */
    guint passed;  /* corrections before the current event */
    int64_t shift; /* what they add to its icount */
    guint logged;  /* the first event of the log that may be the next one's */
};

static struct tcgrr_retire_correction *correction_at(const struct work *work, guint index)
{
    return &g_array_index(work->corrections, struct tcgrr_retire_correction, index);
}

guint tcgrr_answer_doubts(struct tcgrr_answers *answers, const struct tcgrr_rrlog *log, const GArray *uncertain)
{
    guint i = 0;

    for (; i < uncertain->len; i++) {
        const struct tcgrr_uncertain_retire *doubt = &g_array_index(uncertain, struct tcgrr_uncertain_retire, i);
        struct tcgrr_rrlog_asked asked = answers->asked;
        bool retired = doubt->retired;
        /* Places after a correction move with it. */
        if (!tcgrr_rrlog_decide(log, &asked, doubt, doubt->place + (uint64_t)answers->shift, &retired)) {
            break;
        }
        answers->asked = asked;
        answers->decided++;
        if (retired != doubt->retired) {
            struct tcgrr_retire_correction correction = {.seq = doubt->seq,
                                                         .retired = retired,
                                                         .place = doubt->place + (uint64_t)answers->shift,
                                                         .next_pc = TCGRR_NO_PC};
            g_array_append_val(answers->corrections, correction);
            answers->shift += retired ? 1 : -1;
        }
    }
    return i;
}

/* ---- the executions ---- */

static bool mismatch(const struct work *work, tcgrr_seq seq, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                "%s does not hold what was recorded at execution %" G_GUINT64_FORMAT, work->repair->path, seq);
    return false;
}

/* Appends the execution's own entry of the new list, if it has one, and steps over its old one in `*at`. */
static bool patch(const struct work *work, const struct tcgrr_chunk *chunk, struct tcgrr_retire_correction *correction,
                  guint *at, GArray *partials, GError **error)
{
    uint32_t index = (uint32_t)(correction->seq - chunk->first_seq);
    const struct tcgrr_block *block = tcgrr_blocks_get(work->repair->blocks, chunk->blocks[index]);
    uint32_t last = block->insns - 1;
    const struct tcgrr_partial *old =
        *at < chunk->partials->len ? &g_array_index(chunk->partials, struct tcgrr_partial, *at) : NULL;
    bool has_old = old && old->index == index;

    if (has_old != correction->retired || (has_old && (old->ran != last || old->counted != last))) {
        return mismatch(work, correction->seq, error);
    }
    *at += has_old;
    if (!correction->retired) {
        struct tcgrr_partial partial = {.index = index, .ran = last, .counted = last};
        g_array_append_val(partials, partial);
    }
    correction->pc = tcgrr_block_pc(block, last + correction->retired);
    return true;
}

/* Corrects the partials of a chunk that was read; `*next` is the first correction that is not before it. */
static bool patch_chunk(struct work *work, struct tcgrr_chunk *chunk, guint *next, GError **error)
{
    tcgrr_seq end = chunk->first_seq + chunk->count;
    guint at = 0;

    if (*next == work->corrections->len || correction_at(work, *next)->seq >= end) {
        return true;
    }
    g_autoptr(GArray) partials = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_partial));
    for (; *next < work->corrections->len && correction_at(work, *next)->seq < end; ++*next) {
        uint32_t index = (uint32_t)(correction_at(work, *next)->seq - chunk->first_seq);
        guint from = at;
        while (at < chunk->partials->len && g_array_index(chunk->partials, struct tcgrr_partial, at).index < index) {
            at++;
        }
        g_array_append_vals(partials, &g_array_index(chunk->partials, struct tcgrr_partial, from), at - from);
        if (!patch(work, chunk, correction_at(work, *next), &at, partials, error)) {
            return false;
        }
    }
    g_array_append_vals(partials, &g_array_index(chunk->partials, struct tcgrr_partial, at), chunk->partials->len - at);
    g_array_set_size(chunk->partials, 0);
    g_array_append_vals(chunk->partials, partials->data, partials->len);
    return true;
}

/* Looks up where the vCPU went after the executions that were corrected; `*from` is the first for which it is open. */
static void find_next(struct work *work, const struct tcgrr_chunk *chunk, guint *from)
{
    for (; *from < work->corrections->len; ++*from) {
        struct tcgrr_retire_correction *correction = correction_at(work, *from);
        if (correction->seq + 1 >= chunk->first_seq + chunk->count) {
            return;
        }
        uint32_t number = chunk->blocks[correction->seq + 1 - chunk->first_seq];
        correction->next_pc = tcgrr_blocks_get(work->repair->blocks, number)->pc;
    }
}

static bool rewrite_from(struct work *work, struct tcgrr_reader *reader, int64_t id, struct tcgrr_run *run,
                         GError **error)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    tcgrr_icount icount = 0;
    uint64_t flow = 0;
    guint next = 0;
    guint open = 0;
    bool first = true;
    bool found = false;
    bool good = tcgrr_reader_chunk(reader, id, chunk, &found, error);

    while (good && found) {
        if (first) {
            good = tcgrr_writer_drop_checkpoints(work->writer, chunk->first_icount, error);
        } else {
            chunk->first_icount = icount;
            chunk->first_flow = flow;
        }
        first = false;
        int64_t sampled;
        good = good && patch_chunk(work, chunk, &next, error) &&
               tcgrr_reader_samples_of(reader, id, chunk->samples, &sampled, error);
        if (good) {
            find_next(work, chunk, &open);
            tcgrr_chunk_compute(chunk, work->repair->blocks);
            tcgrr_chunk_place_samples(chunk, work->repair->blocks);
            icount = chunk->end_icount;
            flow = chunk->end_flow;
            good = tcgrr_writer_replace(work->writer, id++, chunk, work->repair->blocks, error) &&
                   tcgrr_reader_chunk(reader, id, chunk, &found, error);
        }
    }
    tcgrr_chunk_free(chunk);
    if (good && next < work->corrections->len) {
        good = mismatch(work, correction_at(work, next)->seq, error);
    }
    run->icount = icount;
    return good;
}

/* The reader sees the trace as it was committed, however much of it is already rewritten. */
static bool rewrite(struct work *work, struct tcgrr_run *run, GError **error)
{
    int64_t id = tcgrr_writer_chunk_of(work->writer, correction_at(work, 0)->seq, error);
    struct tcgrr_reader *reader = id < 0 ? NULL : tcgrr_reader_open(work->repair->path, error);
    bool good = reader && rewrite_from(work, reader, id, run, error);
    tcgrr_reader_free(reader);
    return good;
}

/* ---- the events ---- */

static bool known_up_to(const struct tcgrr_rrlog *log, tcgrr_icount icount)
{
    return log->complete || MAX(log->total, log->reached) > icount;
}

/* Looks the event up in the log. If there are several at the same place, takes one of the same kind, else the first. */
static bool confirm(struct work *work, struct tcgrr_event *event)
{
    const struct tcgrr_rrlog_event *logged = (const struct tcgrr_rrlog_event *)work->repair->log->events->data;
    guint count = work->repair->log->events->len;
    guint64 wanted = event->kind == TCGRR_EVENT_INTERRUPT ? TCGRR_RRLOG_INTERRUPT : TCGRR_RRLOG_EXCEPTION;

    while (work->logged < count && logged[work->logged].icount < event->icount) {
        work->logged++;
    }
    if (work->logged == count || logged[work->logged].icount != event->icount) {
        return false;
    }
    guint same = work->logged;
    while (same < count && logged[same].icount == event->icount && logged[same].kind != wanted) {
        same++;
    }
    if (same == count || logged[same].icount != event->icount) {
        same = work->logged;
        event->kind = wanted == TCGRR_RRLOG_INTERRUPT ? TCGRR_EVENT_EXCEPTION : TCGRR_EVENT_INTERRUPT;
    }
    event->confirmed = true;
    work->logged = same + 1;
    return true;
}

/* An inferred event that is not in the log did not happen: the same code at another address looks like an interrupt. */
static enum tcgrr_event_change change_event(struct tcgrr_event *event, void *data)
{
    struct work *work = data;
    bool left_there = false;

    while (work->passed < work->corrections->len && correction_at(work, work->passed)->seq < event->seq) {
        work->shift += correction_at(work, work->passed)->retired ? 1 : -1;
        work->passed++;
    }
    event->icount += (uint64_t)work->shift;
    if (event->inferred && work->passed > 0) {
        struct tcgrr_retire_correction *correction = correction_at(work, work->passed - 1);
        left_there = correction->seq + 1 == event->seq;
        if (left_there) {
            correction->seen = true;
            event->from_pc = correction->pc;
            event->has_pcs = true;
        }
    }
    if (event->inferred && !confirm(work, event) && known_up_to(work->repair->log, event->icount)) {
        return TCGRR_EVENT_REMOVE;
    }
    return event->confirmed || left_there || work->shift != 0 ? TCGRR_EVENT_CHANGE : TCGRR_EVENT_KEEP;
}

/*
 * Exceptions that led from instructions that may lead anywhere to handlers that were not known. The log has them, and a
 * replay, which consults it, infers them.
 */
static bool add_unnoticed(const struct work *work, GError **error)
{
    g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));

    for (guint i = 0; i < work->corrections->len; i++) {
        const struct tcgrr_retire_correction *correction = correction_at(work, i);
        struct tcgrr_event event = {.seq = correction->seq + 1,
                                    .icount = correction->place,
                                    .kind = TCGRR_EVENT_EXCEPTION,
                                    .inferred = true,
                                    .confirmed = true,
                                    .has_pcs = true,
                                    .from_pc = correction->pc,
                                    .to_pc = correction->next_pc};
        if (!correction->retired && !correction->seen && correction->next_pc != TCGRR_NO_PC) {
            g_array_append_val(events, event);
        }
    }
    return tcgrr_writer_insert_events(work->writer, events, error);
}

bool tcgrr_repair(struct tcgrr_writer *writer, const struct tcgrr_repair *repair, struct tcgrr_run *run, GError **error)
{
    struct work work = {
        .repair = repair,
        .writer = writer,
        .corrections = repair->answers->corrections,
    };
    run->assumed = repair->uncertain->len - tcgrr_answer_doubts(repair->answers, repair->log, repair->uncertain);
    run->decided = (int64_t)repair->answers->decided;
    bool good = work.corrections->len == 0 || rewrite(&work, run, error);
    tcgrr_seq first = work.corrections->len ? correction_at(&work, 0)->seq + 1 : UINT64_MAX;
    if (good && (work.corrections->len || !run->reports_discontinuities)) {
        good = tcgrr_writer_change_events(writer, first, change_event, &work, error);
    }
    return good && (run->reports_discontinuities || add_unnoticed(&work, error));
}
