/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers whose values a report shows where they were sampled. */
#ifndef TCGRR_CLI_REPORT_REGISTERS_H
#define TCGRR_CLI_REPORT_REGISTERS_H

#include "cli/report/report.h"

struct report_registers;

/*
 * Those whose names match one of `patterns` (const char *, with * and ?). NULL with an error: the trace has no samples,
 * or a pattern matches nothing.
 */
struct report_registers *report_registers_new(struct report_job *job, const GPtrArray *patterns, GError **error);
/* NULL is allowed. */
void report_registers_free(struct report_registers *registers);

/* The samples of chunk `id` come next. */
bool report_registers_begin(struct report_registers *registers, int64_t id, GError **error);
/* Whether there is a sample of the state before execution `exec` of the chunk. Executions have to be asked for in
 * order. */
bool report_registers_at(struct report_registers *registers, uint32_t exec);
/*
 * Calls `show` for each register that has another value than when it was shown last, or was not shown yet, with the
 * value as "0x…". With `text` only for those that it mentions.
 */
void report_registers_changes(struct report_registers *registers, const char *text,
                              void (*show)(const char *name, const char *value, void *data), void *data);

#endif
