/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/gdb_machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/qemu/gdb_packet.h"
#include "replay/keyframes_visit.h"
#include "store/error.h"
#include "tests/check.h"
#include "tests/unix_server.h"

#define NO_BREAK UINT64_MAX

static struct gdb_machine *current;

struct tcgrr_player {
    struct unix_server server;
    GThread *thread;
    GMutex lock; /* of what follows */
    guint at;
    tcgrr_icount stop;
    GHashTable *points;
};

/* ---- the run ---- */

void gdb_machine_begin(struct gdb_machine *machine)
{
    *machine = (struct gdb_machine){
        .places = g_array_new(FALSE, TRUE, sizeof(struct machine_place)),
        .heard = g_ptr_array_new_with_free_func(g_free),
    };
    current = machine;
}

void gdb_machine_end(struct gdb_machine *machine)
{
    g_array_unref(machine->places);
    g_ptr_array_unref(machine->heard);
    current = NULL;
}

void gdb_machine_fill(struct gdb_machine *machine, guint count, guint loop)
{
    for (guint i = 0; i < count; i++) {
        struct machine_place place = {.icount = i, .pc = 0x1000 + 4 * (i % loop)};
        g_array_append_val(machine->places, place);
    }
}

struct machine_place *gdb_machine_place(const struct gdb_machine *machine, guint index)
{
    assert_true(index < machine->places->len);
    return &g_array_index(machine->places, struct machine_place, index);
}

void gdb_machine_interrupt(struct gdb_machine *machine, guint index, uint64_t pc)
{
    struct machine_place *before = gdb_machine_place(machine, index);
    struct machine_place place = {.icount = before->icount, .pc = pc, .touches = before->touches};

    before->touches = 0;
    g_array_insert_val(machine->places, index + 1, place);
}

unsigned gdb_machine_heard(struct gdb_machine *machine, const char *packet)
{
    unsigned count = 0;

    g_mutex_lock(&machine->lock);
    for (guint i = 0; i < machine->heard->len; i++) {
        count += strcmp(g_ptr_array_index(machine->heard, i), packet) == 0;
    }
    g_mutex_unlock(&machine->lock);
    return count;
}

/* ---- the stub; with the player's lock ---- */

/* Of any length. */
static bool has_point(const struct tcgrr_player *player, const char *kinds, uint64_t address)
{
    GHashTableIter iter;
    gpointer point;
    g_autofree char *wanted = g_strdup_printf(",%" G_GINT64_MODIFIER "x,", address);

    g_hash_table_iter_init(&iter, player->points);
    while (g_hash_table_iter_next(&iter, &point, NULL)) {
        if (strchr(kinds, *(const char *)point) && g_str_has_prefix((const char *)point + 1, wanted)) {
            return true;
        }
    }
    return false;
}

/* Runs one instruction, or takes an interrupt. The address of a watchpoint that is hit; 0: none. */
static uint64_t step(struct tcgrr_player *player)
{
    const struct machine_place *place = gdb_machine_place(current, player->at);
    bool hit = place->touches && has_point(player, "234", place->touches);

    if (!(hit && current->before) && player->at + 1 < current->places->len) {
        player->at++;
    }
    return hit ? place->touches : 0;
}

static uint64_t run(struct tcgrr_player *player)
{
    uint64_t hit = 0;

    while (!hit && player->at + 1 < current->places->len) {
        const struct machine_place *place = gdb_machine_place(current, player->at);
        if (place->icount >= player->stop || has_point(player, "01", place->pc)) {
            break;
        }
        hit = step(player);
    }
    return hit;
}

/* NULL: it does not answer. Owned by the caller. */
static char *answer_run(struct tcgrr_player *player, bool one)
{
    uint64_t hit = one ? step(player) : run(player);
    bool over = player->at + 1 == current->places->len;

    if (hit) {
        return g_strdup_printf("T05thread:01;watch:%" G_GINT64_MODIFIER "x;", hit);
    }
    return over && current->endless ? NULL : g_strdup("T05thread:01;");
}

