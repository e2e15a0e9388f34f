/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/rrlog/rrlog.h"
#include "store/error.h"

#include <stdio.h>

#define MAX_SHOWN 64u /* bytes of one event */
#define PIECE     65536

static const char *shutdown_cause_name(uint8_t cause)
{
    static const char *const names[] = {"none",        "host-error",      "host-qmp-quit",  "host-qmp-system-reset",
                                        "host-signal", "host-ui",         "guest-shutdown", "guest-reset",
                                        "guest-panic", "subsystem-reset", "snapshot-load"};
    return cause < G_N_ELEMENTS(names) ? names[cause] : "unknown";
}

static const char *checkpoint_name(uint8_t checkpoint)
{
    static const char *const names[] = {"clock-warp-start",
                                        "clock-warp-account",
                                        "reset-requested",
                                        "suspend-requested",
                                        "clock-virtual",
                                        "clock-host",
                                        "clock-virtual-rt",
                                        "init",
                                        "reset"};
    return checkpoint < G_N_ELEMENTS(names) ? names[checkpoint] : "unknown";
}

static void show_bytes(FILE *file, const struct tcgrr_rr_event *event)
{
    for (size_t i = 0; i < MIN(event->size, MAX_SHOWN); i++) {
        fprintf(file, "%s%02x", i ? "" : " ", event->body[i]);
    }
    if (event->size > MAX_SHOWN) {
        fprintf(file, "... (%zu bytes)", event->size);
    }
}

static bool show(const struct tcgrr_rr_event *event, tcgrr_icount icount, void *data)
{
    FILE *file = data;

    fprintf(file, "%" G_GUINT64_FORMAT " %s", icount, tcgrr_rr_kind_name(event->kind));
    switch (event->kind) {
    case TCGRR_RR_INSTRUCTION:
        fprintf(file, " +%u", event->count);
        break;
    case TCGRR_RR_SHUTDOWN:
        fprintf(file, " %s", shutdown_cause_name(event->number));
        break;
    case TCGRR_RR_CHECKPOINT:
        fprintf(file, " %s", checkpoint_name(event->number));
        break;
    case TCGRR_RR_CLOCK:
        fprintf(file, " %s %" G_GUINT64_FORMAT, event->number == TCGRR_RR_CLOCK_HOST ? "host" : "virtual-rt",
                (guint64)tcgrr_rr_word(event->body) << 32 | tcgrr_rr_word(event->body + 4));
        break;
    default:
        show_bytes(file, event);
    }
    fputc('\n', file);
    return true;
}

static bool dump(FILE *from, FILE *to, const char *release, GError **error)
{
    struct tcgrr_rr_stream_options options = {.from = release, .seen = show, .data = to};
    struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(&options, error);
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autofree uint8_t *piece = g_malloc(PIECE);
    bool good = stream != NULL;
    size_t got;

    while (good && (got = fread(piece, 1, PIECE, from)) > 0) {
        good = tcgrr_rr_stream_push(stream, piece, got, out, error);
        g_byte_array_set_size(out, 0);
    }
    if (good && !tcgrr_rr_stream_state(stream)->complete) {
        fprintf(to, "%s after byte %" G_GUINT64_FORMAT "\n",
                tcgrr_rr_stream_state(stream)->unknown ? "not understood" : "cut off",
                tcgrr_rr_stream_state(stream)->read);
    }
    tcgrr_rr_stream_free(stream);
    return good;
}

bool tcgrr_rrlog_dump(const char *source, const char *target, const char *release, GError **error)
{
    FILE *from = fopen(source, "rbe");
    FILE *to = from ? fopen(target, "we") : NULL;
    bool opened = from && to;
    bool good = opened && dump(from, to, release, error);

    if (from && (ferror(from) | fclose(from)) && good) { /* or what was read would count as all of it */
        opened = false;
    }
    if (to && (ferror(to) | fclose(to)) && good) {
        opened = false;
    }
    if (!opened) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s from %s", target, source);
    }
    return good && opened;
}
