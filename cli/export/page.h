/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of cli/export/page, which are part of the program; each ends with a NUL. */
#ifndef TCGRR_CLI_EXPORT_PAGE_H
#define TCGRR_CLI_EXPORT_PAGE_H

extern const char page_html[];
extern const char page_uplot_js[];
extern const char page_uplot_css[];
extern const char page_uplot_license[];

#endif
