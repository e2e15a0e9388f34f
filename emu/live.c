/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/live.h"

#include "emu/intake.h"
#include "emu/retire.h"
#include "store/digest.h"
#include "store/error.h"

#include <string.h>

/* How long to sleep when the ring is empty: far shorter than it takes to fill. */
#define POLL_US 500

/* A translation as the fast path needs it. */
struct code {
    uint64_t sum;
    uint64_t shifted; /* its power as tcgrr_digest_step() takes it */
    uint64_t pc;
    uint64_t next; /* where it may go on, besides `target`; NOWHERE if only there */
    uint64_t target;
    uint32_t block;
    uint16_t insns;
    bool anywhere; /* it may go on anywhere, or QEMU reports discontinuities so that there is nothing to infer */
    bool entry;    /* known to be where interrupts or exceptions go */
    bool indirect; /* it may go on anywhere */
};
#define NOWHERE UINT64_MAX

/* Doubts kept, at most: 256 MiB. */
#define MOST_DOUBTS (16u << 20)

#define KEPT_CLASSES 256
struct classes {
    const struct tcgrr_block *block;
    struct tcgrr_insn_class *classes;
};

struct tcgrr_live {
    struct tcgrr_intake *intake;
    bool gone;
    enum tcgrr_live_end end;

    struct tcgrr_live_info info;
    bool informed;
    enum tcgrr_isa isa;
    struct tcgrr_blocks *blocks;
    GArray *codes;       /* struct code by translation number */
    GHashTable *entries; /* set of pcs (allocated) known to be entries of handlers */
    uint64_t assumed;
    struct tcgrr_rrlog *log; /* NULL: not known yet, or never */
    struct tcgrr_rrlog_asked asked;
    GArray *doubts; /* struct tcgrr_doubt; NULL: not kept */
    uint32_t
        past_events; /* interrupts and exceptions since the last doubt or the last instruction that surely retired */

    /* The execution that began last. It is appended to the chunk when the next one begins, because only then its extent
     * is known. */
    const struct code *open; /* NULL: none; into `codes`, or to `kept` */
    struct code kept;
    uint32_t mark; /* what LEFT said of it; UINT32_MAX: nothing, it ran to its end */
    uint64_t rerun_pc;
    bool has_rerun;
    bool hidden;  /* the execution before it could go on anywhere, so that an event between the two can have gone
                     unnoticed */
    bool inside;  /* QEMU ended from inside its next instruction */
    GArray *gap;  /* struct tcgrr_event since it began */
    bool unusual; /* anything of the above is set */
    tcgrr_vcpu vcpu;
    bool switched;
    tcgrr_icount next_checkpoint;
    struct classes classes[KEPT_CLASSES]; /* by block */
};

struct tcgrr_live *tcgrr_live_new(uint32_t ring_bytes, GError **error)
{
    struct tcgrr_live *live = g_new0(struct tcgrr_live, 1);

    live->intake = tcgrr_intake_new(ring_bytes, error);
    if (!live->intake) {
        g_free(live);
        return NULL;
    }
    live->blocks = tcgrr_blocks_new();
    live->codes = g_array_new(FALSE, FALSE, sizeof(struct code));
    live->entries = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    live->gap = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    live->mark = UINT32_MAX;
    live->next_checkpoint = TCGRR_CHECKPOINT_STEP;
    return live;
}

void tcgrr_live_detach(struct tcgrr_live *live)
{
    tcgrr_intake_detach(live->intake);
}

void tcgrr_live_free(struct tcgrr_live *live)
{
    if (!live) {
        return;
    }
    tcgrr_intake_free(live->intake);
    tcgrr_blocks_free(live->blocks);
    g_array_unref(live->codes);
    g_hash_table_destroy(live->entries);
    g_array_unref(live->gap);
    tcgrr_rrlog_free(live->log);
    for (size_t i = 0; i < KEPT_CLASSES; i++) {
        g_free(live->classes[i].classes);
    }
    if (live->doubts) {
        g_array_unref(live->doubts);
    }
    g_free(live);
}

