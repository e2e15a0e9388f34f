/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyframes: snapshots of the machine along a recorded run, in a folder TRACE.keyframes beside the trace. A replay that
 * starts from the last one before a place comes there in a time that does not grow with the run. They are never needed:
 * without them, or where they do not fit, a replay starts from the beginning.
 *
 * A keyframe belongs to one QEMU, one rr log and one command: all those of one such set are in a folder that is named
 * after a digest of them. Each is a folder of its own, named after its icount, that comes into being in one step and is
 * not changed afterwards, so that any number of processes can make, use and remove keyframes at the same time.
 */
#ifndef TCGRR_REPLAY_KEYFRAMES_H
#define TCGRR_REPLAY_KEYFRAMES_H

#include "emu/qemu/qemu.h"
#include "store/trace.h"

/* The keyframes that fit one QEMU. One thread, unless said otherwise. */
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

/* Looks which are there. Does not fail: where none can be, there are none. */
struct tcgrr_keyframes *tcgrr_keyframes_open(const struct tcgrr_keyframes_options *options);
/* NULL is allowed. */
void tcgrr_keyframes_free(struct tcgrr_keyframes *keyframes);

struct tcgrr_keyframe {
    tcgrr_icount icount; /* 0: the beginning */
    const char *folder;  /* what QEMU starts from (emu/qemu/command.h); NULL: the beginning. Owned by the keyframes */
    const char *state;   /* what the machine holds there (emu/qemu/machine_digest.h); NULL: not known. Likewise */
};

/*
 * The last one at or before `icount`; the beginning if there is none. It has been looked at and is as it was made: one
 * that is not, or that is another one's, is discarded. Any thread.
 */
struct tcgrr_keyframe tcgrr_keyframes_before(struct tcgrr_keyframes *keyframes, tcgrr_icount icount);
/* Removes one that has turned out to be wrong. Any thread. */
void tcgrr_keyframes_reject(struct tcgrr_keyframes *keyframes, tcgrr_icount icount);
/* All of them, struct tcgrr_keyframe, ascending, without the beginning, and not looked at; owned by the keyframes. */
const GArray *tcgrr_keyframes_list(const struct tcgrr_keyframes *keyframes);

/* Whether a snapshot of this QEMU's has all of the machine: up to release 10, RISC-V's timer (ACLINT) is not in it. */
bool tcgrr_keyframes_complete(const struct tcgrr_qemu *qemu);

/* What is beside a trace, whatever QEMU it is for. */
struct tcgrr_keyframes_sum {
    unsigned count;
    uint64_t bytes; /* that they take on the disk */
};
/* Calls `visit` for each of them, in no order. */
void tcgrr_keyframes_each(const char *trace, void (*visit)(tcgrr_icount icount, void *data), void *data);
void tcgrr_keyframes_sum(const char *trace, struct tcgrr_keyframes_sum *sum);
/* Removes all of them. */
bool tcgrr_keyframes_drop(const char *trace, GError **error);

#define TCGRR_KEYFRAMES_MAX ((uint64_t)4 << 30) /* bytes for all of a trace, where the user does not say */

struct tcgrr_keyframes_make {
    tcgrr_icount every; /* 0: as close as it takes to be anywhere in a moment (docs/keyframes.md) */
    uint64_t max_bytes; /* of all that are beside the trace; they are made less close to stay below */
    int hang_ms;
    const volatile int *stop;                          /* not 0: give up with TCGRR_ERROR_STOPPED; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* may be NULL */
    void *data;
};

struct tcgrr_keyframes_made {
    unsigned made;
    char *refused; /* why none could be kept: this QEMU does not go on from a snapshot of this machine as it went
                      on before; NULL: they are there. Owned by the caller */
};

/*
 * Replays the run once and makes the keyframes that are missing, then starts a fresh QEMU from each and lets it run to
 * the next one: only those from which it comes there, with the same registers and memory, are kept. Those that were
 * there before are removed if the replay has other registers or memory at their places. Interrupted or failed, those
 * that are known to be good stay.
 */
bool tcgrr_keyframes_make(struct tcgrr_keyframes *keyframes, const struct tcgrr_keyframes_make *options,
                          struct tcgrr_keyframes_made *made, GError **error);

#endif
