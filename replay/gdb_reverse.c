/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way back: the place is found by running forwards to it in another QEMU. */
#include "replay/gdb_internal.h"

#include <string.h>

#define WINDOW      4096 /* number of instructions in the first window that is searched for a hit */
#define WINDOW_MORE 16   /* how many times longer the next such stretch is */
#define PLACES      16   /* that one icount can have: interrupts and exceptions without an instruction between them */

/* ---- one place ---- */

/*
 * Goes to `icount` and `steps` on, which deliver interrupts or exceptions: to the place itself.
 */
static bool land(struct tcgrr_gdb_server *server, tcgrr_icount icount, unsigned steps, struct tcgrr_stub *stub,
                 GError **error)
{
    bool good = tcgrr_stub_start(server, icount, stub, error);

    for (; good && steps > 0; steps--) {
        good = tcgrr_stub_run(server, stub, "s", error);
    }
    if (!good || !tcgrr_stub_points(server, stub, TCGRR_GDB_POINTS, true, error)) {
        tcgrr_stub_clear(stub);
        return false;
    }
    return true;
}

/*
 * The number of steps from the place of `stub` to the place at `icount` with these registers; 0 if it does not pass
 * that.
 */
static bool count_steps(struct tcgrr_gdb_server *server, struct tcgrr_stub *stub, tcgrr_icount icount,
                        const char *registers, unsigned *steps, GError **error)
{
    tcgrr_icount stands = 0;

    *steps = 0;
    for (unsigned i = 1; i <= PLACES && stands <= icount; i++) {
        if (!tcgrr_stub_run(server, stub, "s", error) || !tcgrr_player_icount(stub->player, &stands, error)) {
            return false;
        }
        g_autofree char *now = stands == icount ? tcgrr_stub_registers(stub, error) : g_strdup("");
        if (!now) {
            return false;
        }
        if (stands == icount && strcmp(now, registers) == 0) {
            *steps = i;
            return true;
        }
    }
    return true;
}

/* The beginning, beyond which there is nothing. */
static bool land_at_start(struct tcgrr_gdb_server *server, struct tcgrr_gdb_found *found, GError **error)
{
    g_string_assign(found->why, "replaylog:begin;");
    return land(server, 0, 0, &found->stub, error);
}

bool tcgrr_gdb_step_back(struct tcgrr_gdb_server *server, struct tcgrr_gdb_found *found, GError **error)
{
    tcgrr_icount icount;
    unsigned steps = 1;

    if (!tcgrr_player_icount(server->stub.player, &icount, error)) {
        return false;
    }
    if (icount == 0) {
        return land_at_start(server, found, error);
    }
    if (tcgrr_gdb_is_eventful(server, icount) || tcgrr_gdb_is_eventful(server, icount - 1)) {
        struct tcgrr_stub way;
        g_autofree char *registers = tcgrr_stub_registers(&server->stub, error);
        if (!registers || !tcgrr_stub_start(server, icount - 1, &way, error)) {
            return false;
        }
        bool good = count_steps(server, &way, icount, registers, &steps, error);
        tcgrr_stub_clear(&way);
        if (!good) {
            return false;
        }
    }
    return land(server, icount - 1, MAX(steps, 1) - 1, &found->stub, error);
}

/* ---- the last hit before a place ---- */

struct hit {
    bool there;
    bool watch;
    bool before; /* the access of the watchpoint */
    tcgrr_icount icount;
    char *registers; /* where several places have this icount; else NULL */
    char *why;       /* of a watchpoint, as the stub says it */
};

struct looking {
    struct tcgrr_gdb_server *server;
    struct tcgrr_stub stub;
    tcgrr_icount until; /* hits from here on do not count */
    tcgrr_icount stands;
    struct hit last;
};

static void clear_hit(struct hit *hit)
{
    g_free(hit->registers);
    g_free(hit->why);
    *hit = (struct hit){0};
}

/* "watch:ADDRESS;", "rwatch:…" or "awatch:…" out of what a stub says when it stops; NULL if it is not there. Owned by
 * the caller. */
static char *find_watch(const char *reply)
{
    const char *name = strstr(reply, "watch:");

    while (name && name > reply && g_ascii_isalpha(name[-1])) {
        name--;
    }
    return name ? g_strndup(name, strcspn(name, ";") + 1) : NULL;
}

/* `before`: a watchpoint's, which stopped before the access. */
static bool note_hit(struct looking *looking, bool before, GError **error)
{
    struct hit *last = &looking->last;

    clear_hit(last);
    *last = (struct hit){.there = true,
                         .before = before,
                         .icount = looking->stands,
                         .why = find_watch(looking->stub.wire->payload->str)};
    last->watch = last->why != NULL;
    if (tcgrr_gdb_is_eventful(looking->server, looking->stands)) {
        last->registers = tcgrr_stub_registers(&looking->stub, error);
        return last->registers != NULL;
    }
    return true;
}

