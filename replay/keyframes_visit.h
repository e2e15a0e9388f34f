/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keyframes near the places that a user goes to. */
#ifndef TCGRR_REPLAY_KEYFRAMES_VISIT_H
#define TCGRR_REPLAY_KEYFRAMES_VISIT_H

#include "emu/rrlog/rrlog.h"
#include "replay/player.h"

/*
 * Goes near `icount`, not beyond it. Where that takes long, a keyframe is left there for the next time, if the trace
 * has some already, so that this machine is known to continue from them, and there is room. `log` is the rr log that is
 * replayed, counting from the run's start. Errors are those of tcgrr_player_go().
 */
bool tcgrr_keyframes_approach(struct tcgrr_keyframes *keyframes, struct tcgrr_player *player,
                              const struct tcgrr_rrlog *log, tcgrr_icount icount, GError **error);

/* ---- the same for a QEMU that is no player ---- */

#define TCGRR_VISIT_MIN ((tcgrr_icount)4 * 1000000) /* instructions; fewer are replayed in no time */

/* The place for a keyframe on the way from where QEMU `stands` to `icount`; 0: none is worth it. */
tcgrr_icount tcgrr_keyframes_choose_place(const struct tcgrr_keyframes *keyframes, const struct tcgrr_rrlog *log,
                                          tcgrr_icount stands, tcgrr_icount icount);
/* Whether a keyframe is worthwhile where QEMU spent so many microseconds to get there, and there is room for it. */
bool tcgrr_keyframes_is_worthwhile(struct tcgrr_keyframes *keyframes, int64_t spent);

/* One that has been saved and not proved yet. */
struct tcgrr_keyframe_draft {
    tcgrr_icount icount;
    char *folder; /* NULL: there is none */
    char *state;  /* emu/qemu/machine_digest.h */
};
/* Saves what the QEMU of this command holds, which started from the keyframe `started` or, with NULL, at the beginning,
 * and stands still at `icount`. Without success, there is no draft. */
void tcgrr_keyframe_draft(struct tcgrr_keyframes *keyframes, struct tcgrr_qmp *qmp, struct tcgrr_process *process,
                          const struct tcgrr_command *command, const char *started, tcgrr_icount icount,
                          struct tcgrr_keyframe_draft *draft);
/*
 * It becomes a keyframe if a fresh QEMU that starts from it holds the same, and reaches `to` with what the one that
 * saved it has there: `state`; NULL: that is not known. Otherwise, and with `fresh` NULL, it is removed. `fresh` is
 * freed. Clears the draft.
 */
void tcgrr_keyframe_draft_end(struct tcgrr_keyframes *keyframes, struct tcgrr_keyframe_draft *draft,
                              struct tcgrr_player *fresh, tcgrr_icount to, const char *state);

#endif
