/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_EMU_SNAPSHOT_H
#define TCGRR_EMU_SNAPSHOT_H

#include <glib.h>
#include <stdbool.h>

/*
 * Writes an empty qcow2 image to `path`. QEMU keeps VM snapshots in it: where a run starts, or what its gdb stub goes
 * back to for reverse steps; no guest ever sees it.
 */
bool tcgrr_snapshot_create(const char *path, GError **error);

#endif
