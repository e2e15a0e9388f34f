/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source lines of addresses, from the DWARF of ELF files by elfutils' libdw. Where tcgrr was built without it there are
 * none. One thread.
 */
#ifndef TCGRR_STORE_LINES_H
#define TCGRR_STORE_LINES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Instructions from `address` up to, but not including, `end` that come from one line. */
struct tcgrr_line {
    uint64_t address;
    uint64_t end;
    const char *file; /* absolute where DWARF names the folder of the compilation; owned by the table */
    uint32_t number;  /* from 1 */
};

struct tcgrr_lines;

/* Whether tcgrr was built with libdw. */
bool tcgrr_lines_available(void);

struct tcgrr_lines *tcgrr_lines_new(void);
/* NULL is allowed. */
void tcgrr_lines_free(struct tcgrr_lines *lines);

/*
 * Adds those of the ELF file at `path`, which ran `offset` higher than it was linked. A file without DWARF, or whose
 * DWARF cannot be read, adds none. Returns whether it added any.
 */
bool tcgrr_lines_add_elf(struct tcgrr_lines *lines, const char *path, uint64_t offset);

/* All of them, struct tcgrr_line by ascending address; owned by the table, valid until the next file is added. */
const GArray *tcgrr_lines_list(struct tcgrr_lines *lines);
/* The line that `pc` comes from; NULL: not known. */
const struct tcgrr_line *tcgrr_lines_at(struct tcgrr_lines *lines, uint64_t pc);

#endif
