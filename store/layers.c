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

struct tcgrr_span tcgrr_spans_lack(const GArray *spans, struct tcgrr_span asked, bool *some)
{
    struct tcgrr_span lack = asked;

    *some = false;
    for (guint i = 0; i < spans->len; i++) {
        const struct tcgrr_span *span = &g_array_index(spans, struct tcgrr_span, i);
        *some = *some || (span->first < asked.end && span->end > asked.first);
        if (span->first <= lack.first && span->end > lack.first) {
            lack.first = span->end;
        }
        if (span->end >= asked.end && span->first < asked.end) {
            lack.end = span->first;
        }
    }
    return lack;
}

/* Adds the level at which the whole run was recorded or filled. */
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
        if (!tcgrr_level_of((const char *)sqlite3_column_text(statement, 0), &of) ||
            !tcgrr_reader_fits(statement, 1, INT64_MAX) || !tcgrr_reader_fits(statement, 2, INT64_MAX)) {
            sqlite3_finalize(statement);
            g_array_unref(spans);
            tcgrr_reader_damaged(reader, error, "a window has an unknown level or impossible bounds");
            return NULL;
        }
        if (of == level || level == TCGRR_LEVEL_FLOW) {
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

bool tcgrr_reader_has_all(struct tcgrr_reader *reader, enum tcgrr_level level)
{
    tcgrr_icount end = reader->run.complete ? reader->run.icount : INT64_MAX;
    g_autoptr(GArray) spans = tcgrr_reader_spans(reader, level, NULL);
    bool some;
    if (!spans) {
        return false;
    }
    struct tcgrr_span lack = tcgrr_spans_lack(spans, (struct tcgrr_span){0, end}, &some);
    return level == TCGRR_LEVEL_INPUTS || lack.first >= lack.end;
}

/* How the trace gets `level`, of `window` ("" or options of fill). */
static char *advise(const struct tcgrr_reader *reader, const char *level, const char *window)
{
    return reader->run.rr
               ? g_strdup_printf("make it: tcgrr fill %s --level %s%s", reader->path, level, window)
               : g_strdup_printf("it cannot be replayed, so record it again: tcgrr record --level %s", level);
}

#define SPANS_NAMED 3

/* "instructions 5 to 9, 20 to 29" */
static char *name_spans(const struct tcgrr_reader *reader, const GArray *spans)
{
    GString *text = g_string_new("instructions");

    for (guint i = 0; i < spans->len && i < SPANS_NAMED; i++) {
        const struct tcgrr_span *span = &g_array_index(spans, struct tcgrr_span, i);
        tcgrr_icount last = (reader->run.complete ? MIN(span->end, reader->run.icount) : span->end) - 1;
        g_string_append_printf(text, "%s %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, i ? "," : "", span->first, last);
    }
    if (spans->len > SPANS_NAMED) {
        g_string_append_printf(text, " and %u more windows", spans->len - SPANS_NAMED);
    }
    return g_string_free(text, FALSE);
}

char *tcgrr_reader_lack_text(struct tcgrr_reader *reader, enum tcgrr_level level, struct tcgrr_span lack)
{
    bool ends = reader->run.complete ? lack.end < reader->run.icount : lack.end < INT64_MAX;
    g_autoptr(GArray) spans = tcgrr_reader_spans(reader, level, NULL);
    g_autofree char *there = spans && spans->len ? name_spans(reader, spans) : g_strdup("no instruction");
    g_autofree char *until = ends ? g_strdup_printf(" --until %" G_GUINT64_FORMAT, lack.end) : g_strdup("");
    g_autofree char *window = g_strdup_printf(" --from %" G_GUINT64_FORMAT "%s", lack.first, until);
    g_autofree char *advice = advise(reader, tcgrr_level_name(level), window);

    return g_strdup_printf("%s has level %s of %s only; %s", reader->path, tcgrr_level_name(level), there, advice);
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
    g_autofree char *command = advise(reader, name, "");
    g_set_error(error, TCGRR_ERROR, (int)TCGRR_ERROR_LACKS + (int)level, "%s has level %s and lacks level %s%s; %s",
                reader->path, tcgrr_level_name(tcgrr_run_level(run)), name, spans->len > 0 ? " in parts of it" : "",
                command);
    return false;
}
