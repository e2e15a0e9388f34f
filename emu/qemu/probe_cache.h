/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What QEMUs have answered when they were probed, kept in the user's cache folder until a file that says so changes. */
#ifndef TCGRR_EMU_PROBE_CACHE_H
#define TCGRR_EMU_PROBE_CACHE_H

#include "emu/qemu/qemu.h"

/*
 * Where the answer of the QEMU at `path` with the plugin at `plugin` is kept, or would be; owned by the caller. NULL:
 * it cannot be told whether it is still the same QEMU, as of a script that does more than start another file. It stands
 * for what these files are at this moment, so ask before the QEMU is run.
 */
char *tcgrr_probe_cache_file(const char *path, const char *plugin);

/* Fills in what is kept there, but for the path; false if nothing is. */
bool tcgrr_probe_cache_load(const char *file, struct tcgrr_qemu *qemu);
/* Keeps it. That it cannot is no error. */
void tcgrr_probe_cache_store(const char *file, const struct tcgrr_qemu *qemu);

#endif
