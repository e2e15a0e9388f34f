/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot from which two QEMUs begin: what ran before it, such as firmware, need not be the same, and one rr log
 * drives both from there on.
 */
#ifndef TCGRR_LOCKSTEP_SHARED_START_H
#define TCGRR_LOCKSTEP_SHARED_START_H

#include "emu/qemu/start.h"
#include "lockstep/compare.h"

/* All is owned by the struct; all zero at first; empty with tcgrr_shared_start_clear(). */
struct tcgrr_shared_start {
    char *folder;
    char *images[2];     /* each QEMU has its own */
    int maker;           /* who ran there: 0 or 1 */
    tcgrr_icount icount; /* QEMU's own count there: runs count on from it, and tcgrr from 0 */
};

struct tcgrr_shared_start_options {
    const struct tcgrr_qemu *qemus[2];
    const char *const *words[2]; /* arguments, NULL-terminated */
    const char *plugin;
    const char *icount; /* see struct tcgrr_command_options */
    struct tcgrr_position place;
    const volatile int *stop;
};

/*
 * Whether the words that only one of them has, NULL-terminated or NULL, say nothing about the machine or its guest: in
 * a snapshot the other one's would be lost.
 */
bool tcgrr_shared_start_suits(const char *const *own);

/*
 * Runs A there and saves it; B, if that one refuses A's snapshot, so that both can load it. Errors are those of
 * tcgrr_start_make(); TCGRR_ERROR_FAILED if each refuses the other's.
 */
bool tcgrr_shared_start_make(struct tcgrr_shared_start *start, const struct tcgrr_shared_start_options *options,
                             GError **error);
void tcgrr_shared_start_clear(struct tcgrr_shared_start *start);

#endif
