/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/why.h"

#include <string.h>

#include "replay/cause/ahead.h"
#include "replay/cause/last.h"
#include "store/error.h"

#define WINDOW                                                                                                         \
    48 /* instructions before a writer that are stepped through with it: others of the chain are often there */

/* Something whose writer is looked for. */
struct wanted {
    bool memory;
    unsigned index; /* of the register */
    uint64_t mask;  /* its bits that count */
    struct tcgrr_last_place place;
    uint8_t bytes[TCGRR_PLACE_MAX]; /* memory: what is there */
    uint64_t number;                /* a register's lowest 64 bits */
    tcgrr_icount before;            /* it has that value before this instruction */
    bool known;                     /* `writer` is */
    tcgrr_icount writer;
    int step; /* that reads it: number in why->steps; -1: it was asked for */
    guint slot;
};

struct chase {
    const struct tcgrr_why_options *options;
    struct tcgrr_why *why;
    struct tcgrr_replay_pair *pair;
    GArray *open;         /* struct wanted */
    GPtrArray *stretches; /* those stepped through last, in order: GPtrArray of struct tcgrr_stop * */
    struct tcgrr_access_log *log;
    const uint8_t *state;  /* where the chase began */
    const GArray *nowhere; /* no places in memory are watched */
    bool *watched;         /* by index: the registers that are read at each stop */
};

static void say(struct chase *chase, const char *text, tcgrr_icount icount)
{
    chase->why->replays++;
    if (chase->options->progress) {
        g_autofree char *line = g_strdup_printf("%s at icount %" G_GUINT64_FORMAT, text, icount);
        chase->options->progress(line, chase->options->data);
    }
}

static const struct tcgrr_register *register_at(const struct chase *chase, unsigned index)
{
    return g_ptr_array_index(tcgrr_replay_pair_registers(chase->pair, 0)->list, index);
}

/* ---- names and values ---- */

/* A value in memory as a number, in the target's order of bytes. */
static char *memory_text(const struct chase *chase, const uint8_t *bytes, uint16_t size)
{
    bool big = tcgrr_replay_pair_registers(chase->pair, 0)->big_endian;
    GString *text = g_string_new("0x");
    for (uint16_t i = 0; i < size; i++) {
        g_string_append_printf(text, "%02x", bytes[big ? i : size - 1 - i]);
    }
    return g_string_free(text, FALSE);
}

static char *name_of(const struct chase *chase, const struct wanted *wanted)
{
    return wanted->memory
               ? g_strdup_printf("memory 0x%" G_GINT64_MODIFIER "x:%u", wanted->place.address, wanted->place.size)
               : g_strdup(register_at(chase, wanted->index)->name);
}

/* Wide registers are mostly empty: leading zeros beyond 64 bits are left out. Takes `text` over. */
static char *shorten(char *text)
{
    size_t digits = strlen(text) - 2;
    size_t zeros = strspn(text + 2, "0");
    size_t drop = digits > 16 ? MIN(zeros, digits - 16) : 0;
    char *shorter = g_strconcat("0x", text + 2 + drop, NULL);
    g_free(text);
    return shorter;
}

static struct tcgrr_why_value value_of(const struct chase *chase, const struct wanted *wanted, const uint8_t *state)
{
    struct tcgrr_why_value value = {.name = name_of(chase, wanted), .writer = -1};
    if (wanted->memory) {
        value.value = memory_text(chase, wanted->bytes, wanted->place.size);
    } else if (tcgrr_state_knows(state, wanted->index)) {
        value.value = shorten(
            tcgrr_state_text(tcgrr_replay_pair_registers(chase->pair, 0), state, register_at(chase, wanted->index)));
    }
    return value;
}

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

static G_GNUC_PRINTF(2, 3) void add_end(struct chase *chase, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    g_autofree char *text = g_strdup_vprintf(format, list);
    va_end(list);
    for (guint i = 0; i < chase->why->ends->len; i++) {
        if (strcmp(g_ptr_array_index(chase->why->ends, i), text) == 0) {
            return;
        }
    }
    g_ptr_array_add(chase->why->ends, g_steal_pointer(&text));
}

