/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a trace as side A drives side B with its rr log. */
#ifndef TCGRR_REPLAY_DRIVE_H
#define TCGRR_REPLAY_DRIVE_H

#include "lockstep/lockstep_local.h"

/*
 * Whether A is a trace that drives B, a QEMU, with its rr log. Not where comparing starts at a place of two builds:
 * before it B may do something else, and what the log has for that is of no use. False with an error if B cannot be
 * probed. `*qemu` becomes what B is; it is the caller's (tcgrr_qemu_clear()), also after false.
 */
bool tcgrr_trace_drives(const struct tcgrr_lockstep_local_options *options, struct tcgrr_qemu *qemu, GError **error);

#endif
