/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decides whether a trace as side A drives side B with its rr log. */
#ifndef TCGRR_REPLAY_DRIVE_H
#define TCGRR_REPLAY_DRIVE_H

#include "lockstep/lockstep_local.h"

/*
 * Whether A is a trace whose rr log drives B, a QEMU. It does not if the comparison of two builds starts at a place in
 * the code: before that B may do something else, for which the log does not fit. False with an error if B cannot be
 * probed. `*qemu` is set to the result of probing B; it is the caller's (tcgrr_qemu_clear()), also after false.
 */
bool tcgrr_trace_drives(const struct tcgrr_lockstep_local_options *options, struct tcgrr_qemu *qemu, GError **error);

#endif
