/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/rrlog/format.h"

#include <stdio.h>

#define ASYNC       3 /* the first of their numbers */
#define ASYNC_KINDS 7
#define CLOCKS      2
#define CHECKPOINTS 9
#define DEVELOPMENT 50

/* Newest last. */
static const struct tcgrr_rr_format formats[] = {
    {.version = 0xe0200a, .major = 7, .minor = 0, .async = TCGRR_RR_ASYNC_CHECKPOINT, .causes = 10},
    {.version = 0xe0200b, .async = TCGRR_RR_ASYNC_BYTE, .causes = 10},
    {.version = 0xe0200c, .major = 7, .minor = 1, .async = TCGRR_RR_ASYNC_NUMBER, .causes = 10},
    {.version = 0xe0200c, .major = 7, .minor = 2, .async = TCGRR_RR_ASYNC_NUMBER, .causes = 11},
    {.version = 0xe0200d,
     .major = 11,
     .minor = 0,
     .async = TCGRR_RR_ASYNC_NUMBER,
     .causes = 11,
     .late_shutdown = true,
     .counted_audio = true},
    {.version = 0xe0200e,
     .major = 11,
     .minor = 1,
     .async = TCGRR_RR_ASYNC_NUMBER,
     .causes = 11,
     .late_shutdown = true,
     .counted_audio = true,
     .linux_keys = true},
};

bool tcgrr_rr_release_parse(const char *text, struct tcgrr_rr_release *release)
{
    *release = (struct tcgrr_rr_release){0};
    return text && sscanf(text, "%3u.%3u.%3u", &release->major, &release->minor, &release->micro) >= 2;
}

bool tcgrr_rr_same_series(const struct tcgrr_rr_release *a, const struct tcgrr_rr_release *b)
{
    return a->major == b->major && a->minor == b->minor && (a->micro >= DEVELOPMENT) == (b->micro >= DEVELOPMENT);
}

static bool reaches(const struct tcgrr_rr_release *release, const struct tcgrr_rr_format *format)
{
    return format->major != 0 &&
           (release->major > format->major || (release->major == format->major && release->minor >= format->minor));
}

const struct tcgrr_rr_format *tcgrr_rr_format(const struct tcgrr_rr_release *release, uint32_t version)
{
    const struct tcgrr_rr_format *found = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(formats) && (release || version); i++) {
        const struct tcgrr_rr_format *format = &formats[i];
        /* Two formats have the same version; only the release distinguishes them. */
        bool fits = version == 0 ? reaches(release, format)
                                 : version == format->version && (!found || !release || reaches(release, format));
        found = fits ? format : found;
    }
    return found;
}

/* ---- numbers ---- */

static unsigned shutdown_number(const struct tcgrr_rr_format *format)
{
    return ASYNC + (format->async == TCGRR_RR_ASYNC_NUMBER ? ASYNC_KINDS : 1);
}

/* The last number of SHUTDOWN is not a cause. */
static unsigned char_write_number(const struct tcgrr_rr_format *format)
{
    return shutdown_number(format) + format->causes + 1u;
}

static unsigned number_of(const struct tcgrr_rr_format *format, const struct tcgrr_rr_event *event)
{
    enum tcgrr_rr_kind kind = event->kind;
    unsigned clock = char_write_number(format) + (TCGRR_RR_CLOCK - TCGRR_RR_CHAR_WRITE);

    if (kind < TCGRR_RR_BOTTOM_HALF) {
        return kind;
    }
    if (kind <= TCGRR_RR_NET) {
        return ASYNC + (format->async == TCGRR_RR_ASYNC_NUMBER ? kind - TCGRR_RR_BOTTOM_HALF : 0u);
    }
    switch (kind) {
    case TCGRR_RR_SHUTDOWN:
        return shutdown_number(format) + event->number;
    case TCGRR_RR_CLOCK:
        return clock + event->number;
    case TCGRR_RR_CHECKPOINT:
        return clock + CLOCKS + event->number;
    case TCGRR_RR_END:
        return clock + CLOCKS + CHECKPOINTS;
    default:
        return char_write_number(format) + (kind - TCGRR_RR_CHAR_WRITE);
    }
}

