/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running a trace again, in the same QEMU or another, and proving that it does the same. */
#ifndef TCGRR_REPLAY_REPLAY_H
#define TCGRR_REPLAY_REPLAY_H

#include "lockstep/compare.h"
#include "replay/keyframes.h"

struct tcgrr_replay_options {
    const char *qemu; /* NULL: the one that recorded */
    const char *plugin;
    tcgrr_icount at;                      /* stop there; UINT64_MAX: run to the end */
    const char *const *extra;             /* further QEMU arguments, NULL-terminated; NULL: none */
    const char *const *arguments;         /* instead of the recorded ones, in our directory; NULL: those */
    bool flow;                            /* compare no states even if the recording has some */
    const struct tcgrr_qemu *known[2];    /* what the one that recorded and `qemu` are; NULL: not probed yet */
    int hang_ms;                          /* a replay without progress for so long has hung */
    struct tcgrr_compare_options compare; /* from, until, history; the rest is set by the replay */
    bool quiet;                           /* the guest's console goes nowhere */
    bool output_to_errors;                /* or, with what QEMU writes to standard output, to standard error */
    /* Compare states even if the recording has none: then the QEMU that recorded replays it, too, at the same time.
     * Where one of the two cannot show its state, they are not compared. */
    bool states;
    /* With `states`: samples after all branches in this part of the run, where it is not empty, and none between the
     * first one and these. Numbers of branches, which the recording must not count from a place of its own. */
    struct {
        uint64_t from;
        uint64_t to;
    } closer;
    tcgrr_icount enough; /* with `states`, the replay is ended when it has come so far; 0: it is not */
    /* With `states`, where both QEMUs start: a keyframe of the one that recorded, from which branches are counted then;
     * zeroes: at the beginning. */
    struct tcgrr_keyframe begin;
    bool keeps_machine; /* a divergence that another release's machine may be the reason of stays one */
    const volatile int *stop;
    void (*progress)(tcgrr_icount icount, void *data); /* may be NULL */
    void *data;
};

/* What a replay gets from outside the guest. */
struct tcgrr_replay_inputs {
    bool translated;          /* they are those of another release, in its own words */
    tcgrr_icount reach;       /* so many instructions can be replayed */
    tcgrr_icount asked_after; /* see struct tcgrr_compare_options */
};

/* "shared" or "translated". */
const char *tcgrr_replay_inputs_name(const struct tcgrr_replay_inputs *inputs);

struct tcgrr_replay_result {
    struct tcgrr_comparison comparison;
    struct tcgrr_replay_inputs inputs;
    int64_t stopped_at;                /* with `at`: that; -1: the runs diverged before */
    tcgrr_icount start;                /* of the keyframe from which it was replayed; 0: from the beginning */
    int64_t qemu_icount;               /* QEMU's own count at the end or at the stop; -1 if it could not be asked */
    char *qemu_version;                /* of the QEMU that replayed */
    char *exit;                        /* how it ended */
    char *stderr_tail;                 /* what it said last */
    struct tcgrr_run_source *sides[2]; /* the lists of `comparison` point into them, as they do into `session` */
    struct tcgrr_run_source *stored;   /* with `original`: the recording, which sides[0] is not then */
    struct tcgrr_session *session;
    struct tcgrr_replay_visit *visit; /* with `at`: how it comes there (replay/visit.h); NULL: from the beginning */
    /* A machine that was not pinned is, as the QEMU that recorded makes it, until the result is cleared: before that
     * the other QEMU diverged. NULL: it is as it was. */
    struct tcgrr_unpinned *pins;
    bool unpinned;                  /* diverged, which a machine that was not pinned may be the reason of */
    struct tcgrr_session *original; /* the QEMU that recorded, replaying; NULL: it did not need to */
};

/*
 * Replays the trace and compares as it goes. Only traces recorded with rr can be replayed: others are
 * TCGRR_ERROR_USAGE. That QEMU refuses the rr file, aborts or hangs is a divergence where it had begun to run, an error
 * where it had not.
 */
bool tcgrr_replay(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                  struct tcgrr_replay_result *result, GError **error);
void tcgrr_replay_result_clear(struct tcgrr_replay_result *result);

/*
 * Whether the trace can be replayed at all, whatever the QEMU: TCGRR_ERROR_USAGE if it was recorded without rr,
 * TCGRR_ERROR_FAILED or _DAMAGED if its rr file is of no use.
 */
bool tcgrr_replay_check(struct tcgrr_reader *reader, GError **error);
/* Refuses a user-mode recording with TCGRR_ERROR_USAGE, and with `why` as the reason. */
bool tcgrr_replay_check_system(struct tcgrr_reader *reader, const char *why, GError **error);

/* Writes replay.rr and command.txt into `folder`, which is made if it is not there. */
bool tcgrr_replay_extract(struct tcgrr_reader *reader, const char *folder, GError **error);

#endif
