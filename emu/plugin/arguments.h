/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arguments of libtcgrr-plugin.so, set by tcgrr itself:
 *
 *   fd=N             descriptor of the shared memory (wire.h)
 *   level=L          how much to record: inputs, flow, state or full; at inputs nothing is instrumented
 *   texts=on         QEMU's disassembly is wanted
 *   from=N           level full: no accesses of instructions before this count are wanted
 *   from-pc=N        level full: none before the instruction at this address first runs
 *   from-code=N      user mode: as from-pc, counted from the program's lowest code
 *   log=on           QEMU records an rr log, whose file is to be kept up to date
 *   api=N            the version of the plugin API to speak; heeded by tcgrr_api_load()
 *   inputs=PATH      user mode: the file in which to keep what system calls returned and wrote
 *   given=PATH       user mode: the file from which to give that to the program again; it is complete
 *   followed=PATH    user mode: the same of a file that is still being written
 *   program=N        user mode: which word of QEMU's command line, from its end, is the program
 *   follow=none      user mode: the run ends where the program executes another one
 *   forks=SOCKET     user mode: where forked children get a ring of their own (emu/plugin/fork.h)
 *   pause=PATH       user mode, inputs given: the program pauses where the file says (emu/plugin/pause.h)
 *   again=on, at=N   another program executed this one: the run continues, with its inputs from offset N on
 *   probe=N          write one line about this QEMU to descriptor N and refuse to load
 *   slow=N           record nothing; slow the guest down where the memory at descriptor N says (emu/plugin/slow.h)
 *   peek=N           record nothing; note what steps access in the memory at descriptor N (emu/plugin/peek.h)
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
    enum tcgrr_inputs_mode mode;
    struct tcgrr_follow follow;
    const char *forks;
    const char *pause;
};
#define TCGRR_ARGUMENTS_INIT                                                                                           \
    {                                                                                                                  \
        .fd = -1, .probe = -1, .slow = -1, .peek = -1, .level = "flow"                                                 \
    }

/* False: an argument is not known. `arguments` points into `argv`, which stays the caller's. */
bool tcgrr_arguments_read(int argc, char **argv, struct tcgrr_arguments *arguments);

#endif
