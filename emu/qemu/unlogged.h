/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest can get from outside without QEMU's record/replay logging it, so that a replay does not get it. */
#ifndef TCGRR_EMU_UNLOGGED_H
#define TCGRR_EMU_UNLOGGED_H

#include "emu/qemu/command_options.h"

/*
 * The first of a system emulator's options by which it can, as the user wrote it ("-device isa-serial,chardev=c");
 * NULL: there is none. QEMU 7.2 to 11.1 log what comes through a character device only if -serial or the like names it,
 * and not if that is a multiplexer made by -chardev. Owned by the caller.
 */
char *tcgrr_unlogged_find(const GArray *options);

/*
 * The first option that makes a device part of whose work QEMU `version` (NULL: not known, nothing is found) does at
 * times that it does not log, whenever its main loop comes to it: virtio-net before 9.1, nvme, EHCI. As the user wrote
 * it, owned by the caller; NULL: there is none.
 */
char *tcgrr_unlogged_work(const GArray *options, const char *version);

/* Whether the user gave the machine devices of which some might, so that a QEMU need not repeat its own run. */
bool tcgrr_unlogged_possible(const GArray *options);

/* Whether an option shares the host's files with the guest: what it reads is not logged, and a replay would write what
 * it writes once more. */
bool tcgrr_unlogged_shares_files(const struct tcgrr_option *option);

/*
 * Whether QEMU `version` does not log what is typed into the console: before 9.2 that is so with any multiplexer, as
 * -nographic and -serial mon:stdio make one.
 */
bool tcgrr_unlogged_console(const GArray *options, const char *version);
/* Whether something may have been read from our standard input, which is QEMU's, since `began` (g_get_real_time()). */
bool tcgrr_unlogged_typed(gint64 began);
/* The note of a trace where both are so. */
#define TCGRR_UNLOGGED_NOTE                                                                                            \
    "the guest may have received what was typed into its console, which this QEMU does not record"

#endif
