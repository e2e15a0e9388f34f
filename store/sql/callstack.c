/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/sql/callstack.h"

#include "store/sql/sql_walk.h"

#define MOST_VCPUS      4096u
#define FILTER_BITS     12
#define FILTER_SLOTS    (1u << FILTER_BITS)
#define EXCEPTION_REACH 16 /* bytes: a handler returns to the instruction that trapped or to one shortly behind it */

enum { UNKNOWN, CALLS, DOES_NOT }; /* about a block's end */

/* One vCPU. */
struct lane {
    GArray *frames; /* struct tcgrr_frame */
    uint16_t
        returns[FILTER_SLOTS]; /* how many frames return to an address that falls there: most jumps return to none */
    const struct tcgrr_block *block; /* executed last; NULL at the beginning */
    uint32_t number;
    uint32_t ran;
};

struct scan {
    struct tcgrr_sql_trace *trace;
    GPtrArray *lanes; /* struct lane, by vCPU */
    GArray *ends;     /* of uint8_t by block */
    GArray *events;   /* struct tcgrr_event of the chunk: interrupts and exceptions */
    guint next_event;
    const struct tcgrr_chunk *chunk; /* whose events these are */
    tcgrr_seq first_seq;
};

static void free_lane(void *data)
{
    struct lane *lane = data;
    if (lane) {
        g_array_unref(lane->frames);
        g_free(lane);
    }
}

static struct lane *lane_of(struct scan *scan, tcgrr_vcpu vcpu)
{
    vcpu = MIN(vcpu, MOST_VCPUS - 1);
    if (vcpu >= scan->lanes->len) {
        g_ptr_array_set_size(scan->lanes, (gint)vcpu + 1);
    }
    struct lane *lane = g_ptr_array_index(scan->lanes, vcpu);
    if (!lane) {
        lane = g_new0(struct lane, 1);
        lane->frames = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_frame));
        g_ptr_array_index(scan->lanes, vcpu) = lane;
    }
    return lane;
}

/* ---- frames ---- */

static uint16_t *filter_slot(struct lane *lane, uint64_t address)
{
    return &lane->returns[(address * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - FILTER_BITS)];
}

static void drop(struct lane *lane, guint index)
{
    const struct tcgrr_frame *frame = &g_array_index(lane->frames, struct tcgrr_frame, index);
    for (uint64_t at = 0; at <= (frame->kind == TCGRR_FRAME_EXCEPTION ? EXCEPTION_REACH : 0); at++) {
        (*filter_slot(lane, frame->back + at))--;
    }
    g_array_remove_index(lane->frames, index);
}

static void push(struct lane *lane, const struct tcgrr_frame *frame)
{
    if (lane->frames->len == TCGRR_MOST_FRAMES) {
        drop(lane, 0);
    }
    for (uint64_t at = 0; at <= (frame->kind == TCGRR_FRAME_EXCEPTION ? EXCEPTION_REACH : 0); at++) {
        (*filter_slot(lane, frame->back + at))++;
    }
    g_array_append_val(lane->frames, *frame);
}

/* Ends the innermost frame that returns to `pc`, and those within it. */
static void return_to(struct lane *lane, uint64_t pc)
{
    if (*filter_slot(lane, pc) == 0) {
        return;
    }
    for (guint i = lane->frames->len; i-- > 0;) {
        const struct tcgrr_frame *frame = &g_array_index(lane->frames, struct tcgrr_frame, i);
        uint64_t reach = frame->kind == TCGRR_FRAME_EXCEPTION ? EXCEPTION_REACH : 0;
        if (pc - frame->back <= reach) {
            while (lane->frames->len > i) {
                drop(lane, lane->frames->len - 1);
            }
            return;
        }
    }
}

/* ---- events ---- */

