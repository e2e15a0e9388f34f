/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Determines how an execution ended, which is known only when the next one begins. */
#include "emu/live/live_internal.h"

#include "store/isa/disasm.h"

#include <string.h>

#define MAX_ENTRIES 65536u /* no guest has this many, but a program may keep setting handlers */

void tcgrr_live_learn_entry(struct tcgrr_live *live, uint64_t pc)
{
    if (g_hash_table_contains(live->entries, &pc) || g_hash_table_size(live->entries) >= MAX_ENTRIES) {
        return;
    }
    g_hash_table_add(live->entries, g_memdup2(&pc, sizeof(pc)));
    for (guint i = 0; i < live->known; i++) {
        struct code *code = &g_array_index(live->codes, struct code, i);
        code->entry = code->entry || code->pc == pc;
    }
    live->epoch++;
}

static void add_inferred(struct tcgrr_live *live, enum tcgrr_discontinuity kind, bool has_from, uint64_t from,
                         uint64_t to)
{
    struct tcgrr_event event = {
        .kind = kind == TCGRR_DISCON_INTERRUPT ? TCGRR_EVENT_INTERRUPT : TCGRR_EVENT_EXCEPTION,
        .inferred = true,
        .has_pcs = true,
        .from_pc = has_from ? from : TCGRR_NO_PC,
        .to_pc = to,
        .vcpu = live->vcpu,
    };
    g_array_append_val(live->gap, event);
    tcgrr_live_learn_entry(live, to);
}

/* Where it would have continued, if that is known: for an interrupt right after a complete block. */
static bool only_successor(const struct code *code, uint64_t *pc)
{
    if (code->anywhere || (code->next != NOWHERE && code->target != NOWHERE)) {
        return false;
    }
    *pc = code->next != NOWHERE ? code->next : code->target;
    return true;
}

/* The first discontinuity since the open execution began. */
static void find_discontinuity(const struct tcgrr_live *live, struct tcgrr_departure *departure)
{
    for (guint i = 0; i < live->gap->len; i++) {
        const struct tcgrr_event *event = &g_array_index(live->gap, struct tcgrr_event, i);
        if (event->kind <= TCGRR_EVENT_HOSTCALL) {
            departure->discon = event->kind == TCGRR_EVENT_INTERRUPT   ? TCGRR_DISCON_INTERRUPT
                                : event->kind == TCGRR_EVENT_EXCEPTION ? TCGRR_DISCON_EXCEPTION
                                                                       : TCGRR_DISCON_HOSTCALL;
            departure->discon_from = event->from_pc;
            return;
        }
    }
}

/* For an unknown instruction set, only instructions that wait and those that start over matter. */
static void classify_some(const struct tcgrr_live *live, const struct tcgrr_block *block,
                          struct tcgrr_insn_class *classes)
{
    const char *line = block->text;
    size_t offset = 0;

    for (uint32_t i = 0; i < block->insns; i++) {
        const uint8_t *bytes = block->bytes + offset;
        classes[i].leave = (uint8_t)tcgrr_isa_waits(live->info.target, bytes, block->lengths[i], line);
        bool goes_on = classes[i].leave != TCGRR_LEAVE_UNKNOWN ||
                       tcgrr_isa_only_goes_on(live->info.target, bytes, block->lengths[i]);
        classes[i].flow = goes_on ? TCGRR_FLOW_NEXT : TCGRR_FLOW_INDIRECT;
        offset += block->lengths[i];
        line = line ? strchr(line, '\n') : NULL;
        line = line ? line + 1 : NULL;
    }
}

/* The classes of a block's instructions. Guests that poll a device leave the same few blocks early all the time. */
static struct classes *classes_of(struct tcgrr_live *live, const struct tcgrr_block *block)
{
    struct classes *kept = &live->classes[((uintptr_t)block / sizeof(*block)) % KEPT_CLASSES];
    if (kept->block != block) {
        kept->block = block;
        kept->branch = NOT_ASKED;
        kept->classes = g_renew(struct tcgrr_insn_class, kept->classes, block->insns);
        tcgrr_isa_classify(live->isa, block->pc, block->bytes, block->lengths, block->insns, kept->classes);
        if (live->isa == TCGRR_ISA_UNKNOWN) {
            classify_some(live, block, kept->classes);
        }
    }
    return kept;
}

