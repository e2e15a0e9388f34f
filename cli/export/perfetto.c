/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timeline for ui.perfetto.dev: a track of functions for each vCPU, one of its events, and counters. Its time is the
 * icount: one instruction is shown as one nanosecond. Functions that ran for too short a time to be seen are left out,
 * so that a page can show the rest; the first walk finds out how long each one ran, the second one writes.
 */
#include "cli/cli.h"
#include "cli/export/export.h"
#include "cli/export/protobuf.h"

#include <string.h>

#define MAX_SLICES   (1u << 20)
#define COUNTER_STEP 1000000u   /* instructions between two values of a counter */
#define MAX_NAMES    (1u << 22) /* functions; the numbers after them name events */
#define SEQUENCE     1
#define PROCESS      1

/* Numbers of fields and values in Perfetto's protos/perfetto/trace. */
enum {
    TRACE_PACKET = 1,
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE = 10,
    PACKET_EVENT = 11,
    PACKET_INTERNED = 12,
    PACKET_FLAGS = 13,
    PACKET_TRACK = 60,
    FLAGS_CLEARED = 1,
    FLAGS_NEEDED = 2,
    INTERNED_NAMES = 2,
    NAME_NUMBER = 1,
    NAME_TEXT = 2,
    TRACK_NUMBER = 1,
    TRACK_NAME = 2,
    TRACK_PROCESS = 3,
    TRACK_PARENT = 5,
    TRACK_COUNTER = 8,
    PROCESS_ID = 1,
    PROCESS_NAME = 6,
    EVENT_TYPE = 9,
    EVENT_NAME = 10,
    EVENT_TRACK = 11,
    EVENT_VALUE = 30,
    TYPE_BEGIN = 1,
    TYPE_END = 2,
    TYPE_INSTANT = 3,
    TYPE_COUNTER = 4,
};

/* Tracks: functions and events of each vCPU, then the counters. */
enum { TRACK_ALL = 1, TRACK_EXECUTIONS = 2, TRACK_FIRST = 16 };

struct timeline {
    struct export_job *job;
    struct export_functions *functions;
    GByteArray *lengths; /* log2 of how long each frame ran, in the order in which they were entered */
    uint64_t frames;     /* entered so far */
    GPtrArray *stacks;   /* by vCPU: GArray of uint64_t, the number of each frame */
    unsigned shortest;   /* log2: shorter frames are left out */
    bool writing;        /* the second walk */
    GByteArray *named;   /* names that were written, by number */
    uint64_t executions; /* in the step of the counter */
    tcgrr_icount step;   /* its end */
    tcgrr_vcpu tracks;   /* vCPUs whose tracks were written */
};

static void put(struct timeline *timeline, const GByteArray *packet)
{
    g_autoptr(GByteArray) framed = g_byte_array_new();
    protobuf_message(framed, TRACE_PACKET, packet);
    fwrite(framed->data, 1, framed->len, timeline->job->out);
}

static void put_track(struct timeline *timeline, uint64_t number, const char *name, bool counter)
{
    g_autoptr(GByteArray) packet = g_byte_array_new();
    g_autoptr(GByteArray) track = g_byte_array_new();
    g_autoptr(GByteArray) inner = g_byte_array_new();

    protobuf_number(track, TRACK_NUMBER, number);
    protobuf_text(track, TRACK_NAME, name);
    if (number == TRACK_ALL) {
        protobuf_number(inner, PROCESS_ID, PROCESS);
        protobuf_text(inner, PROCESS_NAME, name);
        protobuf_message(track, TRACK_PROCESS, inner);
    } else {
        protobuf_number(track, TRACK_PARENT, TRACK_ALL);
    }
    if (counter) {
        protobuf_message(track, TRACK_COUNTER, inner);
    }
    protobuf_number(packet, PACKET_SEQUENCE, SEQUENCE);
    protobuf_message(packet, PACKET_TRACK, track);
    put(timeline, packet);
}

