/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_EMU_DEVICE_TREE_H
#define TCGRR_EMU_DEVICE_TREE_H

#include <glib.h>
#include <stdbool.h>

/*
 * Rewrites the flattened device tree at `path` without the room that QEMU leaves in it (1 MiB, with which Linux does
 * not boot). TCGRR_ERROR_FAILED if it cannot be read or is none.
 */
bool tcgrr_device_tree_pack(const char *path, GError **error);

/* Whether the packed trees in two files are the same but for their random seeds. *seeded: they have some, which are
 * others in each run. TCGRR_ERROR_FAILED if one cannot be read. */
bool tcgrr_device_tree_compare(const char *a, const char *b, bool *same, bool *seeded, GError **error);

/*
 * Writes `drawn`, the random bytes that a QEMU drew for the tree that it made, into the seeds of the one in the file at
 * `path`, in QEMU's order. TCGRR_ERROR_FAILED if there are more or fewer of them, or the file cannot be read.
 */
bool tcgrr_device_tree_seed(const char *path, const GByteArray *drawn, GError **error);

/*
 * Makes the packed tree at `path`, which an arm machine's QEMU made and is to be given back, such that the guest finds
 * it in memory byte by byte as QEMU's own. TCGRR_ERROR_FAILED if it cannot be.
 */
bool tcgrr_device_tree_arm(const char *path, GError **error);

#endif
