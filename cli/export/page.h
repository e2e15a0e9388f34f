/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Self-contained web pages. Their templates in cli/export/page are compiled into the program. */
#ifndef TCGRR_CLI_EXPORT_PAGE_H
#define TCGRR_CLI_EXPORT_PAGE_H

#include <glib.h>
#include <jansson.h>

extern const char page_html[];         /* of a run */
extern const char page_finding_html[]; /* of what a comparison, a search for a cause or `why` found */

/* Fills a template: inserts the files that it names, and `data`, whose texts must be UTF-8, as the JSON object that it
 * draws. Texts may come from a guest. Owned by the caller. */
GString *page_fill(const char *template, const json_t *data);

#endif