/* Fills kind and number; for an asynchronous event that shares its number with others, the first of their kinds. */
static bool identify_event(const struct tcgrr_rr_format *format, unsigned number, struct tcgrr_rr_event *event)
{
    static const enum tcgrr_rr_kind ranges[] = {TCGRR_RR_END,        TCGRR_RR_CHECKPOINT, TCGRR_RR_CLOCK,
                                                TCGRR_RR_CHAR_WRITE, TCGRR_RR_SHUTDOWN,   TCGRR_RR_BOTTOM_HALF,
                                                TCGRR_RR_INSTRUCTION};
    size_t i = 0;
    unsigned first;

    do {
        *event = (struct tcgrr_rr_event){.kind = ranges[i]};
        first = number_of(format, event);
    } while (number < first && ++i < G_N_ELEMENTS(ranges));
    if (event->kind == TCGRR_RR_SHUTDOWN || event->kind == TCGRR_RR_CLOCK || event->kind == TCGRR_RR_CHECKPOINT) {
        event->number = (uint8_t)(number - first);
    } else {
        event->kind += number - first;
    }
    return event->kind <= TCGRR_RR_END;
}

/* ---- bodies ---- */

struct input {
    const uint8_t *at;
    size_t left;
};

static bool skip(struct input *input, size_t bytes)
{
    if (bytes > input->left) {
        return false;
    }
    input->at += bytes;
    input->left -= bytes;
    return true;
}

uint32_t tcgrr_rr_word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool take(struct input *input, uint32_t *value)
{
    const uint8_t *at = input->at;
    if (!skip(input, 4)) {
        return false;
    }
    *value = tcgrr_rr_word(at);
    return true;
}

static enum tcgrr_rr_decoded skipped(bool there)
{
    return there ? TCGRR_RR_EVENT : TCGRR_RR_MORE;
}

/* Skips `before` bytes, and `unit` bytes for each item that a number counts. */
static enum tcgrr_rr_decoded skip_array(struct input *input, size_t before, size_t unit)
{
    uint32_t size;
    if (!skip(input, before) || !take(input, &size)) {
        return TCGRR_RR_MORE;
    }
    return size > TCGRR_RR_MAX_BYTES / unit ? TCGRR_RR_UNKNOWN : skipped(skip(input, size * unit));
}

/* An event of a keyboard or a pointer. */
static enum tcgrr_rr_decoded skip_input(const struct tcgrr_rr_format *format, struct input *input)
{
    static const uint8_t sizes[] = {0, 4 + 1, 4 + 8, 4 + 8,
                                    4 + 8 + 8 + 4 + 8}; /* key, button, relative, absolute, touch */
    uint32_t type;
    uint32_t key;

    if (!take(input, &type)) {
        return TCGRR_RR_MORE;
    }
    if (type >= G_N_ELEMENTS(sizes)) {
        return TCGRR_RR_UNKNOWN;
    }
    if (type != 0 || format->linux_keys) {
        return skipped(skip(input, type != 0 ? sizes[type] : 4 + 1));
    }
    if (!take(input, &key)) {
        return TCGRR_RR_MORE;
    }
    return key > 1 ? TCGRR_RR_UNKNOWN : skipped(skip(input, key == 0 ? 8 + 1 : 4 + 1)); /* a number or a name */
}

static enum tcgrr_rr_decoded skip_samples(const struct tcgrr_rr_format *format, struct input *input)
{
    uint32_t high;

    if (!format->counted_audio) {
        return TCGRR_RR_UNKNOWN;
    }
    if (!take(input, &high)) {
        return TCGRR_RR_MORE;
    }
    return high != 0 ? TCGRR_RR_UNKNOWN : skip_array(input, 0, 16);
}

static enum tcgrr_rr_decoded skip_body(const struct tcgrr_rr_format *format, enum tcgrr_rr_kind kind,
                                       struct input *input)
{
    switch (kind) {
    case TCGRR_RR_INSTRUCTION:
    case TCGRR_RR_CHAR_READ_ALL_ERROR:
        return skipped(skip(input, 4));
    case TCGRR_RR_BOTTOM_HALF:
    case TCGRR_RR_BOTTOM_HALF_ONCE:
    case TCGRR_RR_BLOCK:
    case TCGRR_RR_CHAR_WRITE:
    case TCGRR_RR_AUDIO_OUT:
    case TCGRR_RR_CLOCK:
        return skipped(skip(input, 8));
    case TCGRR_RR_CHAR_READ_ALL:
        return skip_array(input, 0, 1);
    case TCGRR_RR_CHAR_READ:
        return skip_array(input, 1, 1);
    case TCGRR_RR_RANDOM:
        return skip_array(input, 4, 1);
    case TCGRR_RR_NET:
        return skip_array(input, 1 + 4, 1);
    case TCGRR_RR_INPUT:
        return skip_input(format, input);
    case TCGRR_RR_AUDIO_IN:
        return skip_samples(format, input);
    default:
        return TCGRR_RR_EVENT;
    }
}

