/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the plugin's records, except consecutive executions. */
#include "emu/live/live_internal.h"

#include "store/auxv.h"
#include "store/error.h"

#include <string.h>

#define MAX_GAP_EVENTS 65536u /* between two executions */

bool tcgrr_live_damaged(GError **error, const char *what)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                "the plugin's ring holds %s; QEMU's memory was overwritten or the plugin is of another build", what);
    return false;
}

/* The opcode of a string instruction is its last byte; a jump to itself ends with another byte. */
static bool is_string(uint8_t opcode)
{
    return (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xaf && (opcode & 0xfe) != 0xa8);
}

/* Where the last instruction can lead. */
static void fill_flow(const struct tcgrr_live *live, const struct tcgrr_block *block, struct code *code)
{
    struct tcgrr_insn_class classes[TCGRR_MAX_INSNS];
    const struct tcgrr_insn_class *last = &classes[block->insns - 1];

    tcgrr_isa_classify(live->isa, block->pc, block->bytes, block->lengths, block->insns, classes);
    code->next = last->flow == TCGRR_FLOW_JUMP ? NOWHERE : block->pc + block->size;
    code->target = last->flow == TCGRR_FLOW_JUMP || last->flow == TCGRR_FLOW_BRANCH ? last->target : NOWHERE;
    code->indirect = last->flow == TCGRR_FLOW_INDIRECT;
    /*
     * A repeated string instruction of x86: depending on the release, QEMU runs its block again for each iteration, or
     * loops inside. If there is no icount of QEMU's, it counts as one instruction.
     */
    code->repeats = !live->info.system && live->isa == TCGRR_ISA_X86 && last->flow == TCGRR_FLOW_BRANCH &&
                    last->target == tcgrr_block_pc(block, block->insns - 1) && is_string(block->bytes[block->size - 1]);
    if (code->repeats) {
        code->target = NOWHERE; /* the fast path leaves it alone */
    }
    code->anywhere = live->info.reports_discon || code->indirect;
    code->entry = g_hash_table_contains(live->entries, &block->pc);
}

/* Assigns the next translation number to block `number`. */
static void add_code(struct tcgrr_live *live, uint32_t number)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, number);
    struct code code = {.sum = block->sum,
                        .shifted = block->power << 3,
                        .pc = block->pc,
                        .block = number,
                        .insns = (uint16_t)block->insns};
    fill_flow(live, block, &code);
    code.watched = live->accesses && tcgrr_live_is_watched(live, block);
    if (live->known == live->codes->len) {
        /* The array may move. */
        ptrdiff_t open =
            live->open && live->open != &live->kept ? live->open - &g_array_index(live->codes, struct code, 0) : -1;
        g_array_set_size(live->codes, MAX(2 * live->codes->len, 1024));
        if (open >= 0) {
            live->open = &g_array_index(live->codes, struct code, open);
        }
    }
    g_array_index(live->codes, struct code, live->known++) = code;
}

static bool read_define(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error)
{
    struct tcgrr_wire_define define;
    const uint8_t *content = (const uint8_t *)payload + sizeof(define);

    if (words * 4 < sizeof(define)) {
        return tcgrr_live_damaged(error, "a truncated block");
    }
    memcpy(&define, payload, sizeof(define));
    if (define.number != live->known || define.count > TCGRR_WIRE_MAX_INSNS || define.size > words * 4 ||
        sizeof(define) + define.count + define.size > words * 4) {
        return tcgrr_live_damaged(error, "a malformed block");
    }
    uint64_t pc = define.pc_low | (uint64_t)define.pc_high << 32;
    uint32_t before = tcgrr_blocks_count(live->blocks);
    uint32_t number =
        tcgrr_blocks_add(live->blocks, pc, define.count, content, define.size, content + define.count, error);
    if (number == UINT32_MAX ||
        (live->text->len > 0 && number == before && !tcgrr_live_take_text(live, number, error))) {
        return false;
    }
    g_byte_array_set_size(live->text, 0);
    add_code(live, number);
    return true;
}

