/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keyframes near the places that a user goes to. */
#ifndef TCGRR_REPLAY_KEYFRAMES_VISIT_H
#define TCGRR_REPLAY_KEYFRAMES_VISIT_H

#include "emu/rrlog/rrlog.h"
#include "replay/player.h"

/*
 * Goes close to `icount`, not beyond it. If that takes long, leaves a keyframe there for the next time, provided that
 * there is room and that the trace has keyframes already, which shows that this machine continues correctly from them.
 * `log` is the rr log that is replayed, counting from the run's start. Errors are those of tcgrr_player_go().
 */
bool tcgrr_keyframes_approach(struct tcgrr_keyframes *keyframes, struct tcgrr_player *player,
                              const struct tcgrr_rrlog *log, tcgrr_icount icount, GError **error);

/* ---- the same for a QEMU that is no player ---- */

#define TCGRR_VISIT_MIN ((tcgrr_icount)4 * 1000000) /* instructions; replaying fewer takes hardly any time */

/* The place for a keyframe on the way from QEMU's current place, `stands`, to `icount`; 0: none is worthwhile. */
tcgrr_icount tcgrr_keyframes_choose_place(const struct tcgrr_keyframes *keyframes, const struct tcgrr_rrlog *log,
                                          tcgrr_icount stands, tcgrr_icount icount);
/* Whether a keyframe is worthwhile after QEMU has spent this many microseconds to get there, and there is room for it.
 * */
bool tcgrr_keyframes_is_worthwhile(struct tcgrr_keyframes *keyframes, int64_t spent);

/* A keyframe that has been saved but not verified yet. */
struct tcgrr_keyframe_draft {
    tcgrr_icount icount;
    char *folder; /* NULL: there is none */
    char *state;  /* emu/qemu/machine_digest.h */
};
/* Saves the machine, which is stopped at `icount`. If that fails, there is no draft. */
void tcgrr_keyframe_draft(struct tcgrr_keyframes *keyframes, const struct tcgrr_keyframe_machine *machine,
                          tcgrr_icount icount, struct tcgrr_keyframe_draft *draft);
/*
 * Makes the draft a keyframe if a fresh QEMU that starts from it has the same state, and reaches `to` with the state
 * that the QEMU that saved it has there: `state`; NULL: that is not known. Otherwise, and if `fresh` is NULL, removes
 * it. Frees `fresh` and clears the draft.
 */
void tcgrr_keyframe_draft_end(struct tcgrr_keyframes *keyframes, struct tcgrr_keyframe_draft *draft,
                              struct tcgrr_player *fresh, tcgrr_icount to, const char *state);

#endif
