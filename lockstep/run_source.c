/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/run_source_internal.h"

#include "store/digest.h"

void tcgrr_stretch_init(struct tcgrr_stretch *stretch)
{
    stretch->execs = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_exec));
    stretch->events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
}

void tcgrr_stretch_clear(struct tcgrr_stretch *stretch)
{
    g_clear_pointer(&stretch->execs, g_array_unref);
    g_clear_pointer(&stretch->events, g_array_unref);
}

static bool begun(const struct tcgrr_cursor *cursor, tcgrr_icount to)
{
    return cursor->index < cursor->chunk->count && cursor->icount < to;
}

void tcgrr_run_source_append_execs(struct tcgrr_cursor cursor, tcgrr_icount from, tcgrr_icount to, GArray *execs)
{
    for (bool more = begun(&cursor, to); more; more = tcgrr_cursor_next(&cursor) && cursor.icount < to) {
        if (cursor.icount + cursor.counted > from || (cursor.counted == 0 && cursor.icount >= from)) {
            struct tcgrr_exec exec = {cursor.block, cursor.ran, cursor.counted, cursor.vcpu, cursor.icount};
            g_array_append_val(execs, exec);
        }
    }
}

/* The instructions `first`..`last` of a block that begins an interval, ends it, or both. */
static uint64_t append_part(uint64_t flow, const struct tcgrr_block *block, uint32_t first, uint32_t last)
{
    uint64_t power = tcgrr_digest_power(last - first);
    return tcgrr_digest_append(
        flow, power, tcgrr_digest_behead(tcgrr_block_prefix(block, last), power, tcgrr_block_prefix(block, first)));
}

uint64_t tcgrr_run_source_digest(struct tcgrr_cursor cursor, tcgrr_icount from, tcgrr_icount to, uint64_t flow)
{
    for (bool more = begun(&cursor, to); more; more = tcgrr_cursor_next(&cursor) && cursor.icount < to) {
        uint64_t first = cursor.icount < from ? MIN(from - cursor.icount, (uint64_t)cursor.ran) : 0;
        uint64_t last = MIN(to - cursor.icount, (uint64_t)cursor.ran);
        if (first == 0 && last == cursor.block->insns) {
            flow = tcgrr_digest_append(flow, cursor.block->power, cursor.block->sum);
        } else if (first < last) {
            flow = append_part(flow, cursor.block, (uint32_t)first, (uint32_t)last);
        }
    }
    return flow;
}

/* The first instruction at `pc` of those that ran, from `first` on. */
static bool find_in_block(const struct tcgrr_cursor *cursor, uint64_t pc, uint32_t first, uint32_t *index)
{
    uint64_t at = cursor->block->pc;
    for (uint32_t i = 0; i < cursor->ran; i++) {
        if (at == pc && i >= first) {
            *index = i;
            return true;
        }
        at += cursor->block->lengths[i];
    }
    return false;
}

bool tcgrr_run_source_find(struct tcgrr_cursor cursor, uint64_t pc, tcgrr_icount from, tcgrr_icount to,
                           tcgrr_icount *icount)
{
    for (bool more = begun(&cursor, to); more; more = tcgrr_cursor_next(&cursor) && cursor.icount < to) {
        uint64_t first = cursor.icount < from ? from - cursor.icount : 0;
        uint32_t index;
        if (pc - cursor.block->pc < cursor.block->size && first < cursor.ran &&
            find_in_block(&cursor, pc, (uint32_t)first, &index) && cursor.icount + index < to) {
            *icount = cursor.icount + index;
            return true;
        }
    }
    return false;
}