/* Whether QEMU's rr log is available, or will be consulted at the end, about doubts. */
static bool log_decides(const struct tcgrr_live *live)
{
    return live->log || live->uncertain;
}

static void count_retired(struct tcgrr_live *live, const struct code *next, struct tcgrr_retirement *retirement)
{
    struct tcgrr_departure departure = {
        .block = tcgrr_blocks_get(live->blocks, live->open->block),
        .isa = live->isa,
        .mark = MIN(live->mark, live->open->insns),
        .reports_discon = live->info.reports_discon,
        .log_decides = log_decides(live),
        .inside = live->inside,
        .died = live->died,
        .has_next = next != NULL,
        .next_pc = next ? next->pc : 0,
    };
    find_discontinuity(live, &departure);
    departure.classes = classes_of(live, departure.block)->classes;
    departure.rerun = live->has_rerun && departure.mark < departure.block->insns &&
                      live->rerun_pc == tcgrr_block_pc(departure.block, departure.mark);
    tcgrr_retire(&departure, retirement);
    if (next && retirement->inferred) {
        add_inferred(live, retirement->inferred, retirement->has_from, retirement->from_pc, next->pc);
    }
}

/* Interrupts and exceptions, reported or inferred, since the open execution began. */
static uint32_t count_events(const struct tcgrr_live *live)
{
    uint32_t count = 0;
    for (guint i = 0; i < live->gap->len; i++) {
        uint8_t kind = g_array_index(live->gap, struct tcgrr_event, i).kind;
        count += kind == TCGRR_EVENT_INTERRUPT || kind == TCGRR_EVENT_EXCEPTION;
    }
    return count;
}

/* In all assembly languages the names of nearly all branches begin alike (OpenRISC's after "l."), and so do those of
 * returns from handlers. */
