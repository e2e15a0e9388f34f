/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the cause of a difference between two QEMUs: records what is not recorded yet, compares, searches, and fills
 * the folder for a bug report.
 */
#ifndef TCGRR_REPLAY_BISECT_H
#define TCGRR_REPLAY_BISECT_H

#include "replay/cause/cause.h"
#include "replay/cause/cause_folder.h"
#include "replay/cause/standalone.h"
#include "replay/replay.h"

struct tcgrr_bisect_options {
    struct tcgrr_reader *reader; /* A's recording, which stays the caller's; NULL: A is recorded first */
    const char *path;            /* the recording's path, as the user names it */
    const char *qemus[2];        /* names or paths; A's only where it is recorded */
    const char *const *words[2]; /* the arguments of each, NULL-terminated, likewise; B's NULL: those of A */
    const char *const *extra;    /* with those of A: further ones of B, NULL-terminated; NULL: none */
    const char *from; /* where the comparison starts, as the user wrote it; only if A is recorded here; NULL: reset */
    const char *const *symbol_files; /* further ELF files with that place, NULL-terminated; NULL: none */
    const char *icount;              /* see struct tcgrr_command_options; only where A is recorded */
    const char *plugin;
    const char *tool_version;
    const char *const *ignore;                      /* registers that are not compared, NULL-terminated; NULL: none */
    struct tcgrr_cause_folder *folder;              /* for the recordings and the finding; stays the caller's */
    int hang_ms;                                    /* a QEMU without progress for so long has hung */
    const volatile int *stop;                       /* not 0: give up with TCGRR_ERROR_STOPPED */
    void (*progress)(const char *text, void *data); /* what is being done; may be NULL */
    void (*note)(const char *text, void *data);     /* something that the user should know; may be NULL */
    void *data;
};

/* The two runs and the results. Read only. */
struct tcgrr_bisect {
    struct tcgrr_bisect_options options;
    struct tcgrr_compare_options how;
    struct tcgrr_position from[2]; /* where the comparison starts; also in `how`, unless `start_at` has it */
    struct tcgrr_symbols *symbols; /* of the guest; the caller's */
    bool record_both;              /* record B by itself, even if it could replay A's recording */
    bool pins;                     /* the two are of different builds: the machine is pinned in A's recording */
    char **words;             /* the arguments of A, changed to a machine that B has, too; NULL: options.words[0] */
    const char *start_at;     /* it starts from a snapshot there; NULL: at reset */
    const char *const *extra; /* B's further arguments, in addition to the command that it replays; NULL: none */
    bool strict;              /* tolerate nothing even if both were recorded */
    tcgrr_icount limit;       /* A was recorded up to this place, if it was recorded here */
    int idle_ms;              /* likewise: it was ended after it had run nothing for this long */
    bool cut;                 /* likewise: it would have continued */
    struct tcgrr_qemu probed; /* B */
    struct tcgrr_reader *readers[2];   /* the recordings; the same one twice if B replays A's */
    char *paths[2];                    /* of the traces; the second is NULL if B has none of its own */
    const char *qemu;                  /* B, if it replays A's recording; NULL: it is the QEMU that recorded B's */
    const struct tcgrr_qemu *known[2]; /* the results of probing them; NULL: not probed yet */
    struct tcgrr_run_source *sides[2];
    struct tcgrr_replay_result replay; /* of A's recording in B */
    struct tcgrr_replay_result closer; /* the same up to the first difference of data, with more samples */
    bool is_closer;                    /* whether there is one */
    bool no_approach;                  /* `replay` has to compare states from the beginning */
    bool flow_alone;                   /* `replay` does not compare states, because `near` may do so */
    bool approaches;                   /* B can start from A's keyframes */
    struct tcgrr_replay_result near;   /* a replay of both from `keyframe` on, if it diverges as `replay` does */
    struct tcgrr_keyframe keyframe;    /* A's keyframe; the beginning if there is none */
    struct tcgrr_trailing *trailing;   /* A, while B replays; NULL: it does not follow */
    struct tcgrr_replay_pair *pair;    /* the runs that the search examines; NULL: none yet */
    struct tcgrr_comparison own;       /* the comparison of two recordings */
    const struct tcgrr_comparison *comparison; /* the comparison that counts; NULL: not compared yet */
    struct tcgrr_cause cause;
    bool has_cause;
    struct tcgrr_standalone standalone; /* the stand-alone guest in the folder */
};

/* Prepares everything, and records A if necessary. Call tcgrr_bisect_clear() even after false. */
bool tcgrr_bisect_open(struct tcgrr_bisect *bisect, const struct tcgrr_bisect_options *options, GError **error);

/*
 * Compares and searches. If there is no divergence, returns true without a cause. False with error: bisect->comparison
 * may still say where the two diverge; bisect->cause is not valid.
 */
bool tcgrr_bisect_run(struct tcgrr_bisect *bisect, const struct tcgrr_compare_options *how,
                      struct tcgrr_symbols *symbols, GError **error);

void tcgrr_bisect_clear(struct tcgrr_bisect *bisect);

/*
 * If B only replayed A's recording, replays it in B once more and stores that run in a trace at `path`, which ends a
 * little after the divergence, or there if B does not run any further. TCGRR_ERROR_FAILED if B did not replay it.
 */
bool tcgrr_bisect_store_b(struct tcgrr_bisect *bisect, const char *path, GError **error);

/* The inputs of the two runs: "shared" (one rr log drove both), "translated" (the same, translated for another
 * release), "own". */
const char *tcgrr_bisect_inputs(const struct tcgrr_bisect *bisect);

/* The QEMU of a side, as the user named it; NULL: the one that recorded. */
const char *tcgrr_bisect_qemu(const struct tcgrr_bisect *bisect, int side);

#endif
