/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lockstep across two machines: each tcgrr runs one side, the connecting one compares, and both get the result. */
#ifndef TCGRR_LOCKSTEP_LOCKSTEP_REMOTE_H
#define TCGRR_LOCKSTEP_LOCKSTEP_REMOTE_H

#include "lockstep/lockstep_local.h"
#include "lockstep/peer/address.h"
#include "lockstep/peer/handshake.h"
#include "lockstep/peer/machine.h"

struct tcgrr_lockstep_remote_options {
    struct tcgrr_lockstep_member member; /* our side */
    const char *name;                    /* its name in the report */
    const char *plugin;
    const char *icount; /* see struct tcgrr_command_options */
    bool own_inputs;    /* our QEMU has its own inputs even if one rr log could drive both */
    int hang_ms;        /* a QEMU without progress for this long has hung */
    struct tcgrr_address address;
    bool listens;             /* it listens at `address` and is side A; otherwise it connects and is side B */
    struct tcgrr_token token; /* empty: neither side has one */
    int timeout_ms;           /* how long the other side may be silent */
    int wait_ms;              /* how long to wait for the connection */
    const char *tool_version;
    const volatile int *stop;
    void (*waiting)(const char *address, void *data);  /* we are listening at this address; may be NULL */
    void (*refused)(const char *why, void *data);      /* another connection was refused; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* now and then; may be NULL */
    void *data;
};

struct tcgrr_lockstep_remote {
    struct tcgrr_comparison comparison; /* its lists point into `received` */
    struct tcgrr_description sides[2];  /* A is the listening one */
    struct tcgrr_epilogue epilogues[2];
    struct tcgrr_peer_traffic traffic;
    GError *unheard; /* why the other side did not report its end, so it may not have the result; NULL: it did */
    int own;         /* the index of our side: 0 or 1 */
    enum tcgrr_lockstep_inputs inputs;
    struct tcgrr_agreed_machine machine; /* used if one log drives QEMUs of two builds */
    struct tcgrr_leader *leader;         /* our QEMU's log drives the other side's; else NULL */
    struct tcgrr_feed *feed;             /* the other side's log drives our QEMU; else NULL */
    struct tcgrr_session *session;       /* NULL: a stored run */
    struct tcgrr_run_source *side;
    struct tcgrr_peer *peer;
    struct tcgrr_run_source *remote;       /* the other side, if we compare; else NULL */
    struct tcgrr_run_source *beside;       /* our side as the comparator sees it, if we compare; else NULL */
    struct tcgrr_received_blocks received; /* the blocks of the result, as received; the same on both ends */
};

/* Prepares our QEMU, without starting it. Errors are those of tcgrr_session_new(). */
bool tcgrr_lockstep_remote_open(struct tcgrr_lockstep_remote *lockstep,
                                const struct tcgrr_lockstep_remote_options *options, GError **error);

/*
 * Connects to the other side, runs ours and returns the result, which is the same on both. `compare`: what to compare;
 * only our own `from` and `until` count. `text` is the same in the user's words and has to be equal on both sides.
 * `symbols`: our side's, which name places in both sides' reports; they stay the caller's. Our QEMU has ended when it
 * returns true. TCGRR_ERROR_USAGE if the address can be reached from outside and there is no token.
 */
bool tcgrr_lockstep_remote_run(struct tcgrr_lockstep_remote *lockstep,
                               const struct tcgrr_lockstep_remote_options *options,
                               const struct tcgrr_compare_options *compare, const char *text,
                               struct tcgrr_symbols *symbols, GError **error);

/* Ends what still runs and frees everything; also after a failure. */
void tcgrr_lockstep_remote_clear(struct tcgrr_lockstep_remote *lockstep);

#endif
