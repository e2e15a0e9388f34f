/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of addresses: a table of a guest's functions and code labels, from its ELF files or from a trace. */
#ifndef TCGRR_STORE_SYMBOLS_H
#define TCGRR_STORE_SYMBOLS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct tcgrr_symbol {
    uint64_t address;
    uint64_t size;
    const char *name; /* owned by the table, as is `file` */
    const char *file; /* that it comes from */
};

struct tcgrr_symbols;
struct tcgrr_reader;

struct tcgrr_symbols *tcgrr_symbols_new(void);
/* NULL is allowed. */
void tcgrr_symbols_free(struct tcgrr_symbols *symbols);

/* Adds a copy. Addresses are looked up fastest when they come in ascending order. */
void tcgrr_symbols_add(struct tcgrr_symbols *symbols, const struct tcgrr_symbol *symbol);

/*
 * Adds those of the ELF file at `path`. A file that is not there or not ELF has none, which is an error only if
 * `required`. In Arm files the Thumb bit is left out.
 */
bool tcgrr_symbols_add_elf(struct tcgrr_symbols *symbols, const char *path, bool required, GError **error);

/* Adds those of a trace. */
bool tcgrr_symbols_add_trace(struct tcgrr_symbols *symbols, struct tcgrr_reader *reader, GError **error);

/* All of them, struct tcgrr_symbol by ascending address; owned by the table, valid until the next is added. */
const GArray *tcgrr_symbols_list(struct tcgrr_symbols *symbols);

/* The symbol that covers `pc`; NULL if there is none. */
const struct tcgrr_symbol *tcgrr_symbols_at(struct tcgrr_symbols *symbols, uint64_t pc);
/* Its name and the offset, "name+0x10"; NULL if there is none. Owned by the caller. */
char *tcgrr_symbols_name(struct tcgrr_symbols *symbols, uint64_t pc);
/* The symbol called `name`; NULL if there is none. */
const struct tcgrr_symbol *tcgrr_symbols_find(struct tcgrr_symbols *symbols, const char *name);

#endif
