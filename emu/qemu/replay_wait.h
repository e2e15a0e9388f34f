/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for a replaying QEMU to stop: at a replay break, at the guest's end, or because it hangs. */
#ifndef TCGRR_EMU_REPLAY_WAIT_H
#define TCGRR_EMU_REPLAY_WAIT_H

#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"
#include "store/model.h"

struct tcgrr_replay_wait {
    struct tcgrr_qmp *qmp;
    struct tcgrr_process *process;
    const char *name; /* of the QEMU, for errors */
    int hang_ms;      /* a QEMU without progress for this long has hung */
    const volatile int *stop;
    bool (*give_up)(void *data);                       /* returns true to give up; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* may be NULL */
    void *data;
    tcgrr_icount seen; /* QEMU's own count when it was last queried */
};

/* Queries QEMU's own count. */
bool tcgrr_replay_wait_icount(struct tcgrr_replay_wait *wait, tcgrr_icount *icount, GError **error);

/*
 * Returns when QEMU, which is running, has stopped. TCGRR_ERROR_HUNG if it makes no progress, TCGRR_ERROR_STOPPED if
 * the user interrupts (`stop` is not 0; may be NULL), TCGRR_ERROR_FAILED if it does not answer, mostly because it has
 * ended.
 */
bool tcgrr_replay_wait_stop(struct tcgrr_replay_wait *wait, GError **error);

#endif
