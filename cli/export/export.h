/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traces in other programs' formats: one file per format, and the functions that they share. docs/export.md describes
 * each. */
#ifndef TCGRR_CLI_EXPORT_EXPORT_H
#define TCGRR_CLI_EXPORT_EXPORT_H

#include "cli/report/report.h"
#include "store/stacks.h"

/* One export. */
struct export_job {
    struct report_job *report; /* reads the trace, knows names */
    FILE *out;                 /* NULL for a format that writes its own files, at `path` */
    const char *path;          /* NULL: standard output */
    tcgrr_icount from;         /* only instructions from here */
    tcgrr_icount until;        /* up to, and without, this one; UINT64_MAX: the end */
    uint64_t least; /* perfetto, uftrace: leave out functions that ran for fewer instructions; 0: perfetto keeps about a
                       million, uftrace all */
};

struct export_format {
    const char *name;
    const char *summary; /* one line */
    bool binary;         /* not for a terminal */
    bool own_files;      /* needs a path, which it creates */
    /* Writes all of it. */
    bool (*run)(struct export_job *job, GError **error);
};

extern const struct export_format export_callgrind;
extern const struct export_format export_csv;
extern const struct export_format export_folded;
extern const struct export_format export_lcov;
extern const struct export_format export_parquet;
extern const struct export_format export_perfetto;
extern const struct export_format export_tenet;
extern const struct export_format export_uftrace;

/* ---- names ---- */

/* Functions by number, so that counting by function needs no strings. */
struct export_functions;
struct export_functions *export_functions_new(struct report_job *job);
void export_functions_free(struct export_functions *functions);
/* The number of the function that block `number` belongs to; 0 if no symbol covers it. */
uint32_t export_function_of_block(struct export_functions *functions, uint32_t number);
/* The number of the function that begins at `entry`; one without a symbol is named by its address. */
uint32_t export_function_at(struct export_functions *functions, uint64_t entry);
const char *export_function_name(const struct export_functions *functions, uint32_t function);
uint32_t export_function_count(const struct export_functions *functions);

/* ---- walking ---- */

/* What export_walk() calls; each may be NULL. */
struct export_visitor {
    void (*entered)(void *data, tcgrr_vcpu vcpu, const struct tcgrr_frame *frame);
    void (*left)(void *data, tcgrr_vcpu vcpu, bool bottom, tcgrr_icount icount);
    void (*execution)(void *data, const struct tcgrr_cursor *at); /* called after its effect on the stack */
    bool (*event)(void *data, const struct tcgrr_event *event);   /* of any kind, before the execution it precedes */
    void *data;
};
/* Visits all executions, with their calls and events. At the end, `left` is called for everything that is still on the
 * stack. */
bool export_walk(struct export_job *job, const struct export_visitor *visitor, GError **error);

#endif