int tcgrr_live_fd(const struct tcgrr_live *live)
{
    return tcgrr_intake_fd(live->intake);
}

const struct tcgrr_blocks *tcgrr_live_blocks(const struct tcgrr_live *live)
{
    return live->blocks;
}

uint64_t tcgrr_live_assumed(const struct tcgrr_live *live)
{
    return live->assumed;
}

void tcgrr_live_set_log(struct tcgrr_live *live, struct tcgrr_rrlog *log)
{
    tcgrr_rrlog_free(live->log);
    live->log = log;
}

void tcgrr_live_keep_doubts(struct tcgrr_live *live)
{
    if (!live->doubts) {
        live->doubts = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_doubt));
    }
}

const GArray *tcgrr_live_doubts(const struct tcgrr_live *live)
{
    return live->doubts && live->doubts->len <= MOST_DOUBTS ? live->doubts : NULL;
}

uint64_t tcgrr_live_backlog(const struct tcgrr_live *live)
{
    return tcgrr_intake_backlog(live->intake);
}

void tcgrr_live_gone(struct tcgrr_live *live)
{
    live->gone = true;
}

bool tcgrr_live_info(const struct tcgrr_live *live, struct tcgrr_live_info *info)
{
    const struct tcgrr_wire_header *header = tcgrr_intake_header(live->intake);

    if (atomic_load_explicit(&header->state, memory_order_acquire) == TCGRR_WIRE_WAITING) {
        return false;
    }
    *info = (struct tcgrr_live_info){
        .api = header->api,
        .api_min = header->api_min,
        .api_cur = header->api_cur,
        .system = header->system != 0,
        .vcpus = header->vcpus,
        .reports_discon = header->features & TCGRR_WIRE_DISCON,
        .reports_syscalls = header->features & TCGRR_WIRE_SYSCALL,
    };
    memcpy(info->target, header->target, sizeof(info->target));
    info->target[sizeof(info->target) - 1] = '\0';
    for (char *at = info->target; *at; at++) {
        if (!g_ascii_isgraph(*at)) {
            *at = '\0';
            break;
        }
    }
    return true;
}

/* ---- closing the open execution ---- */

static void learn_entry(struct tcgrr_live *live, uint64_t pc)
{
    if (g_hash_table_contains(live->entries, &pc)) {
        return;
    }
    g_hash_table_add(live->entries, g_memdup2(&pc, sizeof(pc)));
    for (guint i = 0; i < live->codes->len; i++) {
        struct code *code = &g_array_index(live->codes, struct code, i);
        code->entry = code->entry || code->pc == pc;
    }
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
    learn_entry(live, to);
}

/* Where it would have gone on if that is known: for an interrupt that came right behind a complete block. */
static bool only_successor(const struct code *code, uint64_t *pc)
{
    if (code->anywhere || (code->next != NOWHERE && code->target != NOWHERE)) {
        return false;
    }
    *pc = code->next != NOWHERE ? code->next : code->target;
    return true;
}