static bool move(struct looking *looking, const char *how, bool *watch, GError **error)
{
    if (!tcgrr_stub_run(looking->server, &looking->stub, how, error) ||
        !tcgrr_player_icount(looking->stub.player, &looking->stands, error)) {
        return false;
    }
    g_autofree char *why = find_watch(looking->stub.wire->payload->str);
    *watch = why != NULL;
    return true;
}

/* Steps over an access before which a watchpoint stops at each try. */
static bool pass_access(struct looking *looking, GError **error)
{
    struct tcgrr_gdb_server *server = looking->server;
    bool watch;

    return tcgrr_stub_points(server, &looking->stub, TCGRR_GDB_WATCHES, false, error) &&
           move(looking, "s", &watch, error) &&
           tcgrr_stub_points(server, &looking->stub, TCGRR_GDB_WATCHES, true, error);
}

/*
 * Goes through the stretch up to looking->until; the last hit is in looking->last. A breakpoint has to be stepped off,
 * because it stops there again otherwise. A watchpoint must not be: the place after its access may have a breakpoint.
 * It stops at the same place again only on machines that stop before the access.
 */
static bool find_hits(struct looking *looking, GError **error)
{
    bool off = false; /* a breakpoint's place is left */

    while (looking->stands < looking->until) {
        tcgrr_icount stood = looking->stands;
        bool watch;
        if (!move(looking, off ? "s" : "c", &watch, error)) {
            return false;
        }
        if (looking->stands > looking->until || (looking->stands == looking->until && !watch)) {
            return true;
        }
        if (off && !watch) {
            off = false;
            continue;
        }
        bool before = watch && looking->stands == stood;
        if (!note_hit(looking, before, error) || (before && !pass_access(looking, error))) {
            return false;
        }
        off = !watch;
    }
    return true;
}

/* Starts at `from` and looks from there on. */
static bool look_through(struct looking *looking, tcgrr_icount from, GError **error)
{
    struct tcgrr_gdb_server *server = looking->server;

    looking->stands = from;
    return tcgrr_stub_start(server, from, &looking->stub, error) &&
           tcgrr_player_break(looking->stub.player, looking->until, error) &&
           tcgrr_stub_points(server, &looking->stub, TCGRR_GDB_POINTS, true, error) && find_hits(looking, error);
}

/*
 * The place to report for a watchpoint hit: before the access, so that gdb sees it undone. If the target's watchpoints
 * stop before the access, gdb first steps over it, which in reverse means backwards, so the place has to be after the
 * access.
 */
static tcgrr_icount place_of_watch(const struct hit *hit)
{
    return hit->before ? hit->icount + 1 : hit->icount - 1;
}

/* Goes to where the last hit was. */
static bool land_at_hit(struct tcgrr_gdb_server *server, const struct hit *hit, struct tcgrr_gdb_found *found,
                        GError **error)
{
    unsigned steps = 0;

    g_string_assign(found->why, hit->why ? hit->why : "");
    if (hit->watch) {
        return land(server, place_of_watch(hit), 0, &found->stub, error);
    }
    if (hit->registers) {
        struct tcgrr_stub way;
        if (!tcgrr_stub_start(server, hit->icount, &way, error)) {
            return false;
        }
        g_autofree char *at_once = tcgrr_stub_registers(&way, error);
        bool good = at_once && (strcmp(at_once, hit->registers) == 0 ||
                                count_steps(server, &way, hit->icount, hit->registers, &steps, error));
        tcgrr_stub_clear(&way);
        if (!good) {
            return false;
        }
    }
    return land(server, hit->icount, steps, &found->stub, error);
}

bool tcgrr_gdb_run_back(struct tcgrr_gdb_server *server, struct tcgrr_gdb_found *found, GError **error)
{
    tcgrr_icount until;
    tcgrr_icount width = WINDOW;

    if (!tcgrr_player_icount(server->stub.player, &until, error)) {
        return false;
    }
    while (until > 0 && g_hash_table_size(server->requests.points) > 0) {
        struct looking looking = {.server = server, .until = until};
        tcgrr_icount from = until > width ? until - width : 0;
        while (from > 0 && tcgrr_gdb_is_eventful(server, from)) {
            from--;
        }
        bool good = look_through(&looking, from, error);
        tcgrr_stub_clear(&looking.stub);
        good = good && (!looking.last.there || land_at_hit(server, &looking.last, found, error));
        bool there = looking.last.there;
        clear_hit(&looking.last);
        if (there || !good) {
            return good;
        }
        until = from;
        width *= WINDOW_MORE;
    }
    return land_at_start(server, found, error);
}
