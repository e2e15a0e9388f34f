/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparing from the beginning shows where the two diverge, and at most roughly since when their data differ. Rather
 * than replay all of it in both QEMUs again, both start from a keyframe of A's, which is right by definition: if B
 * diverges from there as it did from the beginning, what makes it do so is after the keyframe. If not, it is before it,
 * and an earlier one is tried.
 */
#include "replay/cause/bisect_internal.h"

#include "replay/unpinned.h"
#include "store/error.h"

#define AFTER 1000000 /* how far after the divergence a replay is given up */

/* How far before the divergence to begin; up to MAX_SAVED, A saves a keyframe if none is near. */
static const tcgrr_icount distances[] = {TCGRR_BISECT_NEAR, 16000000, 128000000, 1024000000, UINT64_C(8192000000)};
#define MAX_SAVED 128000000

/*
 * Makes A leave a keyframe this far before the divergence if the last one before that is too far. One at a time,
 * because saving takes long and the nearest is nearly always enough.
 */
static bool leave(struct tcgrr_bisect *bisect, tcgrr_moment diverged_at, tcgrr_icount distance, GError **error)
{
    tcgrr_moment place = diverged_at - distance;
    tcgrr_moment start = tcgrr_replay_pair_keyframe(bisect->pair, 0, place).icount;
    start -= MIN(start, bisect->comparison->aligned[0]);

    if (distance > MAX_SAVED || place - MIN(place, start) < TCGRR_BISECT_FAR) {
        tcgrr_replay_pair_end_standing(bisect->pair);
        return true;
    }
    tcgrr_bisect_say(bisect, g_strdup_printf("A goes near instruction %" G_GUINT64_FORMAT, diverged_at));
    return tcgrr_replay_pair_leave_keyframe(bisect->pair, place, error);
}

static bool is_same(const struct tcgrr_comparison *a, const struct tcgrr_comparison *b)
{
    if (!b->diverged || b->kind != a->kind) {
        return false;
    }
    if (a->kind == TCGRR_DIVERGENCE_DATA) { /* samples are taken elsewhere: branches are counted from the keyframe */
        return b->icount < a->icount + AFTER;
    }
    bool same = b->icount == a->icount;
    for (int side = 0; side < 2; side++) {
        same = same && a->sides[side].there == b->sides[side].there && a->sides[side].pc == b->sides[side].pc;
    }
    return same;
}

/* Whether both, started from the keyframe, diverge in the same way; then bisect->near has what of their data. */
static bool try_from(struct tcgrr_bisect *bisect, struct tcgrr_keyframe keyframe, bool *same, GError **error)
{
    struct tcgrr_replay_options options = tcgrr_bisect_replay_options(bisect);
    GError *problem = NULL;

    options.known[0] = tcgrr_replay_pair_qemu(bisect->pair, 0);
    options.known[1] = tcgrr_replay_pair_qemu(bisect->pair, 1);
    options.begin = keyframe;
    options.compare.data_ends = bisect->comparison->kind == TCGRR_DIVERGENCE_DATA;
    options.enough = bisect->replay.comparison.icount + AFTER;
    tcgrr_bisect_say(bisect, g_strdup_printf("both replay from instruction %" G_GUINT64_FORMAT, keyframe.icount));
    tcgrr_replay_result_clear(&bisect->near);
    *same = tcgrr_replay_as_given(bisect->readers[0], &options, &bisect->near, &problem) &&
            is_same(&bisect->replay.comparison, &bisect->near.comparison);
    if (problem && problem->code == TCGRR_ERROR_STOPPED) {
        g_propagate_error(error, problem);
        return false;
    }
    g_clear_error(&problem); /* the next one begins earlier, the last one at the beginning */
    return true;
}

bool tcgrr_bisect_approach(struct tcgrr_bisect *bisect, GError **error)
{
    tcgrr_moment diverged_at = bisect->comparison->icount - bisect->comparison->aligned[0];
    tcgrr_icount tried = UINT64_MAX;

    for (unsigned i = 0; i < G_N_ELEMENTS(distances) && distances[i] < diverged_at; i++) {
        if (!leave(bisect, diverged_at, distances[i], error)) {
            return false;
        }
        struct tcgrr_keyframe keyframe = tcgrr_replay_pair_keyframe(bisect->pair, 0, diverged_at - distances[i]);
        bool same = false;
        if (!keyframe.folder || !tcgrr_replay_pair_can_share(bisect->pair, keyframe)) {
            return true; /* it is the same with earlier ones */
        }
        if (keyframe.icount < tried && !try_from(bisect, keyframe, &same, error)) {
            return false;
        }
        if (same) {
            bisect->keyframe = keyframe;
            tcgrr_replay_pair_share(bisect->pair, keyframe.icount - bisect->comparison->aligned[0]);
            return true;
        }
        tried = keyframe.icount;
    }
    return true;
}