static char *answer(struct tcgrr_player *player, const char *packet)
{
    const struct machine_place *place = gdb_machine_place(current, player->at);

    if (current->refuses && g_str_has_prefix(packet, current->refuses)) {
        return g_strdup("E22");
    }
    switch (*packet) {
    case 'c':
    case 's':
        return answer_run(player, *packet == 's');
    case 'g':
        return g_strdup_printf("%016" G_GINT64_MODIFIER "x", place->pc);
    case 'Z':
        g_hash_table_add(player->points, g_strdup(packet + 1));
        return g_strdup("OK");
    case 'z':
        g_hash_table_remove(player->points, packet + 1);
        return g_strdup("OK");
    case '?':
        g_hash_table_remove_all(player->points);
        return g_strdup("T05thread:01;");
    case 'M':
        return g_strdup("OK");
    default:
        return g_strdup(g_str_has_prefix(packet, "qSupported") ? "PacketSize=1000" : "");
    }
}

/* False: the connection is over. */
static bool hear(struct tcgrr_player *player, int fd, const char *packet)
{
    g_autoptr(GString) reply = g_string_new(NULL);

    g_mutex_lock(&current->lock);
    g_ptr_array_add(current->heard, g_strdup(packet));
    g_mutex_unlock(&current->lock);
    g_mutex_lock(&player->lock);
    g_autofree char *payload = *packet == '\3' ? g_strdup("T02thread:01;") : answer(player, packet);
    bool over = player->at + 1 == current->places->len && strchr("cs", *packet);
    g_mutex_unlock(&player->lock);
    if ((over && current->dies) || (current->breaks_off && g_str_has_prefix(packet, current->breaks_off))) {
        return false;
    }
    if (payload) {
        tcgrr_gdb_packet_append(reply, payload);
    }
    return send(fd, reply->str, reply->len, MSG_NOSIGNAL) == (ssize_t)reply->len;
}

static void serve(struct tcgrr_player *player, int fd)
{
    g_autoptr(GString) input = g_string_new(NULL);
    g_autoptr(GString) frame = g_string_new(NULL);
    g_autoptr(GString) packet = g_string_new(NULL);
    char bytes[4096];
    bool found;

    for (;;) {
        while (tcgrr_gdb_packet_take(input, frame, &found, NULL) && found) {
            g_string_assign(packet, frame->str);
            if ((frame->str[0] == '$' && !tcgrr_gdb_packet_expand(frame, packet, NULL)) ||
                !hear(player, fd, packet->str)) {
                return;
            }
        }
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n <= 0) {
            return;
        }
        g_string_append_len(input, bytes, n);
    }
}

static gpointer run_stub(gpointer data)
{
    struct tcgrr_player *player = data;
    int fd = accept(player->server.listener, NULL, NULL);

    if (fd >= 0) {
        if (!current->deaf) {
            serve(player, fd);
        }
        close(fd);
    }
    return NULL;
}

/* ---- instead of the player's and the keyframes' functions ---- */

struct tcgrr_player *__wrap_tcgrr_player_start(const struct tcgrr_player_options *options, GError **error);
void __wrap_tcgrr_player_free(struct tcgrr_player *player);
const char *__wrap_tcgrr_player_gdb(const struct tcgrr_player *player);
bool __wrap_tcgrr_player_at_end(struct tcgrr_player *player, bool *at_end, GError **error);
bool __wrap_tcgrr_player_icount(struct tcgrr_player *player, tcgrr_icount *icount, GError **error);
bool __wrap_tcgrr_player_go(struct tcgrr_player *player, tcgrr_icount icount, GError **error);
bool __wrap_tcgrr_player_break(struct tcgrr_player *player, tcgrr_icount icount, GError **error);
bool __wrap_tcgrr_keyframes_approach(struct tcgrr_keyframes *keyframes, struct tcgrr_player *player,
                                     const struct tcgrr_rrlog *log, tcgrr_icount icount, GError **error);
struct tcgrr_keyframe __wrap_tcgrr_keyframes_before(struct tcgrr_keyframes *keyframes, tcgrr_icount icount);
void __wrap_tcgrr_keyframes_reject(struct tcgrr_keyframes *keyframes, tcgrr_icount icount);

struct tcgrr_player *__wrap_tcgrr_player_start(const struct tcgrr_player_options *options, GError **error)
{
    current->started++;
    if (options->from.folder && current->keyframe_fails) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "the keyframe leads nowhere");
        return NULL;
    }
    if (current->interrupts) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
        return NULL;
    }
    struct tcgrr_player *player = g_new0(struct tcgrr_player, 1);
    player->stop = NO_BREAK;
    player->points = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    unix_server_start(&player->server);
    player->thread = g_thread_new("stub", run_stub, player);
    return player;
}

