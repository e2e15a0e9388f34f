/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports: what QEMU's example plugins report during a run, computed from a recorded one. Each report is one file and
 * one row of the table in cli/report.c, with the name, options and columns of the plugin, so that existing scripts
 * work; docs/reports.md lists the figures that differ on purpose.
 */
#ifndef TCGRR_CLI_REPORT_REPORT_H
#define TCGRR_CLI_REPORT_REPORT_H

#include "store/exec_walk.h"
#include "store/isa/disasm.h"
#include "store/addr2line.h"
#include "store/symbols.h"
#include "store/trace.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>

enum report_kind {
    REPORT_NUMBER,  /* decimal, or 0x… */
    REPORT_SWITCH,  /* on, yes, true, off, no, false; the name alone is on */
    REPORT_CHOICE,  /* one of the words in `values` */
    REPORT_TEXT,    /* not empty */
    REPORT_LIST,    /* like TEXT, may be given more than once */
    REPORT_WITHOUT, /* one of the plugin's switches that has no effect here: accepted, with a note */
};

struct report_option {
    const char *name; /* NULL ends a list */
    enum report_kind kind;
    const char *values; /* as help shows them: "N", "PATH"; for a choice all of them, "lru|fifo|rand" */
    const char *text;
    uint64_t fallback; /* NUMBER: its value, SWITCH: 0 or 1, CHOICE: the index of the word */
    uint64_t least;    /* NUMBER */
    uint64_t most;
};

/* The value of an option. */
struct report_value {
    bool given;
    uint64_t number;  /* NUMBER, SWITCH, CHOICE; else 0 */
    const char *text; /* TEXT; NULL if not given */
    GPtrArray *texts; /* LIST of const char *, empty if not given */
};

#define REPORT_MAX_OPTIONS 16

/* The option that report_source_line_text() and report_set_source_line() obey. */
#define REPORT_LINES                                                                                                   \
    {                                                                                                                  \
        "lines", REPORT_SWITCH, NULL, "also the source line, from the DWARF of the guest's files", 0, 0, 0             \
    }

/* One run of a report. */
struct report_job {
    const struct report *report;
    struct report_value values[REPORT_MAX_OPTIONS]; /* in the order of the report's options */
    bool json;                                      /* print one object, not text */
    const char *output; /* the file for output that is not text (html); NULL: standard output */
    bool progress;      /* show how far it is, on standard error */
    bool fill;          /* derive a level that the trace lacks */
    struct tcgrr_reader *reader;
    const struct tcgrr_run *run;
    const struct tcgrr_blocks *blocks; /* all of the trace */
    uint32_t block_count;
    struct tcgrr_disasm *disasm;
    struct tcgrr_symbols *symbols;
    struct tcgrr_addr2line *sources; /* NULL: source lines are not asked for */
    GHashTable *lines;               /* those found: pc → "file.c:12" or "" */
    gint64 next_progress;            /* when a walk shows it next, on g_get_monotonic_time()'s clock */
};

struct report {
    const char *name;
    const char *summary;                 /* one line */
    const char *help;                    /* what it prints, how that differs from the plugin, and examples */
    const struct report_option *options; /* ends with an empty row */
    /* Prints to standard output. An error of TCGRR_ERROR_USAGE is about the options. */
    bool (*run)(struct report_job *job, GError **error);
    /* Prints help that depends on the trace; may be NULL. */
    void (*explain)(const struct tcgrr_run *run);
    const char *sql; /* for help: the statement that returns its rows; NULL: no single one does */
};

extern const struct report report_bb;
extern const struct report report_bbv;
extern const struct report report_cache;
extern const struct report report_cflow;
extern const struct report report_drcov;
extern const struct report report_execlog;
extern const struct report report_hotblocks;
extern const struct report report_hotpages;
extern const struct report report_howvec;
extern const struct report report_hwprofile;
extern const struct report report_insn;
extern const struct report report_ips;
extern const struct report report_mem;
extern const struct report report_syscall;
extern const struct report report_traps;

/*
 * Whether the trace has anything of that level. If it has only a part of the run, prints a note or, if the rest can be
 * derived, fails.
 */
bool report_need(struct report_job *job, enum tcgrr_level level, GError **error);

/* ---- options ---- */

/*
 * Parses `words`, each "NAME=VALUE", into job->values; they must outlive the job. TCGRR_ERROR_USAGE names the option
 * and what it takes. report_clear_options() frees the result, also after an error.
 */
bool report_parse_options(struct report_job *job, char **words, GError **error);
void report_clear_options(struct report_job *job);
/* Prints the options for help. */
void report_print_options(const struct report_option *options);
json_t *report_options_json(const struct report_option *options);

/* ---- reading ---- */

/*
 * Begins a walk over the trace's executions (store/exec_walk.h) that shows progress: those in `range`, or all if it is
 * NULL. False with an error. Call report_walk_end() in either case. One walk at a time.
 */
