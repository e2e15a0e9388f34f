/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/sql/callstack.h"

#define MAX_MARKS 256u

/* The stacks at a chunk's beginning. */
struct mark {
    int64_t chunk;
    struct tcgrr_stacks *stacks;
};

struct tcgrr_callstacks {
    struct tcgrr_sql_trace *trace;
    GArray *marks;  /* struct mark, ascending; the first one is the trace's beginning */
    int64_t step;   /* chunks between two marks */
    GArray *events; /* struct tcgrr_event of the chunk */
    tcgrr_seq first_seq;
    struct tcgrr_stacks *now; /* at the beginning of chunk `next` */
    int64_t next;
};

static bool calls(void *data, uint32_t number, const struct tcgrr_block *block, bool *answer, GError **error)
{
    const struct tcgrr_callstacks *stacks = data;
    return tcgrr_sql_trace_calls(stacks->trace, number, answer, error);
}

static void clear_mark(void *data)
{
    tcgrr_stacks_free(((struct mark *)data)->stacks);
}

struct tcgrr_callstacks *tcgrr_callstacks_new(struct tcgrr_sql_trace *trace)
{
    struct tcgrr_callstacks *stacks = g_new0(struct tcgrr_callstacks, 1);
    stacks->trace = trace;
    stacks->step = 1;
    stacks->events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    stacks->marks = g_array_new(FALSE, FALSE, sizeof(struct mark));
    g_array_set_clear_func(stacks->marks, clear_mark);
    stacks->now = tcgrr_stacks_new(&(struct tcgrr_stacks_options){
        .isa = tcgrr_isa_of_target(tcgrr_reader_run(tcgrr_sql_trace_reader(trace))->target),
        .calls = calls,
        .data = stacks,
    });
    return stacks;
}

void tcgrr_callstacks_free(struct tcgrr_callstacks *stacks)
{
    if (stacks) {
        tcgrr_stacks_free(stacks->now);
        g_array_unref(stacks->marks);
        g_array_unref(stacks->events);
        g_free(stacks);
    }
}

/* ---- marks ---- */

static struct mark *mark_at(const struct tcgrr_callstacks *stacks, guint i)
{
    return &g_array_index(stacks->marks, struct mark, i);
}

/* Keeps the current place, if that is due; with too many marks, every second one goes. */
static void keep_mark(struct tcgrr_callstacks *stacks)
{
    const struct mark *last = stacks->marks->len ? mark_at(stacks, stacks->marks->len - 1) : NULL;
    if (stacks->next % stacks->step != 0 || (last && last->chunk >= stacks->next)) {
        return;
    }
    struct mark mark = {stacks->next, tcgrr_stacks_copy(stacks->now)};
    g_array_append_val(stacks->marks, mark);
    if (stacks->marks->len == MAX_MARKS) {
        for (guint i = 1; i < stacks->marks->len; i++) {
            g_array_remove_index(stacks->marks, i);
        }
        stacks->step *= 2;
    }
}

/* Goes to the last mark before chunk `id`, unless it is already between that one and the chunk. */
static void rewind_to(struct tcgrr_callstacks *stacks, int64_t id)
{
    guint best = stacks->marks->len;
    while (best > 0 && mark_at(stacks, best - 1)->chunk > id) {
        best--;
    }
    if (best > 0 && (stacks->next > id || stacks->next < mark_at(stacks, best - 1)->chunk)) {
        tcgrr_stacks_free(stacks->now);
        stacks->now = tcgrr_stacks_copy(mark_at(stacks, best - 1)->stacks);
        stacks->next = mark_at(stacks, best - 1)->chunk;
    }
}

/* ---- following ---- */

static void keep_event(const struct tcgrr_event *event, void *data)
{
    struct tcgrr_callstacks *stacks = data;
    if (event->seq >= stacks->first_seq) {
        g_array_append_val(stacks->events, *event);
    }
}