static bool names_branch(const char *text)
{
    static const char *const begins[] = {"b", "j", "call", "rt", "ret", "done", "eret", "hrfi", "hw_re", "iret", "rf"};
    /* Some other names begin like this, too; and SPARC's return, which capstone calls rett, traps if a register window
     * has to be filled. */
    static const char *const traps[] = {"break", "brk", "bkpt", "bgnd", "rett", "return"};

    text += g_str_has_prefix(text, "l.") ? 2 : 0;
    for (size_t i = 0; i < G_N_ELEMENTS(traps); i++) {
        if (g_str_has_prefix(text, traps[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(begins); i++) {
        if (g_str_has_prefix(text, begins[i])) {
            return true;
        }
    }
    return false;
}

/* Whether the block's only instruction is a branch according to its disassembly: a hint if the instruction set is not
 * known. */
static bool reads_as_branch(struct tcgrr_live *live, const struct tcgrr_block *block)
{
    struct classes *kept = classes_of(live, block);

    if (block->insns > 1) {
        return false;
    }
    if (kept->branch == NOT_ASKED) {
        if (!live->disasm) {
            live->disasm = tcgrr_disasm_new(live->info.target);
        }
        g_auto(GStrv) texts = tcgrr_disasm_block(live->disasm, block);
        kept->branch = names_branch(texts[0]) ? BRANCH : NO_BRANCH;
    }
    return kept->branch == BRANCH;
}

/* The log contradicts the assumption about the open execution: moves the events that followed it, and adds an exception
 * that was not noticed (as record/repair.c does for stored ones). */
static void correct_events(struct tcgrr_live *live, bool retired, const struct code *next)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, live->open->block);
    bool noticed = live->info.reports_discon;

    for (guint i = 0; i < live->gap->len; i++) {
        struct tcgrr_event *event = &g_array_index(live->gap, struct tcgrr_event, i);
        if (event->inferred) {
            event->from_pc = tcgrr_block_pc(block, block->insns - 1 + retired);
            event->has_pcs = true;
            noticed = true;
        }
    }
    if (!retired && !noticed && next) {
        add_inferred(live, TCGRR_DISCON_EXCEPTION, true, tcgrr_block_pc(block, block->insns - 1), next->pc);
    }
}

/* Keeps the doubt for later, or decides it by QEMU's log. Inferred events stay unchanged, with or without a log, unless
 * they have to be corrected. */
static void settle_doubt(struct tcgrr_live *live, const struct tcgrr_chunk *chunk, const struct code *next,
                         struct tcgrr_retirement *retirement)
{
    uint32_t last = live->open->insns - 1;
    struct tcgrr_uncertain_retire doubt = {
        .seq = chunk->first_seq + chunk->count,
        .retired = retirement->ran > last,
        .left = count_events(live) > 0,
        .inside = last > 0,
        .hidden = live->hidden,
        .follows = live->follows,
        .entered = live->open->entry,
        .to_entry = next && next->entry,
        .branch =
            (live->hidden || live->follows) && reads_as_branch(live, tcgrr_blocks_get(live->blocks, live->open->block)),
        .events = MIN(live->past_events, TCGRR_UNCERTAIN_EVENTS),
        .place = chunk->end_icount + last,
    };
    bool retired = doubt.retired;

    /* It was left at `place` or after the instruction there: in both cases the event is before the next execution. */
    if (live->reach && MAX(live->log->total, live->log->reached) < doubt.place + 2) {
        live->reach(doubt.place + 2, !next, live->reach_data);
    }
    if (live->log && tcgrr_rrlog_decide(live->log, &live->asked, &doubt, doubt.place, &retired)) {
        retirement->ran = last + retired;
        retirement->counted = retirement->ran;
        if (live->corrects_events && retired != doubt.retired) {
            correct_events(live, retired, next);
        }
        if (!retired && next && !live->info.reports_discon) {
            tcgrr_live_learn_entry(live, next->pc);
        }
    } else {
        live->assumed++;
    }
    if (live->uncertain && live->uncertain->len <= MAX_DOUBTS) {
        g_array_append_val(live->uncertain, doubt);
    }
}

/* A complete block that cannot have led to its successor. */
static void infer_between(struct tcgrr_live *live, const struct code *next)
{
    uint64_t from = 0;
    bool known = only_successor(live->open, &from);
    add_inferred(live, TCGRR_DISCON_INTERRUPT, known, from, next->pc);
}

/*
 * Whether the event may be a fault of the block's last instruction, although one of its accesses was seen: QEMU 7.2
 * makes two accesses for a pair, the second of which may fail, and reports that of a store-exclusive before it has
 * failed.
 */
static bool may_have_failed(struct tcgrr_live *live)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, live->open->block);
    enum tcgrr_leave leave = classes_of(live, block)->classes[block->insns - 1].leave;
    return live->isa != TCGRR_ISA_UNKNOWN && leave != TCGRR_LEAVE_NEVER && leave != TCGRR_LEAVE_TRAP;
}

void tcgrr_live_append(struct tcgrr_live *live, struct tcgrr_chunk *chunk, uint32_t ran, uint32_t counted)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, live->open->block);

    if (live->sampling.pending) {
        tcgrr_live_place_sample(live, chunk);
    }
    if (live->accesses) {
        tcgrr_live_settle_accesses(live, chunk, ran);
    }
    if (live->switched) {
        struct tcgrr_switch change = {.index = chunk->count, .vcpu = live->vcpu};
        g_array_append_val(chunk->switches, change);
        live->switched = false;
    }
    if (ran < block->insns) {
        struct tcgrr_partial partial = {.index = chunk->count, .ran = ran, .counted = counted};
        if (counted > ran) {
            live->overcounted = MIN(live->overcounted, chunk->end_icount + ran);
        }
        g_array_append_val(chunk->partials, partial);
    }
    chunk->blocks[chunk->count++] = live->open->block;
    while (chunk->end_icount + counted >= live->next_checkpoint) {
        uint32_t inside = (uint32_t)MIN(live->next_checkpoint - chunk->end_icount, ran);
        struct tcgrr_checkpoint checkpoint = {.icount = live->next_checkpoint,
                                              .flow = tcgrr_block_append(chunk->end_flow, block, inside)};
        g_array_append_val(chunk->checkpoints, checkpoint);
        live->next_checkpoint += TCGRR_CHECKPOINT_STEP;
    }
    chunk->end_icount += counted;
    chunk->end_flow = tcgrr_block_append(chunk->end_flow, block, ran);
}

