/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's rr log as each release writes it: a head of 12 bytes (the version, big-endian, and eight unused bytes), then
 * events: a byte with the kind, and the event's data. An event INSTRUCTION advances the icount; all others happen at
 * the current icount. QEMU writes the version last, so a QEMU that was killed leaves 0 there.
 *
 * Pure functions, thread-safe.
 */
#ifndef TCGRR_EMU_RRLOG_FORMAT_H
#define TCGRR_EMU_RRLOG_FORMAT_H

#include "store/model.h"

#include <glib.h>

#define TCGRR_RR_HEAD_BYTES 12u

/* Maximum size of an event in bytes; a log with a larger one is damaged. */
#define TCGRR_RR_MAX_BYTES (16u << 20)

/* The kinds that all releases have; their numbers differ. */
enum tcgrr_rr_kind {
    TCGRR_RR_INSTRUCTION,
    TCGRR_RR_INTERRUPT,
    TCGRR_RR_EXCEPTION,
    TCGRR_RR_BOTTOM_HALF,
    TCGRR_RR_BOTTOM_HALF_ONCE,
    TCGRR_RR_INPUT,
    TCGRR_RR_INPUT_SYNC,
    TCGRR_RR_CHAR_READ,
    TCGRR_RR_BLOCK,
    TCGRR_RR_NET,
    TCGRR_RR_SHUTDOWN,
    TCGRR_RR_CHAR_WRITE,
    TCGRR_RR_CHAR_READ_ALL,
    TCGRR_RR_CHAR_READ_ALL_ERROR,
    TCGRR_RR_AUDIO_OUT,
    TCGRR_RR_AUDIO_IN,
    TCGRR_RR_RANDOM,
    TCGRR_RR_CLOCK,
    TCGRR_RR_CHECKPOINT,
    TCGRR_RR_END,
};

/* Causes of SHUTDOWN. */
enum tcgrr_rr_cause {
    TCGRR_RR_HOST_SIGNAL = 4,
    TCGRR_RR_GUEST_SHUTDOWN = 6,
    TCGRR_RR_GUEST_RESET = 7,
    TCGRR_RR_GUEST_PANIC = 8,
};

#define TCGRR_RR_CLOCK_HOST                 0
#define TCGRR_RR_CHECKPOINT_WARP_ACCOUNT    1
#define TCGRR_RR_CHECKPOINT_RESET_REQUESTED 2
#define TCGRR_RR_CHECKPOINT_INIT            7
#define TCGRR_RR_CHECKPOINT_RESET           8

/* How events that do not come from the vCPU are encoded. */
enum tcgrr_rr_async {
    TCGRR_RR_ASYNC_CHECKPOINT, /* one number for all, the checkpoint at which it happens, the kind */
    TCGRR_RR_ASYNC_BYTE,       /* one number for all, the kind */
    TCGRR_RR_ASYNC_NUMBER,     /* a number each */
};

struct tcgrr_rr_format {
    uint32_t version;
    uint8_t major; /* the first release that writes it; 0: only development builds between two releases */
    uint8_t minor;
    enum tcgrr_rr_async async;
    uint8_t causes;     /* of SHUTDOWN */
    bool late_shutdown; /* all builds write the instructions that precede SHUTDOWN before it; in other formats, only
                           some builds do */
    bool counted_audio; /* AUDIO_IN has the number of samples that follow; in earlier formats that also depended on the
                           card's buffer */
    bool linux_keys;    /* INPUT has Linux's key codes; in earlier formats, QEMU's own */
};

/* An event in a log. */
struct tcgrr_rr_event {
    enum tcgrr_rr_kind kind;
    uint8_t number;      /* SHUTDOWN: the cause; CLOCK, CHECKPOINT: which */
    uint8_t checkpoint;  /* TCGRR_RR_ASYNC_CHECKPOINT: where an asynchronous event belongs */
    uint32_t count;      /* INSTRUCTION: how many */
    size_t length;       /* bytes in all */
    const uint8_t *body; /* the data after the bytes that identify the event; points into the decoded bytes */
    size_t size;         /* of `body` */
};

/* A release, from the text of QEMU's version ("7.2.22", "10.1.50 (…)"). */
struct tcgrr_rr_release {
    unsigned major;
    unsigned minor;
    unsigned micro; /* 50 and more: a development build of the next release */
};

/* False if `text`, which may be NULL, is not a version. */
bool tcgrr_rr_release_parse(const char *text, struct tcgrr_rr_release *release);
/* Whether each release is certain to read the other's log unchanged. */
bool tcgrr_rr_same_series(const struct tcgrr_rr_release *a, const struct tcgrr_rr_release *b);

/*
 * The format of `release` (NULL: not known), whose log has `version` in its head (0: not known). NULL if there is no
 * such format, or if neither is known.
 */
const struct tcgrr_rr_format *tcgrr_rr_format(const struct tcgrr_rr_release *release, uint32_t version);

enum tcgrr_rr_decoded {
    TCGRR_RR_EVENT,
    TCGRR_RR_MORE,    /* the event is incomplete */
    TCGRR_RR_UNKNOWN, /* no such event, or one whose length cannot be known */
};

/* Reads the event at the beginning of `bytes`, which are untrusted. */
enum tcgrr_rr_decoded tcgrr_rr_decode(const struct tcgrr_rr_format *format, const uint8_t *bytes, size_t size,
                                      struct tcgrr_rr_event *event);
/* Appends the event to `out`, encoded in `format`. False if that has no such event. */
bool tcgrr_rr_encode(const struct tcgrr_rr_format *format, const struct tcgrr_rr_event *event, GByteArray *out);

/* Appends `value` in `size` bytes, big-endian like everything in a log. */
void tcgrr_rr_append(GByteArray *out, uint64_t value, unsigned size);
/* The big-endian number in the first 4 bytes of `bytes`. */
uint32_t tcgrr_rr_word(const uint8_t *bytes);

/* "INSTRUCTION" and so on. */
const char *tcgrr_rr_kind_name(enum tcgrr_rr_kind kind);
/* Whether `cause` means that the guest requested the SHUTDOWN. */
bool tcgrr_rr_by_guest(uint8_t cause);

#endif