/* ---- standing at an instruction ---- */

static const struct tcgrr_stop *stop_in(const GPtrArray *stops, guint i)
{
    /* Who asks has looked whether there are any. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    return g_ptr_array_index(stops, i);
}

/* The stops before and after the instruction that retires as number `icount`. */
static bool find_stops(const struct chase *chase, tcgrr_icount icount, const struct tcgrr_stop *around[2])
{
    for (guint k = 0; k < chase->stretches->len; k++) {
        const GPtrArray *stops = g_ptr_array_index(chase->stretches, k);
        for (guint i = 0; i + 1 < stops->len; i++) {
            if (stop_in(stops, i)->moment == icount && stop_in(stops, i + 1)->moment > icount) {
                around[0] = stop_in(stops, i);
                around[1] = stop_in(stops, i + 1);
                return true;
            }
        }
    }
    return false;
}

/* The stretches around some instructions, latest first, one after the other. */
static bool plan(struct chase *chase, const GArray *icounts, GArray *segments, GError **error)
{
    for (guint i = icounts->len; i > 0; i--) {
        tcgrr_icount icount = g_array_index(icounts, tcgrr_icount, i - 1);
        struct tcgrr_segment segment = {.to = icount, .more = 1, .watch = {chase->watched, chase->nowhere}};
        if (!tcgrr_replay_pair_quiet(chase->pair, icount - MIN(icount, WINDOW), &segment.from, error)) {
            return false;
        }
        struct tcgrr_segment *last =
            segments->len > 0 ? &g_array_index(segments, struct tcgrr_segment, segments->len - 1) : NULL;
        if (last && segment.from <= last->to + WINDOW) {
            last->to = icount;
        } else {
            g_array_append_val(segments, segment);
        }
    }
    return true;
}

/* Steps through all of these instructions, latest first, in one replay. */
static bool walk(struct chase *chase, const GArray *icounts, GError **error)
{
    g_autoptr(GArray) segments = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_segment));

    g_ptr_array_set_size(chase->stretches, 0);
    if (!plan(chase, icounts, segments, error) ||
        !tcgrr_replay_pair_walk_alone(chase->pair, (struct tcgrr_segment *)segments->data, segments->len, error)) {
        return false;
    }
    for (guint i = 0; i < segments->len; i++) {
        g_ptr_array_add(chase->stretches, g_array_index(segments, struct tcgrr_segment, i).stops[0]);
    }
    return true;
}

/* Where the chase will probably go from instruction `icount`, and there first; as far as the same keyframe reaches. */
static GArray *look_ahead(struct chase *chase, tcgrr_icount icount, GError **error)
{
    g_autoptr(GArray) writers = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));
    struct tcgrr_ahead ahead = {
        .pair = chase->pair,
        .reader = chase->options->reader,
        .log = chase->log,
        .state = chase->state,
        .from = tcgrr_replay_pair_keyframe(chase->pair, 0, icount).icount,
        .writers = writers,
    };
    unsigned done = chase->why->steps->len;

    g_array_append_val(writers, icount);
    for (guint i = 0; i < chase->open->len; i++) {
        const struct wanted *wanted = &g_array_index(chase->open, struct wanted, i);
        if (wanted->known && wanted->writer >= ahead.from) {
            g_array_append_val(writers, wanted->writer);
        } else if (!wanted->known && !wanted->memory &&
                   !tcgrr_ahead_add(&ahead, wanted->index, wanted->before, error)) {
            return NULL;
        }
    }
    return tcgrr_ahead_take(&ahead, MAX(chase->options->depth, done + 1) - done, error);
}

