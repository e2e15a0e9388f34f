/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small bare-metal guest generated from a cause: it sets the recorded registers and memory, runs the code once and
 * prints the results. It is tried in both QEMUs, and kept if its output differs.
 */
#ifndef TCGRR_REPLAY_STANDALONE_H
#define TCGRR_REPLAY_STANDALONE_H

#include "replay/cause/cause.h"

struct tcgrr_standalone_options {
    const struct tcgrr_cause *cause;
    const char *folder;   /* for guest.S, guest.elf, run.sh and the outputs */
    const char *target;   /* QEMU's target name */
    const char *qemus[2]; /* paths */
    char **kept[2]; /* arguments of the recorded commands that the QEMUs need for this guest, too, NULL-terminated */
    const volatile int *stop;
};

/* Strings are owned by the struct; empty with tcgrr_standalone_clear(). */
struct tcgrr_standalone {
    bool reproduces;
    char *reason;     /* why there is no such guest; NULL if there is one */
    char *difference; /* the lines of its output that differ: "< " of A, "> " of B */
    bool whole_block; /* it runs the whole block (up to the cause, if that is an instruction) rather than one
                         instruction */
    bool moved;       /* data was moved to an address at which the machine has RAM, and a register adjusted */
};

/* False with an error only if files cannot be written or the user interrupts. If clang or lld is missing, `reason` says
 * so. */
bool tcgrr_standalone_make(const struct tcgrr_standalone_options *options, struct tcgrr_standalone *standalone,
                           GError **error);
/*
 * The words of a recorded command that such a guest's QEMU needs, too: the CPU model and the firmware's folder.
 * Relative paths are relative to `directory` (NULL: the current one). Owned by the caller (g_strfreev).
 */
char **tcgrr_standalone_keep(const char *target, char **words, const char *directory);

void tcgrr_standalone_clear(struct tcgrr_standalone *standalone);

#endif
