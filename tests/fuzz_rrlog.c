/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for QEMU's rr log. The first byte selects a version, or takes the input as it is; what was read has to be
 * in order, the same up to where it ends, fit to be asked, and the same once it is repaired or translated.
 */
#include "emu/rrlog/rrlog.h"
#include "store/error.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 12
#define MAX_ASKED    64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_order(const struct tcgrr_rrlog *log)
{
    tcgrr_icount before = 0;

    for (guint i = 0; i < log->events->len; i++) {
        const struct tcgrr_rrlog_event *event = &g_array_index(log->events, struct tcgrr_rrlog_event, i);
        if (event->icount < before || event->icount > log->total || tcgrr_rrlog_find(log, event->icount) > i) {
            abort();
        }
        before = event->icount;
    }
}

static void ask(const struct tcgrr_rrlog *log)
{
    struct tcgrr_rrlog_asked asked = {0};

    for (guint i = 0; i < MIN(log->events->len, MAX_ASKED); i++) {
        uint64_t place = g_array_index(log->events, struct tcgrr_rrlog_event, i).icount;
        struct tcgrr_uncertain_retire doubt = {
            .left = i & 1, .inside = i >> 1 & 1, .hidden = i >> 2 & 1, .events = i >> 3 & 3};
        bool retired = false;
        if (tcgrr_rrlog_decide(log, &asked, &doubt, place, &retired) && !log->complete && log->total < place) {
            abort();
        }
    }
}

/* Cut off where it was understood up to, it says the same. */
static void check_prefix(const uint8_t *data, const struct tcgrr_rrlog *log)
{
    struct tcgrr_rrlog *again = tcgrr_rrlog_parse(data, log->end, NULL, NULL);

    if (!again || again->total != log->total || again->complete != log->complete || again->end != log->end ||
        again->events->len != log->events->len) {
        abort();
    }
    tcgrr_rrlog_free(again);
}

/*
 * What comes out of a repaired or translated log, however it was cut into pieces, is read to its end without anything
 * left to repair, and says the same of the run.
 */
static void check_rewriting(const uint8_t *data, size_t size, size_t piece, const char *to)
{
    struct tcgrr_rr_stream_options options = {.from = "7.2.22", .to = to};
    struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(&options, NULL);
    GByteArray *out = g_byte_array_new();
    bool good = true;

    for (size_t at = 0; good && at < size; at += piece) {
        good = tcgrr_rr_stream_push(stream, data + at, MIN(piece, size - at), out, NULL);
    }
    const struct tcgrr_rr_state *state = tcgrr_rr_stream_state(stream);
    if (good && size >= HEADER_BYTES && !(state->unknown && !state->complete)) {
        tcgrr_rr_stream_close(stream, out);
        struct tcgrr_rrlog *again = tcgrr_rrlog_parse(out->data, out->len, to ? to : options.from, NULL);
        if (!again || !again->complete || again->end != out->len || again->total != state->end ||
            again->run_end != state->end || again->guest_shutdown != state->guest_shutdown) {
            abort();
        }
        tcgrr_rrlog_free(again);
    }
    tcgrr_rr_stream_free(stream);
    g_byte_array_unref(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t versions[2][4] = {{0, 0xe0, 0x20, 0x0c}, {0, 0xe0, 0x20, 0x0e}};
    GError *error = NULL;

    if (size < 1) {
        return 0;
    }
    uint8_t *copy = g_malloc(size);
    memcpy(copy, data + 1, size - 1);
    if (data[0] < 2 && size > HEADER_BYTES) {
        memcpy(copy, versions[data[0]], 4);
    }
    struct tcgrr_rrlog *log = tcgrr_rrlog_parse(copy, size - 1, NULL, &error);
    if (log) {
        check_order(log);
        ask(log);
        check_prefix(copy, log);
        check_rewriting(copy, size - 1, 1 + data[0] % 7, NULL);
        check_rewriting(copy, size - 1, size, data[0] & 1 ? "11.1.3" : "10.0.2");
    } else if (!g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED)) {
        abort();
    }
    g_clear_error(&error);
    tcgrr_rrlog_free(log);
    g_free(copy);
    return 0;
}
