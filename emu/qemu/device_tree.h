/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_EMU_DEVICE_TREE_H
#define TCGRR_EMU_DEVICE_TREE_H

#include <glib.h>
#include <stdbool.h>

/*
 * Rewrites the flattened device tree at `path` without the free space that QEMU leaves in it (1 MiB, with which Linux
 * does not boot). TCGRR_ERROR_FAILED if it cannot be read or is not a device tree.
 */
bool tcgrr_device_tree_pack(const char *path, GError **error);

/* Whether the packed trees in two files are the same except for their random seeds. *seeded: they have seeds, which
 * differ in each run. TCGRR_ERROR_FAILED if a file cannot be read. */
bool tcgrr_device_tree_compare(const char *a, const char *b, bool *same, bool *seeded, GError **error);

/*
 * Writes `drawn`, the random bytes that a QEMU drew for its own tree, into the seeds of the tree at `path`, in QEMU's
 * order. TCGRR_ERROR_FAILED if their number differs or the file cannot be read.
 */
bool tcgrr_device_tree_seed(const char *path, const GByteArray *drawn, GError **error);

/*
 * Adapts the packed tree at `path`, which an Arm machine's QEMU made and will be given with -dtb, so that in the
 * guest's memory it is byte for byte the same as QEMU's own. TCGRR_ERROR_FAILED if that is impossible.
 */
bool tcgrr_device_tree_arm(const char *path, GError **error);

#endif
