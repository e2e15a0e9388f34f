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

/* The same for what the QEMU at argv[0] prints in answer to the other words, in the working directory `directory`
 * (NULL: ours). */
char *tcgrr_probe_cache_text_file(char *const *argv, const char *directory);

/* What is in such a file; NULL if it does not exist. Owned by the caller. */
char *tcgrr_probe_cache_load_text(const char *file);
/* Writes it. Failure is not an error. */
void tcgrr_probe_cache_store_text(const char *file, const char *text);

/* Fills in everything but the path from the cache file; false if there is none. */
bool tcgrr_probe_cache_load(const char *file, struct tcgrr_qemu *qemu);
/* Writes the cache file. Failure is not an error. */
void tcgrr_probe_cache_store(const char *file, const struct tcgrr_qemu *qemu);

#endif
