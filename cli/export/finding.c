/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page of a divergence, of a cause, or of where a value came from: a template around what --json prints. */
#include "cli/cli.h"

#include "cli/export/page.h"
#include "store/error.h"

#include <errno.h>
#include <stdio.h>

bool cli_write_page(const char *path, const json_t *object, GError **error)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *made = g_date_time_format(now, "%Y-%m-%d %H:%M:%S UTC");
    json_t *data = json_pack("{s:o, s:o, s:O}", "command", cli_json_text(cli_command_line()), "made",
                             json_sprintf("%s by tcgrr %s", made, TCGRR_VERSION), "result", object);
    GString *page = page_fill(page_finding_html, data);
    FILE *file = fopen(path, "we"); /* in place: it may be a device, or a link to a file */
    bool good = file && fwrite(page->str, 1, page->len, file) == page->len;

    good = file && fclose(file) == 0 && good;
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s: %s", path, g_strerror(errno));
    }
    g_string_free(page, TRUE);
    json_decref(data);
    return good;
}
