/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/shared_log.h"

struct tcgrr_shared_log {
    struct tcgrr_run_source_log follower; /* must be first */
    struct tcgrr_leader *leader;
    struct tcgrr_feed *feed;
    struct tcgrr_run_source *a;
    tcgrr_icount asked_after;
};

static bool give(const struct tcgrr_log_news *news, void *data, GError **error)
{
    struct tcgrr_shared_log *log = data;

    if (news->over) {
        log->asked_after = news->asked_after;
        tcgrr_feed_end(log->feed);
    }
    return tcgrr_feed_give(log->feed, news->bytes, news->size, error);
}

/* B needs the log that A writes, so A is read on while B is awaited. */
static bool follow(struct tcgrr_run_source_log *base, tcgrr_icount icount, tcgrr_icount to, bool over, GError **error)
{
    struct tcgrr_shared_log *log = (struct tcgrr_shared_log *)base;
    bool there;

    return tcgrr_run_source_live_read_ahead(log->a, to + TCGRR_LOCKSTEP_LOCAL_AHEAD, &there, error) &&
           tcgrr_feed_give(log->feed, NULL, 0, error);
}

static void wait(struct tcgrr_run_source_log *base)
{
    struct tcgrr_run_source_log *leader = tcgrr_leader_log(((struct tcgrr_shared_log *)base)->leader);

    leader->wait(leader);
}

struct tcgrr_shared_log *tcgrr_shared_log_new(GError **error)
{
    struct tcgrr_shared_log *log = g_new0(struct tcgrr_shared_log, 1);

    log->follower = (struct tcgrr_run_source_log){.step = follow, .wait = wait, .known = UINT64_MAX, .end = UINT64_MAX};
    log->leader = tcgrr_leader_new(&(struct tcgrr_leader_options){.give = give, .data = log}, error);
    log->feed = log->leader ? tcgrr_feed_new(error) : NULL;
    if (!log->feed) {
        g_clear_pointer(&log, tcgrr_shared_log_free);
    }
    return log;
}

void tcgrr_shared_log_free(struct tcgrr_shared_log *log)
{
    if (log) {
        tcgrr_leader_free(log->leader);
        tcgrr_feed_free(log->feed);
        g_free(log);
    }
}

const char *tcgrr_shared_log_path(const struct tcgrr_shared_log *log, int which)
{
    return which == 0 ? tcgrr_leader_path(log->leader) : tcgrr_feed_path(log->feed);
}

bool tcgrr_shared_log_begin(struct tcgrr_shared_log *log, struct tcgrr_session *const sessions[2], GError **error)
{
    return tcgrr_leader_begin(log->leader, sessions[0], tcgrr_session_qemu(sessions[1])->version, error) &&
           tcgrr_feed_begin(log->feed, sessions[1], error);
}

bool tcgrr_shared_log_translated(const struct tcgrr_shared_log *log)
{
    return tcgrr_leader_translated(log->leader);
}

struct tcgrr_run_source_log *tcgrr_shared_log_side(struct tcgrr_shared_log *log, int which)
{
    return which == 0 ? tcgrr_leader_log(log->leader) : &log->follower;
}

void tcgrr_shared_log_set_a(struct tcgrr_shared_log *log, struct tcgrr_run_source *a)
{
    log->a = a;
}

const tcgrr_icount *tcgrr_shared_log_asked_after(const struct tcgrr_shared_log *log)
{
    return &log->asked_after;
}
