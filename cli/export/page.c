/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/export/page.h"

/* C11 has no other way to take a file in. */
#define TAKE_IN(name, file)                                                                                            \
    __asm__(".pushsection .rodata\n.global " #name "\n.hidden " #name "\n" #name ":\n.incbin \"" TCGRR_PAGE "/" file   \
            "\"\n.byte 0\n.popsection\n")

TAKE_IN(page_html, "page.html");
TAKE_IN(page_uplot_js, "uPlot.js");
TAKE_IN(page_uplot_css, "uPlot.css");
TAKE_IN(page_uplot_license, "uPlot.LICENSE");
