/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU that replays a recording and is not recorded itself: it stops where it should, with a gdb stub for those who
 * want one. It starts from the beginning or from a keyframe, and never writes to an image of the user's. One thread.
 */
#ifndef TCGRR_REPLAY_PLAYER_H
#define TCGRR_REPLAY_PLAYER_H

#include "emu/qemu/command.h"
#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"
#include "replay/keyframes.h"

struct tcgrr_player;

/* All of it must outlive the player. */
struct tcgrr_player_options {
    struct tcgrr_reader *reader;   /* where it ran */
    const struct tcgrr_qemu *qemu; /* to replay in */
    const char *rr_file;           /* the recording's */
    char **words;                  /* the command (tcgrr_recorded_command()) */
    const char *const *own;        /* the further arguments at its end, NULL-terminated; NULL: none */
    struct tcgrr_keyframe from;    /* where it starts */
    const char *start;             /* the image that the run starts from (tcgrr_recorded_start_image()); NULL: reset */
    bool gdb;                      /* with a gdb stub */
    const char *plugin;            /* to load, with `plugin_arguments`; NULL: none */
    const char *plugin_arguments;
    int pass_fd;                 /* a descriptor that QEMU gets under the same number; -1 or 0: none */
    bool own_group;              /* what is typed at the terminal, Ctrl-C, does not reach QEMU */
    int hang_ms;                 /* a replay that makes no progress for so long has hung */
    const volatile int *stop;    /* not 0: give up with TCGRR_ERROR_STOPPED; may be NULL */
    bool (*give_up)(void *data); /* asked again and again: likewise; may be NULL */
    void *data;
};

/* Starts QEMU, which is stopped where it begins. */
struct tcgrr_player *tcgrr_player_start(const struct tcgrr_player_options *options, GError **error);
/* Ends it. NULL is allowed. */
void tcgrr_player_free(struct tcgrr_player *player);

/* The unix socket of its gdb stub, owned by the player. */
const char *tcgrr_player_gdb(const struct tcgrr_player *player);
/* Whether the guest has shut down and QEMU is stopped at the run's end. */
bool tcgrr_player_at_end(struct tcgrr_player *player, bool *at_end, GError **error);

/* What it is made of; owned by the player. */
struct tcgrr_qmp *tcgrr_player_qmp(struct tcgrr_player *player);
struct tcgrr_process *tcgrr_player_process(struct tcgrr_player *player);
const struct tcgrr_command *tcgrr_player_command(const struct tcgrr_player *player);
const char *tcgrr_player_started(const struct tcgrr_player *player); /* the keyframe; NULL: at the beginning */

/* Where it stands, as QEMU says, counted from where the run begins. */
bool tcgrr_player_icount(struct tcgrr_player *player, tcgrr_icount *icount, GError **error);

/* Runs on to exactly `icount`. TCGRR_ERROR_FAILED if the run ends before, TCGRR_ERROR_HUNG if it hangs. */
bool tcgrr_player_go(struct tcgrr_player *player, tcgrr_icount icount, GError **error);
/* QEMU is to stop there whoever lets it run. */
bool tcgrr_player_break(struct tcgrr_player *player, tcgrr_icount icount, GError **error);

/* Microseconds of processor time that QEMU has spent. */
int64_t tcgrr_player_spent(const struct tcgrr_player *player);

/* What QEMU's own monitor answers to a command; owned by the caller. */
char *tcgrr_player_monitor(struct tcgrr_player *player, const char *command, GError **error);
/* If QEMU has ended, `*error` becomes why: what its gdb stub's end looks like says nothing. */
void tcgrr_player_explain(struct tcgrr_player *player, GError **error);

/* What its machine holds (tcgrr_machine_digest()); owned by the caller. */
char *tcgrr_player_digest(struct tcgrr_player *player, GError **error);
/* Another one of the same run, started from `from`, without a gdb stub and a plugin of its own. */
struct tcgrr_player *tcgrr_player_again(const struct tcgrr_player *player, struct tcgrr_keyframe from, GError **error);

/* Not one that started from a keyframe and has images of the user's. */
bool tcgrr_player_can_save(const struct tcgrr_player *player);
/*
 * Writes a keyframe of where it stands to `folder`, which is there and empty. TCGRR_ERROR_FAILED if this machine cannot
 * be saved.
 */
bool tcgrr_player_save(struct tcgrr_player *player, const char *folder, GError **error);

#endif
