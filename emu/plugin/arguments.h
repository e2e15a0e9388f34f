/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arguments of libtcgrr-plugin.so, set by tcgrr itself:
 *   fd=N     descriptor of the shared memory (wire.h)
 *   level=L  how much is to be recorded: inputs, flow, state or full; at inputs nothing is instrumented
 *   texts=on QEMU's disassembly is wanted
 *   from-code=N        user mode: as from-pc, counted from the program's lowest code
 *   from=N, from-pc=N  level full: no access is wanted of instructions before this count, or before this one first runs
 *   log=on   QEMU records an rr log, whose file is to be kept up to date
 *   api=N    the version of the plugin API to speak; heeded by tcgrr_api_load()
 *   inputs=PATH, given=PATH, followed=PATH  user mode: the file in which to keep what system calls returned and wrote,
 *            or from which to give it to the program again, when it is complete or while somebody writes it
 *   program=N, follow=none  user mode: which word of QEMU's command line, from its end, is the program, and whether the
 * run ends where it executes another one forks=SOCKET  user mode: where forked children get a ring of their own
 * (emu/plugin/fork.h) stand=PATH  user mode, inputs given: it stands where the file says (emu/plugin/pause.h) again=on,
 * at=N  this program was executed by another one: the run goes on, and so do its inputs at this place probe=N  write
 * one line about this QEMU to descriptor N and refuse to load slow=N   record nothing, only slow the guest down where
 * the memory at descriptor N says (emu/plugin/slow.h) peek=N   record nothing, only note what steps access in the
 * memory at descriptor N (emu/plugin/peek.h)
 */
#ifndef TCGRR_EMU_PLUGIN_ARGUMENTS_H
#define TCGRR_EMU_PLUGIN_ARGUMENTS_H

#include "emu/plugin/access.h"
#include "emu/plugin/follow.h"
#include "emu/plugin/inputs.h"

struct tcgrr_arguments {
    int fd;
    int probe;
    int slow;
    int peek;
    const char *level;
    bool texts;
    bool log;
    struct tcgrr_access_window window;
    const char *inputs;
    uint64_t at;
    bool again;
    enum tcgrr_inputs_way way;
    struct tcgrr_follow follow;
    const char *forks;
    const char *pause;
};
#define TCGRR_ARGUMENTS_INIT                                                                                           \
    {                                                                                                                  \
        .fd = -1, .probe = -1, .slow = -1, .peek = -1, .level = "flow"                                                 \
    }

/* False: one is not known. Texts stay the caller's. */
bool tcgrr_arguments_read(int argc, char **argv, struct tcgrr_arguments *arguments);

#endif