void __wrap_tcgrr_player_free(struct tcgrr_player *player)
{
    if (!player) {
        return;
    }
    shutdown(player->server.listener, SHUT_RDWR);
    g_thread_join(player->thread);
    unix_server_stop(&player->server);
    g_hash_table_unref(player->points);
    g_free(player);
}

const char *__wrap_tcgrr_player_gdb(const struct tcgrr_player *player)
{
    return player->server.path;
}

bool __wrap_tcgrr_player_at_end(struct tcgrr_player *player, bool *at_end, GError **error)
{
    g_mutex_lock(&player->lock);
    *at_end = player->at + 1 == current->places->len;
    g_mutex_unlock(&player->lock);
    return true;
}

bool __wrap_tcgrr_player_icount(struct tcgrr_player *player, tcgrr_icount *icount, GError **error)
{
    g_mutex_lock(&player->lock);
    *icount = gdb_machine_place(current, player->at)->icount;
    g_mutex_unlock(&player->lock);
    return true;
}

bool __wrap_tcgrr_player_go(struct tcgrr_player *player, tcgrr_icount icount, GError **error)
{
    g_mutex_lock(&player->lock);
    while (player->at + 1 < current->places->len && gdb_machine_place(current, player->at)->icount < icount) {
        player->at++;
    }
    bool good = gdb_machine_place(current, player->at)->icount == icount;
    g_mutex_unlock(&player->lock);
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the run ends before");
    }
    return good;
}

bool __wrap_tcgrr_player_break(struct tcgrr_player *player, tcgrr_icount icount, GError **error)
{
    g_mutex_lock(&player->lock);
    player->stop = icount;
    g_mutex_unlock(&player->lock);
    return true;
}

bool __wrap_tcgrr_keyframes_approach(struct tcgrr_keyframes *keyframes, struct tcgrr_player *player,
                                     const struct tcgrr_rrlog *log, tcgrr_icount icount, GError **error)
{
    return true;
}

struct tcgrr_keyframe __wrap_tcgrr_keyframes_before(struct tcgrr_keyframes *keyframes, tcgrr_icount icount)
{
    bool there = current->keyframe.folder && current->keyframe.icount <= icount && !current->keyframe_rejected;
    return there ? current->keyframe : (struct tcgrr_keyframe){0};
}

void __wrap_tcgrr_keyframes_reject(struct tcgrr_keyframes *keyframes, tcgrr_icount icount)
{
    assert_true(icount == current->keyframe.icount);
    current->keyframe_rejected = true;
}

/* ---- a server of it ---- */

static struct tcgrr_rrlog *make_log(const struct gdb_machine *machine)
{
    struct tcgrr_rrlog *log = tcgrr_rrlog_new();

    for (guint i = 1; i < machine->places->len; i++) {
        struct tcgrr_rrlog_event event = {.icount = gdb_machine_place(machine, i)->icount,
                                          .kind = TCGRR_RRLOG_INTERRUPT};
        if (event.icount == gdb_machine_place(machine, i - 1)->icount) {
            g_array_append_val(log->events, event);
        }
    }
    log->run_end = gdb_machine_place(machine, machine->places->len - 1)->icount;
    log->total = log->run_end;
    log->complete = true;
    return log;
}

void gdb_machine_serve(struct gdb_machine *machine, tcgrr_icount icount, struct tcgrr_gdb_server *server)
{
    GError *error = NULL;

    *server = (struct tcgrr_gdb_server){
        .log = make_log(machine),
        .requests.settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
        .requests.points = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .asked = g_string_new(NULL),
    };
    check(tcgrr_stub_start(server, icount, &server->stub, &error), error);
}

void gdb_machine_close(struct tcgrr_gdb_server *server)
{
    tcgrr_stub_clear(&server->stub);
    tcgrr_rrlog_free(server->log);
    g_hash_table_unref(server->requests.settings);
    g_hash_table_unref(server->requests.points);
    g_free(server->requests.supported);
    g_free(server->requests.thread);
    g_free(server->requests.features);
    g_string_free(server->asked, TRUE);
    g_free(server->stands);
}

guint gdb_machine_stands(const struct tcgrr_stub *stub)
{
    g_mutex_lock(&stub->player->lock);
    guint at = stub->player->at;
    g_mutex_unlock(&stub->player->lock);
    return at;
}

void gdb_machine_put(struct tcgrr_stub *stub, guint index)
{
    g_mutex_lock(&stub->player->lock);
    stub->player->at = index;
    g_mutex_unlock(&stub->player->lock);
}
