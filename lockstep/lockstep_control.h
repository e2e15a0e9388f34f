/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control for a divergence of B: A in lockstep with itself. */
#ifndef TCGRR_LOCKSTEP_CONTROL_H
#define TCGRR_LOCKSTEP_CONTROL_H

#include "lockstep/lockstep_local.h"

/*
 * After a comparison of two builds: withdraws a divergence if A does not repeat its own run up to that place or a
 * little beyond: sets `undecided`, and fails with TCGRR_ERROR_FAILED. In system mode it does so only for machines to
 * which the user added devices, because only these have unlogged inputs. Takes as long as a lockstep up to that place.
 */
bool tcgrr_lockstep_control_check(struct tcgrr_lockstep_local *pair, const struct tcgrr_lockstep_local_options *options,
                                  GError **error);

#endif
