/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: processes that were recorded together, each in a trace of its own (docs/user-mode.md). The first one's
 * trace lists all of them, any other one's itself alone.
 */
#ifndef TCGRR_STORE_PROCESSES_H
#define TCGRR_STORE_PROCESSES_H

#include "store/trace.h"

/* Strings are owned by whoever fills the struct; in a visit they are valid during the call. */
struct tcgrr_recorded_process {
    const char *name; /* "0": the first one; otherwise which child of which child it is: "2", "2.1" */
    int64_t pid;
    const char *program; /* that it executed last */
    const char *trace;   /* the trace's file, without folder */
    tcgrr_icount icount;
    const char *exit; /* how it ended */
    bool complete;
};
#define TCGRR_FIRST_PROCESS "0"

bool tcgrr_writer_process(struct tcgrr_writer *writer, const struct tcgrr_recorded_process *process, GError **error);

/* Calls `visit` for each process, in order of their names; none where children were not recorded. */
bool tcgrr_reader_processes(struct tcgrr_reader *reader,
                            void (*visit)(const struct tcgrr_recorded_process *process, void *data), void *data,
                            GError **error);

/*
 * Whether the run begins with the start of a program. That of a forked process does not: false with TCGRR_ERROR_FAILED,
 * whose message names the process.
 */
bool tcgrr_reader_check_start(struct tcgrr_reader *reader, GError **error);

#endif
