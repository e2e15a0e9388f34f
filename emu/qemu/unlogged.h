/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inputs that a guest can receive without QEMU's record/replay logging them, so that a replay lacks them. */
#ifndef TCGRR_EMU_UNLOGGED_H
#define TCGRR_EMU_UNLOGGED_H

#include "emu/qemu/command_options.h"

/*
 * The first of a system emulator's options that allows such inputs, as the user wrote it ("-device
 * isa-serial,chardev=c"); NULL: there is none. QEMU 7.2 to 11.1 log what comes through a character device only if
 * -serial or the like names it, and not if that is a multiplexer made by -chardev. Owned by the caller.
 */
char *tcgrr_unlogged_find(const GArray *options);

/*
 * The first option that creates a device some of whose work QEMU `version` (NULL: not known, nothing is found) does in
 * its main loop at times that it does not log: virtio-net before 9.1, nvme, EHCI. As the user wrote it, owned by the
 * caller; NULL: there is none.
 */
char *tcgrr_unlogged_work(const GArray *options, const char *version);

/* Whether the user gave the machine devices that might do so, so that a QEMU need not repeat its own run exactly. */
bool tcgrr_unlogged_possible(const GArray *options);

/* Whether an option shares the host's files with the guest: reads of them are not logged, and a replay would repeat the
 * writes. */
bool tcgrr_unlogged_shares_files(const struct tcgrr_option *option);

/*
 * Whether QEMU `version` does not log what is typed into the console: before 9.2 it does not for a multiplexer, such as
 * those that -nographic and -serial mon:stdio create.
 */
bool tcgrr_unlogged_console(const GArray *options, const char *version);
/* Whether QEMU may have read something from our standard input, which it shares, since `began` (g_get_real_time()). */
bool tcgrr_unlogged_typed(gint64 began);
/* The note that a trace gets if both are true. */
#define TCGRR_UNLOGGED_NOTE                                                                                            \
    "the guest may have received what was typed into its console, which this QEMU does not record"

#endif
