/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages that carry executions: stretches and results. A block's content goes along where it is named first. */
#include "lockstep/peer/fields.h"
#include "lockstep/peer/protocol.h"
#include "store/error.h"

/* vCPU numbers are below it. */
#define MAX_VCPUS   65536u
/* Bytes of one block, at most. */
#define MAX_SIZE    65536u
/* Entries of each list of a result, at most. */
#define MAX_HISTORY 4096u
/* Bytes of its note, with a zero after them. */
#define NOTE_SIZE   1024u
/* Executions and events of a stretch that go with no instruction, at most. */
#define MAX_EMPTY   131072u

/* Flags of an execution, beside its block's number. */
enum { EXEC_PARTIAL = 1, EXEC_VCPU = 2, EXEC_FLAG_BITS = 2 };

/* Flags of an event. */
enum { EVENT_INFERRED = 1, EVENT_CONFIRMED = 2, EVENT_PCS = 4, EVENT_CALL = 8, EVENT_FLAGS = 15 };

struct input {
    struct tcgrr_fields fields;
    struct tcgrr_received_blocks *received;
    tcgrr_vcpu vcpu; /* of the execution before */
    GError **error;
};

static bool taken(struct input *in, const struct tcgrr_message *message)
{
    if (tcgrr_take_end(&in->fields)) {
        return true;
    }
    if (in->error && !*in->error) {
        g_set_error(in->error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent a malformed message (%s)",
                    tcgrr_message_name(message->type));
    }
    return false;
}

static struct input input_of(const struct tcgrr_message *message, struct tcgrr_received_blocks *received,
                             GError **error)
{
    return (struct input){
        .fields = {.at = message->payload, .end = message->payload + message->length},
        .received = received,
        .error = error,
    };
}

/* ---- blocks ---- */

void tcgrr_sent_blocks_init(struct tcgrr_sent_blocks *sent)
{
    sent->numbers = g_hash_table_new(NULL, NULL);
}

void tcgrr_sent_blocks_clear(struct tcgrr_sent_blocks *sent)
{
    g_clear_pointer(&sent->numbers, g_hash_table_destroy);
}

void tcgrr_received_blocks_init(struct tcgrr_received_blocks *received)
{
    *received = (struct tcgrr_received_blocks){
        .blocks = tcgrr_blocks_new(),
        .numbers = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
    };
}

void tcgrr_received_blocks_clear(struct tcgrr_received_blocks *received)
{
    g_clear_pointer(&received->blocks, tcgrr_blocks_free);
    g_clear_pointer(&received->numbers, g_array_unref);
}

static void put_block(GByteArray *to, const struct tcgrr_block *block)
{
    tcgrr_put_fixed(to, block->pc);
    tcgrr_put_number(to, block->insns);
    g_byte_array_append(to, block->lengths, block->insns);
    g_byte_array_append(to, block->bytes, block->size);
    tcgrr_put_text(to, block->text ? block->text : "");
}

/* The instructions' text, if there is one and it is not known. False if it does not fit the block. */
static bool keep_text(struct tcgrr_blocks *blocks, uint32_t number, const uint8_t *text, uint64_t letters)
{
    if (letters == 0 || tcgrr_blocks_get(blocks, number)->text) {
        return true;
    }
    g_autofree char *copy = g_strndup((const char *)text, letters);
    return tcgrr_blocks_set_text(blocks, number, copy);
}

