/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/run_source_internal.h"

#include "store/error.h"

#include "store/digest.h"
#include "store/symbols.h"

/*
 * The capacity for the window and for the part that the run is ahead of it. An execution has at least one instruction,
 * except for those that retired nothing, so the chunks have room for half as many more. They are small, because
 * computing the digest of a part begins at a chunk's start.
 */
#define KEPT_EXECS  ((uint32_t)(TCGRR_SOURCE_WINDOW * 2 / 63))
#define PUMP_MS     5
#define SHARED_MS   1 /* the same for a side for which another one may be waiting */
#define PROGRESS_US 200000
#define DIVERGED_US 500000
#define SPENT_US    100000  /* interval of checking a replay's processor time while it makes progress */
#define SPIN_US     1100000 /* processor time without retiring an instruction after which a replay has hung */
#define BLOCK_US    3 /* additional time for each block: when its buffer is full, QEMU discards all translations */
#define START_US    10000000 /* the same before the first instruction, because setting the machine up takes time, too */

struct live_side {
    struct tcgrr_run_source base; /* must be first */
    struct tcgrr_session *session;
    struct live_side *other; /* see tcgrr_run_source_live_set_other() */
    struct tcgrr_run_source_live_options options;
    GQueue chunks;      /* struct tcgrr_chunk *, in order; the last one is being filled */
    unsigned most;      /* of them */
    tcgrr_icount asked; /* the furthest instruction that was requested */
    enum tcgrr_live_end end;
    bool hung;
    bool stopped;
    bool log_ended; /* everything up to the log's end has been read */
    gint64 moved;   /* when it last made progress */
    gint64 spent;   /* QEMU's processor time then, or at most SPENT_US earlier */
    gint64 looked;  /* when that was looked at */
    gint64 reported_at;
    tcgrr_icount moved_icount;
    tcgrr_icount begun_icount;        /* its start: that of its keyframe, if it has one */
    bool compared;                    /* with the original, since then */
    GQueue checkpoints;               /* struct tcgrr_checkpoint *, those not requested yet */
    struct tcgrr_symbols *symbols;    /* symbols of the mapped files; NULL: not requested yet */
    guint mapped;                     /* the number of mappings that `symbols` covers */
    struct tcgrr_checkpoint part_end; /* the end of the last digest of a part */
};

static struct tcgrr_chunk *current(const struct live_side *live)
{
    return live->chunks.tail->data;
}

/* Checkpoints that were not requested are dropped when the run is no longer available there, because the comparison may
 * begin far later. */
static void drop_checkpoints(struct live_side *live)
{
    const struct tcgrr_chunk *oldest = g_queue_peek_head(&live->chunks);
    for (struct tcgrr_checkpoint *next; (next = g_queue_peek_head(&live->checkpoints));) {
        if (next->icount >= oldest->first_icount) {
            return;
        }
        g_free(g_queue_pop_head(&live->checkpoints));
    }
}

static void take_checkpoints(struct live_side *live, struct tcgrr_chunk *chunk)
{
    for (guint i = 0; i < chunk->checkpoints->len; i++) {
        g_queue_push_tail(&live->checkpoints, g_memdup2(&g_array_index(chunk->checkpoints, struct tcgrr_checkpoint, i),
                                                        sizeof(struct tcgrr_checkpoint)));
    }
    g_array_set_size(chunk->checkpoints, 0);
}

/* Whether it has diverged from the original. Not checked again before it has moved. */
static bool has_diverged(struct live_side *live, const struct tcgrr_chunk *chunk)
{
    struct tcgrr_run_source *original = live->options.original;
    struct tcgrr_run_source_position position;

    if (!original || live->compared) {
        return false;
    }
    live->compared = true;
    return original->ops->advance(original, 0, chunk->end_icount, &position, NULL) &&
           position.state == TCGRR_SOURCE_REACHED && position.flow != chunk->end_flow;
}

/*
 * Whether a replay spends processor time without making progress. Before the first instruction that counts only for
 * another release, whose machine may ask for other inputs. On the same release setting the machine up may take any time
 * (memory is allocated beforehand, or loaded from a keyframe).
 */
