/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lockstep of two machines: each tcgrr runs one side, the connecting one compares, both get the result. */
#ifndef TCGRR_LOCKSTEP_LOCKSTEP_REMOTE_H
#define TCGRR_LOCKSTEP_LOCKSTEP_REMOTE_H

#include "lockstep/lockstep_local.h"
#include "lockstep/peer/address.h"
#include "lockstep/peer/handshake.h"
#include "lockstep/peer/machine.h"

struct tcgrr_lockstep_remote_options {
    struct tcgrr_lockstep_member member; /* our side */
    const char *name;                    /* what the report calls it */
    const char *plugin;
    const char *icount; /* see struct tcgrr_command_options */
    bool own_inputs;    /* our QEMU has inputs of its own also where one rr log could drive both */
    int hang_ms;        /* a QEMU without progress for so long has hung */
    struct tcgrr_address address;
    bool listens;             /* there, and is side A; otherwise it connects, and is side B */
    struct tcgrr_token token; /* none: neither side has one */
    int timeout_ms;           /* how long the other side may be silent */
    int wait_ms;              /* how long it is waited for at first */
    const char *tool_version;
    const volatile int *stop;
    void (*waiting)(const char *address, void *data);  /* we listen there now; may be NULL */
    void (*refused)(const char *why, void *data);      /* somebody else came and was sent away; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* now and then; may be NULL */
    void *data;
};

struct tcgrr_lockstep_remote {
    struct tcgrr_comparison comparison; /* its lists point into `received` */
    struct tcgrr_description sides[2];  /* A is the listening one */
    struct tcgrr_epilogue epilogues[2];
    struct tcgrr_peer_traffic traffic;
    GError
        *unheard; /* why the other side has not said how it ended, and may not have the result; NULL: it has said so */
    int own;      /* which of them is ours */
    enum tcgrr_lockstep_inputs inputs;
    struct tcgrr_agreed_machine machine; /* where one log drives QEMUs of two builds */
    struct tcgrr_leader *leader;         /* our QEMU's log drives the other side's; else NULL */
    struct tcgrr_feed *feed;             /* the other way round */
    struct tcgrr_session *session;       /* NULL: a stored run */
    struct tcgrr_run_source *side;
    struct tcgrr_peer *peer;
    struct tcgrr_run_source *remote;       /* where we compare; otherwise NULL */
    struct tcgrr_run_source *beside;       /* likewise: our side as the comparator sees it */
    struct tcgrr_received_blocks received; /* the result's blocks, on both ends as the result told of them */
};

/* Prepares our QEMU, without starting it. Errors are those of tcgrr_session_new(). */
bool tcgrr_lockstep_remote_open(struct tcgrr_lockstep_remote *lockstep,
                                const struct tcgrr_lockstep_remote_options *options, GError **error);

/*
 * Meets the other side, runs ours and returns with the result, the same on both. `compare`: what is compared; of `from`
 * and `until` our own count. `text` says it in the user's words and has to be the same on both. `symbols`: of our side,
 * which name the report's places on both; they stay the caller's. Our QEMU has ended when it returns true.
 * TCGRR_ERROR_USAGE for an address that can be reached from outside without a token.
 */
bool tcgrr_lockstep_remote_run(struct tcgrr_lockstep_remote *lockstep,
                               const struct tcgrr_lockstep_remote_options *options,
                               const struct tcgrr_compare_options *compare, const char *text,
                               struct tcgrr_symbols *symbols, GError **error);

/* Ends what still runs and frees everything; also after a failure. */
void tcgrr_lockstep_remote_clear(struct tcgrr_lockstep_remote *lockstep);

#endif
