/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/splice.h"

#include "store/error.h"
#include "store/reader_internal.h"

#include <string.h>

#define SAMPLE_BYTES (16u << 20) /* in one chunk */

/* The samples that come next, of whichever trace has them. */
struct sampler {
    struct tcgrr_reader *reader; /* NULL: there are none */
    struct tcgrr_samples *list;
    struct tcgrr_sample_cursor cursor;
    struct tcgrr_chunk *chunk; /* that they are of */
    int64_t id;
    bool open;
};

struct work {
    struct tcgrr_writer *writer;
    struct tcgrr_blocks *blocks; /* of what is written */
    struct tcgrr_chunk *out;
    struct tcgrr_chunk *in;
    bool anchored;       /* everything before is known */
    GHashTable *devices; /* name → number */
    struct sampler sampler;
    /* The piece at hand. */
    const struct tcgrr_piece *piece;
    const struct tcgrr_blocks *source;
    GArray *numbers; /* by its block: 1 + the number here; 0: not known yet */
    bool last;       /* whether it ends with the run, or is at least the last piece */
    GArray *events;  /* struct tcgrr_event */
    guint event;     /* the next one */
    guint access;    /* the next one of `in` */
};

static bool damaged(const struct work *work, const char *what, tcgrr_icount icount, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "%s at icount %" G_GUINT64_FORMAT ": %s",
                work->piece->reader->path, icount, what);
    return false;
}

/* ---- what is written ---- */

static bool flush(struct work *work, GError **error)
{
    struct tcgrr_chunk *out = work->out;

    if (tcgrr_chunk_is_empty(out)) {
        return true;
    }
    out->end_blocks = tcgrr_blocks_count(work->blocks);
    tcgrr_chunk_compute(out, work->blocks);
    if (!work->anchored) {
        g_array_set_size(out->checkpoints, 0);
    }
    bool good = tcgrr_writer_chunk(work->writer, out, work->blocks, error);
    tcgrr_chunk_follow(out, out);
    return good;
}

/* The block, in the output, with the instructions from number `skip` on of a block of the piece. */
static uint32_t rest_of(struct work *work, const struct tcgrr_block *block, uint32_t skip, GError **error)
{
    uint32_t before = tcgrr_blocks_count(work->blocks);
    uint32_t offset = (uint32_t)(tcgrr_block_pc(block, skip) - block->pc);
    uint32_t number = tcgrr_blocks_add(work->blocks, block->pc + offset, block->insns - skip, block->lengths + skip,
                                       block->size - offset, block->bytes + offset, error);
    const char *text = block->text;

    for (uint32_t i = 0; text && i < skip; i++) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    if (number != UINT32_MAX && number == before && text) {
        tcgrr_blocks_set_text(work->blocks, number, text);
    }
    return number;
}

static uint32_t block_number(struct work *work, uint32_t source, uint32_t skip, GError **error)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(work->source, source);
    uint32_t *known = &g_array_index(work->numbers, uint32_t, source);

    if (skip > 0) {
        return rest_of(work, block, skip, error);
    }
    if (*known == 0) {
        uint32_t number = rest_of(work, block, 0, error);
        if (number == UINT32_MAX) {
            return number;
        }
        *known = number + 1;
    }
    return *known - 1;
}

static void add_events(struct work *work, tcgrr_seq seq)
{
    for (; work->event < work->events->len; work->event++) {
        struct tcgrr_event event = g_array_index(work->events, struct tcgrr_event, work->event);
        if (event.seq > seq) {
            return;
        }
        event.seq = work->out->first_seq + work->out->count;
        g_array_append_val(work->out->events, event);
    }
}

/* ---- samples ---- */

static void end_samples(struct sampler *sampler)
{
    if (sampler->open) {
        tcgrr_sample_end(&sampler->cursor);
    }
    sampler->open = false;
}