static bool spins(const struct live_side *live)
{
    bool started = live->moved_icount > live->begun_icount;
    gint64 blocks = tcgrr_blocks_count(tcgrr_live_blocks(tcgrr_session_live(live->session)));
    gint64 most = started ? SPIN_US + BLOCK_US * blocks : START_US;
    return live->options.replays && (started || live->options.translated) &&
           tcgrr_process_spent(tcgrr_session_process(live->session)) - live->spent > most;
}

static void look_at_time(struct live_side *live, gint64 now)
{
    if (live->options.replays && now - live->looked > SPENT_US) {
        live->spent = tcgrr_process_spent(tcgrr_session_process(live->session));
        live->looked = now;
    }
}

static void watch_progress(struct live_side *live, struct tcgrr_chunk *chunk)
{
    gint64 now = g_get_monotonic_time();
    if (chunk->end_icount != live->moved_icount) {
        live->moved_icount = chunk->end_icount;
        live->moved = now;
        look_at_time(live, now);
        live->compared = false;
    }
    live->hung = live->hung || now - live->moved > (gint64)live->options.hang_ms * 1000 ||
                 (now - live->moved > DIVERGED_US && (has_diverged(live, chunk) || spins(live)));
    live->stopped = live->options.enough > 0 && chunk->end_icount >= live->options.enough;
    if (live->options.progress && now - live->reported_at > PROGRESS_US) {
        live->reported_at = now;
        live->options.progress(chunk->end_icount, live->options.data);
    }
}

/* If QEMU was stopped on purpose, the run ends there, or continues to its requested end. */
static bool watch_stop(struct live_side *live, struct tcgrr_chunk *chunk, GError **error)
{
    struct tcgrr_run_source_live_options *options = &live->options;

    if (!options->paused || !options->paused(live->session)) {
        return true;
    }
    if (options->pass && options->stop_at != options->goes_to) {
        bool good = options->pass(options->goes_to, options->pass_data, error);
        options->stop_at = options->goes_to;
        live->moved = g_get_monotonic_time();
        live->spent = tcgrr_process_spent(tcgrr_session_process(live->session));
        return good;
    }
    live->stopped = true;
    tcgrr_live_stop_at(tcgrr_session_live(live->session), chunk, options->stop_at);
    return true;
}

/* As far as it was read. */
static tcgrr_icount furthest(const struct live_side *live)
{
    return current(live)->end_icount;
}

/* As far as it is used: see tcgrr_run_source_log. */
static tcgrr_icount usable(const struct live_side *live)
{
    const struct tcgrr_run_source_log *log = live->options.log;
    return log ? MIN(furthest(live), MIN(log->known, log->end)) : furthest(live);
}

/* It has run far enough, and only the log is awaited. */
static bool must_wait(const struct live_side *live, tcgrr_icount to)
{
    return live->options.log && live->end == TCGRR_LIVE_RUNS && furthest(live) >= to;
}

/* Nothing after the log's end is wanted, and QEMU must not wait for us to read it. */
static void see_end(struct live_side *live)
{
    const struct tcgrr_run_source_log *log = live->options.log;
    /* A QEMU that never ran has to report why. The log of a killed one may end at 0 although it ran. */
    if (log && live->end == TCGRR_LIVE_RUNS && furthest(live) > 0 && furthest(live) >= log->end) {
        tcgrr_live_detach(tcgrr_session_live(live->session));
        live->log_ended = true;
    }
}

static bool read_on(struct live_side *live, struct tcgrr_chunk *chunk, tcgrr_icount to, int wait_ms, GError **error)
{
    struct tcgrr_run_source_log *log = live->options.log;

    if (must_wait(live, to)) {
        log->wait(log);
    } else if (!tcgrr_session_next(live->session, chunk, wait_ms, &live->end, error)) {
        return false;
    }
    if (log && !log->step(log, chunk->end_icount, to, live->end != TCGRR_LIVE_RUNS, error)) {
        return false;
    }
    see_end(live);
    return true;
}

static bool runs_nothing(const struct live_side *live)
{
    return live->end == TCGRR_LIVE_RUNS && furthest(live) == 0;
}

