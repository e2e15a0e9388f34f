/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/stacks.h"

#define MAX_VCPUS       4096u
#define FILTER_BITS     12
#define FILTER_SLOTS    (1u << FILTER_BITS)
#define EXCEPTION_REACH 16 /* bytes: a handler returns to the instruction that trapped or to one shortly after it */

enum { UNKNOWN, CALLS, DOES_NOT }; /* about a block's end */

/* One vCPU. */
struct lane {
    tcgrr_vcpu vcpu;
    GArray *frames; /* struct tcgrr_frame */
    uint16_t
        returns[FILTER_SLOTS]; /* how many frames return to an address that falls there: most jumps return to none */
    const struct tcgrr_block *block; /* executed last; NULL at the beginning */
    uint32_t number;
    uint32_t ran;
};

struct tcgrr_stacks {
    struct tcgrr_stacks_options options;
    GPtrArray *lanes; /* struct lane, by vCPU */
    GArray *ends;     /* of uint8_t by block */
};

static void free_lane(void *data)
{
    struct lane *lane = data;
    if (lane) {
        g_array_unref(lane->frames);
        g_free(lane);
    }
}

struct tcgrr_stacks *tcgrr_stacks_new(const struct tcgrr_stacks_options *options)
{
    struct tcgrr_stacks *stacks = g_new0(struct tcgrr_stacks, 1);
    stacks->options = *options;
    stacks->lanes = g_ptr_array_new_with_free_func(free_lane);
    stacks->ends = g_array_new(FALSE, TRUE, sizeof(uint8_t));
    return stacks;
}

struct tcgrr_stacks *tcgrr_stacks_copy(const struct tcgrr_stacks *stacks)
{
    struct tcgrr_stacks *copy = tcgrr_stacks_new(&stacks->options);
    g_array_append_vals(copy->ends, stacks->ends->data, stacks->ends->len);
    g_ptr_array_set_size(copy->lanes, (gint)stacks->lanes->len);
    for (guint i = 0; i < stacks->lanes->len; i++) {
        const struct lane *lane = g_ptr_array_index(stacks->lanes, i);
        if (lane) {
            struct lane *same = g_memdup2(lane, sizeof(*lane));
            same->frames = g_array_copy(lane->frames);
            g_ptr_array_index(copy->lanes, i) = same;
        }
    }
    return copy;
}

void tcgrr_stacks_free(struct tcgrr_stacks *stacks)
{
    if (stacks) {
        g_ptr_array_unref(stacks->lanes);
        g_array_unref(stacks->ends);
        g_free(stacks);
    }
}

static struct lane *lane_of(struct tcgrr_stacks *stacks, tcgrr_vcpu vcpu)
{
    vcpu = MIN(vcpu, MAX_VCPUS - 1);
    if (vcpu >= stacks->lanes->len) {
        g_ptr_array_set_size(stacks->lanes, (gint)vcpu + 1);
    }
    struct lane *lane = g_ptr_array_index(stacks->lanes, vcpu);
    if (!lane) {
        lane = g_new0(struct lane, 1);
        lane->vcpu = vcpu;
        lane->frames = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_frame));
        g_ptr_array_index(stacks->lanes, vcpu) = lane;
    }
    return lane;
}

const GArray *tcgrr_stacks_frames(struct tcgrr_stacks *stacks, tcgrr_vcpu vcpu)
{
    return lane_of(stacks, vcpu)->frames;
}

/* ---- frames ---- */

static uint16_t *filter_slot(struct lane *lane, uint64_t address)
{
    return &lane->returns[(address * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - FILTER_BITS)];
}

/* Adds `step` for every address that the frame may return to. */
static void count_returns(struct lane *lane, const struct tcgrr_frame *frame, int step)
{
    uint64_t reach = frame->kind == TCGRR_FRAME_EXCEPTION ? EXCEPTION_REACH : 0;
    for (uint64_t at = 0; at <= reach; at++) {
        *filter_slot(lane, frame->back + at) = (uint16_t)(*filter_slot(lane, frame->back + at) + step);
    }
    if (frame->other != frame->back) {
        *filter_slot(lane, frame->other) = (uint16_t)(*filter_slot(lane, frame->other) + step);
    }
}

static void drop(struct tcgrr_stacks *stacks, struct lane *lane, guint index, tcgrr_icount icount)
{
    const struct tcgrr_frame *frame = &g_array_index(lane->frames, struct tcgrr_frame, index);
    count_returns(lane, frame, -1);
    bool bottom = index + 1 < lane->frames->len;
    g_array_remove_index(lane->frames, index);
    if (stacks->options.left) {
        stacks->options.left(stacks->options.data, lane->vcpu, bottom, icount);
    }
}

static void push(struct tcgrr_stacks *stacks, struct lane *lane, const struct tcgrr_frame *frame)
{
    if (lane->frames->len == TCGRR_MAX_FRAMES) {
        drop(stacks, lane, 0, frame->icount);
    }
    count_returns(lane, frame, 1);
    g_array_append_val(lane->frames, *frame);
    if (stacks->options.entered) {
        stacks->options.entered(stacks->options.data, lane->vcpu, frame);
    }
}

