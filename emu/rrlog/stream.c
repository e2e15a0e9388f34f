/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/rrlog/stream.h"

#include "store/error.h"

#include <string.h>

#define MAX_ICOUNT    (UINT64_C(1) << 61)
#define MAX_STRETCH   INT32_MAX /* instructions that QEMU takes in one event */
#define SEED_BYTES    32        /* in a device tree */
#define FIRST_OF_NEXT 50        /* 7.2.50 is on the way to 8.0 */

struct tcgrr_rr_stream {
    struct tcgrr_rr_stream_options options;
    struct tcgrr_rr_release from;
    bool from_known;
    bool crosses; /* into another release */
    const struct tcgrr_rr_format *source;
    const struct tcgrr_rr_format *target;
    struct tcgrr_rr_state state;
    GByteArray *pending;     /* what was pushed and not read */
    bool begun;              /* an event was read */
    bool after_instructions; /* the event before was INSTRUCTION */
    bool holds_clock;        /* the first event, which may be one that other releases lack */
    struct tcgrr_rr_event held_clock;
    uint8_t clock[8];
    bool has_reset;
    bool has_seed;          /* RANDOM was emitted before the reset */
    bool has_proof;         /* since the reset, a seed was drawn again */
    bool resets;            /* since the last instruction, the guest's request to reset was read */
    bool after_account;     /* the event before was put off */
    GByteArray *put_off;    /* while it resets: what is emitted after the reset */
    bool accounted;         /* nothing but instructions was read since a checkpoint clock-warp-account */
    uint64_t held_accounts; /* number of further ones at this icount, which may be superfluous */
    uint8_t held;           /* the cause of a SHUTDOWN by the guest whose place is not known yet; 0: none */
    bool ended;             /* the output is closed */
    tcgrr_icount ran;       /* instructions emitted, which may be more than were read */
    bool as_it_is;
};

/* ---- what comes out ---- */

static bool refuse(const struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "QEMU's rr log has an event %s after %" G_GUINT64_FORMAT
                " instructions, which QEMU %s cannot replay from "
                "a log of QEMU %s",
                tcgrr_rr_kind_name(event->kind), stream->state.total, stream->options.to, stream->options.from);
    return false;
}

/* Whether the other release handles an event of this kind differently, or is not known to handle it in the same way. */
static bool differs(const struct tcgrr_rr_stream *stream, enum tcgrr_rr_kind kind)
{
    switch (kind) {
    case TCGRR_RR_AUDIO_OUT:
    case TCGRR_RR_AUDIO_IN:
        return true; /* releases query the sound card at different intervals */
    case TCGRR_RR_INPUT:
        return stream->source->linux_keys != stream->target->linux_keys ||
               stream->source->async != stream->target->async;
    case TCGRR_RR_BOTTOM_HALF:
    case TCGRR_RR_BOTTOM_HALF_ONCE:
    case TCGRR_RR_INPUT_SYNC:
    case TCGRR_RR_CHAR_READ:
    case TCGRR_RR_BLOCK:
    case TCGRR_RR_NET:
        return stream->source->async != stream->target->async; /* they then happen at different places */
    default:
        return false;
    }
}

/* Emits the instructions up to `icount` that were not emitted yet. */
static bool emit_instructions(struct tcgrr_rr_stream *stream, tcgrr_icount icount, GByteArray *out)
{
    bool good = true;

    while (good && stream->ran < icount) {
        uint32_t count = (uint32_t)MIN(icount - stream->ran, MAX_STRETCH);
        uint32_t body = GUINT32_TO_BE(count);
        struct tcgrr_rr_event event = {
            .kind = TCGRR_RR_INSTRUCTION, .count = count, .body = (const uint8_t *)&body, .size = sizeof(body)};
        good = tcgrr_rr_encode(stream->target, &event, out);
        stream->ran += count;
    }
    return good;
}

static bool emit(struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GByteArray *out, GError **error)
{
    if (event->kind == TCGRR_RR_INSTRUCTION) {
        return emit_instructions(stream, stream->state.total, out);
    }
    if (stream->crosses && differs(stream, event->kind)) {
        return refuse(stream, event, error);
    }
    return tcgrr_rr_encode(stream->target, event, out) || refuse(stream, event, error);
}

static void end_log(struct tcgrr_rr_stream *stream, GByteArray *out)
{
    struct tcgrr_rr_event shutdown = {.kind = TCGRR_RR_SHUTDOWN, .number = TCGRR_RR_HOST_SIGNAL};
    struct tcgrr_rr_event end = {.kind = TCGRR_RR_END};

    /* As QEMU itself does when it leaves. */
    tcgrr_rr_encode(stream->target, &shutdown, out);
    tcgrr_rr_encode(stream->target, &end, out);
    stream->ended = true;
}

