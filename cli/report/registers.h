/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers whose sampled values a report shows. */
#ifndef TCGRR_CLI_REPORT_REGISTERS_H
#define TCGRR_CLI_REPORT_REGISTERS_H

#include "cli/report/report.h"

struct report_registers;

/*
 * Selects the registers whose names match one of `patterns` (const char *, with * and ?). NULL with an error if the
 * trace has no samples or a pattern matches nothing.
 */
struct report_registers *report_registers_new(struct report_job *job, const GPtrArray *patterns, GError **error);
/* NULL is allowed. */
void report_registers_free(struct report_registers *registers);

/* Moves to the samples of chunk `id`. */
bool report_registers_begin(struct report_registers *registers, int64_t id, GError **error);
/* Whether there is a sample of the state before execution `exec` of the chunk. Call it with ascending executions. */
bool report_registers_at(struct report_registers *registers, uint32_t exec);
/*
 * Calls `show`, with the value as "0x…", for each register whose value has changed since it was last shown, or that was
 * never shown. With `text`, only for those that it mentions.
 */
void report_registers_changes(struct report_registers *registers, const char *text,
                              void (*show)(const char *name, const char *value, void *data), void *data);

#endif
