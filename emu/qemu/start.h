/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot from which several releases of QEMU can start: the guest runs up to a place under icount without rr, and
 * the machine is saved there. Runs from it skip the firmware.
 */
#ifndef TCGRR_EMU_START_H
#define TCGRR_EMU_START_H

#include "emu/qemu/qemu.h"
#include "store/model.h"

/* The image's name among a trace's embedded files. */
#define TCGRR_START_FILE "start.qcow2"

struct tcgrr_start_options {
    const struct tcgrr_qemu *qemu;
    const char *const
        *arguments;        /* the words after it, NULL-terminated; a user's own -S, -gdb and the like are handled */
    const char *directory; /* QEMU's working directory; NULL: ours */
    const char *plugin;    /* path of libtcgrr-plugin.so; needed for an icount only */
    const char *icount;    /* the shift; NULL: the one in `arguments`, else 0 */
    bool is_address;       /* `place` is an address, and QEMU stops before its first execution; else an icount */
    uint64_t place;
    const char *path;         /* of the image to create */
    const volatile int *stop; /* becomes not 0: the user interrupts; may be NULL */
};

/*
 * Makes the snapshot. `icount` is set to QEMU's own count there, from which runs that start from it continue counting.
 * TCGRR_ERROR_USAGE if the guest has writable disks, because QEMU would save those, too, in the user's own files.
 * TCGRR_ERROR_ENDED if the guest ends before it reaches the place; TCGRR_ERROR_STOPPED if the user interrupts.
 */
bool tcgrr_start_make(const struct tcgrr_start_options *options, tcgrr_icount *icount, GError **error);

/*
 * Checks, by starting and ending it, that the QEMU of `options` can start from the snapshot in the image at `path`,
 * which another QEMU may have made. If not, TCGRR_ERROR_FAILED with QEMU's message.
 */
bool tcgrr_start_check(const struct tcgrr_start_options *options, GError **error);

#endif
