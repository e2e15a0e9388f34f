/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/gdb_internal.h"

#include "emu/qemu/connect.h"
#include "replay/keyframes_visit.h"
#include "store/error.h"

#include <string.h>

#define CONNECT_MS 20000
#define SLICE_MS   100

void tcgrr_stub_clear(struct tcgrr_stub *stub)
{
    tcgrr_gdb_wire_free(stub->wire);
    tcgrr_player_free(stub->player);
    *stub = (struct tcgrr_stub){0};
}

bool tcgrr_stub_ask(struct tcgrr_stub *stub, const char *payload, GError **error)
{
    tcgrr_gdb_wire_put(stub->wire, payload);
    return tcgrr_gdb_wire_answer(stub->wire, error);
}

bool tcgrr_stub_run(struct tcgrr_gdb_server *server, struct tcgrr_stub *stub, const char *how, GError **error)
{
    bool found = false;

    tcgrr_gdb_wire_put(stub->wire, how);
    if (!tcgrr_gdb_wire_flush(stub->wire, error)) {
        return false;
    }
    while (!found) {
        if (tcgrr_gdb_is_interrupted(server)) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            return false;
        }
        if (!tcgrr_gdb_wire_receive(stub->wire, tcgrr_deadline_after(SLICE_MS), &found, error) ||
            (found && !tcgrr_gdb_wire_expand(stub->wire, error))) {
            return false;
        }
        found = found && (stub->wire->payload->str[0] == 'T' || stub->wire->payload->str[0] == 'S');
    }
    return true;
}

char *tcgrr_stub_registers(struct tcgrr_stub *stub, GError **error)
{
    return tcgrr_stub_ask(stub, "g", error) ? g_strdup(stub->wire->payload->str) : NULL;
}

bool tcgrr_gdb_is_eventful(const struct tcgrr_gdb_server *server, tcgrr_icount icount)
{
    guint next = tcgrr_rrlog_find(server->log, icount);
    return next < server->log->events->len &&
           g_array_index(server->log->events, struct tcgrr_rrlog_event, next).icount == icount;
}

/* ---- another one ---- */

/* "?" is for a gdb that has just connected: it takes all breakpoints away, so it comes before them. */
static bool tell(struct tcgrr_gdb_server *server, struct tcgrr_stub *stub, GError **error)
{
    const struct tcgrr_gdb_requests *requests = &server->requests;
    GHashTableIter iter;
    gpointer value;

    /* A stub may send other registers to a gdb that has read their description; without it 7.2's for ppc64 aborts. */
    if (!tcgrr_stub_ask(stub, requests->supported ? requests->supported : "qSupported", error) ||
        (requests->features && !tcgrr_stub_ask(stub, requests->features, error)) || !tcgrr_stub_ask(stub, "?", error)) {
        return false;
    }
    g_free(server->stands);
    server->stands = g_strdup(stub->wire->payload->str);
    g_hash_table_iter_init(&iter, requests->settings);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (!tcgrr_stub_ask(stub, value, error)) {
            return false;
        }
    }
    return !requests->thread || tcgrr_stub_ask(stub, requests->thread, error);
}

bool tcgrr_stub_points(struct tcgrr_gdb_server *server, struct tcgrr_stub *stub, const char *kinds, bool insert,
                       GError **error)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, server->requests.points);
    while (g_hash_table_iter_next(&iter, &value, NULL)) {
        const char *point = value;
        g_autofree char *packet = g_strconcat(insert ? "Z" : "z", point, NULL);
        if (strchr(kinds, point[0]) && !tcgrr_stub_ask(stub, packet, error)) {
            return false;
        }
    }
    return true;
}

static bool start_from(struct tcgrr_gdb_server *server, struct tcgrr_keyframe from, tcgrr_icount icount,
                       struct tcgrr_stub *stub, GError **error)
{
    const struct tcgrr_keyframes_options *of = &server->options.of;
    struct tcgrr_player_options options = {
        .reader = of->reader,
        .qemu = of->qemu,
        .rr_file = of->rr_file,
        .words = of->words,
        .own = of->extra,
        .start = of->start,
        .from = from,
        .gdb = true,
        .own_group = true,
        .hang_ms = server->options.hang_ms,
        .give_up = tcgrr_gdb_is_interrupted,
        .data = server,
    };

    stub->player = tcgrr_player_start(&options, error);
    if (!stub->player || !tcgrr_keyframes_approach(server->keyframes, stub->player, server->log, icount, error) ||
        !tcgrr_player_go(stub->player, icount, error) ||
        (server->ends_early && !tcgrr_player_break(stub->player, server->log->run_end, error))) {
        return false;
    }
    /* Connects only now: a stub with a client reports every stop on the way here. */
    int fd = tcgrr_connect(tcgrr_player_gdb(stub->player), tcgrr_deadline_after(CONNECT_MS), error);
    stub->wire = fd >= 0 ? tcgrr_gdb_wire_new(fd, "QEMU's gdb stub") : NULL;
    return fd >= 0;
}

bool tcgrr_stub_start(struct tcgrr_gdb_server *server, tcgrr_icount icount, struct tcgrr_stub *stub, GError **error)
{
    struct tcgrr_keyframe keyframe = tcgrr_keyframes_before(server->keyframes, icount);
    GError *problem = NULL;

    *stub = (struct tcgrr_stub){0};
    bool good = start_from(server, keyframe, icount, stub, &problem);
    if (!good && keyframe.folder && problem->code != TCGRR_ERROR_STOPPED) { /* it may be the keyframe's fault */
        g_clear_error(&problem);
        tcgrr_stub_clear(stub);
        good = start_from(server, (struct tcgrr_keyframe){0}, icount, stub, &problem);
        if (good) {
            tcgrr_keyframes_reject(server->keyframes, keyframe.icount);
        }
    }
    good = good && tell(server, stub, &problem);
    if (!good) {
        g_propagate_error(error, problem);
        tcgrr_stub_clear(stub);
    }
    return good;
}
