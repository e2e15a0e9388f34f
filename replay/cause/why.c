/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/why.h"

#include <string.h>

#include "replay/cause/why_internal.h"
#include "store/error.h"

static void clear_value(gpointer data)
{
    struct tcgrr_why_value *value = data;
    g_free(value->name);
    g_free(value->value);
}

static void free_step(gpointer data)
{
    struct tcgrr_why_step *step = data;
    clear_value(&step->wrote);
    g_array_unref(step->read);
    g_free(step);
}

static void add_use(struct tcgrr_slice *slice, struct tcgrr_slice_use *use, const uint8_t *state, int number)
{
    struct tcgrr_why_step *step = g_ptr_array_index(slice->why->steps, (guint)number);
    struct tcgrr_why_value value = tcgrr_slice_value(slice, use, state);

    use->step = number;
    use->slot = step->read->len;
    use->before = step->icount;
    g_array_append_val(step->read, value);
    g_array_append_vals(slice->open, use, 1);
}

static bool use_registers(struct tcgrr_slice *slice, const struct tcgrr_stop *stop, int number)
{
    bool any = false;
    for (guint i = 0; i < stop->inputs.registers->len; i++) {
        const struct tcgrr_insn_input *input = &g_array_index(stop->inputs.registers, struct tcgrr_insn_input, i);
        const struct tcgrr_register *reg = tcgrr_slice_register(slice, input->index);
        if (tcgrr_insn_inputs_is_place(&stop->inputs, tcgrr_replay_pair_registers(slice->pair, 0), input->index)) {
            continue;
        }
        struct tcgrr_slice_use use = {.index = input->index, .mask = input->mask};
        use.number = tcgrr_state_number(tcgrr_replay_pair_registers(slice->pair, 0), stop->state, reg);
        add_use(slice, &use, stop->state, number);
        any = true;
    }
    return any;
}

static bool use_memory(struct tcgrr_slice *slice, const struct tcgrr_stop *stop, int number)
{
    bool any = false;
    for (guint i = 0; i < stop->touched->len; i++) {
        const struct tcgrr_touched *touched = &g_array_index(stop->touched, struct tcgrr_touched, i);
        if (!touched->operand.load || touched->size == 0) {
            continue;
        }
        any = true;
        if (touched->mapped && !touched->ram) {
            tcgrr_slice_add_end(slice,
                                "device: the instruction at icount %" G_GUINT64_FORMAT
                                " reads one, at physical address 0x%" G_GINT64_MODIFIER "x",
                                (tcgrr_icount)stop->moment, touched->physical);
            continue;
        }
        struct tcgrr_slice_use use = {
            .memory = true, .range = {touched->operand.address, touched->physical, touched->mapped, touched->size}};
        memcpy(use.bytes, touched->before, touched->size);
        add_use(slice, &use, stop->state, number);
    }
    return any;
}

static void follow_inputs(struct tcgrr_slice *slice, const struct tcgrr_stop *stop, int number)
{
    tcgrr_icount icount = stop->moment;

    if (stop->length == 0 || !stop->inputs.known || stop->inputs.hidden) {
        tcgrr_slice_add_end(slice, "unknown: what the instruction at icount %" G_GUINT64_FORMAT " reads is not known",
                            icount);
        return;
    }
    bool memory = use_memory(slice, stop, number);
    bool registers = use_registers(slice, stop, number);
    if (stop->inputs.outside) {
        tcgrr_slice_add_end(slice,
                            "clock: the instruction at icount %" G_GUINT64_FORMAT
                            " reads a clock, a port or a property of the machine",
                            icount);
    } else if (stop->inputs.unseen) {
        tcgrr_slice_add_end(
            slice, "unknown: QEMU does not show everything that the instruction at icount %" G_GUINT64_FORMAT " reads",
            icount);
    } else if (!memory && !registers) {
        tcgrr_slice_add_end(
            slice, "constant: the instruction at icount %" G_GUINT64_FORMAT " makes the value on its own", icount);
    }
}

