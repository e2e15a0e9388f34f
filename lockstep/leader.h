/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The side whose QEMU writes the rr log that the other side's QEMU replays at the same time, on this machine or
 * another. */
#ifndef TCGRR_LOCKSTEP_LEADER_H
#define TCGRR_LOCKSTEP_LEADER_H

#include "lockstep/log_tap.h"
#include "lockstep/run_source.h"

struct tcgrr_leader;

/* New data of the log. */
struct tcgrr_log_news {
    const uint8_t *bytes; /* its next bytes, the head first; valid during the call */
    size_t size;
    bool over;                /* nothing follows */
    bool translated;          /* it is translated for another release than the one that writes it */
    tcgrr_icount asked_after; /* see struct tcgrr_compare_options; 0: not known */
};

struct tcgrr_leader_options {
    /* Passes the data on; called repeatedly, even when there is nothing new, but not after `over`. */
    bool (*give)(const struct tcgrr_log_news *news, void *data, GError **error);
    void *data;
};

/* Makes the log's folder. Errors are those of tcgrr_log_tap_new(). One thread uses a leader. */
struct tcgrr_leader *tcgrr_leader_new(const struct tcgrr_leader_options *options, GError **error);
/* NULL is allowed. Its side must not be used any more. */
void tcgrr_leader_free(struct tcgrr_leader *leader);

/* The file that QEMU is to write. */
const char *tcgrr_leader_path(const struct tcgrr_leader *leader);

/*
 * Call it before starting the session. QEMU `follower` ("10.0.2") will replay the log. Errors are those of
 * tcgrr_log_tap_begin().
 */
bool tcgrr_leader_begin(struct tcgrr_leader *leader, struct tcgrr_session *session, const char *follower,
                        GError **error);

/* Create the leader's side with this log. */
struct tcgrr_run_source_log *tcgrr_leader_log(struct tcgrr_leader *leader);

/* Whether the log is translated; known once QEMU runs. */
bool tcgrr_leader_translated(const struct tcgrr_leader *leader);

#endif
