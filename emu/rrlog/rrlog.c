/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/rrlog/rrlog.h"

#include "store/error.h"

#include <stdio.h>

#define PIECE (1u << 20)

struct tcgrr_rrlog *tcgrr_rrlog_new(void)
{
    struct tcgrr_rrlog *log = g_new0(struct tcgrr_rrlog, 1);
    log->events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_rrlog_event));
    log->disk = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));
    return log;
}

bool tcgrr_rrlog_seen(const struct tcgrr_rr_event *event, tcgrr_icount icount, void *data)
{
    struct tcgrr_rrlog *log = data;
    struct tcgrr_rrlog_event happened = {.icount = icount, .kind = event->kind};

    if (event->kind == TCGRR_RR_INTERRUPT || event->kind == TCGRR_RR_EXCEPTION) {
        g_array_append_val(log->events, happened);
    }
    if (event->kind == TCGRR_RR_BLOCK) {
        g_array_append_val(log->disk, icount);
    }
    return log->events->len < TCGRR_RRLOG_MAX_EVENTS && log->disk->len < TCGRR_RRLOG_MAX_EVENTS;
}

static void conclude(struct tcgrr_rrlog *log, const struct tcgrr_rr_state *state)
{
    log->version = state->version;
    log->total = state->total;
    log->complete = state->complete;
    log->unknown = state->unknown;
    log->end = state->read;
    log->run_end = state->end;
    log->asked_after = state->was_moved ? state->moved : state->end;
    log->guest_shutdown = state->guest_shutdown;
}

/* Pushes `size` bytes through the stream and appends what comes out to `file`, if that is not NULL. */
static bool pump(struct tcgrr_rr_stream *stream, const uint8_t *bytes, size_t size, FILE *file, GError **error)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    bool good = true;

    for (size_t at = 0; good && at < size; at += MIN(size - at, PIECE)) {
        good = tcgrr_rr_stream_push(stream, bytes + at, MIN(size - at, PIECE), out, error);
        if (file) {
            fwrite(out->data, 1, out->len, file);
        }
        g_byte_array_set_size(out, 0);
    }
    if (good) {
        tcgrr_rr_stream_close(stream, out);
        if (file) {
            fwrite(out->data, 1, out->len, file);
        }
    }
    return good;
}

struct tcgrr_rrlog *tcgrr_rrlog_parse(const uint8_t *bytes, size_t size, const char *release, GError **error)
{
    struct tcgrr_rrlog *log = tcgrr_rrlog_new();
    struct tcgrr_rr_stream_options options = {.from = release, .seen = tcgrr_rrlog_seen, .data = log};
    struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(&options, error);

    bool good = stream && pump(stream, bytes, size, NULL, error);
    if (good && tcgrr_rr_stream_state(stream)->version == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU's rr log is shorter than its header");
        good = false;
    }
    if (good) {
        conclude(log, tcgrr_rr_stream_state(stream));
    } else {
        g_clear_pointer(&log, tcgrr_rrlog_free);
    }
    tcgrr_rr_stream_free(stream);
    return log;
}

static GMappedFile *map(const char *path, GError **error)
{
    GError *problem = NULL;
    GMappedFile *file = g_mapped_file_new(path, FALSE, &problem);

    if (!file) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read QEMU's rr log: %s", problem->message);
        g_error_free(problem);
    }
    return file;
}

struct tcgrr_rrlog *tcgrr_rrlog_load(const char *path, const char *release, GError **error)
{
    GMappedFile *file = map(path, error);
    if (!file) {
        return NULL;
    }
    struct tcgrr_rrlog *log = tcgrr_rrlog_parse((const uint8_t *)g_mapped_file_get_contents(file),
                                                g_mapped_file_get_length(file), release, error);
    g_mapped_file_unref(file);
    return log;
}

static bool take_seed(const struct tcgrr_rr_event *event, tcgrr_icount icount, void *data)
{
    const size_t before = 4 + 4; /* the host's result, and the number of bytes that follow */

    if (event->kind == TCGRR_RR_RANDOM && event->size > before) {
        g_byte_array_append(data, event->body + before, (guint)(event->size - before));
    }
    return event->kind != TCGRR_RR_INSTRUCTION &&
           !(event->kind == TCGRR_RR_CHECKPOINT && event->number == TCGRR_RR_CHECKPOINT_RESET);
}

GByteArray *tcgrr_rrlog_seeds(const char *path, const char *release, GError **error)
{
    GMappedFile *file = map(path, error);
    if (!file) {
        return NULL;
    }
    GByteArray *drawn = g_byte_array_new();
    struct tcgrr_rr_stream_options options = {.from = release, .seen = take_seed, .data = drawn};
    struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(&options, error);
    if (!stream ||
        !pump(stream, (const uint8_t *)g_mapped_file_get_contents(file), g_mapped_file_get_length(file), NULL, error)) {
        g_clear_pointer(&drawn, g_byte_array_unref);
    }
    tcgrr_rr_stream_free(stream);
    g_mapped_file_unref(file);
    return drawn;
}

