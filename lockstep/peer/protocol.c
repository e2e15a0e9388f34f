/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/peer/protocol.h"

#include "lockstep/peer/protocol_internal.h"

#include "store/digest.h"
#include "store/error.h"

#define NAME(id, name, longest)    [TCGRR_MESSAGE_##id] = (name),
#define LONGEST(id, name, longest) [TCGRR_MESSAGE_##id] = (longest),

const char *tcgrr_message_name(enum tcgrr_message_type type)
{
    static const char *const names[] = {TCGRR_MESSAGES(NAME)};
    return names[type];
}

size_t tcgrr_message_longest(enum tcgrr_message_type type)
{
    static const size_t longest[] = {TCGRR_MESSAGES(LONGEST)};
    return longest[type];
}

struct tcgrr_fields tcgrr_message_fields(const struct tcgrr_message *message)
{
    return (struct tcgrr_fields){.at = message->payload, .end = message->payload + message->length};
}

bool tcgrr_message_taken(const struct tcgrr_fields *in, const struct tcgrr_message *message, GError **error)
{
    if (tcgrr_take_end(in)) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent a malformed message (%s)",
                tcgrr_message_name(message->type));
    return false;
}

static tcgrr_icount take_icount(struct tcgrr_fields *in)
{
    return tcgrr_take_number(in, TCGRR_PROTOCOL_LAST_ICOUNT);
}

/* ---- what the two have to agree on ---- */

void tcgrr_description_init(struct tcgrr_description *description)
{
    *description = (struct tcgrr_description){
        .step = TCGRR_CHECKPOINT_STEP,
        .base = TCGRR_DIGEST_BASE,
        .modulus = TCGRR_DIGEST_MODULUS,
        .window = TCGRR_SOURCE_WINDOW,
        .ahead = TCGRR_PROTOCOL_AHEAD,
    };
}

static void put_where(GByteArray *to, const struct tcgrr_position *where)
{
    tcgrr_put_number(to, where->kind);
    tcgrr_put_fixed(to, where->value);
}

static void take_where(struct tcgrr_fields *in, struct tcgrr_position *where)
{
    where->kind = (enum tcgrr_position_kind)tcgrr_take_number(in, TCGRR_POSITION_PC);
    where->value = tcgrr_take_fixed(in);
    if (where->kind == TCGRR_POSITION_ICOUNT && where->value > TCGRR_PROTOCOL_LAST_ICOUNT) {
        in->bad = true;
    }
}

void tcgrr_put_description(GByteArray *to, const struct tcgrr_description *description)
{
    tcgrr_put_text(to, description->tool);
    tcgrr_put_text(to, description->target);
    tcgrr_put_text(to, description->mode);
    tcgrr_put_text(to, description->level);
    tcgrr_put_text(to, description->source);
    tcgrr_put_text(to, description->qemu);
    tcgrr_put_fixed(to, description->step);
    tcgrr_put_fixed(to, description->base);
    tcgrr_put_fixed(to, description->modulus);
    tcgrr_put_fixed(to, description->window);
    tcgrr_put_fixed(to, description->ahead);
    tcgrr_put_text(to, description->options);
    put_where(to, &description->from);
    put_where(to, &description->until);
    tcgrr_put_number(to, description->cut);
    tcgrr_put_number(to, description->patience_s);
    tcgrr_put_text(to, description->build);
    tcgrr_put_text(to, description->icount);
    tcgrr_put_number(to, description->shares);
}

bool tcgrr_take_description(const struct tcgrr_message *message, struct tcgrr_description *description, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);

    tcgrr_take_text(&in, description->tool, sizeof(description->tool));
    tcgrr_take_text(&in, description->target, sizeof(description->target));
    tcgrr_take_text(&in, description->mode, sizeof(description->mode));
    tcgrr_take_text(&in, description->level, sizeof(description->level));
    tcgrr_take_text(&in, description->source, sizeof(description->source));
    tcgrr_take_text(&in, description->qemu, sizeof(description->qemu));
    description->step = tcgrr_take_fixed(&in);
    description->base = tcgrr_take_fixed(&in);
    description->modulus = tcgrr_take_fixed(&in);
    description->window = tcgrr_take_fixed(&in);
    description->ahead = tcgrr_take_fixed(&in);
    tcgrr_take_text(&in, description->options, sizeof(description->options));
    take_where(&in, &description->from);
    take_where(&in, &description->until);
    description->cut = tcgrr_take_number(&in, 1);
    description->patience_s = (uint32_t)tcgrr_take_number(&in, 86400);
    tcgrr_take_text(&in, description->build, sizeof(description->build));
    tcgrr_take_text(&in, description->icount, sizeof(description->icount));
    description->shares = tcgrr_take_number(&in, 1);
    return tcgrr_message_taken(&in, message, error);
}

