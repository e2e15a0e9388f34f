/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/until.h"

/* 1 + the index of the instruction at `pc`, 0 if the block has none. */
static uint16_t find_pc(const struct tcgrr_block *block, uint64_t pc)
{
    uint64_t at = block->pc;

    for (uint32_t i = 0; i < block->insns; i++) {
        if (at == pc) {
            return (uint16_t)(i + 1);
        }
        at += block->lengths[i];
    }
    return 0;
}

/* Whether one of the unchecked executions is of a block that contains the instruction. */
static bool may_be_there(struct tcgrr_until *until, const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks)
{
    bool found = false;

    until->where = until->where ? until->where : g_array_new(FALSE, FALSE, sizeof(uint16_t));
    for (uint32_t i = until->looked; i < chunk->count; i++) {
        uint32_t block = chunk->blocks[i];
        while (block >= until->where->len) {
            uint16_t where = find_pc(tcgrr_blocks_get(blocks, until->where->len), until->pc);
            g_array_append_val(until->where, where);
        }
        found = found || g_array_index(until->where, uint16_t, block) > 0;
    }
    return found;
}

static void reach(struct tcgrr_until *until, const struct tcgrr_chunk *chunk, const struct tcgrr_cursor *cursor,
                  uint32_t insn)
{
    until->reached = true;
    until->seq = chunk->first_seq + cursor->index;
    until->insn = insn;
}

bool tcgrr_until_look(struct tcgrr_until *until, const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks)
{
    struct tcgrr_cursor cursor;

    if (!until->wanted || until->reached ||
        (until->has_pc ? !may_be_there(until, chunk, blocks) : chunk->end_icount <= until->icount)) {
        until->looked = chunk->count;
        return until->reached;
    }
    for (bool there = tcgrr_cursor_begin(&cursor, chunk, blocks); there && !until->reached;
         there = tcgrr_cursor_next(&cursor)) {
        bool fresh = until->has_pc && cursor.index >= until->looked;
        uint32_t insn = fresh ? g_array_index(until->where, uint16_t, chunk->blocks[cursor.index]) : 0;
        if (insn > 0 && insn <= cursor.ran) {
            reach(until, chunk, &cursor, insn - 1);
        } else if (!until->has_pc && cursor.icount + cursor.counted > until->icount) {
            reach(until, chunk, &cursor, (uint32_t)(until->icount - cursor.icount));
        }
    }
    until->looked = chunk->count;
    return until->reached;
}

void tcgrr_until_next(struct tcgrr_until *until)
{
    until->looked = 0;
}

/* The chunk with the execution in which the place is. */
static bool find_chunk(const struct tcgrr_until *until, struct tcgrr_reader *reader, struct tcgrr_chunk *chunk,
                       bool *found, GError **error)
{
    int64_t id = -1;

    *found = false;
    return tcgrr_reader_chunk_of_seq(reader, until->seq, &id, error) &&
           (id < 0 || tcgrr_reader_chunk(reader, id, chunk, found, error));
}

bool tcgrr_until_place(const struct tcgrr_until *until, struct tcgrr_reader *reader, tcgrr_icount *place,
                       GError **error)
{
    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(reader, error);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    struct tcgrr_cursor cursor;
    bool found = false;

    if (!until->has_pc) {
        *place = until->icount; /* as the user counts, which is as QEMU does */
        tcgrr_chunk_free(chunk);
        return true;
    }
    bool good = blocks && find_chunk(until, reader, chunk, &found, error);
    bool there = good && found && tcgrr_cursor_begin(&cursor, chunk, blocks);
    while (there && chunk->first_seq + cursor.index < until->seq) {
        there = tcgrr_cursor_next(&cursor);
    }
    *place = there ? cursor.icount + until->insn : UINT64_MAX;
    tcgrr_chunk_free(chunk);
    return good;
}

void tcgrr_until_clear(struct tcgrr_until *until)
{
    if (until->where) {
        g_array_unref(until->where);
    }
}
