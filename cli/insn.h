/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single instructions of a recorded run as text, taken from the disassembly of their recorded blocks. */
#ifndef TCGRR_CLI_INSN_H
#define TCGRR_CLI_INSN_H

#include "store/isa/disasm.h"
#include "store/symbols.h"
#include "store/trace.h"

struct cli_insns;

/* `target` is QEMU's target name; the reader and the symbols stay the caller's and must outlive it. */
struct cli_insns *cli_insns_new(struct tcgrr_reader *reader, const char *target, struct tcgrr_symbols *symbols);
void cli_insns_free(struct cli_insns *insns);

/*
 * The text of the instruction at `pc` with these bytes, which is number `icount` of the run or begins there without
 * retiring; NULL if its bytes are not known. If the run has no such instruction, the bytes alone are disassembled.
 * Owned by the caller.
 */
char *cli_insns_text(struct cli_insns *insns, tcgrr_icount icount, uint64_t pc, const uint8_t *bytes, uint8_t length);

/* "file.c:12", from the DWARF of the files that the symbols come from; NULL: not known. Owned by the caller. */
char *cli_insns_line(const struct cli_insns *insns, uint64_t pc);

#endif