static bool same_text(const char *what, const char *ours, const char *theirs, GError **error)
{
    if (strcmp(ours, theirs) == 0) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "the two sides cannot be compared: %s here is '%s', on the other side '%s'", what, ours, theirs);
    return false;
}

static bool same_number(const char *what, uint64_t ours, uint64_t theirs, GError **error)
{
    g_autofree char *left = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", ours);
    g_autofree char *right = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", theirs);
    return same_text(what, left, right, error);
}

bool tcgrr_description_check(const struct tcgrr_description *ours, const struct tcgrr_description *theirs,
                             GError **error)
{
    return same_text("the target", ours->target, theirs->target, error) &&
           same_text("the mode", ours->mode, theirs->mode, error) &&
           same_text("the level", ours->level, theirs->level, error) &&
           same_number("the checkpoints' distance", ours->step, theirs->step, error) &&
           same_number("the digest's base", ours->base, theirs->base, error) &&
           same_number("the digest's modulus", ours->modulus, theirs->modulus, error) &&
           same_number("the window", ours->window, theirs->window, error) &&
           same_number("the distance to run ahead", ours->ahead, theirs->ahead, error) &&
           same_text("what to compare", ours->options, theirs->options, error) &&
           (!tcgrr_description_shared(ours, theirs) ||
            same_text("the icount shift", ours->icount, theirs->icount, error));
}

bool tcgrr_description_shared(const struct tcgrr_description *ours, const struct tcgrr_description *theirs)
{
    /* What runs before a place in the code need not be the same on two QEMUs, as firmware is not. */
    bool late = ours->from.kind == TCGRR_POSITION_PC || theirs->from.kind == TCGRR_POSITION_PC;

    return ours->shares && theirs->shares &&
           (!late || tcgrr_state_same_qemu(ours->qemu, ours->build, theirs->qemu, theirs->build));
}

/* ---- the rr log ---- */

void tcgrr_put_log(GByteArray *to, const struct tcgrr_log_news *news)
{
    tcgrr_put_number(to, news->over);
    tcgrr_put_number(to, news->translated);
    tcgrr_put_number(to, news->asked_after);
    tcgrr_put_number(to, news->size);
    g_byte_array_append(to, news->bytes, (guint)news->size);
}

bool tcgrr_take_log(const struct tcgrr_message *message, struct tcgrr_log_news *news, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);

    *news = (struct tcgrr_log_news){0};
    news->over = tcgrr_take_number(&in, 1);
    news->translated = tcgrr_take_number(&in, 1);
    news->asked_after = take_icount(&in);
    news->size = (size_t)tcgrr_take_number(&in, TCGRR_MAX_LOG_PIECE);
    news->bytes = tcgrr_take_bytes(&in, news->size);
    return tcgrr_message_taken(&in, message, error);
}

/* ---- positions ---- */

tcgrr_icount tcgrr_position_plan_from(const struct tcgrr_position_plan *plan, uint32_t index)
{
    return plan->from + index * plan->from_stride;
}

tcgrr_icount tcgrr_position_plan_to(const struct tcgrr_position_plan *plan, uint32_t index)
{
    return plan->to + index * plan->to_stride;
}

tcgrr_icount tcgrr_position_plan_begin(const struct tcgrr_position_plan *plan, uint32_t index)
{
    tcgrr_icount to = tcgrr_position_plan_to(plan, index);
    tcgrr_icount before = to - MIN(to, plan->to_stride);
    return MAX(before, tcgrr_position_plan_from(plan, index));
}

void tcgrr_put_ask(GByteArray *to, const struct tcgrr_position_plan *plan)
{
    tcgrr_put_number(to, plan->serial);
    tcgrr_put_number(to, plan->from);
    tcgrr_put_number(to, plan->to);
    tcgrr_put_number(to, plan->from_stride);
    tcgrr_put_number(to, plan->to_stride);
    tcgrr_put_number(to, plan->count);
    tcgrr_put_number(to, plan->watches);
    tcgrr_put_fixed(to, plan->watch);
}

/* With strides below 2^31 and counts below 2^30 no number in a plan reaches 2^64. */
#define MAX_STRIDE ((UINT64_C(1) << 31) - 1)
#define MAX_COUNT  ((UINT64_C(1) << 30) - 1)

