/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One rr log for two QEMUs on this machine: A writes it, B replays it meanwhile. */
#ifndef TCGRR_LOCKSTEP_PAIR_LOG_H
#define TCGRR_LOCKSTEP_PAIR_LOG_H

#include "lockstep/feed.h"
#include "lockstep/lead.h"
#include "lockstep/side.h"

/* How far A is read ahead of what is compared, so that B has something to run while A's log is on its way. */
#define TCGRR_PAIR_AHEAD (64 * TCGRR_CHECKPOINT_STEP)

struct tcgrr_pair_log;

/* Makes A's log and B's pipe. One thread uses it. */
struct tcgrr_pair_log *tcgrr_pair_log_new(GError **error);
/* NULL is allowed. The sides must not be used any more. */
void tcgrr_pair_log_free(struct tcgrr_pair_log *log);

/* The file of side `which` (0: A): QEMU's rrfile. */
const char *tcgrr_pair_log_path(const struct tcgrr_pair_log *log, int which);

/* Before the two are started. TCGRR_ERROR_FAILED if the log of A's release cannot be translated for B's. */
bool tcgrr_pair_log_begin(struct tcgrr_pair_log *log, struct tcgrr_session *const sessions[2], GError **error);
/* Whether it is translated; once A runs. */
bool tcgrr_pair_log_translated(const struct tcgrr_pair_log *log);

/* What side `which` is to be made with; it is told of side A. */
struct tcgrr_side_log *tcgrr_pair_log_side(struct tcgrr_pair_log *log, int which);
void tcgrr_pair_log_set_a(struct tcgrr_pair_log *log, struct tcgrr_side *a);

/* For struct tcgrr_compare_options. */
const tcgrr_icount *tcgrr_pair_log_asked_after(const struct tcgrr_pair_log *log);

#endif
