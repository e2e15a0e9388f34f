/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of filling: what was derived goes into a new file, which then takes the trace's place. */
#include "replay/fill_internal.h"

#include "record/tail.h"
#include "replay/recorded.h"
#include "store/error.h"
#include "store/merge.h"
#include "store/splice.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct collection {
    struct tcgrr_fill *fill;
    GArray *sources;                  /* struct tcgrr_fill_source: the parts */
    GArray *spans[TCGRR_LEVEL_COUNT]; /* the spans that the new trace has at each level */
    GArray *base[TCGRR_LEVEL_COUNT];  /* what the trace has */
    GArray *pieces;
    struct tcgrr_run run;
};

static bool has(const GArray *spans, tcgrr_icount icount)
{
    for (guint i = 0; i < spans->len; i++) {
        const struct tcgrr_span *span = &g_array_index(spans, struct tcgrr_span, i);
        if (icount >= span->first && icount < span->end) {
            return true;
        }
    }
    return false;
}

static bool is_whole(const struct collection *collection, enum tcgrr_level level)
{
    const GArray *spans = collection->spans[level];
    const struct tcgrr_span *first = spans->len ? &g_array_index(spans, struct tcgrr_span, 0) : NULL;
    return first && first->first == 0 && first->end >= collection->fill->end;
}

/* ---- the parts ---- */

static bool open_part(struct collection *collection, const char *path, GError **error)
{
    struct tcgrr_fill *fill = collection->fill;
    struct tcgrr_fill_source source = {.reader = tcgrr_reader_open(path, error)};

    if (!source.reader) {
        return false;
    }
    if (!tcgrr_fill_read_note(fill, source.reader, &source.what)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s is not a window of %s; tcgrr fill --print-jobs prints the commands that derive them", path,
                    fill->path);
        tcgrr_reader_free(source.reader);
        return false;
    }
    tcgrr_icount end = tcgrr_reader_run(source.reader)->icount;
    if (end < source.what.span.end && end >= fill->asked_after && source.what.span.end == fill->end) {
        source.what.span.end = end; /* the guest asked for its end before, and QEMU stopped it sooner */
        fill->end = end;
    }
    g_array_append_val(collection->sources, source);
    return true;
}

static bool read_base(struct collection *collection, GError **error)
{
    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        collection->base[level] = tcgrr_reader_spans(collection->fill->reader, level, error);
        if (!collection->base[level]) {
            return false;
        }
    }
    if (collection->run.sample_step == 0 || tcgrr_run_level(&collection->run) < TCGRR_LEVEL_STATE) {
        g_autoptr(GArray) windows = collection->base[TCGRR_LEVEL_STATE];
        collection->base[TCGRR_LEVEL_STATE] = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_span));
        if (tcgrr_run_level(&collection->run) < TCGRR_LEVEL_STATE) {
            g_array_append_vals(collection->base[TCGRR_LEVEL_STATE], windows->data, windows->len);
        }
    }
    return true;
}

/* ---- which piece comes from where ---- */

static int compare_places(gconstpointer a, gconstpointer b)
{
    tcgrr_icount x = *(const tcgrr_icount *)a, y = *(const tcgrr_icount *)b;
    return (x > y) - (x < y);
}

static void add_places(GArray *places, struct tcgrr_span span, tcgrr_icount end)
{
    span.end = MIN(span.end, end);
    g_array_append_val(places, span.first);
    g_array_append_val(places, span.end);
}

/* All places at which the available data change. */
static GArray *find_places(const struct collection *collection)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));

    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        for (guint i = 0; i < collection->base[level]->len; i++) {
            add_places(places, g_array_index(collection->base[level], struct tcgrr_span, i), collection->fill->end);
        }
    }
    for (guint i = 0; i < collection->sources->len; i++) {
        add_places(places, g_array_index(collection->sources, struct tcgrr_fill_source, i).what.span,
                   collection->fill->end);
    }
    g_array_sort(places, compare_places);
    return places;
}

