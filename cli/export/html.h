/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_CLI_EXPORT_HTML_H
#define TCGRR_CLI_EXPORT_HTML_H

#include "cli/report/report.h"

/* Writes one page to job->output. */
extern const struct report report_html;

#endif