static bool load_events(struct tcgrr_callstacks *stacks, const struct tcgrr_chunk *chunk, GError **error)
{
    g_array_set_size(stacks->events, 0);
    stacks->first_seq = chunk->first_seq;
    struct tcgrr_reader *reader = tcgrr_sql_trace_reader(stacks->trace);
    return tcgrr_reader_query(reader, TCGRR_QUERY_EVENTS, error) &&
           tcgrr_reader_events(reader, chunk->first_icount, chunk->end_icount, keep_event, stacks, error);
}

/* Updates `to` through a chunk up to the execution that runs `icount`, to which *at is set; otherwise to the chunk's
 * end. */
static bool follow(struct tcgrr_callstacks *stacks, struct tcgrr_stacks *to, const struct tcgrr_chunk *chunk,
                   tcgrr_icount icount, struct tcgrr_cursor *at, bool *here, GError **error)
{
    const struct tcgrr_blocks *blocks = tcgrr_sql_trace_reader(stacks->trace)->blocks; /* there with the chunk */
    guint next_event = 0;

    *here = false;
    if (!load_events(stacks, chunk, error)) {
        return false;
    }
    for (bool more = tcgrr_cursor_begin(at, chunk, blocks); more; more = tcgrr_cursor_next(at)) {
        const struct tcgrr_event *event =
            tcgrr_stacks_event_before(stacks->events, &next_event, chunk->first_seq + at->index);
        if (!tcgrr_stacks_follow(to, at, event, error)) {
            return false;
        }
        *here = icount < at->icount + at->counted;
        if (*here) {
            break;
        }
    }
    return true;
}

static bool look_into(struct tcgrr_callstacks *stacks, const struct tcgrr_chunk *chunk, tcgrr_icount icount,
                      struct tcgrr_callstack *found, GError **error)
{
    struct tcgrr_stacks *copy = tcgrr_stacks_copy(stacks->now);
    struct tcgrr_cursor at;
    bool here;
    bool good = follow(stacks, copy, chunk, icount, &at, &here, error);

    if (good && here) {
        const GArray *frames = tcgrr_stacks_frames(copy, at.vcpu);
        found->pc = tcgrr_block_pc(at.block, (uint32_t)MIN(icount - at.icount, at.block->insns - 1));
        found->vcpu = at.vcpu;
        g_array_append_vals(found->frames, frames->data, frames->len);
    }
    tcgrr_stacks_free(copy);
    return good;
}

bool tcgrr_callstacks_look(struct tcgrr_callstacks *stacks, tcgrr_icount icount, struct tcgrr_callstack *found,
                           bool *done, GError **error)
{
    int64_t id;
    bool there;
    bool here;
    struct tcgrr_cursor at;

    g_array_set_size(found->frames, 0);
    *done = icount == UINT64_MAX;
    if (*done) {
        return true;
    }
    if (!tcgrr_reader_chunk_before(tcgrr_sql_trace_reader(stacks->trace), icount + 1, &id, error)) {
        return false;
    }
    keep_mark(stacks);
    rewind_to(stacks, id);
    struct tcgrr_cached_chunk *chunk =
        tcgrr_chunk_cache_get(tcgrr_sql_trace_chunk_cache(stacks->trace), stacks->next, &there, error);
    *done = !chunk || stacks->next >= id;
    bool good = chunk || !there;
    if (chunk && *done) {
        good = look_into(stacks, chunk->chunk, icount, found, error);
    } else if (chunk) {
        good = follow(stacks, stacks->now, chunk->chunk, UINT64_MAX, &at, &here, error);
        stacks->next++;
    }
    tcgrr_chunk_cache_unpin(chunk);
    return good;
}

bool tcgrr_callstack(struct tcgrr_sql_trace *trace, tcgrr_icount icount, struct tcgrr_callstack *found, GError **error)
{
    struct tcgrr_callstacks *stacks = tcgrr_callstacks_new(trace);
    bool good = true;
    for (bool done = false; good && !done;) {
        good = tcgrr_callstacks_look(stacks, icount, found, &done, error);
    }
    tcgrr_callstacks_free(stacks);
    return good;
}