/* Accesses count more than samples, and those more than the flow alone. */
static int worth(bool flow, bool samples, bool accesses)
{
    return accesses ? 4 + samples : flow ? 1 + samples : 0;
}

/* The best available piece at a place; its reader is NULL if there is none. */
static struct tcgrr_piece choose(const struct collection *collection, struct tcgrr_span span)
{
    bool sampled = has(collection->base[TCGRR_LEVEL_STATE], span.first);
    int best = worth(has(collection->base[TCGRR_LEVEL_FLOW], span.first), sampled,
                     has(collection->base[TCGRR_LEVEL_FULL], span.first));
    struct tcgrr_piece piece = {.span = span, .reader = best > 0 ? collection->fill->reader : NULL, .samples = sampled};

    for (guint i = 0; i < collection->sources->len; i++) {
        const struct tcgrr_fill_source *source = &g_array_index(collection->sources, struct tcgrr_fill_source, i);
        int value = worth(true, source->what.samples, source->what.level == TCGRR_LEVEL_FULL);
        if (span.first >= source->what.span.first && span.end <= source->what.span.end && value > best) {
            piece.reader = source->reader;
            piece.samples = source->what.samples;
            best = value;
        }
    }
    return piece;
}

static void make_pieces(struct collection *collection)
{
    g_autoptr(GArray) places = find_places(collection);

    for (guint i = 0; i + 1 < places->len; i++) {
        struct tcgrr_span span = {g_array_index(places, tcgrr_icount, i), g_array_index(places, tcgrr_icount, i + 1)};
        struct tcgrr_piece piece = span.first < span.end ? choose(collection, span) : (struct tcgrr_piece){0};
        struct tcgrr_piece *last = collection->pieces->len ? &g_array_index(collection->pieces, struct tcgrr_piece,
                                                                            collection->pieces->len - 1)
                                                           : NULL;
        if (last && last->reader == piece.reader && last->span.end == span.first && last->samples == piece.samples) {
            last->span.end = span.end;
        } else if (piece.reader) {
            g_array_append_val(collection->pieces, piece);
        }
    }
}

/* The reader that has samples of the whole run, if not every piece has its own. */
static struct tcgrr_reader *find_samples(const struct collection *collection)
{
    bool all = true;
    for (guint i = 0; i < collection->pieces->len; i++) {
        all = all && g_array_index(collection->pieces, struct tcgrr_piece, i).samples;
    }
    if (all) {
        return NULL;
    }
    if (has(collection->base[TCGRR_LEVEL_STATE], 0) && tcgrr_run_level(&collection->run) >= TCGRR_LEVEL_STATE) {
        return collection->fill->reader;
    }
    for (guint i = 0; i < collection->sources->len; i++) {
        const struct tcgrr_fill_source *source = &g_array_index(collection->sources, struct tcgrr_fill_source, i);
        if (source->what.samples && source->what.span.first == 0 && source->what.span.end >= collection->fill->end) {
            return source->reader;
        }
    }
    return NULL;
}

static void add_all(GArray *to, const GArray *spans, tcgrr_icount end)
{
    for (guint i = 0; i < spans->len; i++) {
        struct tcgrr_span span = g_array_index(spans, struct tcgrr_span, i);
        span.end = MIN(span.end, end);
        tcgrr_spans_add(to, span);
    }
}

static void find_spans(struct collection *collection)
{
    tcgrr_icount end = collection->fill->end;

    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        collection->spans[level] = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_span));
        add_all(collection->spans[level], collection->base[level], end);
    }
    for (guint i = 0; i < collection->sources->len; i++) {
        const struct tcgrr_fill_part *what = &g_array_index(collection->sources, struct tcgrr_fill_source, i).what;
        tcgrr_spans_add(collection->spans[TCGRR_LEVEL_FLOW], what->span);
        if (what->level == TCGRR_LEVEL_FULL) {
            tcgrr_spans_add(collection->spans[TCGRR_LEVEL_FULL], what->span);
        }
        if (what->samples) {
            tcgrr_spans_add(collection->spans[TCGRR_LEVEL_STATE], what->span);
        }
    }
}