/* Without branches of its own: which way a block goes is what the host's branch predictor cannot know. */
static bool may_follow(const struct code *code, const struct code *next)
{
    return (next->pc == code->next) | (next->pc == code->target) | (code->anywhere & !next->entry);
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

/* The classes of a block's instructions. Guests that poll a device leave the same few blocks early all the time. */
static const struct tcgrr_insn_class *classes_of(struct tcgrr_live *live, const struct tcgrr_block *block)
{
    struct classes *kept = &live->classes[((uintptr_t)block / sizeof(*block)) % KEPT_CLASSES];
    if (kept->block != block) {
        kept->block = block;
        kept->classes = g_renew(struct tcgrr_insn_class, kept->classes, block->insns);
        tcgrr_isa_classify(live->isa, block->pc, block->bytes, block->lengths, block->insns, kept->classes);
    }
    return kept->classes;
}

static void count_retired(struct tcgrr_live *live, const struct code *next, struct tcgrr_retirement *retirement)
{
    struct tcgrr_departure departure = {
        .block = tcgrr_blocks_get(live->blocks, live->open->block),
        .isa = live->isa,
        .mark = MIN(live->mark, live->open->insns),
        .reports_discon = live->info.reports_discon,
        .inside = live->inside,
        .has_next = next != NULL,
        .next_pc = next ? next->pc : 0,
    };
    find_discontinuity(live, &departure);
    departure.classes = classes_of(live, departure.block);
    departure.rerun = live->has_rerun && departure.mark < departure.block->insns &&
                      live->rerun_pc == tcgrr_block_pc(departure.block, departure.mark);
    tcgrr_retire(&departure, retirement);
    if (retirement->inferred) {
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

/* What was assumed is kept for later, or put right by QEMU's log. Events stay as they were inferred, the same whether
 * there is a log. */
static void settle_doubt(struct tcgrr_live *live, const struct tcgrr_chunk *chunk, struct tcgrr_retirement *retirement)
{
    uint32_t last = live->open->insns - 1;
    struct tcgrr_doubt doubt = {
        .seq = chunk->first_seq + chunk->count,
        .retired = retirement->ran > last,
        .left = count_events(live) > 0,
        .inside = last > 0,
        .hidden = live->hidden,
        .events = MIN(live->past_events, TCGRR_DOUBT_EVENTS),
        .place = chunk->end_icount + last,
    };
    bool retired = doubt.retired;

    if (live->log && tcgrr_rrlog_decide(live->log, &live->asked, &doubt, doubt.place, &retired)) {
        retirement->ran = last + retired;
        retirement->counted = retirement->ran;
    } else {
        live->assumed++;
    }
    if (live->doubts && live->doubts->len <= MOST_DOUBTS) {
        g_array_append_val(live->doubts, doubt);
    }
}

/* A complete block whose successor it cannot have chosen itself. */
static void infer_between(struct tcgrr_live *live, const struct code *next)
{
    uint64_t from = 0;
    bool known = only_successor(live->open, &from);
    add_inferred(live, TCGRR_DISCON_INTERRUPT, known, from, next->pc);
}

static void append_exec(struct tcgrr_live *live, struct tcgrr_chunk *chunk, uint32_t ran, uint32_t counted)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, live->open->block);

    if (live->switched) {
        struct tcgrr_switch change = {.index = chunk->count, .vcpu = live->vcpu};
        g_array_append_val(chunk->switches, change);
        live->switched = false;
    }
    if (ran < block->insns) {
        struct tcgrr_partial partial = {.index = chunk->count, .ran = ran, .counted = counted};
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
    live->unusual = false;
}

/* `next`: what begins now on the same vCPU; NULL if that is not known. There is room in the chunk for one execution. */
static void close_open(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const struct code *next)
{
    if (live->open) {
        struct tcgrr_retirement retirement = {.ran = live->open->insns, .counted = live->open->insns};
        guint reported = live->gap->len;
        if (live->unusual) {
            count_retired(live, next, &retirement);
        }
        bool complete = retirement.ran == live->open->insns && live->gap->len == reported;
        if (complete && next && !live->info.reports_discon && !may_follow(live->open, next)) {
            infer_between(live, next);
        }
        if (retirement.assumed) {
            settle_doubt(live, chunk, &retirement);
        }
        if (retirement.assumed || retirement.counted > 0) {
            live->past_events = 0;
        }
        append_exec(live, chunk, retirement.ran, retirement.counted);
        live->hidden = complete && live->open->indirect;
    }
    flush_gap(live, chunk);
    live->open = NULL;
    live->mark = UINT32_MAX;
    live->has_rerun = false;
}

/* ---- reading records ---- */

static bool damaged(GError **error, const char *what)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                "the plugin's ring holds %s; QEMU's memory was overwritten or the plugin is of another build", what);
    return false;
}