static bool emit_shutdown(struct tcgrr_rr_stream *stream, uint8_t cause, GByteArray *out, GError **error)
{
    struct tcgrr_rr_event shutdown = {.kind = TCGRR_RR_SHUTDOWN, .number = cause};

    stream->held = 0;
    stream->state.guest_shutdown = true;
    stream->state.end = stream->state.total;
    if (!emit(stream, &shutdown, out, error)) {
        return false;
    }
    end_log(stream, out);
    return true;
}

/* Emits the instructions up to where the log is known to be complete: nothing else happened there. */
static void emit_silence(struct tcgrr_rr_stream *stream, GByteArray *out)
{
    if (stream->options.logged > stream->state.total) {
        emit_instructions(stream, stream->options.logged, out);
        stream->state.total = stream->options.logged;
    }
    stream->state.end = stream->state.total;
}

/* ---- what goes in ---- */

/*
 * The first SHUTDOWN by the guest ends the run. Others are due to QEMU's exit, which may precede the vCPU's stop by
 * far: they are moved to the end. From 10.2 on QEMU writes the preceding instructions first; earlier releases mostly do
 * not.
 */
static bool take_shutdown(struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GByteArray *out,
                          GError **error)
{
    if (!tcgrr_rr_by_guest(event->number) || stream->held) {
        return true;
    }
    if (stream->after_instructions || stream->source->late_shutdown) {
        return emit_shutdown(stream, event->number, out, error);
    }
    stream->held = event->number;
    stream->state.moved = stream->state.total;
    return true;
}

static bool release_clock(struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *next, GByteArray *out,
                          GError **error)
{
    if (!stream->holds_clock) {
        return true;
    }
    stream->holds_clock = false;
    stream->state.dropped_clock = next && next->kind == TCGRR_RR_CHECKPOINT && next->number == TCGRR_RR_CHECKPOINT_INIT;
    return stream->state.dropped_clock || emit(stream, &stream->held_clock, out, error);
}

/* ---- the seed of a device tree ---- */

static bool wants_seed(const struct tcgrr_rr_stream *stream)
{
    struct tcgrr_rr_release to;
    return tcgrr_rr_release_parse(stream->options.to, &to) && to.major == 7 && to.micro < FIRST_OF_NEXT;
}

/* Removes or adds the seed that was drawn before the reset. *handled: the event needs no further handling. */
static bool match_seed(struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GByteArray *out,
                       bool *handled)
{
    static const uint8_t drawn[4 + 4 + SEED_BYTES] = {[7] = SEED_BYTES};
    struct tcgrr_rr_event seed = {.kind = TCGRR_RR_RANDOM, .body = drawn, .size = sizeof(drawn)};
    bool wanted = wants_seed(stream);

    *handled = false;
    if (event->kind == TCGRR_RR_RANDOM) {
        *handled = !wanted || stream->has_seed;
        stream->state.dropped_seed |= *handled;
        stream->has_seed = true;
        return true;
    }
    stream->has_reset = event->kind == TCGRR_RR_CHECKPOINT && event->number == TCGRR_RR_CHECKPOINT_RESET;
    if (!stream->has_reset || !wanted || stream->has_seed) {
        return true;
    }
    stream->state.added_seed = true;
    return tcgrr_rr_encode(stream->target, &seed, out);
}

/* Checks that the reset drew the seed again; only then removing or adding one has no effect. */
static bool settle_seed(struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GByteArray *out,
                        bool *handled, GError **error)
{
    *handled = false;
    if (!(stream->crosses || stream->options.tree_added) || !stream->options.riscv_tree ||
        stream->state.total > event->count) {
        return true;
    }
    if (!stream->has_reset) {
        return match_seed(stream, event, out, handled);
    }
    stream->has_proof |= event->kind == TCGRR_RR_RANDOM && event->size == 4 + 4 + SEED_BYTES;
    if (event->kind != TCGRR_RR_INSTRUCTION || stream->has_proof ||
        !(stream->state.dropped_seed || stream->state.added_seed)) {
        return true;
    }
    g_set_error(
        error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
        "QEMU %s and QEMU %s give the guest different random seeds in its device tree, and neither draws a new one "
        "when it resets",
        stream->options.from, stream->options.to);
    return false;
}

/* ---- the guest's reset ---- */

static void emit_put_off(struct tcgrr_rr_stream *stream, GByteArray *out)
{
    stream->resets = false;
    g_byte_array_append(out, stream->put_off->data, stream->put_off->len);
    g_byte_array_set_size(stream->put_off, 0);
}

