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
    bool limited;     /* the address is called so for a part of the run only: */
    uint64_t since;   /* from this icount */
    uint64_t until;   /* up to, and without, this one; UINT64_MAX: the end */
};

/* A symbol as a file has it. */
struct tcgrr_label {
    uint64_t address;
    uint64_t size;  /* 0: not known */
    uint64_t limit; /* end of its section: without a size it reaches to there at most */
    bool global;
    const char *name; /* NULL: has no name for code, but ends what comes before it */
};

/* A part of a program's memory in which code ran. */
struct tcgrr_mapping {
    uint64_t first;   /* address */
    uint64_t size;    /* bytes */
    uint64_t offset;  /* where it begins in the file */
    const char *path; /* of the file that it was mapped from; NULL: of none */
    uint64_t since;   /* the icount at which code there was first seen */
};

struct tcgrr_symbols;
struct tcgrr_reader;

struct tcgrr_symbols *tcgrr_symbols_new(void);
/* NULL is allowed. */
void tcgrr_symbols_free(struct tcgrr_symbols *symbols);

/* Adds a copy. Addresses are looked up fastest when they come in ascending order. */
void tcgrr_symbols_add(struct tcgrr_symbols *symbols, const struct tcgrr_symbol *symbol);

/* Adds copies of all that `from` has. */
void tcgrr_symbols_join(struct tcgrr_symbols *symbols, struct tcgrr_symbols *from);

/* Adds the symbols of a file, with `offset` added to all addresses. Sorts `labels` (struct tcgrr_label). */
void tcgrr_symbols_add_labels(struct tcgrr_symbols *symbols, GArray *labels, const char *file, uint64_t offset);

/*
 * Adds those of the ELF file at `path`. A file that does not exist, is not ELF or has no symbols is an error only if
 * `required`. In Arm files the Thumb bit is left out.
 */
bool tcgrr_symbols_add_elf(struct tcgrr_symbols *symbols, const char *path, bool required, GError **error);
/*
 * Adds those of a program, if it has any. `start_code` is the address of its lowest code, because a
 * position-independent program does not run where it was linked; 0: not known, addresses are as linked.
 */
void tcgrr_symbols_add_program(struct tcgrr_symbols *symbols, const char *path, uint64_t start_code);
/*
 * A new table with the symbols of the files of `mappings` (struct tcgrr_mapping, by time) that lie in these mappings,
 * from mapping number `from` on, except those that `known` (may be NULL) has already. If any of the mappings shows that
 * another file, or another part of it, is at their addresses at another time, they are valid for a limited time only;
 * *limited: there are such symbols.
 */
struct tcgrr_symbols *tcgrr_symbols_of_mappings(const GArray *mappings, guint from, struct tcgrr_symbols *known,
                                                bool *limited);
/*
 * Adds those symbols of the ELF file that lie in `mapping`, and one with the file's name for the code that no other one
 * covers, which begins at the file's address 0. Adds nothing if the file cannot be read, or if the mapping has none of
 * its code.
 */
void tcgrr_symbols_add_mapped_elf(struct tcgrr_symbols *symbols, const struct tcgrr_mapping *mapping);
/* Adds those of a text file, System.map, /proc/kallsyms or what nm prints, with `offset` added to all addresses. */
bool tcgrr_symbols_add_text(struct tcgrr_symbols *symbols, const char *path, uint64_t offset, GError **error);
/* Adds those of a file of either kind, likewise. None at all is an error. */
bool tcgrr_symbols_add_file(struct tcgrr_symbols *symbols, const char *path, uint64_t offset, GError **error);

bool tcgrr_symbols_is_elf(const char *path);
/* Whether the ELF file at `path` is position-independent; *lowest: the address at which its lowest code was linked. */
bool tcgrr_symbols_can_move(const char *path, uint64_t *lowest);
/* Whether it names an interpreter: it will have libraries. */
bool tcgrr_symbols_is_dynamic(const char *path);
/* Calls `visit` for each section of code of the ELF file at `path`; `bytes` are valid during the call. */
bool tcgrr_symbols_elf_code(const char *path,
                            void (*visit)(uint64_t address, const void *bytes, size_t size, void *data), void *data,
                            GError **error);

struct tcgrr_blocks;
/*
 * How much higher the code of the ELF file at `path` ran than it was linked, derived from those of the first `count`
 * blocks whose bytes occur exactly once in the file. TCGRR_ERROR_FAILED if there are too few of them, or they do not
 * agree.
 */
bool tcgrr_symbols_find_offset(const char *path, const struct tcgrr_blocks *blocks, uint32_t count, uint64_t *offset,
                               GError **error);

/* Adds those of a trace. */
bool tcgrr_symbols_add_trace(struct tcgrr_symbols *symbols, struct tcgrr_reader *reader, GError **error);

/*
 * Writes an ELF file that holds nothing but these symbols, for debuggers, to `path`. *written: there are symbols, and
 * the form of ELF files of `target` is known. TCGRR_ERROR_FAILED if it cannot be written.
 */
bool tcgrr_symbols_write(struct tcgrr_symbols *symbols, const char *target, const char *path, bool *written,
                         GError **error);

/* All of them, struct tcgrr_symbol by ascending address; owned by the table, valid until the next is added. */
const GArray *tcgrr_symbols_list(struct tcgrr_symbols *symbols);

/* The symbol that covers `pc`, of several the one that begins last; NULL if there is none, or if that depends on the
 * icount. */
const struct tcgrr_symbol *tcgrr_symbols_at(struct tcgrr_symbols *symbols, uint64_t pc);
/* Its name and the offset, "name+0x10"; NULL if there is none. Owned by the caller. */
char *tcgrr_symbols_name(struct tcgrr_symbols *symbols, uint64_t pc);
/* The same when `icount` instructions have run. */
char *tcgrr_symbols_name_at(struct tcgrr_symbols *symbols, uint64_t pc, uint64_t icount);
/* The symbol called `name`; NULL if there is none. */
const struct tcgrr_symbol *tcgrr_symbols_find(struct tcgrr_symbols *symbols, const char *name);

#endif