/* Ends the innermost frame that returns to `pc`, and those within it. */
static void return_to(struct tcgrr_stacks *stacks, struct lane *lane, uint64_t pc, tcgrr_icount icount)
{
    if (*filter_slot(lane, pc) == 0) {
        return;
    }
    for (guint i = lane->frames->len; i-- > 0;) {
        const struct tcgrr_frame *frame = &g_array_index(lane->frames, struct tcgrr_frame, i);
        uint64_t reach = frame->kind == TCGRR_FRAME_EXCEPTION ? EXCEPTION_REACH : 0;
        if (pc - frame->back <= reach || pc == frame->other) {
            while (lane->frames->len > i) {
                drop(stacks, lane, lane->frames->len - 1, icount);
            }
            return;
        }
    }
}

/* ---- following ---- */

const struct tcgrr_event *tcgrr_stacks_event_before(const GArray *events, guint *next, tcgrr_seq seq)
{
    const struct tcgrr_event *found = NULL;
    for (; *next < events->len; (*next)++) {
        const struct tcgrr_event *event = &g_array_index(events, struct tcgrr_event, *next);
        if (event->seq > seq) {
            break;
        }
        bool counts = event->kind == TCGRR_EVENT_INTERRUPT || event->kind == TCGRR_EVENT_EXCEPTION;
        found = event->seq == seq && counts ? event : found;
    }
    return found;
}

static bool ends_with_call(struct tcgrr_stacks *stacks, const struct lane *lane, bool *calls, GError **error)
{
    if (lane->number >= stacks->ends->len) {
        g_array_set_size(stacks->ends, lane->number + 1); /* cleared: UNKNOWN */
    }
    uint8_t *known = &g_array_index(stacks->ends, uint8_t, lane->number);
    if (*known == UNKNOWN) {
        if (!stacks->options.calls(stacks->options.data, lane->number, lane->block, calls, error)) {
            return false;
        }
        *known = *calls ? CALLS : DOES_NOT;
    }
    *calls = *known == CALLS;
    return true;
}

/*
 * Where interrupted code continues. If that is not known, assumes the instruction after the last one that ran, unless
 * that was a jump, or a branch's target.
 */
static void interrupted(const struct tcgrr_stacks *stacks, const struct lane *lane, const struct tcgrr_event *event,
                        struct tcgrr_frame *frame)
{
    const struct tcgrr_block *block = lane->block;
    struct tcgrr_insn_class classes[TCGRR_MAX_INSNS];

    frame->from = event->from_pc != TCGRR_NO_PC ? event->from_pc : tcgrr_block_pc(block, lane->ran);
    frame->back = frame->other = frame->from;
    if (event->from_pc == TCGRR_NO_PC && lane->ran == block->insns) {
        tcgrr_isa_classify(stacks->options.isa, block->pc, block->bytes, block->lengths, block->insns, classes);
        const struct tcgrr_insn_class *last = &classes[block->insns - 1];
        frame->other = last->flow == TCGRR_FLOW_BRANCH || last->flow == TCGRR_FLOW_JUMP ? last->target : frame->back;
    }
}

/* Updates the stack for the transition from the lane's last execution to the one at the cursor. */
static bool follow(struct tcgrr_stacks *stacks, struct lane *lane, const struct tcgrr_cursor *at,
                   const struct tcgrr_event *event, GError **error)
{
    uint64_t pc = at->block->pc;
    struct tcgrr_frame frame = {.kind = TCGRR_FRAME_START, .entry = pc, .icount = at->icount};
    bool calls = false;

    if (!lane->block) {
        push(stacks, lane, &frame);
        return true;
    }
    if (event) {
        frame.kind = event->kind == TCGRR_EVENT_INTERRUPT ? TCGRR_FRAME_INTERRUPT : TCGRR_FRAME_EXCEPTION;
        interrupted(stacks, lane, event, &frame);
        push(stacks, lane, &frame);
        return true;
    }
    uint64_t behind = lane->block->pc + lane->block->size;
    if (lane->ran == lane->block->insns && pc == behind) {
        return true;
    }
    if (lane->ran == lane->block->insns && !ends_with_call(stacks, lane, &calls, error)) {
        return false;
    }
    if (calls) {
        frame.kind = TCGRR_FRAME_CALL;
        frame.from = behind - lane->block->lengths[lane->block->insns - 1];
        frame.back = frame.other = behind;
        push(stacks, lane, &frame);
    } else {
        return_to(stacks, lane, pc, at->icount);
    }
    return true;
}

bool tcgrr_stacks_follow(struct tcgrr_stacks *stacks, const struct tcgrr_cursor *at, const struct tcgrr_event *event,
                         GError **error)
{
    struct lane *lane = lane_of(stacks, at->vcpu);
    if (!follow(stacks, lane, at, event, error)) {
        return false;
    }
    lane->block = at->block;
    lane->number = at->chunk->blocks[at->index];
    lane->ran = at->ran;
    return true;
}
