/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves a recorded run over gdb's remote protocol, forwards and backwards. Requests are passed on to the gdb stub of a
 * replaying QEMU. Reverse steps and reverse continue are implemented here: another QEMU is started from the nearest
 * keyframe and goes to the place. QEMU's own reverse execution, within one process, hangs on some machines.
 */
#ifndef TCGRR_REPLAY_GDB_SERVER_H
#define TCGRR_REPLAY_GDB_SERVER_H

#include "lockstep/peer/address.h"
#include "replay/keyframes.h"

struct tcgrr_gdb_server;

/* The place before a run's last instruction. */
#define TCGRR_GDB_LAST UINT64_MAX

/* All of it must outlive the server. */
struct tcgrr_gdb_options {
    struct tcgrr_keyframes_options of; /* the QEMU, log and command */
    tcgrr_icount at;                   /* initial place, before the run's end, or TCGRR_GDB_LAST */
    int hang_ms;                       /* a replay without progress for this long has hung */
    const volatile int *stop;          /* not 0: end */
};

/* Goes to the initial place. Errors are those of tcgrr_player_go(); TCGRR_ERROR_FAILED if the run ends before,
 * TCGRR_ERROR_USAGE if it was recorded without rr. Not thread-safe. */
struct tcgrr_gdb_server *tcgrr_gdb_server_new(const struct tcgrr_gdb_options *options, GError **error);
/* Ends QEMU. NULL is allowed. */
void tcgrr_gdb_server_free(struct tcgrr_gdb_server *server);

/* Moves to the first place in the run at which the instruction at `pc` is about to run. *found: there is one. */
bool tcgrr_gdb_server_find(struct tcgrr_gdb_server *server, uint64_t pc, bool *found, GError **error);
/* Makes the server end when `*stop` becomes non-zero. */
void tcgrr_gdb_server_stop_at(struct tcgrr_gdb_server *server, const volatile int *stop);
/*
 * Serves one gdb after another: each may disconnect and reconnect. Returns true when one ends the run (its command
 * kill); TCGRR_ERROR_STOPPED after `*stop`.
 */
bool tcgrr_gdb_server_run(struct tcgrr_gdb_server *server, struct tcgrr_listener *listener, GError **error);

#endif
