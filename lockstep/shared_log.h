/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One rr log for two QEMUs on this machine: A writes it, and B replays it at the same time. */
#ifndef TCGRR_LOCKSTEP_SHARED_LOG_H
#define TCGRR_LOCKSTEP_SHARED_LOG_H

#include "lockstep/feed.h"
#include "lockstep/leader.h"

/* How far A is read ahead of the comparison, so that B has something to run while it waits for A's log. */
#define TCGRR_LOCKSTEP_LOCAL_AHEAD (64 * TCGRR_CHECKPOINT_STEP)

struct tcgrr_shared_log;

/* Creates A's log and B's pipe. Not thread-safe. */
struct tcgrr_shared_log *tcgrr_shared_log_new(GError **error);
/* NULL is allowed. The sides must not be used any more. */
void tcgrr_shared_log_free(struct tcgrr_shared_log *log);

/* The file of side `which` (0: A): QEMU's rrfile. */
const char *tcgrr_shared_log_path(const struct tcgrr_shared_log *log, int which);

/* Call it before starting the two QEMUs. TCGRR_ERROR_FAILED if the log of A's release cannot be translated for B's. */
bool tcgrr_shared_log_begin(struct tcgrr_shared_log *log, struct tcgrr_session *const sessions[2], GError **error);
/* Whether the log is translated; known once A runs. */
bool tcgrr_shared_log_translated(const struct tcgrr_shared_log *log);

/* Create side `which` with this log. Then pass side A to tcgrr_shared_log_set_a(). */
struct tcgrr_run_source_log *tcgrr_shared_log_side(struct tcgrr_shared_log *log, int which);
void tcgrr_shared_log_set_a(struct tcgrr_shared_log *log, struct tcgrr_run_source *a);

/* For struct tcgrr_compare_options. */
const tcgrr_icount *tcgrr_shared_log_asked_after(const struct tcgrr_shared_log *log);

#endif