/* The bytes between the number of asynchronous events and what belongs to one. */
static enum tcgrr_rr_decoded read_async(const struct tcgrr_rr_format *format, struct input *input,
                                        struct tcgrr_rr_event *event)
{
    const uint8_t *at = input->at;
    size_t bytes = format->async == TCGRR_RR_ASYNC_CHECKPOINT ? 2 : 1;

    if (!skip(input, bytes)) {
        return TCGRR_RR_MORE;
    }
    event->checkpoint = bytes == 2 ? at[0] : 0;
    event->kind += at[bytes - 1];
    return at[bytes - 1] < ASYNC_KINDS ? TCGRR_RR_EVENT : TCGRR_RR_UNKNOWN;
}

static bool is_async(enum tcgrr_rr_kind kind)
{
    return kind >= TCGRR_RR_BOTTOM_HALF && kind <= TCGRR_RR_NET;
}

enum tcgrr_rr_decoded tcgrr_rr_decode(const struct tcgrr_rr_format *format, const uint8_t *bytes, size_t size,
                                      struct tcgrr_rr_event *event)
{
    struct input input = {bytes, size};
    enum tcgrr_rr_decoded decoded = TCGRR_RR_EVENT;

    *event = (struct tcgrr_rr_event){0};
    if (!skip(&input, 1)) {
        return TCGRR_RR_MORE;
    }
    if (!identify_event(format, bytes[0], event)) {
        return TCGRR_RR_UNKNOWN;
    }
    if (is_async(event->kind) && format->async != TCGRR_RR_ASYNC_NUMBER) {
        decoded = read_async(format, &input, event);
    }
    event->body = input.at;
    if (decoded == TCGRR_RR_EVENT) {
        decoded = skip_body(format, event->kind, &input);
    }
    event->size = (size_t)(input.at - event->body);
    event->length = size - input.left;
    if (decoded == TCGRR_RR_EVENT && event->kind == TCGRR_RR_INSTRUCTION) {
        event->count = tcgrr_rr_word(event->body);
    }
    return decoded;
}

void tcgrr_rr_append(GByteArray *out, uint64_t value, unsigned size)
{
    while (size-- > 0) {
        uint8_t byte = (uint8_t)(value >> (8 * size));
        g_byte_array_append(out, &byte, 1);
    }
}

bool tcgrr_rr_encode(const struct tcgrr_rr_format *format, const struct tcgrr_rr_event *event, GByteArray *out)
{
    if ((event->kind == TCGRR_RR_SHUTDOWN && event->number >= format->causes) ||
        (event->kind == TCGRR_RR_CLOCK && event->number >= CLOCKS) ||
        (event->kind == TCGRR_RR_CHECKPOINT && event->number >= CHECKPOINTS)) {
        return false;
    }
    tcgrr_rr_append(out, number_of(format, event), 1);
    if (is_async(event->kind) && format->async == TCGRR_RR_ASYNC_CHECKPOINT) {
        tcgrr_rr_append(out, event->checkpoint, 1);
    }
    if (is_async(event->kind) && format->async != TCGRR_RR_ASYNC_NUMBER) {
        tcgrr_rr_append(out, event->kind - TCGRR_RR_BOTTOM_HALF, 1);
    }
    g_byte_array_append(out, event->body, (guint)event->size);
    return true;
}

const char *tcgrr_rr_kind_name(enum tcgrr_rr_kind kind)
{
    static const char *const names[] = {
        "INSTRUCTION", "INTERRUPT", "EXCEPTION", "BH",       "BH_ONESHOT", "INPUT",         "INPUT_SYNC",
        "CHAR_READ",   "BLOCK",     "NET",       "SHUTDOWN", "CHAR_WRITE", "CHAR_READ_ALL", "CHAR_READ_ALL_ERROR",
        "AUDIO_OUT",   "AUDIO_IN",  "RANDOM",    "CLOCK",    "CHECKPOINT", "END",
    };
    return names[kind];
}

bool tcgrr_rr_by_guest(uint8_t cause)
{
    return cause == TCGRR_RR_GUEST_SHUTDOWN || cause == TCGRR_RR_GUEST_RESET || cause == TCGRR_RR_GUEST_PANIC;
}
