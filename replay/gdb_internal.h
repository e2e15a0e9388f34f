/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_GDB_INTERNAL_H
#define TCGRR_REPLAY_GDB_INTERNAL_H

#include "emu/qemu/gdb_wire.h"
#include "emu/rrlog/rrlog.h"
#include "replay/gdb_server.h"
#include "replay/player.h"

/* A QEMU that is stopped somewhere in the run, and the connection to its gdb stub. */
struct tcgrr_stub {
    struct tcgrr_player *player;
    struct tcgrr_gdb_wire *wire;
};

/* Packets that gdb sent to a stub and that a new stub has to be sent, too. */
struct tcgrr_gdb_requests {
    char *supported;      /* its packet qSupported; NULL: none yet */
    char *features;       /* its first packet qXfer:features:read; NULL: none yet */
    char *thread;         /* its packet Hg; NULL: none yet */
    GHashTable *settings; /* its packets Qqemu.NAME=VALUE, by the text before "=" */
    GHashTable *points;   /* its packets Z without the letter: breakpoints and watchpoints */
};

struct tcgrr_gdb_server {
    struct tcgrr_gdb_options options;
    struct tcgrr_rrlog *log;
    bool ends_early; /* QEMU would go on after the run's end, log->run_end */
    struct tcgrr_keyframes *keyframes;
    struct tcgrr_gdb_requests requests;
    struct tcgrr_stub stub; /* the stub that gdb sees */
    struct tcgrr_gdb_wire *client;
    GString *asked;   /* gdb's packet that the stub has not answered yet */
    char *stands;     /* the stub's answer to "?", without the reason of the stop */
    bool running;     /* gdb let QEMU run */
    bool interrupted; /* gdb wants to interrupt the current operation */
};

void tcgrr_stub_clear(struct tcgrr_stub *stub);

/* Sends a request to a stub; the answer is in stub->wire->payload. */
bool tcgrr_stub_ask(struct tcgrr_stub *stub, const char *payload, GError **error);
/* Lets a stub run ("c") or step ("s") and waits until it stops; its reply is in stub->wire->payload. */
bool tcgrr_stub_run(struct tcgrr_gdb_server *server, struct tcgrr_stub *stub, const char *how, GError **error);

/*
 * Starts another QEMU and goes to exactly `icount`, from the nearest keyframe. It is sent gdb's packets for the
 * previous one, except breakpoints and watchpoints.
 */
bool tcgrr_stub_start(struct tcgrr_gdb_server *server, tcgrr_icount icount, struct tcgrr_stub *stub, GError **error);
/* Inserts or removes the points whose kind, the digit after the packet's "Z", is in `kinds`. */
#define TCGRR_GDB_POINTS  "01234"
#define TCGRR_GDB_WATCHES "234"
bool tcgrr_stub_points(struct tcgrr_gdb_server *server, struct tcgrr_stub *stub, const char *kinds, bool insert,
                       GError **error);

/* Whether an interrupt or exception happens at `icount`, so that several places have this icount. */
bool tcgrr_gdb_is_eventful(const struct tcgrr_gdb_server *server, tcgrr_icount icount);
/* The core registers, as text; owned by the caller. */
char *tcgrr_stub_registers(struct tcgrr_stub *stub, GError **error);

/* Where a reverse step or reverse continue ends. */
struct tcgrr_gdb_found {
    struct tcgrr_stub stub; /* a stub at that place */
    GString *why;           /* text to add to the stop reply: "watch:1234;", "replaylog:begin;" or "" */
};

/* False with TCGRR_ERROR_STOPPED if gdb interrupts. */
bool tcgrr_gdb_step_back(struct tcgrr_gdb_server *server, struct tcgrr_gdb_found *found, GError **error);
bool tcgrr_gdb_run_back(struct tcgrr_gdb_server *server, struct tcgrr_gdb_found *found, GError **error);

/* Whether gdb, or the user of tcgrr, wants to interrupt the current operation. Reads what gdb has sent. */
bool tcgrr_gdb_is_interrupted(void *server);

#endif