/* ---- the run's description ---- */

static void describe(struct collection *collection)
{
    struct tcgrr_run *run = &collection->run;
    enum tcgrr_level level = tcgrr_run_level(run);

    for (guint i = 0; i < collection->sources->len; i++) {
        const struct tcgrr_run *part =
            tcgrr_reader_run(g_array_index(collection->sources, struct tcgrr_fill_source, i).reader);
        run->assumed = level < TCGRR_LEVEL_FLOW ? run->assumed + part->assumed : run->assumed;
        run->sample_step = run->sample_step ? run->sample_step : part->sample_step;
    }
    bool samples = is_whole(collection, TCGRR_LEVEL_STATE);
    if (level < TCGRR_LEVEL_FLOW && is_whole(collection, TCGRR_LEVEL_FLOW)) {
        run->decided = 0;
        level = TCGRR_LEVEL_FLOW;
    }
    if (level < TCGRR_LEVEL_STATE) {
        level = samples ? TCGRR_LEVEL_STATE : level;
    }
    if (level >= TCGRR_LEVEL_FLOW && is_whole(collection, TCGRR_LEVEL_FULL)) {
        level = TCGRR_LEVEL_FULL;
        run->mem_from = 0;
        run->mem_until = -1;
    }
    run->sample_step = samples ? run->sample_step : 0;
    run->level = tcgrr_level_name(level);
}

