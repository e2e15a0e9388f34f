/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recorded run that is browsed: the current place, moves, and what is around the place. It is independent of the
 * screen. Its memory does not grow with the run: a move decodes the chunks that it reaches, and only the last few stay
 * decoded. Not thread-safe. Functions that can fail return false with an error; a move that fails leaves the place
 * unchanged.
 */
#ifndef TCGRR_CLI_BROWSE_RUN_H
#define TCGRR_CLI_BROWSE_RUN_H

#include "store/stacks.h"
#include "store/trace.h"

struct browse_run;

/* Opens a trace at its first instruction. NULL with an error if that fails or nothing ran. */
struct browse_run *browse_run_open(const char *path, GError **error);
/* NULL is allowed. */
void browse_run_free(struct browse_run *run);

const char *browse_run_path(const struct browse_run *run);
/* The trace's description of the run; valid until browse_run_free(). */
const struct tcgrr_run *browse_run_about(const struct browse_run *run);
/* Instructions in the whole run. */
tcgrr_icount browse_run_length(const struct browse_run *run);

/* The current instruction, which is the next one to run. */
struct browse_place {
    tcgrr_icount icount;
    tcgrr_seq seq;  /* of its execution */
    uint32_t block; /* number in the trace */
    uint32_t insn;  /* index in the block */
    uint64_t pc;
    tcgrr_vcpu vcpu;
};
struct browse_place browse_run_place(const struct browse_run *run);

/* ---- moves ---- */

enum browse_direction { BROWSE_BACK, BROWSE_ON };

/* To the instruction that runs at `icount`; past the end, to the last one. */
bool browse_go(struct browse_run *run, tcgrr_icount icount, GError **error);
/* To the previous or next instruction. All moves set *moved to whether there was such a place; if not, the place stays.
 * */
bool browse_step(struct browse_run *run, enum browse_direction direction, bool *moved, GError **error);
/* To the first instruction of the nearest execution of the current block. */
bool browse_block(struct browse_run *run, enum browse_direction direction, bool *moved, GError **error);
/* To the nearest execution of the instruction at `pc`. */
bool browse_pc(struct browse_run *run, uint64_t pc, enum browse_direction direction, bool *moved, GError **error);
/* To the instruction after the nearest event that is not a flush of QEMU's code cache. */
bool browse_event(struct browse_run *run, enum browse_direction direction, bool *moved, GError **error);
/* To the nearest instruction that accesses the byte at `address`. An error where the trace has no accesses. */
bool browse_access(struct browse_run *run, uint64_t address, enum browse_direction direction, bool *moved,
                   GError **error);
/* To the nearest instruction whose text contains `text`, ignoring case. */
bool browse_search(struct browse_run *run, const char *text, enum browse_direction direction, bool *moved,
                   GError **error);
/* To the call of the current function, or to what ran before the interrupt or exception. */
bool browse_caller(struct browse_run *run, bool *moved, GError **error);
/*
 * To the place that the user names: an icount, with or without commas; a share of the run, "12.5%"; or a 0x address or
 * symbol, which means its next execution from here or, if there is none, its first. Anything else is TCGRR_ERROR_USAGE.
 */
bool browse_find(struct browse_run *run, const char *text, bool *moved, GError **error);

/* ---- what is here ---- */

enum browse_row_kind {
    BROWSE_INSN,        /* ran */
    BROWSE_NOT_REACHED, /* follows, in its block, those that ran */
    BROWSE_EVENT,       /* happened before the instruction in the next row */
};
struct browse_row {
    enum browse_row_kind kind;
    tcgrr_icount icount;
    tcgrr_vcpu vcpu;
    uint64_t pc;  /* of an instruction */
    bool begins;  /* the first instruction of an execution */
    bool ends;    /* the last one of its block */
    char *text;   /* the instruction's, or the event's */
    char *symbol; /* "name+0x10"; NULL: no symbol covers it */
};
/*
 * The rows around the place, for g_ptr_array_unref(): at least `before` rows before the instruction and `after` rows
 * from it on, unless the run is shorter. *here is the index of the instruction's own row. NULL with an error.
 */
GPtrArray *browse_rows(struct browse_run *run, guint before, guint after, guint *here, GError **error);

/* The functions on the call stack, innermost first. */
struct browse_frame {
    const char *kind; /* how it was entered */
    uint64_t pc;      /* where it is */
    tcgrr_icount entered;
    char *symbol; /* of `pc`; NULL: no symbol covers it */
    char *line;   /* of `pc`, "file.c:12" without its folder; NULL: no DWARF has it */
};
/*
 * Works on the answer for a few milliseconds. *frames stays NULL until the answer is known, and is then a list for
 * g_ptr_array_unref().
 */
bool browse_stack(struct browse_run *run, GPtrArray **frames, GError **error);

/* The source line of the place, and what the compiler inlined there: "file.c:12, inner < outer"; NULL: no DWARF has it.
 * Owned by the caller. */
char *browse_source(struct browse_run *run);

/* One line of a list: its text, and the place that it leads to. */
struct browse_line {
    tcgrr_icount icount;
    char *text;
};
/* The events around the place, at most `before` before it and `after` after it; *here is the index of the first one
 * that is not before it. NULL with an error. */
GPtrArray *browse_events(struct browse_run *run, guint before, guint after, guint *here, GError **error);
/*
 * The registers at *at, the last sample at or before the place, each as "name value". An empty list if the trace has no
 * sample before the place. NULL with an error.
 */
GPtrArray *browse_registers(struct browse_run *run, tcgrr_icount *at, GError **error);
/* The instruction's memory accesses: "load 8 at 0x… = 0x…". NULL with an error. */
GPtrArray *browse_accesses(struct browse_run *run, GError **error);
/* Whether the trace has samples, and whether it has accesses at the place. The third function returns the command that
 * adds a missing level around the place, owned by the caller. */
bool browse_has_registers(const struct browse_run *run);
bool browse_has_accesses(const struct browse_run *run);
char *browse_fill_command(const struct browse_run *run, enum tcgrr_level level);

/* A bar of `width` columns that summarises the whole run. */
struct browse_bar {
    guint width;
    uint32_t *events;
    uint32_t *code; /* 0 to 8: how much distinct code ran, relative to the column with the most */
    bool *keyframes;
};
/* NULL with an error. */
struct browse_bar *browse_bar_new(struct browse_run *run, guint width, GError **error);
/* NULL is allowed. */
void browse_bar_free(struct browse_bar *bar);
/* The column of an icount. */
guint browse_bar_column(const struct browse_run *run, guint width, tcgrr_icount icount);

/* ---- bookmarks ---- */

/* The trace's bookmarks (struct browse_line), by icount; owned by the run, valid until they change. */
const GPtrArray *browse_bookmarks(const struct browse_run *run);
/* Sets a bookmark with `text` at the place, or removes it if `text` is "". It is stored in the trace at once. */
bool browse_bookmark(struct browse_run *run, const char *text, GError **error);

#endif