bool tcgrr_take_ask(const struct tcgrr_message *message, struct tcgrr_position_plan *plan, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);

    plan->serial = (uint32_t)tcgrr_take_number(&in, UINT32_MAX);
    plan->from = take_icount(&in);
    plan->to = take_icount(&in);
    plan->from_stride = tcgrr_take_number(&in, MAX_STRIDE);
    plan->to_stride = tcgrr_take_number(&in, MAX_STRIDE);
    plan->count = (uint32_t)tcgrr_take_number(&in, MAX_COUNT);
    plan->watches = tcgrr_take_number(&in, 1);
    plan->watch = tcgrr_take_fixed(&in);
    bool whole = plan->from == 0 && plan->from_stride == 0;
    in.bad = in.bad || plan->from > plan->to || plan->from_stride > plan->to_stride || plan->count == 0 ||
             (!whole && (plan->to - plan->from > TCGRR_MAX_PART || plan->from_stride != plan->to_stride));
    return tcgrr_message_taken(&in, message, error);
}

void tcgrr_put_more(GByteArray *to, uint32_t serial, uint32_t count)
{
    tcgrr_put_number(to, serial);
    tcgrr_put_number(to, count);
}

bool tcgrr_take_more(const struct tcgrr_message *message, uint32_t *serial, uint32_t *count, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);

    *serial = (uint32_t)tcgrr_take_number(&in, UINT32_MAX);
    *count = (uint32_t)tcgrr_take_number(&in, MAX_COUNT);
    return tcgrr_message_taken(&in, message, error);
}

void tcgrr_put_positions(GByteArray *to, const struct tcgrr_position_plan *plan,
                         const struct tcgrr_positions *positions)
{
    tcgrr_put_number(to, positions->serial);
    tcgrr_put_number(to, positions->first);
    tcgrr_put_number(to, positions->list->len);
    for (guint i = 0; i < positions->list->len; i++) {
        const struct tcgrr_planned_position *planned =
            &g_array_index(positions->list, struct tcgrr_planned_position, i);
        tcgrr_put_fixed(to, planned->position.flow);
        if (plan->watches) {
            tcgrr_icount begin = tcgrr_position_plan_begin(plan, positions->first + i);
            tcgrr_put_number(to, planned->found ? planned->first - begin + 1 : 0);
        }
    }
    if (positions->list->len > 0) {
        guint last = positions->list->len - 1;
        const struct tcgrr_run_source_position *end =
            &g_array_index(positions->list, struct tcgrr_planned_position, last).position;
        tcgrr_put_number(to, end->state);
        tcgrr_put_number(to, tcgrr_position_plan_to(plan, positions->first + last) - end->icount);
    }
}

static void take_planned(struct tcgrr_fields *in, const struct tcgrr_position_plan *plan, uint32_t index,
                         struct tcgrr_planned_position *planned)
{
    tcgrr_icount begin = tcgrr_position_plan_begin(plan, index);
    tcgrr_icount to = tcgrr_position_plan_to(plan, index);

    *planned = (struct tcgrr_planned_position){
        .position = {.state = TCGRR_SOURCE_REACHED, .icount = to, .flow = tcgrr_take_fixed(in)},
    };
    uint64_t found = plan->watches ? tcgrr_take_number(in, to - begin) : 0;
    planned->found = found > 0;
    planned->first = begin + found - planned->found;
    if (planned->position.flow >= TCGRR_DIGEST_MODULUS) {
        in->bad = true;
    }
}

/* The last position may be where the run ended. */
static void take_last(struct tcgrr_fields *in, struct tcgrr_planned_position *last)
{
    struct tcgrr_run_source_position *position = &last->position;

    position->state = (enum tcgrr_run_source_state)tcgrr_take_number(in, TCGRR_SOURCE_STOPPED);
    uint64_t missing = tcgrr_take_number(in, position->icount);
    position->icount -= missing;
    if ((position->state == TCGRR_SOURCE_REACHED && missing > 0) || (last->found && last->first >= position->icount)) {
        in->bad = true;
    }
}

bool tcgrr_take_positions(const struct tcgrr_message *message, const struct tcgrr_position_plan *plan,
                          struct tcgrr_positions *positions, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);

    g_array_set_size(positions->list, 0);
    positions->serial = (uint32_t)tcgrr_take_number(&in, UINT32_MAX);
    positions->first = (uint32_t)tcgrr_take_number(&in, MAX_COUNT);
    if (!in.bad && positions->serial != plan->serial) {
        return true;
    }
    uint64_t count = tcgrr_take_number(&in, TCGRR_MAX_POSITIONS);
    if (count == 0 || positions->first + count > plan->count) {
        in.bad = true;
    }
    for (uint64_t i = 0; i < count && !in.bad; i++) {
        struct tcgrr_planned_position planned;
        take_planned(&in, plan, positions->first + (uint32_t)i, &planned);
        g_array_append_val(positions->list, planned);
    }
    if (!in.bad) {
        take_last(&in, &g_array_index(positions->list, struct tcgrr_planned_position, positions->list->len - 1));
    }
    return tcgrr_message_taken(&in, message, error);
}