static bool store_spans(struct collection *collection, struct tcgrr_writer *writer, GError **error)
{
    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        bool implied = tcgrr_run_level(&collection->run) >= level && is_whole(collection, level);
        for (guint i = 0; !implied && i < collection->spans[level]->len; i++) {
            if (!tcgrr_writer_layer(writer, level, &g_array_index(collection->spans[level], struct tcgrr_span, i),
                                    error)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- the new trace ---- */

/* Where level inputs left open when the guest asked for its end, the flow says it. */
static bool cut_tail(struct collection *collection, const char *path, struct tcgrr_writer *writer, GError **error)
{
    struct tcgrr_run *run = &collection->run;
    const struct tcgrr_run *base = tcgrr_reader_run(collection->fill->reader);
    g_autofree char *original = g_strconcat(path, ".log", NULL);
    struct tcgrr_reader *reader = tcgrr_reader_open(path, error);
    const struct tcgrr_blocks *blocks = reader ? tcgrr_reader_blocks(reader, error) : NULL;
    bool good = blocks && tcgrr_recorded_original_rr(collection->fill->reader, original, error);
    struct tcgrr_rrlog *log = good ? tcgrr_rrlog_load(original, base->qemu_version, error) : NULL;

    if (log) {
        tcgrr_rrlog_rebase(log, tcgrr_recorded_start(collection->fill->reader));
        struct tcgrr_tail tail = {.path = path, .log = log, .blocks = blocks};
        good = tcgrr_cut_tail(writer, &tail, run, error);
        run->tail = log->total - run->icount;
    }
    tcgrr_rrlog_free(log);
    tcgrr_reader_free(reader);
    g_unlink(original);
    return good && log;
}

static bool copy_regions(struct collection *collection, struct tcgrr_writer *writer, GError **error)
{
    for (guint i = 0; i < collection->sources->len; i++) {
        const struct tcgrr_fill_source *source = &g_array_index(collection->sources, struct tcgrr_fill_source, i);
        if (!tcgrr_writer_merge_regions(writer, tcgrr_reader_path(source->reader), error)) {
            return false;
        }
    }
    return true;
}

/* Whether the instructions are those that were recorded, where these are known. */
static bool check_flow(const struct collection *collection, const struct tcgrr_run *streamed, uint64_t flow,
                       GError **error)
{
    struct tcgrr_reader *reader = collection->fill->reader;
    const struct tcgrr_run *base = tcgrr_reader_run(reader);
    struct tcgrr_totals totals;

    if (tcgrr_run_level(base) < TCGRR_LEVEL_FLOW || streamed->icount != base->icount) {
        return true;
    }
    if (!tcgrr_reader_totals(reader, &totals, error)) {
        return false;
    }
    if (totals.flow != flow) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                    "the replay executed other instructions than were recorded in %s", collection->fill->path);
    }
    return totals.flow == flow;
}

static bool write_all(struct collection *collection, const char *path, struct tcgrr_writer *writer, GError **error)
{
    struct tcgrr_run *run = &collection->run;
    const struct tcgrr_run *base = tcgrr_reader_run(collection->fill->reader);
    struct tcgrr_run streamed = *run;
    bool gains_flow = tcgrr_run_level(base) < TCGRR_LEVEL_FLOW && tcgrr_run_level(run) >= TCGRR_LEVEL_FLOW;
    uint64_t flow = 0;
    struct tcgrr_splice splice = {.pieces = collection->pieces,
                                  .samples = find_samples(collection),
                                  .gaps = collection->fill->reader,
                                  .flow = &flow};

    if (!tcgrr_writer_merge_inputs(writer, collection->fill->path, error) || !copy_regions(collection, writer, error) ||
        !tcgrr_splice(writer, &splice, &streamed, error) || !check_flow(collection, &streamed, flow, error) ||
        !store_spans(collection, writer, error) || !tcgrr_writer_commit(writer, error)) {
        return false;
    }
    run->execs = streamed.execs;
    if (gains_flow && run->complete) {
        run->icount = streamed.icount;
        if (!cut_tail(collection, path, writer, error)) {
            return false;
        }
    }
    return tcgrr_writer_run(writer, run, error) && tcgrr_writer_finish(writer, error);
}

static bool write_trace(struct collection *collection, GError **error)
{
    const char *trace = collection->fill->path;
    g_autofree char *path = g_strdup_printf("%s.%d.part", trace, (int)getpid());
    struct tcgrr_writer *writer = tcgrr_writer_create(path, true, &collection->run, error);
    bool good = writer && write_all(collection, path, writer, error);
    struct stat status;

    tcgrr_writer_free(writer);
    if (good && stat(trace, &status) == 0) {
        (void)chmod(path, status.st_mode & 07777);
    }
    if (good && g_rename(path, trace) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot replace %s: %m", trace);
        good = false;
    }
    static const char *const leftovers[] = {"", "-wal", "-shm"};
    for (size_t i = 0; !good && i < G_N_ELEMENTS(leftovers); i++) {
        g_autofree char *name = g_strconcat(path, leftovers[i], NULL);
        g_unlink(name);
    }
    return good;
}

static void clear_collection(struct collection *collection)
{
    for (guint i = 0; i < collection->sources->len; i++) {
        tcgrr_reader_free(g_array_index(collection->sources, struct tcgrr_fill_source, i).reader);
    }
    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        g_clear_pointer(&collection->spans[level], g_array_unref);
        g_clear_pointer(&collection->base[level], g_array_unref);
    }
    g_array_unref(collection->sources);
    g_array_unref(collection->pieces);
}

bool tcgrr_fill_collect(struct tcgrr_fill *fill, const char *const *parts, GError **error)
{
    struct collection collection = {
        .fill = fill,
        .sources = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_fill_source)),
        .pieces = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_piece)),
        .run = *tcgrr_reader_run(fill->reader),
    };
    bool good = read_base(&collection, error);

    for (; good && *parts; parts++) {
        good = open_part(&collection, *parts, error);
    }
    good = good && tcgrr_fill_check(collection.sources, error);
    if (good) {
        find_spans(&collection);
        make_pieces(&collection);
        describe(&collection);
        good = write_trace(&collection, error);
    }
    clear_collection(&collection);
    return good;
}