/* Moves on to the next chunk that has any. */
static bool load_samples(struct sampler *sampler, GError **error)
{
    bool found = false;

    end_samples(sampler);
    if (!tcgrr_reader_samples_after(sampler->reader, sampler->id, sampler->list, &sampler->id, error)) {
        return false;
    }
    if (sampler->id < 0) {
        sampler->reader = NULL;
        return true;
    }
    sampler->open = true;
    tcgrr_sample_begin(&sampler->cursor, sampler->list);
    return tcgrr_reader_chunk(sampler->reader, sampler->id, sampler->chunk, &found, error);
}

/* Puts it on the first sample at or after `icount`. */
static bool begin_samples(struct work *work, struct tcgrr_reader *reader, tcgrr_icount icount, GError **error)
{
    struct sampler *sampler = &work->sampler;

    end_samples(sampler);
    sampler->reader = reader;
    sampler->id = -1;
    bool good = !reader || (tcgrr_reader_blocks(reader, error) && load_samples(sampler, error));
    while (good && sampler->reader && (!sampler->cursor.sample || sampler->cursor.sample->icount < icount)) {
        if (!sampler->cursor.sample || !tcgrr_sample_next(&sampler->cursor)) {
            good = load_samples(sampler, error);
        }
    }
    return good;
}

/* The icount of the next sample; UINT64_MAX if there is none. */
static tcgrr_icount next_sample(const struct work *work, uint64_t *pc)
{
    const struct sampler *sampler = &work->sampler;
    if (!sampler->reader || !sampler->cursor.sample) {
        return UINT64_MAX;
    }
    uint32_t number = sampler->chunk->blocks[sampler->cursor.sample->exec];
    *pc = tcgrr_blocks_get(sampler->reader->blocks, number)->pc;
    return sampler->cursor.sample->icount;
}

/* The next sample precedes the execution that is appended next. */
static bool add_sample(struct work *work, GError **error)
{
    struct sampler *sampler = &work->sampler;
    struct tcgrr_sample sample = *sampler->cursor.sample;

    sample.exec = work->out->count;
    work->out->samples->has_stores = sampler->list->has_stores;
    tcgrr_samples_add(work->out->samples, sampler->list->registers, &sample, sampler->cursor.image);
    return tcgrr_sample_next(&sampler->cursor) || load_samples(sampler, error);
}

/* ---- accesses ---- */

static uint32_t device_number(struct work *work, const struct tcgrr_access *access, GError **error)
{
    if (access->device <= TCGRR_DEVICE_UNNAMED) {
        return access->device;
    }
    const char *name = tcgrr_reader_device(work->piece->reader, access, error);
    gpointer known = name ? g_hash_table_lookup(work->devices, name) : NULL;
    if (!known && name) {
        struct tcgrr_device device = {.number = TCGRR_DEVICE_UNNAMED + 1 + g_hash_table_size(work->devices)};
        g_strlcpy(device.name, name, sizeof(device.name));
        g_array_append_val(work->out->devices, device);
        known = GUINT_TO_POINTER(device.number);
        g_hash_table_insert(work->devices, g_strdup(name), known);
    }
    return GPOINTER_TO_UINT(known);
}

/* Those of instructions skip..skip+ran of execution `exec` of the piece, which is about to be appended. */
static void add_accesses(struct work *work, uint32_t exec, uint32_t skip, uint32_t ran, GError **error)
{
    const GArray *accesses = work->in->accesses;

    for (; work->access < accesses->len; work->access++) {
        struct tcgrr_access access = g_array_index(accesses, struct tcgrr_access, work->access);
        if (access.exec > exec || (access.exec == exec && access.insn >= skip + ran)) {
            return;
        }
        if (access.exec == exec && access.insn >= skip) {
            access.device = device_number(work, &access, error);
            access.insn = (uint16_t)(access.insn - skip);
            access.exec = work->out->count;
            g_array_append_val(work->out->accesses, access);
        }
    }
}

/* ---- executions ---- */

static bool is_full(const struct tcgrr_chunk *out)
{
    return out->count == TCGRR_CHUNK_EXECS || out->accesses->len >= TCGRR_CHUNK_ACCESSES ||
           out->samples->changes->len >= SAMPLE_BYTES;
}

