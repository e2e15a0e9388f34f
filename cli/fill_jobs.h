/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Derives each window in its own process: started here, or as command lines for a scheduler. */
#ifndef TCGRR_CLI_FILL_JOBS_H
#define TCGRR_CLI_FILL_JOBS_H

#include "cli/compare_options.h"
#include "cli/fill.h"
#include "replay/fill.h"

/* The part of the run that the user asked for. */
bool cli_fill_span(struct tcgrr_fill *fill, const struct cli_fill *asked, struct tcgrr_span *span, GError **error);

/* The words of the command that derives a window, NULL-terminated; owned by the caller (g_strfreev). */
char **cli_fill_job(const struct cli_fill *asked, const struct tcgrr_fill_window *window, GError **error);

/* Derives all windows, `asked->jobs` at a time. The first failure ends them. */
bool cli_fill_run_jobs(const struct cli_fill *asked, const GArray *windows, GError **error);

#endif
