/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: a program and all its forked children, each recorded by a separate thread. This file keeps track of the
 * processes; how one is recorded is not its concern.
 */
#ifndef TCGRR_RECORD_FAMILY_H
#define TCGRR_RECORD_FAMILY_H

#include "emu/qemu/forks.h"
#include "store/processes.h"

struct tcgrr_family;

struct tcgrr_family_child {
    const char *name;       /* as in struct tcgrr_recorded_process */
    uint32_t process;       /* its number, from 1; the first process is 0 */
    struct tcgrr_fork fork; /* the recording thread answers it */
    /* Filled in by the recording thread: */
    bool answered;
    struct tcgrr_recorded_process found; /* except for name and pid; its strings are freed with g_free() */
    uint32_t forks;                      /* children that it forked itself */
    GError *error;                       /* why it was not recorded, or not completely */
};

/* Listens for children. NULL with TCGRR_ERROR_FAILED. */
struct tcgrr_family *tcgrr_family_new(GError **error);
/* Call it after tcgrr_family_wait(), or if there are no children. NULL is allowed. */
void tcgrr_family_free(struct tcgrr_family *family);
/* The socket to which children connect; owned by `family`. */
const char *tcgrr_family_socket(const struct tcgrr_family *family);

/* From now on `record` is called for each child, in a separate thread; it returns when the child has ended. */
void tcgrr_family_begin(struct tcgrr_family *family, void (*record)(struct tcgrr_family_child *child, void *data),
                        void *data);
/* The flag that stops the recording of children: 0, or as in struct tcgrr_record_options. */
const volatile int *tcgrr_family_stop(const struct tcgrr_family *family);

/*
 * Call it when the first process, which forked `forks` children, has ended. Returns when all other processes have
 * ended, and none is recorded any more. If *stop becomes set, asks them to stop.
 */
void tcgrr_family_wait(struct tcgrr_family *family, uint32_t forks, const volatile int *stop);

/* The children after tcgrr_family_wait(): struct tcgrr_family_child *, in order of their names; owned by `family`. */
const GPtrArray *tcgrr_family_children(const struct tcgrr_family *family);
/* The number of children that were forked but never connected. */
uint32_t tcgrr_family_missing(const struct tcgrr_family *family);

#endif
