/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judges whether a build of QEMU still does what a trace recorded: good, bad, or skipped. */
#ifndef TCGRR_REPLAY_VERDICT_H
#define TCGRR_REPLAY_VERDICT_H

#include "replay/replay.h"

enum tcgrr_verdict_kind {
    TCGRR_VERDICT_GOOD,    /* it did the same to the end */
    TCGRR_VERDICT_BAD,     /* it began as the recording did and then diverged from it */
    TCGRR_VERDICT_SKIPPED, /* it cannot replay this trace, so there is no verdict */
};

/* "good", "bad", "skipped". */
const char *tcgrr_verdict_name(enum tcgrr_verdict_kind kind);

struct tcgrr_verdict;
/* The inputs of the build, as tcgrr_replay_inputs_name() names them. */
const char *tcgrr_verdict_inputs(const struct tcgrr_verdict *verdict);

/* Strings are owned by the struct; empty with tcgrr_verdict_clear(). */
struct tcgrr_verdict {
    enum tcgrr_verdict_kind kind;
    char *binary;          /* the QEMU that was run; NULL if the build has none */
    char *version;         /* of it; NULL if it could not be started */
    char *reason;          /* one line */
    bool own_inputs;       /* user mode: the program made its system calls again */
    bool translated;       /* QEMU's rr log was translated for it */
    tcgrr_icount compared; /* instructions that were the same */
};

/*
 * Replays the trace in `build`, a QEMU (name or path) or a folder that has one for the trace's target, until it
 * diverges from the recording. options->qemu and options->at are ignored. False with an error only if no build could be
 * judged: the trace is damaged, the arguments are wrong, or TCGRR_ERROR_STOPPED. Call tcgrr_replay_check() once before.
 *
 * A QEMU that refuses the rr file, or ends or hangs before it has run an instruction, is SKIPPED, because QEMUs of
 * other releases do that. So is one that reports at any time that it does not know a kind of event in the file, and one
 * that was killed from outside. A QEMU that ends, aborts, crashes or hangs later is BAD, like one that runs different
 * instructions.
 */
bool tcgrr_verdict_find(struct tcgrr_reader *reader, const char *build, const struct tcgrr_replay_options *options,
                        struct tcgrr_verdict *verdict, GError **error);
void tcgrr_verdict_clear(struct tcgrr_verdict *verdict);

/* The path of the QEMU of a build, which is given as for tcgrr_verdict_find(). NULL with a reason if there is none. */
char *tcgrr_verdict_binary(struct tcgrr_reader *reader, const char *build, GError **error);

#endif
