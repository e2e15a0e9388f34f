/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: which file a program's code was mapped from, for the names of what runs in its interpreter and libraries.
 */
#ifndef TCGRR_EMU_PLUGIN_MAPPED_H
#define TCGRR_EMU_PLUGIN_MAPPED_H

#include "emu/plugin/state.h"

/* At each translation: sends where its code is mapped from, unless that was sent. All functions are for the thread that
 * runs or translates, of which there is one at a time. */
void tcgrr_mapped_translated(struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb);
/* A system call has returned: something else may be mapped now. */
void tcgrr_mapped_changed(void);
/* In a forked child: nothing was sent yet. */
void tcgrr_mapped_restart(void);

#endif
