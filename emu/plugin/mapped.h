/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: reports which file a program's code was mapped from, to name code of its interpreter and libraries. */
#ifndef TCGRR_EMU_PLUGIN_MAPPED_H
#define TCGRR_EMU_PLUGIN_MAPPED_H

#include "emu/plugin/state.h"

/* Call it at each translation: sends the file that its code is mapped from, unless that was sent before. Call all
 * functions from the thread that runs or translates; there is only one at a time. */
void tcgrr_mapped_translated(struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb);
/* A system call has returned: mappings may have changed. */
void tcgrr_mapped_changed(void);
/* In a forked child: forgets what was sent. */
void tcgrr_mapped_restart(void);

#endif
