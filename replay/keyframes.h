/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyframes: snapshots of the machine along a recorded run, in a folder TRACE.keyframes next to the trace. A replay
 * that starts from the last one before a place reaches it in a time that does not grow with the run. They are optional:
 * without them, or if they do not fit, a replay starts from the beginning.
 *
 * A keyframe belongs to one QEMU, one rr log and one command. The keyframes for one such combination are in a folder
 * named after its digest. Each keyframe is a folder named after its icount, which is created in one step and not
 * changed afterwards, so that any number of processes can make, use and remove keyframes at the same time.
 */
#ifndef TCGRR_REPLAY_KEYFRAMES_H
#define TCGRR_REPLAY_KEYFRAMES_H

#include "emu/qemu/qemu.h"
#include "store/trace.h"

/* The keyframes that fit one QEMU. Not thread-safe, unless stated otherwise. */
struct tcgrr_keyframes;

/* All of it must outlive the keyframes. */
struct tcgrr_keyframes_options {
    struct tcgrr_reader *reader;
    const struct tcgrr_qemu *qemu;
    const char *rr_file;      /* what the QEMU gets as its rr log */
    char **words;             /* the command that is replayed (tcgrr_recorded_command()) */
    const char *start;        /* the image that the run starts from (tcgrr_recorded_start_image()); NULL: reset */
    const char *const *extra; /* the further QEMU arguments among them, NULL-terminated; NULL: none */
};

/* Looks up the existing keyframes. Never fails: if there can be none, the set is empty. */
struct tcgrr_keyframes *tcgrr_keyframes_open(const struct tcgrr_keyframes_options *options);
/* NULL is allowed. */
void tcgrr_keyframes_free(struct tcgrr_keyframes *keyframes);

struct tcgrr_keyframe {
    tcgrr_icount icount; /* 0: the beginning */
    const char *folder;  /* what QEMU starts from (emu/qemu/command.h); NULL: the beginning. Owned by the keyframes */
    const char *state;   /* the machine's state there (emu/qemu/machine_digest.h); NULL: not known. Likewise */
};

/*
 * The last keyframe at or before `icount`; the beginning if there is none. It has been checked: a keyframe that has
 * changed since it was made, or is not for this set, is discarded. Thread-safe.
 */
struct tcgrr_keyframe tcgrr_keyframes_before(struct tcgrr_keyframes *keyframes, tcgrr_icount icount);
/* Removes a keyframe that has proved wrong. Thread-safe. */
void tcgrr_keyframes_reject(struct tcgrr_keyframes *keyframes, tcgrr_icount icount);
/* All of them, struct tcgrr_keyframe, ascending, without the beginning, and not checked; owned by the keyframes. */
const GArray *tcgrr_keyframes_list(const struct tcgrr_keyframes *keyframes);

/* Whether this QEMU's snapshots contain the complete machine: up to release 10 they lack RISC-V's timer (ACLINT). */
bool tcgrr_keyframes_complete(const struct tcgrr_qemu *qemu);

/* All keyframes of a trace, for any QEMU. */
struct tcgrr_keyframes_sum {
    unsigned count;
    uint64_t bytes; /* that they take on the disk */
};
/* Calls `visit` for each of them, in no particular order. */
void tcgrr_keyframes_each(const char *trace, void (*visit)(tcgrr_icount icount, void *data), void *data);
void tcgrr_keyframes_sum(const char *trace, struct tcgrr_keyframes_sum *sum);
/* Removes all of them. */
bool tcgrr_keyframes_drop(const char *trace, GError **error);

#define TCGRR_KEYFRAMES_MAX ((uint64_t)4 << 30) /* default limit of the bytes for all keyframes of a trace */

struct tcgrr_keyframes_make {
    tcgrr_icount every; /* 0: close enough to reach any place in a moment (docs/keyframes.md) */
    uint64_t max_bytes; /* limit for all keyframes of the trace; they are spaced further apart to stay below it */
    int hang_ms;
    const volatile int *stop;                          /* not 0: give up with TCGRR_ERROR_STOPPED; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* may be NULL */
    void *data;
};

struct tcgrr_keyframes_made {
    unsigned made;
    char *refused; /* why none could be kept: from a snapshot of this machine this QEMU does not continue in the same
                      way as before; NULL: they were kept. Owned by the caller */
};

/*
 * Replays the run once and makes the missing keyframes, then starts a fresh QEMU from each and lets it run to the next
 * one: only those from which it arrives there with the same registers and memory are kept. Existing keyframes are
 * removed if the replay has different registers or memory at their places. After an interruption or failure, those that
 * are known to be good are kept.
 */
bool tcgrr_keyframes_make(struct tcgrr_keyframes *keyframes, const struct tcgrr_keyframes_make *options,
                          struct tcgrr_keyframes_made *made, GError **error);

#endif
