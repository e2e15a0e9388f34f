/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/peer/remote.h"

#include "store/error.h"

#include <string.h>

/* Number of positions that are requested at first, when it is not known yet whether the comparator will continue in
 * this way. */
#define FIRST_COUNT 2
#define WATCHFUL_MS 50
#define LOG_US      1000

/* What our QEMU replays. */
struct remote_log {
    struct tcgrr_run_source_log base; /* must be first */
    struct remote_side *remote;
    struct tcgrr_feed *feed; /* NULL: nothing of the other side's */
    bool over;
    bool translated;
    tcgrr_icount asked_after;
};

struct remote_side {
    struct tcgrr_run_source base; /* must be first */
    struct tcgrr_peer *peer;
    struct tcgrr_received_blocks received;
    struct tcgrr_position_plan plan; /* the last plan that was requested; count 0: none yet */
    uint32_t used;                   /* positions of it that the comparator has taken */
    uint32_t arrived;                /* and that are here */
    uint32_t reach;                  /* how many may be on their way */
    bool ended;                      /* the last that arrived is the run's end */
    tcgrr_icount come;               /* the other side's run is known to have come there */
    GQueue waiting;                  /* struct tcgrr_planned_position *, arrived and not used */
    struct tcgrr_positions positions;
    struct tcgrr_planned_position last; /* the one used last */
    tcgrr_icount last_begin;            /* where what it adds begins */
    bool looking;                       /* an instruction was searched for since then */
    uint64_t looked_for;
    struct remote_log log;
};

static bool malformed(GError **error, const struct tcgrr_message *message)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent a message out of turn (%s)",
                tcgrr_message_name(message->type));
    return false;
}

/* ---- messages that come by themselves ---- */

static bool take_positions(struct remote_side *remote, const struct tcgrr_message *message, GError **error)
{
    if (remote->plan.count == 0) {
        return malformed(error, message);
    }
    if (!tcgrr_take_positions(message, &remote->plan, &remote->positions, error)) {
        return false;
    }
    GArray *list = remote->positions.list;
    if (list->len > 0 && (remote->positions.first != remote->arrived || remote->ended)) {
        return malformed(error, message);
    }
    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_planned_position *planned = &g_array_index(list, struct tcgrr_planned_position, i);
        g_queue_push_tail(&remote->waiting, g_memdup2(planned, sizeof(*planned)));
        remote->ended = planned->position.state != TCGRR_SOURCE_REACHED;
        remote->come = MAX(remote->come, planned->position.icount);
    }
    remote->arrived += list->len;
    return true;
}

static bool take_log(struct remote_side *remote, const struct tcgrr_message *message, GError **error)
{
    struct remote_log *log = &remote->log;
    struct tcgrr_log_news news;

    if (!log->feed || log->over) {
        return malformed(error, message);
    }
    if (!tcgrr_take_log(message, &news, error) || !tcgrr_feed_give(log->feed, news.bytes, news.size, error)) {
        return false;
    }
    log->translated = log->translated || news.translated;
    log->over = news.over;
    if (news.over) {
        log->asked_after = news.asked_after;
        tcgrr_feed_end(log->feed);
    }
    return true;
}

/* What may come at any time. */
static bool take_unasked(struct remote_side *remote, const struct tcgrr_message *message, GError **error)
{
    switch (message->type) {
    case TCGRR_MESSAGE_POSITIONS:
        return take_positions(remote, message, error);
    case TCGRR_MESSAGE_LOG:
        return take_log(remote, message, error);
    default:
        return malformed(error, message);
    }
}

/* Takes what has arrived, without waiting. */
static bool listen_to(struct remote_side *remote, GError **error)
{
    struct tcgrr_message message;
    bool got = true;

    while (got) {
        if (!tcgrr_peer_poll(remote->peer, 0, &message, &got, error) ||
            (got && !take_unasked(remote, &message, error))) {
            return false;
        }
    }
    return true;
}

/* Waits for a message of this type. */
static bool await(struct remote_side *remote, enum tcgrr_message_type type, struct tcgrr_message *message,
                  GError **error)
{
    for (;;) {
        if (!tcgrr_peer_receive(remote->peer, message, error)) {
            return false;
        }
        if (message->type == type) {
            return true;
        }
        if (!take_unasked(remote, message, error)) {
            return false;
        }
    }
}

/* ---- positions ---- */

/* How many positions may be on their way, so that the other end does not run further ahead than its window is made for.
 */
static uint32_t longest_reach(const struct tcgrr_position_plan *plan)
{
    return (uint32_t)(TCGRR_PROTOCOL_AHEAD / MAX(plan->to_stride, TCGRR_CHECKPOINT_STEP));
}

/* Requests a plan on the assumption that the comparator's next request is the current one, one step further: from 0 on,
 * or from where this part ends. */