static bool read_alias(struct tcgrr_live *live, const uint32_t *words, GError **error)
{
    if (words[0] >= live->known) {
        return tcgrr_live_damaged(error, "an alias of no block");
    }
    const struct tcgrr_block *block =
        tcgrr_blocks_get(live->blocks, g_array_index(live->codes, struct code, words[0]).block);
    uint32_t before = tcgrr_blocks_count(live->blocks);
    uint32_t number = tcgrr_blocks_add(live->blocks, words[1] | (uint64_t)words[2] << 32, block->insns, block->lengths,
                                       block->size, block->bytes, error);
    if (number == UINT32_MAX) {
        return false;
    }
    if (block->text && number == before) {
        tcgrr_live_copy_text(live, number, block);
    }
    add_code(live, number);
    return true;
}

static void forget_codes(struct tcgrr_live *live)
{
    if (live->open) {
        live->kept = *live->open;
        live->open = &live->kept;
    }
    live->known = 0;
    g_array_set_size(live->codes, 0);
    live->epoch++;
}

static uint64_t value_at(const uint32_t *words, unsigned index)
{
    return words[1 + 2 * index] | (uint64_t)words[2 + 2 * index] << 32;
}

static bool read_discontinuity(const struct tcgrr_live *live, const uint32_t *words, struct tcgrr_event *event)
{
    switch (value_at(words, 0)) {
    case TCGRR_DISCON_INTERRUPT:
        event->kind = TCGRR_EVENT_INTERRUPT;
        break;
    case TCGRR_DISCON_EXCEPTION:
        event->kind = TCGRR_EVENT_EXCEPTION;
        break;
    case TCGRR_DISCON_HOSTCALL:
        event->kind = TCGRR_EVENT_HOSTCALL;
        break;
    default:
        return false;
    }
    event->has_pcs = true;
    event->from_pc = value_at(words, 1) & live->address_mask;
    event->to_pc = value_at(words, 2) & live->address_mask;
    return true;
}

/*
 * For x86, QEMU reports an exception first with the block's pc as both ends, then as an interrupt from the instruction
 * that raised it to the handler. They are one event.
 */
static bool completes_exception(struct tcgrr_live *live, const struct tcgrr_event *event)
{
    if (event->kind != TCGRR_EVENT_INTERRUPT || live->isa != TCGRR_ISA_X86 || live->gap->len == 0) {
        return false;
    }
    struct tcgrr_event *before = &g_array_index(live->gap, struct tcgrr_event, live->gap->len - 1);
    if (before->kind != TCGRR_EVENT_EXCEPTION || before->from_pc != before->to_pc || before->vcpu != event->vcpu) {
        return false;
    }
    before->from_pc = event->from_pc;
    before->to_pc = event->to_pc;
    return true;
}

static bool read_rerun(struct tcgrr_live *live, const uint32_t *words)
{
    uint64_t number = value_at(words, 0);
    if (number >= live->known) {
        return false;
    }
    const struct tcgrr_block *block =
        tcgrr_blocks_get(live->blocks, g_array_index(live->codes, struct code, number).block);
    live->rerun_pc = tcgrr_block_pc(block, block->insns - 1);
    live->has_rerun = true;
    live->unusual = true;
    return true;
}

/* Events without executions: the last one is kept, because the next may complete it. */
static void flush_unplaced(struct tcgrr_live *live, struct tcgrr_chunk *chunk)
{
    g_array_append_vals(chunk->events, live->gap->data, live->gap->len);
    g_array_set_size(live->gap, 0);
}

/* Handles system calls and signals. */
static void take_values(struct tcgrr_event *event, unsigned kind, const uint32_t *words)
{
    if (kind == TCGRR_WIRE_SYSCALL_ENTRY) {
        event->number = (int64_t)value_at(words, 0);
        for (unsigned i = 0; i < 8; i++) {
            event->arguments[i] = value_at(words, 1 + i);
        }
    } else if (kind == TCGRR_WIRE_SYSCALL_RETURN) {
        event->number = (int64_t)value_at(words, 0);
        event->result = (int64_t)value_at(words, 1);
    } else if (kind == TCGRR_WIRE_SIGNAL) {
        event->number = (int64_t)value_at(words, 0);
        event->has_pcs = true;
        event->from_pc = TCGRR_NO_PC;
        event->to_pc = value_at(words, 1);
    }
}

