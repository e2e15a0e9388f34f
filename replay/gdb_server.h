/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recorded run as gdb's remote protocol has it, forwards and backwards. What gdb asks is passed on to the gdb stub of
 * a QEMU that replays; steps back and running backwards are answered here: by another QEMU, started from the nearest
 * keyframe, that goes to the place. QEMU's own way back, within one process, hangs on some machines.
 */
#ifndef TCGRR_REPLAY_GDB_SERVER_H
#define TCGRR_REPLAY_GDB_SERVER_H

#include "lockstep/peer/address.h"
#include "replay/keyframes.h"

struct tcgrr_gdb_server;

/* The last place in a run from which there is something left to run. */
#define TCGRR_GDB_LAST UINT64_MAX

/* All of it must outlive the server. */
struct tcgrr_gdb_options {
    struct tcgrr_keyframes_options of; /* QEMU, log and command */
    tcgrr_icount at;                   /* where it stands at first, before the run's end, or TCGRR_GDB_LAST */
    int hang_ms;                       /* a replay that makes no progress for so long has hung */
    const volatile int *stop;          /* not 0: end */
};

/* Goes there. Errors are those of tcgrr_player_go(); TCGRR_ERROR_FAILED if the run ends before, TCGRR_ERROR_USAGE if it
 * was recorded without rr. One thread. */
struct tcgrr_gdb_server *tcgrr_gdb_server_new(const struct tcgrr_gdb_options *options, GError **error);
/* Ends QEMU. NULL is allowed. */
void tcgrr_gdb_server_free(struct tcgrr_gdb_server *server);

/*
 * Moves to the first place from the run's beginning on where the instruction at `pc` is about to run. *found: there is
 * one.
 */
bool tcgrr_gdb_server_find(struct tcgrr_gdb_server *server, uint64_t pc, bool *found, GError **error);
/* From now on it ends when `*stop` is not 0. */
void tcgrr_gdb_server_stop_at(struct tcgrr_gdb_server *server, const volatile int *stop);
/*
 * Serves one gdb after another: each may leave and come back. True once one wants the run to end (its command kill);
 * TCGRR_ERROR_STOPPED after `*stop`.
 */
bool tcgrr_gdb_server_run(struct tcgrr_gdb_server *server, struct tcgrr_listener *listener, GError **error);

#endif
