/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_WAITS_H
#define TCGRR_REPLAY_WAITS_H

#include "store/trace.h"

/*
 * Checks that QEMU of version `to` can stop where the recording waited: TCGRR_ERROR_FAILED, naming the first such
 * place, if the QEMU that recorded counts instructions there that it did not run, and `to` does not
 * (emu/live/retire.h). Reads the trace's executions if necessary. A trace without executions passes.
 */
bool tcgrr_waits_check(struct tcgrr_reader *reader, const char *to, GError **error);

#endif