/* Makes a block known that is named for the first time. NULL if it is malformed. */
static const struct tcgrr_block *take_block(struct input *in)
{
    struct tcgrr_received_blocks *received = in->received;
    uint64_t pc = tcgrr_take_fixed(&in->fields);
    uint32_t insns = (uint32_t)tcgrr_take_number(&in->fields, TCGRR_MAX_INSNS);
    const uint8_t *lengths = tcgrr_take_bytes(&in->fields, insns);
    uint32_t size = 0;

    for (uint32_t i = 0; lengths && i < insns; i++) {
        size += lengths[i];
    }
    const uint8_t *bytes = tcgrr_take_bytes(&in->fields, size);
    uint64_t letters = tcgrr_take_number(&in->fields, insns * (TCGRR_MAX_INSN_TEXT + 1));
    const uint8_t *text = tcgrr_take_bytes(&in->fields, letters);
    received->bytes += sizeof(struct tcgrr_block) + insns + size + letters;
    if (in->fields.bad || size > MAX_SIZE) {
        in->fields.bad = true;
        return NULL;
    }
    if (received->bytes > TCGRR_MAX_HEARD) {
        g_set_error(in->error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent more than %u MiB of code",
                    (unsigned)(TCGRR_MAX_HEARD >> 20));
        in->fields.bad = true;
        return NULL;
    }
    uint32_t number = tcgrr_blocks_add(received->blocks, pc, insns, lengths, size, bytes, in->error);
    if (number == UINT32_MAX || !keep_text(received->blocks, number, text, letters)) {
        in->fields.bad = true;
        return NULL;
    }
    g_array_append_val(received->numbers, number);
    return tcgrr_blocks_get(received->blocks, number);
}

/* ---- executions ---- */

/* All but its icount. `*vcpu` is that of the execution before. */
static void put_exec(GByteArray *to, const struct tcgrr_exec *exec, tcgrr_vcpu *vcpu, struct tcgrr_sent_blocks *sent)
{
    uint64_t known = GPOINTER_TO_UINT(g_hash_table_lookup(sent->numbers, exec->block));
    bool partial = exec->ran != exec->block->insns || exec->counted != exec->ran;
    bool other = exec->vcpu != *vcpu;

    tcgrr_put_number(to, known << EXEC_FLAG_BITS | (partial ? EXEC_PARTIAL : 0) | (other ? EXEC_VCPU : 0));
    if (!known) {
        guint count = g_hash_table_size(sent->numbers);
        g_hash_table_insert(sent->numbers, (gpointer)exec->block, GUINT_TO_POINTER(count + 1));
        put_block(to, exec->block);
    }
    if (partial) {
        tcgrr_put_number(to, exec->ran);
        tcgrr_put_number(to, exec->counted);
    }
    if (other) {
        tcgrr_put_number(to, exec->vcpu);
        *vcpu = exec->vcpu;
    }
}

static bool take_exec(struct input *in, struct tcgrr_exec *exec)
{
    uint64_t head = tcgrr_take_number(&in->fields, UINT64_C(1) << 34);
    uint64_t known = head >> EXEC_FLAG_BITS;

    if (in->fields.bad || known > in->received->numbers->len) {
        in->fields.bad = true;
        return false;
    }
    *exec = (struct tcgrr_exec){0};
    exec->block =
        known ? tcgrr_blocks_get(in->received->blocks, g_array_index(in->received->numbers, uint32_t, known - 1))
              : take_block(in);
    if (!exec->block) {
        return false;
    }
    exec->ran = exec->counted = exec->block->insns;
    if (head & EXEC_PARTIAL) {
        exec->ran = (uint32_t)tcgrr_take_number(&in->fields, exec->block->insns);
        exec->counted = (uint32_t)tcgrr_take_number(&in->fields, exec->block->insns);
    }
    if (head & EXEC_VCPU) {
        in->vcpu = (tcgrr_vcpu)tcgrr_take_number(&in->fields, MAX_VCPUS - 1);
    }
    exec->vcpu = in->vcpu;
    in->fields.bad = in->fields.bad || exec->counted < exec->ran;
    return !in->fields.bad;
}

/* ---- events ---- */

static void put_event(GByteArray *to, const struct tcgrr_event *event)
{
    bool call = event->kind == TCGRR_EVENT_SYSCALL || event->kind == TCGRR_EVENT_SYSCALL_RETURN;

    tcgrr_put_number(to, event->kind);
    tcgrr_put_number(to, (event->inferred ? EVENT_INFERRED : 0) | (event->confirmed ? EVENT_CONFIRMED : 0) |
                             (event->has_pcs ? EVENT_PCS : 0) | (call ? EVENT_CALL : 0));
    tcgrr_put_number(to, event->icount);
    tcgrr_put_number(to, event->vcpu);
    if (event->has_pcs) {
        tcgrr_put_fixed(to, event->from_pc);
        tcgrr_put_fixed(to, event->to_pc);
    }
    if (call) {
        tcgrr_put_fixed(to, (uint64_t)event->number);
        tcgrr_put_fixed(to, (uint64_t)event->result);
        for (size_t i = 0; i < G_N_ELEMENTS(event->arguments); i++) {
            tcgrr_put_fixed(to, event->arguments[i]);
        }
    }
}

