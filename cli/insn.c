/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/insn.h"

#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "lockstep/run_source.h"
#include "store/addr2line.h"

struct cli_insns {
    struct tcgrr_run_source *side; /* NULL: it cannot be read */
    struct tcgrr_disasm *disasm;
    struct tcgrr_addr2line *sources;
};

struct cli_insns *cli_insns_new(struct tcgrr_reader *reader, const char *target, struct tcgrr_symbols *symbols)
{
    struct cli_insns *insns = g_new0(struct cli_insns, 1);
    g_autoptr(GError) error = NULL;
    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(reader, &error);

    insns->side = tcgrr_run_source_stored(reader, NULL);
    insns->disasm = tcgrr_disasm_new(target);
    insns->sources = tcgrr_addr2line_new();
    if (blocks) {
        tcgrr_disasm_survey(insns->disasm, blocks, tcgrr_blocks_count(blocks));
        tcgrr_addr2line_add_files(insns->sources, symbols, blocks, tcgrr_blocks_count(blocks));
    } else {
        cli_note("instructions are shown as far as they are known without the trace's blocks: %s", error->message);
    }
    return insns;
}

void cli_insns_free(struct cli_insns *insns)
{
    if (insns->side) {
        insns->side->ops->free(insns->side);
    }
    tcgrr_disasm_free(insns->disasm);
    tcgrr_addr2line_free(insns->sources);
    g_free(insns);
}

/* NULL if the block has no such instruction. */
static char *text_in_block(struct tcgrr_disasm *disasm, const struct tcgrr_block *block, uint64_t pc,
                           const uint8_t *bytes, uint8_t length)
{
    uint32_t offset = 0;

    for (uint32_t i = 0; i < block->insns; offset += block->lengths[i++]) {
        if (block->pc + offset == pc && block->lengths[i] == length &&
            memcmp(block->bytes + offset, bytes, length) == 0) {
            g_auto(GStrv) texts = tcgrr_disasm_block(disasm, block);
            return g_strdup(texts[i]);
        }
    }
    return NULL;
}

char *cli_insns_text(struct cli_insns *insns, tcgrr_icount icount, uint64_t pc, const uint8_t *bytes, uint8_t length)
{
    struct tcgrr_block alone = {.pc = pc, .insns = 1, .size = length, .lengths = &length, .bytes = bytes};
    struct tcgrr_stretch stretch;
    char *text = NULL;

    if (length == 0) {
        return NULL;
    }
    tcgrr_stretch_init(&stretch);
    if (insns->side && insns->side->ops->stretch(insns->side, icount, icount + 1, &stretch, NULL)) {
        for (guint i = 0; i < stretch.execs->len && !text; i++) {
            text = text_in_block(insns->disasm, g_array_index(stretch.execs, struct tcgrr_exec, i).block, pc, bytes,
                                 length);
        }
    }
    tcgrr_stretch_clear(&stretch);
    return text ? text : text_in_block(insns->disasm, &alone, pc, bytes, length);
}

char *cli_insns_line(const struct cli_insns *insns, uint64_t pc)
{
    return tcgrr_addr2line_line(insns->sources, pc);
}
