/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages for a browser that need nothing but themselves. Their templates, cli/export/page, are part of the program. */
#ifndef TCGRR_CLI_EXPORT_PAGE_H
#define TCGRR_CLI_EXPORT_PAGE_H

#include <glib.h>
#include <jansson.h>

extern const char page_html[];         /* of a run */
extern const char page_finding_html[]; /* of what a comparison, a search for a cause or `why` found */

/* A template with all that it names in its place, and `data`, whose texts must be UTF-8, as one JSON object that it
 * draws. Texts may come from a guest. Owned by the caller. */
GString *page_fill(const char *template, const json_t *data);

#endif
