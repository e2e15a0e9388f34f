/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's rr log as each release writes it: a head of 12 bytes (the version, big-endian, and eight that are not used),
 * then events: a byte that says which, and what belongs to it. An event INSTRUCTION moves the icount on; all others
 * happen where it stands. QEMU writes the version last, so one that was killed leaves 0 there.
 *
 * Pure functions without state, any thread.
 */
#ifndef TCGRR_EMU_RRLOG_FORMAT_H
#define TCGRR_EMU_RRLOG_FORMAT_H

#include "store/model.h"

#include <glib.h>

#define TCGRR_RR_HEAD_BYTES 12u

/* Bytes that one event may have, at most: what says that it has more is damaged. */
#define TCGRR_RR_MAX_BYTES (16u << 20)

/* What all releases have; their numbers differ. */
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

/* SHUTDOWN: why. */
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

/* How the events that do not come from the vCPU are written. */
enum tcgrr_rr_async {
    TCGRR_RR_ASYNC_CHECKPOINT, /* one number for all, the checkpoint at which it happens, the kind */
    TCGRR_RR_ASYNC_BYTE,       /* one number for all, the kind */
    TCGRR_RR_ASYNC_NUMBER,     /* a number each */
};

struct tcgrr_rr_format {
    uint32_t version;
    uint8_t major; /* the first release that writes it; 0: only builds between two releases do */
    uint8_t minor;
    enum tcgrr_rr_async async;
    uint8_t causes;     /* of SHUTDOWN */
    bool late_shutdown; /* all write the instructions before SHUTDOWN first; of the others, only some builds do */
    bool counted_audio; /* AUDIO_IN says how many samples follow; before, that depended on the card's buffer, too */
    bool linux_keys;    /* INPUT has Linux' key codes; before, QEMU's own */
};

/* An event in a log. */
struct tcgrr_rr_event {
    enum tcgrr_rr_kind kind;
    uint8_t number;      /* SHUTDOWN: the cause; CLOCK, CHECKPOINT: which */
    uint8_t checkpoint;  /* TCGRR_RR_ASYNC_CHECKPOINT: where an asynchronous event belongs */
    uint32_t count;      /* INSTRUCTION: how many */
    size_t length;       /* bytes in all */
    const uint8_t *body; /* what follows the bytes that say which it is; points into what was decoded */
    size_t size;         /* of that */
};

/* A release, from the text of QEMU's version ("7.2.22", "10.1.50 (…)"). */
struct tcgrr_rr_release {
    unsigned major;
    unsigned minor;
    unsigned micro; /* 50 and more: a build on the way to the next release */
};

/* False if `text`, which may be NULL, is no version. */
bool tcgrr_rr_release_parse(const char *text, struct tcgrr_rr_release *release);
/* Whether what one writes, the other certainly reads as it is. */
bool tcgrr_rr_same_series(const struct tcgrr_rr_release *a, const struct tcgrr_rr_release *b);

/*
 * The format of `release` (NULL: not known), whose log says `version` in its head (0: not known). NULL if there is none
 * such, or if neither of the two is known.
 */
const struct tcgrr_rr_format *tcgrr_rr_format(const struct tcgrr_rr_release *release, uint32_t version);

enum tcgrr_rr_decoded {
    TCGRR_RR_EVENT,
    TCGRR_RR_MORE,    /* the bytes end inside the event */
    TCGRR_RR_UNKNOWN, /* no such event, or one whose length cannot be known */
};

/* Reads the event at the beginning of `bytes`, which are untrusted. */
enum tcgrr_rr_decoded tcgrr_rr_decode(const struct tcgrr_rr_format *format, const uint8_t *bytes, size_t size,
                                      struct tcgrr_rr_event *event);
/* Appends the event to `out` as `format` has it. False if it has no such event. */
bool tcgrr_rr_encode(const struct tcgrr_rr_format *format, const struct tcgrr_rr_event *event, GByteArray *out);

/* Appends `value`, of `size` bytes, big-endian as all in a log. */
void tcgrr_rr_append(GByteArray *out, uint64_t value, unsigned size);
/* The first 4 bytes of `bytes`. */
uint32_t tcgrr_rr_word(const uint8_t *bytes);

/* "INSTRUCTION" and so on. */
const char *tcgrr_rr_kind_name(enum tcgrr_rr_kind kind);
/* Whether it was the guest that asked for this SHUTDOWN. */
bool tcgrr_rr_by_guest(uint8_t cause);

#endif