static void note_vcpu(struct tcgrr_chunk *out, tcgrr_vcpu vcpu)
{
    const GArray *switches = out->switches;
    tcgrr_vcpu now = switches->len ? g_array_index(switches, struct tcgrr_switch, switches->len - 1).vcpu : out->vcpu;
    struct tcgrr_switch changed = {.index = out->count, .vcpu = vcpu};

    if (now == vcpu) {
        return;
    }
    if (out->count == 0) {
        out->vcpu = vcpu;
    } else {
        g_array_append_val(out->switches, changed);
    }
}

/* Appends instructions skip..skip+ran of the execution at the cursor. */
static bool append(struct work *work, const struct tcgrr_cursor *cursor, uint32_t skip, uint32_t ran, uint32_t counted,
                   GError **error)
{
    struct tcgrr_chunk *out = work->out;
    GError *problem = NULL;
    uint32_t number = block_number(work, work->in->blocks[cursor->index], skip, error);

    if (number == UINT32_MAX) {
        return false;
    }
    if (is_full(out) && !flush(work, error)) {
        return false;
    }
    struct tcgrr_partial partial = {.index = out->count, .ran = ran, .counted = counted};
    note_vcpu(out, cursor->vcpu);
    add_accesses(work, cursor->index, skip, ran, &problem);
    if (problem) {
        g_propagate_error(error, problem);
        return false;
    }
    if (ran < cursor->block->insns - skip) {
        g_array_append_val(out->partials, partial);
    }
    out->blocks[out->count++] = number;
    out->end_icount += counted;
    return true;
}

/* Appends the part of the execution that is in the piece, split at samples. */
static bool add_exec(struct work *work, const struct tcgrr_cursor *cursor, GError **error)
{
    const struct tcgrr_span *span = &work->piece->span;
    uint32_t skip = cursor->icount < span->first ? (uint32_t)(span->first - cursor->icount) : 0;
    uint32_t counted = (uint32_t)MIN(cursor->counted, span->end - cursor->icount);
    uint32_t ran = MIN(cursor->ran, counted);
    uint64_t pc = 0;

    if (skip >= cursor->block->insns) { /* a count without instructions */
        return damaged(work, "an execution cannot be cut", cursor->icount, error);
    }
    add_events(work, cursor->index + work->in->first_seq);
    for (bool more = true; more;) {
        tcgrr_icount place = cursor->icount + skip;
        if (next_sample(work, &pc) < place) {
            return damaged(work, "a sample belongs to no instruction of the run", next_sample(work, &pc), error);
        }
        if (is_full(work->out) && !flush(work, error)) {
            return false;
        }
        if (next_sample(work, &pc) == place && pc == tcgrr_block_pc(cursor->block, skip) && !add_sample(work, error)) {
            return false;
        }
        tcgrr_icount next = next_sample(work, &pc);
        more = next > place && next < cursor->icount + ran;
        uint32_t to = more ? (uint32_t)(next - cursor->icount) : ran;
        if (!append(work, cursor, skip, to - MIN(to, skip), (more ? to : counted) - skip, error)) {
            return false;
        }
        skip = to;
    }
    return true;
}

static bool add_chunk(struct work *work, GError **error)
{
    const struct tcgrr_span *span = &work->piece->span;
    struct tcgrr_cursor cursor;

    work->access = 0;
    for (bool more = tcgrr_cursor_begin(&cursor, work->in, work->source); more; more = tcgrr_cursor_next(&cursor)) {
        tcgrr_icount end = cursor.icount + cursor.counted;
        bool inside = cursor.icount >= span->first || end > span->first;
        if (inside && cursor.icount < span->end && !add_exec(work, &cursor, error)) {
            return false;
        }
    }
    return true;
}

static void keep_event(const struct tcgrr_event *event, void *data)
{
    struct work *work = data;
    if (event->icount < work->piece->span.end || (work->last && event->icount == work->piece->span.end)) {
        g_array_append_val(work->events, *event);
    }
}

static void keep_gap_event(const struct tcgrr_event *event, void *data)
{
    struct work *work = data;
    struct tcgrr_event kept = *event;
    kept.seq = work->out->first_seq + work->out->count;
    g_array_append_val(work->out->events, kept);
}

