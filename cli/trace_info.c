/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `record` says at its end and `info` at any time: the trace described, as text or JSON. */
#include "cli/cli.h"

#include "replay/keyframes.h"
#include "replay/recorded.h"
#include "store/inputs.h"
#include "store/layers.h"
#include "store/processes.h"
#include "store/words.h"

#include <stdio.h>
#include <sys/resource.h>

static json_t *events_json(const struct tcgrr_totals *totals)
{
    json_t *events = json_object();
    for (unsigned kind = 0; kind < TCGRR_EVENT_KIND_COUNT; kind++) {
        if (totals->events[kind]) {
            json_object_set_new(events, tcgrr_event_name(kind), json_integer((json_int_t)totals->events[kind]));
        }
    }
    return events;
}

/* The layers: what a replay needs, and what was recorded with it or derived from it. */
static json_t *layers_json(const struct tcgrr_run *run)
{
    json_t *layers = json_array();
    for (enum tcgrr_level level = TCGRR_LEVEL_INPUTS; level <= tcgrr_run_level(run); level++) {
        bool there = level == TCGRR_LEVEL_INPUTS  ? run->rr
                     : level == TCGRR_LEVEL_STATE ? run->sample_step > 0 && run->api_version >= 2
                                                  : true;
        if (there) {
            json_array_append_new(layers, json_string(tcgrr_level_name(level)));
        }
    }
    return layers;
}

/* The spans of which a level above the run's own was derived; NULL if there are none. Owned by the caller. */
static GArray *windows_of(struct tcgrr_reader *reader, enum tcgrr_level level, GError **error)
{
    GError **first = error && *error ? NULL : error; /* only the first one is of interest */
    GArray *spans = level > tcgrr_run_level(tcgrr_reader_run(reader)) ? tcgrr_reader_spans(reader, level, first) : NULL;
    if (spans && spans->len == 0) {
        g_clear_pointer(&spans, g_array_unref);
    }
    return spans;
}

static json_t *windows_json(struct tcgrr_reader *reader, GError **error)
{
    json_t *object = json_object();
    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        g_autoptr(GArray) spans = windows_of(reader, level, error);
        json_t *list = spans ? json_array() : NULL;
        for (guint i = 0; list && i < spans->len; i++) {
            const struct tcgrr_span *span = &g_array_index(spans, struct tcgrr_span, i);
            json_array_append_new(list, json_pack("[I, I]", (json_int_t)span->first, (json_int_t)span->end));
        }
        if (list) {
            json_object_set_new(object, tcgrr_level_name(level), list);
        }
    }
    return object;
}

static void print_windows(struct tcgrr_reader *reader, GError **error)
{
    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        g_autoptr(GArray) spans = windows_of(reader, level, error);
        for (guint i = 0; spans && i < spans->len; i++) {
            g_autofree char *first = cli_number(g_array_index(spans, struct tcgrr_span, i).first);
            g_autofree char *end = cli_number(g_array_index(spans, struct tcgrr_span, i).end);
            printf("  window       level %s from icount %s up to %s\n", tcgrr_level_name(level), first, end);
        }
    }
}

static json_t *text_or_null(const char *text)
{
    return cli_json_text(text);
}

static void add_embedded(const struct tcgrr_embedded *file, void *data)
{
    json_array_append_new(data, json_pack("{s:o, s:s, s:o, s:I, s:s}", "name", cli_json_text(file->name), "role",
                                          file->role, "path", cli_json_text(file->path), "size", (json_int_t)file->size,
                                          "xxh128", file->xxh128));
}

/* What pins the machine; null if nothing does. */
static json_t *pinned_json(struct tcgrr_reader *reader, GError **error)
{
    const struct tcgrr_pinned *pinned = NULL;
    if (*error || !tcgrr_reader_pinned(reader, &pinned, error) || !pinned) {
        return json_null();
    }
    json_t *files = json_array();
    tcgrr_reader_inputs(reader, add_embedded, files, error);
    return json_pack("{s:o, s:o, s:o, s:I, s:o}", "machine", text_or_null(pinned->machine), "cpu",
                     text_or_null(pinned->cpu), "start_at", text_or_null(pinned->start_at), "start_icount",
                     (json_int_t)pinned->start_icount, "files", files);
}

/* Only the recording process itself knows its peak memory. */
static void add_memory(json_t *object)
{
    struct rusage self = {0};
    struct rusage children = {0};
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    json_object_set_new(object, "peak_memory_bytes", json_integer((json_int_t)self.ru_maxrss * 1024));
    json_object_set_new(object, "qemu_peak_memory_bytes", json_integer((json_int_t)children.ru_maxrss * 1024));
}