/* ---- parts and places ---- */

void tcgrr_put_part(GByteArray *to, const struct tcgrr_part *part)
{
    tcgrr_put_number(to, part->from);
    tcgrr_put_number(to, part->to);
}

static void take_part(struct tcgrr_fields *in, struct tcgrr_part *part)
{
    part->from = take_icount(in);
    part->to = take_icount(in);
    in->bad = in->bad || part->from > part->to || part->to - part->from > TCGRR_MAX_PART;
}

bool tcgrr_take_part(const struct tcgrr_message *message, struct tcgrr_part *part, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);
    take_part(&in, part);
    return tcgrr_message_taken(&in, message, error);
}

void tcgrr_put_find(GByteArray *to, uint64_t pc, const struct tcgrr_part *part)
{
    tcgrr_put_fixed(to, pc);
    tcgrr_put_part(to, part);
}

bool tcgrr_take_find(const struct tcgrr_message *message, uint64_t *pc, struct tcgrr_part *part, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);
    *pc = tcgrr_take_fixed(&in);
    take_part(&in, part);
    return tcgrr_message_taken(&in, message, error);
}

void tcgrr_put_found(GByteArray *to, bool found, tcgrr_icount icount)
{
    tcgrr_put_number(to, found);
    tcgrr_put_number(to, found ? icount : 0);
}

bool tcgrr_take_found(const struct tcgrr_message *message, const struct tcgrr_part *part, bool *found,
                      tcgrr_icount *icount, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);

    *found = tcgrr_take_number(&in, 1);
    *icount = take_icount(&in);
    in.bad = in.bad || (*found && (*icount < part->from || *icount >= part->to));
    return tcgrr_message_taken(&in, message, error);
}

/* ---- the end ---- */

#define MAX_SYMBOLS 16384u
#define MAX_NAME    1024u

void tcgrr_put_epilogue(GByteArray *to, const struct tcgrr_epilogue *epilogue)
{
    const GArray *list = epilogue->symbols ? tcgrr_symbols_list(epilogue->symbols) : NULL;
    guint count = list ? MIN(list->len, MAX_SYMBOLS) : 0;

    tcgrr_put_text(to, epilogue->exit);
    tcgrr_put_text(to, epilogue->words);
    tcgrr_put_number(to, count);
    for (guint i = 0; i < count; i++) {
        const struct tcgrr_symbol *symbol = &g_array_index(list, struct tcgrr_symbol, i);
        g_autofree char *name = g_strndup(symbol->name, MAX_NAME - 1);
        tcgrr_put_fixed(to, symbol->address);
        tcgrr_put_fixed(to, symbol->size);
        tcgrr_put_text(to, name);
    }
}

bool tcgrr_take_epilogue(const struct tcgrr_message *message, struct tcgrr_epilogue *epilogue, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);
    char name[MAX_NAME];

    epilogue->symbols = tcgrr_symbols_new();
    tcgrr_take_text(&in, epilogue->exit, sizeof(epilogue->exit));
    tcgrr_take_text(&in, epilogue->words, sizeof(epilogue->words));
    uint64_t count = tcgrr_take_number(&in, MAX_SYMBOLS);
    for (uint64_t i = 0; i < count && !in.bad; i++) {
        struct tcgrr_symbol symbol = {.name = name, .file = ""};
        symbol.address = tcgrr_take_fixed(&in);
        symbol.size = tcgrr_take_fixed(&in);
        tcgrr_take_text(&in, name, sizeof(name));
        tcgrr_symbols_add(epilogue->symbols, &symbol);
    }
    if (!tcgrr_message_taken(&in, message, error)) {
        g_clear_pointer(&epilogue->symbols, tcgrr_symbols_free);
        return false;
    }
    return true;
}

void tcgrr_put_failed(GByteArray *to, const GError *failure)
{
    g_autofree char *text = g_strndup(failure->message, 1000);
    bool stopped = g_error_matches(failure, TCGRR_ERROR, TCGRR_ERROR_STOPPED);

    tcgrr_put_text(to, stopped ? "its user interrupted it" : text);
}

void tcgrr_take_failed(const struct tcgrr_message *message, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);
    char text[1024];

    tcgrr_take_text(&in, text, sizeof(text));
    if (tcgrr_message_taken(&in, message, error)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the other side gave up: %s", text);
    }
}
