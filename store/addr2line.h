/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source lines of single addresses, and the inlined functions around them, from the DWARF of ELF files by elfutils'
 * libdw. Only the compilation units that are asked about are read, so that a kernel's gigabyte of DWARF costs nothing
 * until then; store/lines.h has the lines of whole files. Where tcgrr was built without libdw there are none. One
 * thread.
 */
#ifndef TCGRR_STORE_ADDR2LINE_H
#define TCGRR_STORE_ADDR2LINE_H

#include "store/blocks.h"
#include "store/symbols.h"

struct tcgrr_addr2line;

struct tcgrr_addr2line *tcgrr_addr2line_new(void);
/* NULL is allowed. */
void tcgrr_addr2line_free(struct tcgrr_addr2line *sources);

/* Adds the files that the symbols come from, where the first `count` blocks show that they ran. */
void tcgrr_addr2line_add_files(struct tcgrr_addr2line *sources, struct tcgrr_symbols *symbols,
                               const struct tcgrr_blocks *blocks, uint32_t count);

/* "file.c:12", the file as the compiler was given it; NULL: not known. Owned by the caller. */
char *tcgrr_addr2line_line(struct tcgrr_addr2line *sources, uint64_t pc);
/* The functions that the compiler inlined there, the innermost first, "inner < outer"; NULL: none. Owned by the
 * caller. */
char *tcgrr_addr2line_inlined(struct tcgrr_addr2line *sources, uint64_t pc);

#endif
