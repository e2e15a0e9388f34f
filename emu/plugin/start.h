/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: the initial state of a program. */
#ifndef TCGRR_EMU_PLUGIN_START_H
#define TCGRR_EMU_PLUGIN_START_H

/* Call it before the first sample: adds the content of the program's stack to the digest of stores, so that samples
 * show whether two QEMUs start a program differently. */
void tcgrr_start_digest(void);

#endif
