/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's files to which a QEMU writes its guest's output: consoles, logs, captures. */
#ifndef TCGRR_EMU_OUTPUTS_H
#define TCGRR_EMU_OUTPUTS_H

#include "emu/qemu/command_options.h"

/*
 * The option's value changed so that QEMU writes to /dev/null instead of the user's file: a console, a log, a capture
 * of packets or sounds. Nothing else changes, so the guest sees the same devices. NULL: the option writes to no file.
 * Owned by the caller.
 */
char *tcgrr_outputs_discard(const struct tcgrr_option *option);

#endif