static void take_event(struct input *in, struct tcgrr_event *event)
{
    struct tcgrr_fields *fields = &in->fields;

    *event = (struct tcgrr_event){.kind = (uint8_t)tcgrr_take_number(fields, TCGRR_EVENT_KIND_COUNT - 1)};
    uint64_t flags = tcgrr_take_number(fields, EVENT_FLAGS);
    event->inferred = flags & EVENT_INFERRED;
    event->confirmed = flags & EVENT_CONFIRMED;
    event->has_pcs = flags & EVENT_PCS;
    event->icount = tcgrr_take_number(fields, TCGRR_PROTOCOL_LAST_ICOUNT);
    event->vcpu = (tcgrr_vcpu)tcgrr_take_number(fields, MAX_VCPUS - 1);
    if (event->has_pcs) {
        event->from_pc = tcgrr_take_fixed(fields);
        event->to_pc = tcgrr_take_fixed(fields);
    }
    if (flags & EVENT_CALL) {
        event->number = (int64_t)tcgrr_take_fixed(fields);
        event->result = (int64_t)tcgrr_take_fixed(fields);
        for (size_t i = 0; i < G_N_ELEMENTS(event->arguments); i++) {
            event->arguments[i] = tcgrr_take_fixed(fields);
        }
    }
}

/* ---- stretches ---- */

static uint64_t most_in(const struct tcgrr_part *part)
{
    return part->to - part->from + MAX_EMPTY;
}

bool tcgrr_stretch_fits(const struct tcgrr_stretch *stretch, const struct tcgrr_part *part)
{
    return stretch->execs->len <= most_in(part) && stretch->events->len <= most_in(part);
}

void tcgrr_put_stretch(GByteArray *to, const struct tcgrr_stretch *stretch, struct tcgrr_sent_blocks *sent)
{
    tcgrr_vcpu vcpu = 0;

    tcgrr_put_number(to, stretch->execs->len);
    for (guint i = 0; i < stretch->execs->len; i++) {
        const struct tcgrr_exec *exec = &g_array_index(stretch->execs, struct tcgrr_exec, i);
        if (i == 0) {
            tcgrr_put_number(to, exec->icount);
        }
        put_exec(to, exec, &vcpu, sent);
    }
    tcgrr_put_number(to, stretch->events->len);
    for (guint i = 0; i < stretch->events->len; i++) {
        put_event(to, &g_array_index(stretch->events, struct tcgrr_event, i));
    }
}

/* Each execution begins where the previous one ends. Together they cover the part, or end before it if the run does. */
static void take_execs(struct input *in, const struct tcgrr_part *part, GArray *execs)
{
    uint64_t count = tcgrr_take_number(&in->fields, most_in(part));
    tcgrr_icount icount = count > 0 ? tcgrr_take_number(&in->fields, part->to) : 0;

    for (uint64_t i = 0; i < count && !in->fields.bad; i++) {
        struct tcgrr_exec exec;
        if (!take_exec(in, &exec)) {
            return;
        }
        exec.icount = icount;
        icount += exec.counted;
        if (exec.icount > part->to || icount < part->from) {
            in->fields.bad = true;
        }
        g_array_append_val(execs, exec);
    }
}

bool tcgrr_take_stretch(const struct tcgrr_message *message, const struct tcgrr_part *part,
                        struct tcgrr_received_blocks *received, struct tcgrr_stretch *stretch, GError **error)
{
    struct input in = input_of(message, received, error);
    tcgrr_icount before = part->from;

    g_array_set_size(stretch->execs, 0);
    g_array_set_size(stretch->events, 0);
    take_execs(&in, part, stretch->execs);
    uint64_t count = tcgrr_take_number(&in.fields, most_in(part));
    for (uint64_t i = 0; i < count && !in.fields.bad; i++) {
        struct tcgrr_event event;
        take_event(&in, &event);
        in.fields.bad = in.fields.bad || event.icount < before || event.icount > part->to;
        before = event.icount;
        g_array_append_val(stretch->events, event);
    }
    return taken(&in, message);
}

