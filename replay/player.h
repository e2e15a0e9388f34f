/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU that replays a recording without being recorded itself: it stops at requested places, with a gdb stub if
 * wanted. It starts from the beginning or from a keyframe, and never writes to an image of the user's. Not thread-safe.
 */
#ifndef TCGRR_REPLAY_PLAYER_H
#define TCGRR_REPLAY_PLAYER_H

#include "emu/qemu/command.h"
#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"
#include "replay/keyframe_save.h"
#include "replay/keyframes.h"

struct tcgrr_player;

/* All of it must outlive the player. */
struct tcgrr_player_options {
    struct tcgrr_reader *reader;   /* the recording */
    const struct tcgrr_qemu *qemu; /* the QEMU to replay in */
    const char *rr_file;           /* the recording's */
    char **words;                  /* the command (tcgrr_recorded_command()) */
    const char *const *own;        /* the further arguments at its end, NULL-terminated; NULL: none */
    struct tcgrr_keyframe from;    /* where it starts */
    const char *start;             /* the image that the run starts from (tcgrr_recorded_start_image()); NULL: reset */
    bool gdb;                      /* with a gdb stub */
    const char *plugin;            /* to load, with `plugin_arguments`; NULL: none */
    const char *plugin_arguments;
    int pass_fd;                 /* a descriptor that QEMU gets under the same number; -1 or 0: none */
    bool own_group;              /* signals from the terminal, such as Ctrl-C, do not reach QEMU */
    int hang_ms;                 /* a replay without progress for this long has hung */
    const volatile int *stop;    /* not 0: give up with TCGRR_ERROR_STOPPED; may be NULL */
    bool (*give_up)(void *data); /* called repeatedly; true: give up likewise; may be NULL */
    void *data;
};

/* Starts QEMU, stopped at its initial place. */
struct tcgrr_player *tcgrr_player_start(const struct tcgrr_player_options *options, GError **error);
/* Ends it. NULL is allowed. */
void tcgrr_player_free(struct tcgrr_player *player);

/* The unix socket of its gdb stub, owned by the player. */
const char *tcgrr_player_gdb(const struct tcgrr_player *player);
/* Whether the guest has shut down and QEMU is stopped at the run's end. */
bool tcgrr_player_at_end(struct tcgrr_player *player, bool *at_end, GError **error);

/* What it consists of; owned by the player. */
struct tcgrr_keyframe_machine tcgrr_player_machine(const struct tcgrr_player *player);

/* The pages that QEMU had written when it started, the caller's from now on; the player will then save keyframes of
 * the full size. NULL: not known, or taken before. */
struct tcgrr_ram_pages *tcgrr_player_take_written(struct tcgrr_player *player);

/* The current place as reported by QEMU, counted from the run's start. */
bool tcgrr_player_icount(struct tcgrr_player *player, tcgrr_icount *icount, GError **error);

/* Runs to exactly `icount`. TCGRR_ERROR_FAILED if the run ends before, TCGRR_ERROR_HUNG if it hangs. */
bool tcgrr_player_go(struct tcgrr_player *player, tcgrr_icount icount, GError **error);
/* Makes QEMU stop at `icount`, even if its gdb stub lets it run. */
bool tcgrr_player_break(struct tcgrr_player *player, tcgrr_icount icount, GError **error);

/* Microseconds of processor time that QEMU has spent. */
int64_t tcgrr_player_spent(const struct tcgrr_player *player);

/* What QEMU's own monitor answers to a command; owned by the caller. */
char *tcgrr_player_monitor(struct tcgrr_player *player, const char *command, GError **error);
/* If QEMU has ended, replaces `*error` by the reason: the error of the gdb stub's connection does not show it. */
void tcgrr_player_explain(struct tcgrr_player *player, GError **error);

/* The machine's state (tcgrr_machine_digest()); owned by the caller. */
char *tcgrr_player_digest(struct tcgrr_player *player, GError **error);
/* Starts another player of the same run from `from`, without a gdb stub or plugin. */
struct tcgrr_player *tcgrr_player_again(const struct tcgrr_player *player, struct tcgrr_keyframe from, GError **error);

/* Whether its state can be saved: not if it started from a keyframe and uses images of the user's. */
bool tcgrr_player_can_save(const struct tcgrr_player *player);
/*
 * Writes a keyframe of the current place to `folder`, which must exist and be empty. TCGRR_ERROR_FAILED if this machine
 * cannot be saved.
 */
bool tcgrr_player_save(struct tcgrr_player *player, const char *folder, GError **error);

#endif