/* Takes a record that the plugin sends as an event but that is none of the guest's. Returns whether it was one. */
static bool read_notice(struct tcgrr_live *live, unsigned kind, const uint32_t *words)
{
    switch (kind) {
    case TCGRR_WIRE_THREAD:
        live->end = TCGRR_LIVE_THREADS;
        return true;
    case TCGRR_WIRE_AUXV:
        tcgrr_auxv_add(live->auxv, value_at(words, 0), value_at(words, 1));
        return true;
    case TCGRR_WIRE_HANDLER:
        tcgrr_live_learn_entry(live, value_at(words, 0));
        return true;
    default:
        if (!tcgrr_live_read_inputs(live, kind, words)) {
            return false;
        }
        live->unusual = true;
        return true;
    }
}

/* Appends an event to those before the next execution. */
static void add_event(struct tcgrr_live *live, struct tcgrr_chunk *chunk, unsigned kind, struct tcgrr_event event)
{
    if (live->events_only) {
        flush_unplaced(live, chunk);
        event.icount = kind == TCGRR_WIRE_DISCONTINUITY ? TCGRR_NO_ICOUNT : 0;
    }
    if (live->gap->len < MAX_GAP_EVENTS) {
        g_array_append_val(live->gap, event);
    } else {
        live->events_dropped++;
    }
    live->unusual = true;
}

/* `words`: the vCPU and the words of this kind, `count` in all. */
static bool read_event(struct tcgrr_live *live, struct tcgrr_chunk *chunk, unsigned kind, const uint32_t *words,
                       unsigned count, GError **error)
{
    static const uint8_t values[TCGRR_WIRE_EVENT_KINDS] = {
        [TCGRR_WIRE_RERUN] = 1,          [TCGRR_WIRE_DISCONTINUITY] = 3, [TCGRR_WIRE_SYSCALL_ENTRY] = 9,
        [TCGRR_WIRE_SYSCALL_RETURN] = 2, [TCGRR_WIRE_SIGNAL] = 2,        [TCGRR_WIRE_INPUT_DIFFERS] = 3,
        [TCGRR_WIRE_OTHER_CALL] = 14,    [TCGRR_WIRE_INPUT_UNSURE] = 2,  [TCGRR_WIRE_INPUTS_END] = 1,
        [TCGRR_WIRE_HANDLER] = 1,        [TCGRR_WIRE_AUXV] = 2};
    static const uint8_t kinds[TCGRR_WIRE_EVENT_KINDS] = {[TCGRR_WIRE_INIT] = TCGRR_EVENT_INIT,
                                                          [TCGRR_WIRE_EXIT] = TCGRR_EVENT_EXIT,
                                                          [TCGRR_WIRE_IDLE] = TCGRR_EVENT_IDLE,
                                                          [TCGRR_WIRE_RESUME] = TCGRR_EVENT_RESUME,
                                                          [TCGRR_WIRE_FLUSH] = TCGRR_EVENT_FLUSH,
                                                          [TCGRR_WIRE_SYSCALL_ENTRY] = TCGRR_EVENT_SYSCALL,
                                                          [TCGRR_WIRE_SYSCALL_RETURN] = TCGRR_EVENT_SYSCALL_RETURN,
                                                          [TCGRR_WIRE_SIGNAL] = TCGRR_EVENT_SIGNAL,
                                                          [TCGRR_WIRE_EXEC] = TCGRR_EVENT_EXEC};
    if (kind >= TCGRR_WIRE_EVENT_KINDS || count != 1u + 2u * values[kind]) {
        return tcgrr_live_damaged(error, "an event of unknown kind");
    }
    struct tcgrr_event event = {.vcpu = words[0], .kind = kinds[kind]};
    if (kind == TCGRR_WIRE_RERUN) {
        return read_rerun(live, words) || tcgrr_live_damaged(error, "a repeated access without a block");
    }
    if (read_notice(live, kind, words)) {
        return true;
    }
    if (kind == TCGRR_WIRE_DISCONTINUITY && !read_discontinuity(live, words, &event)) {
        return tcgrr_live_damaged(error, "a discontinuity of unknown type");
    }
    if (kind == TCGRR_WIRE_DISCONTINUITY && completes_exception(live, &event)) {
        return true;
    }
    live->executed = live->executed || kind == TCGRR_WIRE_EXEC;
    if (kind == TCGRR_WIRE_FLUSH) {
        forget_codes(live);
    }
    take_values(&event, kind, words);
    add_event(live, chunk, kind, event);
    return true;
}