/* A guess that leads nowhere is no reason to fail. */
static bool walk_ahead(struct chase *chase, GArray *icounts, GError **error)
{
    GError *problem = NULL;

    if (walk(chase, icounts, &problem)) {
        return true;
    }
    if (icounts->len > 1 && problem->code != TCGRR_ERROR_STOPPED) {
        g_clear_error(&problem);
        g_array_set_size(icounts, 1);
        return walk(chase, icounts, error);
    }
    g_propagate_error(error, problem);
    return false;
}

static bool step_through(struct chase *chase, tcgrr_icount icount, const struct tcgrr_stop *around[2], GError **error)
{
    if (find_stops(chase, icount, around)) {
        return true;
    }
    say(chase, "stepping", icount);
    g_autoptr(GArray) icounts = look_ahead(chase, icount, error);
    if (!icounts || !walk_ahead(chase, icounts, error)) {
        return false;
    }
    if (!find_stops(chase, icount, around)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "instruction %" G_GUINT64_FORMAT
                    " does not run when it is stepped through: the replay is not exact",
                    icount);
        return false;
    }
    return true;
}

/* ---- what an instruction reads ---- */

static void want(struct chase *chase, struct wanted *wanted, const uint8_t *state, int number)
{
    struct tcgrr_why_step *step = g_ptr_array_index(chase->why->steps, (guint)number);
    struct tcgrr_why_value value = value_of(chase, wanted, state);

    wanted->step = number;
    wanted->slot = step->read->len;
    wanted->before = step->icount;
    g_array_append_val(step->read, value);
    g_array_append_vals(chase->open, wanted, 1);
}

static bool want_registers(struct chase *chase, const struct tcgrr_stop *stop, int number)
{
    bool any = false;
    for (guint i = 0; i < stop->inputs.registers->len; i++) {
        const struct tcgrr_insn_input *input = &g_array_index(stop->inputs.registers, struct tcgrr_insn_input, i);
        const struct tcgrr_register *reg = register_at(chase, input->index);
        if (tcgrr_insn_inputs_is_place(&stop->inputs, tcgrr_replay_pair_registers(chase->pair, 0), input->index)) {
            continue;
        }
        struct wanted wanted = {.index = input->index, .mask = input->mask};
        wanted.number = tcgrr_state_number(tcgrr_replay_pair_registers(chase->pair, 0), stop->state, reg);
        want(chase, &wanted, stop->state, number);
        any = true;
    }
    return any;
}

static bool want_memory(struct chase *chase, const struct tcgrr_stop *stop, int number)
{
    bool any = false;
    for (guint i = 0; i < stop->touched->len; i++) {
        const struct tcgrr_touched *touched = &g_array_index(stop->touched, struct tcgrr_touched, i);
        if (!touched->operand.load || touched->size == 0) {
            continue;
        }
        any = true;
        if (touched->mapped && !touched->ram) {
            add_end(chase,
                    "device: the instruction at icount %" G_GUINT64_FORMAT
                    " reads one, at physical address 0x%" G_GINT64_MODIFIER "x",
                    (tcgrr_icount)stop->moment, touched->physical);
            continue;
        }
        struct wanted wanted = {.memory = true,
                                .place = {touched->operand.address, touched->physical, touched->mapped, touched->size}};
        memcpy(wanted.bytes, touched->before, touched->size);
        want(chase, &wanted, stop->state, number);
    }
    return any;
}

static void follow_inputs(struct chase *chase, const struct tcgrr_stop *stop, int number)
{
    tcgrr_icount icount = stop->moment;

    if (stop->length == 0 || !stop->inputs.known || stop->inputs.hidden) {
        add_end(chase, "unknown: what the instruction at icount %" G_GUINT64_FORMAT " reads is not known", icount);
        return;
    }
    bool memory = want_memory(chase, stop, number);
    bool registers = want_registers(chase, stop, number);
    if (stop->inputs.outside) {
        add_end(chase,
                "clock: the instruction at icount %" G_GUINT64_FORMAT
                " reads a clock, a port or a property of the machine",
                icount);
    } else if (stop->inputs.unseen) {
        add_end(chase,
                "unknown: QEMU does not show everything that the instruction at icount %" G_GUINT64_FORMAT " reads",
                icount);
    } else if (!memory && !registers) {
        add_end(chase, "constant: the instruction at icount %" G_GUINT64_FORMAT " makes the value on its own", icount);
    }
}

