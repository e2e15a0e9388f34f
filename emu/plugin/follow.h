/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: when a program executes another one, the run continues with that. QEMU would let the host execute it,
 * outside QEMU; the plugin instead executes this QEMU again with the new program, and the plugin in there takes over
 * the ring.
 */
#ifndef TCGRR_EMU_PLUGIN_FOLLOW_H
#define TCGRR_EMU_PLUGIN_FOLLOW_H

#include "emu/plugin/state.h"

struct tcgrr_follow {
    int program; /* which word of QEMU's command line is the program, counted from the end, where the last one is 1,
                    because a wrapper that starts QEMU may have added options; 0: not known, and nothing is followed */
    bool none;   /* the run ends where the program executes another one */
};

/*
 * The program is about to call execve() with these arguments; `ends`: do not follow it. Does not return if the program
 * is followed. Returns true if the host will execute something that cannot or must not be followed.
 */
bool tcgrr_follow_exec(const struct tcgrr_follow *follow, bool ends, const uint64_t arguments[8]);

#endif