static void keep_event(const struct tcgrr_event *event, void *data)
{
    struct scan *scan = data;
    if ((event->kind == TCGRR_EVENT_INTERRUPT || event->kind == TCGRR_EVENT_EXCEPTION) &&
        event->seq >= scan->first_seq) {
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

/* The event right before execution `seq`, or NULL. */
static const struct tcgrr_event *event_before(struct scan *scan, tcgrr_seq seq)
{
    const struct tcgrr_event *found = NULL;
    while (scan->next_event < scan->events->len) {
        const struct tcgrr_event *event = &g_array_index(scan->events, struct tcgrr_event, scan->next_event);
        if (event->seq > seq) {
            break;
        }
        found = event->seq == seq ? event : NULL;
        scan->next_event++;
    }
    return found;
}

/* ---- the scan ---- */

static bool ends_with_call(struct scan *scan, uint32_t number, bool *calls, GError **error)
{
    if (number >= scan->ends->len) {
        g_array_set_size(scan->ends, number + 1); /* cleared: UNKNOWN */
    }
    if (g_array_index(scan->ends, uint8_t, number) == UNKNOWN) {
        if (!tcgrr_sql_trace_calls(scan->trace, number, calls, error)) {
            return false;
        }
        g_array_index(scan->ends, uint8_t, number) = *calls ? CALLS : DOES_NOT;
    }
    *calls = g_array_index(scan->ends, uint8_t, number) == CALLS;
    return true;
}

/* What the way from the lane's last execution to the one at the cursor did to the stack. */
static bool follow(struct scan *scan, struct lane *lane, const struct tcgrr_cursor *at, const struct tcgrr_event *event,
                   GError **error)
{
    uint64_t pc = at->block->pc;
    struct tcgrr_frame frame = {.kind = TCGRR_FRAME_START, .entry = pc, .icount = at->icount};
    bool calls = false;

    if (!lane->block) {
        push(lane, &frame);
        return true;
    }
    if (event) {
        frame.kind = event->kind == TCGRR_EVENT_INTERRUPT ? TCGRR_FRAME_INTERRUPT : TCGRR_FRAME_EXCEPTION;
        frame.from = frame.back =
            event->from_pc != TCGRR_NO_PC ? event->from_pc : tcgrr_block_pc(lane->block, lane->ran);
        push(lane, &frame);
        return true;
    }
    uint64_t behind = lane->block->pc + lane->block->size;
    if (lane->ran == lane->block->insns && pc == behind) {
        return true;
    }
    if (lane->ran == lane->block->insns && !ends_with_call(scan, lane->number, &calls, error)) {
        return false;
    }
    if (calls) {
        frame.kind = TCGRR_FRAME_CALL;
        frame.from = behind - lane->block->lengths[lane->block->insns - 1];
        frame.back = behind;
        push(lane, &frame);
    } else {
        return_to(lane, pc);
    }
    return true;
}

static bool scan_to(struct scan *scan, struct tcgrr_sql_walk *walk, int64_t icount, struct lane **here, GError **error)
{
    while (!walk->end) {
        struct lane *lane = lane_of(scan, walk->at.vcpu);
        tcgrr_seq seq = (tcgrr_seq)tcgrr_sql_walk_seq(walk);
        if ((walk->at.chunk != scan->chunk || walk->at.chunk->first_seq != scan->first_seq) &&
            !load_events(scan, walk->at.chunk, error)) {
            return false;
        }
        if (!follow(scan, lane, &walk->at, event_before(scan, seq), error)) {
            return false;
        }
        if (icount < (int64_t)(walk->at.icount + walk->at.counted)) {
            *here = lane;
            return true;
        }
        lane->block = walk->at.block;
        lane->number = tcgrr_sql_walk_block(walk);
        lane->ran = walk->at.ran;
        if (!tcgrr_sql_walk_next(walk, error)) {
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
    struct scan scan = {.trace = trace, .lanes = g_ptr_array_new_with_free_func(free_lane)};
    struct lane *here = NULL;

    scan.ends = g_array_new(FALSE, TRUE, sizeof(uint8_t));
    scan.events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    range.last_icount = icount;
    g_array_set_size(frames, 0);
    bool good = tcgrr_sql_walk_begin(&walk, trace, &range, error) && scan_to(&scan, &walk, icount, &here, error);
    if (good && here) {
        uint32_t index = (uint32_t)MIN((uint64_t)icount - walk.at.icount, walk.at.block->insns - 1);
        *pc = tcgrr_block_pc(walk.at.block, index);
        *vcpu = walk.at.vcpu;
        g_array_append_vals(frames, here->frames->data, here->frames->len);
    }
    tcgrr_sql_walk_end(&walk);
    g_ptr_array_unref(scan.lanes);
    g_array_unref(scan.ends);
    g_array_unref(scan.events);
    return good;
}
