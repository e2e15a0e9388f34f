/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keyframes near the places that a user goes to. */
#ifndef TCGRR_REPLAY_KEYFRAMES_VISIT_H
#define TCGRR_REPLAY_KEYFRAMES_VISIT_H

#include "emu/rrlog/rrlog.h"
#include "replay/player.h"

/*
 * Goes near `icount`, not beyond it. Where that takes long, a keyframe is left there for the next time, if the trace
 * has some already, so that this machine is known to continue from them, and there is room. `log` is the rr log that is
 * replayed, counting from the run's start. Errors as of tcgrr_player_go().
 */
bool tcgrr_keyframes_approach(struct tcgrr_keyframes *keyframes, struct tcgrr_player *player,
                              const struct tcgrr_rrlog *log, tcgrr_icount icount, GError **error);

#endif
