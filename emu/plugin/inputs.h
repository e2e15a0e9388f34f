/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: what the kernel gives a program, recorded or given to it again. A run of a program is a function of its
 * start and of what its system calls return and write. The host still makes each call; then what it wrote and returned
 * is replaced by what was recorded. In a file, which is only open while it is read or written, because a program's
 * descriptors are its own: struct tcgrr_inputs_call for each call that returned, in the host's byte order, followed by
 * its pieces, a struct tcgrr_inputs_piece and its bytes each.
 */
#ifndef TCGRR_EMU_PLUGIN_INPUTS_H
#define TCGRR_EMU_PLUGIN_INPUTS_H

#include "emu/plugin/state.h"

struct tcgrr_inputs_call {
    int64_t number; /* TCGRR_INPUTS_END: the run is over, nothing follows */
    int64_t result;
    uint32_t bytes; /* of all its pieces */
    int32_t pid;    /* of the process, which is gone if nothing more comes */
    int32_t tid;
    uint32_t unused;
};
#define TCGRR_INPUTS_END  INT64_MIN
#define TCGRR_INPUTS_MOST (64u << 20) /* bytes of one call, at most; what is longer is left to the host */

struct tcgrr_inputs_piece {
    uint64_t address; /* of the guest */
    uint32_t size;
    uint32_t unused;
};

/* Prepares recording to, or replaying from, the file `path`, which stays the caller's. Returns what is wrong, or NULL.
 */
const char *tcgrr_inputs_init(struct tcgrr_plugin *plugin, const char *target, const char *path, bool replay);

/* A vCPU is there: finds its registers, where this QEMU lets them be written. */
void tcgrr_inputs_vcpu(struct tcgrr_plugin *plugin);

/* Asks QEMU for the callbacks that a translation needs. */
void tcgrr_inputs_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb);

/* A call begins; it returned `*result`, which becomes what the program will see. */
void tcgrr_inputs_enter(int64_t number, const uint64_t arguments[8]);
void tcgrr_inputs_return(int64_t number, int64_t *result);

/* The program is about to be over. */
void tcgrr_inputs_finish(void);

#endif
