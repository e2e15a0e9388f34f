/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_REPLAY_PAIR_INTERNAL_H
#define TCGRR_REPLAY_REPLAY_PAIR_INTERNAL_H

#include "lockstep/run_source.h"
#include "replay/cause/replay_pair.h"

struct tcgrr_replay_pair {
    struct tcgrr_replay_pair_options options;
    struct tcgrr_qemu qemus[2];
    struct tcgrr_rerun *reruns[2];
    struct tcgrr_run_source *sides[2]; /* the recordings */
    struct tcgrr_register_layout *registers[2];
    struct tcgrr_decoder *decoders[2];
    const struct tcgrr_register **others; /* by A's index: B's register of the same name, or NULL */
    bool *compared;                       /* by A's index */
    struct tcgrr_paused
        *standing; /* the QEMU of side 0 that was started to learn its registers; NULL: it is in use or has ended */
    tcgrr_moment first;              /* where A leaves its first keyframe; 0: not at once */
    struct tcgrr_ram_pages *written; /* by B before its guest runs, if A leaves keyframes; NULL: not known */
    char *obstacles[2];              /* why a side could not continue; NULL: it could */
    tcgrr_moment last[2];            /* the place of the obstacle; it is not stepped any further */
};

/* The registers to watch, by a side's own index; NULL: all. Owned by the caller. */
bool *tcgrr_watched_registers(const struct tcgrr_replay_pair *pair, int side, const struct tcgrr_watch *watch);

bool tcgrr_read_places(struct tcgrr_paused *paused, int side, const GArray *places, struct tcgrr_content *contents,
                       GError **error);

/* Takes one side's part of the snapshots. */
bool tcgrr_snapshot_through(struct tcgrr_replay_pair *pair, int side, GPtrArray *snapshots, const bool *registers,
                            const GArray *places, struct tcgrr_paused *paused, GError **error);

/* Work that needs a paused QEMU. It may be called again, and then has to discard its earlier results. */
typedef bool (*tcgrr_paused_work)(struct tcgrr_paused *paused, void *data, GError **error);
/*
 * Calls `work` with a QEMU of a side that is paused at the run's beginning, or at a keyframe before `moment`. If it
 * fails from a keyframe, it is called again from the beginning, because the keyframe may be wrong. `accesses`: see
 * tcgrr_paused_start().
 */
bool tcgrr_replay_pair_with(struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment, bool accesses,
                            tcgrr_paused_work work, void *data, GError **error);

/* Calls `work` for both sides at the same time, for one in a separate thread. Returns whether both returned non-NULL.
 * */
bool tcgrr_both_sides(GThreadFunc work, gpointer a, gpointer b);

/* Takes ownership of both errors, one of which may be NULL, and propagates one. */
void tcgrr_propagate_first(GError **error, GError *a, GError *b);

#endif