/* Whether the value that the instruction at the stop wrote is the one that was read later. */
static bool left_it(const struct tcgrr_slice *slice, const struct tcgrr_slice_use *use, const struct tcgrr_stop *stop,
                    const struct tcgrr_stop *next)
{
    if (!use->memory) {
        uint64_t number = tcgrr_state_number(tcgrr_replay_pair_registers(slice->pair, 0), next->state,
                                             tcgrr_slice_register(slice, use->index));
        return ((number ^ use->number) & use->mask) == 0;
    }
    for (guint i = 0; i < stop->touched->len; i++) {
        const struct tcgrr_touched *touched = &g_array_index(stop->touched, struct tcgrr_touched, i);
        for (uint16_t k = 0; touched->operand.store && touched->ram && k < touched->size; k++) {
            uint64_t at = touched->physical + k - use->range.physical;
            if (use->range.mapped && at < use->range.size && touched->after[k] != use->bytes[at]) {
                return false;
            }
        }
    }
    return true;
}

static void set_writer(struct tcgrr_slice *slice, const struct tcgrr_slice_use *use, int writer)
{
    struct tcgrr_why_value *value = &slice->why->asked;
    if (use->step >= 0) {
        const struct tcgrr_why_step *step = g_ptr_array_index(slice->why->steps, (guint)use->step);
        value = &g_array_index(step->read, struct tcgrr_why_value, use->slot);
    }
    value->writer = writer;
}

/* A step for the instruction, unless there is one already. */
static void add_step(struct tcgrr_slice *slice, const struct tcgrr_slice_use *use, const struct tcgrr_stop *stop,
                     const struct tcgrr_stop *next)
{
    GPtrArray *steps = slice->why->steps;
    struct tcgrr_why_step *last = steps->len > 0 ? g_ptr_array_index(steps, steps->len - 1) : NULL;

    if (last && last->icount == use->writer) {
        set_writer(slice, use, (int)steps->len - 1);
        return;
    }
    struct tcgrr_why_step *step = g_new0(struct tcgrr_why_step, 1);
    step->icount = use->writer;
    step->pc = stop->address;
    step->length = stop->length;
    memcpy(step->bytes, stop->bytes, sizeof(step->bytes));
    step->wrote = tcgrr_slice_value(slice, use, next->state);
    step->read = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_why_value));
    g_array_set_clear_func(step->read, clear_value);
    g_ptr_array_add(steps, step);
    set_writer(slice, use, (int)steps->len - 1);
    follow_inputs(slice, stop, (int)steps->len - 1);
}

/* The last system call that returned in a stretch, or signal that came, and how many there were. */
struct calls {
    unsigned count;
    bool signal;
    int64_t number;
    tcgrr_icount icount;
};

static void note_call(const struct tcgrr_event *event, void *data)
{
    struct calls *calls = data;
    bool signal = event->kind == TCGRR_EVENT_SIGNAL;
    if (signal || event->kind == TCGRR_EVENT_SYSCALL_RETURN) {
        *calls = (struct calls){calls->count + 1, signal, event->number, event->icount};
    }
}

/* What no instruction wrote was, in a program, written by Linux: what a call returned, by the last one. */
static bool add_outside(struct tcgrr_slice *slice, const struct tcgrr_slice_use *use, GError **error)
{
    g_autofree char *name = tcgrr_slice_use_name(slice, use);
    struct calls calls = {0};

    if (!tcgrr_reader_events(slice->options->reader, use->writer + 1, use->before, note_call, &calls, error)) {
        return false;
    }
    if (calls.count == 0) {
        tcgrr_slice_add_end(slice,
                            "%s: %s changed between icount %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT
                            ", and no instruction is known to have written it there",
                            use->memory ? "device" : "event", name, use->writer + 1, use->before);
    } else if (calls.count == 1 || !use->memory) {
        tcgrr_slice_add_end(slice, "input: %s changed with %s %" G_GINT64_FORMAT " at icount %" G_GUINT64_FORMAT, name,
                            calls.signal ? "signal" : "the return of system call", calls.number, calls.icount);
    } else {
        tcgrr_slice_add_end(
            slice,
            "input: %s changed with one of the %u system calls and signals between icount %" G_GUINT64_FORMAT
            " and %" G_GUINT64_FORMAT ", and no instruction wrote it there",
            name, calls.count, use->writer + 1, use->before);
    }
    return true;
}

