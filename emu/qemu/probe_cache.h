/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The results of probing QEMUs, cached in the user's cache folder until one of the files involved changes. */
#ifndef TCGRR_EMU_PROBE_CACHE_H
#define TCGRR_EMU_PROBE_CACHE_H

#include "emu/qemu/qemu.h"

/*
 * The cache file for the QEMU at `path` with the plugin at `plugin`, whether it exists or not; owned by the caller.
 * NULL: it is impossible to detect changes of that QEMU, for example of a script that does more than start another
 * file. The name depends on the current content of these files, so call it before running the QEMU.
 */
char *tcgrr_probe_cache_file(const char *path, const char *plugin);

/* Fills in everything but the path from the cache file; false if there is none. */
bool tcgrr_probe_cache_load(const char *file, struct tcgrr_qemu *qemu);
/* Writes the cache file. Failure is not an error. */
void tcgrr_probe_cache_store(const char *file, const struct tcgrr_qemu *qemu);

#endif
