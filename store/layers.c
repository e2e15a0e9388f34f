/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/layers.h"

#include "store/error.h"
#include "store/reader_internal.h"

void tcgrr_spans_add(GArray *spans, struct tcgrr_span span)
{
    guint at = 0;

    if (span.first >= span.end) {
        return;
    }
    while (at < spans->len && g_array_index(spans, struct tcgrr_span, at).end < span.first) {
        at++;
    }
    while (at < spans->len && g_array_index(spans, struct tcgrr_span, at).first <= span.end) {
        const struct tcgrr_span *other = &g_array_index(spans, struct tcgrr_span, at);
        span.first = MIN(span.first, other->first);
        span.end = MAX(span.end, other->end);
        g_array_remove_index(spans, at);
    }
    g_array_insert_val(spans, at, span);
}

/* What the run itself was recorded at, or was filled to as a whole. */
static void add_whole(const struct tcgrr_run *run, enum tcgrr_level level, GArray *spans)
{
    struct tcgrr_span span = {0, run->complete ? run->icount : INT64_MAX};

    if (tcgrr_run_level(run) < level) {
        return;
    }
    if (level == TCGRR_LEVEL_FULL) {
        span.first = run->mem_from < 0 ? span.end : (tcgrr_icount)run->mem_from;
        span.end = run->mem_until < 0 ? span.end : MIN(span.end, (tcgrr_icount)run->mem_until);
    }
    tcgrr_spans_add(spans, span);
}

GArray *tcgrr_reader_spans(struct tcgrr_reader *reader, enum tcgrr_level level, GError **error)
{
    GArray *spans = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_span));
    sqlite3_stmt *statement = NULL;
    int status =
        sqlite3_prepare_v2(reader->db, "SELECT level, first_icount, end_icount FROM layer", -1, &statement, NULL);

    add_whole(&reader->run, level, spans);
    if (status != SQLITE_OK) {
        return spans; /* made before there were any */
    }
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        struct tcgrr_span span = {(uint64_t)sqlite3_column_int64(statement, 1),
                                  (uint64_t)sqlite3_column_int64(statement, 2)};
        enum tcgrr_level of;
        if (tcgrr_level_of((const char *)sqlite3_column_text(statement, 0), &of) &&
            (of == level || level == TCGRR_LEVEL_FLOW)) {
            tcgrr_spans_add(spans, span);
        }
    }
    sqlite3_finalize(statement);
    if (status != SQLITE_DONE) {
        tcgrr_reader_fail(reader, "the layers", error);
        g_clear_pointer(&spans, g_array_unref);
    }
    return spans;
}

bool tcgrr_reader_need_level(struct tcgrr_reader *reader, enum tcgrr_level level, bool whole, GError **error)
{
    const struct tcgrr_run *run = &reader->run;

    if (tcgrr_run_level(run) >= level) {
        return true;
    }
    g_autoptr(GArray) spans = tcgrr_reader_spans(reader, level, error);
    if (!spans || (spans->len > 0 && !whole)) {
        return spans != NULL;
    }
    const char *name = tcgrr_level_name(level);
    g_autofree char *command =
        run->rr ? g_strdup_printf("make it: tcgrr fill %s --level %s", reader->path, name)
                : g_strdup_printf("it cannot be replayed, so record it again: tcgrr record --level %s", name);
    g_set_error(error, TCGRR_ERROR, (int)TCGRR_ERROR_LACKS + (int)level, "%s has level %s and lacks level %s%s; %s",
                reader->path, tcgrr_level_name(tcgrr_run_level(run)), name, spans->len > 0 ? " in parts of it" : "",
                command);
    return false;
}