/* ---- who wrote it ---- */

/* Whether what the instruction at the stop left is what was there later. */
static bool left_it(const struct chase *chase, const struct wanted *wanted, const struct tcgrr_stop *stop,
                    const struct tcgrr_stop *next)
{
    if (!wanted->memory) {
        uint64_t number = tcgrr_state_number(tcgrr_replay_pair_registers(chase->pair, 0), next->state,
                                             register_at(chase, wanted->index));
        return ((number ^ wanted->number) & wanted->mask) == 0;
    }
    for (guint i = 0; i < stop->touched->len; i++) {
        const struct tcgrr_touched *touched = &g_array_index(stop->touched, struct tcgrr_touched, i);
        for (uint16_t k = 0; touched->operand.store && touched->ram && k < touched->size; k++) {
            uint64_t at = touched->physical + k - wanted->place.physical;
            if (wanted->place.mapped && at < wanted->place.size && touched->after[k] != wanted->bytes[at]) {
                return false;
            }
        }
    }
    return true;
}

static void set_writer(struct chase *chase, const struct wanted *wanted, int writer)
{
    struct tcgrr_why_value *value = &chase->why->asked;
    if (wanted->step >= 0) {
        const struct tcgrr_why_step *step = g_ptr_array_index(chase->why->steps, (guint)wanted->step);
        value = &g_array_index(step->read, struct tcgrr_why_value, wanted->slot);
    }
    value->writer = writer;
}

/* A step for the instruction, unless there is one already. */
static void add_step(struct chase *chase, const struct wanted *wanted, const struct tcgrr_stop *stop,
                     const struct tcgrr_stop *next)
{
    GPtrArray *steps = chase->why->steps;
    struct tcgrr_why_step *last = steps->len > 0 ? g_ptr_array_index(steps, steps->len - 1) : NULL;

    if (last && last->icount == wanted->writer) {
        set_writer(chase, wanted, (int)steps->len - 1);
        return;
    }
    struct tcgrr_why_step *step = g_new0(struct tcgrr_why_step, 1);
    step->icount = wanted->writer;
    step->pc = stop->address;
    step->length = stop->length;
    memcpy(step->bytes, stop->bytes, sizeof(step->bytes));
    step->wrote = value_of(chase, wanted, next->state);
    step->read = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_why_value));
    g_array_set_clear_func(step->read, clear_value);
    g_ptr_array_add(steps, step);
    set_writer(chase, wanted, (int)steps->len - 1);
    follow_inputs(chase, stop, (int)steps->len - 1);
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
static bool add_outside(struct chase *chase, const struct wanted *wanted, GError **error)
{
    g_autofree char *name = name_of(chase, wanted);
    struct calls calls = {0};

    if (!tcgrr_reader_events(chase->options->reader, wanted->writer + 1, wanted->before, note_call, &calls, error)) {
        return false;
    }
    if (calls.count == 0) {
        add_end(chase,
                "%s: %s changed between icount %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT
                ", and no instruction is known to have written it there",
                wanted->memory ? "device" : "event", name, wanted->writer + 1, wanted->before);
    } else if (calls.count == 1 || !wanted->memory) {
        add_end(chase, "input: %s changed with %s %" G_GINT64_FORMAT " at icount %" G_GUINT64_FORMAT, name,
                calls.signal ? "signal" : "the return of system call", calls.number, calls.icount);
    } else {
        add_end(chase,
                "input: %s changed with one of the %u system calls and signals between icount %" G_GUINT64_FORMAT
                " and %" G_GUINT64_FORMAT ", and no instruction wrote it there",
                name, calls.count, wanted->writer + 1, wanted->before);
    }
    return true;
}

