/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/peer/serve.h"

#include "store/error.h"

#define APPROACH_MS 5    /* for so long the guest is waited for before the peer is listened to again */
#define IDLE_MS     100  /* and when it has to be waited for first */
#define BATCH       32   /* positions in a message while the guest runs at full speed, */
#define BATCH_US    2000 /* and for how long the first of them may wait for the others */
#define LEAD_US     200  /* interval of reading a guest that runs ahead of the requests */

struct server {
    struct tcgrr_peer *peer;
    struct tcgrr_run_source *side;
    bool leads;
    struct tcgrr_sent_blocks sent;
    struct tcgrr_received_blocks *received;
    struct tcgrr_comparison *comparison;
    struct tcgrr_position_plan plan; /* count 0: none */
    uint32_t next;                   /* index of its position to be sent next */
    bool ended;                      /* the run ended at the one before */
    gint64 first_made;               /* time of the first unsent position */
    struct tcgrr_positions positions;
    bool done;
};

/* ---- positions ---- */

static bool has_work(const struct server *server)
{
    return server->next < server->plan.count && !server->ended;
}

static bool send_positions(struct server *server, GError **error)
{
    GArray *list = server->positions.list;

    if (list->len == 0) {
        return true;
    }
    g_autoptr(GByteArray) payload = g_byte_array_new();
    tcgrr_put_positions(payload, &server->plan, &server->positions);
    g_array_set_size(list, 0);
    return tcgrr_peer_send(server->peer, TCGRR_MESSAGE_POSITIONS, payload, error);
}

static bool make_position(struct server *server, GError **error)
{
    struct tcgrr_position_plan *plan = &server->plan;
    const struct tcgrr_run_source_ops *ops = server->side->ops;
    tcgrr_icount to = tcgrr_position_plan_to(plan, server->next);
    tcgrr_icount begin = tcgrr_position_plan_begin(plan, server->next);
    struct tcgrr_planned_position planned = {0};

    if (!ops->advance(server->side, tcgrr_position_plan_from(plan, server->next), to, &planned.position, error)) {
        return false;
    }
    if (plan->watches && begin < planned.position.icount &&
        !ops->find(server->side, plan->watch, begin, planned.position.icount, &planned.first, &planned.found, error)) {
        return false;
    }
    if (server->positions.list->len == 0) {
        server->first_made = g_get_monotonic_time();
        server->positions.first = server->next;
    }
    g_array_append_val(server->positions.list, planned);
    tcgrr_peer_report_progress(server->peer, planned.position.icount);
    server->next++;
    server->ended = planned.position.state != TCGRR_SOURCE_REACHED;
    return true;
}

/* Gets a step further with the plan. */
static bool work(struct server *server, GError **error)
{
    const struct tcgrr_run_source_ops *ops = server->side->ops;
    bool there = true;

    if (!has_work(server)) {
        return true;
    }
    tcgrr_icount to = tcgrr_position_plan_to(&server->plan, server->next);
    if (ops->approach && !ops->approach(server->side, to, APPROACH_MS, &there, error)) {
        return false;
    }
    if (there && !make_position(server, error)) {
        return false;
    }
    bool full = server->positions.list->len >= BATCH || !has_work(server) || !there ||
                g_get_monotonic_time() - server->first_made > BATCH_US;
    return !full || send_positions(server, error);
}

/* ---- answers ---- */

static bool take_ask(struct server *server, const struct tcgrr_message *message, GError **error)
{
    if (!tcgrr_take_ask(message, &server->plan, error)) {
        return false;
    }
    g_array_set_size(server->positions.list, 0);
    server->positions.serial = server->plan.serial;
    server->next = 0;
    server->ended = false;
    return true;
}

static bool take_more(struct server *server, const struct tcgrr_message *message, GError **error)
{
    uint32_t serial;
    uint32_t count;

    if (!tcgrr_take_more(message, &serial, &count, error)) {
        return false;
    }
    if (serial == server->plan.serial) {
        server->plan.count = MAX(server->plan.count, count);
    }
    return true;
}

static bool out_of_turn(const struct tcgrr_message *message, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent a message out of turn (%s)",
                tcgrr_message_name(message->type));
    return false;
}

/* Waits for the guest, an ear on the peer, which has nothing to say until it has its answer. */
static bool reach(struct server *server, tcgrr_icount to, GError **error)
{
    const struct tcgrr_run_source_ops *ops = server->side->ops;
    struct tcgrr_message message;
    bool got = false;

    for (bool there = !ops->approach; !there && !got;) {
        if (!ops->approach(server->side, to, IDLE_MS, &there, error) ||
            (!there && !tcgrr_peer_poll(server->peer, 0, &message, &got, error))) {
            return false;
        }
    }
    return !got || out_of_turn(&message, error);
}

