/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/align/handler.h"

/* Handlers that interrupt each other, at most. */
#define MAX_FRAMES 16

static bool is_discontinuity(const struct tcgrr_event *event)
{
    return event->kind == TCGRR_EVENT_INTERRUPT || event->kind == TCGRR_EVENT_EXCEPTION;
}

/* Whether the walk's vCPU, of which it is an event. */
static bool concerns(const struct tcgrr_insn_cursor *walk, const struct tcgrr_event *event)
{
    return is_discontinuity(event) && (walk->only == TCGRR_ANY_VCPU || event->vcpu == walk->only);
}

bool tcgrr_interrupt_at(const struct tcgrr_insn_cursor *walk, unsigned number, struct tcgrr_interrupt *interrupt)
{
    const struct tcgrr_event *event, *last = NULL;
    unsigned count = 0;
    bool found = false;

    if (!tcgrr_insn_cursor_exec(walk)) {
        return false;
    }
    for (guint i = tcgrr_exec_window_find_event(walk->window, walk->icount);
         (event = tcgrr_exec_window_event(walk->window, i)) && event->icount == walk->icount; i++) {
        if (!concerns(walk, event) || ++count <= number) {
            continue;
        }
        last = event;
        bool certain = event->kind == TCGRR_EVENT_INTERRUPT;
        bool maybe = event->inferred && !event->confirmed && !found;
        if (maybe || (certain && !(found && interrupt->certain))) {
            *interrupt = (struct tcgrr_interrupt){event->to_pc, event->from_pc, certain, count};
            found = true;
        }
    }
    return found && last->has_pcs && last->to_pc == tcgrr_insn_cursor_pc(walk);
}

/* Whether interrupts are known to lead to `pc`. */
static bool is_entry(const struct tcgrr_codes *codes, const struct tcgrr_exec_window windows[2], uint64_t pc)
{
    const struct tcgrr_event *event;

    for (int i = 0; i < 2; i++) {
        for (guint e = 0; (event = tcgrr_exec_window_event(&windows[i], e)); e++) {
            if (event->kind == TCGRR_EVENT_INTERRUPT && event->has_pcs && event->to_pc == pc) {
                return true;
            }
        }
    }
    return g_hash_table_contains(codes->entries, &pc);
}

/* The walk is on a vCPU's first instruction after `before`, which ran to its block's end. Whether an interrupt is all
 * that can have led there. */
static bool leads_elsewhere(struct tcgrr_codes *codes, const struct tcgrr_exec *before, uint64_t pc, uint64_t *from)
{
    const struct tcgrr_block *block = before->block;
    const struct tcgrr_insn_class *last = &tcgrr_codes_classes(codes, block)[block->insns - 1];
    bool follows = last->flow == TCGRR_FLOW_NEXT || last->flow == TCGRR_FLOW_BRANCH;
    bool jumps = last->flow == TCGRR_FLOW_JUMP || last->flow == TCGRR_FLOW_BRANCH;

    if (last->flow == TCGRR_FLOW_INDIRECT || (follows && pc == block->pc + block->size) ||
        (jumps && pc == last->target)) {
        return false;
    }
    *from = !jumps ? block->pc + block->size : !follows ? last->target : TCGRR_NO_PC;
    return true;
}

bool tcgrr_interrupt_unnoticed(struct tcgrr_codes *codes, const struct tcgrr_insn_cursor *walk,
                               const struct tcgrr_exec_window windows[2], struct tcgrr_interrupt *interrupt)
{
    struct tcgrr_insn_cursor back = *walk;

    if (!tcgrr_insn_cursor_exec(walk) || walk->insn > 0 || !tcgrr_insn_cursor_back(&back)) {
        return false;
    }
    const struct tcgrr_exec *before = tcgrr_insn_cursor_exec(&back);
    uint64_t pc = tcgrr_insn_cursor_pc(walk);
    *interrupt = (struct tcgrr_interrupt){pc, TCGRR_NO_PC, true, 0};
    if (before->ran < before->block->insns) {
        return false;
    }
    if (walk->only != TCGRR_ANY_VCPU && leads_elsewhere(codes, before, pc, &interrupt->from_pc)) {
        g_hash_table_add(codes->entries, g_memdup2(&pc, sizeof(pc)));
        return true;
    }
    return tcgrr_codes_indirect(codes, before) && is_entry(codes, windows, pc);
}

/* ---- going through a handler ---- */