static void add_keyframes(json_t *object, const char *path)
{
    struct tcgrr_keyframes_sum sum;
    tcgrr_keyframes_sum(path, &sum);
    json_object_set_new(object, "keyframes", json_integer(sum.count));
    json_object_set_new(object, "keyframe_bytes", json_integer((json_int_t)sum.bytes));
}

static void add_process(const struct tcgrr_recorded_process *process, void *data)
{
    json_array_append_new(data, json_pack("{s:s, s:I, s:o, s:o, s:I, s:o, s:b}", "name", process->name, "pid",
                                          (json_int_t)process->pid, "program", cli_json_text(process->program), "trace",
                                          cli_json_text(process->trace), "icount", (json_int_t)process->icount, "exit",
                                          cli_json_text(process->exit), "complete", process->complete));
}

/* Nothing where children of the program were not recorded. */
static void add_processes(json_t *object, struct tcgrr_reader *reader, GError **error)
{
    json_t *processes = json_array();
    tcgrr_reader_processes(reader, add_process, processes, *error ? NULL : error);
    if (json_array_size(processes) > 0) {
        json_object_set(object, "processes", processes);
    }
    json_decref(processes);
}

static void print_process(const struct tcgrr_recorded_process *process, void *data)
{
    g_autofree char *icount = cli_number(process->icount);
    printf("  process      %s: %s, pid %" G_GINT64_FORMAT ", %s instructions, %s%s: %s\n", process->name,
           process->program, process->pid, icount, process->exit, process->complete ? "" : ", INCOMPLETE",
           process->trace);
}

/* The words of a command as texts; NULL if they are not known. */
static json_t *words_json(const char *stored)
{
    json_t *words = stored ? json_loads(stored, 0, NULL) : NULL;
    json_t *word;
    size_t i;

    json_array_foreach(words, i, word)
    {
        g_autofree char *text = tcgrr_word_of_json(word);
        json_array_set_new(words, i, cli_json_text(text));
    }
    return words;
}

/* Prints nothing if something cannot be read. */
static bool print_as_json(const char *path, struct tcgrr_reader *reader, const struct tcgrr_totals *totals,
                          enum cli_trace_form form, GError **error)
{
    GError *problem = NULL;
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    bool flow = tcgrr_run_level(run) > TCGRR_LEVEL_INPUTS;
    json_t *command = words_json(run->original_command);
    json_t *object = json_pack(
        "{s:o, s:s, s:s, s:i, s:s, s:b, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:f, s:o, s:b}", "trace",
        cli_json_text(path), "qemu_version", run->qemu_version, "target", run->target, "api_version", run->api_version,
        "mode", run->mode, "rr", run->rr, "icount", (json_int_t)totals->icount, "qemu_icount",
        run->qemu_icount >= 0 ? json_integer(run->qemu_icount) : json_null(), "execs",
        flow ? json_integer((json_int_t)totals->execs) : json_null(), "blocks",
        flow ? json_integer((json_int_t)totals->blocks) : json_null(), "events", events_json(totals), "chunks",
        (json_int_t)totals->chunks, "bytes", (json_int_t)totals->bytes, "duration_s", run->duration_s, "exit",
        text_or_null(run->exit), "complete", tcgrr_run_ended(run) && form != CLI_TRACE_CUT);
    json_object_set_new(object, "tail", json_integer((json_int_t)run->tail));
    json_object_set_new(object, "assumed", json_integer((json_int_t)run->assumed));
    json_object_set_new(object, "level", text_or_null(run->level));
    json_object_set_new(object, "layers", layers_json(run));
    json_object_set_new(object, "windows", windows_json(reader, &problem));
    json_object_set_new(object, "vcpus", json_integer(run->vcpus));
    json_object_set_new(object, "icount_shift", text_or_null(run->icount_shift));
    json_object_set_new(object, "started", text_or_null(run->started));
    json_object_set_new(object, "host", text_or_null(run->host));
    json_object_set_new(object, "tool_version", text_or_null(run->tool_version));
    json_object_set_new(object, "qemu_path", text_or_null(run->qemu_path));
    json_object_set_new(object, "qemu_build_id", text_or_null(run->qemu_build_id));
    json_object_set_new(object, "command", command ? command : json_null());
    json_object_set_new(object, "pinned", pinned_json(reader, &problem));
    if (tcgrr_run_level(run) == TCGRR_LEVEL_FULL) {
        json_object_set_new(object, "accesses", json_integer((json_int_t)totals->accesses));
        json_object_set_new(object, "mem_from", run->mem_from >= 0 ? json_integer(run->mem_from) : json_null());
        json_object_set_new(object, "mem_until", run->mem_until >= 0 ? json_integer(run->mem_until) : json_null());
    }
    add_keyframes(object, path);
    add_processes(object, reader, &problem);
    if (form == CLI_TRACE_REACHED || form == CLI_TRACE_MISSED) {
        json_object_set_new(object, "reached", json_boolean(form == CLI_TRACE_REACHED));
    }
    if (form >= CLI_TRACE_RECORDED) {
        add_memory(object);
    }
    if (problem) {
        json_decref(object);
        g_propagate_error(error, problem);
        return false;
    }
    cli_print_json(object);
    return true;
}

