/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/export/page.h"

#include <stdlib.h>
#include <string.h>

/* C11 has no other way to take a file in. */
#define TAKE_IN(name, file)                                                                                            \
    __asm__(".pushsection .rodata\n.global " #name "\n.hidden " #name "\n" #name ":\n.incbin \"" TCGRR_PAGE "/" file   \
            "\"\n.byte 0\n.popsection\n")

TAKE_IN(page_html, "page.html");
TAKE_IN(page_finding_html, "finding.html");
TAKE_IN(page_head, "head.html");
TAKE_IN(page_css, "page.css");
TAKE_IN(page_uplot_js, "uPlot.js");
TAKE_IN(page_uplot_css, "uPlot.css");
TAKE_IN(page_uplot_license, "uPlot.LICENSE");

extern const char page_head[];
extern const char page_css[];
extern const char page_uplot_js[];
extern const char page_uplot_css[];
extern const char page_uplot_license[];

/* JSON inside of a script element: "</script" would end it, "<!--" would change what does. "<" is only in strings. */
static void put_data(GString *out, const json_t *data)
{
    char *text = json_dumps(data, JSON_COMPACT);
    const char *at = text;

    for (const char *less; (less = strchr(at, '<')); at = less + 1) {
        g_string_append_len(out, at, less - at);
        g_string_append(out, "\\u003c");
    }
    g_string_append(out, at);
    free(text);
}

GString *page_fill(const char *template, const json_t *data)
{
    const struct {
        const char *marker;
        const char *texts[4]; /* one after another */
    } parts[] = {
        {"@HEAD@", {page_head}},
        {"@PAGE_CSS@", {page_css}},
        {"@UPLOT_CSS@", {page_uplot_css}},
        {"@UPLOT_JS@", {"/*\n", page_uplot_license, "*/\n", page_uplot_js}},
    };
    GString *out = g_string_new(NULL);
    const char *at = template;

    for (const char *marker; (marker = strchr(at, '@'));) {
        size_t length = 1;
        g_string_append_len(out, at, marker - at);
        if (g_str_has_prefix(marker, "@DATA@")) {
            put_data(out, data);
            length = strlen("@DATA@");
        }
        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
            if (g_str_has_prefix(marker, parts[i].marker)) {
                for (size_t k = 0; k < G_N_ELEMENTS(parts[i].texts) && parts[i].texts[k]; k++) {
                    g_string_append(out, parts[i].texts[k]);
                }
                length = strlen(parts[i].marker);
            }
        }
        if (length == 1) {
            g_string_append_c(out, *marker);
        }
        at = marker + length;
    }
    g_string_append(out, at);
    return out;
}