static bool take_writer(struct chase *chase, const struct wanted *wanted, GError **error)
{
    const struct tcgrr_stop *around[2];

    if (!step_through(chase, wanted->writer, around, error)) {
        return false;
    }
    if (left_it(chase, wanted, around[0], around[1])) {
        add_step(chase, wanted, around[0], around[1]);
        return true;
    }
    return add_outside(chase, wanted, error);
}

static bool stores_to(const struct tcgrr_stop *stop, const struct tcgrr_last_place *place)
{
    for (guint i = 0; i < stop->touched->len; i++) {
        const struct tcgrr_touched *touched = &g_array_index(stop->touched, struct tcgrr_touched, i);
        if (touched->operand.store && touched->ram && touched->physical < place->physical + place->size &&
            place->physical < touched->physical + touched->size) {
            return true;
        }
    }
    return false;
}

/* The last store before `before` in a stretch that was stepped through, if it reaches up to there. */
static bool store_in_stretch(const GPtrArray *stops, struct wanted *wanted, tcgrr_icount before)
{
    guint at = 0;

    while (at < stops->len && stop_in(stops, at)->moment < before) {
        at++;
    }
    for (; at < stops->len && at > 0; at--) {
        const struct tcgrr_stop *stop = stop_in(stops, at - 1);
        if (stop_in(stops, at)->moment > stop->moment && stores_to(stop, &wanted->place)) {
            wanted->writer = stop->moment;
            wanted->known = true;
            return true;
        }
    }
    return false;
}

static bool store_in_stops(const struct chase *chase, struct wanted *wanted, tcgrr_icount before)
{
    bool found = false;
    for (guint i = 0; i < chase->stretches->len && !found; i++) {
        found = store_in_stretch(g_ptr_array_index(chase->stretches, i), wanted, before);
    }
    return found;
}

/* Where QEMU does not report stores: the one that last changed what is there, which is seen by looking. */
static bool find_change(struct chase *chase, struct wanted *wanted, struct tcgrr_last *last, GError **error)
{
    struct tcgrr_segment segment = {.watch = {chase->watched, chase->nowhere}};
    bool found;

    say(chase, "looking for the last change before it is read", wanted->before);
    if (!tcgrr_last_change(chase->pair, &wanted->place, wanted->bytes, wanted->before, &segment.from, &segment.to,
                           &found, error)) {
        return false;
    }
    *last =
        (struct tcgrr_last){.kind = TCGRR_LAST_NONE,
                            .reason = "it was the same whenever it was looked at (this QEMU does not report stores, "
                                      "and one of the same value shows no change)"};
    if (!found) {
        return true;
    }
    say(chase, "stepping", segment.to);
    segment.more = 1;
    g_ptr_array_set_size(chase->stretches, 0);
    if (!tcgrr_replay_pair_walk_alone(chase->pair, &segment, 1, error)) {
        return false;
    }
    g_ptr_array_add(chase->stretches, segment.stops[0]);
    if (store_in_stops(chase, wanted, segment.to)) {
        *last = (struct tcgrr_last){TCGRR_LAST_FOUND, wanted->writer, NULL};
    } else {
        *last = (struct tcgrr_last){TCGRR_LAST_UNKNOWN, 0, "it changed where no instruction is known to store there"};
    }
    return true;
}