/*
 * While QEMU resets the machine, two threads write the log: the main one, which resets the devices (RANDOM: a new seed,
 * CLOCK host: a clock's time), and the vCPU's, which looks at its timers until it is held (CHECKPOINT
 * clock-warp-account). In a replay the main thread cannot continue while the next event is the vCPU's ("Missing random
 * event"), and the vCPU may be stopped before it reaches its event. It reaches it again after the reset, so its events
 * are moved there. *handled: the event needs no further handling.
 */
static bool order_reset(struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GByteArray *out,
                        bool *handled, GError **error)
{
    bool checkpoint = event->kind == TCGRR_RR_CHECKPOINT;
    bool clock = event->kind == TCGRR_RR_CLOCK;
    bool account = checkpoint && event->number == TCGRR_RR_CHECKPOINT_WARP_ACCOUNT;

    *handled = stream->resets && (account || (clock && stream->after_account && event->number != TCGRR_RR_CLOCK_HOST));
    stream->after_account = *handled && account;
    if (*handled) {
        return emit(stream, event, stream->put_off, error);
    }
    if (!stream->resets) {
        stream->resets = checkpoint && event->number == TCGRR_RR_CHECKPOINT_RESET_REQUESTED;
    } else if (event->kind != TCGRR_RR_RANDOM && !(clock && event->number == TCGRR_RR_CLOCK_HOST)) {
        emit_put_off(stream, out);
    }
    return true;
}

/* ---- checkpoints without consequence ---- */

/* Emits a checkpoint that was held back and is needed after all. */
static bool release_account(struct tcgrr_rr_stream *stream, GByteArray *out, GError **error)
{
    static const struct tcgrr_rr_event account = {.kind = TCGRR_RR_CHECKPOINT,
                                                  .number = TCGRR_RR_CHECKPOINT_WARP_ACCOUNT};
    bool good = !stream->accounted || emit_instructions(stream, stream->state.total, out);

    for (; good && stream->held_accounts > 0; stream->held_accounts--) {
        good = emit(stream, &account, out, error);
    }
    stream->accounted = false;
    return good;
}

/*
 * In each iteration of the vCPU's loop QEMU accounts for the time that the vCPU has slept and writes CHECKPOINT
 * clock-warp-account. If only instructions were logged since the last one, the vCPU has not slept. A guest that waits
 * in a loop with x86's `pause` causes one for each iteration, and a replay wakes QEMU's main thread at the end of each
 * stretch of instructions, which makes it several times as slow as the recording. Such checkpoints are therefore
 * removed and the stretches joined. They stay if another event follows at the same icount, because there they keep
 * QEMU's two threads in order. *handled: the event needs no further handling.
 */
static bool join_stretches(struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GByteArray *out,
                           bool *handled, GError **error)
{
    bool runs = event->kind == TCGRR_RR_INSTRUCTION;
    bool account = event->kind == TCGRR_RR_CHECKPOINT && event->number == TCGRR_RR_CHECKPOINT_WARP_ACCOUNT;

    *handled = stream->accounted && (runs || account);
    if (*handled) {
        stream->held_accounts = runs ? 0 : stream->held_accounts + 1;
        return true;
    }
    if (!release_account(stream, out, error)) {
        return false;
    }
    stream->accounted = account && stream->state.total > 0 && !stream->resets && !stream->held;
    return true;
}

/* Emits the instructions that precede the SHUTDOWN that is held back, and the SHUTDOWN. */
static bool emit_up_to_shutdown(struct tcgrr_rr_stream *stream, uint32_t count, GByteArray *out, GError **error)
{
    tcgrr_icount before = stream->state.total - count;
    tcgrr_icount by = stream->options.asked_by;
    uint32_t led = by > before && by < stream->state.total ? (uint32_t)(by - before) : count;

    stream->state.was_moved = led > 0;
    if (!emit_instructions(stream, before + led, out) || !emit_shutdown(stream, stream->held, out, error)) {
        return false;
    }
    stream->state.end = before + led;
    return true;
}