static char *events_text(const struct tcgrr_totals *totals)
{
    GString *text = g_string_new(NULL);
    for (unsigned kind = 0; kind < TCGRR_EVENT_KIND_COUNT; kind++) {
        if (totals->events[kind]) {
            g_autofree char *count = cli_number(totals->events[kind]);
            g_string_append_printf(text, "%s%s %s", text->len ? ", " : "", count, tcgrr_event_name(kind));
        }
    }
    return g_string_free(text, FALSE);
}

/* How our count and QEMU's own compare. */
static char *count_text(const struct tcgrr_run *run, tcgrr_icount icount)
{
    g_autofree char *own = run->qemu_icount >= 0 ? cli_number((uint64_t)run->qemu_icount) : NULL;
    if (!own) {
        return g_strdup("QEMU's own count is not known");
    }
    g_autofree char *tail = run->tail > 0 ? cli_number(run->tail) : NULL;
    const char *since = run->guest_shutdown ? "the guest's request to shut down" : "the end of the recording";
    g_autofree char *after = tail ? g_strdup_printf(" with the %s after %s", tail, since) : g_strdup("");
    return (uint64_t)run->qemu_icount == icount + run->tail
               ? g_strdup_printf("QEMU's own count is the same%s", after)
               : g_strdup_printf("QEMU's own count is %s: please report this", own);
}

/* Of which instructions the memory accesses are here. */
static char *window_text(const struct tcgrr_run *run)
{
    g_autofree char *from = run->mem_from > 0 ? cli_number((uint64_t)run->mem_from) : NULL;
    g_autofree char *until = run->mem_until >= 0 ? cli_number((uint64_t)run->mem_until) : NULL;
    return g_strdup_printf("%s%s%s%s", from ? " from icount " : "", from ? from : "", until ? " up to icount " : "",
                           until ? until : "");
}

static void print_note(const char *text, void *data)
{
    printf("  note         %s\n", text);
}

/* Prints the repairs of QEMU's rr log before it is replayed. */
static void print_repairs(struct tcgrr_reader *reader)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) lines = tcgrr_recorded_repairs(reader, &error);

    for (guint i = 0; lines && i < lines->len; i++) {
        printf("  rr log       %s\n", (const char *)g_ptr_array_index(lines, i));
    }
    if (!lines) {
        printf("  rr log       %s\n", error->message);
        g_error_free(error);
    }
}

static void print_file(const char *path, uint64_t size, const char *xxh128, void *data)
{
    g_autofree char *bytes = cli_bytes(size);
    printf("  guest file   %s (%s, xxh128 %s)\n", path, bytes, xxh128);
}

struct embedded_total {
    uint64_t files;
    uint64_t bytes;
};

static void count_embedded(const struct tcgrr_embedded *file, void *data)
{
    struct embedded_total *total = data;
    total->files++;
    total->bytes += file->size;
}

/* What pins the machine, in one line, if anything does. */
static void print_pinned(struct tcgrr_reader *reader, GError **error)
{
    const struct tcgrr_pinned *pinned = NULL;
    struct embedded_total total = {0};
    if (!tcgrr_reader_pinned(reader, &pinned, error) || !pinned) {
        return;
    }
    if (!tcgrr_reader_inputs(reader, count_embedded, &total, error)) {
        return;
    }
    g_autofree char *bytes = cli_bytes(total.bytes);
    printf("  pinned       machine %s, CPU %s; %" G_GUINT64_FORMAT " files embedded, %s\n", pinned->machine,
           pinned->cpu, total.files, bytes);
    if (pinned->start_at) {
        g_autofree char *icount = cli_number(pinned->start_icount);
        printf("  starts       at %s, %s instructions after reset, from a snapshot\n", pinned->start_at, icount);
    }
}

