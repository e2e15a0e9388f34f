/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All the way from two QEMUs to the cause of their difference: recording what is not recorded yet, comparing,
 * searching, and filling the folder for a bug report.
 */
#ifndef TCGRR_REPLAY_BISECT_H
#define TCGRR_REPLAY_BISECT_H

#include "replay/cause/cause.h"
#include "replay/cause/cause_folder.h"
#include "replay/cause/standalone.h"
#include "replay/replay.h"

struct tcgrr_bisect_options {
    struct tcgrr_reader *reader; /* A's recording, which stays the caller's; NULL: A is recorded first */
    const char *path;            /* of it, as the user names it */
    const char *qemus[2];        /* names or paths; A's only where it is recorded */
    const char *const *words[2]; /* the arguments of each, NULL-terminated, likewise; B's NULL: those of A */
    const char *const *extra;    /* with those of A: further ones of B, NULL-terminated; NULL: none */
    const char *from; /* where comparing starts, as the user wrote it; only where A is recorded; NULL: reset */
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

/* The two runs and what came of them. Read only. */
struct tcgrr_bisect {
    struct tcgrr_bisect_options options;
    struct tcgrr_compare_options how;
    struct tcgrr_position from[2];     /* where comparing starts; `how` has that unless `start_at` does */
    struct tcgrr_symbols *symbols;     /* of the guest; the caller's */
    bool record_both;                  /* B is to be recorded by itself, whatever it could replay */
    bool pins;                         /* the two are of different builds: the machine is pinned in A's recording */
    char **words;                      /* the arguments of A, with a machine that B has, too; NULL: options.words[0] */
    const char *start_at;              /* it starts from a snapshot there; NULL: at reset */
    const char *const *extra;          /* what B has in addition to the command that it replays; NULL: nothing */
    bool strict;                       /* nothing is tolerated even if both were recorded */
    tcgrr_icount limit;                /* A was recorded up to there, where it was recorded for this */
    int idle_ms;                       /* likewise: it was ended when it had run nothing for so long */
    bool cut;                          /* and goes on after that */
    struct tcgrr_qemu probed;          /* B */
    struct tcgrr_reader *readers[2];   /* the recordings; the same one twice if B replays A's */
    char *paths[2];                    /* of the traces; the second is NULL if B has none of its own */
    const char *qemu;                  /* B, where it replays A's recording; NULL: it is the one that recorded B's */
    const struct tcgrr_qemu *known[2]; /* what they are; NULL: not probed yet */
    struct tcgrr_run_source *sides[2];
    struct tcgrr_replay_result replay;         /* of A's recording in B */
    struct tcgrr_replay_result closer;         /* the same up to where data differ */
    bool is_closer;                            /* there is one */
    bool no_approach;                          /* `replay` is to compare states from the beginning */
    bool flow_alone;                           /* `replay` compares no states, because `near` may do */
    bool approaches;                           /* B can start from A's keyframes */
    struct tcgrr_replay_result near;           /* of both from `keyframe` on, where that diverges as `replay` does */
    struct tcgrr_keyframe keyframe;            /* of A; the beginning if there is no such */
    struct tcgrr_replay_pair *pair;            /* what the search looks at; NULL: none yet */
    struct tcgrr_comparison own;               /* of two recordings */
    const struct tcgrr_comparison *comparison; /* the one that counts; NULL: they were not compared yet */
    struct tcgrr_cause cause;
    bool has_cause;
    struct tcgrr_standalone standalone; /* what the folder has of such a guest */
};

/* Prepares, and records A where that is to be done. Also after false, tcgrr_bisect_clear() is to be called. */
bool tcgrr_bisect_open(struct tcgrr_bisect *bisect, const struct tcgrr_bisect_options *options, GError **error);

/*
 * Compares and searches. True also if there is no divergence; then there is no cause. False with error:
 * bisect->comparison may still say where the two diverge; bisect->cause says nothing.
 */
bool tcgrr_bisect_run(struct tcgrr_bisect *bisect, const struct tcgrr_compare_options *how,
                      struct tcgrr_symbols *symbols, GError **error);

void tcgrr_bisect_clear(struct tcgrr_bisect *bisect);

/*
 * Where B only replayed A's recording, has it do so once more and stores what it runs into a trace at `path`, which
 * ends a little after the divergence, or there if B gets no further. TCGRR_ERROR_FAILED if there is nothing of the
 * kind to store.
 */
bool tcgrr_bisect_store_b(struct tcgrr_bisect *bisect, const char *path, GError **error);

/* What the two runs share: "shared" (one rr log drove both), "translated" (the same, in another release's words),
 * "own". */
const char *tcgrr_bisect_inputs(const struct tcgrr_bisect *bisect);

/* The QEMU of a side, as the user named it; NULL: the one that recorded. */
const char *tcgrr_bisect_qemu(const struct tcgrr_bisect *bisect, int side);

#endif