/* While neither has run anything, the other one may have ended, which would not be noticed, because it is read only
 * after this one. */
static bool other_starts(struct live_side *live, GError **error)
{
    struct live_side *other = live->other;

    if (!other || !runs_nothing(live) || !runs_nothing(other) ||
        !tcgrr_process_ended(tcgrr_session_process(other->session))) {
        return true;
    }
    struct tcgrr_chunk *chunk = current(other);
    if (!tcgrr_session_next(other->session, chunk, 0, &other->end, error)) {
        return false;
    }
    take_checkpoints(other, chunk);
    return other->end == TCGRR_LIVE_RUNS || tcgrr_session_check_end(other->session, furthest(other), error);
}

/* Begins another chunk, reusing the oldest one if it is no longer needed. The fewer are in use, the more of them stay
 * in the caches, which the guests use, too. */
static struct tcgrr_chunk *turn_over(struct live_side *live)
{
    const struct tcgrr_chunk *before = current(live), *oldest = g_queue_peek_head(&live->chunks);
    /* A peer may have received later positions while it still requests stretches before them. */
    tcgrr_icount back = TCGRR_SOURCE_WINDOW + live->options.ahead;
    bool needed = oldest->end_icount + back >= MIN(live->asked, usable(live));
    bool another = oldest == before || (needed && live->chunks.length < live->most);
    struct tcgrr_chunk *chunk = another ? tcgrr_chunk_new(KEPT_EXECS) : g_queue_pop_head(&live->chunks);

    tcgrr_chunk_follow(chunk, before);
    g_queue_push_tail(&live->chunks, chunk);
    drop_checkpoints(live);
    return chunk;
}

/* Reads a little more of the run, on the way to `to`. */
static bool pump(struct live_side *live, tcgrr_icount to, int wait_ms, GError **error)
{
    struct tcgrr_chunk *chunk = current(live);

    if (live->options.stop && *live->options.stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted at icount %" G_GUINT64_FORMAT,
                    chunk->end_icount);
        return false;
    }
    if (tcgrr_live_full(tcgrr_session_live(live->session), chunk)) {
        chunk = turn_over(live);
    }
    if (!other_starts(live, error) || !read_on(live, chunk, to, wait_ms, error)) {
        return false;
    }
    watch_progress(live, chunk);
    if (!watch_stop(live, chunk, error)) {
        return false;
    }
    take_checkpoints(live, chunk);
    return true;
}

static bool over(const struct live_side *live)
{
    return live->end != TCGRR_LIVE_RUNS || live->hung || live->stopped || live->log_ended;
}

static enum tcgrr_run_source_state end_state(const struct live_side *live)
{
    if (live->stopped) {
        return TCGRR_SOURCE_STOPPED;
    }
    if (live->log_ended) {
        const struct tcgrr_run_source_log *log = live->options.log;
        return log->asked ? TCGRR_SOURCE_SHUTDOWN : log->complete ? TCGRR_SOURCE_ENDED : TCGRR_SOURCE_CUT;
    }
    if (live->hung || live->end != TCGRR_LIVE_FINISHED) {
        return live->hung ? TCGRR_SOURCE_HUNG : TCGRR_SOURCE_CUT;
    }
    return tcgrr_session_guest_shutdown(live->session) ? TCGRR_SOURCE_SHUTDOWN : TCGRR_SOURCE_ENDED;
}

/* Whether the chunk has some of the instructions from..to; if so, moves the cursor to its first execution. */
static bool begin(const struct live_side *live, const struct tcgrr_chunk *chunk, tcgrr_icount from, tcgrr_icount to,
                  struct tcgrr_cursor *cursor)
{
    const struct tcgrr_blocks *blocks = tcgrr_live_blocks(tcgrr_session_live(live->session));

    bool overlaps = chunk->first_icount < to && chunk->end_icount >= from;
    return overlaps && tcgrr_cursor_begin(cursor, chunk, blocks);
}

