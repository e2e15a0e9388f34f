/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of the host that a QEMU writes what its guest prints, sends or does to. */
#ifndef TCGRR_EMU_OUTPUTS_H
#define TCGRR_EMU_OUTPUTS_H

#include "emu/qemu/command_options.h"

/*
 * The value with which an option writes to /dev/null instead of the user's file: a console, a log, a capture of
 * packets or sounds. Nothing else changes, so that the guest sees the same devices. NULL: it writes to no file. Owned
 * by the caller.
 */
char *tcgrr_outputs_discard(const struct tcgrr_option *option);

#endif
