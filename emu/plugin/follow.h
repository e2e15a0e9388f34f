/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: a program that executes another one goes on in the same run. QEMU would have the host execute it, outside
 * of QEMU; we start this QEMU on it instead, with the plugin in it, which takes over the ring.
 */
#ifndef TCGRR_EMU_PLUGIN_FOLLOW_H
#define TCGRR_EMU_PLUGIN_FOLLOW_H

#include "emu/plugin/state.h"

struct tcgrr_follow {
    int program; /* which word of QEMU's command line is the program, counted from the end, the last one being 1: what
                    starts QEMU may have added options; 0: not known, and nothing is followed */
    bool none;   /* the run ends where the program executes another one */
};

/*
 * The program is about to make execve() with these arguments; `ends`: it is not to be followed there. Does not return
 * if it goes on elsewhere. True: the host will execute something that cannot be followed, or must not be.
 */
bool tcgrr_follow_exec(const struct tcgrr_follow *follow, bool ends, const uint64_t arguments[8]);

#endif