static void need_tracks(struct timeline *timeline, tcgrr_vcpu vcpu)
{
    for (; timeline->tracks <= vcpu; timeline->tracks++) {
        g_autofree char *functions = g_strdup_printf("vCPU %u", timeline->tracks);
        g_autofree char *events = g_strdup_printf("vCPU %u events", timeline->tracks);
        put_track(timeline, TRACK_FIRST + 2u * timeline->tracks, functions, false);
        put_track(timeline, TRACK_FIRST + 2u * timeline->tracks + 1, events, false);
    }
}

/* Writes an event; its name, once, with it. `number`: of a name, 0: none. */
static void put_event(struct timeline *timeline, tcgrr_icount icount, uint64_t track, unsigned type, uint32_t number,
                      const char *name, uint64_t value)
{
    g_autoptr(GByteArray) packet = g_byte_array_new();
    g_autoptr(GByteArray) event = g_byte_array_new();

    protobuf_number(event, EVENT_TYPE, type);
    protobuf_number(event, EVENT_TRACK, track);
    if (number) {
        protobuf_number(event, EVENT_NAME, number);
    }
    if (type == TYPE_COUNTER) {
        protobuf_number(event, EVENT_VALUE, value);
    }
    protobuf_number(packet, PACKET_TIMESTAMP, icount);
    protobuf_number(packet, PACKET_SEQUENCE, SEQUENCE);
    if (timeline->named->len <= number) {
        guint before = timeline->named->len;
        g_byte_array_set_size(timeline->named, number + 1);
        memset(timeline->named->data + before, 0, number + 1 - before);
    }
    if (number && !timeline->named->data[number]) {
        g_autoptr(GByteArray) interned = g_byte_array_new();
        g_autoptr(GByteArray) entry = g_byte_array_new();
        protobuf_number(entry, NAME_NUMBER, number);
        protobuf_text(entry, NAME_TEXT, name);
        protobuf_message(interned, INTERNED_NAMES, entry);
        protobuf_message(packet, PACKET_INTERNED, interned);
        timeline->named->data[number] = 1;
    }
    protobuf_number(packet, PACKET_FLAGS, FLAGS_NEEDED);
    protobuf_message(packet, PACKET_EVENT, event);
    put(timeline, packet);
}

static void put_start(struct timeline *timeline)
{
    g_autoptr(GByteArray) packet = g_byte_array_new();
    g_autofree char *name = g_path_get_basename(tcgrr_reader_path(timeline->job->report->reader));

    protobuf_number(packet, PACKET_SEQUENCE, SEQUENCE);
    protobuf_number(packet, PACKET_FLAGS, FLAGS_CLEARED);
    put(timeline, packet);
    put_track(timeline, TRACK_ALL, name, false);
    put_track(timeline, TRACK_EXECUTIONS, "blocks executed in 1,000,000 instructions", true);
}

static GArray *stack_of(struct timeline *timeline, tcgrr_vcpu vcpu)
{
    while (timeline->stacks->len <= vcpu) {
        g_ptr_array_add(timeline->stacks, g_array_new(FALSE, FALSE, sizeof(uint64_t)));
    }
    return g_ptr_array_index(timeline->stacks, vcpu);
}

static bool shown(const struct timeline *timeline, uint64_t frame)
{
    return timeline->lengths->data[frame] >= timeline->shortest;
}

static void entered(void *data, tcgrr_vcpu vcpu, const struct tcgrr_frame *frame)
{
    struct timeline *timeline = data;
    uint64_t number = timeline->frames++;

    g_array_append_val(stack_of(timeline, vcpu), number);
    if (!timeline->writing) {
        /* Until it is left, it holds when it was entered. */
        g_array_append_val(stack_of(timeline, vcpu), frame->icount);
        uint8_t none = 0;
        g_byte_array_append(timeline->lengths, &none, 1);
    } else if (shown(timeline, number)) {
        uint32_t function = export_function_at(timeline->functions, frame->entry);
        need_tracks(timeline, vcpu);
        put_event(timeline, frame->icount, TRACK_FIRST + 2u * vcpu, TYPE_BEGIN, function,
                  export_function_name(timeline->functions, function), 0);
    }
}