/* Sets wanted->writer; *over: there is none to be had, and why was noted. */
static bool find_writer(struct chase *chase, struct wanted *wanted, bool *over, GError **error)
{
    const struct tcgrr_why_options *options = chase->options;
    struct tcgrr_last last = {.kind = TCGRR_LAST_NONE};
    g_autofree char *name = name_of(chase, wanted);

    *over = false;
    if (wanted->memory && store_in_stops(chase, wanted, wanted->before)) {
        return true;
    }
    if (wanted->memory) {
        struct tcgrr_last_options how = {options->reader, tcgrr_replay_pair_qemu(chase->pair, 0), options->plugin,
                                         options->stop, chase->log};
        tcgrr_icount from, seen;
        if (!tcgrr_access_log_reaches(chase->log, wanted->before, &from) ||
            !tcgrr_access_log_last_store(chase->log, &wanted->place, wanted->before, &seen)) {
            say(chase, "looking for the last store before it is read", wanted->before);
        }
        if (!tcgrr_last_store(&how, &wanted->place, wanted->before, &last, error) ||
            (last.kind == TCGRR_LAST_UNREPORTED && !find_change(chase, wanted, &last, error))) {
            return false;
        }
    } else if (!tcgrr_last_register(chase->pair, options->reader, wanted->index, chase->state, 0, wanted->before, &last,
                                    error)) {
        return false;
    }
    wanted->known = last.kind == TCGRR_LAST_FOUND;
    wanted->writer = last.icount;
    *over = !wanted->known;
    bool by_linux = wanted->memory && g_strcmp0(tcgrr_reader_run(options->reader)->mode, "user") == 0;
    if (last.kind == TCGRR_LAST_NONE && by_linux && !last.reason) {
        add_end(chase,
                "start or input: %s: no instruction has written it since the run began: the program started with it, "
                "or a system call mapped or wrote it",
                name);
    } else if (last.kind == TCGRR_LAST_NONE) {
        add_end(chase, "start: %s: %s", name, last.reason ? last.reason : "nothing has written it since the run began");
    } else if (last.kind == TCGRR_LAST_UNKNOWN) {
        add_end(chase, "unknown: what wrote %s before icount %" G_GUINT64_FORMAT " is not known: %s", name,
                wanted->before, last.reason);
    }
    return true;
}

/* ---- the chase ---- */

/* The one whose writer is, or can be, the latest. */
static guint newest(const struct chase *chase)
{
    guint best = 0;
    tcgrr_icount latest = 0;

    for (guint i = 0; i < chase->open->len; i++) {
        const struct wanted *wanted = &g_array_index(chase->open, struct wanted, i);
        tcgrr_icount key = wanted->known ? wanted->writer : wanted->before;
        if (key >= latest) {
            best = i;
            latest = key;
        }
    }
    return best;
}

static bool follow(struct chase *chase, GError **error)
{
    while (chase->open->len > 0) {
        guint at = newest(chase);
        struct wanted wanted = g_array_index(chase->open, struct wanted, at);
        bool over = false;

        if (!wanted.known) {
            if (!find_writer(chase, &wanted, &over, error)) {
                return false;
            }
            g_array_index(chase->open, struct wanted, at) = wanted;
            if (over) {
                g_array_remove_index(chase->open, at);
            }
            continue;
        }
        const GPtrArray *steps = chase->why->steps;
        bool again = steps->len > 0 &&
                     ((const struct tcgrr_why_step *)g_ptr_array_index(steps, steps->len - 1))->icount == wanted.writer;
        if (steps->len >= chase->options->depth && !again) {
            add_end(chase, "depth: the chain continues; follow more of it with --depth");
            return true;
        }
        g_array_remove_index(chase->open, at);
        if (!take_writer(chase, &wanted, error)) {
            return false;
        }
    }
    return true;
}

/*
 * The register that a name stands for: as QEMU calls it, or a part of one by the name that the architecture gives it.
 */
static const struct tcgrr_register *find_register(const struct tcgrr_registers *registers, const char *what)
{
    static const struct {
        char part;
        char whole;
    } parts[] = {{'w', 'x'}, {'e', 'r'}, {'r', 'e'}, {'q', 'v'}, {'d', 'v'}, {'s', 'v'}};
    const struct tcgrr_register *found = tcgrr_registers_find(registers, what);
    g_autofree char *name = g_ascii_strdown(what, -1);
    char first = name[0];

    found = found ? found : tcgrr_registers_find(registers, strcmp(name, "nzcv") == 0 ? "cpsr" : name);
    for (size_t i = 0; i < G_N_ELEMENTS(parts) && !found && *name; i++) {
        if (first == parts[i].part) {
            name[0] = parts[i].whole;
            found = tcgrr_registers_find(registers, name);
        }
    }
    return found;
}

