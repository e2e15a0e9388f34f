/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's own logs of how two QEMUs translated a block. */
#ifndef TCGRR_REPLAY_BLOCK_LOG_H
#define TCGRR_REPLAY_BLOCK_LOG_H

#include "replay/cause/paused.h"

struct tcgrr_block_log {
    struct tcgrr_rerun_options run;
    uint64_t address; /* the code whose translation is logged */
    uint64_t size;
    tcgrr_icount from;  /* the relevant place; the replay may begin at run.given before it */
    tcgrr_icount until; /* the replay ends here */
    const char *path;   /* of the log */
};

struct tcgrr_block_logs;

/*
 * Starts replaying both runs, in two threads, with each QEMU logging its translation of the code: guest instructions,
 * TCG operations before and after the optimizer, host instructions. What `logs` points to must outlive the result.
 * Until the end only the calling thread may use the readers.
 */
struct tcgrr_block_logs *tcgrr_block_logs_start(const struct tcgrr_block_log logs[2], GError **error);
/* Waits until both logs are written, and frees it. NULL is allowed, and is no error. */
bool tcgrr_block_logs_finish(struct tcgrr_block_logs *logs, GError **error);

#endif