static bool ask(struct remote_side *remote, tcgrr_icount from, tcgrr_icount to, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    uint64_t stride = from > 0 ? to - from : TCGRR_CHECKPOINT_STEP;

    remote->plan = (struct tcgrr_position_plan){
        .serial = remote->plan.serial + 1,
        .from = from,
        .to = to,
        .from_stride = from > 0 ? stride : 0,
        .to_stride = stride,
        .count = from == to ? 1 : FIRST_COUNT,
        .watches = remote->looking,
        .watch = remote->looked_for,
    };
    remote->used = 0;
    remote->arrived = 0;
    remote->reach = FIRST_COUNT;
    remote->ended = false;
    g_queue_clear_full(&remote->waiting, g_free);
    tcgrr_put_ask(payload, &remote->plan);
    return tcgrr_peer_send(remote->peer, TCGRR_MESSAGE_ASK, payload, error);
}

/* The assumption was right: lets the other end run further ahead each time, but with few messages. */
static bool ask_more(struct remote_side *remote, GError **error)
{
    struct tcgrr_position_plan *plan = &remote->plan;

    if (plan->count - remote->used > remote->reach / 2 || remote->ended) {
        return true;
    }
    g_autoptr(GByteArray) payload = g_byte_array_new();
    remote->reach = MIN(remote->reach * 2, longest_reach(plan));
    plan->count = MAX(plan->count, remote->used + remote->reach);
    tcgrr_put_more(payload, plan->serial, plan->count);
    return tcgrr_peer_send(remote->peer, TCGRR_MESSAGE_MORE, payload, error);
}

static bool is_next(const struct remote_side *remote, tcgrr_icount from, tcgrr_icount to)
{
    const struct tcgrr_position_plan *plan = &remote->plan;
    bool over = remote->ended && g_queue_is_empty((GQueue *)&remote->waiting);
    bool looks = !remote->looking || (plan->watches && plan->watch == remote->looked_for);

    return plan->count > remote->used && !over && looks && tcgrr_position_plan_from(plan, remote->used) == from &&
           tcgrr_position_plan_to(plan, remote->used) == to;
}

static bool advance(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                    struct tcgrr_run_source_position *position, GError **error)
{
    struct remote_side *remote = (struct remote_side *)side;
    struct tcgrr_message message;

    if (from == to && from > 0 && to <= remote->come) {
        *position = (struct tcgrr_run_source_position){TCGRR_SOURCE_REACHED, to, 0};
        return true;
    }
    if (!is_next(remote, from, to) && !ask(remote, from, to, error)) {
        return false;
    }
    while (g_queue_is_empty(&remote->waiting)) {
        if (!await(remote, TCGRR_MESSAGE_POSITIONS, &message, error) || !take_positions(remote, &message, error)) {
            return false;
        }
    }
    struct tcgrr_planned_position *planned = g_queue_pop_head(&remote->waiting);
    remote->last = *planned;
    remote->last_begin = tcgrr_position_plan_begin(&remote->plan, remote->used);
    remote->looking = false;
    remote->used++;
    g_free(planned);
    *position = remote->last.position;
    return ask_more(remote, error);
}

/* ---- executions ---- */

static bool stretch(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_stretch *found,
                    GError **error)
{
    struct remote_side *remote = (struct remote_side *)side;
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_part part = {from, to};
    struct tcgrr_message message;

    tcgrr_put_part(payload, &part);
    return tcgrr_peer_send(remote->peer, TCGRR_MESSAGE_STRETCH_ASK, payload, error) &&
           await(remote, TCGRR_MESSAGE_STRETCH, &message, error) &&
           tcgrr_take_stretch(&message, &part, &remote->received, found, error);
}

/* The search result that came with the last position, if that answers the request. */
static bool seen(const struct remote_side *remote, uint64_t pc, const struct tcgrr_part *part, tcgrr_icount *icount,
                 bool *found)
{
    const struct tcgrr_planned_position *last = &remote->last;
    bool watched = remote->used > 0 && remote->plan.watches && remote->plan.watch == pc;

    if (!watched || part->from < remote->last_begin || part->to > last->position.icount ||
        (last->found && last->first < part->from)) {
        return false;
    }
    *found = last->found && last->first < part->to;
    *icount = last->first;
    return true;
}

static bool find(struct tcgrr_run_source *side, uint64_t pc, tcgrr_icount from, tcgrr_icount to, tcgrr_icount *icount,
                 bool *found, GError **error)
{
    struct remote_side *remote = (struct remote_side *)side;
    struct tcgrr_part part = {from, to};
    struct tcgrr_message message;

    remote->looking = true;
    remote->looked_for = pc;
    if (seen(remote, pc, &part, icount, found)) {
        return true;
    }
    g_autoptr(GByteArray) payload = g_byte_array_new();
    tcgrr_put_find(payload, pc, &part);
    return tcgrr_peer_send(remote->peer, TCGRR_MESSAGE_FIND_ASK, payload, error) &&
           await(remote, TCGRR_MESSAGE_FOUND, &message, error) &&
           tcgrr_take_found(&message, &part, found, icount, error);
}

static void free_remote(struct tcgrr_run_source *side)
{
    struct remote_side *remote = (struct remote_side *)side;
    tcgrr_received_blocks_clear(&remote->received);
    g_queue_clear_full(&remote->waiting, g_free);
    g_array_unref(remote->positions.list);
    g_free(remote);
}