/* Instructions `first` up to, and without, `end` are in no piece. */
static bool copy_gap_events(struct work *work, struct tcgrr_reader *gaps, tcgrr_icount first, tcgrr_icount end,
                            GError **error)
{
    return first >= end || tcgrr_reader_events(gaps, first, end - 1, keep_gap_event, work, error);
}

static bool enter_piece(struct work *work, struct tcgrr_reader *gaps, GError **error)
{
    struct tcgrr_reader *reader = work->piece->reader;
    tcgrr_icount first = work->piece->span.first;
    struct tcgrr_chunk *out = work->out;

    if (first != out->end_icount) {
        if (!copy_gap_events(work, gaps, out->end_icount, first, error) || !flush(work, error)) {
            return false;
        }
        work->anchored = false;
        out->first_icount = out->end_icount = first;
        out->first_flow = out->end_flow = 0;
    }
    work->source = tcgrr_reader_blocks(reader, error);
    if (!work->source || !tcgrr_reader_need_texts(reader, error)) {
        return false;
    }
    g_array_set_size(work->numbers, 0);
    g_array_set_size(work->numbers, tcgrr_blocks_count(work->source));
    g_array_set_size(work->events, 0);
    work->event = 0;
    return tcgrr_reader_events(reader, first, INT64_MAX, keep_event, work, error);
}

static bool add_piece(struct work *work, const struct tcgrr_splice *splice, GError **error)
{
    const struct tcgrr_piece *piece = work->piece;
    struct tcgrr_reader *samples = splice->samples ? splice->samples : piece->samples ? piece->reader : NULL;
    int64_t id = 0;
    bool found = true;

    if (!enter_piece(work, splice->gaps, error) || !begin_samples(work, samples, piece->span.first, error) ||
        !tcgrr_reader_chunk_before(piece->reader, piece->span.first + 1, &id, error)) {
        return false;
    }
    for (id = MAX(id, 0); found; id++) {
        if (!tcgrr_reader_chunk(piece->reader, id, work->in, &found, error)) {
            return false;
        }
        if (!found || work->in->first_icount >= piece->span.end) {
            break;
        }
        if (!tcgrr_reader_accesses(piece->reader, id, work->in, error) || !add_chunk(work, error)) {
            return false;
        }
    }
    add_events(work, UINT64_MAX);
    if (work->out->end_icount != piece->span.end) {
        return damaged(work, "the run does not end where it should", work->out->end_icount, error);
    }
    return true;
}

bool tcgrr_splice(struct tcgrr_writer *writer, const struct tcgrr_splice *splice, struct tcgrr_run *run, GError **error)
{
    struct work work = {
        .writer = writer,
        .blocks = tcgrr_blocks_new(),
        .out = tcgrr_chunk_new(TCGRR_CHUNK_EXECS),
        .in = tcgrr_chunk_new(TCGRR_CHUNK_EXECS),
        .anchored = true,
        .devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .sampler = {.list = tcgrr_samples_new(), .chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS)},
        .numbers = g_array_new(FALSE, TRUE, sizeof(uint32_t)),
        .events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event)),
    };
    bool good = true;

    tcgrr_chunk_follow(work.out, NULL);
    for (guint i = 0; good && i < splice->pieces->len; i++) {
        work.piece = &g_array_index(splice->pieces, struct tcgrr_piece, i);
        work.last = i + 1 == splice->pieces->len;
        good = add_piece(&work, splice, error);
    }
    good =
        good && copy_gap_events(&work, splice->gaps, work.out->end_icount + 1, INT64_MAX, error) && flush(&work, error);
    run->icount = work.out->end_icount;
    run->execs = work.out->first_seq;
    if (work.anchored) {
        *splice->flow = work.out->first_flow;
    }
    end_samples(&work.sampler);
    tcgrr_samples_free(work.sampler.list);
    tcgrr_chunk_free(work.sampler.chunk);
    tcgrr_chunk_free(work.in);
    tcgrr_chunk_free(work.out);
    tcgrr_blocks_free(work.blocks);
    g_hash_table_unref(work.devices);
    g_array_unref(work.numbers);
    g_array_unref(work.events);
    return good;
}