static void left(void *data, tcgrr_vcpu vcpu, bool bottom, tcgrr_icount icount)
{
    struct timeline *timeline = data;
    GArray *stack = stack_of(timeline, vcpu);
    guint entries = timeline->writing ? 1 : 2;
    guint index = bottom ? 0 : stack->len - entries;
    uint64_t number = g_array_index(stack, uint64_t, index);

    if (!timeline->writing) {
        uint64_t ran = icount - g_array_index(stack, uint64_t, index + 1);
        /* What is forgotten at the bottom cannot be closed around what is still open. */
        timeline->lengths->data[number] = bottom ? 0 : (uint8_t)(ran ? g_bit_storage(ran) : 0);
    } else if (shown(timeline, number)) {
        put_event(timeline, icount, TRACK_FIRST + 2u * vcpu, TYPE_END, 0, NULL, 0);
    }
    g_array_remove_range(stack, index, entries);
}

static void execution(void *data, const struct tcgrr_cursor *at)
{
    struct timeline *timeline = data;
    if (timeline->writing && at->icount >= timeline->step) {
        put_event(timeline, timeline->step - COUNTER_STEP, TRACK_EXECUTIONS, TYPE_COUNTER, 0, NULL,
                  timeline->executions);
        timeline->executions = 0;
        timeline->step = at->icount - at->icount % COUNTER_STEP + COUNTER_STEP;
    }
    timeline->executions++;
}

static bool event(void *data, const struct tcgrr_event *event)
{
    struct timeline *timeline = data;
    if (timeline->writing) {
        need_tracks(timeline, event->vcpu);
        put_event(timeline, event->icount, TRACK_FIRST + 2u * event->vcpu + 1, TYPE_INSTANT, MAX_NAMES + event->kind,
                  tcgrr_event_name(event->kind), 0);
    }
    return true;
}

/* The shortest length of which, with all that are longer, no more than MAX_SLICES are there. */
static unsigned choose_shortest(const struct timeline *timeline)
{
    uint64_t counts[65] = {0};
    uint64_t sum = 0;
    unsigned length = 64;

    if (timeline->job->least) {
        return (unsigned)g_bit_storage(timeline->job->least);
    }
    for (guint i = 0; i < timeline->lengths->len; i++) {
        counts[timeline->lengths->data[i]]++;
    }
    while (length > 1 && sum + counts[length] <= MAX_SLICES) {
        sum += counts[length--];
    }
    return sum + counts[length] <= MAX_SLICES || length == 64 ? length : length + 1;
}

static bool run(struct export_job *job, GError **error)
{
    struct timeline timeline = {
        .job = job,
        .functions = export_functions_new(job->report),
        .lengths = g_byte_array_new(),
        .stacks = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref),
        .named = g_byte_array_new(),
        .step = COUNTER_STEP,
    };
    struct export_visitor visitor = {entered, left, execution, event, &timeline};
    bool good = export_walk(job, &visitor, error);

    if (good) {
        timeline.shortest = choose_shortest(&timeline);
        timeline.writing = true;
        timeline.frames = 0;
        timeline.executions = 0;
        put_start(&timeline);
        good = export_walk(job, &visitor, error);
    }
    if (good && timeline.shortest > 1) {
        cli_note("functions that ran for fewer than %" G_GUINT64_FORMAT
                 " instructions are left out; --min sets another limit",
                 UINT64_C(1) << (timeline.shortest - 1));
    }
    g_byte_array_unref(timeline.lengths);
    g_byte_array_unref(timeline.named);
    g_ptr_array_unref(timeline.stacks);
    export_functions_free(timeline.functions);
    return good;
}

const struct export_format export_perfetto = {
    "perfetto", "a timeline of functions, events and counters: ui.perfetto.dev", true, false, run};