/* How the last instruction can go on. */
static void fill_flow(const struct tcgrr_live *live, const struct tcgrr_block *block, struct code *code)
{
    struct tcgrr_insn_class classes[TCGRR_MAX_INSNS];
    const struct tcgrr_insn_class *last = &classes[block->insns - 1];

    tcgrr_isa_classify(live->isa, block->pc, block->bytes, block->lengths, block->insns, classes);
    code->next = last->flow == TCGRR_FLOW_JUMP ? NOWHERE : block->pc + block->size;
    code->target = last->flow == TCGRR_FLOW_JUMP || last->flow == TCGRR_FLOW_BRANCH ? last->target : NOWHERE;
    code->indirect = last->flow == TCGRR_FLOW_INDIRECT;
    code->anywhere = live->info.reports_discon || code->indirect;
    code->entry = g_hash_table_contains(live->entries, &block->pc);
}

/* The next translation number stands for block `number`. */
static void add_code(struct tcgrr_live *live, uint32_t number)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, number);
    struct code code = {.sum = block->sum,
                        .shifted = block->power << 3,
                        .pc = block->pc,
                        .block = number,
                        .insns = (uint16_t)block->insns};
    fill_flow(live, block, &code);
    /* The array may move. */
    ptrdiff_t open =
        live->open && live->open != &live->kept ? live->open - &g_array_index(live->codes, struct code, 0) : -1;
    g_array_append_val(live->codes, code);
    if (open >= 0) {
        live->open = &g_array_index(live->codes, struct code, open);
    }
}

static bool read_define(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error)
{
    struct tcgrr_wire_define define;
    const uint8_t *content = (const uint8_t *)payload + sizeof(define);

    if (words * 4 < sizeof(define)) {
        return damaged(error, "a truncated block");
    }
    memcpy(&define, payload, sizeof(define));
    if (define.number != live->codes->len || define.count > TCGRR_WIRE_MAX_INSNS || define.size > words * 4 ||
        sizeof(define) + define.count + define.size > words * 4) {
        return damaged(error, "a malformed block");
    }
    uint64_t pc = define.pc_low | (uint64_t)define.pc_high << 32;
    uint32_t number =
        tcgrr_blocks_add(live->blocks, pc, define.count, content, define.size, content + define.count, error);
    if (number == UINT32_MAX) {
        return false;
    }
    add_code(live, number);
    return true;
}

static bool read_alias(struct tcgrr_live *live, const uint32_t *words, GError **error)
{
    if (words[0] >= live->codes->len) {
        return damaged(error, "an alias of no block");
    }
    const struct tcgrr_block *block =
        tcgrr_blocks_get(live->blocks, g_array_index(live->codes, struct code, words[0]).block);
    uint32_t number = tcgrr_blocks_add(live->blocks, words[1] | (uint64_t)words[2] << 32, block->insns, block->lengths,
                                       block->size, block->bytes, error);
    if (number == UINT32_MAX) {
        return false;
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
    g_array_set_size(live->codes, 0);
}

static uint64_t value_at(const uint32_t *words, unsigned index)
{
    return words[1 + 2 * index] | (uint64_t)words[2 + 2 * index] << 32;
}

static bool read_discontinuity(const uint32_t *words, struct tcgrr_event *event)
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
    event->from_pc = value_at(words, 1);
    event->to_pc = value_at(words, 2);
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
    if (number >= live->codes->len) {
        return false;
    }
    live->rerun_pc = g_array_index(live->codes, struct code, number).pc;
    live->has_rerun = true;
    live->unusual = true;
    return true;
}

