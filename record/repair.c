/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/repair.h"

#include "store/error.h"

#define MOST_HELD 4096u /* boundaries at one place; more only where a guest cannot run anything */

struct work {
    const struct tcgrr_repair *repair;
    struct tcgrr_writer *writer;
    GArray *corrections; /* struct tcgrr_retire_correction */
    /* For the events, which are visited in order. */
    guint passed;      /* corrections before the current event */
    int64_t shift;     /* what they add to its icount */
    guint logged;      /* the first event of the log that may be the next one's */
    GArray *unnoticed; /* guint, the events of the log that none of the recorded ones is */
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
            struct tcgrr_retire_correction correction = {
                .seq = doubt->seq, .retired = retired, .place = doubt->place + (uint64_t)answers->shift};
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

static bool rewrite_from(struct work *work, struct tcgrr_reader *reader, int64_t id, struct tcgrr_run *run,
                         GError **error)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    tcgrr_icount icount = 0;
    uint64_t flow = 0;
    guint next = 0;
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

/* Those of the log's events that are passed over were not noticed. */
static void skip_logged_to(struct work *work, guint index)
{
    for (; work->logged < index; work->logged++) {
        g_array_append_val(work->unnoticed, work->logged);
    }
}

static void skip_logged(struct work *work, tcgrr_icount icount)
{
    skip_logged_to(work, MAX(work->logged, tcgrr_rrlog_find(work->repair->log, icount)));
}

/* Looks the event up in the log. If there are several at the same place, takes one of the same kind, else the first. */
static bool confirm(struct work *work, struct tcgrr_event *event)
{
    const struct tcgrr_rrlog_event *logged = (const struct tcgrr_rrlog_event *)work->repair->log->events->data;
    guint count = work->repair->log->events->len;
    guint64 wanted = event->kind == TCGRR_EVENT_INTERRUPT ? TCGRR_RRLOG_INTERRUPT : TCGRR_RRLOG_EXCEPTION;

    skip_logged(work, event->icount);
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
    skip_logged_to(work, same);
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
            event->from_pc = correction->pc;
            event->has_pcs = true;
        }
    }
    if (event->inferred && !confirm(work, event) && known_up_to(work->repair->log, event->icount)) {
        return TCGRR_EVENT_REMOVE;
    }
    return event->confirmed || left_there || work->shift != 0 ? TCGRR_EVENT_CHANGE : TCGRR_EVENT_KEEP;
}

/* ---- the events that were not noticed ---- */

/* How likely it is that an event led from one execution to the next. */
enum led { LED_ON, MAY_HAVE_LED, LED_AWAY };

/* Between two executions. */
struct boundary {
    bool known; /* there is an execution before it */
    bool left;  /* which was left at an instruction that did not retire */
    bool taken; /* one of the log's events belongs there */
    enum led led;
    uint64_t from_pc;
    uint64_t to_pc;
    tcgrr_seq seq;
};

struct search {
    struct work *work;
    guint next;     /* of work->unnoticed */
    guint skipped;  /* corrections before the chunk */
    int64_t shift;  /* what they add to its icount */
    GArray *events; /* struct tcgrr_event, to add */
    struct boundary boundary;
    tcgrr_icount place; /* the icount of all of `held` */
    GArray *held;       /* struct boundary: those at which the next events of the log may have happened */
};

static const struct tcgrr_rrlog_event *next_unnoticed(const struct search *search)
{
    const struct work *work = search->work;
    return search->next == work->unnoticed->len ? NULL
                                                : &g_array_index(work->repair->log->events, struct tcgrr_rrlog_event,
                                                                 g_array_index(work->unnoticed, guint, search->next));
}

static void add_next(struct search *search, const struct boundary *boundary)
{
    const struct tcgrr_rrlog_event *logged = next_unnoticed(search);
    struct tcgrr_event event = {
        .seq = boundary->seq,
        .icount = logged->icount,
        .kind = logged->kind == TCGRR_RRLOG_INTERRUPT ? TCGRR_EVENT_INTERRUPT : TCGRR_EVENT_EXCEPTION,
        .inferred = true,
        .confirmed = true,
        .has_pcs = boundary->taken,
        .from_pc = boundary->left ? boundary->from_pc : TCGRR_NO_PC,
        .to_pc = boundary->to_pc,
    };
    g_array_append_val(search->events, event);
    search->next++;
}

/* The number of the log's events at the place. */
static guint count_there(struct search *search)
{
    guint next = search->next;
    const struct tcgrr_rrlog_event *logged;
    guint count = 0;

    for (; (logged = next_unnoticed(search)) && logged->icount == search->place; search->next++) {
        count++;
    }
    search->next = next;
    return count;
}

/* All boundaries at the place are known: gives each of the log's events there one of them, the likeliest first. What
 * led nowhere, such as a halt, has no addresses. */
static void settle(struct search *search)
{
    guint rest = search->held->len ? count_there(search) : 0;

    for (enum led led = LED_AWAY; led > LED_ON; led--) {
        for (guint i = 0; i < search->held->len && rest > 0; i++) {
            struct boundary *boundary = &g_array_index(search->held, struct boundary, i);
            boundary->taken |= boundary->led == led;
            rest -= boundary->led == led;
        }
    }
    for (guint i = 0; i < search->held->len; i++) {
        struct boundary *boundary = &g_array_index(search->held, struct boundary, i);
        if (boundary->taken) {
            add_next(search, boundary);
            boundary->taken = false;
        }
    }
    for (; rest > 0; rest--) {
        add_next(search, &g_array_index(search->held, struct boundary, search->held->len - 1));
    }
    g_array_set_size(search->held, 0);
}

