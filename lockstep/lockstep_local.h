/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lockstep on one machine: two runs compared while they happen. */
#ifndef TCGRR_LOCKSTEP_LOCAL_H
#define TCGRR_LOCKSTEP_LOCAL_H

#include "lockstep/compare.h"
#include "lockstep/shared_machine.h"
#include "lockstep/shared_start.h"

/* One of the two: a QEMU to start, or a stored run. */
struct tcgrr_lockstep_member {
    struct tcgrr_reader *reader;  /* a stored run, which stays the caller's; NULL: a QEMU */
    const char *qemu;             /* name or path */
    const char *const *arguments; /* the words after it, NULL-terminated */
    const char *const *own;       /* those of them that the other one lacks; NULL: none */
    const char *directory;        /* its working directory; NULL: ours */
    bool quiet;                   /* its guest's console goes nowhere */
    bool output_to_errors;        /* or, with what QEMU writes to standard output, to standard error */
};

/* What drives the two runs. */
enum tcgrr_lockstep_inputs {
    TCGRR_INPUTS_OWN,        /* each has inputs of its own: the runs are aligned */
    TCGRR_INPUTS_SHARED,     /* one rr log: A writes it, B replays it meanwhile; every difference is one */
    TCGRR_INPUTS_TRANSLATED, /* likewise, and the log is translated for B's release */
};
/* "own", "shared", "translated". */
const char *tcgrr_lockstep_inputs_name(enum tcgrr_lockstep_inputs inputs);

struct tcgrr_lockstep_local_options {
    struct tcgrr_lockstep_member members[2];
    const char *const *common; /* the words that both have: two QEMUs of different builds get them pinned as A's are */
    bool own_inputs;           /* also where one log could drive both */
    /* Comparing starts at a place: what runs before need not be the same, as two releases' firmware is not, and then no
     * log can drive both from their reset on. */
    bool starts_late;
    const char *plugin;
    enum tcgrr_level
        level;          /* STATE or more: the states are compared, too; a stored run has what it was recorded with */
    const char *icount; /* see struct tcgrr_command_options */
    int hang_ms;        /* a QEMU without progress for so long has hung */
    struct tcgrr_compare_options compare;
    const volatile int *stop;
    void (*own_because)(const char *why, void *data);  /* each has inputs of its own; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* now and then; may be NULL */
    void *data;
};

struct tcgrr_shared_log;

struct tcgrr_lockstep_local {
    struct tcgrr_comparison comparison; /* its lists point into the sides, those into the sessions */
    enum tcgrr_lockstep_inputs inputs;
    struct tcgrr_shared_machine machine; /* what both were given in place of the user's words */
    struct tcgrr_shared_start begin;     /* images NULL: they begin at their reset */
    char *own_because; /* why one log cannot drive both from where comparing starts; NULL: it does, or needs not */
    struct tcgrr_shared_log *log; /* NULL: own inputs */
    struct tcgrr_run_source *sides[2];
    struct tcgrr_session *sessions[2]; /* NULL: a stored run */
    char **environment;                /* user mode: of the recorded program, NULL-terminated; NULL: ours */
    char *calls;                       /* user mode: the file of what system calls gave; removed by clear */
    char *exits[2];                    /* how each QEMU ended; NULL: a stored run */
    char *words[2];                    /* what it complained of, "" if of nothing; NULL: a stored run */
};

/*
 * Checks that the two can be compared and prepares the QEMUs, without starting them. TCGRR_ERROR_USAGE where they are
 * of different targets or modes, else errors are those of tcgrr_session_new() and tcgrr_shared_machine_pin().
 */
bool tcgrr_lockstep_local_open(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                               GError **error);

/*
 * Starts the QEMUs, which run at the same time, and compares. They have ended when it returns. A QEMU that does not
 * start is an error; one that is killed, aborts or hangs later is a divergence.
 */
bool tcgrr_lockstep_local_run(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                              GError **error);

/*
 * Ends a QEMU whose side reached `end`: one that is still there has nothing more to say. `*exit` says how it ended and
 * `*words` what it complained of; both are the caller's.
 */
void tcgrr_lockstep_local_conclude(struct tcgrr_session *session, enum tcgrr_run_source_state end, char **exit,
                                   char **words);

/* Whether B was to do what A does, with nothing of its own. */
bool tcgrr_lockstep_local_repeats(const struct tcgrr_lockstep_local *pair,
                                  const struct tcgrr_lockstep_local_options *options);
/* After a comparison: whether it has no verdict because each side had inputs of its own, and one log may drive both
 * instead, so that running them once more without `own_inputs` decides. */
bool tcgrr_lockstep_local_can_decide(const struct tcgrr_lockstep_local *pair,
                                     const struct tcgrr_lockstep_local_options *options);

/* Ends what still runs and frees everything; also after a failed tcgrr_lockstep_local_open(). */
void tcgrr_lockstep_local_clear(struct tcgrr_lockstep_local *pair);

/* User mode: the session that knows what member `which`, a live one, has mapped where. */
struct tcgrr_session *tcgrr_lockstep_local_names(const struct tcgrr_lockstep_local *pair, int which);

/* Of member `which`, while the pair lives: "aarch64" and so on; the version of QEMU; the blocks seen so far, NULL if
 * they cannot be read. */
const char *tcgrr_lockstep_local_target(const struct tcgrr_lockstep_local *pair,
                                        const struct tcgrr_lockstep_local_options *options, int which);
const char *tcgrr_lockstep_local_version(const struct tcgrr_lockstep_local *pair,
                                         const struct tcgrr_lockstep_local_options *options, int which);
const struct tcgrr_blocks *tcgrr_lockstep_local_blocks(const struct tcgrr_lockstep_local *pair,
                                                       const struct tcgrr_lockstep_local_options *options, int which);

#endif