/* `words`: the vCPU and what the kind brings, `count` of them. */
static bool read_event(struct tcgrr_live *live, unsigned kind, const uint32_t *words, unsigned count, GError **error)
{
    static const uint8_t values[TCGRR_WIRE_EVENT_KINDS] = {[TCGRR_WIRE_RERUN] = 1,
                                                           [TCGRR_WIRE_DISCONTINUITY] = 3,
                                                           [TCGRR_WIRE_SYSCALL_ENTRY] = 9,
                                                           [TCGRR_WIRE_SYSCALL_RETURN] = 2};
    static const uint8_t kinds[TCGRR_WIRE_EVENT_KINDS] = {[TCGRR_WIRE_INIT] = TCGRR_EVENT_INIT,
                                                          [TCGRR_WIRE_EXIT] = TCGRR_EVENT_EXIT,
                                                          [TCGRR_WIRE_IDLE] = TCGRR_EVENT_IDLE,
                                                          [TCGRR_WIRE_RESUME] = TCGRR_EVENT_RESUME,
                                                          [TCGRR_WIRE_FLUSH] = TCGRR_EVENT_FLUSH,
                                                          [TCGRR_WIRE_SYSCALL_ENTRY] = TCGRR_EVENT_SYSCALL,
                                                          [TCGRR_WIRE_SYSCALL_RETURN] = TCGRR_EVENT_SYSCALL_RETURN};
    if (kind >= TCGRR_WIRE_EVENT_KINDS || count != 1u + 2u * values[kind]) {
        return damaged(error, "an event of unknown kind");
    }
    struct tcgrr_event event = {.vcpu = words[0], .kind = kinds[kind]};
    if (kind == TCGRR_WIRE_RERUN) {
        return read_rerun(live, words) || damaged(error, "a repeated access without a block");
    }
    if (kind == TCGRR_WIRE_THREAD) {
        live->end = TCGRR_LIVE_THREADS;
        return true;
    }
    if (kind == TCGRR_WIRE_DISCONTINUITY && !read_discontinuity(words, &event)) {
        return damaged(error, "a discontinuity of unknown type");
    }
    if (kind == TCGRR_WIRE_DISCONTINUITY && completes_exception(live, &event)) {
        return true;
    }
    if (kind == TCGRR_WIRE_FLUSH) {
        forget_codes(live);
    }
    if (kind == TCGRR_WIRE_SYSCALL_ENTRY || kind == TCGRR_WIRE_SYSCALL_RETURN) {
        event.number = (int64_t)value_at(words, 0);
        event.result = (int64_t)value_at(words, 1);
    }
    for (unsigned i = 0; kind == TCGRR_WIRE_SYSCALL_ENTRY && i < 8; i++) {
        event.arguments[i] = value_at(words, 1 + i);
    }
    if (kind == TCGRR_WIRE_SYSCALL_ENTRY) {
        event.result = 0;
    }
    g_array_append_val(live->gap, event);
    live->unusual = true;
    return true;
}

/* Words of the record that begins with `word`. */
static size_t record_length(uint32_t word)
{
    switch (word >> 24) {
    case TCGRR_WIRE_DEFINE:
        return 1 + (word & 0xffffffu);
    case TCGRR_WIRE_ALIAS:
        return 4;
    case TCGRR_WIRE_EVENT:
        return 1 + (word >> 8 & 0xffffu);
    default:
        return 1;
    }
}

static bool read_exec(struct tcgrr_live *live, struct tcgrr_chunk *chunk, uint32_t number, GError **error)
{
    if (number >= live->codes->len) {
        return damaged(error, "a block that was never described");
    }
    const struct code *code = &g_array_index(live->codes, struct code, number);
    close_open(live, chunk, code);
    live->open = code;
    return true;
}

/* One record that the fast path left alone; it is there as a whole. */
static bool read_record(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, GError **error)
{
    uint32_t payload = words[0] & 0xffffffu;

    if (words[0] < TCGRR_WIRE_CONTROL) {
        return read_exec(live, chunk, words[0], error);
    }
    switch (words[0] >> 24) {
    case TCGRR_WIRE_LEFT:
        live->mark = payload;
        live->unusual = true;
        return true;
    case TCGRR_WIRE_VCPU:
        close_open(live, chunk, NULL);
        live->switched = live->vcpu != payload;
        live->vcpu = payload;
        return true;
    case TCGRR_WIRE_END:
        live->inside = payload == 1;
        close_open(live, chunk, NULL);
        live->end = TCGRR_LIVE_FINISHED;
        return true;
    case TCGRR_WIRE_DEFINE:
        return read_define(live, words + 1, payload, error);
    case TCGRR_WIRE_ALIAS:
        return read_alias(live, words + 1, error);
    case TCGRR_WIRE_EVENT:
        return read_event(live, payload & 0xff, words + 1, payload >> 8, error);
    default:
        return damaged(error, "a record of unknown kind");
    }
}