static bool emit_or_hold(struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GByteArray *out,
                         GError **error)
{
    bool runs = event->kind == TCGRR_RR_INSTRUCTION;

    if (stream->crosses && !stream->begun && event->kind == TCGRR_RR_CLOCK && event->number == TCGRR_RR_CLOCK_HOST) {
        memcpy(stream->clock, event->body, sizeof(stream->clock));
        stream->held_clock = *event;
        stream->held_clock.body = stream->clock;
        stream->holds_clock = true;
        return true;
    }
    bool handled;
    if (!release_clock(stream, event, out, error) || !join_stretches(stream, event, out, &handled, error)) {
        return false;
    }
    if (handled) {
        return true;
    }
    if (!order_reset(stream, event, out, &handled, error)) {
        return false;
    }
    if (handled) {
        return true;
    }
    if (!settle_seed(stream, event, out, &handled, error)) {
        return false;
    }
    if (handled) {
        return true;
    }
    if (event->kind == TCGRR_RR_SHUTDOWN) {
        return take_shutdown(stream, event, out, error);
    }
    if (stream->held && runs) {
        return emit_up_to_shutdown(stream, event->count, out, error);
    }
    if (stream->held) {
        return emit_shutdown(stream, stream->held, out, error);
    }
    if (event->kind == TCGRR_RR_END) {
        end_log(stream, out);
        return true;
    }
    return emit(stream, event, out, error);
}

/* An event at a place that QEMU has passed already is an error, except SHUTDOWN and END, which do not say where they
 * happen. */
static bool check_order(const struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GError **error)
{
    if (stream->state.total >= stream->ran || event->kind == TCGRR_RR_INSTRUCTION || event->kind == TCGRR_RR_SHUTDOWN ||
        event->kind == TCGRR_RR_END) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                "QEMU's rr log has an event %s after %" G_GUINT64_FORMAT
                " instructions, written when %" G_GUINT64_FORMAT " had run",
                tcgrr_rr_kind_name(event->kind), stream->state.total, stream->ran);
    return false;
}

static bool take_event(struct tcgrr_rr_stream *stream, const struct tcgrr_rr_event *event, GByteArray *out,
                       GError **error)
{
    struct tcgrr_rr_state *state = &stream->state;

    if (!check_order(stream, event, error)) {
        return false;
    }
    if (event->kind == TCGRR_RR_INSTRUCTION) {
        state->last_run = state->read;
        state->total += event->count;
    }
    state->read += event->length;
    state->complete = event->kind == TCGRR_RR_END;
    if (!stream->ended && !emit_or_hold(stream, event, out, error)) {
        return false;
    }
    if (!state->guest_shutdown) {
        state->end = state->total;
    }
    stream->begun = true;
    stream->after_instructions = event->kind == TCGRR_RR_INSTRUCTION;
    return true;
}

/* Gives up parsing: the rest of the log is not understood. */
static bool not_understood(struct tcgrr_rr_stream *stream, const uint8_t *at, size_t size, GByteArray *out,
                           GError **error)
{
    stream->state.unknown = true;
    if (stream->ended) {
        return true;
    }
    if (stream->crosses) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "QEMU's rr log has an event of number %u after %" G_GUINT64_FORMAT
                    " instructions, which is not understood and cannot be translated from QEMU %s for QEMU %s",
                    at[0], stream->state.total, stream->options.from, stream->options.to);
        return false;
    }
    stream->as_it_is = true;
    bool good = release_account(stream, out, error);
    g_byte_array_append(out, at, (guint)size);
    return good;
}

/* Sets `*used` to the number of pending bytes that were read. */
static bool take_events(struct tcgrr_rr_stream *stream, size_t *used, GByteArray *out, GError **error)
{
    while (!stream->state.complete && !stream->state.unknown) {
        const uint8_t *at = stream->pending->data + *used;
        size_t left = stream->pending->len - *used;
        struct tcgrr_rr_event event;
        enum tcgrr_rr_decoded decoded = tcgrr_rr_decode(stream->source, at, left, &event);

        if (decoded == TCGRR_RR_MORE) {
            return true;
        }
        if (decoded == TCGRR_RR_UNKNOWN || event.count > MAX_ICOUNT - stream->state.total) {
            *used += left;
            return not_understood(stream, at, left, out, error);
        }
        *used += event.length;
        if (!take_event(stream, &event, out, error)) {
            return false;
        }
        tcgrr_icount icount = stream->state.total;
        if (stream->options.seen && !stream->options.seen(&event, icount, stream->options.data)) {
            stream->state.unknown = true;
        }
    }
    return true;
}

/* ---- the head ---- */

static bool no_format(uint32_t version, const char *release, GError **error)
{
    if (version != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU's rr log has version 0x%x, which is not known",
                    version);
    } else {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the rr log of QEMU %s is not known",
                    release ? release : "that was killed");
    }
    return false;
}

