/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/align/codes.h"

void tcgrr_codes_init(struct tcgrr_codes *codes, enum tcgrr_isa isa)
{
    codes->isa = isa;
    codes->classes = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    codes->entries = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

void tcgrr_codes_clear(struct tcgrr_codes *codes)
{
    g_clear_pointer(&codes->classes, g_hash_table_destroy);
    g_clear_pointer(&codes->entries, g_hash_table_destroy);
}

const struct tcgrr_insn_class *tcgrr_codes_classes(struct tcgrr_codes *codes, const struct tcgrr_block *block)
{
    struct tcgrr_insn_class *classes = g_hash_table_lookup(codes->classes, block);
    if (!classes) {
        classes = g_new(struct tcgrr_insn_class, block->insns);
        tcgrr_isa_classify(codes->isa, block->pc, block->bytes, block->lengths, block->insns, classes);
        g_hash_table_insert(codes->classes, (gpointer)block, classes);
    }
    return classes;
}

bool tcgrr_codes_indirect(struct tcgrr_codes *codes, const struct tcgrr_exec *exec)
{
    return exec->ran == exec->block->insns &&
           tcgrr_codes_classes(codes, exec->block)[exec->ran - 1].flow == TCGRR_FLOW_INDIRECT;
}

bool tcgrr_codes_clock(const struct tcgrr_codes *codes, const struct tcgrr_insn_cursor *walk)
{
    const struct tcgrr_block *block = tcgrr_insn_cursor_exec(walk)->block;
    return tcgrr_isa_depends_on_time(codes->isa, block->bytes + walk->offset, block->lengths[walk->insn]);
}

bool tcgrr_codes_device(struct tcgrr_codes *codes, const struct tcgrr_insn_cursor *walk)
{
    const struct tcgrr_exec *exec = tcgrr_insn_cursor_exec(walk);
    struct tcgrr_insn_cursor after = *walk;
    uint32_t ran = walk->insn + 1;

    if (ran != exec->ran || ran == exec->block->insns || exec->counted != exec->ran) {
        return false;
    }
    tcgrr_insn_cursor_skip(&after);
    const struct tcgrr_exec *next = tcgrr_insn_cursor_exec(&after);
    return next && next->block->pc == tcgrr_insn_cursor_pc(walk) + exec->block->lengths[walk->insn] &&
           tcgrr_codes_classes(codes, exec->block)[walk->insn].access != TCGRR_ACCESS_NONE;
}
