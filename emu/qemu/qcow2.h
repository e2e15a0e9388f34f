/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_EMU_QCOW2_H
#define TCGRR_EMU_QCOW2_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The maximum size of a disk: far more than any image, so that an overlay has room to grow. */
#define TCGRR_QCOW2_MAX     (UINT64_C(1) << 41)
/* The size of a disk that no guest sees, in which QEMU stores snapshots of the machine. */
#define TCGRR_QCOW2_NO_DISK 65536u

/*
 * Writes an empty qcow2 image to `path`, for a disk of `size` bytes, at most TCGRR_QCOW2_MAX. The file does not name
 * its backing file; that is specified when QEMU opens it.
 */
bool tcgrr_qcow2_create(const char *path, guint64 size, GError **error);

/* Whether the file at `path` is a qcow2 image. */
bool tcgrr_qcow2_is(const char *path);

/* The name of its backing file as the qcow2 image at `path` has it; NULL: it has none, or is no such image. Owned by
 * the caller. */
char *tcgrr_qcow2_backing(const char *path);

#endif
