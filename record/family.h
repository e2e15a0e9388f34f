/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: a program and everything that it forks, each process recorded by a thread of its own. This file knows
 * which processes there are, not how one is recorded.
 */
#ifndef TCGRR_RECORD_FAMILY_H
#define TCGRR_RECORD_FAMILY_H

#include "emu/qemu/forks.h"
#include "store/processes.h"

struct tcgrr_family;

struct tcgrr_family_child {
    const char *name;       /* as in struct tcgrr_recorded_process */
    uint32_t process;       /* its number, from 1; the first process is 0 */
    struct tcgrr_fork fork; /* whoever records it answers that */
    /* Filled in by whoever records it: */
    bool answered;
    struct tcgrr_recorded_process found; /* but for name and pid; its strings go with g_free() */
    uint32_t forks;                      /* children that it forked itself */
    GError *error;                       /* why it was not recorded, or not to its end */
};

/* Listens for children. NULL with TCGRR_ERROR_FAILED. */
struct tcgrr_family *tcgrr_family_new(GError **error);
/* After tcgrr_family_wait(), or without children. NULL is allowed. */
void tcgrr_family_free(struct tcgrr_family *family);
/* Where children ask; owned by `family`. */
const char *tcgrr_family_socket(const struct tcgrr_family *family);

/* From now on each child is handed to `record`, in a thread of its own, which returns when that has ended. */
void tcgrr_family_begin(struct tcgrr_family *family, void (*record)(struct tcgrr_family_child *child, void *data),
                        void *data);
/* What stops the recording of children: 0, or as in struct tcgrr_record_options. */
const volatile int *tcgrr_family_stop(const struct tcgrr_family *family);

/*
 * The first process, which forked `forks` children, has ended: returns when all others have, and whatever they forked.
 * If *stop is set before, they are asked to stop. Nobody is recorded any more then.
 */
void tcgrr_family_wait(struct tcgrr_family *family, uint32_t forks, const volatile int *stop);

/* Afterwards: struct tcgrr_family_child *, in order of their names; owned by `family`. */
const GPtrArray *tcgrr_family_children(const struct tcgrr_family *family);
/* Children that were forked but never asked. */
uint32_t tcgrr_family_missing(const struct tcgrr_family *family);

#endif
