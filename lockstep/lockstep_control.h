/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control for what B did differently: A in lockstep with itself. */
#ifndef TCGRR_LOCKSTEP_CONTROL_H
#define TCGRR_LOCKSTEP_CONTROL_H

#include "lockstep/lockstep_local.h"

/*
 * After a comparison of two builds: takes back a divergence if A does not repeat its own run up to there, or a little
 * further: sets `undecided`, and fails with TCGRR_ERROR_FAILED. Of machines only those that the user gave devices are
 * looked at, because what has no log is theirs. Takes a lockstep up to there.
 */
bool tcgrr_lockstep_control_check(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                                  GError **error);

#endif
