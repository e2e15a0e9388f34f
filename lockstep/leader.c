/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/leader.h"

#include "emu/live/retire.h"
#include "store/error.h"

struct tcgrr_leader {
    struct tcgrr_run_source_log base; /* must be first */
    struct tcgrr_leader_options options;
    struct tcgrr_session *session;
    struct tcgrr_log_tap *tap;
    char *follower;    /* version of the QEMU that replays the log */
    GByteArray *bytes; /* on their way */
    bool given;        /* the last ones were */
};

/* Whether the place is in the run: what the vCPU does after the guest's request to shut down is not part of it. */
static bool is_in_run(const struct tcgrr_leader *leader, tcgrr_icount icount)
{
    const struct tcgrr_rr_state *state = tcgrr_log_tap_state(leader->tap);
    if (state->guest_shutdown || tcgrr_log_tap_ended(leader->tap)) {
        return icount < tcgrr_log_tap_since_start(leader->tap, state->end);
    }
    return icount <= tcgrr_log_tap_known(leader->tap); /* beyond that the log has to be read first */
}

/* The follower cannot stop where the leader did if the leader counts instructions that it did not run. */
static bool check_waits(const struct tcgrr_leader *leader, GError **error)
{
    tcgrr_icount icount = tcgrr_live_overcounted(tcgrr_session_live(leader->session));
    const struct tcgrr_qemu *qemu = tcgrr_session_qemu(leader->session);
    const char *own = qemu->version;

    if (icount == UINT64_MAX || tcgrr_retire_same_wait_count(qemu->target, own, leader->follower) ||
        !is_in_run(leader, icount)) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "QEMU %s cannot follow QEMU %s: the guest waits (wfi), and QEMU %s counts instructions after it that "
                "did not run, the first at icount %" G_GUINT64_FORMAT
                "; swap them: the newer one as A, or with --listen",
                leader->follower, own, own, icount);
    return false;
}

/* Gives on what QEMU has written. */
static bool step(struct tcgrr_run_source_log *base, tcgrr_icount icount, tcgrr_icount to, bool over, GError **error)
{
    struct tcgrr_leader *leader = (struct tcgrr_leader *)base;

    g_byte_array_set_size(leader->bytes, 0);
    if (!tcgrr_log_tap_step(leader->tap, icount, over, icount >= to, leader->bytes, error) ||
        !check_waits(leader, error)) {
        return false;
    }
    const struct tcgrr_rr_state *state = tcgrr_log_tap_state(leader->tap);
    struct tcgrr_log_news news = {
        .bytes = leader->bytes->data,
        .size = leader->bytes->len,
        .over = state->guest_shutdown || tcgrr_log_tap_ended(leader->tap),
        .translated = state->translated,
    };
    base->known = tcgrr_log_tap_known(leader->tap);
    if (news.over) {
        base->end = tcgrr_log_tap_since_start(leader->tap, state->end);
        base->asked = state->guest_shutdown;
        base->complete = state->complete;
        news.asked_after = state->was_moved ? tcgrr_log_tap_since_start(leader->tap, state->moved) : 0;
    }
    bool good = leader->given || leader->options.give(&news, leader->options.data, error);
    leader->given = news.over;
    return good;
}

static void wait(struct tcgrr_run_source_log *base)
{
    tcgrr_log_tap_wait(((struct tcgrr_leader *)base)->tap);
}

struct tcgrr_leader *tcgrr_leader_new(const struct tcgrr_leader_options *options, GError **error)
{
    struct tcgrr_log_tap *tap = tcgrr_log_tap_new(error);
    if (!tap) {
        return NULL;
    }
    struct tcgrr_leader *leader = g_new0(struct tcgrr_leader, 1);
    leader->base = (struct tcgrr_run_source_log){.step = step, .wait = wait, .end = UINT64_MAX};
    leader->options = *options;
    leader->tap = tap;
    leader->bytes = g_byte_array_new();
    return leader;
}

void tcgrr_leader_free(struct tcgrr_leader *leader)
{
    if (leader) {
        tcgrr_log_tap_free(leader->tap);
        g_byte_array_unref(leader->bytes);
        g_free(leader->follower);
        g_free(leader);
    }
}

const char *tcgrr_leader_path(const struct tcgrr_leader *leader)
{
    return tcgrr_log_tap_path(leader->tap);
}

bool tcgrr_leader_begin(struct tcgrr_leader *leader, struct tcgrr_session *session, const char *follower,
                        GError **error)
{
    leader->session = session;
    leader->follower = g_strdup(follower);
    return tcgrr_log_tap_begin(leader->tap, session, follower, error);
}

struct tcgrr_run_source_log *tcgrr_leader_log(struct tcgrr_leader *leader)
{
    return &leader->base;
}

bool tcgrr_leader_translated(const struct tcgrr_leader *leader)
{
    return tcgrr_log_tap_state(leader->tap)->translated;
}