/* ---- results ---- */

static void put_list(GByteArray *to, const GArray *execs, struct tcgrr_sent_blocks *sent)
{
    tcgrr_vcpu vcpu = 0;

    tcgrr_put_number(to, execs->len);
    for (guint i = 0; i < execs->len; i++) {
        const struct tcgrr_exec *exec = &g_array_index(execs, struct tcgrr_exec, i);
        put_exec(to, exec, &vcpu, sent);
        tcgrr_put_number(to, exec->icount);
    }
}

static GArray *take_list(struct input *in)
{
    GArray *execs = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_exec));
    uint64_t count = tcgrr_take_number(&in->fields, MAX_HISTORY);

    in->vcpu = 0;
    for (uint64_t i = 0; i < count && !in->fields.bad; i++) {
        struct tcgrr_exec exec;
        if (take_exec(in, &exec)) {
            exec.icount = tcgrr_take_number(&in->fields, TCGRR_PROTOCOL_LAST_ICOUNT);
            g_array_append_val(execs, exec);
        }
    }
    return execs;
}

static void put_events(GByteArray *to, const GArray *events)
{
    tcgrr_put_number(to, events->len);
    for (guint i = 0; i < events->len; i++) {
        put_event(to, &g_array_index(events, struct tcgrr_event, i));
    }
}

static GArray *take_events(struct input *in)
{
    GArray *events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    uint64_t count = tcgrr_take_number(&in->fields, MAX_HISTORY);

    for (uint64_t i = 0; i < count && !in->fields.bad; i++) {
        struct tcgrr_event event;
        take_event(in, &event);
        g_array_append_val(events, event);
    }
    return events;
}

static void put_places(GByteArray *to, const GArray *places)
{
    tcgrr_put_number(to, places->len);
    for (guint i = 0; i < places->len; i++) {
        const struct tcgrr_tolerated *place = &g_array_index(places, struct tcgrr_tolerated, i);
        tcgrr_put_number(to, place->kind);
        tcgrr_put_number(to, place->reasons);
        tcgrr_put_fixed(to, place->pc);
        for (int side = 0; side < 2; side++) {
            tcgrr_put_number(to, place->icount[side]);
            tcgrr_put_fixed(to, place->from_pc[side]);
            tcgrr_put_number(to, place->insns[side]);
        }
    }
}

static GArray *take_places(struct input *in)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_tolerated));
    uint64_t count = tcgrr_take_number(&in->fields, TCGRR_TOLERATED_LISTED);

    for (uint64_t i = 0; i < count && !in->fields.bad; i++) {
        struct tcgrr_tolerated place;
        place.kind = (enum tcgrr_tolerated_kind)tcgrr_take_number(&in->fields, TCGRR_TOLERATED_KINDS - 1);
        place.reasons = (unsigned)tcgrr_take_number(&in->fields, UINT32_MAX);
        place.pc = tcgrr_take_fixed(&in->fields);
        for (int side = 0; side < 2; side++) {
            place.icount[side] = tcgrr_take_number(&in->fields, TCGRR_PROTOCOL_LAST_ICOUNT);
            place.from_pc[side] = tcgrr_take_fixed(&in->fields);
            place.insns[side] = tcgrr_take_number(&in->fields, TCGRR_PROTOCOL_LAST_ICOUNT);
        }
        g_array_append_val(places, place);
    }
    return places;
}

static void put_side(GByteArray *to, const struct tcgrr_divergence_side *side, struct tcgrr_sent_blocks *sent)
{
    tcgrr_vcpu vcpu = 0;

    tcgrr_put_number(to, side->icount);
    tcgrr_put_number(to, side->there);
    if (side->there) {
        put_exec(to, &side->exec, &vcpu, sent);
        tcgrr_put_number(to, side->exec.icount);
        tcgrr_put_number(to, side->insn);
    }
    put_list(to, side->history, sent);
    put_events(to, side->events);
}

