/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: the auxiliary vector that QEMU gives a program. The plugin searches for it above the addresses that the
 * program's first instructions access, which sooner or later are on its stack, so that no register has to be read. Not
 * thread-safe.
 */
#ifndef TCGRR_EMU_PLUGIN_AUXV_H
#define TCGRR_EMU_PLUGIN_AUXV_H

#include "emu/plugin/state.h"

/* Asks QEMU for the callbacks that a translation needs until the vector is found. */
void tcgrr_auxv_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb);
/* Another program executed this one: nothing is searched for. */
void tcgrr_auxv_leave_out(void);

#endif
