/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lockstep on one machine: compares two runs while they are executed. */
#ifndef TCGRR_LOCKSTEP_LOCAL_H
#define TCGRR_LOCKSTEP_LOCAL_H

#include "lockstep/compare.h"
#include "lockstep/shared_machine.h"
#include "lockstep/shared_start.h"

/* One of the two runs: a QEMU to start, or a stored run. */
struct tcgrr_lockstep_member {
    struct tcgrr_reader *reader;  /* a stored run, owned by the caller; NULL: a QEMU */
    const char *qemu;             /* name or path */
    const char *const *arguments; /* the words after it, NULL-terminated */
    const char *const *own;       /* those arguments that the other member does not have; NULL: none */
    const char *directory;        /* its working directory; NULL: ours */
    bool quiet;                   /* the guest's console output is discarded */
    bool output_to_errors;        /* or goes to standard error, as does QEMU's standard output */
};

/* What drives the two runs. */
enum tcgrr_lockstep_inputs {
    TCGRR_INPUTS_OWN,        /* each run has its own inputs: the runs are aligned */
    TCGRR_INPUTS_SHARED,     /* one rr log, which B replays while A writes it: every difference is a divergence */
    TCGRR_INPUTS_TRANSLATED, /* likewise, but the log is translated for B's release */
};
/* "own", "shared", "translated". */
const char *tcgrr_lockstep_inputs_name(enum tcgrr_lockstep_inputs inputs);

struct tcgrr_lockstep_local_options {
    struct tcgrr_lockstep_member members[2];
    const char *const
        *common; /* the arguments that both have: for two QEMUs of different builds, they are pinned to those of A */
    bool own_inputs; /* even if one log could drive both */
    /* Comparing starts at a given place. The code before it may differ, as the firmware of two releases does; then no
     * log can drive both runs from their reset. */
    bool starts_late;
    const char *plugin;
    enum tcgrr_level
        level; /* STATE or higher: the states are compared, too; a stored run has the level that it was recorded with */
    const char *icount; /* see struct tcgrr_command_options */
    int hang_ms;        /* a QEMU without progress for this long counts as hung */
    struct tcgrr_compare_options compare;
    const volatile int *stop;
    void (*own_because)(const char *why, void *data);  /* called if each run has its own inputs; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* called occasionally; may be NULL */
    void *data;
};

struct tcgrr_shared_log;

struct tcgrr_lockstep_local {
    struct tcgrr_comparison comparison; /* its lists point into the sides, those into the sessions */
    enum tcgrr_lockstep_inputs inputs;
    struct tcgrr_shared_machine machine; /* what both were given instead of the user's arguments */
    struct tcgrr_shared_start begin;     /* if its images are NULL, the runs begin at their reset */
    char *
        own_because; /* why one log cannot drive both from where comparing starts; NULL: it does, or does not have to */
    struct tcgrr_shared_log *log; /* NULL: own inputs */
    struct tcgrr_run_source *sides[2];
    struct tcgrr_session *sessions[2]; /* NULL: a stored run */
    char **environment; /* user mode: the environment of the recorded program, NULL-terminated; NULL: ours */
    char *calls;    /* user mode: the file with the results of system calls; removed by tcgrr_lockstep_local_clear() */
    char *exits[2]; /* how each QEMU ended; NULL: a stored run */
    char *words[2]; /* the error messages that it printed, "" if none; NULL: a stored run */
};

/*
 * Checks that the two runs can be compared and prepares the QEMUs, without starting them. Fails with TCGRR_ERROR_USAGE
 * if their targets or modes differ, else with the errors of tcgrr_session_new() and tcgrr_shared_machine_pin().
 */
bool tcgrr_lockstep_local_open(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                               GError **error);

/*
 * Starts the QEMUs, which run at the same time, and compares them. They have ended when this returns. A QEMU that does
 * not start is an error; one that is killed, aborts or hangs later is a divergence.
 */
bool tcgrr_lockstep_local_run(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                              GError **error);

/*
 * Ends a QEMU whose side reached `end`, if it is still running. Sets `*exit` to how it ended and `*words` to its error
 * messages; the caller owns both.
 */
void tcgrr_lockstep_local_conclude(struct tcgrr_session *session, enum tcgrr_run_source_state end, char **exit,
                                   char **words);

/* Returns whether B was expected to repeat exactly what A does, without its own inputs. */
bool tcgrr_lockstep_local_repeats(const struct tcgrr_lockstep_local *pair,
                                  const struct tcgrr_lockstep_local_options *options);
/* Returns, after a comparison, whether there is no verdict because each side had its own inputs although one log may be
 * able to drive both, so that running them again without `own_inputs` gives a verdict. */
bool tcgrr_lockstep_local_can_decide(const struct tcgrr_lockstep_local *pair,
                                     const struct tcgrr_lockstep_local_options *options);

/* Ends QEMUs that are still running and frees everything; also call this after a failed tcgrr_lockstep_local_open(). */
void tcgrr_lockstep_local_clear(struct tcgrr_lockstep_local *pair);

/* User mode: returns the session that knows the mappings of member `which`, which is live. */
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