static bool answer_stretch(struct server *server, const struct tcgrr_message *message, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_stretch stretch;
    struct tcgrr_part part;

    if (!tcgrr_take_part(message, &part, error) || !reach(server, part.to, error)) {
        return false;
    }
    tcgrr_stretch_init(&stretch);
    bool good = server->side->ops->stretch(server->side, part.from, part.to, &stretch, error);
    if (good && !tcgrr_stretch_fits(&stretch, &part)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "there is more between icount %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT
                    " than fits in a message",
                    part.from, part.to);
        good = false;
    }
    if (good) {
        tcgrr_put_stretch(payload, &stretch, &server->sent);
        good = tcgrr_peer_send(server->peer, TCGRR_MESSAGE_STRETCH, payload, error);
    }
    tcgrr_stretch_clear(&stretch);
    return good;
}

static bool answer_find(struct server *server, const struct tcgrr_message *message, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_part part;
    uint64_t pc;
    tcgrr_icount icount = 0;
    bool found;

    if (!tcgrr_take_find(message, &pc, &part, error) ||
        !server->side->ops->find(server->side, pc, part.from, part.to, &icount, &found, error)) {
        return false;
    }
    tcgrr_put_found(payload, found, icount);
    return tcgrr_peer_send(server->peer, TCGRR_MESSAGE_FOUND, payload, error);
}

static bool take(struct server *server, const struct tcgrr_message *message, GError **error)
{
    switch (message->type) {
    case TCGRR_MESSAGE_ASK:
        return take_ask(server, message, error);
    case TCGRR_MESSAGE_MORE:
        return take_more(server, message, error);
    case TCGRR_MESSAGE_STRETCH_ASK:
        return answer_stretch(server, message, error);
    case TCGRR_MESSAGE_FIND_ASK:
        return answer_find(server, message, error);
    case TCGRR_MESSAGE_RESULT:
        server->done = true;
        return tcgrr_take_result(message, server->received, server->comparison, error);
    default:
        return out_of_turn(message, error);
    }
}

/* ---- the rr log ---- */

bool tcgrr_serve_log(const struct tcgrr_log_news *news, void *peer, GError **error)
{
    struct tcgrr_log_news piece = *news;

    for (size_t done = 0; done < news->size || (news->over && !piece.over); done += piece.size) {
        g_autoptr(GByteArray) payload = g_byte_array_new();
        piece.bytes = news->bytes + done;
        piece.size = MIN(news->size - done, TCGRR_MAX_LOG_PIECE);
        piece.over = news->over && done + piece.size == news->size;
        tcgrr_put_log(payload, &piece);
        if (!tcgrr_peer_send(peer, TCGRR_MESSAGE_LOG, payload, error)) {
            return false;
        }
    }
    return true;
}

/* The other side's QEMU needs our log: sends it beyond the requested place. *idle: there is nothing to do for that. */
static bool send_log_ahead(struct server *server, bool *idle, GError **error)
{
    const struct tcgrr_position_plan *plan = &server->plan;
    bool there = true;

    if (server->leads && plan->count > 0) {
        tcgrr_icount to = tcgrr_position_plan_to(plan, plan->count - 1) + TCGRR_PROTOCOL_LOG_AHEAD;
        if (!tcgrr_run_source_live_read_ahead(server->side, to, &there, error)) {
            return false;
        }
        if (!there) {
            g_usleep(LEAD_US);
        }
    }
    *idle = there;
    return true;
}

/* ---- all of it ---- */

/* While there is work, only polls the peer; otherwise waits for it. */
static bool serve(struct server *server, GError **error)
{
    while (!server->done) {
        struct tcgrr_message message;
        bool busy = has_work(server);
        bool got = true;
        bool idle = true;
        if (!busy && !send_log_ahead(server, &idle, error)) {
            return false;
        }
        if (busy || !idle ? !tcgrr_peer_poll(server->peer, 0, &message, &got, error)
                          : !tcgrr_peer_receive(server->peer, &message, error)) {
            return false;
        }
        if (got ? !take(server, &message, error) : !work(server, error)) {
            return false;
        }
    }
    return true;
}

bool tcgrr_serve(struct tcgrr_peer *peer, struct tcgrr_run_source *side, bool leads,
                 struct tcgrr_received_blocks *received, struct tcgrr_comparison *comparison, GError **error)
{
    struct server server = {
        .peer = peer,
        .side = side,
        .leads = leads,
        .received = received,
        .comparison = comparison,
        .positions.list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_planned_position)),
    };

    tcgrr_sent_blocks_init(&server.sent);
    bool good = serve(&server, error);
    tcgrr_sent_blocks_clear(&server.sent);
    g_array_unref(server.positions.list);
    return good;
}
