/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/sql/callstack.h"

#include "store/sql/sql_walk.h"

struct scan {
    struct tcgrr_sql_trace *trace;
    struct tcgrr_stacks *stacks;
    GArray *events; /* struct tcgrr_event of the chunk */
    guint next_event;
    const struct tcgrr_chunk *chunk; /* whose events these are */
    tcgrr_seq first_seq;
};

static void keep_event(const struct tcgrr_event *event, void *data)
{
    struct scan *scan = data;
    if (event->seq >= scan->first_seq) {
        g_array_append_val(scan->events, *event);
    }
}

static bool load_events(struct scan *scan, const struct tcgrr_chunk *chunk, GError **error)
{
    struct tcgrr_reader *reader = tcgrr_sql_trace_reader(scan->trace);
    g_array_set_size(scan->events, 0);
    scan->next_event = 0;
    scan->chunk = chunk;
    scan->first_seq = chunk->first_seq;
    return tcgrr_reader_query(reader, TCGRR_QUERY_EVENTS, error) &&
           tcgrr_reader_events(reader, chunk->first_icount, chunk->end_icount, keep_event, scan, error);
}

static bool calls(void *data, uint32_t number, const struct tcgrr_block *block, bool *answer, GError **error)
{
    struct scan *scan = data;
    return tcgrr_sql_trace_calls(scan->trace, number, answer, error);
}

/* *here is whether the walk came to `icount`, and stands there. */
static bool scan_to(struct scan *scan, struct tcgrr_sql_walk *walk, int64_t icount, bool *here, GError **error)
{
    while (!walk->end && !*here) {
        tcgrr_seq seq = (tcgrr_seq)tcgrr_sql_walk_seq(walk);
        if ((walk->at.chunk != scan->chunk || walk->at.chunk->first_seq != scan->first_seq) &&
            !load_events(scan, walk->at.chunk, error)) {
            return false;
        }
        const struct tcgrr_event *event = tcgrr_stacks_event(scan->events, &scan->next_event, seq);
        if (!tcgrr_stacks_follow(scan->stacks, &walk->at, event, error)) {
            return false;
        }
        *here = icount < (int64_t)(walk->at.icount + walk->at.counted);
        if (!*here && !tcgrr_sql_walk_next(walk, error)) {
            return false;
        }
    }
    return true;
}

bool tcgrr_callstack(struct tcgrr_sql_trace *trace, int64_t icount, GArray *frames, uint64_t *pc, tcgrr_vcpu *vcpu,
                     GError **error)
{
    struct tcgrr_sql_range range = TCGRR_SQL_RANGE_ALL;
    struct tcgrr_sql_walk walk = {0};
    struct scan scan = {.trace = trace, .events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event))};
    bool here = false;

    scan.stacks = tcgrr_stacks_new(&(struct tcgrr_stacks_options){
        .isa = tcgrr_isa_of_target(tcgrr_reader_run(tcgrr_sql_trace_reader(trace))->target),
        .calls = calls,
        .data = &scan,
    });
    range.last_icount = icount;
    g_array_set_size(frames, 0);
    bool good = tcgrr_sql_walk_begin(&walk, trace, &range, error) && scan_to(&scan, &walk, icount, &here, error);
    if (good && here) {
        const GArray *found = tcgrr_stacks_frames(scan.stacks, walk.at.vcpu);
        uint32_t index = (uint32_t)MIN((uint64_t)icount - walk.at.icount, walk.at.block->insns - 1);
        *pc = tcgrr_block_pc(walk.at.block, index);
        *vcpu = walk.at.vcpu;
        g_array_append_vals(frames, found->data, found->len);
    }
    tcgrr_sql_walk_end(&walk);
    tcgrr_stacks_free(scan.stacks);
    g_array_unref(scan.events);
    return good;
}