static bool take_writer(struct tcgrr_slice *slice, const struct tcgrr_slice_use *use, GError **error)
{
    const struct tcgrr_stop *around[2];

    if (!tcgrr_slice_step_through(slice, use->writer, around, error)) {
        return false;
    }
    if (left_it(slice, use, around[0], around[1])) {
        add_step(slice, use, around[0], around[1]);
        return true;
    }
    return add_outside(slice, use, error);
}

/* The one whose writer is, or can be, the latest. */
static guint newest(const struct tcgrr_slice *slice)
{
    guint best = 0;
    tcgrr_icount latest = 0;

    for (guint i = 0; i < slice->open->len; i++) {
        const struct tcgrr_slice_use *use = &g_array_index(slice->open, struct tcgrr_slice_use, i);
        tcgrr_icount key = use->known ? use->writer : use->before;
        if (key >= latest) {
            best = i;
            latest = key;
        }
    }
    return best;
}

static bool follow(struct tcgrr_slice *slice, GError **error)
{
    while (slice->open->len > 0) {
        guint at = newest(slice);
        struct tcgrr_slice_use use = g_array_index(slice->open, struct tcgrr_slice_use, at);
        bool over = false;

        if (!use.known) {
            if (!tcgrr_slice_find_writer(slice, &use, &over, error)) {
                return false;
            }
            g_array_index(slice->open, struct tcgrr_slice_use, at) = use;
            if (over) {
                g_array_remove_index(slice->open, at);
            }
            continue;
        }
        const GPtrArray *steps = slice->why->steps;
        bool again = steps->len > 0 &&
                     ((const struct tcgrr_why_step *)g_ptr_array_index(steps, steps->len - 1))->icount == use.writer;
        if (steps->len >= slice->options->depth && !again) {
            tcgrr_slice_add_end(slice, "depth: the chain continues; follow more of it with --depth");
            return true;
        }
        g_array_remove_index(slice->open, at);
        if (!take_writer(slice, &use, error)) {
            return false;
        }
    }
    return true;
}

static void watch_computed(struct tcgrr_slice *slice)
{
    const GPtrArray *list = tcgrr_replay_pair_registers(slice->pair, 0)->list;
    slice->watched = g_new0(bool, list->len);
    for (guint i = 0; i < list->len; i++) {
        slice->watched[i] = !((const struct tcgrr_register *)g_ptr_array_index(list, i))->system;
    }
}

bool tcgrr_why_find(const struct tcgrr_why_options *options, struct tcgrr_why *why, GError **error)
{
    struct tcgrr_replay_pair_options pair = {
        .readers = {options->reader, options->reader},
        .qemus = {options->qemu, options->qemu},
        .plugin = options->plugin,
        .hang_ms = options->hang_ms,
        .stop = options->stop,
    };
    struct tcgrr_slice slice = {.options = options, .why = why};
    const struct tcgrr_run *run = tcgrr_reader_run(options->reader);

    *why = (struct tcgrr_why){.steps = g_ptr_array_new_with_free_func(free_step),
                              .ends = g_ptr_array_new_with_free_func(g_free)};
    if (run->complete && options->at > run->icount) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the run has %" G_GUINT64_FORMAT " instructions: there is no icount %" G_GUINT64_FORMAT,
                    run->icount, options->at);
        return false;
    }
    slice.pair = tcgrr_replay_pair_alone(&pair, options->at, error);
    if (!slice.pair) {
        return false;
    }
    g_autoptr(GArray) nowhere = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_place));
    slice.nowhere = nowhere;
    slice.open = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_slice_use));
    slice.stretches = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    slice.log = tcgrr_access_log_new();
    watch_computed(&slice);
    g_autofree uint8_t *state = g_malloc0(tcgrr_replay_pair_registers(slice.pair, 0)->state_bytes);
    bool good = tcgrr_slice_begin(&slice, state, error) && follow(&slice, error);
    tcgrr_access_log_free(slice.log);
    g_ptr_array_unref(slice.stretches);
    g_array_unref(slice.open);
    g_free(slice.watched);
    tcgrr_replay_pair_free(slice.pair);
    return good;
}

void tcgrr_why_clear(struct tcgrr_why *why)
{
    clear_value(&why->asked);
    g_clear_pointer(&why->steps, g_ptr_array_unref);
    g_clear_pointer(&why->ends, g_ptr_array_unref);
    *why = (struct tcgrr_why){0};
}