struct frame {
    uint64_t from;  /* where it goes back to */
    bool loose;     /* it may go back elsewhere: an exception, or not known where from */
    unsigned calls; /* number of calls in it that have not returned, for targets whose returns from interrupts look like
                       those from calls */
};

struct frames {
    struct frame frame[MAX_FRAMES];
    unsigned count;
};

static bool push(struct frames *frames, uint64_t from, bool loose)
{
    if (frames->count == MAX_FRAMES) {
        return false;
    }
    frames->frame[frames->count++] = (struct frame){from, loose || from == TCGRR_NO_PC, 0};
    return true;
}

/* Takes off the frame that a return to `pc` belongs to, and those above it. */
static void leave(struct frames *frames, uint64_t pc, enum tcgrr_isa_return how, bool known)
{
    struct frame *top = &frames->frame[frames->count - 1];

    if (how == TCGRR_ISA_RETURN_MAYBE && top->calls > 0) {
        top->calls--;
        return;
    }
    for (unsigned i = frames->count; i > 0 && pc != TCGRR_NO_PC; i--) {
        if (frames->frame[i - 1].from == pc) {
            frames->count = i - 1;
            return;
        }
    }
    frames->count -= top->loose && known;
}

/* Updates the frames at the end of an execution; the cursor is at the next one, `event` at the events before it. */
static void end_exec(struct tcgrr_codes *codes, const struct tcgrr_exec *exec, const struct tcgrr_insn_cursor *walk,
                     const struct tcgrr_event *event, struct frames *frames)
{
    const struct tcgrr_block *block = exec->block;
    const struct tcgrr_insn_class *last = &tcgrr_codes_classes(codes, block)[block->insns - 1];
    uint8_t length = block->lengths[block->insns - 1];

    if (exec->ran < block->insns || last->flow != TCGRR_FLOW_INDIRECT) {
        frames->frame[frames->count - 1].calls += exec->ran == block->insns && last->call;
        return;
    }
    if (last->call) {
        frames->frame[frames->count - 1].calls++;
        return;
    }
    /* Interrupted again at once, it went back to where that one came. */
    uint64_t next = event && event->icount == walk->icount ? event->from_pc : tcgrr_insn_cursor_pc(walk);
    enum tcgrr_isa_return how = tcgrr_isa_returns(codes->isa, block->pc + block->size - length,
                                                  block->bytes + block->size - length, length, next);
    if (how != TCGRR_ISA_RETURN_NO) {
        leave(frames, next, how, codes->isa != TCGRR_ISA_UNKNOWN);
    }
}

/* The first one at the walk's place or after it, from number `index` on. */
static const struct tcgrr_event *next_discontinuity(const struct tcgrr_insn_cursor *walk, guint *index)
{
    const struct tcgrr_event *event;
    while ((event = tcgrr_exec_window_event(walk->window, *index)) &&
           (event->icount < walk->icount || !concerns(walk, event))) {
        (*index)++;
    }
    return event;
}

/* Those delivered at the walk's place, each of which interrupts the one before. */
static bool push_events(struct frames *frames, const struct tcgrr_insn_cursor *walk, guint *index)
{
    const struct tcgrr_event *event;
    while ((event = next_discontinuity(walk, index)) && event->icount == walk->icount) {
        if (!push(frames, event->from_pc, event->kind == TCGRR_EVENT_EXCEPTION)) {
            return false;
        }
        (*index)++;
    }
    return true;
}

bool tcgrr_handler_leave(struct tcgrr_codes *codes, const struct tcgrr_interrupt *interrupt,
                         struct tcgrr_insn_cursor *walk)
{
    struct frames frames = {.count = 0};
    tcgrr_icount limit = walk->icount + TCGRR_HANDLER_MAX;
    guint index = tcgrr_exec_window_find_event(walk->window, walk->icount);

    push(&frames, interrupt->from_pc, !interrupt->certain);
    for (unsigned i = 0; i < interrupt->number && next_discontinuity(walk, &index); i++) {
        index++;
    }
    if (!push_events(&frames, walk, &index)) {
        return false;
    }
    while (walk->icount < limit) {
        const struct tcgrr_exec *exec = tcgrr_insn_cursor_exec(walk);
        tcgrr_insn_cursor_skip(walk);
        if (!tcgrr_insn_cursor_exec(walk)) {
            return false;
        }
        end_exec(codes, exec, walk, next_discontinuity(walk, &index), &frames);
        if (frames.count == 0) {
            return true;
        }
        if (!push_events(&frames, walk, &index)) {
            return false;
        }
    }
    return false;
}