static bool in_window(const struct live_side *live, tcgrr_icount from, GError **error)
{
    const struct tcgrr_chunk *oldest = live->chunks.head->data;
    if (from < oldest->first_icount) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_GONE,
                    "icount %" G_GUINT64_FORMAT
                    " is no longer available: the guest runs through blocks without retiring an instruction",
                    from);
        return false;
    }
    return true;
}

/* Reads until `to` instructions are available or the run has ended. */
static bool pump_to(struct live_side *live, tcgrr_icount to, GError **error)
{
    if (live->options.log && usable(live) < to) {
        live->moved = g_get_monotonic_time(); /* until now it may have been waiting for the other one */
    }
    while (usable(live) < to && !over(live)) {
        if (!pump(live, to, live->options.log ? SHARED_MS : PUMP_MS, error)) {
            return false;
        }
    }
    if (live->options.fails_at_threads && live->end == TCGRR_LIVE_THREADS && usable(live) < to) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "no verdict: after %" G_GUINT64_FORMAT
                    " instructions a thread of the program had computed for 20 s while another one waited to run",
                    usable(live));
        return false;
    }
    return true;
}

static bool approach(struct tcgrr_run_source *side, tcgrr_icount to, int wait_ms, bool *there, GError **error)
{
    struct live_side *live = (struct live_side *)side;
    gint64 deadline = g_get_monotonic_time() + (gint64)wait_ms * 1000;

    for (;;) {
        *there = usable(live) >= to || over(live);
        if (*there || g_get_monotonic_time() >= deadline) {
            return true;
        }
        if (!pump(live, to, PUMP_MS, error)) {
            return false;
        }
    }
}

bool tcgrr_run_source_live_read_ahead(struct tcgrr_run_source *side, tcgrr_icount to, bool *there, GError **error)
{
    struct live_side *live = (struct live_side *)side;
    struct tcgrr_run_source_log *log = live->options.log;
    bool good = over(live) || (furthest(live) < to ? pump(live, UINT64_MAX, 0, error)
                                                   : log->step(log, furthest(live), UINT64_MAX, false, error));

    *there = over(live) || usable(live) >= to;
    return good;
}

/* Digest of the first `to` instructions, computed from the start of the chunk that contains the last of them. */
static uint64_t digest_all(const struct live_side *live, tcgrr_icount to)
{
    struct tcgrr_cursor cursor;
    uint64_t flow = 0;
    for (const GList *link = live->chunks.head; link; link = link->next) {
        const struct tcgrr_chunk *chunk = link->data;
        if (begin(live, chunk, to > 0 ? to - 1 : 0, to, &cursor)) {
            flow = tcgrr_run_source_digest(cursor, chunk->first_icount, to, chunk->first_flow);
        }
    }
    return flow;
}

/* Digest of the first `icount` instructions, by the shortest way. */
static uint64_t digest_up_to(struct live_side *live, tcgrr_icount icount)
{
    if (live->part_end.icount == icount) {
        return live->part_end.flow;
    }
    for (const GList *link = live->checkpoints.head; link; link = link->next) {
        const struct tcgrr_checkpoint *checkpoint = link->data;
        if (checkpoint->icount == icount) {
            return checkpoint->flow;
        }
    }
    return digest_all(live, icount);
}

/* Digest of from..to, which is available. */
static uint64_t digest_part(struct live_side *live, tcgrr_icount from, tcgrr_icount to)
{
    struct tcgrr_cursor cursor;
    uint64_t flow = 0;

    /* If instructions were counted that did not run, counts do not give the number of instructions. */
    if (tcgrr_live_overcounted(tcgrr_session_live(live->session)) == UINT64_MAX) {
        uint64_t head = digest_up_to(live, from), whole = digest_up_to(live, to);
        live->part_end = (struct tcgrr_checkpoint){.icount = to, .flow = whole};
        return tcgrr_digest_behead(whole, tcgrr_digest_power(to - from), head);
    }
    for (const GList *link = live->chunks.head; link; link = link->next) {
        if (begin(live, link->data, from, to, &cursor)) {
            flow = tcgrr_run_source_digest(cursor, from, to, flow);
        }
    }
    return flow;
}

