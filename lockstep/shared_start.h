/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot from which two QEMUs start: what ran before it, such as firmware, may differ, and one rr log drives both
 * from there on.
 */
#ifndef TCGRR_LOCKSTEP_SHARED_START_H
#define TCGRR_LOCKSTEP_SHARED_START_H

#include "emu/qemu/start.h"
#include "lockstep/compare.h"

/* All is owned by the struct; all zero at first; empty with tcgrr_shared_start_clear(). */
struct tcgrr_shared_start {
    char *folder;
    char *images[2];     /* each QEMU has its own */
    int maker;           /* the side that made it: 0 or 1 */
    tcgrr_icount icount; /* QEMU's own count there; QEMU continues from it, tcgrr counts from 0 */
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
 * Whether the words that only one side has (NULL-terminated, or NULL) do not affect the machine or its guest. If they
 * do, a snapshot of the other side would ignore them.
 */
bool tcgrr_shared_start_suits(const char *const *own);

/*
 * Runs A to the place and saves it; if B refuses A's snapshot, runs and saves B instead. Errors are those of
 * tcgrr_start_make(); TCGRR_ERROR_FAILED if each refuses the other's.
 */
bool tcgrr_shared_start_make(struct tcgrr_shared_start *start, const struct tcgrr_shared_start_options *options,
                             GError **error);
void tcgrr_shared_start_clear(struct tcgrr_shared_start *start);

#endif