void tcgrr_rrlog_rebase(struct tcgrr_rrlog *log, tcgrr_icount start)
{
    tcgrr_icount *const counts[] = {&log->total, &log->run_end, &log->asked_after};
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        *counts[i] -= MIN(*counts[i], start);
    }
    for (guint i = 0; start && i < log->events->len; i++) {
        struct tcgrr_rrlog_event *event = &g_array_index(log->events, struct tcgrr_rrlog_event, i);
        event->icount -= MIN(event->icount, start);
    }
}

void tcgrr_rrlog_free(struct tcgrr_rrlog *log)
{
    if (log) {
        g_array_unref(log->events);
        g_array_unref(log->disk);
        g_free(log);
    }
}

/* ---- rewriting ---- */

/*
 * Finds how much of the log can be replayed: the events after the last instructions of a log that was cut off may be
 * incomplete, and a replay that needs the rest aborts.
 */
static bool find_limit(const uint8_t *bytes, size_t size, const char *from, tcgrr_icount logged, size_t *limit,
                       GError **error)
{
    struct tcgrr_rr_stream_options options = {.from = from};
    struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(&options, error);
    bool good = stream && pump(stream, bytes, size, NULL, error);

    *limit = size;
    if (good) {
        const struct tcgrr_rr_state *state = tcgrr_rr_stream_state(stream);
        bool killed = size < TCGRR_RR_HEAD_BYTES || tcgrr_rr_word(bytes) == 0;
        if (!state->complete && !state->guest_shutdown && (killed || !state->unknown)) {
            *limit = MIN(logged >= state->total ? state->read : state->last_run, size);
        }
    }
    tcgrr_rr_stream_free(stream);
    return good;
}

static bool write_new(const uint8_t *bytes, size_t size, const char *target,
                      const struct tcgrr_rr_stream_options *options, struct tcgrr_rr_state *state, GError **error)
{
    struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(options, error);
    FILE *file = stream ? fopen(target, "wbe") : NULL;
    bool good = file && pump(stream, bytes, size, file, error);

    if (good) {
        *state = *tcgrr_rr_stream_state(stream);
    }
    if (stream && (!file || ferror(file) | fclose(file)) && good) {
        good = false;
    }
    if (stream && !good && error && !*error) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s", target);
    }
    tcgrr_rr_stream_free(stream);
    return good;
}

bool tcgrr_rrlog_rewrite(const char *source, const char *target, const char *from, const char *to,
                         const struct tcgrr_rrlog_known *known, struct tcgrr_rrlog_rewritten *rewritten, GError **error)
{
    struct tcgrr_rr_stream_options options = {.from = from,
                                              .to = to,
                                              .asked_by = known->asked_by,
                                              .logged = known->logged,
                                              .riscv_tree = known->riscv_tree,
                                              .tree_added = known->tree_added};
    GMappedFile *file = map(source, error);
    if (!file) {
        return false;
    }
    const uint8_t *bytes = (const uint8_t *)g_mapped_file_get_contents(file);
    size_t size = g_mapped_file_get_length(file);
    size_t limit = 0;
    bool good = find_limit(bytes, size, from, known->logged, &limit, error);

    *rewritten = (struct tcgrr_rrlog_rewritten){.left_out = size - limit};
    good = good && write_new(bytes, limit, target, &options, &rewritten->state, error);
    if (good && (rewritten->state.version == 0 || rewritten->state.total == 0) && !rewritten->state.complete) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "QEMU was killed before there was an instruction in its rr log");
        good = false;
    }
    g_mapped_file_unref(file);
    return good;
}

static void add(GPtrArray *lines, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add(GPtrArray *lines, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(lines, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

GPtrArray *tcgrr_rrlog_repairs(const struct tcgrr_rrlog_rewritten *rewritten)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    const struct tcgrr_rr_state *state = &rewritten->state;

    if (state->translated) {
        add(lines, "translated into format 0x%x", state->version);
    }
    if (state->dropped_clock) {
        add(lines, "left out the clock that QEMU read before it started");
    }
    if (state->dropped_seed || state->added_seed) {
        add(lines, "%s the seed that QEMU draws for a device tree and replaces when it resets",
            state->added_seed ? "added" : "left out");
    }
    if (state->was_moved) {
        add(lines, "moved SHUTDOWN from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " instructions", state->moved,
            state->end);
    }
    if (state->total > state->end) {
        add(lines, "left out %" G_GUINT64_FORMAT " instructions after the guest's request to shut down",
            state->total - state->end);
    }
    if (!state->complete && !state->unknown && !state->guest_shutdown) {
        add(lines, "closed after %" G_GUINT64_FORMAT " instructions, where it was cut short", state->end);
    }
    if (rewritten->left_out > 0) {
        add(lines, "left out %" G_GUINT64_FORMAT " bytes at its end, which may be incomplete", rewritten->left_out);
    }
    if (state->unknown) {
        add(lines, "left unchanged from byte %" G_GUINT64_FORMAT " on, where it is not understood", state->read);
    }
    return lines;
}

/* ---- asking ---- */

guint tcgrr_rrlog_find(const struct tcgrr_rrlog *log, tcgrr_icount icount)
{
    guint low = 0;
    guint high = log->events->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(log->events, struct tcgrr_rrlog_event, middle).icount < icount) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