/* The checkpoint at `icount`, if the run has passed it and no later one was requested. */
static const struct tcgrr_checkpoint *passed_checkpoint(struct live_side *live, tcgrr_icount icount)
{
    for (struct tcgrr_checkpoint *next; (next = g_queue_peek_head(&live->checkpoints));) {
        if (next->icount >= icount) {
            return next->icount == icount ? next : NULL;
        }
        g_free(g_queue_pop_head(&live->checkpoints));
    }
    return NULL;
}

/*
 * Whether a QEMU hangs for a reason that precedes the guest's code: it has translated none, and neither has the other
 * one, or its machine may need other inputs during setup than it gets.
 */
static bool never_began(const struct live_side *live)
{
    bool other_either = live->other && runs_nothing(live->other);
    return tcgrr_blocks_count(tcgrr_live_blocks(tcgrr_session_live(live->session))) == 0 &&
           (live->options.translated || other_either);
}

static bool check_hung(struct live_side *live, GError **error)
{
    if (!tcgrr_session_check_hung(live->session, error)) {
        return false;
    }
    if (!never_began(live)) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "%s does not reach the guest's first instruction%s",
                tcgrr_session_qemu(live->session)->path,
                live->options.translated ? ": while it sets up the machine, it waits for an input that the other "
                                           "release did not have there; or -S holds it"
                                         : "; does -S in its command line hold it?");
    return false;
}

static bool advance(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                    struct tcgrr_run_source_position *position, GError **error)
{
    struct live_side *live = (struct live_side *)side;

    live->asked = MAX(live->asked, to);
    if (!pump_to(live, to, error)) {
        return false;
    }
    const struct tcgrr_checkpoint *checkpoint = from == 0 && usable(live) >= to ? passed_checkpoint(live, to) : NULL;
    if (checkpoint) {
        *position = (struct tcgrr_run_source_position){TCGRR_SOURCE_REACHED, to, checkpoint->flow};
        return true;
    }
    position->state = usable(live) >= to ? TCGRR_SOURCE_REACHED : end_state(live);
    position->icount = MIN(to, usable(live));
    bool gone = live->end != TCGRR_LIVE_RUNS || (live->log_ended && !live->options.log->asked);
    bool ended = position->state != TCGRR_SOURCE_REACHED && gone;
    if (ended && !tcgrr_session_check_end(live->session, furthest(live), error)) {
        return false;
    }
    if (position->state == TCGRR_SOURCE_HUNG && !check_hung(live, error)) {
        return false;
    }
    if (!in_window(live, from == 0 ? position->icount : from, error)) {
        return false;
    }
    position->flow = from == 0 ? digest_all(live, position->icount) : digest_part(live, from, position->icount);
    return true;
}

/* A run ends in the middle of an execution if QEMU handled the guest's request later. */
static void cut_last(GArray *execs, tcgrr_icount to)
{
    struct tcgrr_exec *last = execs->len > 0 ? &g_array_index(execs, struct tcgrr_exec, execs->len - 1) : NULL;
    if (last && last->icount + last->counted > to) {
        last->counted = (uint32_t)(to - last->icount);
        last->ran = MIN(last->ran, last->counted);
    }
}

static bool stretch(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_stretch *stretch,
                    GError **error)
{
    struct live_side *live = (struct live_side *)side;
    struct tcgrr_cursor cursor;

    g_array_set_size(stretch->execs, 0);
    g_array_set_size(stretch->events, 0);
    live->asked = MAX(live->asked, to);
    if (!pump_to(live, to, error) || !in_window(live, from, error)) {
        return false;
    }
    to = live->options.log ? MIN(to, usable(live)) : to;
    for (const GList *link = live->chunks.head; link; link = link->next) {
        const struct tcgrr_chunk *chunk = link->data;
        if (begin(live, chunk, from, to, &cursor)) {
            tcgrr_run_source_append_execs(cursor, from, to, stretch->execs);
        }
        for (guint i = 0; i < chunk->events->len; i++) {
            const struct tcgrr_event *event = &g_array_index(chunk->events, struct tcgrr_event, i);
            if (event->icount >= from && event->icount <= to) {
                g_array_append_val(stretch->events, *event);
            }
        }
    }
    if (live->options.log && to == live->options.log->end) {
        cut_last(stretch->execs, to);
    }
    return true;
}