/* Words of the record that begins with `word`. */
size_t tcgrr_live_record_length(uint32_t word)
{
    switch (word >> 24) {
    case TCGRR_WIRE_DEFINE:
    case TCGRR_WIRE_TEXT:
    case TCGRR_WIRE_DEVICE:
    case TCGRR_WIRE_REGISTER:
    case TCGRR_WIRE_VALUE:
    case TCGRR_WIRE_MAPPED:
        return 1 + (word & 0xffffffu);
    case TCGRR_WIRE_ALIAS:
        return 4;
    case TCGRR_WIRE_SAMPLE:
        return 3;
    case TCGRR_WIRE_ACCESS:
        return tcgrr_live_access_length(word);
    case TCGRR_WIRE_PAGE:
        return 6;
    case TCGRR_WIRE_EVENT:
        return 1 + (word >> 8 & 0xffffu);
    default:
        return 1;
    }
}

static bool read_exec(struct tcgrr_live *live, struct tcgrr_chunk *chunk, uint32_t number, GError **error)
{
    if (number >= live->known) {
        return tcgrr_live_damaged(error, "a block that was never described");
    }
    const struct code *code = &g_array_index(live->codes, struct code, number);
    tcgrr_live_close(live, chunk, code);
    live->open = code;
    live->unusual |= live->uncounted;
    return true;
}

/* Reads one complete record that the fast path does not handle. */
bool tcgrr_live_read_record(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, GError **error)
{
    uint32_t payload = words[0] & 0xffffffu;

    if (words[0] < TCGRR_WIRE_CONTROL) {
        return read_exec(live, chunk, words[0], error);
    }
    switch (words[0] >> 24) {
    case TCGRR_WIRE_ACCESS:
        return tcgrr_live_read_access(live, chunk, words, error);
    case TCGRR_WIRE_PAGE:
        return tcgrr_live_read_page(live, words, error);
    case TCGRR_WIRE_DEVICE:
        return tcgrr_live_read_device(live, chunk, words, error);
    case TCGRR_WIRE_LEFT:
        live->mark = payload;
        live->unusual = true;
        return true;
    case TCGRR_WIRE_VCPU:
        tcgrr_live_close(live, chunk, NULL);
        live->switched = live->vcpu != payload;
        live->vcpu = payload;
        live->last_vcpu = MAX(live->last_vcpu, payload);
        return true;
    case TCGRR_WIRE_END:
        live->inside = payload == 1;
        live->died = !live->info.system && !live->inside;
        if (live->events_only) {
            flush_unplaced(live, chunk);
        }
        tcgrr_live_close(live, chunk, NULL);
        live->end = TCGRR_LIVE_FINISHED;
        return true;
    case TCGRR_WIRE_DEFINE:
        return read_define(live, words + 1, payload, error);
    case TCGRR_WIRE_TEXT:
        return tcgrr_live_read_text(live, words + 1, payload, error);
    case TCGRR_WIRE_MAPPED:
        return tcgrr_live_read_mapped(live, words + 1, payload, error);
    case TCGRR_WIRE_ALIAS:
        return read_alias(live, words + 1, error);
    case TCGRR_WIRE_REGISTER:
        return tcgrr_live_read_register(live, words + 1, payload, error);
    case TCGRR_WIRE_VALUE:
        return tcgrr_live_read_value(live, words + 1, payload, error);
    case TCGRR_WIRE_SAMPLE:
        return tcgrr_live_read_sample(live, words, error);
    case TCGRR_WIRE_EVENT:
        return read_event(live, chunk, payload & 0xff, words + 1, payload >> 8, error);
    default:
        return tcgrr_live_damaged(error, "a record of unknown kind");
    }
}