static void take_side(struct input *in, struct tcgrr_divergence_side *side)
{
    side->icount = tcgrr_take_number(&in->fields, TCGRR_PROTOCOL_LAST_ICOUNT);
    side->there = tcgrr_take_number(&in->fields, 1);
    in->vcpu = 0;
    if (side->there && take_exec(in, &side->exec)) {
        side->exec.icount = tcgrr_take_number(&in->fields, TCGRR_PROTOCOL_LAST_ICOUNT);
        side->insn = (uint32_t)tcgrr_take_number(&in->fields, side->exec.block->insns - 1);
        side->pc = tcgrr_block_pc(side->exec.block, side->insn);
    }
    side->history = take_list(in);
    side->events = take_events(in);
}

static void put_divergence(GByteArray *to, const struct tcgrr_comparison *comparison, struct tcgrr_sent_blocks *sent)
{
    g_autofree char *note = g_strndup(comparison->note ? comparison->note : "", NOTE_SIZE - 1);

    tcgrr_put_number(to, comparison->kind);
    tcgrr_put_number(to, comparison->icount);
    tcgrr_put_number(to, comparison->vcpu);
    tcgrr_put_text(to, note);
    put_list(to, comparison->common, sent);
    put_side(to, &comparison->sides[0], sent);
    put_side(to, &comparison->sides[1], sent);
}

static void take_divergence(struct input *in, struct tcgrr_comparison *comparison)
{
    char note[NOTE_SIZE];

    comparison->kind = (enum tcgrr_divergence_kind)tcgrr_take_number(&in->fields, TCGRR_DIVERGENCE_HUNG);
    comparison->icount = tcgrr_take_number(&in->fields, TCGRR_PROTOCOL_LAST_ICOUNT);
    comparison->vcpu = (tcgrr_vcpu)tcgrr_take_number(&in->fields, MAX_VCPUS - 1);
    tcgrr_take_text(&in->fields, note, sizeof(note));
    comparison->note = *note ? g_strdup(note) : NULL;
    comparison->common = take_list(in);
    take_side(in, &comparison->sides[0]);
    take_side(in, &comparison->sides[1]);
}

void tcgrr_put_result(GByteArray *to, const struct tcgrr_comparison *comparison, struct tcgrr_sent_blocks *sent)
{
    for (int i = 0; i < 2; i++) {
        tcgrr_put_number(to, comparison->start[i]);
        tcgrr_put_number(to, comparison->surplus[i]);
        tcgrr_put_number(to, comparison->ends[i]);
    }
    tcgrr_put_number(to, comparison->compared);
    for (int i = 0; i < TCGRR_TOLERATED_KINDS; i++) {
        tcgrr_put_number(to, comparison->tolerated[i]);
    }
    tcgrr_put_number(to, comparison->differing);
    put_places(to, comparison->places);
    tcgrr_put_number(to, comparison->diverged);
    if (comparison->diverged) {
        put_divergence(to, comparison, sent);
    }
}

bool tcgrr_take_result(const struct tcgrr_message *message, struct tcgrr_received_blocks *received,
                       struct tcgrr_comparison *comparison, GError **error)
{
    struct input in = input_of(message, received, error);

    *comparison = (struct tcgrr_comparison){0};
    for (int i = 0; i < 2; i++) {
        comparison->start[i] = tcgrr_take_number(&in.fields, TCGRR_PROTOCOL_LAST_ICOUNT);
        comparison->surplus[i] = tcgrr_take_number(&in.fields, TCGRR_PROTOCOL_LAST_ICOUNT);
        comparison->ends[i] = (enum tcgrr_run_source_state)tcgrr_take_number(&in.fields, TCGRR_SOURCE_STOPPED);
    }
    comparison->compared = tcgrr_take_number(&in.fields, TCGRR_PROTOCOL_LAST_ICOUNT);
    for (int i = 0; i < TCGRR_TOLERATED_KINDS; i++) {
        comparison->tolerated[i] = tcgrr_take_number(&in.fields, TCGRR_PROTOCOL_LAST_ICOUNT);
    }
    comparison->differing = tcgrr_take_number(&in.fields, TCGRR_PROTOCOL_LAST_ICOUNT);
    comparison->places = take_places(&in);
    comparison->diverged = tcgrr_take_number(&in.fields, 1);
    if (comparison->diverged) {
        take_divergence(&in, comparison);
    }
    if (!taken(&in, message)) {
        tcgrr_comparison_clear(comparison);
        return false;
    }
    return true;
}