static bool find(struct tcgrr_run_source *side, uint64_t pc, tcgrr_icount from, tcgrr_icount to, tcgrr_icount *icount,
                 bool *found, GError **error)
{
    struct live_side *live = (struct live_side *)side;
    struct tcgrr_cursor cursor;

    *found = false;
    for (const GList *link = live->chunks.head; link && !*found; link = link->next) {
        *found = begin(live, link->data, from, to, &cursor) && tcgrr_run_source_find(cursor, pc, from, to, icount);
    }
    return in_window(live, from, error);
}

static bool samples(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_samples *found,
                    GError **error)
{
    struct live_side *live = (struct live_side *)side;

    tcgrr_samples_clear(found);
    for (const GList *link = live->chunks.head; link && from < to; link = link->next) {
        const struct tcgrr_chunk *chunk = link->data;
        if (chunk->samples->list->len > 0 && chunk->first_icount < to && chunk->end_icount >= from) {
            tcgrr_samples_append(found, chunk->samples, from, to - 1);
        }
    }
    return in_window(live, from, error);
}

static void free_live(struct tcgrr_run_source *side)
{
    struct live_side *live = (struct live_side *)side;
    g_queue_clear_full(&live->chunks, (GDestroyNotify)tcgrr_chunk_free);
    g_queue_clear_full(&live->checkpoints, g_free);
    tcgrr_symbols_free(live->symbols);
    g_free(live);
}

void tcgrr_run_source_live_set_other(struct tcgrr_run_source *side, struct tcgrr_run_source *other)
{
    ((struct live_side *)side)->other = (struct live_side *)other;
}

static bool address(struct tcgrr_run_source *side, const char *name, uint64_t *pc, tcgrr_icount *since)
{
    struct live_side *live = (struct live_side *)side;
    const struct tcgrr_live *from = tcgrr_session_live(live->session);

    live->symbols = live->symbols ? live->symbols : tcgrr_symbols_new();
    if (tcgrr_live_mapped_count(from) > live->mapped) {
        g_autoptr(GArray) mapped = tcgrr_live_mapped(from);
        bool limited;
        struct tcgrr_symbols *more = tcgrr_symbols_of_mappings(mapped, live->mapped, live->symbols, &limited);
        tcgrr_symbols_join(live->symbols, more);
        tcgrr_symbols_free(more);
        live->mapped = mapped->len;
    }
    const struct tcgrr_symbol *symbol = tcgrr_symbols_find(live->symbols, name);
    *pc = symbol ? symbol->address : 0;
    *since = symbol && symbol->limited ? symbol->since : 0;
    struct tcgrr_run_source *other = symbol ? NULL : live->options.names;
    if (other && other->ops->address) {
        return other->ops->address(other, name, pc, since);
    }
    return symbol != NULL;
}

static const struct tcgrr_run_source_ops live_ops = {.advance = advance,
                                                     .stretch = stretch,
                                                     .find = find,
                                                     .free = free_live,
                                                     .approach = approach,
                                                     .samples = samples,
                                                     .address = address};

struct tcgrr_run_source *tcgrr_run_source_live(struct tcgrr_session *session,
                                               const struct tcgrr_run_source_live_options *options)
{
    struct live_side *live = g_new0(struct live_side, 1);
    live->base.ops = &live_ops;
    live->session = session;
    live->options = *options;
    live->moved = g_get_monotonic_time();
    live->most = 1 + (unsigned)((TCGRR_SOURCE_WINDOW + options->ahead) * 3 / 2 / KEPT_EXECS);
    g_queue_init(&live->chunks);
    g_queue_init(&live->checkpoints);
    g_queue_push_tail(&live->chunks, tcgrr_chunk_new(KEPT_EXECS));
    tcgrr_live_init_chunk(tcgrr_session_live(session), current(live));
    live->begun_icount = live->moved_icount = current(live)->end_icount;
    return &live->base;
}