static bool choose_target(struct tcgrr_rr_stream *stream, GError **error)
{
    struct tcgrr_rr_release to;

    stream->target = stream->source;
    if (!stream->options.to) {
        return true;
    }
    bool known = tcgrr_rr_release_parse(stream->options.to, &to);
    stream->crosses = g_strcmp0(stream->options.from, stream->options.to) != 0 &&
                      (!known || !stream->from_known || !tcgrr_rr_same_series(&stream->from, &to));
    if (stream->crosses) {
        stream->target = tcgrr_rr_format(known ? &to : NULL, 0);
        stream->state.translated = true;
    }
    return stream->target || no_format(0, stream->options.to, error);
}

static bool take_head(struct tcgrr_rr_stream *stream, GByteArray *out, GError **error)
{
    uint32_t version = tcgrr_rr_word(stream->pending->data);

    stream->source = tcgrr_rr_format(stream->from_known ? &stream->from : NULL, version);
    if (!stream->source) {
        return no_format(version, stream->options.from, error);
    }
    if (!choose_target(stream, error)) {
        return false;
    }
    stream->state.version = stream->target->version;
    stream->state.read = TCGRR_RR_HEAD_BYTES;
    stream->state.last_run = TCGRR_RR_HEAD_BYTES;
    tcgrr_rr_append(out, stream->target->version, 4);
    if (!stream->options.pipe) {
        tcgrr_rr_append(out, 0, TCGRR_RR_HEAD_BYTES - 4);
    }
    return true;
}

/* ---- all of it ---- */

struct tcgrr_rr_stream *tcgrr_rr_stream_new(const struct tcgrr_rr_stream_options *options, GError **error)
{
    struct tcgrr_rr_stream *stream = g_new0(struct tcgrr_rr_stream, 1);
    struct tcgrr_rr_release to;
    bool known = tcgrr_rr_release_parse(options->to, &to);

    stream->options = *options;
    stream->options.from = g_strdup(options->from);
    stream->options.to = g_strdup(options->to);
    stream->from_known = tcgrr_rr_release_parse(options->from, &stream->from);
    stream->pending = g_byte_array_new();
    stream->put_off = g_byte_array_new();
    if (options->to && g_strcmp0(options->from, options->to) != 0 && (!known || !tcgrr_rr_format(&to, 0))) {
        no_format(0, options->to, error);
        g_clear_pointer(&stream, tcgrr_rr_stream_free);
    }
    return stream;
}

void tcgrr_rr_stream_free(struct tcgrr_rr_stream *stream)
{
    if (stream) {
        g_byte_array_unref(stream->pending);
        g_byte_array_unref(stream->put_off);
        g_free((char *)stream->options.from);
        g_free((char *)stream->options.to);
        g_free(stream);
    }
}

bool tcgrr_rr_stream_push(struct tcgrr_rr_stream *stream, const uint8_t *bytes, size_t size, GByteArray *out,
                          GError **error)
{
    size_t used = 0;
    bool good = true;

    if (stream->as_it_is) {
        g_byte_array_append(out, bytes, (guint)size);
        return true;
    }
    if (stream->state.complete || stream->state.unknown) {
        return true;
    }
    g_byte_array_append(stream->pending, bytes, (guint)size);
    if (!stream->source) {
        if (stream->pending->len < TCGRR_RR_HEAD_BYTES) {
            return true;
        }
        good = take_head(stream, out, error);
        used = TCGRR_RR_HEAD_BYTES;
    }
    good = good && take_events(stream, &used, out, error);
    g_byte_array_remove_range(stream->pending, 0, (guint)used);
    return good;
}

void tcgrr_rr_stream_run(struct tcgrr_rr_stream *stream, tcgrr_icount icount, GByteArray *out)
{
    if (stream->target && stream->begun && !stream->holds_clock && !stream->ended && !stream->state.unknown) {
        if (icount > stream->ran) {
            emit_put_off(stream, out);
        }
        stream->held_accounts = icount > stream->state.total ? 0 : stream->held_accounts;
        emit_instructions(stream, icount, out);
    }
}

void tcgrr_rr_stream_logged(struct tcgrr_rr_stream *stream, tcgrr_icount icount)
{
    stream->options.logged = MAX(stream->options.logged, icount);
}

void tcgrr_rr_stream_close(struct tcgrr_rr_stream *stream, GByteArray *out)
{
    if (!stream->target || stream->ended || stream->as_it_is) {
        return;
    }
    /* Neither can fail: both events come from a log whose format has them. */
    release_clock(stream, NULL, out, NULL);
    release_account(stream, out, NULL);
    emit_put_off(stream, out);
    if (stream->held) {
        emit_shutdown(stream, stream->held, out, NULL);
    } else {
        emit_silence(stream, out);
        end_log(stream, out);
    }
}

const struct tcgrr_rr_state *tcgrr_rr_stream_state(const struct tcgrr_rr_stream *stream)
{
    return &stream->state;
}