/* Executions that the fast path takes at once; fewer than SHORT are not worth two lanes. */
#define PIECE_WORDS 4096
#define SHORT_WORDS 64

/* A stretch of executions: the digest over those from `before` on, up to and without the last of `words`. */
struct lane {
    const struct code *before;
    uint64_t flow;
    uint64_t insns;
    bool fits; /* each execution can follow the one before it */
};

static inline void lane_step(struct lane *lane, const struct code *code, uint32_t *to)
{
    *to = lane->before->block;
    lane->flow = tcgrr_digest_step(lane->flow, lane->before->shifted, lane->before->sum);
    lane->insns += lane->before->insns;
    lane->fits &= may_follow(lane->before, code);
    lane->before = code;
}

/*
 * Goes through `count` words that follow the open execution `open`. A digest depends on the one before it, so a single
 * chain would wait for each multiplication; two halves side by side do not. No branch depends on what ran, which the
 * host could not predict.
 */
static struct lane read_piece(const struct code *codes, const struct code *open, const uint32_t *words, size_t count,
                              uint32_t *to)
{
    struct lane first = {.before = open, .fits = true};
    size_t half = count < SHORT_WORDS ? 0 : count / 2;

    if (half > 0) {
        struct lane second = {.before = &codes[words[half - 1]], .fits = true};
        for (size_t i = 0; i < half; i++) {
            lane_step(&first, &codes[words[i]], &to[i]);
            lane_step(&second, &codes[words[half + i]], &to[half + i]);
        }
        first.flow = tcgrr_digest_append(tcgrr_digest_settle(first.flow), tcgrr_digest_power(second.insns),
                                         tcgrr_digest_settle(second.flow));
        first.insns += second.insns;
        first.fits &= second.fits;
        first.before = second.before;
    }
    for (size_t i = 2 * half; i < count; i++) {
        lane_step(&first, &codes[words[i]], &to[i]);
    }
    first.flow = tcgrr_digest_settle(first.flow);
    return first;
}

/* How many words can follow one another; some word cannot. */
static size_t fitting(const struct code *codes, const struct code *open, const uint32_t *words)
{
    size_t count = 0;
    while (may_follow(open, &codes[words[count]])) {
        open = &codes[words[count++]];
    }
    return count;
}

/* The checkpoints that fall into the executions from `open` on, up to and without the last of `words`. */
static void add_checkpoints(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const struct code *codes,
                            const uint32_t *words, tcgrr_icount end)
{
    const struct code *code = live->open;
    tcgrr_icount icount = chunk->end_icount;
    uint64_t flow = chunk->end_flow;

    while (live->next_checkpoint <= end) {
        while (icount + code->insns >= live->next_checkpoint) {
            const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, code->block);
            struct tcgrr_checkpoint checkpoint = {
                .icount = live->next_checkpoint,
                .flow = tcgrr_block_append(flow, block, (uint32_t)(live->next_checkpoint - icount))};
            g_array_append_val(chunk->checkpoints, checkpoint);
            live->next_checkpoint += TCGRR_CHECKPOINT_STEP;
        }
        icount += code->insns;
        flow = tcgrr_digest_settle(tcgrr_digest_step(flow, code->shifted, code->sum));
        code = &codes[*words++];
    }
}

/*
 * The hot loop: complete executions between which nothing happened. Stops before the first piece in which there is
 * anything else, which then goes record by record. Returns how many words it took.
 */
