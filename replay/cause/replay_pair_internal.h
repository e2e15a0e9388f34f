/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_REPLAY_PAIR_INTERNAL_H
#define TCGRR_REPLAY_REPLAY_PAIR_INTERNAL_H

#include "lockstep/run_source.h"
#include "replay/cause/replay_pair.h"

struct tcgrr_replay_pair {
    struct tcgrr_replay_pair_options options;
    struct tcgrr_qemu qemus[2];
    struct tcgrr_rerun *reruns[2];
    struct tcgrr_run_source *sides[2]; /* what was recorded */
    struct tcgrr_register_layout *registers[2];
    struct tcgrr_decoder *decoders[2];
    const struct tcgrr_register **others; /* by A's index: B's register of the same name, or NULL */
    bool *compared;                       /* by A's index */
    struct tcgrr_paused *standing;        /* of side 0: where registers were learned; NULL: it is taken, or gone */
    char *obstacles[2];                   /* what kept a side from going on; NULL: nothing did */
    tcgrr_moment last[2];                 /* and where; not more than this is stepped */
};

/* The registers to watch, by a side's own index; NULL: all. Owned by the caller. */
bool *tcgrr_watched_registers(const struct tcgrr_replay_pair *pair, int side, const struct tcgrr_watch *watch);

bool tcgrr_read_places(struct tcgrr_paused *paused, int side, const GArray *places, struct tcgrr_content *contents,
                       GError **error);

/* Takes a side's part of the looks. */
bool tcgrr_snapshot_through(struct tcgrr_replay_pair *pair, int side, GPtrArray *snapshots, const bool *registers,
                            const GArray *places, struct tcgrr_paused *paused, GError **error);

/* Something that a paused QEMU is needed for; whatever it did before is void when it is called again. */
typedef bool (*tcgrr_paused_work)(struct tcgrr_paused *paused, void *data, GError **error);
/*
 * Does `work` with a QEMU of a side that stands at the run's beginning, or at a keyframe before `moment`. If it fails
 * from a keyframe it is done again from the beginning: the keyframe may be at fault. `accesses`: see
 * tcgrr_paused_start().
 */
bool tcgrr_replay_pair_with(struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment, bool accesses,
                            tcgrr_paused_work work, void *data, GError **error);

/* Calls `work` for both at the same time, one in a thread of its own; whether both returned something. */
bool tcgrr_both_sides(GThreadFunc work, gpointer a, gpointer b);

/* Takes over both errors, of which one may be NULL, and passes one of them on. */
void tcgrr_propagate_first(GError **error, GError *a, GError *b);

#endif