bool report_walk_begin(struct report_job *job, struct tcgrr_exec_walk *walk, const struct tcgrr_exec_range *range,
                       GError **error);
void report_walk_end(struct tcgrr_exec_walk *walk);
/* The executions of the instructions from..until. */
struct tcgrr_exec_range report_range(tcgrr_icount from, tcgrr_icount until);

/*
 * Fills `events` (struct tcgrr_event), in order, with those after the chunk's first execution up to those right after
 * its last one. An event comes after execution event.seq - 1 of the trace.
 */
bool report_chunk_events(struct report_job *job, const struct tcgrr_chunk *chunk, GArray *events, GError **error);

/* A memory access and where it was made. */
struct report_access {
    const struct tcgrr_access *access;
    const struct tcgrr_block *block;
    tcgrr_icount icount; /* before the block's execution */
    tcgrr_vcpu vcpu;
};
/* Calls `visit` for each memory access, in order. */
bool report_each_access(struct report_job *job, void (*visit)(const struct report_access *access, void *data),
                        void *data, GError **error);

/*
 * Calls `visit` for each row of an SQL statement over the trace's tables. Prefer it to reading chunks unless it is
 * slower. Statements that visit every execution or memory access are slower: mem takes 8 times as long in SQL, hotpages
 * 7 to 15 times, bb 90 times (GROUP BY vcpu sorts all executions).
 */
typedef void (*report_row_visitor)(sqlite3_stmt *row, void *data);
bool report_each_row(struct report_job *job, const char *sql, report_row_visitor visit, void *data, GError **error);

/* The text of each of the block's instructions, for g_strfreev(). */
char **report_disasm(struct report_job *job, const struct tcgrr_block *block);
/* The name of the symbol that covers `pc`, without an offset; NULL if none does. Owned by the caller. */
char *report_symbol(struct report_job *job, uint64_t pc);
/* With an offset, "name+0x10". */
char *report_place(struct report_job *job, uint64_t pc);
/* `before` and the source line of `pc`, as in ", file.c:12", or ", ?" if it is not known; "" if source lines were not
 * asked for. Owned by the caller. */
char *report_source_line_text(struct report_job *job, const char *before, uint64_t pc);
/* Adds the source line to `object` as "line", null if it is not known; adds nothing if source lines were not asked for.
 * */
void report_set_source_line(struct report_job *job, json_t *object, uint64_t pc);
/* At most the first four bytes of an instruction, as a little-endian number. */
uint32_t report_opcode(const struct tcgrr_block *block, uint32_t insn);
/* Offset of an instruction's bytes in its block. */
uint32_t report_offset(const struct tcgrr_block *block, uint32_t insn);

/* How often blocks ran, and how far. */
struct report_profile {
    uint64_t *execs;  /* by block: executions that began */
    GArray *partials; /* struct report_partial, by block, then by `ran` */
    GArray *vcpus;    /* struct report_vcpu, by vCPU; at least as many as the machine has */
};
struct report_partial {
    uint32_t block;
    uint32_t ran;   /* instructions that ran; fewer than the block has */
    uint64_t execs; /* how often exactly `ran` instructions ran */
};
struct report_vcpu {
    uint64_t execs;
    uint64_t ran; /* instructions */
};
bool report_profile_make(struct report_job *job, struct report_profile *profile, GError **error);
void report_profile_clear(struct report_profile *profile);
/* How often each instruction of `block` ran to its end: fills `counts`, which has room for all of them. */
void report_profile_insns(const struct report_job *job, const struct report_profile *profile, uint32_t block,
                          uint64_t *counts);
/* The entry of a vCPU, added if it is missing. NULL with an error for a number that no machine has. */
struct report_vcpu *report_vcpu(GArray *vcpus, tcgrr_vcpu vcpu, GError **error);

/* All values of a table, in no particular order; unreference it. */
GPtrArray *report_values_of(GHashTable *table);

/* ---- printing ---- */

/* Prints `object` with the report's and the trace's name, as JSON. Takes the reference. */
void report_print_json(struct report_job *job, json_t *object);
/*
 * Prints the beginning of such an object, up to the opening bracket of the list `key`, for lists whose items are
 * printed one by one.
 */
void report_begin_json(struct report_job *job, const char *key);
/* A string or null; frees the text. */
json_t *report_text_json(char *text);
json_t *report_number_json(uint64_t number);

/* Opens a file for writing and truncates it, unless it is the trace itself. NULL with error. */
FILE *report_create(struct report_job *job, const char *path, GError **error);
/* Closes the file. If not everything could be written, removes it and returns false with an error. */
bool report_close(FILE *file, const char *path, GError **error);
/* Removes what was written to `path`, unless that is a device, a pipe or a link. */
void report_discard(const char *path);

#endif