static struct wanted wanted_register(const struct chase *chase, const struct tcgrr_register *reg, const uint8_t *state)
{
    return (struct wanted){.index = reg->index,
                           .mask = UINT64_MAX,
                           .number = tcgrr_state_number(tcgrr_replay_pair_registers(chase->pair, 0), state, reg),
                           .before = chase->options->at,
                           .step = -1};
}

static void ask(struct chase *chase, const struct wanted *wanted, const uint8_t *state)
{
    chase->why->asked = value_of(chase, wanted, state);
    g_array_append_vals(chase->open, wanted, 1);
}

static bool read_asked_memory(struct chase *chase, struct tcgrr_paused *paused, struct wanted *wanted, GError **error)
{
    const struct tcgrr_why_options *options = chase->options;
    const GPtrArray *registers = tcgrr_replay_pair_registers(chase->pair, 0)->list;
    uint16_t width = (uint16_t)(((const struct tcgrr_register *)g_ptr_array_index(registers, 0))->bytes);
    bool ram = false;

    *wanted = (struct wanted){.memory = true, .before = options->at, .step = -1};
    wanted->place =
        (struct tcgrr_last_place){.address = options->address, .size = options->size ? options->size : width};
    if (!tcgrr_paused_translate(paused, options->address, &wanted->place.physical, &wanted->place.mapped, error) ||
        (wanted->place.mapped &&
         !tcgrr_paused_read_memory(paused, wanted->place.physical, wanted->place.size, wanted->bytes, &ram, error))) {
        return false;
    }
    if (!ram) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "there is no memory at 0x%" G_GINT64_MODIFIER "x at icount %" G_GUINT64_FORMAT, options->address,
                    options->at);
    }
    return ram;
}

/* `reg`: the register that is asked for; NULL: memory is. */
static bool stand(struct chase *chase, const struct tcgrr_register *reg, uint8_t *state, GError **error)
{
    struct wanted wanted;

    say(chase, "standing", chase->options->at);
    struct tcgrr_paused *paused = tcgrr_replay_pair_pause_at(chase->pair, chase->options->at, error);
    bool good = paused && tcgrr_paused_read_state(paused, NULL, state, error) &&
                (reg || read_asked_memory(chase, paused, &wanted, error));
    tcgrr_paused_free(paused);
    if (good) {
        wanted = reg ? wanted_register(chase, reg, state) : wanted;
        ask(chase, &wanted, state);
    }
    return good;
}

/* Where the register is read, and before that those where it probably comes from; empty if that is not known. */
static GArray *look_ahead_of(struct chase *chase, const struct tcgrr_register *reg, uint8_t *state, GError **error)
{
    g_autoptr(GArray) writers = g_array_new(FALSE, FALSE, sizeof(tcgrr_icount));
    struct tcgrr_ahead ahead = {chase->pair, chase->options->reader, chase->log, state, 0, writers};

    if (!tcgrr_replay_pair_read_near(chase->pair, chase->watched, state, &ahead.from, error) ||
        !tcgrr_ahead_add(&ahead, reg->index, chase->options->at, error)) {
        return NULL;
    }
    GArray *icounts = tcgrr_ahead_take(&ahead, chase->options->depth, error);
    tcgrr_icount last = chase->options->at - 1;
    if (icounts && icounts->len > 0 && g_array_index(icounts, tcgrr_icount, 0) != last) {
        g_array_prepend_val(icounts, last);
    }
    return icounts;
}