static const struct tcgrr_run_source_ops remote_ops = {
    .advance = advance, .stretch = stretch, .find = find, .free = free_remote};

struct tcgrr_run_source *tcgrr_run_source_remote(struct tcgrr_peer *peer)
{
    struct remote_side *remote = g_new0(struct remote_side, 1);
    remote->base.ops = &remote_ops;
    remote->peer = peer;
    tcgrr_received_blocks_init(&remote->received);
    g_queue_init(&remote->waiting);
    remote->positions.list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_planned_position));
    return &remote->base;
}

bool tcgrr_remote_conclude(struct tcgrr_run_source *side, const struct tcgrr_comparison *comparison,
                           struct tcgrr_received_blocks *received, struct tcgrr_comparison *result, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_sent_blocks sent;

    tcgrr_sent_blocks_init(&sent);
    tcgrr_put_result(payload, comparison, &sent);
    tcgrr_sent_blocks_clear(&sent);
    const struct tcgrr_message message = {TCGRR_MESSAGE_RESULT, payload->data, payload->len};
    return tcgrr_peer_send(((struct remote_side *)side)->peer, TCGRR_MESSAGE_RESULT, payload, error) &&
           tcgrr_take_result(&message, received, result, error);
}

/* ---- the log that drives our own side ---- */

/* Our QEMU waits for the other side's log. */
static bool follow(struct tcgrr_run_source_log *base, tcgrr_icount icount, tcgrr_icount to, bool over, GError **error)
{
    struct remote_log *log = (struct remote_log *)base;
    return listen_to(log->remote, error) && tcgrr_feed_give(log->feed, NULL, 0, error);
}

static void wait_for_log(struct tcgrr_run_source_log *base)
{
    g_usleep(LOG_US);
}

void tcgrr_run_source_remote_feed(struct tcgrr_run_source *side, struct tcgrr_feed *feed)
{
    struct remote_side *remote = (struct remote_side *)side;

    remote->log = (struct remote_log){
        .base = {.step = follow, .wait = wait_for_log, .known = UINT64_MAX, .end = UINT64_MAX},
        .remote = remote,
        .feed = feed,
    };
}

struct tcgrr_run_source_log *tcgrr_run_source_remote_log(struct tcgrr_run_source *side)
{
    return &((struct remote_side *)side)->log.base;
}

bool tcgrr_run_source_remote_translated(const struct tcgrr_run_source *side)
{
    return ((const struct remote_side *)side)->log.translated;
}

const tcgrr_icount *tcgrr_run_source_remote_asked_after(const struct tcgrr_run_source *side)
{
    return &((const struct remote_side *)side)->log.asked_after;
}

/* ---- our own side beside it ---- */

struct watchful_side {
    struct tcgrr_run_source base; /* must be first */
    struct tcgrr_run_source *local;
    struct remote_side *remote;
};

/* Waits for the local guest, an ear on the peer. */
static bool wait_for(struct watchful_side *watchful, tcgrr_icount to, GError **error)
{
    const struct tcgrr_run_source_ops *ops = watchful->local->ops;

    for (bool there = !ops->approach; !there;) {
        if (!ops->approach(watchful->local, to, WATCHFUL_MS, &there, error) ||
            (!there && !listen_to(watchful->remote, error))) {
            return false;
        }
    }
    return true;
}

static bool watchful_advance(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                             struct tcgrr_run_source_position *position, GError **error)
{
    struct watchful_side *watchful = (struct watchful_side *)side;

    if (!wait_for(watchful, to, error) || !watchful->local->ops->advance(watchful->local, from, to, position, error)) {
        return false;
    }
    tcgrr_peer_report_progress(watchful->remote->peer, position->icount);
    return true;
}

static bool watchful_stretch(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                             struct tcgrr_stretch *found, GError **error)
{
    struct watchful_side *watchful = (struct watchful_side *)side;
    return wait_for(watchful, to, error) && watchful->local->ops->stretch(watchful->local, from, to, found, error);
}

static bool watchful_find(struct tcgrr_run_source *side, uint64_t pc, tcgrr_icount from, tcgrr_icount to,
                          tcgrr_icount *icount, bool *found, GError **error)
{
    struct tcgrr_run_source *local = ((struct watchful_side *)side)->local;
    return local->ops->find(local, pc, from, to, icount, found, error);
}

static void free_watchful(struct tcgrr_run_source *side)
{
    g_free(side);
}

static const struct tcgrr_run_source_ops watchful_ops = {
    .advance = watchful_advance, .stretch = watchful_stretch, .find = watchful_find, .free = free_watchful};

struct tcgrr_run_source *tcgrr_run_source_watchful(struct tcgrr_run_source *local, struct tcgrr_run_source *remote)
{
    struct watchful_side *watchful = g_new0(struct watchful_side, 1);
    watchful->base.ops = &watchful_ops;
    watchful->local = local;
    watchful->remote = (struct remote_side *)remote;
    return &watchful->base;
}
