/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/shared_log.h"

#include "emu/live/retire.h"
#include "store/error.h"

struct log_side {
    struct tcgrr_run_source_log base; /* must be first */
    struct tcgrr_shared_log *log;
};

struct tcgrr_shared_log {
    struct log_side sides[2];
    struct tcgrr_session *sessions[2];
    struct tcgrr_lead *lead;
    struct tcgrr_feed *feed;
    struct tcgrr_run_source *a;
    GByteArray *bytes; /* on their way from one to the other */
    tcgrr_icount asked_after;
};

/* B cannot stop where A did if A counts what it did not run. */
static bool check_waits(const struct tcgrr_shared_log *log, GError **error)
{
    tcgrr_icount icount = tcgrr_live_overcounted(tcgrr_session_live(log->sessions[0]));
    const char *const versions[2] = {tcgrr_session_qemu(log->sessions[0])->version,
                                     tcgrr_session_qemu(log->sessions[1])->version};

    if (icount == UINT64_MAX || tcgrr_retire_shares_waits(versions[0], versions[1])) {
        return true;
    }
    g_set_error(
        error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
        "QEMU %s cannot follow QEMU %s: the guest waits (wfi), and QEMU %s counts instructions after that which "
        "it did not run, the first at icount %" G_GUINT64_FORMAT "; take them the other way round, --a the newer one",
        versions[1], versions[0], versions[0], icount);
    return false;
}

/* Gives on what A has written. */
static bool lead_step(struct tcgrr_run_source_log *base, tcgrr_icount icount, tcgrr_icount to, bool over,
                      GError **error)
{
    struct tcgrr_shared_log *log = ((struct log_side *)base)->log;

    g_byte_array_set_size(log->bytes, 0);
    if (!check_waits(log, error) || !tcgrr_lead_step(log->lead, icount, over, icount >= to, log->bytes, error)) {
        return false;
    }
    const struct tcgrr_rr_state *state = tcgrr_lead_state(log->lead);
    base->known = tcgrr_lead_known(log->lead);
    if (state->guest_shutdown || tcgrr_lead_ended(log->lead)) {
        base->end = state->end;
        base->asked = state->guest_shutdown;
        base->complete = state->complete;
        log->asked_after = state->was_moved ? state->moved : 0;
        tcgrr_feed_end(log->feed);
    }
    return tcgrr_feed_give(log->feed, log->bytes->data, log->bytes->len, error);
}

static void lead_wait(struct tcgrr_run_source_log *base)
{
    tcgrr_lead_wait(((struct log_side *)base)->log->lead);
}

/* B lives on what A writes, so A goes on as long as B is waited for. */
static bool feed_step(struct tcgrr_run_source_log *base, tcgrr_icount icount, tcgrr_icount to, bool over,
                      GError **error)
{
    struct tcgrr_shared_log *log = ((struct log_side *)base)->log;

    return tcgrr_run_source_live_ahead(log->a, to + TCGRR_LOCKSTEP_LOCAL_AHEAD, error) &&
           tcgrr_feed_give(log->feed, NULL, 0, error);
}

struct tcgrr_shared_log *tcgrr_shared_log_new(GError **error)
{
    struct tcgrr_shared_log *log = g_new0(struct tcgrr_shared_log, 1);

    for (int i = 0; i < 2; i++) {
        log->sides[i] = (struct log_side){
            .base = {.step = i == 0 ? lead_step : feed_step,
                     .wait = lead_wait,
                     .known = i == 0 ? 0 : UINT64_MAX,
                     .end = UINT64_MAX},
            .log = log,
        };
    }
    log->bytes = g_byte_array_new();
    log->lead = tcgrr_lead_new(error);
    log->feed = log->lead ? tcgrr_feed_new(error) : NULL;
    if (!log->feed) {
        g_clear_pointer(&log, tcgrr_shared_log_free);
    }
    return log;
}

void tcgrr_shared_log_free(struct tcgrr_shared_log *log)
{
    if (log) {
        tcgrr_lead_free(log->lead);
        tcgrr_feed_free(log->feed);
        g_byte_array_unref(log->bytes);
        g_free(log);
    }
}

const char *tcgrr_shared_log_path(const struct tcgrr_shared_log *log, int which)
{
    return which == 0 ? tcgrr_lead_path(log->lead) : tcgrr_feed_path(log->feed);
}

bool tcgrr_shared_log_begin(struct tcgrr_shared_log *log, struct tcgrr_session *const sessions[2], GError **error)
{
    log->sessions[0] = sessions[0];
    log->sessions[1] = sessions[1];
    return tcgrr_lead_begin(log->lead, sessions[0], tcgrr_session_qemu(sessions[1])->version, error) &&
           tcgrr_feed_begin(log->feed, sessions[1], error);
}

bool tcgrr_shared_log_translated(const struct tcgrr_shared_log *log)
{
    return tcgrr_lead_state(log->lead)->translated;
}

struct tcgrr_run_source_log *tcgrr_shared_log_side(struct tcgrr_shared_log *log, int which)
{
    return &log->sides[which].base;
}

void tcgrr_shared_log_set_a(struct tcgrr_shared_log *log, struct tcgrr_run_source *a)
{
    log->a = a;
}

const tcgrr_icount *tcgrr_shared_log_asked_after(const struct tcgrr_shared_log *log)
{
    return &log->asked_after;
}