/* The boundary before the execution at `cursor`. */
static void look_at(struct search *search, const struct tcgrr_cursor *cursor)
{
    const struct tcgrr_rrlog_event *logged;

    if (cursor->icount != search->place) {
        settle(search);
    }
    while ((logged = next_unnoticed(search)) && logged->icount < cursor->icount) {
        search->next++; /* before the window, or inside an execution, where nothing can be */
    }
    if (logged && logged->icount == cursor->icount && search->held->len < MOST_HELD) {
        search->place = cursor->icount;
        g_array_append_val(search->held, search->boundary);
    }
}

static void search_chunk(struct search *search, const struct tcgrr_chunk *chunk)
{
    struct boundary *boundary = &search->boundary;
    struct tcgrr_cursor cursor;

    for (bool more = tcgrr_cursor_begin(&cursor, chunk, search->work->repair->blocks); more && next_unnoticed(search);
         more = tcgrr_cursor_next(&cursor)) {
        bool on = !boundary->known || boundary->from_pc == cursor.block->pc;
        boundary->led = on ? LED_ON : boundary->left ? LED_AWAY : MAY_HAVE_LED;
        boundary->to_pc = cursor.block->pc;
        boundary->seq = chunk->first_seq + cursor.index;
        look_at(search, &cursor);
        *boundary = (struct boundary){.known = true,
                                      .left = cursor.ran < cursor.block->insns,
                                      .from_pc = tcgrr_block_pc(cursor.block, cursor.ran)};
    }
}

/* Steps over the corrections before execution `seq`. */
static void skip_corrections(struct search *search, tcgrr_seq seq)
{
    const struct work *work = search->work;

    for (; search->skipped < work->corrections->len && correction_at(work, search->skipped)->seq < seq;
         search->skipped++) {
        search->shift += correction_at(work, search->skipped)->retired ? 1 : -1;
    }
}

/* The chunk in which the next of the log's events may be, not before `id`. Places in the file are without the
 * corrections, of which all may be before it. */
static bool find_chunk(const struct search *search, struct tcgrr_reader *reader, int64_t *id, GError **error)
{
    int64_t before = -1;
    tcgrr_icount icount = next_unnoticed(search)->icount;
    tcgrr_icount most = search->work->corrections->len;

    if (!tcgrr_reader_chunk_before(reader, icount - MIN(icount, most), &before, error)) {
        return false;
    }
    *id = MAX(*id, before);
    return true;
}

static bool search_from(struct search *search, struct tcgrr_reader *reader, GError **error)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    int64_t id = 0;
    bool found = true;
    bool good = true;

    while (good && found && next_unnoticed(search)) {
        int64_t follows = id;
        good = find_chunk(search, reader, &id, error) && tcgrr_reader_chunk(reader, id, chunk, &found, error);
        if (good && found) {
            search->boundary.known = search->boundary.known && id == follows;
            skip_corrections(search, chunk->first_seq);
            chunk->first_icount += (uint64_t)search->shift;
            guint next = search->skipped;
            good = patch_chunk(search->work, chunk, &next, error);
        }
        if (good && found) {
            search_chunk(search, chunk);
            id++;
        }
    }
    settle(search);
    tcgrr_chunk_free(chunk);
    return good;
}

/*
 * Adds the events of the log that were not noticed, because the vCPU went where it might have gone anyway: the
 * instructions of some targets are not known well enough, and those of others may lead anywhere. The reader sees the
 * trace as it was committed.
 */
static bool add_unnoticed(struct work *work, GError **error)
{
    g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(struct boundary));
    struct search search = {.work = work, .events = events, .held = held};

    if (work->unnoticed->len == 0) {
        return true;
    }
    struct tcgrr_reader *reader = tcgrr_reader_open(work->repair->path, error);
    bool good =
        reader && search_from(&search, reader, error) && tcgrr_writer_insert_events(work->writer, events, error);
    tcgrr_reader_free(reader);
    return good;
}

bool tcgrr_repair(struct tcgrr_writer *writer, const struct tcgrr_repair *repair, struct tcgrr_run *run, GError **error)
{
    g_autoptr(GArray) unnoticed = g_array_new(FALSE, FALSE, sizeof(guint));
    struct work work = {
        .repair = repair,
        .writer = writer,
        .corrections = repair->answers->corrections,
        .unnoticed = unnoticed,
    };
    run->assumed = repair->uncertain->len - tcgrr_answer_doubts(repair->answers, repair->log, repair->uncertain);
    run->decided = (int64_t)repair->answers->decided;
    bool good = work.corrections->len == 0 || rewrite(&work, run, error);
    tcgrr_seq first = work.corrections->len ? correction_at(&work, 0)->seq + 1 : UINT64_MAX;
    if (good && (work.corrections->len || !run->reports_discontinuities)) {
        good = tcgrr_writer_change_events(writer, first, change_event, &work, error);
    }
    if (!good || run->reports_discontinuities) {
        return good;
    }
    skip_logged_to(&work, repair->log->events->len);
    return add_unnoticed(&work, error);
}
