/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: what a program finds when it starts. */
#ifndef TCGRR_EMU_PLUGIN_START_H
#define TCGRR_EMU_PLUGIN_START_H

/* Before the first sample: what is on the program's stack counts as stored, so that samples show where two QEMUs start
 * a program differently. */
void tcgrr_start_digest(void);

#endif
