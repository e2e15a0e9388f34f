/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: the auxiliary vector that QEMU gives a program. It is looked for above where the program's first
 * instructions access memory, which is its stack sooner or later, so that no register has to be read. One thread.
 */
#ifndef TCGRR_EMU_PLUGIN_AUXV_H
#define TCGRR_EMU_PLUGIN_AUXV_H

#include "emu/plugin/state.h"

/* Asks QEMU for the callbacks that a translation needs, as long as it is not found. */
void tcgrr_auxv_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb);
/* The program is another one's successor: nothing is looked for. */
void tcgrr_auxv_leave_out(void);

#endif