static size_t read_fast(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, size_t available)
{
    const struct code *codes = (const struct code *)live->codes->data;
    const struct code *open = live->open;
    uint32_t known = live->codes->len;
    size_t most = MIN(available, (size_t)(chunk->capacity - chunk->count));
    size_t done = 0;

    if (live->unusual || live->switched || !live->open) {
        return 0;
    }
    while (done < most) {
        size_t limit = MIN((size_t)PIECE_WORDS, most - done);
        size_t count = 0;
        while (count < limit && words[done + count] < known) {
            count++;
        }
        struct lane piece = read_piece(codes, live->open, words + done, count, chunk->blocks + chunk->count);
        if (!piece.fits) {
            count = fitting(codes, live->open, words + done);
            most = done + count;
            piece = read_piece(codes, live->open, words + done, count, chunk->blocks + chunk->count);
        }
        if (count == 0) {
            break;
        }
        add_checkpoints(live, chunk, codes, words + done, chunk->end_icount + piece.insns);
        chunk->end_flow = tcgrr_digest_append(chunk->end_flow, tcgrr_digest_power(piece.insns), piece.flow);
        chunk->end_icount += piece.insns;
        chunk->count += (uint32_t)count;
        live->open = piece.before;
        done += count;
    }
    if (done > 0) {
        live->hidden = done > 1 ? codes[words[done - 2]].indirect : open->indirect;
        live->past_events = 0;
    }
    return done;
}

/*
 * Reads `available` words, as many as are whole records and fit into the chunk. `*done` says how many; fewer than there
 * are if the last record is not all there yet.
 */
static bool read_words(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, size_t available,
                       size_t *done, GError **error)
{
    bool good = true;
    for (*done = 0; good && *done < available && live->end == TCGRR_LIVE_RUNS;) {
        *done += read_fast(live, chunk, words + *done, available - *done);
        if (*done == available || chunk->count == chunk->capacity) {
            break;
        }
        size_t length = record_length(words[*done]);
        if (length > TCGRR_WIRE_RESERVE_WORDS) {
            return damaged(error, "a record of impossible length");
        }
        if (length > available - *done) {
            break;
        }
        good = read_record(live, chunk, words + *done, error);
        *done += length;
    }
    chunk->end_blocks = tcgrr_blocks_count(live->blocks);
    return good;
}

void tcgrr_live_stand_at(struct tcgrr_live *live, struct tcgrr_chunk *chunk, tcgrr_icount icount)
{
    uint64_t ran = icount - chunk->end_icount;
    if (live->open && icount > chunk->end_icount && ran <= live->open->insns && chunk->count < chunk->capacity) {
        append_exec(live, chunk, (uint32_t)ran, (uint32_t)ran);
        live->open = NULL;
    }
}

static bool note_info(struct tcgrr_live *live)
{
    if (!live->informed && tcgrr_live_info(live, &live->info)) {
        live->isa = tcgrr_isa_of_target(live->info.target);
        live->informed = true;
    }
    return live->informed;
}

bool tcgrr_live_next(struct tcgrr_live *live, struct tcgrr_chunk *chunk, int wait_ms, enum tcgrr_live_end *end,
                     GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)wait_ms * 1000;

    while (live->end == TCGRR_LIVE_RUNS && chunk->count < chunk->capacity) {
        bool gone = live->gone; /* before looking at the ring: what came in between is then still read */
        const uint32_t *words = NULL;
        bool all = false;
        size_t available = note_info(live) ? tcgrr_intake_fill(live->intake, &words, &all) : 0;
        size_t done = 0;
        if (!read_words(live, chunk, words, available, &done, error)) {
            return false;
        }
        tcgrr_intake_take(live->intake, done);
        if (all && done < available && chunk->count < chunk->capacity && live->end == TCGRR_LIVE_RUNS) {
            return damaged(error, "a record that is cut off");
        }
        if (done == 0 && gone) {
            live->end = live->informed ? TCGRR_LIVE_CUT : TCGRR_LIVE_UNLOADED;
        } else if (done == 0) {
            g_usleep(POLL_US);
        }
        if (g_get_monotonic_time() >= deadline) {
            break;
        }
    }
    *end = live->end;
    return true;
}