/* Reads the register in the same replay that steps through what wrote it. *done: that was possible. */
static bool stand_after_writers(struct chase *chase, const struct tcgrr_register *reg, uint8_t *state, bool *done,
                                GError **error)
{
    const struct tcgrr_why_options *options = chase->options;
    const struct tcgrr_stop *around[2];
    GError *problem = NULL;
    bool interrupted;

    *done = false;
    if (options->at == 0 || !chase->watched[reg->index]) {
        return true;
    }
    if (!tcgrr_replay_pair_interrupted(chase->pair, 0, options->at, &interrupted, error)) {
        return false;
    }
    g_autoptr(GArray) icounts =
        interrupted ? g_array_new(FALSE, FALSE, sizeof(tcgrr_icount)) : look_ahead_of(chase, reg, state, error);
    if (!icounts || icounts->len == 0) {
        return icounts != NULL;
    }
    say(chase, "stepping", options->at);
    if (!walk(chase, icounts, &problem)) {
        bool stopped = problem->code == TCGRR_ERROR_STOPPED;
        g_propagate_error(stopped ? error : NULL, problem);
        return !stopped;
    }
    *done = find_stops(chase, options->at - 1, around) && around[1]->moment == options->at &&
            tcgrr_state_knows(around[1]->state, reg->index);
    if (*done) {
        memcpy(state, around[1]->state, tcgrr_replay_pair_registers(chase->pair, 0)->state_bytes);
        struct wanted wanted = wanted_register(chase, reg, state);
        ask(chase, &wanted, state);
    }
    return true;
}

static bool begin(struct chase *chase, uint8_t *state, GError **error)
{
    const char *what = chase->options->what;
    const struct tcgrr_register *reg = what ? find_register(tcgrr_replay_pair_registers(chase->pair, 0), what) : NULL;
    bool done = false;

    if (what && (!reg || tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PC)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s is not a register that QEMU shows, or not one that single instructions set", what);
        return false;
    }
    chase->state = state;
    return (!reg || stand_after_writers(chase, reg, state, &done, error)) && (done || stand(chase, reg, state, error));
}

static void watch_computed(struct chase *chase)
{
    const GPtrArray *list = tcgrr_replay_pair_registers(chase->pair, 0)->list;
    chase->watched = g_new0(bool, list->len);
    for (guint i = 0; i < list->len; i++) {
        chase->watched[i] = !((const struct tcgrr_register *)g_ptr_array_index(list, i))->system;
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
    struct chase chase = {.options = options, .why = why};
    const struct tcgrr_run *run = tcgrr_reader_run(options->reader);

    *why = (struct tcgrr_why){.steps = g_ptr_array_new_with_free_func(free_step),
                              .ends = g_ptr_array_new_with_free_func(g_free)};
    if (run->complete && options->at > run->icount) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the run has %" G_GUINT64_FORMAT " instructions: there is no icount %" G_GUINT64_FORMAT,
                    run->icount, options->at);
        return false;
    }
    chase.pair = tcgrr_replay_pair_alone(&pair, options->at, error);
    if (!chase.pair) {
        return false;
    }
    g_autoptr(GArray) nowhere = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_place));
    chase.nowhere = nowhere;
    chase.open = g_array_new(FALSE, FALSE, sizeof(struct wanted));
    chase.stretches = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    chase.log = tcgrr_access_log_new();
    watch_computed(&chase);
    g_autofree uint8_t *state = g_malloc0(tcgrr_replay_pair_registers(chase.pair, 0)->state_bytes);
    bool good = begin(&chase, state, error) && follow(&chase, error);
    tcgrr_access_log_free(chase.log);
    g_ptr_array_unref(chase.stretches);
    g_array_unref(chase.open);
    g_free(chase.watched);
    tcgrr_replay_pair_free(chase.pair);
    return good;
}

void tcgrr_why_clear(struct tcgrr_why *why)
{
    clear_value(&why->asked);
    g_clear_pointer(&why->steps, g_ptr_array_unref);
    g_clear_pointer(&why->ends, g_ptr_array_unref);
    *why = (struct tcgrr_why){0};
}
