/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/tail.h"

#include "store/isa/isa.h"

#include <string.h>

/* Whether these bytes are one of x86's instructions that write to a port. */
static bool writes_port(const uint8_t *bytes, uint8_t length)
{
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    static const uint8_t opcodes[] = {0x6e, 0x6f, 0xe6, 0xe7, 0xee, 0xef};
    uint8_t at = 0;

    while (at + 1 < length && (memchr(prefixes, bytes[at], sizeof(prefixes)) || (bytes[at] & 0xf0) == 0x40)) {
        at++;
    }
    return memchr(opcodes, bytes[at], sizeof(opcodes)) != NULL;
}

/* Whether the last instruction that ran can have asked for shutdown. Under icount a block is left after it, then. */
static bool can_ask(enum tcgrr_isa isa, const struct tcgrr_block *block, uint32_t ran)
{
    struct tcgrr_insn_class classes[TCGRR_MAX_INSNS];
    size_t offset = 0;

    if (ran == 0 || isa == TCGRR_ISA_UNKNOWN) {
        return ran > 0;
    }
    for (uint32_t i = 0; i + 1 < ran; i++) {
        offset += block->lengths[i];
    }
    tcgrr_isa_classify(isa, block->pc, block->bytes, block->lengths, ran, classes);
    return (classes[ran - 1].access & TCGRR_ACCESS_WRITE) != 0 ||
           (isa == TCGRR_ISA_X86 && writes_port(block->bytes + offset, block->lengths[ran - 1]));
}

/* The last place in the chunk, after `after` and up to `*place`, where an instruction that can have asked has run. */
static bool find_in_chunk(const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, enum tcgrr_isa isa,
                          tcgrr_icount after, tcgrr_icount *place)
{
    struct tcgrr_cursor cursor;
    tcgrr_icount last = 0;

    for (bool there = tcgrr_cursor_begin(&cursor, chunk, blocks); there; there = tcgrr_cursor_next(&cursor)) {
        tcgrr_icount end = cursor.icount + cursor.counted;
        if (end > after && end <= *place && can_ask(isa, cursor.block, cursor.ran)) {
            last = end;
        }
    }
    *place = last > 0 ? last : *place;
    return last > 0;
}

/* *place: where the run ends. */
static bool find_request(const struct tcgrr_tail *tail, struct tcgrr_reader *reader, struct tcgrr_chunk *chunk,
                         tcgrr_icount *place, GError **error)
{
    enum tcgrr_isa isa = tcgrr_isa_of_target(tcgrr_reader_run(reader)->target);
    tcgrr_icount after = tail->log->asked_after;
    tcgrr_icount at = *place = tail->log->run_end;

    for (bool found = false; !found && at > after; at = chunk->first_icount) {
        bool there = false;
        if (!tcgrr_reader_seek(reader, at - 1, chunk, &there, error)) {
            return false;
        }
        if (!there) {
            break;
        }
        found = find_in_chunk(chunk, tail->blocks, isa, after, place);
    }
    return true;
}

/* Leaves what ran up to `place` in the chunk. */
static void cut_chunk(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, tcgrr_icount place)
{
    struct tcgrr_cursor cursor;
    struct tcgrr_samples *kept = tcgrr_samples_new();
    guint accesses = 0;
    guint switches = 0;

    tcgrr_cursor_begin(&cursor, chunk, blocks);
    while (cursor.icount + cursor.counted < place && tcgrr_cursor_next(&cursor)) {
    }
    uint32_t counted = (uint32_t)MIN(place - cursor.icount, cursor.counted);
    struct tcgrr_partial partial = {.index = cursor.index, .ran = MIN(cursor.ran, counted), .counted = counted};
    guint partials = chunk->partials->len;
    while (partials > 0 && g_array_index(chunk->partials, struct tcgrr_partial, partials - 1).index >= cursor.index) {
        partials--;
    }
    g_array_set_size(chunk->partials, partials);
    if (partial.ran < cursor.block->insns) {
        g_array_append_val(chunk->partials, partial);
    }
    while (switches < chunk->switches->len &&
           g_array_index(chunk->switches, struct tcgrr_switch, switches).index <= cursor.index) {
        switches++;
    }
    g_array_set_size(chunk->switches, switches);
    while (accesses < chunk->accesses->len &&
           g_array_index(chunk->accesses, struct tcgrr_access, accesses).exec <= cursor.index) {
        accesses++;
    }
    g_array_set_size(chunk->accesses, accesses);
    tcgrr_samples_append(kept, chunk->samples, 0, place - 1);
    tcgrr_samples_free(chunk->samples);
    chunk->samples = kept;
    chunk->count = cursor.index + 1;
    tcgrr_chunk_compute(chunk, blocks);
}

static void set_window(struct tcgrr_run *run)
{
    run->mem_from = run->mem_from <= (int64_t)run->icount ? run->mem_from : -1;
    run->mem_until = run->mem_until <= (int64_t)run->icount ? run->mem_until : -1;
}

static bool cut_at(struct tcgrr_writer *writer, const struct tcgrr_tail *tail, struct tcgrr_reader *reader,
                   struct tcgrr_chunk *chunk, tcgrr_icount place, struct tcgrr_run *run, GError **error)
{
    bool found = false;
    int64_t sampled;

    if (!tcgrr_reader_seek(reader, place - 1, chunk, &found, error) || !found) {
        return !found;
    }
    int64_t id = tcgrr_writer_chunk_of(writer, chunk->first_seq, error);
    if (id < 0 || !tcgrr_reader_samples_of(reader, id, chunk->samples, &sampled, error) ||
        !tcgrr_reader_accesses(reader, id, chunk, error)) {
        return false;
    }
    cut_chunk(chunk, tail->blocks, place);
    if (!tcgrr_writer_cut(writer, id, chunk, tail->blocks, error)) {
        return false;
    }
    run->tail += run->icount - chunk->end_icount;
    run->icount = chunk->end_icount;
    run->execs = chunk->first_seq + chunk->count;
    set_window(run);
    return true;
}

bool tcgrr_cut_tail(struct tcgrr_writer *writer, const struct tcgrr_tail *tail, struct tcgrr_run *run, GError **error)
{
    tcgrr_icount place = tail->log->run_end;

    if (!tail->log->guest_shutdown || run->icount <= tail->log->asked_after || place == 0) {
        return true;
    }
    struct tcgrr_reader *reader = tcgrr_reader_open(tail->path, error);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    bool good = reader && tcgrr_reader_blocks(reader, error) && find_request(tail, reader, chunk, &place, error) &&
                (place >= run->icount || cut_at(writer, tail, reader, chunk, place, run, error));
    tcgrr_chunk_free(chunk);
    tcgrr_reader_free(reader);
    return good;
}

bool tcgrr_cut_run(struct tcgrr_writer *writer, const struct tcgrr_tail *tail, struct tcgrr_until *until,
                   struct tcgrr_run *run, GError **error)
{
    tcgrr_icount place = UINT64_MAX;

    struct tcgrr_reader *reader = tcgrr_reader_open(tail->path, error);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    bool good = reader && tcgrr_reader_blocks(reader, error) && tcgrr_until_place(until, reader, &place, error) &&
                (place >= run->icount || place == 0 || cut_at(writer, tail, reader, chunk, place, run, error));
    tcgrr_chunk_free(chunk);
    tcgrr_reader_free(reader);
    return good;
}