static void flush_gap(struct tcgrr_live *live, struct tcgrr_chunk *chunk)
{
    for (guint i = 0; i < live->gap->len; i++) {
        struct tcgrr_event *event = &g_array_index(live->gap, struct tcgrr_event, i);
        event->seq = chunk->first_seq + chunk->count;
        event->icount = chunk->end_icount;
    }
    live->past_events += count_events(live);
    g_array_append_vals(chunk->events, live->gap->data, live->gap->len);
    g_array_set_size(live->gap, 0);
    if (live->inputs_changed) {
        tcgrr_live_place_inputs(live, chunk->end_icount);
    }
    if (live->mapped_changed) {
        tcgrr_live_place_mapped(live, chunk->end_icount);
    }
    live->unusual = false;
}

/* Whether the open execution ended with an iteration of a repeated instruction that is not the last one. */
static bool comes_again(const struct tcgrr_live *live, const struct code *next)
{
    const struct code *open = live->open;
    return open->repeats && !live->accesses &&
           next->pc == tcgrr_block_pc(tcgrr_blocks_get(live->blocks, open->block), open->insns - 1u);
}

/*
 * The run begins with what QEMU counts: nothing of its first block, or only the instruction that was repeated for a
 * device, which becomes a block of its own. Returns whether that is the case, with `*single` replacing the open one.
 */
static bool counts_single(struct tcgrr_live *live, const struct tcgrr_retirement *retirement, struct code *single)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, live->open->block);
    uint32_t index = retirement->ran - 1;
    uint32_t offset = 0;

    if (!live->has_rerun || retirement->ran == 0) {
        return false;
    }
    for (uint32_t i = 0; i < index; i++) {
        offset += block->lengths[i];
    }
    *single = *live->open;
    single->block = tcgrr_blocks_add(live->blocks, block->pc + offset, 1, block->lengths + index, block->lengths[index],
                                     block->bytes + offset, NULL);
    single->insns = 1;
    live->open = single;
    return single->block != UINT32_MAX;
}

/* Appends the execution that was closed. */
static void append(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const struct tcgrr_retirement *retirement)
{
    struct code single;

    if (!live->uncounted) {
        tcgrr_live_append(live, chunk, retirement->ran, retirement->counted);
    } else if (counts_single(live, retirement, &single)) {
        tcgrr_live_append(live, chunk, 1, 1);
    } else if (live->accesses) {
        tcgrr_live_settle_accesses(live, chunk, 0);
    }
    live->uncounted = false;
}

/* `next`: what begins now on the same vCPU; NULL if that is not known. There is room in the chunk for one execution. */
void tcgrr_live_close(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const struct code *next)
{
    const struct code *open = live->open;

    if (open) {
        struct tcgrr_retirement retirement = {.ran = live->open->insns, .counted = live->open->insns};
        guint reported = live->gap->len;
        if (live->unusual) {
            count_retired(live, next, &retirement);
        }
        bool complete = retirement.ran == live->open->insns && live->gap->len == reported;
        if (complete && next && comes_again(live, next)) {
            /* Only the last iteration counts. */
            retirement.ran = retirement.counted = live->open->insns - 1;
            complete = false;
        }
        if (complete && next && !live->info.reports_discon && !may_follow(live->open, next)) {
            infer_between(live, next);
            retirement.assumed |= log_decides(live) && may_have_failed(live);
        }
        if (retirement.assumed) {
            settle_doubt(live, chunk, next, &retirement);
        }
        live->doubtful = retirement.assumed && live->uncertain;
        if (retirement.assumed || retirement.counted > 0) {
            live->past_events = 0;
        }
        if (retirement.counted > 0 || !live->open->repeats) {
            append(live, chunk, &retirement);
        }
        live->hidden = live->follows = false;
        if (complete && next && count_events(live) == 0) { /* an event that was seen led to the next execution */
            note_way(live, open, next);
        }
    }
    flush_gap(live, chunk);
    live->open = NULL;
    live->mark = UINT32_MAX;
    live->has_rerun = false;
    live->doubtful = false;
}