static void print_embedded(const struct tcgrr_embedded *file, void *data)
{
    g_autofree char *bytes = cli_bytes(file->size);
    printf("  embedded     %s: %s%s%s (%s, xxh128 %s)\n", file->name, file->role, *file->path ? " from " : "",
           file->path, bytes, file->xxh128);
}

static void print_keyframes(const char *path)
{
    struct tcgrr_keyframes_sum sum;
    tcgrr_keyframes_sum(path, &sum);
    g_autofree char *bytes = cli_bytes(sum.bytes);
    if (sum.count > 0) {
        printf("  keyframes    %u, %s next to the trace\n", sum.count, bytes);
    }
}

/* False if something could not be read; the output then lacks it. */
static bool print_as_text(const char *path, struct tcgrr_reader *reader, const struct tcgrr_run *run,
                          const struct tcgrr_totals *totals, bool verbose, GError **error)
{
    GError *problem = NULL;
    g_autofree char *icount = cli_number(totals->icount);
    g_autofree char *execs = cli_number(totals->execs);
    g_autofree char *blocks = cli_number(totals->blocks);
    g_autofree char *bytes = cli_bytes(totals->bytes);
    g_autofree char *events = events_text(totals);
    g_autofree char *count = count_text(run, totals->icount);

    printf("%s: %s\n", path,
           tcgrr_run_ended(run) ? "complete"
           : run->complete      ? "interrupted; everything up to there is here"
                                : "INCOMPLETE: the recording was cut short or still runs");
    printf("  QEMU         %s, %s, %s mode, plugin API %d\n", run->qemu_version, run->target, run->mode,
           run->api_version);
    if (run->icount_shift && *run->icount_shift) {
        printf("  icount       shift=%s, %s, %u vCPU%s\n", run->icount_shift,
               run->rr ? "with rr (replays exactly)" : "without rr (cannot be replayed)", run->vcpus,
               run->vcpus == 1 ? "" : "s");
    }
    print_pinned(reader, &problem);
    printf("  instructions %s; %s\n", icount, count);
    if (tcgrr_run_level(run) > TCGRR_LEVEL_INPUTS) {
        printf("  executions   %s of %s different blocks\n", execs, blocks);
    } else {
        printf("  executions   not recorded (level inputs); tcgrr fill %s --level flow derives them\n", path);
    }
    printf("  events       %s%s\n", *events ? events : "none",
           run->reports_discontinuities || !*events ? ""
           : run->decided >= 0                      ? " (interrupts and exceptions from QEMU's rr log)"
                                                    : " (interrupts and exceptions inferred)");
    if (tcgrr_run_level(run) == TCGRR_LEVEL_FULL) {
        g_autofree char *accesses = cli_number(totals->accesses);
        g_autofree char *window = window_text(run);
        printf("  memory       %s accesses%s\n", accesses, window);
    }
    printf("  size         %s in %" G_GUINT64_FORMAT " chunks\n", bytes, totals->chunks);
    print_windows(reader, &problem);
    print_keyframes(path);
    printf("  ran          %.2f s, %s\n", run->duration_s, run->exit ? run->exit : "no end recorded");
    bool good = !problem && tcgrr_reader_processes(reader, print_process, NULL, &problem);
    if (run->assumed) {
        g_autofree char *assumed = cli_number(run->assumed);
        printf("  uncertain    %s interrupts could not be placed exactly\n", assumed);
    }
    if (verbose) {
        printf("  started      %s on %s, tcgrr %s\n", run->started, run->host, run->tool_version);
        printf("  command      %s\n", run->command);
        if (run->rr) {
            print_repairs(reader);
        }
        good = good && tcgrr_reader_notes(reader, print_note, NULL, &problem) &&
               tcgrr_reader_guest_files(reader, print_file, NULL, &problem) &&
               tcgrr_reader_inputs(reader, print_embedded, NULL, &problem);
    }
    if (problem) {
        g_propagate_error(error, problem);
    }
    return good;
}

int cli_print_trace(const char *path, bool json, enum cli_trace_form form)
{
    struct tcgrr_totals totals;
    GError *error = NULL;
    int status = CLI_OK;
    struct tcgrr_reader *reader = cli_open_trace(path, &status);

    if (!reader) {
        return status;
    }
    bool good =
        tcgrr_reader_totals(reader, &totals, &error) &&
        (json ? print_as_json(path, reader, &totals, form, &error)
              : print_as_text(path, reader, tcgrr_reader_run(reader), &totals, form == CLI_TRACE_VERBOSE, &error));
    if (!good) {
        status = cli_fail(error);
    }
    tcgrr_reader_free(reader);
    return status;
}
