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

/*
 * Replays both runs at the same time and has each QEMU log its translation of the code: guest instructions, TCG
 * operations before and after the optimizer, host instructions.
 */
bool tcgrr_block_logs(const struct tcgrr_block_log logs[2], GError **error);

#endif
