/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a trace again, in the same QEMU or another, and checks that it does the same. */
#ifndef TCGRR_REPLAY_REPLAY_H
#define TCGRR_REPLAY_REPLAY_H

#include "lockstep/compare.h"
#include "replay/keyframes.h"

struct tcgrr_replay_options {
    const char *qemu; /* NULL: the one that recorded */
    const char *plugin;
    tcgrr_icount at;          /* stop there; UINT64_MAX: run to the end */
    const char *const *extra; /* further QEMU arguments, NULL-terminated; NULL: none */
    const char *const
        *arguments; /* arguments that replace the recorded ones, relative to our directory; NULL: the recorded ones */
    bool flow;      /* compare no states even if the recording has some */
    const struct tcgrr_qemu
        *known[2]; /* the results of probing the QEMU that recorded, and `qemu`; NULL: not probed yet */
    int hang_ms;   /* a replay without progress for this long has hung */
    struct tcgrr_compare_options compare; /* from, until, history; the rest is set by the replay */
    bool quiet;                           /* the guest's console output is discarded */
    bool output_to_errors; /* or goes to standard error, like everything that QEMU writes to standard output */
    /* Compare states even if the recording has none: the QEMU that recorded then replays it at the same time. If one of
     * the two cannot show its state, states are not compared. */
    bool states;
    /* With `states`, if not empty: take samples after each branch in this part of the run, and none between the first
     * sample and this part. In numbers of branches, which the recording must count from the run's start. */
    struct {
        uint64_t from;
        uint64_t to;
    } closer;
    tcgrr_icount enough; /* with `states`, end the replay when it has come this far; 0: no limit */
    /* With `states`: the keyframe of the QEMU that recorded from which both start, and from which branches are counted;
     * zeroes: the beginning. */
    struct tcgrr_keyframe begin;
    bool keeps_machine; /* report a divergence even if another release's machine may be the reason */
    const volatile int *stop;
    void (*progress)(tcgrr_icount icount, void *data); /* may be NULL */
    void *data;
};

/* The inputs of a replay. */
struct tcgrr_replay_inputs {
    bool own;                 /* a program makes its system calls again: it cannot be given their results */
    bool translated;          /* they were translated for another release */
    tcgrr_icount reach;       /* number of instructions that can be replayed */
    tcgrr_icount asked_after; /* see struct tcgrr_compare_options */
};

/* "own", "shared" or "translated". */
const char *tcgrr_replay_inputs_name(const struct tcgrr_replay_inputs *inputs);

struct tcgrr_replay_result {
    struct tcgrr_comparison comparison;
    struct tcgrr_replay_inputs inputs;
    int64_t stopped_at;                /* with `at`: the same; -1: the runs diverged before */
    tcgrr_icount start;                /* icount of the keyframe from which it was replayed; 0: the beginning */
    int64_t qemu_icount;               /* QEMU's own count at the end or at the stop; -1 if it could not be asked */
    char *qemu_version;                /* of the QEMU that replayed */
    char *exit;                        /* how it ended */
    char *stderr_tail;                 /* its last messages */
    struct tcgrr_run_source *sides[2]; /* the lists of `comparison` point into them, as they do into `session` */
    struct tcgrr_run_source *stored;   /* with `original`: the recording, because sides[0] is not */
    struct tcgrr_session *session;
    struct tcgrr_replay_visit *visit; /* with `at`: how it gets there (replay/visit.h); NULL: from the beginning */
    /* Not NULL: the machine was not pinned, and the other QEMU diverged; it is now pinned as the QEMU that recorded
     * makes it, until the result is cleared. */
    struct tcgrr_unpinned *pins;
    bool unpinned;                  /* diverged, and the reason may be that the machine was not pinned */
    struct tcgrr_session *original; /* the replay in the QEMU that recorded; NULL: not needed */
};

/*
 * Replays the trace and compares at the same time. Only traces recorded with rr can be replayed: others are
 * TCGRR_ERROR_FAILED. If QEMU refuses the rr file, aborts or hangs, that is a divergence if it had begun to run,
 * otherwise an error.
 */
bool tcgrr_replay(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                  struct tcgrr_replay_result *result, GError **error);
void tcgrr_replay_result_clear(struct tcgrr_replay_result *result);

/*
 * Checks that the trace can be replayed at all, in any QEMU: TCGRR_ERROR_USAGE if it was recorded without rr,
 * TCGRR_ERROR_FAILED or _DAMAGED if its rr file is unusable.
 */
bool tcgrr_replay_check(struct tcgrr_reader *reader, GError **error);
/* Refuses a user-mode recording with TCGRR_ERROR_USAGE and the reason `why`. */
bool tcgrr_replay_check_system(struct tcgrr_reader *reader, const char *why, GError **error);

/* Writes replay.rr and command.txt into `folder`, which is created if necessary. */
bool tcgrr_replay_extract(struct tcgrr_reader *reader, const char *folder, GError **error);

#endif
